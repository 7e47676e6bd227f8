// SPDX-License-Identifier: GPL-2.0

//! `/sys/kernel/debug/kalloc/`, where this module and those that use it have their files.

use kernel::{
    debugfs::Dir,
    prelude::*, //
};

kernel::sync::global_lock! {
    // SAFETY: `Root::new` initialises it, before any other module can be loaded that asks for it.
    unsafe(uninit) static ROOT: Mutex<Option<Dir>> = None;
}

/// Keeps the directory.
pub(crate) struct Root(());

impl Root {
    /// Creates the directory.
    ///
    /// # Safety
    ///
    /// Must be called once, before [`dir`].
    pub(crate) unsafe fn new() -> Self {
        // SAFETY: Once, and first, by the requirement of this function.
        unsafe { ROOT.init() };
        *ROOT.lock() = Some(Dir::new(c"kalloc"));
        Root(())
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        *ROOT.lock() = None;
    }
}

/// Returns the directory, to create files in.
pub fn dir() -> Option<Dir> {
    ROOT.lock().clone()
}
