// SPDX-License-Identifier: GPL-2.0-only

//! Buckets of sizes: two for every power of two.
//!
//! The sizes above a power of two and up to the next one are split in the middle. All size classes
//! of kmalloc, including 96 and 192, therefore have separate buckets. One counter per bucket yields
//! both a histogram and the bytes that the blocks take. A few instructions find the bucket of a
//! size.

/// A bucket of block sizes.
///
/// # Invariants
///
/// The number is less than [`SizeBin::COUNT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SizeBin(usize);

impl SizeBin {
    /// The number of buckets, a power of two.
    pub(crate) const COUNT: usize = 64;

    /// The largest size of the smallest bucket.
    const FIRST: usize = 8;

    /// The number of the smallest bucket, the upper half of 4 to 8, see [`of`](Self::of).
    const SMALLEST: usize = 2 * 2 + 3;

    /// The largest size with a bucket; a larger block may be counted as this size.
    pub(crate) const MAX_SIZE: usize = SizeBin::nth(Self::COUNT - 1).up_to();

    /// Returns the bucket of `size` bytes, from 1 to [`MAX_SIZE`](Self::MAX_SIZE).
    #[inline(always)]
    pub(crate) const fn of(size: usize) -> SizeBin {
        // A power of two belongs to the bucket of the sizes below it.
        let last = size.wrapping_sub(1) | (Self::FIRST - 1);
        // This is `ilog2` in the form that the compiler translates to one instruction.
        let log = (usize::BITS - 1) ^ last.leading_zeros();
        // The two highest bits: 2 or 3. OVERFLOW: Sizes have at most 63 bits.
        let half = last.wrapping_mul(2) >> log;
        // OVERFLOW: Both numbers are small. The wrapping operations avoid the overflow checks of a
        // kernel that enables them.
        SizeBin::numbered(half.wrapping_add((log as usize).wrapping_mul(2)))
    }

    /// Returns the bucket with this number. The numbers of the largest buckets wrap to 0.
    #[inline(always)]
    const fn numbered(number: usize) -> SizeBin {
        // INVARIANT: The mask limits the number.
        SizeBin(number & (Self::COUNT - 1))
    }

    /// Returns the `nth` bucket by size.
    pub(crate) const fn nth(nth: usize) -> SizeBin {
        SizeBin::numbered(Self::SMALLEST + nth)
    }

    /// Returns the largest size in the bucket.
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

    /// Returns the number of the bucket.
    #[inline(always)]
    pub(crate) const fn index(self) -> usize {
        self.0
    }

    /// Returns an iterator over all buckets, by size.
    pub(crate) fn all() -> impl Iterator<Item = SizeBin> {
        (0..Self::COUNT).map(SizeBin::nth)
    }

    /// Returns an iterator over the powers of two from `FIRST` on. Each comes with the buckets for
    /// the sizes above half of it.
    pub(crate) fn powers_of_two(
    ) -> impl Iterator<Item = (u64, impl Iterator<Item = SizeBin> + Clone)> {
        (0..=Self::COUNT / 2).map(|n| {
            let buckets = (2 * n).saturating_sub(1)..(2 * n + 1).min(Self::COUNT);
            // CAST: `usize` has 64 bits.
            ((Self::FIRST << n) as u64, buckets.map(SizeBin::nth))
        })
    }
}

// `of` maps the largest size of every bucket to that bucket, and the next size to another bucket.
// The second bucket is an exception, because `of` treats all sizes from 9 to 16 as 16.
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
