// SPDX-License-Identifier: GPL-2.0-only

//! Allocators of blocks of any size: kmalloc, kvmalloc and vmalloc.
//!
//! | module | contents |
//! |---|---|
//! | [`arc`] | reference-counted pointers in kmalloc memory |
//! | [`array`](mod@array) | an array of a fixed length in memory of one of the allocators |
//! | [`boxed`] | boxes on a NUMA node |
//! | [`cstring`] | C strings in kmalloc memory |
//! | [`flex`] | a header with an array of any length |
//! | [`kmalloc`] | physically contiguous blocks |
//! | [`kvmalloc`] | kmalloc for small blocks, vmalloc for large ones |
//! | [`vec`](mod@vec) | vectors: shrinking, and memory on a NUMA node |
//! | [`vmalloc`] | virtually contiguous blocks of single pages |

#[doc(hidden)]
pub mod allocator;
pub mod arc;
pub mod array;
pub mod boxed;
pub mod cstring;
pub mod flex;
pub mod kmalloc;
pub mod kvmalloc;
pub mod vec;
pub mod vmalloc;
