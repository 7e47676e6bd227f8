// SPDX-License-Identifier: GPL-2.0

//! Get-free-page flags, page orders and NUMA nodes.
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

use crate::{
    bindings,
    context, //
};
use kernel::{
    alloc::{
        flags,
        Flags,
        NumaNode, //
    },
    ffi::c_int,
    page::PAGE_SIZE,
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
    /// let ring = Pages::<Rings>::zeroed(Order::ZERO, Gfp::KERNEL.here()?)?;
    ///
    /// let guard = rcu::read_lock();
    /// assert_eq!(Gfp::KERNEL.here(), Err(EAGAIN));
    /// assert_eq!(Gfp::ATOMIC.here(), Ok(Gfp::ATOMIC));
    /// drop(guard);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`EAGAIN`] if they may sleep, and that is known not to be allowed here; or if no flags are, as
    /// [`context::may_allocate`] says.
    #[inline]
    pub fn here(self) -> Result<Gfp> {
        if self.may_sleep() && context::is_atomic() || !context::may_allocate() {
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

    /// The flags without `__GFP_ZERO`, for memory that comes with something in it.
    #[inline]
    pub(crate) const fn without_zero(self) -> Gfp {
        Gfp(self.0 & !bindings::__GFP_ZERO)
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
/// use kalloc::{gfp::Nonblocking, KVec};
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

/// The size of a block of pages, as a power of two: order `n` is `2^n` pages.
///
/// # Examples
///
/// ```
/// use kalloc::Order;
/// use kernel::page::PAGE_SIZE;
///
/// let order = Order::of::<2>();
/// assert_eq!(
///     (order.get(), order.pages(), order.bytes()),
///     (2, 4, 4 * PAGE_SIZE)
/// );
/// assert_eq!(Order::new(2), Ok(order));
/// assert_eq!(Order::new(Order::MAX.get() + 1), Err(EINVAL));
/// // Three pages need a block of four.
/// assert_eq!(Order::for_bytes(3 * PAGE_SIZE), Ok(order));
/// assert_eq!(Order::ZERO.pages(), 1);
/// ```
///
/// # Invariants
///
/// The value is at most `MAX_PAGE_ORDER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order(u8);

impl Order {
    /// One page.
    pub const ZERO: Order = Order(0);
    /// The largest block the page allocator has (`MAX_PAGE_ORDER`, inclusive).
    pub const MAX: Order = Order(bindings::MAX_PAGE_ORDER as u8);

    /// Returns order `order`.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if it is above [`Order::MAX`].
    #[inline]
    pub const fn new(order: u32) -> Result<Order> {
        if order > bindings::MAX_PAGE_ORDER {
            return Err(EINVAL);
        }
        // INVARIANT: just checked. CAST: `MAX_PAGE_ORDER` is far below 256.
        Ok(Order(order as u8))
    }

    /// Returns order `N`, which is checked when compiling.
    #[inline]
    pub const fn of<const N: u32>() -> Order {
        const { assert!(N <= bindings::MAX_PAGE_ORDER, "order above MAX_PAGE_ORDER") };
        // INVARIANT: just checked. CAST: `MAX_PAGE_ORDER` is far below 256.
        Order(N as u8)
    }

    /// Returns the smallest order whose block holds `bytes` (`get_order()`).
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if no block is that large.
    pub const fn for_bytes(bytes: usize) -> Result<Order> {
        let pages = bytes.div_ceil(PAGE_SIZE);
        if pages > Order::MAX.pages() {
            return Err(EINVAL);
        }
        Order::new(pages.next_power_of_two().trailing_zeros())
    }

    /// The exponent.
    #[inline]
    pub const fn get(self) -> u32 {
        self.0 as u32
    }

    /// The number of pages in a block.
    #[inline]
    pub const fn pages(self) -> usize {
        1 << self.0
    }

    /// The number of bytes in a block.
    #[inline]
    pub const fn bytes(self) -> usize {
        PAGE_SIZE << self.0
    }
}

/// A number of contiguous pages, where it need not be a power of two.
///
/// # Examples
///
/// ```
/// use kalloc::PageCount;
/// use kernel::page::PAGE_SIZE;
///
/// let count = PageCount::of::<3>();
/// assert_eq!((count.get(), count.bytes()), (3, 3 * PAGE_SIZE));
/// assert_eq!(PageCount::for_bytes(2 * PAGE_SIZE + 1), Ok(count));
/// assert_eq!(PageCount::new(PageCount::MAX.get() + 1), Err(EINVAL));
/// ```
///
/// # Invariants
///
/// The value is from 1 to the pages of [`Order::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageCount(usize);

impl PageCount {
    /// The most that are contiguous.
    pub const MAX: PageCount = PageCount(Order::MAX.pages());

    /// Returns `pages` pages.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if these are none, or more than [`PageCount::MAX`].
    #[inline]
    pub const fn new(pages: usize) -> Result<PageCount> {
        if pages == 0 || pages > Order::MAX.pages() {
            return Err(EINVAL);
        }
        // INVARIANT: Just checked.
        Ok(PageCount(pages))
    }

    /// Returns `N` pages, which is checked when compiling.
    #[inline]
    pub const fn of<const N: usize>() -> PageCount {
        const {
            assert!(
                N != 0 && N <= Order::MAX.pages(),
                "no block has so many pages"
            )
        };
        // INVARIANT: Just checked.
        PageCount(N)
    }

    /// Returns as many pages as hold `bytes`.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if these are none, or more than [`PageCount::MAX`].
    #[inline]
    pub const fn for_bytes(bytes: usize) -> Result<PageCount> {
        PageCount::new(bytes.div_ceil(PAGE_SIZE))
    }

    /// The number.
    #[inline]
    pub const fn get(self) -> usize {
        self.0
    }

    /// The number of bytes in so many pages.
    #[inline]
    pub const fn bytes(self) -> usize {
        self.0 * PAGE_SIZE
    }
}

/// A zone of physical memory, of those that the kernel has.
///
/// # Examples
///
/// ```
/// use kalloc::{gfp::Zone, Gfp, Order, Pages};
///
/// kalloc::sites! {
///     Buffers: pages, "doc_zone";
/// }
///
/// let buffer = Pages::<Buffers>::zeroed(Order::ZERO, Gfp::KERNEL | Gfp::DMA32)?;
/// // All of it is below 4 GiB, where old devices reach it, if the kernel tells such memory apart.
/// assert!(buffer.zone() == Zone::Normal || buffer.phys() < 1 << 32);
/// pr_info!("in zone {}\n", buffer.zone().name());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Zone {
    /// For devices that reach little memory: below 16 MiB on x86.
    Dma,
    /// Below 4 GiB.
    Dma32,
    /// In the direct mapping.
    Normal,
    /// Not in the direct mapping.
    HighMem,
    /// For pages that can be moved.
    Movable,
    /// Memory of devices.
    Device,
}

impl Zone {
    /// The zone of a page.
    ///
    /// # Safety
    ///
    /// `page` must be a live page.
    pub(crate) unsafe fn of(page: *const bindings::page) -> Zone {
        // SAFETY: By the requirement of this function.
        match unsafe { bindings::kalloc_helper_page_zonenum(page) } {
            #[cfg(CONFIG_ZONE_DMA)]
            bindings::zone_type_ZONE_DMA => Zone::Dma,
            #[cfg(CONFIG_ZONE_DMA32)]
            bindings::zone_type_ZONE_DMA32 => Zone::Dma32,
            #[cfg(CONFIG_HIGHMEM)]
            bindings::zone_type_ZONE_HIGHMEM => Zone::HighMem,
            bindings::zone_type_ZONE_MOVABLE => Zone::Movable,
            #[cfg(CONFIG_ZONE_DEVICE)]
            bindings::zone_type_ZONE_DEVICE => Zone::Device,
            _ => Zone::Normal,
        }
    }

    /// The name, as in `/proc/zoneinfo`.
    pub const fn name(self) -> &'static str {
        match self {
            Zone::Dma => "DMA",
            Zone::Dma32 => "DMA32",
            Zone::Normal => "Normal",
            Zone::HighMem => "HighMem",
            Zone::Movable => "Movable",
            Zone::Device => "Device",
        }
    }
}

/// Returns the C node id of `node`; none if the machine has no such node, for which C would follow a
/// pointer that is not there.
#[inline]
pub(crate) fn node_id(node: NumaNode) -> Option<c_int> {
    if node == NumaNode::NO_NODE {
        return Some(bindings::NUMA_NO_NODE);
    }
    named_node_id(node)
}

/// [`NumaNode`] keeps its id to itself, but can be compared.
#[cold]
fn named_node_id(node: NumaNode) -> Option<c_int> {
    (0..)
        .map_while(|id| Some((id, NumaNode::new(id).ok()?)))
        .find(|&(_, candidate)| candidate == node)
        .map(|(id, _)| id)
        // SAFETY: The id is below MAX_NUMNODES, as `NumaNode::new` has seen to.
        .filter(|&id| unsafe { bindings::kalloc_helper_node_online(id) })
}
