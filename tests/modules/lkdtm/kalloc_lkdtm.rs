// SPDX-License-Identifier: GPL-2.0-only

//! Memory for bugs.
//!
//! Safe code cannot commit the bugs. This part of the module therefore owns blocks of every family,
//! like any driver, and lends them to C code. The C code commits bugs that the kernel's sanitizers
//! must report. The name of a bug is written to `/sys/module/kalloc_lkdtm/parameters/plant`.

use core::mem::MaybeUninit;
use kalloc::{
    slab::{
        ArcObject,
        Options, //
    },
    sys::rcu_static::{
        RcuStatic,
        RcuStaticGuard, //
    }, //
    KBox,
    KmemCache,
    Mapping,
    Order,
    PageArray,
    Pages,
    VBox,
};
use kernel::{
    ffi::c_uint,
    new_mutex,
    new_spinlock,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        Arc,
        Mutex,
        SpinLock, //
    }, //
};

module! {
    type: Module,
    name: "kalloc_lkdtm",
    authors: ["The kalloc authors"],
    description: "Commits bugs on request, for the tests of kalloc",
    license: "GPL",
}

kalloc::sites! {
    Boxes: kmalloc([u8; BOX]), "planted_box";
    Objects: cache([u8; BOX]), "planted_object";
    Blocks: pages, "planted_page";
    Areas: vmalloc([u8; AREA]), "planted_area";
}

/// A size that is no size class: the bytes behind the box belong to the class.
const BOX: usize = 100;

/// A size that is no multiple of a page, for the same reason.
const AREA: usize = 5000;

/// More boxes than a CPU caches.
const BURST: usize = 200;

/// An order of pages that CPUs do not cache.
const LARGE: u32 = 5;

/// A block.
enum Held {
    Box(KBox<MaybeUninit<[u8; BOX]>, Boxes>),
    Object(ArcObject<Objects>),
    Page(Pages<Blocks, MaybeUninit<u8>>),
    Area(VBox<MaybeUninit<[u8; AREA]>, Areas>),
}

impl Held {
    fn new(family: c_uint) -> Result<Self> {
        Ok(match family {
            0 => Held::Box(KBox::new_uninit(GFP_KERNEL)?),
            1 => {
                let state = STATE.get().ok_or(ENODEV)?;
                let cache = state.cache.lock().clone().ok_or(ENOENT)?;
                Held::Object(cache.reserve_arc(GFP_KERNEL)?.write([0; BOX]))
            }
            // The page behind the block is free.
            2 => {
                let block = Pages::uninit(Order::of::<1>(), GFP_KERNEL)?;
                Held::Page(block.split_pages().next().ok_or(ENOMEM)?)
            }
            _ => Held::Area(VBox::new_uninit(GFP_KERNEL)?),
        })
    }

    fn as_ptr(&mut self) -> *mut u8 {
        match self {
            Held::Box(block) => block.as_mut_ptr().cast(),
            Held::Object(object) => object.as_mut_ptr(),
            Held::Page(page) => page.as_mut_ptr().cast(),
            Held::Area(area) => area.as_mut_ptr().cast(),
        }
    }
}

/// The blocks that C code has borrowed.
#[pin_data]
struct State {
    #[pin]
    lent: SpinLock<[Option<Held>; 64]>,
    #[pin]
    cache: Mutex<Option<Arc<KmemCache<Objects>>>>,
}

static STATE: RcuStatic<State> = RcuStatic::new();

/// Creates a cache whose objects have no usercopy region.
fn new_cache() -> Result<Arc<KmemCache<Objects>>> {
    let options = Options::new().no_usercopy();
    Ok(Arc::new(KmemCache::new(options)?, GFP_KERNEL)?)
}

/// Allocates a block, uninitialized unless it is an object. Returns NULL if the allocation fails.
#[no_mangle]
extern "C" fn planted_alloc(family: c_uint) -> *mut u8 {
    let (Some(state), Ok(mut held)) = (STATE.get(), Held::new(family)) else {
        return core::ptr::null_mut();
    };
    let block = held.as_ptr();
    let mut lent = state.lent.lock();
    let Some(slot) = lent.iter_mut().find(|slot| slot.is_none()) else {
        return core::ptr::null_mut();
    };
    *slot = Some(held);
    block
}

/// Frees a block.
#[no_mangle]
extern "C" fn planted_free(block: *mut u8) {
    let Some(state) = STATE.get() else { return };
    let mut lent = state.lent.lock();
    let held = lent
        .iter_mut()
        .find_map(|slot| slot.take_if(|held| held.as_ptr() == block));
    // No lock is held during the free, which may end the thread.
    drop(lent);
    drop(state);
    drop(held);
}

#[no_mangle]
extern "C" fn planted_size(family: c_uint) -> usize {
    match family {
        0 | 1 => BOX,
        2 => PAGE_SIZE,
        _ => AREA,
    }
}

/// Leaks a block.
#[no_mangle]
extern "C" fn planted_forget(family: c_uint) {
    core::mem::forget(Held::new(family));
}

#[no_mangle]
extern "C" fn planted_shrink() {
    let cache = STATE.get().and_then(|state| state.cache.lock().clone());
    // In atomic context, the cache is not shrunk.
    let _ = cache.map(|cache| cache.shrink());
}

/// Drops the cache and creates another one. The first cache is thereby destroyed at once, not by
/// the worker.
#[no_mangle]
extern "C" fn planted_renew() {
    let Some(state) = STATE.get() else { return };
    let old = state.cache.lock().take();
    drop(old);
    *state.cache.lock() = new_cache().ok();
}

#[no_mangle]
extern "C" fn planted_sum(a: c_uint, b: c_uint) -> c_uint {
    a + b
}

/// Allocates without waiting for memory, and frees: many boxes, or one large block of pages.
#[no_mangle]
extern "C" fn planted_brief(family: c_uint) {
    if family == 0 {
        let mut boxes = [const { None::<KBox<MaybeUninit<[u8; BOX]>, Boxes>> }; BURST];
        boxes.fill_with(|| KBox::new_uninit(GFP_NOWAIT).ok());
    } else {
        let _block = Pages::<Blocks, MaybeUninit<u8>>::uninit(Order::of::<LARGE>(), GFP_NOWAIT);
    }
}

/// Maps a page read-only and passes it to `use`.
#[no_mangle]
extern "C" fn planted_read_only(using: extern "C" fn(*mut u8)) {
    let pages = PageArray::<Blocks>::zeroed(1, GFP_KERNEL);
    if let Ok(mut pages) = pages {
        if let Ok(mapping) = Mapping::read_only(&mut pages) {
            using(mapping.as_ptr().cast_mut());
        }
    }
}

struct Module {
    _state: RcuStaticGuard<State>,
}

impl kernel::Module for Module {
    fn init(module: &'static ThisModule) -> Result<Self> {
        kalloc::register(module, SITES)?;
        let cache = new_cache()?;
        let state = Arc::pin_init(
            pin_init!(State {
                lent <- new_spinlock!([const { None }; 64]),
                cache <- new_mutex!(Some(cache)),
            }),
            GFP_KERNEL,
        )?;
        Ok(Module {
            _state: STATE.publish(state)?,
        })
    }
}
