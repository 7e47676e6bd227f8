// SPDX-License-Identifier: GPL-2.0-only

//! References to shared pages: forgotten references, and references of other owners.

use super::Blocks;
use crate::attack::{
    live,
    Attacker, //
};
use core::mem::forget;
use kalloc::{
    CompoundPages,
    Order, //
};
use kernel::prelude::*;

/// The number of forgotten references. The limit itself, 2^30, takes minutes on an emulated CPU.
/// The behavior there follows from the number alone.
const FORGOTTEN: u64 = 1 << 16;

/// Forgets references and owners. The block must be counted as freed only if no owner was
/// forgotten.
pub(super) fn forgotten(_: &Attacker) -> Result {
    let shared = CompoundPages::<Blocks>::zeroed(Order::of::<1>(), GFP_KERNEL)?.share();
    for _ in 0..FORGOTTEN {
        forget(shared.reference()?);
    }
    let shared = match shared.try_into_unique() {
        Ok(_) => return Err(EINVAL),
        Err(shared) => shared,
    };
    let other = shared.clone();
    drop(shared);
    holds!(live::<Blocks>() == 1);
    drop(other);
    holds!(live::<Blocks>() == 0);

    let shared = CompoundPages::<Blocks>::zeroed(Order::ZERO, GFP_KERNEL)?.share();
    for _ in 0..FORGOTTEN {
        forget(shared.clone());
    }
    drop(shared);
    // A forgotten owner still counts as an owner.
    holds!(live::<Blocks>() == 1);
    Ok(())
}

/// Takes a block back for writing while a reference to it exists.
pub(super) fn unique(_: &Attacker) -> Result {
    let before = live::<Blocks>();
    let shared = CompoundPages::<Blocks>::zeroed(Order::of::<1>(), GFP_KERNEL)?.share();
    let reference = shared.reference()?;
    let Err(shared) = shared.try_into_unique() else {
        holds!(false);
        return Ok(());
    };
    let other = shared.clone();
    let Err(shared) = shared.try_into_unique() else {
        holds!(false);
        return Ok(());
    };
    drop(other);
    drop(reference);
    let Ok(mut block) = shared.try_into_unique() else {
        holds!(false);
        return Ok(());
    };
    block.fill(1);
    // The same owner shares the block once more.
    let shared = block.share();
    let reference = shared.reference()?;
    drop(shared);
    holds!(live::<Blocks>() == before);
    holds!(reference.iter().all(|&byte| byte == 1));
    Ok(())
}
