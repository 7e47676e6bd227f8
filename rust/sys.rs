// SPDX-License-Identifier: GPL-2.0-only

//! Abstractions of the kernel that the kernel crate lacks. This module does not use kalloc's
//! accounting.
//!
//! | module | abstraction |
//! |---|---|
//! | [`context`] | the context of the caller: atomic, or able to sleep |
//! | [`failure`] | errors that C passes on to user space |
//! | [`foreign`] | owners that C code holds as one pointer |
//! | [`gfp`] | allocation flags |
//! | [`percpu`] | a value per CPU |
//! | [`rcu_static`] | a static that callbacks share under RCU |
//! | [`workqueue`] | a workqueue with an owner |

pub(crate) mod bindings;
pub mod context;
pub(crate) mod deferred_free;
mod driver;
pub mod failure;
pub mod foreign;
pub mod gfp;
pub(crate) mod in_place;
pub(crate) mod kmem_cache;
pub(crate) mod node;
pub mod percpu;
pub mod rcu_static;
pub(crate) mod static_mutex;
pub(crate) mod work;
pub mod workqueue;
