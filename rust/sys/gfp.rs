// SPDX-License-Identifier: GPL-2.0-only

//! Get-free-page flags.
//!
//! [`Gfp`] is the C `gfp_t`. Every allocating function of this crate takes `impl Into<Gfp>`. It
//! accepts the flags of the kernel's prelude (`GFP_KERNEL`, `GFP_ATOMIC | __GFP_ZERO`, …) and the
//! additional ones of this module:
//!
//! ```
//! use kalloc::{Gfp, Order, Pages};
//!
//! kalloc::sites! {
//!     Rings: pages, "doc_gfp";
//! }
//!
//! let block = Pages::<Rings>::zeroed(Order::of::<2>(), GFP_KERNEL)?;
//! let large = Pages::<Rings>::zeroed(Order::of::<5>(), Gfp::KERNEL | Gfp::NORETRY | Gfp::NOWARN)?;
//! assert_eq!(large.len(), 8 * block.len());
//! # Ok::<(), Error>(())
//! ```
//!
//! C header: [`include/linux/gfp_types.h`](srctree/include/linux/gfp_types.h)
//!
//! Reference: <https://docs.kernel.org/core-api/memory-allocation.html>

use crate::sys::{
    bindings,
    context, //
};
use kernel::{
    alloc::{
        flags,
        Flags, //
    },
    prelude::*, //
};

/// Allocation flags: the C `gfp_t`.
///
/// # Examples
///
/// ```
/// use kalloc::Gfp;
///
/// let flags = Gfp::KERNEL | Gfp::NORETRY | Gfp::NOWARN;
/// assert!(flags.may_sleep() && flags.contains(Gfp::NOWARN));
/// // The flags of the kernel's prelude convert to the same values.
/// assert_eq!(Gfp::from(GFP_KERNEL | __GFP_NOWARN) | Gfp::NORETRY, flags);
///
/// // For atomic context:
/// assert!(!Gfp::ATOMIC.may_sleep() && !Gfp::NOWAIT.may_sleep());
/// // For the block layer and for a file system:
/// assert!(Gfp::KERNEL.contains(Gfp::NOFS) && Gfp::NOFS.contains(Gfp::NOIO));
/// // Charged to the caller's memory cgroup:
/// assert_eq!(Gfp::KERNEL | Gfp::ACCOUNT, Gfp::KERNEL_ACCOUNT);
/// // For a large block that is worth waiting for, on this node, below 4 GiB, zeroed:
/// let picky = Gfp::KERNEL | Gfp::RETRY_MAYFAIL | Gfp::THISNODE | Gfp::DMA32 | Gfp::ZERO;
/// assert!(picky.contains(Gfp::KERNEL));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gfp(bindings::gfp_t);

impl Gfp {
    /// The usual flags in process context. May sleep.
    pub const KERNEL: Gfp = Gfp(bindings::GFP_KERNEL);
    /// [`Gfp::KERNEL`], charged to the caller's memory cgroup. May sleep.
    pub const KERNEL_ACCOUNT: Gfp = Gfp(bindings::GFP_KERNEL_ACCOUNT);
    /// For interrupts and spinlocks: never sleeps and may use emergency reserves.
    pub const ATOMIC: Gfp = Gfp(bindings::GFP_ATOMIC);
    /// Never sleeps, uses no reserves, fails early and does not log the failure.
    pub const NOWAIT: Gfp = Gfp(bindings::GFP_NOWAIT);
    /// May sleep, but starts no I/O.
    pub const NOIO: Gfp = Gfp(bindings::GFP_NOIO);
    /// May sleep, but calls into no file system.
    pub const NOFS: Gfp = Gfp(bindings::GFP_NOFS);

    /// Zeroes the memory.
    pub const ZERO: Gfp = Gfp(bindings::__GFP_ZERO);
    /// Does not log a failure.
    pub const NOWARN: Gfp = Gfp(bindings::__GFP_NOWARN);
    /// Fails early: does not invoke the OOM killer.
    pub const NORETRY: Gfp = Gfp(bindings::__GFP_NORETRY);
    /// Tries harder than usual, but may still fail.
    pub const RETRY_MAYFAIL: Gfp = Gfp(bindings::__GFP_RETRY_MAYFAIL);
    /// Charges the memory to the caller's memory cgroup.
    pub const ACCOUNT: Gfp = Gfp(bindings::__GFP_ACCOUNT);
    /// Allocates from the given node only.
    pub const THISNODE: Gfp = Gfp(bindings::__GFP_THISNODE);
    /// Allocates pages below 4 GiB only.
    pub const DMA32: Gfp = Gfp(bindings::__GFP_DMA32);

