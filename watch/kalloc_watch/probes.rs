// SPDX-License-Identifier: GPL-2.0-only

//! The probes: where the kernel allocates and frees.
//!
//! *Allocations* count if watched code calls the allocator. The tracepoints of kmalloc and of slab
//! caches contain the return address. Probes of the other allocators' returns select calls by the
//! return address.
//!
//! *Frees* count wherever they happen, if the block is in the table. Probes of `kvfree_call_rcu()`
//! and of bulk frees see the blocks that pass no tracepoint when they are freed.
//!
//! None of the probes allocates memory, takes a lock or sleeps.

use crate::{
    blocks::Kind,
    counting::{
        kinds,
        Allocation,
        Counting, //
    },
    view::View, //
};
use core::ops::Range;
use kalloc::{
    prelude::*,
    trace::{
        self,
        fprobe::{
            self,
            Call,
            Words, //
        },
        symbol,
        tracepoint::{
            self,
            Kfree,
            Kmalloc,
            KmemCacheAlloc,
            KmemCacheFree,
            MmPageFree, //
        }, //
    }, //
};
use kernel::sync::Arc;

kalloc::sites! {
    /// The registered probes of functions.
    pub(crate) Registered: kmalloc([usize]), "watch_probes";
}

const PAGE_SIZE: usize = kernel::page::PAGE_SIZE;

/// The number of elements of an array that a probe looks at. Preemption is disabled in the probe of a
/// function, and callers of the allocators choose the length of their arrays.
const ELEMENTS: usize = 4096;

/// A probe of a tracepoint.
pub(crate) struct Traced(Arc<Counting>);

// SAFETY: The probe neither allocates nor frees memory.
unsafe impl tracepoint::Probe<Kmalloc> for Traced {
    #[inline(always)]
    fn hit(&self, event: &Kmalloc) {
        // SAFETY: This is a probe, and the view is used only in this function.
        let Some(view) = (unsafe { self.0.view.get() }) else {
            return;
        };
        if view.has(event.call_site) {
            let new = Allocation {
                kind: Kind::Slab,
                size: event.requested,
                kinds: kinds::KMALLOC,
            };
            self.0.allocated(view, event.call_site, event.block, new);
        }
    }
}

// SAFETY: The probe neither allocates nor frees memory.
unsafe impl tracepoint::Probe<KmemCacheAlloc> for Traced {
    #[inline(always)]
    fn hit(&self, event: &KmemCacheAlloc) {
        // SAFETY: This is a probe, and the view is used only in this function.
        let Some(view) = (unsafe { self.0.view.get() }) else {
            return;
        };
        if view.has(event.call_site) {
            let new = Allocation {
                kind: Kind::Slab,
                size: event.size(),
                kinds: kinds::CACHE,
            };
            self.0.allocated(view, event.call_site, event.block, new);
        }
    }
}

// SAFETY: The probe neither allocates nor frees memory.
unsafe impl tracepoint::Probe<Kfree> for Traced {
    #[inline(always)]
    fn hit(&self, event: &Kfree) {
        self.0.freed(event.block, Kind::Slab, || {
            // SAFETY: This is a probe, and the view is used only in this function.
            unsafe { self.0.view.get() }.is_some_and(|view| view.has(event.call_site))
        });
    }
}

// SAFETY: The probe neither allocates nor frees memory.
unsafe impl tracepoint::Probe<KmemCacheFree> for Traced {
    #[inline(always)]
    fn hit(&self, event: &KmemCacheFree) {
        self.0.freed(event.block, Kind::Slab, || {
            // SAFETY: This is a probe, and the view is used only in this function.
            unsafe { self.0.view.get() }.is_some_and(|view| view.has(event.call_site))
        });
    }
}

// SAFETY: The probe neither allocates nor frees memory.
unsafe impl tracepoint::Probe<MmPageFree> for Traced {
    #[inline(always)]
    fn hit(&self, event: &MmPageFree) {
        // The event does not contain the caller.
        self.0.freed(event.page, Kind::Pages, || true);
    }
}

