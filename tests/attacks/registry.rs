// SPDX-License-Identifier: GPL-2.0-only

//! Attacks on the list of sites and on its output: unusual names, overlapping registrations, and
//! extreme figures.

use crate::attack::Attack;

mod exits;
mod figures;
pub(crate) mod odd;
mod rounds;

pub(crate) use self::odd::SITES;

pub(crate) const ATTACKS: &[Attack] = &[
    ("overlapping_registrations", rounds::overlapping),
    ("nested_registration", rounds::nested),
    ("late_registration", rounds::late),
    ("figures_that_do_not_fit", figures::extreme),
    ("odd_sites", odd::allocate),
    ("caches_at_exit", exits::caches),
];
