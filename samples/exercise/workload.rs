// SPDX-License-Identifier: GPL-2.0-only

//! The workloads, one for each wrapper.
//!
//! Each workload allocates blocks, writes and checks them, and frees them again, with a window of
//! live blocks. Then it allocates the blocks to keep.

#![deny(unsafe_code)]

use super::command::Plan;
use kalloc::{
    slab::{
        ArcObject,
        Options, //
    }, //
    Array,
    FreePages,
    KBox,
    KVec as CountedVec,
    KVmalloc,
    Kmalloc,
    KmemCache,
    Mapping,
    Order,
    PageArray,
    Pages,
    Site,
    Tag,
    VBox,
    Vmalloc,
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc, //
};

/// The object of the workloads with a fixed size.
pub(crate) struct Payload {
    index: usize,
    _body: [u64; 7],
}

impl Payload {
    fn new(index: usize) -> Self {
        Payload {
            index,
            _body: [index as u64; 7],
        }
    }
}

/// The type of the vmalloc workload, of three pages.
type Large = [u64; LARGE_WORDS];
const LARGE_WORDS: usize = 3 * PAGE_SIZE / 8;

kalloc::sites! {
    /// The blocks of `KBox`: kmalloc of a type.
    pub(crate) Boxes: kmalloc(Payload), "exercise_kbox";
    /// The blocks of `KVec`: kmalloc that grows.
    pub(crate) Vecs: kmalloc([u64]), "exercise_kvec";
    /// The blocks of `Array` in kmalloc memory.
    pub(crate) Arrays: kmalloc([u8]), "exercise_karray";
    /// The blocks of `Array` in kvmalloc memory.
    pub(crate) KvArrays: kvmalloc([u8]), "exercise_kvarray";
    /// The objects of `KmemCache`, a slab cache.
    pub(crate) Objects: cache(Payload), "exercise_cache";
    /// The blocks of `Pages`: page blocks by `struct page`.
    pub(crate) PageBlocks: pages, "exercise_pages";
    /// The blocks of `FreePages`: page blocks by address.
    pub(crate) FreeBlocks: pages, "exercise_fpages";
    /// The pages of `PageArray`: single pages in bulk, mapped contiguously.
    pub(crate) Mapped: pages, "exercise_vmap";
    /// The blocks of `VBox`: vmalloc of a type.
    pub(crate) Larges: vmalloc(Large), "exercise_vbox";
    /// The blocks of `Array` in vmalloc memory.
    pub(crate) VArrays: vmalloc([u8]), "exercise_varray";
}

/// The blocks that are left live.
pub(crate) struct Kept {
    boxes: KVec<KBox<Payload, Boxes>>,
    vecs: KVec<CountedVec<u64, Vecs>>,
    arrays: KVec<Array<u8, Kmalloc<Arrays>>>,
    kv_arrays: KVec<Array<u8, KVmalloc<KvArrays>>>,
    objects: KVec<ArcObject<Objects>>,
    cache: Arc<KmemCache<Objects>>,
    pages: KVec<Pages<PageBlocks>>,
    free_pages: KVec<FreePages<FreeBlocks>>,
    mapped: KVec<PageArray<Mapped>>,
    larges: KVec<VBox<Large, Larges>>,
    v_arrays: KVec<Array<u8, Vmalloc<VArrays>>>,
}

impl Kept {
    /// Returns a value without blocks, but with a cache.
    pub(crate) fn new() -> Result<Self> {
        Ok(Kept {
            boxes: KVec::new(),
            vecs: KVec::new(),
            arrays: KVec::new(),
            kv_arrays: KVec::new(),
            objects: KVec::new(),
            cache: Arc::new(KmemCache::new(Options::new().hwcache_align())?, GFP_KERNEL)?,
            pages: KVec::new(),
            free_pages: KVec::new(),
            mapped: KVec::new(),
            larges: KVec::new(),
            v_arrays: KVec::new(),
        })
    }

    /// Frees all blocks, and makes the cache return its slabs.
    pub(crate) fn clear(&mut self) {
        self.boxes.clear();
        self.vecs.clear();
        self.arrays.clear();
        self.kv_arrays.clear();
        self.objects.clear();
        self.pages.clear();
        self.free_pages.clear();
        self.mapped.clear();
        self.larges.clear();
        self.v_arrays.clear();
        // The call succeeds, because a command may sleep.
        let _ = self.cache.shrink();
    }
}

/// A workload.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) site: fn() -> &'static Site,
    /// The number of blocks that the site counts for each kept block of the workload.
    pub(crate) blocks: fn(&Plan) -> usize,
    pub(crate) run: fn(&Plan, &mut Kept) -> Result,
}

