// SPDX-License-Identifier: GPL-2.0-only

//! A driver whose vectors are resized: those of the kernel crate, which are counted at link time,
//! and those of kalloc, which have sites.

#![forbid(unsafe_code)]

use kalloc::{
    alloc::vec::VecExt,
    Order,
    Pages, //
};
use kernel::{
    alloc::flags::__GFP_NOWARN,
    page::PAGE_SIZE,
    prelude::*, //
};

module! {
    type: Driver,
    name: "resized",
    authors: ["The kalloc authors"],
    description: "Vectors that are resized, for the tests of kalloc",
    license: "GPL",
}

kalloc::sites! {
    Small: kmalloc([u8]), "typed_small";
    Any: kvmalloc([u8]), "typed_any";
    Large: vmalloc([u8]), "typed_large";
    Rings: pages, "typed_ring";
}

struct Driver {
    _small: KVVec<u8>,
    _large: KVVec<u8>,
    _kept: KVec<u8>,
    _typed: (
        kalloc::KVec<u8, Small>,
        kalloc::KVVec<u8, Any>,
        kalloc::VVec<u8, Large>,
        Pages<Rings>,
    ),
}

/// Fails to grow a vector, which stays as it is.
fn refused(vec: &mut KVVec<u8>) -> Result {
    let capacity = vec.capacity();
    match vec.reserve(1 << 46, GFP_KERNEL | __GFP_NOWARN) {
        Err(_) if vec.capacity() == capacity => Ok(()),
        _ => Err(EDOM),
    }
}

fn small() -> Result<KVVec<u8>> {
    let mut vec = KVVec::with_capacity(1000, GFP_KERNEL)?;
    vec.shrink_to(100, GFP_KERNEL)?;
    refused(&mut vec)?;
    Ok(vec)
}

fn large() -> Result<KVVec<u8>> {
    let mut vec = KVVec::with_capacity(2000 * PAGE_SIZE, GFP_KERNEL)?;
    refused(&mut vec)?;
    Ok(vec)
}

/// Shrinks a block of kmalloc, which keeps all its memory.
fn kept() -> Result<KVec<u8>> {
    const LEN: usize = 64 << 10;
    let mut rest = KVec::from_elem(7u8, LEN, GFP_KERNEL)?.into_iter();
    rest.nth(LEN - 11).ok_or(EDOM)?;
    Ok(rest.collect(GFP_KERNEL))
}

/// Shrinks a vector of huge pages, which keeps them all, and grows it into them again.
fn huge() -> Result {
    const MIB: usize = 1 << 20;
    let mut rest = KVVec::from_elem(7u8, 3 * MIB, GFP_KERNEL)?.into_iter();
    rest.nth(2 * MIB - 1).ok_or(EDOM)?;
    let mut vec = rest.collect(GFP_KERNEL);
    for more in [MIB, 3 * MIB] {
        vec.reserve(more, GFP_KERNEL)?;
    }
    (vec.len() == MIB && vec.iter().all(|&byte| byte == 7))
        .then_some(())
        .ok_or(EDOM)
}

impl kernel::Module for Driver {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let mut typed = (
            kalloc::KVec::with_capacity(1000, GFP_KERNEL)?,
            kalloc::KVVec::with_capacity(1000, GFP_KERNEL)?,
            kalloc::VVec::with_capacity(2 * PAGE_SIZE, GFP_KERNEL)?,
            Pages::zeroed(Order::of::<2>(), GFP_KERNEL)?,
        );
        huge()?;
        typed.0.shrink_to(900, GFP_KERNEL)?;
        typed.1.shrink_to(900, GFP_KERNEL)?;
        typed.2.shrink_to(PAGE_SIZE, GFP_KERNEL)?;
        Ok(Driver {
            _small: small()?,
            _large: large()?,
            _kept: kept()?,
            _typed: typed,
        })
    }
}
