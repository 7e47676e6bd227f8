// SPDX-License-Identifier: GPL-2.0-only

//! Page frames, zones and slabs of blocks, and the free memory of the page allocator.
//!
//! A function that takes a block borrows it: the block is neither moved nor freed during the call.
//!
//! | C | Rust |
//! |---|---|
//! | `virt_to_page`, `vmalloc_to_page`, `page_to_pfn` | [`pfn_of`], [`pfns`] |
//! | `is_vmalloc_addr` | [`is_vmalloc`] |
//! | `lookup_address`, `pte_write`; `AT S1E1W` on arm64 | [`is_writable`] |
//! | `page_zone` | [`zone_of`], [`zone_of_page`] |
//! | `folio_test_slab` | [`is_slab`] |
//! | `ksize` | [`kmalloc::block_size`](crate::alloc::kmalloc::block_size) |
//!
//! # Context
//!
//! Any.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use crate::sys::{
    bindings,
    gfp::Gfp, //
};
use kernel::{
    ffi::c_int,
    fs::File,
    page::{
        Page,
        PAGE_SIZE, //
    },
    prelude::*,
    str::CStr, //
};

/// Returns the page of the byte at `offset` of a block in the direct map or the vmalloc area.
fn page_of(block: &[u8], offset: usize) -> Result<*mut bindings::page> {
    let addr = core::ptr::from_ref(block.get(offset).ok_or(EINVAL)?).cast();
    // SAFETY: The address checks accept any address. A vmalloc address is in a block that is
    // borrowed, and therefore stays mapped. A valid address of the direct map has a page.
    let page = unsafe {
        if bindings::is_vmalloc_addr(addr) {
            bindings::vmalloc_to_page(addr)
        } else if bindings::kalloc_helper_virt_addr_valid(addr) {
            bindings::kalloc_helper_virt_to_page(addr)
        } else {
            core::ptr::null_mut()
        }
    };
    (!page.is_null()).then_some(page).ok_or(EINVAL)
}

/// Returns true if the process that opened `file` may see page frame numbers: it had
/// `CAP_SYS_ADMIN`, as `/proc/PID/pagemap` requires.
///
/// # Examples
///
/// ```no_run
/// use kernel::fs::File;
///
/// /// Returns the page frame number for a driver's file, or 0 if it is hidden, as pagemap does.
/// fn shown(file: &File, pfn: usize) -> usize {
///     if kalloc::mm::page_info::shows_frames(file) {
///         pfn
///     } else {
///         0
///     }
/// }
/// ```
pub fn shows_frames(file: &File) -> bool {
    // SAFETY: The reference keeps the file open.
    unsafe { bindings::kalloc_helper_shows_frames(file.as_ptr()) }
}

/// Returns the page frame number of the byte at `offset` of a block.
///
/// # Errors
///
/// [`EINVAL`] if `offset` is outside of the block, or the block is neither in the direct map nor in
/// the vmalloc area.
///
/// # Examples
///
/// ```
/// use kalloc::{mm::page_info, Array, Kmalloc};
/// use kernel::page::PAGE_SIZE;
///
/// kalloc::sites! {
///     Blocks: kmalloc([u8]), "doc_pfn_of";
/// }
///
/// let block = Array::<u8, Kmalloc<Blocks>>::zeroed(2 * PAGE_SIZE, GFP_KERNEL)?;
/// assert_eq!(
///     page_info::pfn_of(&block, PAGE_SIZE)?,
///     page_info::pfn_of(&block, 0)? + 1
/// );
/// # Ok::<(), Error>(())
/// ```
pub fn pfn_of(block: &[u8], offset: usize) -> Result<usize> {
    let page = page_of(block, offset)?;
    // SAFETY: The page is live, because `block` is borrowed.
    Ok(unsafe { bindings::kalloc_helper_page_to_pfn(page) } as usize)
}

/// Returns an iterator over the page frame numbers of a block.
///
/// # Errors
///
/// The errors of [`pfn_of`] for the first byte.
///
/// # Examples
///
/// ```
/// use kalloc::{mm::page_info, Array, Vmalloc};
/// use kernel::page::PAGE_SIZE;
///
/// kalloc::sites! {
///     Logs: vmalloc([u8]), "doc_pfns";
/// }
///
/// let log = Array::<u8, Vmalloc<Logs>>::zeroed(4 * PAGE_SIZE, GFP_KERNEL)?;
/// assert_eq!(page_info::pfns(&log)?.count(), 4);
/// # Ok::<(), Error>(())
/// ```
pub fn pfns(block: &[u8]) -> Result<impl Iterator<Item = usize> + use<'_>> {
    let start = block.as_ptr().addr();
    if !block.is_empty() {
        pfn_of(block, 0)?;
    }
    let first = start / PAGE_SIZE;
    let last = (start + block.len()).div_ceil(PAGE_SIZE);
    Ok((first..last).map_while(move |page| {
        let offset = (page * PAGE_SIZE).saturating_sub(start);
        pfn_of(block, offset).ok()
    }))
}

