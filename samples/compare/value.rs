// SPDX-License-Identifier: GPL-2.0

//! What is measured, what is claimed, and whether the one bears out the other.

#![deny(unsafe_code)]

use core::fmt::{
    self,
    Write, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// A fact, measured or claimed. Shown as one word.
pub(crate) enum Value {
    /// Whether something is so.
    Flag(bool),
    /// It was not tried, since the kernel forbids it.
    Forbidden,
    /// It could not be found out this time: the memory for it is not free, or what was seen may be
    /// chance.
    Unknown,
    /// A number of bytes.
    Bytes(usize),
    /// As many bytes were had; more were not tried.
    Reached(usize),
    /// A plain number.
    Count(u64),
    /// How much of something else it is, in tenths.
    Tenths(u64),
    /// A claim: more than the other.
    More,
    /// Sizes, in ascending order.
    Sizes(KVec<usize>),
    /// Sizes are the multiples of the page.
    Page,
    /// Sizes are powers of two, but for these.
    Powers(KVec<usize>),
    /// Sizes are any number of bytes, rounded up to a multiple of this one.
    Rounded(usize),
    /// A claim: sizes are any number of bytes, aligned somehow.
    Aligned,
    /// Memory may come from these zones; claimed: from none but these.
    Zones(Zones),
    /// Addresses are in this area.
    Area(&'static str),
}

/// Names of zones.
pub(crate) type Zones = KVec<&'static str>;

impl Value {
    /// What the sizes of blocks have in common.
    pub(crate) fn unit_of(sizes: &[usize]) -> Result<Value> {
        if sizes.first() == Some(&PAGE_SIZE) && sizes.iter().all(|size| size % PAGE_SIZE == 0) {
            return Ok(Value::Page);
        }
        let mut others = KVec::new();
        for &size in sizes.iter().filter(|size| !size.is_power_of_two()) {
            others.push(size, GFP_KERNEL)?;
        }
        Ok(Value::Powers(others))
    }

    /// Whether what was measured, `self`, bears out `claim`; none if that cannot be told.
    pub(crate) fn bears_out(&self, claim: &Value) -> Option<bool> {
        use Value::*;
        Some(match (self, claim) {
            (Flag(measured), Flag(claimed)) => measured == claimed,
            (Forbidden, Flag(claimed)) => !claimed,
            (Bytes(measured), Bytes(claimed)) => measured == claimed,
            (Reached(measured), Bytes(claimed)) if measured > claimed => false,
            (Count(measured), Count(claimed)) => measured == claimed,
            (Tenths(measured), More) => *measured > 10,
            (Page, Page) => true,
            (Powers(_), Page) | (Page, Powers(_)) => false,
            (Powers(measured), Powers(claimed)) => measured[..] == claimed[..],
            (Rounded(to), Aligned) => *to > 1,
            (Zones(measured), Zones(claimed)) if !measured.is_empty() => {
                measured.iter().all(|zone| claimed.contains(zone))
            }
            (Area(measured), Area(claimed)) => measured == claimed,
            _ => return None,
        })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Flag(true) => f.write_str("yes"),
            Value::Flag(false) => f.write_str("no"),
            Value::Forbidden => f.write_str("forbidden"),
            Value::Unknown => f.write_str("unknown"),
            Value::Bytes(bytes) => write!(f, "{}", Size(*bytes)),
            Value::Reached(bytes) => write!(f, ">={}", Size(*bytes)),
            Value::Count(count) => write!(f, "{count}"),
            Value::Tenths(tenths) => write!(f, "{}.{}", tenths / 10, tenths % 10),
            Value::More => f.write_str(">1"),
            Value::Sizes(sizes) => listed(f, sizes.iter().map(|&size| Size(size))),
            Value::Page => f.write_str("page"),
            Value::Powers(others) => {
                f.write_str("2^n")?;
                others
                    .iter()
                    .try_for_each(|&size| write!(f, ",{}", Size(size)))
            }
            Value::Rounded(to) => write!(f, "{}-aligned", Size(*to)),
            Value::Aligned => f.write_str("aligned"),
            Value::Zones(zones) => listed(f, zones.iter()),
            Value::Area(name) => f.write_str(name),
        }
    }
}

/// Writes things with commas between them, or a dash for none.
fn listed<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    mut things: impl Iterator<Item = T>,
) -> fmt::Result {
    match things.next() {
        Some(first) => write!(f, "{first}")?,
        None => return f.write_char('-'),
    }
    things.try_for_each(|thing| write!(f, ",{thing}"))
}

/// A number of bytes: exactly, in the largest unit that divides it, or `~` rounded if that has many
/// digits.
pub(crate) struct Size(pub(crate) usize);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        // Each unit has ten bits.
        let name = |unit: u32| UNITS.get(unit as usize).ok_or(fmt::Error);
        let exact = self
            .0
            .checked_ilog2()
            .map_or(0, |_| self.0.trailing_zeros() / 10);
        if self.0 >> (10 * exact) < 100_000 {
            return write!(f, "{}{}", self.0 >> (10 * exact), name(exact)?);
        }
        let unit = self.0.checked_ilog2().map_or(0, |log| log / 10);
        // CAST: Less than 10240, in tenths of the unit.
        let tenths = ((self.0 as u128 * 20 >> (10 * unit)) as u64).div_ceil(2);
        write!(f, "~{}.{}{}", tenths / 10, tenths % 10, name(unit)?)
    }
}