/// All workloads, in the order of the module parameter's bits.
pub(crate) const ALL: &[Workload] = &[
    Workload {
        name: "kbox",
        about: "kmalloc of a type, kfree",
        site: Boxes::site,
        blocks: |_| 1,
        run: kbox,
    },
    Workload {
        name: "kvec",
        about: "kmalloc, grown by krealloc",
        site: Vecs::site,
        blocks: |_| 1,
        run: kvec,
    },
    Workload {
        name: "karray",
        about: "kcalloc, krealloc both ways",
        site: Arrays::site,
        blocks: |_| 1,
        run: karray,
    },
    Workload {
        name: "kvarray",
        about: "kvcalloc, kvrealloc both ways",
        site: KvArrays::site,
        blocks: |_| 1,
        run: kvarray,
    },
    Workload {
        name: "cache",
        about: "kmem_cache_alloc, _alloc_bulk, _free_bulk, _free",
        site: Objects::site,
        blocks: |_| 1,
        run: cache,
    },
    Workload {
        name: "pages",
        about: "alloc_pages, __free_pages",
        site: PageBlocks::site,
        blocks: |_| 1,
        run: pages,
    },
    Workload {
        name: "fpages",
        about: "__get_free_pages, free_pages",
        site: FreeBlocks::site,
        blocks: |_| 1,
        run: free_pages,
    },
    Workload {
        name: "vmap",
        about: "alloc_pages_bulk, vmap, vunmap",
        site: Mapped::site,
        blocks: pages_of,
        run: vmap,
    },
    Workload {
        name: "vbox",
        about: "vmalloc of a type, vfree",
        site: Larges::site,
        blocks: |_| 1,
        run: vbox,
    },
    Workload {
        name: "varray",
        about: "vzalloc, vrealloc both ways",
        site: VArrays::site,
        blocks: |_| 1,
        run: varray,
    },
];

/// Returns the workloads of a name: one workload, or all for `all`.
pub(crate) fn by_name(name: &str) -> Option<&'static [Workload]> {
    if name == "all" {
        return Some(ALL);
    }
    let at = ALL.iter().position(|w| w.name == name)?;
    ALL.get(at..=at)
}

/// Checks the contents of a block.
fn check(holds: bool) -> Result {
    holds.then_some(()).ok_or(EIO)
}

/// Allocates and frees `plan.count` blocks of about `size` bytes, then keeps `plan.keep` more.
///
/// `make` gets the index of each block, and must check the new block. `verify` checks it again when
/// the whole window is live.
fn churn<T>(
    plan: &Plan,
    size: usize,
    kept: &mut KVec<T>,
    make: impl Fn(usize) -> Result<T>,
    verify: impl Fn(usize, &T) -> Result,
) -> Result {
    let window = plan.window(size);
    let mut live = KVec::with_capacity(window, GFP_KERNEL)?;
    let mut done = 0;
    while done < plan.count {
        for index in done..plan.count.min(done + window) {
            plan.should_continue()?;
            live.push(make(index)?, GFP_KERNEL)?;
        }
        for (offset, block) in live.iter().enumerate() {
            verify(done + offset, block)?;
        }
        done += live.len();
        live.clear();
    }
    // The blocks that were kept before are freed, so that repeated commands do not accumulate
    // memory.
    kept.clear();
    plan.may_keep(size)?;
    let result = (0..plan.keep).try_for_each(|index| {
        plan.should_continue()?;
        Ok(kept.push(make(index)?, GFP_KERNEL)?)
    });
    // All blocks are kept, or none.
    if result.is_err() {
        kept.clear();
    }
    result
}

/// Marks both ends of a block with its index.
fn mark(bytes: &mut [u8], index: usize) {
    if let Some(first) = bytes.first_mut() {
        *first = index as u8;
    }
    if let Some(last) = bytes.last_mut() {
        *last = index as u8;
    }
}

/// Checks the marks at both ends of a block.
fn marked(bytes: &[u8], index: usize) -> Result {
    check(bytes.first() == Some(&(index as u8)) && bytes.last() == Some(&(index as u8)))
}

fn kbox(plan: &Plan, kept: &mut Kept) -> Result {
    churn(
        plan,
        size_of::<Payload>(),
        &mut kept.boxes,
        |index| Ok(KBox::new(Payload::new(index), GFP_KERNEL)?),
        |index, block| check(block.index == index),
    )
}

fn kvec(plan: &Plan, kept: &mut Kept) -> Result {
    let words = plan.size.div_ceil(8);
    churn(
        plan,
        plan.size,
        &mut kept.vecs,
        |index| {
            let mut vec = CountedVec::new();
            for word in 0..words {
                vec.push((index + word) as u64, GFP_KERNEL)?;
            }
            Ok(vec)
        },
        |index, vec| check(vec.last() == Some(&((index + words - 1) as u64))),
    )
}