/// The size of a block, by the arguments of the allocator.
#[derive(Clone, Copy)]
enum Size {
    /// An argument is the number of bytes.
    Bytes(u32),
    /// Two arguments are the number and the size of elements.
    Product(u32, u32),
    /// An argument is the order of a page block.
    Order(u32),
    /// One page.
    Page,
}

impl Size {
    fn of(self, call: &Call<'_>) -> usize {
        match self {
            Size::Bytes(n) => call.argument(n),
            Size::Product(n, m) => call.argument(n).wrapping_mul(call.argument(m)),
            Size::Order(n) => PAGE_SIZE.wrapping_shl(call.argument(n) as u32),
            Size::Page => PAGE_SIZE,
        }
    }
}

/// The result of an allocator.
#[derive(Clone, Copy)]
enum Returned {
    /// A `struct page`.
    Page,
    /// The address of a page block.
    Pages,
    /// Memory of vmalloc.
    Vmalloc,
    /// Memory of vmalloc that kvmalloc requests, for the caller in the ninth argument.
    Kvmalloc,
    /// The block in the first argument, or a new one.
    Resized,
    /// Per-CPU memory.
    PerCpu,
    /// Success, with objects in an array.
    Objects,
    /// The number of pages in an array.
    PageArray,
}

/// A probe of allocators.
struct Allocator {
    counting: Arc<Counting>,
    size: Size,
    returned: Returned,
    /// The code of kvmalloc.
    kvmalloc: Range<usize>,
    /// The caller of functions to which a probed function jumps. The probe of that function sees the
    /// block, too, and its caller.
    trampoline: usize,
}

impl Allocator {
    /// Counts those of `count` blocks in an array that come after the elements that a probe looks at.
    fn rest(&self, view: &View, caller: usize, count: usize, new: Allocation) {
        if let Some(rest @ 1..) = count.checked_sub(ELEMENTS) {
            self.counting.lost(view, caller, rest, new);
        }
    }
}

/// The free places of an array of pages before a call that fills them.
struct Free {
    /// The first one.
    first: usize,
    /// Those from the first one on, as bits.
    bits: [usize; 4],
}

impl Free {
    /// # Safety
    ///
    /// `array` must be the address of `count` pointers.
    unsafe fn of(array: usize, count: usize) -> Self {
        let array = array as *const usize;
        // SAFETY: By the requirement of this function.
        let is_free = |nth: usize| unsafe { array.wrapping_add(nth).read() } == 0;
        let near = count.min(ELEMENTS);
        let first = (0..near)
            .find(|&nth| is_free(nth))
            .unwrap_or_else(|| Self::after_used(near, count, is_free));
        let mut free = Free {
            first,
            bits: [0; 4],
        };
        for nth in (first..count).take(Self::SEEN) {
            if is_free(nth) {
                let at = nth - first;
                if let Some(bits) = free.bits.get_mut(at / 64) {
                    *bits |= 1 << (at % 64);
                }
            }
        }
        free
    }

    /// Returns the first free place of `start..end`, where a caller that fills an array in several
    /// calls has its used places before all free ones.
    fn after_used(mut start: usize, mut end: usize, is_free: impl Fn(usize) -> bool) -> usize {
        while start < end {
            let middle = start + (end - start) / 2;
            if is_free(middle) {
                end = middle;
            } else {
                start = middle + 1;
            }
        }
        start
    }

    /// The number of places that are seen.
    const SEEN: usize = 256;

    /// Returns true if a place was free. Places after those that are seen count as free.
    fn has(&self, nth: usize) -> bool {
        nth.checked_sub(self.first).is_some_and(|at| {
            let bits = self.bits.get(at / 64);
            bits.is_none_or(|bits| bits >> (at % 64) & 1 != 0)
        })
    }
}

// SAFETY: The probe neither sleeps nor takes a lock.
unsafe impl fprobe::Probe for Allocator {
    const RETURNS: bool = true;

