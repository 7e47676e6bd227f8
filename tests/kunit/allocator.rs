// SPDX-License-Identifier: GPL-2.0-only

//! Zero sizes, alignments above those that sizes imply, and values with destructors. Each case is
//! the same for every allocator.

use crate::{
    Change,
    Dropped, //
};
use core::cell::Cell;
use kalloc::{
    Array,
    KVmalloc,
    Kmalloc,
    Tag,
    Vmalloc, //
};
use kernel::{
    alloc::{
        Allocator,
        Box,
        Vec, //
    },
    page::PAGE_SIZE,
    prelude::*, //
};

kalloc::sites! {
    pub(crate) Contiguous: kmalloc([u8]), "kunit_edges_kmalloc";
    pub(crate) Either: kvmalloc([u8]), "kunit_edges_kvmalloc";
    pub(crate) Mapped: vmalloc([u8]), "kunit_edges_vmalloc";
}

/// A word with the alignment of a cache line.
#[repr(align(64))]
struct Line(u64);

/// A word with the alignment of a page.
#[repr(align(4096))]
struct Page {
    word: u64,
}

/// A word with a larger alignment, in a type as large as a stack.
#[repr(align(16384))]
#[expect(dead_code)] // Only uninitialized memory has this type.
struct Pages(u64);

/// Returns whether the value has the alignment of its type.
fn is_aligned<T>(value: &T) -> bool {
    core::ptr::from_ref(value).addr() % align_of::<T>() == 0
}

/// Returns whether values without bytes take no memory.
fn nothing_is_free<A: Allocator, S: Tag>() -> Result<bool> {
    let change = Change::of::<S>();
    let unit = Box::<(), A>::new((), GFP_KERNEL)?;
    let words = Box::<[Line; 0], A>::new([], GFP_KERNEL)?;
    let aligned = is_aligned(&*unit) && is_aligned(&*words);
    let mut units = Vec::<(), A>::new();
    for _ in 0..1000 {
        units.push((), GFP_KERNEL)?;
    }
    let mut array = Array::<u64, A>::zeroed(0, GFP_KERNEL)?;
    array.resize(0, GFP_KERNEL)?;
    let empty = array.is_empty() && units.len() == 1000 && Vec::<u8, A>::new().capacity() == 0;
    drop((unit, words, units, array));
    Ok(aligned && empty && change.events() == (0, 0, 0))
}

/// Returns whether an array can be resized to zero elements and back.
fn something_of_nothing<A: Allocator, S: Tag>() -> Result<bool> {
    let change = Change::of::<S>();
    let mut array = Array::<u16, A>::zeroed(3, GFP_KERNEL)?;
    array.fill(7);
    array.resize(0, GFP_KERNEL)?;
    let gone = change.events() == (1, 1, 0) && array.is_empty();
    array.resize(5, GFP_KERNEL)?;
    Ok(gone && array[..] == [0; 5] && change.live().1 == 10)
}

/// Returns whether values have the alignment of their type, also in an array that moves.
#[inline(never)]
fn types_are_aligned<A: Allocator + 'static>() -> Result<bool> {
    let mut right = true;
    for round in 0..8 {
        let line = Box::<Line, A>::new(Line(round), GFP_KERNEL)?;
        // On the stack, such a value would take one of its four pages.
        let page = Box::<Page, A>::init(init!(Page { word: round }), GFP_KERNEL)?;
        let pages = Box::<Pages, A>::new_uninit(GFP_KERNEL)?;
        right &= is_aligned(&*line) && is_aligned(&*page) && is_aligned(&*pages);
        right &= [line.0, page.word] == [round; 2];
    }
    let mut lines = Vec::<Line, A>::new();
    for index in 0..100 {
        lines.push(Line(index), GFP_KERNEL)?;
        right &= lines.iter().all(is_aligned) && lines.iter().map(|line| line.0).eq(0..=index);
    }
    let mut pages = Vec::<Pages, A>::new();
    for room in 1..20 {
        pages.reserve(room, GFP_KERNEL)?;
        right &= pages.as_ptr().is_aligned();
    }
    Ok(right)
}

/// Returns whether each value is dropped exactly once, with its owner.
fn values_are_dropped<A: Allocator>() -> Result<bool> {
    let dropped = Cell::new(0);
    drop(Box::<_, A>::new(Dropped(&dropped), GFP_KERNEL)?);
    let boxed = dropped.replace(0) == 1;
    let mut vec = Vec::<_, A>::new();
    for _ in 0..100 {
        vec.push(Dropped(&dropped), GFP_KERNEL)?;
    }
    let moved = dropped.get() == 0;
    vec.truncate(70);
    drop(vec.pop());
    let cut = dropped.get() == 31;
    drop(vec);
    Ok(boxed && moved && cut && dropped.get() == 100)
}

/// Returns whether blocks keep their contents, to the last byte, next to other blocks.
fn contents_stay<A: Allocator, S: Tag>() -> Result<bool> {
    let change = Change::of::<S>();
    let sizes = [
        1,
        7,
        8,
        64,
        65,
        96,
        PAGE_SIZE - 1,
        PAGE_SIZE,
        PAGE_SIZE + 1,
        5 * PAGE_SIZE,
    ];
    let mut blocks = KVec::new();
    for (mark, size) in (1..).zip(sizes) {
        let mut block = Array::<u8, A>::zeroed(size, GFP_KERNEL)?;
        if block.iter().any(|&byte| byte != 0) {
            return Ok(false);
        }
        block.fill(mark);
        blocks.push(block, GFP_KERNEL)?;
    }
    let stayed = (1..)
        .zip(&blocks)
        .all(|(mark, block)| block.iter().all(|&byte| byte == mark));
    let bytes = sizes.iter().sum::<usize>() as u64;
    let counted = change.live().0 == sizes.len() as u64 && change.live().1 == bytes;
    drop(blocks);
    Ok(stayed && counted && change.live() == (0, 0, 0))
}

#[kunit_tests(kalloc_allocator)]
mod tests {
    use super::*;

    #[test]
    fn kmalloc_zero_size_and_align() -> Result {
        assert!(nothing_is_free::<Kmalloc<Contiguous>, Contiguous>()?);
        assert!(something_of_nothing::<Kmalloc<Contiguous>, Contiguous>()?);
        assert!(types_are_aligned::<Kmalloc<Contiguous>>()?);
        assert!(values_are_dropped::<Kmalloc<Contiguous>>()?);
        assert!(contents_stay::<Kmalloc<Contiguous>, Contiguous>()?);
        Ok(())
    }

    #[test]
    fn kvmalloc_zero_size_and_align() -> Result {
        assert!(nothing_is_free::<KVmalloc<Either>, Either>()?);
        assert!(something_of_nothing::<KVmalloc<Either>, Either>()?);
        assert!(types_are_aligned::<KVmalloc<Either>>()?);
        assert!(values_are_dropped::<KVmalloc<Either>>()?);
        assert!(contents_stay::<KVmalloc<Either>, Either>()?);
        Ok(())
    }

    #[test]
    fn vmalloc_zero_size_and_align() -> Result {
        assert!(nothing_is_free::<Vmalloc<Mapped>, Mapped>()?);
        assert!(something_of_nothing::<Vmalloc<Mapped>, Mapped>()?);
        assert!(types_are_aligned::<Vmalloc<Mapped>>()?);
        assert!(values_are_dropped::<Vmalloc<Mapped>>()?);
        assert!(contents_stay::<Vmalloc<Mapped>, Mapped>()?);
        Ok(())
    }
}