    /// Allocates a compound page. The types that own one set this flag.
    pub(crate) const COMP: Gfp = Gfp(bindings::__GFP_COMP);

    const NONE: Gfp = Gfp(0);
    const IO_FS: Gfp = Gfp(bindings::GFP_KERNEL & !bindings::GFP_NOIO);
    const HIGHMEM: Gfp = Gfp(bindings::__GFP_HIGHMEM);
    const HIGH: Gfp = Gfp(bindings::__GFP_HIGH);
    const KSWAPD_RECLAIM: Gfp = Gfp(bindings::__GFP_KSWAPD_RECLAIM);

    /// Returns true if all flags of `other` are set.
    #[inline]
    pub const fn contains(self, other: Gfp) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns true if an allocation with these flags may sleep.
    #[inline]
    pub const fn may_sleep(self) -> bool {
        self.0 & bindings::__GFP_DIRECT_RECLAIM != 0
    }

    /// Returns the flags if an allocation with them is allowed in the current context.
    ///
    /// Use it in code that must fail rather than sleep in an unknown context.
    ///
    /// Functions that always sleep check the context themselves. Fast paths do not: the caller
    /// checks with this function where the context is unknown.
    ///
    /// ```
    /// use kalloc::{Gfp, Order, Pages};
    /// use kernel::sync::rcu;
    ///
    /// kalloc::sites! {
    ///     Rings: pages, "doc_here";
    /// }
    ///
    /// let ring = Pages::<Rings>::zeroed(Order::ZERO, Gfp::KERNEL.checked_for_context()?)?;
    ///
    /// let guard = rcu::read_lock();
    /// assert_eq!(Gfp::KERNEL.checked_for_context(), Err(EAGAIN));
    /// assert_eq!(Gfp::ATOMIC.checked_for_context(), Ok(Gfp::ATOMIC));
    /// drop(guard);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`EAGAIN`] if the flags allow sleeping in a context known to be atomic, or if
    /// [`context::can_allocate`] returns false.
    #[inline]
    pub fn checked_for_context(self) -> Result<Gfp> {
        if self.may_sleep() && context::known_atomic() || !context::can_allocate() {
            return Err(EAGAIN);
        }
        Ok(self)
    }

    /// Returns the flags without `__GFP_HIGHMEM` and `__GFP_DMA32`, which neither the slab
    /// allocator nor a direct-map block can satisfy. The C functions also clear them, but log a
    /// stack trace.
    #[inline]
    pub(crate) const fn without_zone(self) -> Gfp {
        Gfp(self.0 & !(bindings::__GFP_HIGHMEM | bindings::__GFP_DMA32))
    }

    /// Returns true if reclaim for these flags may start I/O and call into file systems
    /// (`gfp_has_io_fs()`).
    #[inline]
    pub(crate) const fn has_io_fs(self) -> bool {
        self.contains(Gfp::IO_FS)
    }

    /// Returns the flags for a large block that another allocator can replace
    /// (`kmalloc_gfp_adjust()`).
    ///
    /// A failure is not logged. The allocation does not wait for reclaim, unless
    /// [`Gfp::RETRY_MAYFAIL`] is set.
    #[inline]
    pub(crate) const fn replaceable(self) -> Gfp {
        let mut unwanted = bindings::__GFP_NOFAIL;
        if !self.contains(Gfp::RETRY_MAYFAIL) {
            unwanted |= bindings::__GFP_DIRECT_RECLAIM;
        }
        Gfp(self.0 & !unwanted | Gfp::NOWARN.0)
    }

    /// Returns the flags without `__GFP_ZERO`, for memory that the caller initializes itself.
    #[inline]
    pub(crate) const fn without_zero(self) -> Gfp {
        Gfp(self.0 & !bindings::__GFP_ZERO)
    }

    /// Returns the flags for an internal allocation that a call with these flags needs.
    ///
    /// They keep the reclaim, retry, warning and accounting flags, and clear the zone, the node and
    /// `__GFP_ZERO`.
    #[inline]
    pub(crate) const fn nested(self) -> Gfp {
        let reclaim = bindings::GFP_KERNEL | bindings::__GFP_HIGH;
        let retry = bindings::__GFP_NORETRY | bindings::__GFP_RETRY_MAYFAIL;
        Gfp(self.0 & (reclaim | retry | bindings::__GFP_NOWARN | bindings::__GFP_ACCOUNT))
    }

    /// Returns the flags with which the allocator fails rather than invoke the OOM killer.
    #[inline]
    pub(crate) const fn without_oom_killer(self) -> Gfp {
        if self.contains(Gfp::NORETRY) {
            self
        } else {
            Gfp(self.0 | bindings::__GFP_RETRY_MAYFAIL)
        }
    }

