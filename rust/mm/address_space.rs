// SPDX-License-Identifier: GPL-2.0

//! The kernel's address space as it is on the running machine.
//!
//! [`areas`] lists all of it, from the first address to the last, in the manner of
//! `Documentation/arch/x86/x86_64/mm.rst`, but with the addresses that the kernel's own variables
//! have: they depend on the paging levels, on the memory there is, and on what was randomised at
//! boot. Whoever knows them knows what KASLR hides: show them to root only, and not if they are
//! [`hidden`].
//!
//! The areas of x86_64 and arm64 are known. Other architectures get those that all have; the rest is
//! [`HOLE`].
//!
//! # Context
//!
//! Any.

use crate::sys::bindings;

#[cfg_attr(CONFIG_X86_64, path = "address_space/x86_64.rs")]
#[cfg_attr(CONFIG_ARM64, path = "address_space/arm64.rs")]
#[cfg_attr(not(any(CONFIG_X86_64, CONFIG_ARM64)), path = "address_space/other.rs")]
mod arch;

/// The name of addresses that nothing has been given.
pub const HOLE: &str = "hole";
/// The name of the area that maps all memory, page frame by page frame.
pub const DIRECT_MAP: &str = "direct_map";
/// The name of the area between `VMALLOC_START` and `VMALLOC_END`.
pub const VMALLOC: &str = "vmalloc";

/// A part of the address space.
///
/// # Examples
///
/// ```
/// use kalloc::mm::address_space::{self, DIRECT_MAP};
///
/// let map = address_space::area(DIRECT_MAP).ok_or(ENOENT)?;
/// assert_eq!(map.name(), DIRECT_MAP);
/// assert_eq!(map.size(), map.last() - map.start() + 1);
/// assert!(map.contains(map.start()) && !map.contains(0));
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// `start` is not above `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    name: &'static str,
    start: usize,
    last: usize,
}

impl Area {
    /// The area from `start` up to, but not including, `end`, which is none if there is nothing in
    /// it. An `end` of 0 is the end of the address space.
    fn new(name: &'static str, start: usize, end: usize) -> Option<Self> {
        let last = end.wrapping_sub(1);
        // INVARIANT: Checked here.
        (start <= last).then_some(Area { name, start, last })
    }

    /// What the area is for.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The first address.
    pub fn start(&self) -> usize {
        self.start
    }

    /// The last address.
    pub fn last(&self) -> usize {
        self.last
    }

    /// The number of bytes.
    pub fn size(&self) -> usize {
        // OVERFLOW: By the invariants, `last` is not below; no area is the whole address space.
        (self.last - self.start).saturating_add(1)
    }

    /// Whether `addr` is in the area.
    pub fn contains(&self, addr: usize) -> bool {
        (self.start..=self.last).contains(&addr)
    }
}

/// Returns all areas in ascending order, and between them what is left: there is no address that is
/// in none, or in two.
///
/// # Examples
///
/// ```
/// use kalloc::mm::address_space::{self, HOLE};
///
/// let mut next = 0;
/// for area in address_space::areas() {
///     assert_eq!(area.start(), next);
///     next = area.last().wrapping_add(1);
/// }
/// // All addresses were there; what is nobody's is one of them.
/// assert_eq!(next, 0);
/// assert!(address_space::areas().any(|area| area.name() == HOLE));
/// ```
pub fn areas() -> impl Iterator<Item = Area> {
    // The first address that was not shown yet.
    let mut next = Some(0);
    arch::known()
        .map(Some)
        .chain([None])
        .flat_map(move |area| {
            let Some(from) = next else {
                return [None, None];
            };
            let Some(area) = area else {
                return [Area::new(HOLE, from, 0), None];
            };
            let start = area.start.max(from);
            let hole = (from < start).then(|| Area::new(HOLE, from, start));
            let rest = Area::new(area.name, start, area.last.wrapping_add(1));
            if let Some(rest) = rest {
                next = rest.last.checked_add(1);
            }
            [hole.flatten(), rest]
        })
        .flatten()
}

/// Returns the area that `addr` is in.
///
/// # Examples
///
/// ```
/// use kalloc::{mm::address_space, Array, Vmalloc};
///
/// kalloc::sites! {
///     Blocks: vmalloc([u8]), "doc_area_of";
/// }
///
/// let block = Array::<u8, Vmalloc<Blocks>>::zeroed(100, GFP_KERNEL)?;
/// assert_eq!(
///     address_space::area_of(block.as_ptr().addr()).name(),
///     address_space::VMALLOC
/// );
/// # Ok::<(), Error>(())
/// ```
pub fn area_of(addr: usize) -> Area {
    let addr = untagged(addr);
    areas().find(|area| area.contains(addr)).unwrap_or(Area {
        name: HOLE,
        start: addr,
        last: addr,
    })
}

/// An address without the tag that KASAN has put into the highest byte of a pointer (arm64).
fn untagged(addr: usize) -> usize {
    if cfg!(any(CONFIG_KASAN_SW_TAGS, CONFIG_KASAN_HW_TAGS)) {
        // CAST: The byte is a copy of the bit below it, in all addresses that there are.
        return ((addr as isize) << 8 >> 8) as usize;
    }
    addr
}

/// Returns the first area of that name.
///
/// # Examples
///
/// ```
/// use kalloc::mm::address_space;
///
/// assert!(address_space::area(address_space::VMALLOC).is_some());
/// assert!(address_space::area("attic").is_none());
/// ```
pub fn area(name: &str) -> Option<Area> {
    areas().find(|area| area.name == name)
}

/// Returns how many levels the kernel's page tables have.
///
/// # Examples
///
/// ```
/// use kalloc::mm::address_space;
///
/// assert!((2..=5).contains(&address_space::paging_levels()));
/// ```
pub fn paging_levels() -> u32 {
    // SAFETY: Reads what was set at boot.
    unsafe { bindings::kalloc_helper_pgtable_levels() }
}

/// Returns whether the kernel's addresses are to be hidden from the process that runs now: it has no
/// `CAP_SYSLOG`, or `kernel.kptr_restrict` hides them from all.
///
/// # Context
///
/// Process context. The records of a file ask
/// [`Output::hides_addresses`](crate::fs::seq_file::Output::hides_addresses) instead, since their text may be for
/// another process than the one that runs.
///
/// # Examples
///
/// ```
/// use kalloc::mm::address_space;
///
/// /// The first address that is shown of the vmalloc area.
/// fn start() -> Result<usize> {
///     if address_space::hidden() {
///         return Err(EPERM);
///     }
///     Ok(address_space::area(address_space::VMALLOC)
///         .ok_or(ENOENT)?
///         .start())
/// }
///
/// assert_eq!(start().is_err(), address_space::hidden());
/// ```
pub fn hidden() -> bool {
    // SAFETY: Asks about the process that runs.
    unsafe { bindings::kalloc_helper_hides_addresses() }
}
