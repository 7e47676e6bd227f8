// SPDX-License-Identifier: GPL-2.0-only

//! Boxes while many other boxes are live.

use crate::{
    c,
    case::{
        Case,
        Side, //
    },
    held::{
        Held,
        Object,
        Objects, //
    },
    kmalloc::pairs, //
};
use kalloc::Kmalloc;

macro_rules! both {
    ($name:expr; $($live:literal)*) => {
        &[
            $(
                Case::new($name, Side::C, $live, |f, n, _| c::kmalloc(f, n, size_of::<Object>()))
                    .holding(Held::Objects($live)),
                Case::new($name, Side::Kalloc, $live, |_, n, _| pairs::<Object, Kmalloc<Objects>>(n))
                    .holding(Held::Objects($live)),
            )*
        ]
    };
}

/// The cases, by the number of live objects.
pub(crate) const CASES: &[Case] =
    both! { "pairs with live objects"; 1 10 100 1_000 10_000 100_000 1_000_000 };

/// A single scenario, to be run while another factor varies.
pub(crate) const PAIRS: &[Case] = both! { "pairs"; 0 };