    fn enter(&self, call: &Call<'_>, words: &mut Words) -> bool {
        let caller = match self.returned {
            // vmalloc calls itself, for its array of pages, with the same argument.
            Returned::Kvmalloc if self.kvmalloc.contains(&call.caller()) => call.argument(8),
            Returned::Kvmalloc => return false,
            _ => call.caller(),
        };
        // SAFETY: This is a probe, and the view is used only in this function.
        let view = unsafe { self.counting.view.get() };
        if caller == self.trampoline || !view.is_some_and(|view| view.has(caller)) {
            return false;
        }
        let [to, size, array, count, rest @ ..] = words;
        *to = caller;
        *size = self.size.of(call);
        match self.returned {
            Returned::Resized => *array = call.argument(0),
            // kmem_cache_alloc_bulk(cache, flags, count, array)
            Returned::Objects => {
                (*count, *array) = (call.argument(2), call.argument(3));
                // SAFETY: The first argument of this function is a slab cache of the caller.
                *size = unsafe { trace::object_size(call.argument(0)) };
            }
            // alloc_pages_bulk(flags, node, nodes, count, array)
            Returned::PageArray => {
                // CAST: The number is an `int`.
                (*count, *array) = ((call.argument(3) as i32).max(0) as usize, call.argument(4));
                // SAFETY: The arguments are the length and the address of an array of pointers.
                let free = unsafe { Free::of(*array, *count) };
                *size = free.first;
                *rest = free.bits;
            }
            _ => {}
        }
        true
    }

    fn leave(&self, value: usize, words: &Words) {
        // SAFETY: This is a probe, and the view is used only in this function.
        let Some(view) = (unsafe { self.counting.view.get() }) else {
            return;
        };
        let &[caller, size, array, count, ref bits @ ..] = words;
        // The code of the caller may have been removed from the list meanwhile, with its sites.
        if !view.has(caller) {
            return;
        }
        let one = |address, kind, kinds| {
            let new = Allocation { kind, size, kinds };
            self.counting.allocated(view, caller, address, new);
        };
        // SAFETY: The function returned successfully, so that the array from its arguments has these
        // pointers.
        let pointer = |nth| unsafe { (array as *const usize).wrapping_add(nth).read() };
        match self.returned {
            Returned::Page => one(value, Kind::Pages, kinds::PAGES),
            Returned::Pages if value != 0 => {
                // SAFETY: The function returned the address of a page block.
                let page = unsafe { trace::page_of(value) };
                one(page, Kind::Pages, kinds::PAGES);
            }
            Returned::Vmalloc | Returned::Kvmalloc => {
                one(value, Kind::Vmalloc, kinds::VMALLOC);
            }
            Returned::Resized if value != array => {
                if trace::is_vmalloc(value) {
                    one(value, Kind::Vmalloc, kinds::VMALLOC);
                } else {
                    one(value, Kind::Slab, kinds::KMALLOC);
                }
            }
            Returned::PerCpu => one(value, Kind::PerCpu, kinds::PERCPU),
            Returned::Objects if value & trace::BULK_RESULT != 0 => {
                let new = Allocation {
                    kind: Kind::Slab,
                    size,
                    kinds: kinds::CACHE,
                };
                for nth in 0..count.min(ELEMENTS) {
                    self.counting.allocated(view, caller, pointer(nth), new);
                }
                self.rest(view, caller, count, new);
            }
            Returned::PageArray => {
                let free = Free {
                    first: size,
                    bits: *bits,
                };
                let new = Allocation {
                    kind: Kind::Pages,
                    size: PAGE_SIZE,
                    kinds: kinds::PAGES,
                };
                let count = value.min(count);
                let new_places = free.first..count.min(free.first.saturating_add(ELEMENTS));
                for nth in new_places.filter(|&nth| free.has(nth)) {
                    self.counting.allocated(view, caller, pointer(nth), new);
                }
                self.rest(view, caller, count.saturating_sub(free.first), new);
            }
            _ => {}
        }
    }
}

/// The block that a function frees.
#[derive(Clone, Copy)]
enum Freed {
    /// Memory of vmalloc, in the first argument.
    Vmalloc,
    /// Per-CPU memory, in the first argument.
    PerCpu,
    /// Memory of kmalloc, in the first argument.
    Slab,
    /// Memory of kmalloc or of vmalloc, in the second argument.
    Rcu,
    /// Objects in an array.
    Objects,
}

