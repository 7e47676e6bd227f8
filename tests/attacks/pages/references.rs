// SPDX-License-Identifier: GPL-2.0

//! References to shared pages: forgotten ones, and those that others have.

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

/// So many are forgotten: the limit itself, 2^30, takes an emulated processor minutes. What happens there
/// follows from the number alone.
const FORGOTTEN: u64 = 1 << 16;

/// References and owners are forgotten. The block is counted as freed only if no owner was.
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
    // An owner that is forgotten is one still.
    holds!(live::<Blocks>() == 1);
    Ok(())
}

/// A block is taken back for writing while there is a reference to it.
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
    // Shared once more, by the same owner.
    let shared = block.share();
    let reference = shared.reference()?;
    drop(shared);
    holds!(live::<Blocks>() == before);
    holds!(reference.iter().all(|&byte| byte == 1));
    Ok(())
}