/// Returns true if the block's first byte is in the vmalloc area.
///
/// # Examples
///
/// ```
/// use kalloc::{mm::page_info, Array, KVmalloc};
///
/// kalloc::sites! {
///     Tables: kvmalloc([u8]), "doc_is_vmalloc";
/// }
///
/// let small = Array::<u8, KVmalloc<Tables>>::zeroed(100, GFP_KERNEL)?;
/// let large = Array::<u8, KVmalloc<Tables>>::zeroed(8 << 20, GFP_KERNEL)?;
/// assert!(!page_info::is_vmalloc(&small) && page_info::is_vmalloc(&large));
/// # Ok::<(), Error>(())
/// ```
pub fn is_vmalloc(block: &[u8]) -> bool {
    block.first().is_some_and(|byte| {
        // SAFETY: The function accepts any address.
        unsafe { bindings::is_vmalloc_addr(core::ptr::from_ref(byte).cast()) }
    })
}

/// Returns true if the page table allows the kernel to write the byte at `offset` of a block,
/// through the block's address.
///
/// # Errors
///
/// - [`EINVAL`] if `offset` is outside of the block.
/// - `EOPNOTSUPP` if the architecture provides no such check.
///
/// # Examples
///
/// ```
/// use kalloc::{mm::page_info, Mapping, PageArray};
///
/// kalloc::sites! {
///     Buffers: pages, "doc_is_writable";
/// }
///
/// let mut buffer = PageArray::<Buffers>::zeroed(1, GFP_KERNEL)?;
/// assert!(page_info::is_writable(&Mapping::new(&mut buffer)?, 0)?);
/// assert!(!page_info::is_writable(
///     &Mapping::read_only(&mut buffer)?,
///     0
/// )?);
/// # Ok::<(), Error>(())
/// ```
pub fn is_writable(block: &[u8], offset: usize) -> Result<bool> {
    let byte = core::ptr::from_ref(block.get(offset).ok_or(EINVAL)?);
    // SAFETY: The helper accepts any address. The block is mapped, and stays so while it is
    // borrowed.
    match unsafe { bindings::kalloc_helper_is_writable(byte.cast()) } {
        0 => Ok(false),
        1 => Ok(true),
        // CAST: Error numbers are small. Linux 7.2 provides this one only as a number.
        _ => Err(Error::from_errno(-(bindings::EOPNOTSUPP as c_int))),
    }
}

/// Returns the name of the zone of the byte at `offset` of a block, as in `/proc/zoneinfo`.
///
/// # Errors
///
/// The errors of [`pfn_of`].
///
/// # Examples
///
/// ```
/// use kalloc::{mm::page_info, Array, Kmalloc};
///
/// kalloc::sites! {
///     Blocks: kmalloc([u8]), "doc_zone_of";
/// }
///
/// let block = Array::<u8, Kmalloc<Blocks>>::zeroed(100, GFP_KERNEL)?;
/// assert!([c"DMA", c"DMA32", c"Normal"].contains(&page_info::zone_of(&block, 0)?));
/// // The block has no such byte.
/// assert_eq!(page_info::zone_of(&block, 100), Err(EINVAL));
/// # Ok::<(), Error>(())
/// ```
pub fn zone_of(block: &[u8], offset: usize) -> Result<&'static CStr> {
    let page = page_of(block, offset)?;
    // SAFETY: The page is live, because `block` is borrowed.
    Ok(unsafe { zone_name(page) })
}

/// Returns the name of the zone of `page`, which need not be mapped.
///
/// # Examples
///
/// ```
/// use kalloc::mm::page_info;
/// use kernel::page::Page;
///
/// let page = Page::alloc_page(GFP_KERNEL)?;
/// assert!([c"DMA", c"DMA32", c"Normal"].contains(&page_info::zone_of_page(&page)));
/// # Ok::<(), Error>(())
/// ```
pub fn zone_of_page(page: &Page) -> &'static CStr {
    // SAFETY: The page is live, because it is borrowed.
    unsafe { zone_name(page.as_ptr()) }
}

/// Returns the name of the zone of a page.
///
/// # Safety
///
/// `page` must be a live page.
unsafe fn zone_name(page: *const bindings::page) -> &'static CStr {
    // SAFETY: By the requirement of this function, the page is live. The names are string literals
    // of the kernel.
    unsafe { CStr::from_char_ptr(bindings::kalloc_helper_zone_name(page)) }
}

