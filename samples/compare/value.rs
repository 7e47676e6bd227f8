// SPDX-License-Identifier: GPL-2.0-only

//! Values that are measured or claimed, and their comparison.

#![deny(unsafe_code)]

use core::fmt::{
    self,
    Write, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// A measured or claimed fact, shown as one word.
pub(crate) enum Value {
    /// An answer, yes or no.
    Flag(bool),
    /// A property that was not tried, since the kernel forbids it.
    Forbidden,
    /// A value that could not be measured this time: its memory is not free, or the observation may
    /// be due to chance.
    Unknown,
    /// A number of bytes.
    Bytes(usize),
    /// A number of bytes that was allocated. Larger sizes were not tried.
    Reached(usize),
    /// A plain number.
    Count(u64),
    /// A ratio, in tenths.
    Tenths(u64),
    /// A claim: a ratio above 1.
    More,
    /// Sizes, in ascending order.
    Sizes(KVec<usize>),
    /// Sizes that are multiples of a page.
    Page,
    /// Sizes that are powers of two, and these exceptions.
    Powers(KVec<usize>),
    /// Sizes of any number of bytes, rounded up to a multiple of this number.
    Rounded(usize),
    /// A claim: sizes of any number of bytes, with an unspecified alignment.
    Aligned,
    /// Zones that memory may come from, or, as a claim, the only zones.
    Zones(Zones),
    /// The area that contains all addresses.
    Area(&'static str),
}

/// Names of zones.
pub(crate) type Zones = KVec<&'static str>;

impl Value {
    /// Returns the common property of the sizes of blocks.
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

    /// Returns whether the measured value `self` confirms `claim`, or `None` if it does not decide.
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

/// Writes values with commas between them, or a dash if there are none.
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

/// A number of bytes, shown in the largest unit that divides it. If that has many digits, it is
/// shown rounded, with a `~`.
pub(crate) struct Size(pub(crate) usize);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        // Each unit is 10 bits larger than the previous one.
        let name = |unit: u32| UNITS.get(unit as usize).ok_or(fmt::Error);
        let exact = self
            .0
            .checked_ilog2()
            .map_or(0, |_| self.0.trailing_zeros() / 10);
        if self.0 >> (10 * exact) < 100_000 {
            return write!(f, "{}{}", self.0 >> (10 * exact), name(exact)?);
        }
        let unit = self.0.checked_ilog2().map_or(0, |log| log / 10);
        // CAST: The value is less than 10240, in tenths of the unit.
        let tenths = ((self.0 as u128 * 20 >> (10 * unit)) as u64).div_ceil(2);
        write!(f, "~{}.{}{}", tenths / 10, tenths % 10, name(unit)?)
    }
}