/// A probe of functions that free.
struct Freeing {
    counting: Arc<Counting>,
    freed: Freed,
}

// SAFETY: The probe neither sleeps nor takes a lock.
unsafe impl fprobe::Probe for Freeing {
    fn enter(&self, call: &Call<'_>, _words: &mut Words) -> bool {
        let free = |address, kind| {
            self.counting.freed(address, kind, || {
                // SAFETY: This is a probe, and the view is used only in this function.
                let view = unsafe { self.counting.view.get() };
                view.is_some_and(|view| view.has(call.caller()))
            });
        };
        match self.freed {
            Freed::Vmalloc => free(call.argument(0), Kind::Vmalloc),
            Freed::PerCpu => free(call.argument(0), Kind::PerCpu),
            Freed::Slab => free(call.argument(0), Kind::Slab),
            Freed::Rcu => {
                let address = call.argument(1);
                if trace::is_vmalloc(address) {
                    free(address, Kind::Vmalloc);
                } else {
                    free(address, Kind::Slab);
                }
            }
            // kmem_cache_free_bulk(cache, count, array)
            Freed::Objects => {
                let array = call.argument(2) as *const usize;
                for nth in 0..call.argument(1).min(ELEMENTS) {
                    // SAFETY: The arguments of this function are the length and the address of an
                    // array of pointers.
                    free(unsafe { array.wrapping_add(nth).read() }, Kind::Slab);
                }
            }
        }
        false
    }
}

/// The registered probes.
pub(crate) struct Probes {
    _allocators: Allocators,
    _kmalloc: tracepoint::Registration<Kmalloc, Traced>,
    _cache: tracepoint::Registration<KmemCacheAlloc, Traced>,
    _kfree: tracepoint::Registration<Kfree, Traced>,
    _cache_free: tracepoint::Registration<KmemCacheFree, Traced>,
    _page_free: tracepoint::Registration<MmPageFree, Traced>,
    _freeing: KVec<fprobe::Registration<Freeing>, Registered>,
    /// True if the kernel can probe functions.
    pub(crate) has_fprobes: bool,
}

/// The probes of functions that allocate, which close together: their waits for calls overlap.
struct Allocators(KVec<fprobe::Registration<Allocator>, Registered>);

impl Drop for Allocators {
    fn drop(&mut self) {
        for probe in &mut self.0 {
            probe.close();
        }
    }
}

/// The functions that allocate, with the size and the result.
const ALLOCATORS: &[(&[&CStr], Size, Returned)] = &[
    (
        &[
            c"alloc_pages_noprof",
            c"folio_alloc_noprof",
            c"__folio_alloc_noprof",
        ],
        Size::Order(1),
        Returned::Page,
    ),
    (
        &[c"alloc_pages_node_noprof"],
        Size::Order(2),
        Returned::Page,
    ),
    (&[c"get_free_pages_noprof"], Size::Order(1), Returned::Pages),
    (&[c"get_zeroed_page_noprof"], Size::Page, Returned::Pages),
    (
        &[c"alloc_pages_exact_noprof"],
        Size::Bytes(0),
        Returned::Pages,
    ),
    (
        &[
            c"vmalloc_noprof",
            c"vzalloc_noprof",
            c"__vmalloc_noprof",
            c"vmalloc_node_noprof",
            c"vzalloc_node_noprof",
            c"vmalloc_user_noprof",
            c"vmalloc_32_noprof",
            c"vmalloc_32_user_noprof",
            c"vmalloc_huge_node_noprof",
        ],
        Size::Bytes(0),
        Returned::Vmalloc,
    ),
    (
        &[
            c"vcalloc_noprof",
            c"__vcalloc_noprof",
            c"vmalloc_array_noprof",
            c"__vmalloc_array_noprof",
        ],
        Size::Product(0, 1),
        Returned::Vmalloc,
    ),
    // kvmalloc calls this function if kmalloc fails. A probe of kvmalloc's own return would replace
    // the return address that the tracepoint of kmalloc contains.
    (
        &[c"__vmalloc_node_range_noprof"],
        Size::Bytes(0),
        Returned::Kvmalloc,
    ),
    (
        &[
            c"kvrealloc_node_align_noprof",
            c"vrealloc_node_align_noprof",
        ],
        Size::Bytes(1),
        Returned::Resized,
    ),
    (&[c"pcpu_alloc_noprof"], Size::Bytes(0), Returned::PerCpu),
    (
        &[c"kmem_cache_alloc_bulk_noprof"],
        Size::Page,
        Returned::Objects,
    ),
    (
        &[c"alloc_pages_bulk_noprof"],
        Size::Page,
        Returned::PageArray,
    ),
];