/// Returns true if the block's first page belongs to the slab allocator.
///
/// Returns false for a vmalloc block.
///
/// # Errors
///
/// The errors of [`pfn_of`].
///
/// # Examples
///
/// ```
/// use kalloc::{mm::page_info, Array, Kmalloc, Vmalloc};
///
/// kalloc::sites! {
///     Small: kmalloc([u8]), "doc_is_slab_small";
///     Large: vmalloc([u8]), "doc_is_slab_large";
/// }
///
/// let small = Array::<u8, Kmalloc<Small>>::zeroed(100, GFP_KERNEL)?;
/// let large = Array::<u8, Vmalloc<Large>>::zeroed(1 << 20, GFP_KERNEL)?;
/// assert!(!page_info::is_slab(&large)?);
/// // A small block is in a slab, unless KFENCE guards it.
/// pr_info!("small blocks in slabs: {}\n", page_info::is_slab(&small)?);
/// # Ok::<(), Error>(())
/// ```
pub fn is_slab(block: &[u8]) -> Result<bool> {
    page_of(block, 0)?;
    let addr = block.as_ptr().cast();
    // SAFETY: `is_vmalloc_addr` accepts any address. `page_of` has found any other address in the
    // direct map.
    Ok(unsafe { !bindings::is_vmalloc_addr(addr) && bindings::kalloc_helper_is_slab(addr) })
}

/// Returns the number of mapped bytes from the start of a vmalloc block to the end of its last
/// page. It may exceed the size of the block.
///
/// Later mapped pages are not counted: a block without a guard page is followed by another block.
///
/// # Errors
///
/// [`EINVAL`] if the block is not in the vmalloc area, or is empty.
///
/// # Examples
///
/// ```
/// use kalloc::{mm::page_info, Array, Vmalloc};
/// use kernel::page::PAGE_SIZE;
///
/// kalloc::sites! {
///     Blocks: vmalloc([u8]), "doc_mapped";
/// }
///
/// let block = Array::<u8, Vmalloc<Blocks>>::zeroed(PAGE_SIZE + 1, GFP_KERNEL)?;
/// assert_eq!(page_info::mapped(&block)?, 2 * PAGE_SIZE);
/// // The first page does not include the second one.
/// let first = block.get(..PAGE_SIZE).ok_or(EINVAL)?;
/// assert_eq!(page_info::mapped(first)?, PAGE_SIZE);
/// # Ok::<(), Error>(())
/// ```
pub fn mapped(block: &[u8]) -> Result<usize> {
    let start = block.first().ok_or(EINVAL).map(core::ptr::from_ref)?;
    // SAFETY: The function accepts any address.
    if !unsafe { bindings::is_vmalloc_addr(start.cast()) } {
        return Err(EINVAL);
    }
    let offset = start.addr() % PAGE_SIZE;
    // OVERFLOW: The block and its last page end within the vmalloc area.
    let end = (offset + block.len()).next_multiple_of(PAGE_SIZE) - offset;
    let mut bytes = 0;
    while bytes < end {
        // SAFETY: The address is in a page of the block, which is borrowed and therefore stays
        // mapped.
        if unsafe { bindings::vmalloc_to_page(start.wrapping_add(bytes).cast()) }.is_null() {
            break;
        }
        // Advance to the start of the next page.
        bytes += PAGE_SIZE - (offset + bytes) % PAGE_SIZE;
    }
    Ok(bytes)
}

/// Returns the approximate number of free bytes in all zones.
///
/// # Examples
///
/// ```
/// use kalloc::{alloc::vmalloc, mm::page_info};
///
/// // The free memory is a part of the total memory.
/// assert!((1..vmalloc::max_size()).contains(&page_info::free()));
/// ```
pub fn free() -> usize {
    // SAFETY: The helper only reads counters.
    let pages = unsafe { bindings::kalloc_helper_nr_free_pages() } as usize;
    pages.saturating_mul(PAGE_SIZE)
}

/// Returns true if memory allocated with these flags is zeroed: the flags request it, or the kernel
/// always zeroes memory (`init_on_alloc=1`).
///
/// # Examples
///
/// ```
/// use kalloc::mm::page_info;
///
/// assert!(page_info::comes_zeroed(GFP_KERNEL | __GFP_ZERO));
/// ```
pub fn comes_zeroed(gfp: impl Into<Gfp>) -> bool {
    // SAFETY: The helper only reads a setting.
    unsafe { bindings::kalloc_helper_want_init_on_alloc(gfp.into().as_raw()) }
}

/// Returns true if the caller may be preempted.
///
/// A kernel without `CONFIG_PREEMPT_COUNT` always returns false. A kernel with `CONFIG_PREEMPT_RT`
/// returns true under spinlocks as well.
///
/// # Examples
///
/// ```
/// use kalloc::mm::page_info;
/// use kernel::{new_spinlock, sync::Arc};
///
/// let queue = Arc::pin_init(new_spinlock!(0), GFP_KERNEL)?;
/// let guard = queue.lock();
/// assert_eq!(page_info::preemptible(), cfg!(CONFIG_PREEMPT_RT));
/// drop(guard);
/// # Ok::<(), Error>(())
/// ```
pub fn preemptible() -> bool {
    // SAFETY: The helper only reads the state of this CPU.
    unsafe { bindings::kalloc_helper_preemptible() }
}
