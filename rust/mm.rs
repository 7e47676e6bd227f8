// SPDX-License-Identifier: GPL-2.0-only

//! Mappings of memory, and properties of its pages.
//!
//! | module | contents |
//! |---|---|
//! | [`address_space`] | the areas of the kernel's virtual address space |
//! | [`mmap`] | kernel memory in a process's address space |
//! | [`page_info`] | page frame numbers, zones and flags of a block's pages |
//! | [`vmap`] | single pages mapped side by side |

pub mod address_space;
pub mod mmap;
mod page_bytes;
pub mod page_info;
pub mod vmap;
