// SPDX-License-Identifier: GPL-2.0

//! Buckets of sizes: two for every power of two.
//!
//! The sizes above a power of two and up to the next one are split in the middle. That is fine
//! enough to tell all size classes of kmalloc apart, with 96 and 192 between the powers of two, so
//! that one counter a bucket gives both a histogram and how many bytes the blocks really take; and it
//! takes a handful of instructions to find.

/// A bucket of sizes.
///
/// # Invariants
///
/// The number is less than [`SizeBin::COUNT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SizeBin(usize);

impl SizeBin {
    /// The number of buckets, a power of two.
    pub(crate) const COUNT: usize = 64;

    /// The smallest bucket has all sizes up to this.
    const FIRST: usize = 8;

    /// The number of the smallest bucket, see [`of`](Self::of): it is the upper half of 4 to 8.
    const SMALLEST: usize = 2 * 2 + 3;

    /// The largest size that has a bucket; what is larger may be counted as this.
    pub(crate) const MAX_SIZE: usize = SizeBin::nth(Self::COUNT - 1).up_to();

    /// Returns the bucket of `size` bytes, from 1 to [`MAX_SIZE`](Self::MAX_SIZE).
    #[inline(always)]
    pub(crate) const fn of(size: usize) -> SizeBin {
        // One less than a power of two belongs with it.
        let last = size.wrapping_sub(1) | (Self::FIRST - 1);
        // `ilog2`, in the form that the compiler knows to be one instruction.
        let log = (usize::BITS - 1) ^ last.leading_zeros();
        // The two uppermost bits: 2 or 3. OVERFLOW: Sizes have 63 bits.
        let half = last.wrapping_mul(2) >> log;
        // OVERFLOW: Both are small. To say that nothing is checked here makes a kernel that checks
        // overflows as fast as one that does not.
        SizeBin::numbered(half.wrapping_add((log as usize).wrapping_mul(2)))
    }

    /// The numbers of the largest buckets go on at 0.
    #[inline(always)]
    const fn numbered(number: usize) -> SizeBin {
        // INVARIANT: Masked.
        SizeBin(number & (Self::COUNT - 1))
    }

    /// The `nth` bucket by size.
    pub(crate) const fn nth(nth: usize) -> SizeBin {
        SizeBin::numbered(Self::SMALLEST + nth)
    }

    /// The largest size in the bucket.
    #[inline]
    pub(crate) const fn up_to(self) -> usize {
        let above = if self.0 < Self::SMALLEST {
            Self::COUNT
        } else {
            0
        };
        let n = self.0 + above;
        let half = 2 + n % 2;
        (half + 1) << ((n - half) / 2 - 1)
    }

    /// The number of the bucket.
    #[inline(always)]
    pub(crate) const fn index(self) -> usize {
        self.0
    }

    /// All buckets, by size.
    pub(crate) fn all() -> impl Iterator<Item = SizeBin> {
        (0..Self::COUNT).map(SizeBin::nth)
    }

    /// The powers of two from `FIRST` on, each with the buckets for the sizes above half of it.
    pub(crate) fn powers_of_two(
    ) -> impl Iterator<Item = (u64, impl Iterator<Item = SizeBin> + Clone)> {
        (0..=Self::COUNT / 2).map(|n| {
            let buckets = (2 * n).saturating_sub(1)..(2 * n + 1).min(Self::COUNT);
            // CAST: `usize` has 64 bits.
            ((Self::FIRST << n) as u64, buckets.map(SizeBin::nth))
        })
    }
}

// Every bucket is found again by its largest size, and the next size is in another one; but for
// the second, since `of` takes all sizes from 9 to 16 as 16.
const _: () = {
    let mut i = 0;
    while i < SizeBin::COUNT {
        let up_to = SizeBin::nth(i).up_to();
        assert!(i == 1 || SizeBin::of(up_to).0 == SizeBin::nth(i).0);
        assert!(SizeBin::of(up_to + 1).0 != SizeBin::nth(i).0);
        i += 1;
    }
    assert!(SizeBin::of(1).0 == SizeBin::nth(0).0);
};
