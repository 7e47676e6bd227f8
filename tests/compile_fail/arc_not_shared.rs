// SPDX-License-Identifier: GPL-2.0-only
//! H14: an `Arc` of a value that is not `Sync` is not `Send`, because several threads would have it.
//! error: `Cell<u64>` cannot be shared between threads safely

use core::cell::Cell;
use kalloc::Arc;

kalloc::sites! {
    pub Cells: kmalloc(Cell<u64>), "compile_cell";
}

fn send<T: Send>(_: &T) {}

#[inline(never)]
pub fn case(shared: &Arc<Cell<u64>, Cells>) {
    send(shared);
}