/// The functions that free without a tracepoint.
const FREEING: &[(&[&CStr], Freed)] = &[
    (&[c"vfree"], Freed::Vmalloc),
    (&[c"free_percpu"], Freed::PerCpu),
    (&[c"kfree_nolock"], Freed::Slab),
    (&[c"kvfree_call_rcu", c"kfree_call_rcu_nolock"], Freed::Rcu),
    (&[c"kmem_cache_free_bulk"], Freed::Objects),
];

impl Probes {
    /// Registers the probes. Those of frees come first, so that no free is missed.
    ///
    /// # Safety
    ///
    /// The probes must be dropped before this module is unloaded.
    ///
    /// # Errors
    ///
    /// The errors of [`tracepoint::Registration::new`]. Without fprobes, only kmalloc and slab
    /// caches are counted.
    pub(crate) unsafe fn new(counting: &Arc<Counting>) -> Result<Self> {
        // GFP: Registering probes sleeps.
        let traced = Arc::new(Traced(counting.clone()), GFP_KERNEL)?;
        let mut freeing = KVec::new();
        let mut has_fprobes = true;
        for &(names, freed) in FREEING {
            let probe = Freeing {
                counting: counting.clone(),
                freed,
            };
            // SAFETY: By the requirement of this function.
            match unsafe { fprobe::Registration::new(Arc::new(probe, GFP_KERNEL)?, names) } {
                Ok(registration) => freeing.push(registration, GFP_KERNEL)?,
                Err(error) if trace::is_unsupported(error) => has_fprobes = false,
                Err(error) if error == ENOENT => {}
                Err(error) => return Err(error),
            }
        }
        // SAFETY: By the requirement of this function, also for the following registrations.
        let page_free = unsafe { tracepoint::Registration::new(traced.clone())? };
        // SAFETY: As above.
        let cache_free = unsafe { tracepoint::Registration::new(traced.clone())? };
        // SAFETY: As above.
        let kfree = unsafe { tracepoint::Registration::new(traced.clone())? };
        let mut allocators = Allocators(KVec::new());
        let kvmalloc = match symbol::function(c"__kvmalloc_node_noprof") {
            Ok(function) => function,
            Err(error) if error == ENOMEM => return Err(error),
            Err(_) => 0..0,
        };
        let trampoline = fprobe::trampoline().unwrap_or(0);
        for &(names, size, returned) in ALLOCATORS {
            let probe = Allocator {
                counting: counting.clone(),
                size,
                returned,
                kvmalloc: kvmalloc.clone(),
                trampoline,
            };
            // SAFETY: As above.
            match unsafe { fprobe::Registration::new(Arc::new(probe, GFP_KERNEL)?, names) } {
                Ok(registration) => allocators.0.push(registration, GFP_KERNEL)?,
                Err(error) if trace::is_unsupported(error) => has_fprobes = false,
                Err(error) if error == ENOENT => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Probes {
            _allocators: allocators,
            // SAFETY: As above.
            _cache: unsafe { tracepoint::Registration::new(traced.clone())? },
            // SAFETY: As above.
            _kmalloc: unsafe { tracepoint::Registration::new(traced)? },
            _kfree: kfree,
            _cache_free: cache_free,
            _page_free: page_free,
            _freeing: freeing,
            has_fprobes,
        })
    }
}