/// Allocates an array of half the size, grows it to twice the size, and shrinks it to the size.
fn array<A: kernel::alloc::Allocator>(plan: &Plan, index: usize) -> Result<Array<u8, A>> {
    let mut array = Array::zeroed(plan.size.div_ceil(2), GFP_KERNEL)?;
    check(array.iter().all(|&byte| byte == 0))?;
    mark(&mut array, index);
    array.resize(
        plan.size
            .saturating_mul(2)
            .min(kalloc::alloc::kmalloc::MAX_SIZE),
        GFP_KERNEL,
    )?;
    check(array.first() == Some(&(index as u8)))?;
    array.resize(plan.size, GFP_KERNEL)?;
    mark(&mut array, index);
    Ok(array)
}

fn karray(plan: &Plan, kept: &mut Kept) -> Result {
    let verify = |index, array: &Array<_, _>| marked(array, index);
    churn(
        plan,
        plan.size,
        &mut kept.arrays,
        |i| array(plan, i),
        verify,
    )
}

fn kvarray(plan: &Plan, kept: &mut Kept) -> Result {
    let verify = |index, array: &Array<_, _>| marked(array, index);
    churn(
        plan,
        plan.size,
        &mut kept.kv_arrays,
        |i| array(plan, i),
        verify,
    )
}

fn varray(plan: &Plan, kept: &mut Kept) -> Result {
    let verify = |index, array: &Array<_, _>| marked(array, index);
    let size = plan.size.next_multiple_of(PAGE_SIZE);
    churn(plan, size, &mut kept.v_arrays, |i| array(plan, i), verify)
}

fn cache(plan: &Plan, kept: &mut Kept) -> Result {
    let cache = kept.cache.clone();

    // All blocks come from a batch once: bulk calls fill it, and free its remaining slots.
    let mut batch = cache.batch::<32>();
    for index in 0..plan.count {
        plan.should_continue()?;
        batch.fill(GFP_KERNEL)?;
        let object = batch.pop().ok_or(EIO)?.write(Payload::new(index));
        check(object.index == index)?;
        // Some objects are freed separately; the memory of the others stays in the batch.
        if index % 4 == 0 {
            drop(object);
        } else {
            batch.put(object);
        }
    }
    drop(batch);

    churn(
        plan,
        size_of::<Payload>(),
        &mut kept.objects,
        |index| Ok(cache.reserve_arc(GFP_KERNEL)?.write(Payload::new(index))),
        |index, object| check(object.index == index),
    )
}

fn pages(plan: &Plan, kept: &mut Kept) -> Result {
    let order = Order::for_bytes(plan.size)?;
    churn(
        plan,
        order.bytes(),
        &mut kept.pages,
        |index| {
            let mut block = Pages::zeroed(order, GFP_KERNEL)?;
            check(block.iter().all(|&byte| byte == 0))?;
            mark(&mut block, index);
            Ok(block)
        },
        |index, block| marked(block, index),
    )
}

fn free_pages(plan: &Plan, kept: &mut Kept) -> Result {
    let order = Order::for_bytes(plan.size)?;
    churn(
        plan,
        order.bytes(),
        &mut kept.free_pages,
        |index| Ok(FreePages::uninit(order, GFP_KERNEL)?.fill(index as u8)),
        |index, block| marked(block, index),
    )
}

/// Returns the number of pages of a block of the plan's size.
fn pages_of(plan: &Plan) -> usize {
    plan.size.div_ceil(PAGE_SIZE)
}

fn vmap(plan: &Plan, kept: &mut Kept) -> Result {
    let len = pages_of(plan);
    churn(
        plan,
        len * PAGE_SIZE,
        &mut kept.mapped,
        |index| {
            let mut pages = PageArray::zeroed(len, GFP_KERNEL)?;
            let mut mapping = Mapping::new(&mut pages)?;
            check(mapping.iter().all(|&byte| byte == 0))?;
            mark(&mut mapping, index);
            marked(&mapping, index)?;
            drop(mapping);
            Ok(pages)
        },
        |_, pages| check(pages.len() == len),
    )
}

fn vbox(plan: &Plan, kept: &mut Kept) -> Result {
    churn(
        plan,
        size_of::<Large>(),
        &mut kept.larges,
        |index| {
            let mut block = VBox::<Large, Larges>::zeroed(GFP_KERNEL)?;
            check(block.iter().all(|&word| word == 0))?;
            block[index % LARGE_WORDS] = index as u64;
            Ok(block)
        },
        |index, block| check(block[index % LARGE_WORDS] == index as u64),
    )
}
