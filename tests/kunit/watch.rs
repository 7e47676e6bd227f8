// SPDX-License-Identifier: GPL-2.0

//! What cases watch: sites, and values that are dropped.

/// What a test did to a site.
pub(crate) struct Change {
    site: &'static kalloc::Site,
    before: kalloc::accounting::stats::Totals,
}

impl Change {
    /// Starts to watch the site of `S`.
    pub(crate) fn of<S: kalloc::Tag>() -> Self {
        let site = S::site();
        Change {
            site,
            before: site.totals(),
        }
    }

    /// Allocations, frees and failures since.
    pub(crate) fn events(&self) -> (u64, u64, u64) {
        let now = self.site.totals();
        (
            now.allocs - self.before.allocs,
            now.frees - self.before.frees,
            now.failures.total() - self.before.failures.total(),
        )
    }

    /// Blocks and bytes that are live, and what the blocks take beyond those.
    pub(crate) fn live(&self) -> (u64, u64, u64) {
        let now = self.site.totals();
        (now.live(), now.live_bytes, now.live_slack())
    }
}

/// Counts how often it is dropped.
pub(crate) struct Dropped<'a>(pub(crate) &'a core::cell::Cell<u32>);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}
