// SPDX-License-Identifier: GPL-2.0

//! Get-free-page flags.
//!
//! [`Gfp`] is the C `gfp_t`. Every call of this crate that allocates takes `impl Into<Gfp>`, so
//! that the flags of the kernel's prelude (`GFP_KERNEL`, `GFP_ATOMIC | __GFP_ZERO`, …) and the
//! additional ones of this module can be given alike:
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

/// Flags that say how an allocation may be served: the C `gfp_t`.
///
/// # Examples
///
/// ```
/// use kalloc::Gfp;
///
/// let flags = Gfp::KERNEL | Gfp::NORETRY | Gfp::NOWARN;
/// assert!(flags.may_sleep() && flags.contains(Gfp::NOWARN));
/// // Those of the kernel's prelude are the same flags.
/// assert_eq!(Gfp::from(GFP_KERNEL | __GFP_NOWARN) | Gfp::NORETRY, flags);
///
/// // Where sleeping is not allowed:
/// assert!(!Gfp::ATOMIC.may_sleep() && !Gfp::NOWAIT.may_sleep());
/// // In the way of the block layer, and of a file system:
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
    /// The usual choice in process context. May sleep.
    pub const KERNEL: Gfp = Gfp(bindings::GFP_KERNEL);
    /// As [`Gfp::KERNEL`], charged to the caller's memory cgroup. May sleep.
    pub const KERNEL_ACCOUNT: Gfp = Gfp(bindings::GFP_KERNEL_ACCOUNT);
    /// Never sleeps and may use emergency reserves: for interrupts and under spinlocks.
    pub const ATOMIC: Gfp = Gfp(bindings::GFP_ATOMIC);
    /// Never sleeps, uses no reserves, fails easily and silently.
    pub const NOWAIT: Gfp = Gfp(bindings::GFP_NOWAIT);
    /// May sleep, but starts no I/O.
    pub const NOIO: Gfp = Gfp(bindings::GFP_NOIO);
    /// May sleep, but calls into no file system.
    pub const NOFS: Gfp = Gfp(bindings::GFP_NOFS);

    /// The memory comes zeroed.
    pub const ZERO: Gfp = Gfp(bindings::__GFP_ZERO);
    /// A failure is not reported in the kernel log.
    pub const NOWARN: Gfp = Gfp(bindings::__GFP_NOWARN);
    /// Gives up early rather than invoke the OOM killer.
    pub const NORETRY: Gfp = Gfp(bindings::__GFP_NORETRY);
    /// Tries harder than usual, but may still fail.
    pub const RETRY_MAYFAIL: Gfp = Gfp(bindings::__GFP_RETRY_MAYFAIL);
    /// Charged to the caller's memory cgroup.
    pub const ACCOUNT: Gfp = Gfp(bindings::__GFP_ACCOUNT);
    /// Only memory of the given node will do.
    pub const THISNODE: Gfp = Gfp(bindings::__GFP_THISNODE);
    /// Page blocks: memory below 4 GiB.
    pub const DMA32: Gfp = Gfp(bindings::__GFP_DMA32);

    /// A compound page. Asked for by the types that hold one.
    pub(crate) const COMP: Gfp = Gfp(bindings::__GFP_COMP);

    const NONE: Gfp = Gfp(0);
    const IO_FS: Gfp = Gfp(bindings::GFP_KERNEL & !bindings::GFP_NOIO);
    const HIGHMEM: Gfp = Gfp(bindings::__GFP_HIGHMEM);
    const HIGH: Gfp = Gfp(bindings::__GFP_HIGH);
    const KSWAPD_RECLAIM: Gfp = Gfp(bindings::__GFP_KSWAPD_RECLAIM);

    /// Returns whether all flags of `other` are set.
    #[inline]
    pub const fn contains(self, other: Gfp) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns whether an allocation with these flags may sleep.
    #[inline]
    pub const fn may_sleep(self) -> bool {
        self.0 & bindings::__GFP_DIRECT_RECLAIM != 0
    }

    /// Returns the flags, if an allocation with them is allowed here: for code that does not know who
    /// calls it, and would rather fail than sleep where it must not.
    ///
    /// The calls that always sleep ask by themselves. Those that are made of few instructions do not:
    /// there it is asked for, and paid for, where it is needed.
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
    /// [`EAGAIN`] if they may sleep, and that is known not to be allowed here; or if no flags are, as
    /// [`context::can_allocate`] says.
    #[inline]
    pub fn checked_for_context(self) -> Result<Gfp> {
        if self.may_sleep() && context::known_atomic() || !context::can_allocate() {
            return Err(EAGAIN);
        }
        Ok(self)
    }

    /// The flags without those that ask the slab allocator or a direct-map block for memory it
    /// cannot have: the C functions strip them too, but with a stack dump in the log.
    #[inline]
    pub(crate) const fn without_zone(self) -> Gfp {
        Gfp(self.0 & !(bindings::__GFP_HIGHMEM | bindings::__GFP_DMA32))
    }

    /// Returns whether reclaim for these flags may start I/O and call into file systems
    /// (`gfp_has_io_fs()`).
    #[inline]
    pub(crate) const fn has_io_fs(self) -> bool {
        self.contains(Gfp::IO_FS)
    }

    /// Returns the flags for a large block that another allocator can replace: a failure is neither
    /// reported nor, unless they say [`Gfp::RETRY_MAYFAIL`], waited for (`kmalloc_gfp_adjust()`).
    #[inline]
    pub(crate) const fn replaceable(self) -> Gfp {
        let mut unwanted = bindings::__GFP_NOFAIL;
        if !self.contains(Gfp::RETRY_MAYFAIL) {
            unwanted |= bindings::__GFP_DIRECT_RECLAIM;
        }
        Gfp(self.0 & !unwanted | Gfp::NOWARN.0)
    }

    /// The flags without `__GFP_ZERO`, for memory that comes with something in it.
    #[inline]
    pub(crate) const fn without_zero(self) -> Gfp {
        Gfp(self.0 & !bindings::__GFP_ZERO)
    }

    /// The flags for memory that the allocation needs beside its own: how it is reclaimed, charged and
    /// reported if there is none. The zone, the node and the contents are not that memory's.
    #[inline]
    pub(crate) const fn nested(self) -> Gfp {
        let reclaim = bindings::GFP_KERNEL | bindings::__GFP_HIGH;
        let retry = bindings::__GFP_NORETRY | bindings::__GFP_RETRY_MAYFAIL;
        Gfp(self.0 & (reclaim | retry | bindings::__GFP_NOWARN | bindings::__GFP_ACCOUNT))
    }

    /// The flags with which the allocator fails rather than invoke the OOM killer.
    #[inline]
    pub(crate) const fn without_oom_killer(self) -> Gfp {
        if self.contains(Gfp::NORETRY) {
            self
        } else {
            Gfp(self.0 | bindings::__GFP_RETRY_MAYFAIL)
        }
    }

    /// The flags with at most one zone: the kernel has no answer to two.
    #[inline]
    pub(crate) const fn with_one_zone(self) -> Gfp {
        if self.0 & bindings::__GFP_DMA32 != 0 {
            self.without_highmem()
        } else {
            self
        }
    }

    /// The flags without `__GFP_HIGHMEM`, for memory that is used through its direct mapping.
    #[inline]
    pub(crate) const fn without_highmem(self) -> Gfp {
        Gfp(self.0 & !bindings::__GFP_HIGHMEM)
    }

    /// The C value.
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
    /// [`Flags`] keeps its value to itself, but says whether it contains other flags. The seven
    /// public constants and the operators on them can make no finer distinction than the groups
    /// of bits that are asked for here, so none is lost. With flags known at compile time, as
    /// they nearly always are, the whole folds into a constant.
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

/// Flags that never sleep, as a type.
///
/// A function that takes its flags as `Nonblocking`, because it holds a lock or is called in
/// interrupts, cannot be given others:
///
/// ```
/// use kalloc::{sys::gfp::Nonblocking, KVec};
///
/// kalloc::sites! {
///     Queues: kmalloc([u64]), "doc_nonblocking";
/// }
///
/// /// To be called with the queue's spinlock held.
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
/// The flags do not allow to sleep.
#[derive(Clone, Copy)]
pub struct Nonblocking(Flags);

impl Nonblocking {
    /// May use emergency reserves (`GFP_ATOMIC`).
    // INVARIANT: It does not sleep.
    pub const ATOMIC: Nonblocking = Nonblocking(GFP_ATOMIC);
    /// Uses no reserves, fails easily and silently (`GFP_NOWAIT`).
    // INVARIANT: It does not sleep.
    pub const NOWAIT: Nonblocking = Nonblocking(GFP_NOWAIT);

    /// The same, for memory that comes zeroed.
    #[inline]
    pub fn zeroed(self) -> Nonblocking {
        // INVARIANT: Whether it sleeps does not depend on that.
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
