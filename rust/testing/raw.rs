// SPDX-License-Identifier: GPL-2.0-only

//! Owners as pointers and back, which takes `unsafe` code: part of the test modules.

use kalloc::{
    accounting::{
        family,
        site::Tag, //
    },
    alloc::arc::KmallocSite,
    page::{
        Block,
        BlockKind,
        PageSite, //
    },
    slab::{
        typesafe_by_rcu::RcuSite,
        ArcObject,
        Constructed,
        Object,
        RcuRef,
        Reset,
        SlabSite, //
    },
    Arc,
    KmemCache, //
};
use kernel::{
    page::Page,
    prelude::*,
    types::ForeignOwnable, //
};

/// Converts an owner into a pointer that C could hold, and back. Returns the owner, and whether the
/// pointer has the stated alignment.
pub(crate) fn foreign<T: ForeignOwnable + 'static>(
    owner: T,
    look: impl FnOnce(T::Borrowed<'_>),
) -> (bool, T) {
    let ptr = owner.into_foreign();
    let is_aligned = ptr.addr() % T::FOREIGN_ALIGN == 0 && T::FOREIGN_ALIGN >= 4;
    // SAFETY: The pointer comes from `into_foreign`. It is borrowed before it is given back.
    look(unsafe { T::borrow(ptr) });
    // SAFETY: The pointer comes from `into_foreign`, and is used once.
    (is_aligned, unsafe { T::from_foreign(ptr) })
}

/// Converts an `Arc` into a raw pointer and back.
pub(crate) fn arc<T: ?Sized, S: KmallocSite>(owner: Arc<T, S>) -> Arc<T, S> {
    let ptr = Arc::into_raw(owner);
    // SAFETY: The pointer comes from `into_raw`, and is used once.
    unsafe { Arc::from_raw(ptr) }
}

/// Converts an object into a raw pointer and back. Calls `between` in between.
pub(crate) fn arc_object<S: SlabSite>(owner: ArcObject<S>, between: impl FnOnce()) -> ArcObject<S> {
    let ptr = owner.into_raw();
    between();
    // SAFETY: The pointer comes from `into_raw`, and is used once.
    unsafe { ArcObject::from_raw(ptr) }
}

/// Converts an object into a raw pointer, and back through its cache.
pub(crate) fn object<'c, S: SlabSite>(
    cache: &'c KmemCache<S>,
    owner: Object<'c, S>,
) -> Object<'c, S> {
    let ptr = owner.into_raw();
    // SAFETY: The pointer comes from `into_raw` of an object of this cache, and is used once.
    unsafe { cache.from_raw(ptr) }
}

/// Converts a constructed object into a raw pointer and back.
pub(crate) fn constructed<S: Tag<Family = family::SlabCache, Object: Reset>>(
    owner: Constructed<S>,
) -> Constructed<S> {
    let ptr = owner.into_raw();
    // SAFETY: The pointer comes from `into_raw`, and is used once.
    unsafe { Constructed::from_raw(ptr) }
}

/// Converts a reference to an object into a raw pointer and back.
pub(crate) fn rcu_ref<S: RcuSite>(owner: RcuRef<S>) -> RcuRef<S> {
    let ptr = owner.into_raw();
    // SAFETY: The pointer comes from `into_raw`, and is used once.
    unsafe { RcuRef::from_raw(ptr) }
}

/// Converts a block into a raw pointer and back.
pub(crate) fn block<K: BlockKind, S: PageSite>(owner: Block<K, S>) -> Block<K, S> {
    let ptr = owner.into_raw();
    // SAFETY: The pointer comes from `into_raw` of an initialized block, and is used once.
    unsafe { Block::from_raw(ptr) }
}

/// Reads a byte of a page that nothing writes.
pub(crate) fn byte(page: &Page, offset: usize) -> Result<u8> {
    let mut byte = 0;
    // SAFETY: There is room for a byte. The tests neither map nor write the page.
    unsafe { page.read_raw(&raw mut byte, offset, 1)? };
    Ok(byte)
}
