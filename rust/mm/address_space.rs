// SPDX-License-Identifier: GPL-2.0-only

//! The areas of the kernel's virtual address space on the running machine.
//!
//! [`areas`] lists the whole address space, as `Documentation/arch/x86/x86_64/mm.rst` does, but
//! with the addresses from the kernel's own variables. They depend on the paging levels, on the
//! amount of memory, and on the randomization at boot. These addresses reveal what KASLR hides:
//! show them only to root, and not if they are [`hidden`].
//!
//! The areas of x86_64 and arm64 are known. Other architectures have only the common areas; the
//! rest is [`HOLE`].
//!
//! # Context
//!
//! Any.

use crate::sys::bindings;

#[cfg_attr(all(CONFIG_X86_64, not(CONFIG_UML)), path = "address_space/x86_64.rs")]
#[cfg_attr(CONFIG_ARM64, path = "address_space/arm64.rs")]
#[cfg_attr(
    not(any(all(CONFIG_X86_64, not(CONFIG_UML)), CONFIG_ARM64)),
    path = "address_space/other.rs"
)]
mod arch;

/// The name of unassigned addresses.
pub const HOLE: &str = "hole";
/// The name of the area that maps all page frames in order.
pub const DIRECT_MAP: &str = "direct_map";
/// The name of the area between `VMALLOC_START` and `VMALLOC_END`.
pub const VMALLOC: &str = "vmalloc";

/// An area of the address space.
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
    /// Returns the area from `start` up to, but not including, `end`, or `None` if it is empty. An
    /// `end` of 0 is the end of the address space.
    fn new(name: &'static str, start: usize, end: usize) -> Option<Self> {
        let last = end.wrapping_sub(1);
        // INVARIANT: The comparison checks that `start` is not above `last`.
        (start <= last).then_some(Area { name, start, last })
    }

    /// Returns the name of the area.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the first address.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Returns the last address.
    pub fn last(&self) -> usize {
        self.last
    }

    /// Returns the number of bytes.
    pub fn size(&self) -> usize {
        // OVERFLOW: By the type invariants, `last` is not below `start`; no area is the whole
        // address space.
        (self.last - self.start).saturating_add(1)
    }

    /// Returns true if `addr` is in the area.
    pub fn contains(&self, addr: usize) -> bool {
        (self.start..=self.last).contains(&addr)
    }
}

/// Returns all areas in ascending order, with the holes between them: each address is in exactly
/// one area.
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
/// // The areas cover all addresses, and some of these are unassigned.
/// assert_eq!(next, 0);
/// assert!(address_space::areas().any(|area| area.name() == HOLE));
/// ```
pub fn areas() -> impl Iterator<Item = Area> {
    // The first address that is not yet listed.
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

/// Returns the area that contains `addr`.
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

/// Returns an address without the tag that KASAN stores in the highest byte of a pointer (arm64).
fn untagged(addr: usize) -> usize {
    if cfg!(any(CONFIG_KASAN_SW_TAGS, CONFIG_KASAN_HW_TAGS)) {
        // CAST: In all valid addresses, each bit of that byte equals the bit below the byte.
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

/// Returns the number of levels of the kernel's page tables.
///
/// # Examples
///
/// ```
/// use kalloc::mm::address_space;
///
/// assert!((2..=5).contains(&address_space::paging_levels()));
/// ```
pub fn paging_levels() -> u32 {
    // SAFETY: The helper only reads a value that is set at boot.
    unsafe { bindings::kalloc_helper_pgtable_levels() }
}

/// Returns true if kernel addresses must be hidden from the current process: it has no
/// `CAP_SYSLOG`, or `kernel.kptr_restrict` hides them from all processes.
///
/// # Context
///
/// Process context. The records of a file call
/// [`SeqFile::hides_addresses`](crate::fs::seq_file::SeqFile::hides_addresses) instead, because their
/// text may be for another process than the current one.
///
/// # Examples
///
/// ```
/// use kalloc::mm::address_space;
///
/// /// Returns the first address of the vmalloc area, if it may be shown.
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
    // SAFETY: The helper only checks the current process.
    unsafe { bindings::kalloc_helper_hides_addresses() }
}