    /// Returns the flags with at most one zone: the kernel does not support two.
    #[inline]
    pub(crate) const fn with_one_zone(self) -> Gfp {
        if self.0 & bindings::__GFP_DMA32 != 0 {
            self.without_highmem()
        } else {
            self
        }
    }

    /// Returns the flags without `__GFP_HIGHMEM`, for memory that is accessed through the direct
    /// map.
    #[inline]
    pub(crate) const fn without_highmem(self) -> Gfp {
        Gfp(self.0 & !bindings::__GFP_HIGHMEM)
    }

    /// Returns the C value.
    #[inline]
    pub(crate) const fn as_raw(self) -> bindings::gfp_t {
        self.0
    }
}

impl core::ops::BitOr for Gfp {
    type Output = Gfp;

    #[inline]
    fn bitor(self, rhs: Gfp) -> Gfp {
        Gfp(self.0 | rhs.0)
    }
}

impl core::ops::BitOr<Gfp> for Flags {
    type Output = Gfp;

    #[inline]
    fn bitor(self, rhs: Gfp) -> Gfp {
        Gfp::from(self) | rhs
    }
}

impl From<Flags> for Gfp {
    /// Converts the kernel crate's flags.
    ///
    /// [`Flags`] does not expose its value, but its `contains` method tests for other flags. The
    /// seven public constants and their operators cannot distinguish finer groups of bits than
    /// those tested here, so no bit is lost. Flags known at compile time fold into a constant.
    #[inline(always)]
    fn from(flags: Flags) -> Gfp {
        use flags::*;

        // GFP_ATOMIC is HIGH and KSWAPD_RECLAIM; GFP_NOWAIT is KSWAPD_RECLAIM and NOWARN.
        let kswapd = GFP_ATOMIC & GFP_KERNEL;
        let pick = |part: Flags, gfp: Gfp| if flags.contains(part) { gfp } else { Gfp::NONE };

        pick(__GFP_ZERO, Gfp::ZERO)
            | pick(__GFP_HIGHMEM, Gfp::HIGHMEM)
            | pick(__GFP_NOWARN, Gfp::NOWARN)
            | pick(GFP_ATOMIC & !kswapd, Gfp::HIGH)
            | pick(kswapd, Gfp::KSWAPD_RECLAIM)
            | pick(
                GFP_KERNEL & !kswapd,
                Gfp(bindings::GFP_KERNEL & !bindings::__GFP_KSWAPD_RECLAIM),
            )
            | pick(GFP_KERNEL_ACCOUNT & !GFP_KERNEL, Gfp::ACCOUNT)
    }
}

/// Flags that do not allow sleeping, as a type.
///
/// A function that holds a lock or runs in interrupts can take its flags as `Nonblocking`. Other
/// flags then do not compile:
///
/// ```
/// use kalloc::{sys::gfp::Nonblocking, KVec};
///
/// kalloc::sites! {
///     Queues: kmalloc([u64]), "doc_nonblocking";
/// }
///
/// /// Inserts `node`. The caller must hold the queue's spinlock.
/// fn insert(queue: &mut KVec<u64, Queues>, node: u64, gfp: Nonblocking) -> Result {
///     Ok(queue.push(node, gfp.into())?)
/// }
///
/// let mut queue = KVec::new();
/// insert(&mut queue, 1, Nonblocking::NOWAIT)?;
/// insert(&mut queue, 2, Nonblocking::ATOMIC.zeroed())?;
/// assert_eq!(queue.as_slice(), [1, 2]);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The flags do not allow sleeping.
#[derive(Clone, Copy)]
pub struct Nonblocking(Flags);

impl Nonblocking {
    /// Allows emergency reserves (`GFP_ATOMIC`).
    // INVARIANT: `GFP_ATOMIC` does not allow sleeping.
    pub const ATOMIC: Nonblocking = Nonblocking(GFP_ATOMIC);
    /// Uses no reserves, fails early and does not log the failure (`GFP_NOWAIT`).
    // INVARIANT: `GFP_NOWAIT` does not allow sleeping.
    pub const NOWAIT: Nonblocking = Nonblocking(GFP_NOWAIT);

    /// Returns the flags for zeroed memory.
    #[inline]
    pub fn zeroed(self) -> Nonblocking {
        // INVARIANT: `__GFP_ZERO` does not allow sleeping.
        Nonblocking(self.0 | __GFP_ZERO)
    }
}

impl From<Nonblocking> for Flags {
    #[inline]
    fn from(gfp: Nonblocking) -> Flags {
        gfp.0
    }
}

impl From<Nonblocking> for Gfp {
    #[inline(always)]
    fn from(gfp: Nonblocking) -> Gfp {
        gfp.0.into()
    }
}
