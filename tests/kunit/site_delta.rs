// SPDX-License-Identifier: GPL-2.0-only

//! Changes of a site's counters during a case, and values that count their drops.

/// The change of a site's counters since a start.
pub(crate) struct Change {
    site: &'static kalloc::Site,
    before: kalloc::accounting::stats::Totals,
}

impl Change {
    /// Starts to observe the site of `S`.
    pub(crate) fn of<S: kalloc::Tag>() -> Self {
        let site = S::site();
        Change {
            site,
            before: site.totals(),
        }
    }

    /// Returns the allocations, frees and failures since the start.
    pub(crate) fn events(&self) -> (u64, u64, u64) {
        let now = self.site.totals();
        (
            now.allocs - self.before.allocs,
            now.frees - self.before.frees,
            now.failures.total() - self.before.failures.total(),
        )
    }

    /// Returns the live blocks, their bytes, and the bytes that the blocks take beyond those.
    pub(crate) fn live(&self) -> (u64, u64, u64) {
        let now = self.site.totals();
        (now.live(), now.live_bytes, now.live_slack())
    }
}

/// A value that counts its drops.
pub(crate) struct Dropped<'a>(pub(crate) &'a core::cell::Cell<u32>);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}
