// SPDX-License-Identifier: GPL-2.0-only
//! H14: an `Arc` of a value that is not `Send` is not `Sync`, because its clone may drop the value.
//! error: `*mut ()` cannot be sent between threads safely

use kalloc::Arc;
use kernel::sync::lock::mutex::MutexGuard;

kalloc::sites! {
    pub Guards: kmalloc([u8]), "compile_guard";
}

fn share<T: Sync>(_: &T) {}

#[inline(never)]
pub fn case(shared: &Arc<MutexGuard<'static, u64>, Guards>) {
    share(shared);
}
