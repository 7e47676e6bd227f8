// SPDX-License-Identifier: GPL-2.0-only

//! The columns of the table: their texts and their sort orders.

use crate::{
    format,
    theme::Theme,
    view::View, //
};
use clap::ValueEnum;
use std::cmp::Ordering;

/// A column of the table. Its value on the command line is its title; the alias is a former value.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Column {
    Name,
    Live,
    #[value(name = "objs", alias = "objects")]
    Objects,
    Use,
    #[value(name = "objsize", alias = "obj-size")]
    ObjSize,
    Slabs,
    Size,
    Share,
    #[value(name = "live/s", alias = "live-rate")]
    LiveRate,
    #[value(name = "size/s", alias = "size-rate")]
    SizeRate,
    #[value(name = "alloc/s", alias = "alloc-rate")]
    AllocRate,
    #[value(name = "free/s", alias = "free-rate")]
    FreeRate,
    #[value(name = "failed", alias = "failures")]
    Failures,
    Waste,
    Peak,
    Trend,
}

/// The data that a column needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Needs {
    /// The row alone.
    Row,
    /// The line of sites.json.
    Site,
    /// Two readings.
    Rates,
    /// Two readings of sites.json.
    SiteRates,
}

/// The layout and the explanation of a column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// The column.
    pub(crate) column: Column,
    /// The title.
    pub(crate) head: &'static str,
    /// The key that sorts by the column.
    pub(crate) key: char,
    /// The width in characters; the minimum for the column of names.
    pub(crate) width: u16,
    /// The rank. Columns with the highest ranks are omitted if the screen is too narrow.
    pub(crate) rank: u8,
    /// The data that the column needs.
    pub(crate) needs: Needs,
    /// The explanation for the help.
    pub(crate) help: &'static str,
}

const fn look(
    column: Column,
    head: &'static str,
    key: char,
    width: u16,
    rank: u8,
    needs: Needs,
    help: &'static str,
) -> Look {
    Look {
        column,
        head,
        key,
        width,
        rank,
        needs,
        help,
    }
}

/// All columns, from left to right.
#[rustfmt::skip]
pub(crate) const LOOKS: [Look; 16] = [
    look(Column::Name, "NAME", 'n', 16, 0, Needs::Row, "the site or cache"),
    look(Column::Live, "LIVE", 'a', 9, 1, Needs::Row, "live objects"),
    look(Column::Objects, "OBJS", 'o', 9, 9, Needs::Row, "objects for which the slabs have room"),
    look(Column::Use, "USE", 'u', 6, 10, Needs::Row, "LIVE as a fraction of OBJS"),
    look(Column::ObjSize, "OBJSIZE", 's', 8, 7, Needs::Row, "bytes that an object takes"),
    look(Column::Slabs, "SLABS", 'l', 7, 11, Needs::Row, "slabs"),
    look(Column::Size, "SIZE", 'c', 8, 2, Needs::Row, "bytes of the slabs' pages, or of blocks without slabs"),
    look(Column::Share, "SHARE", 'h', 12, 5, Needs::Row, "SIZE as a fraction of the total SIZE"),
    look(Column::LiveRate, "LIVE/s", 'd', 9, 3, Needs::Rates, "change of LIVE per second"),
    look(Column::SizeRate, "SIZE/s", 'g', 9, 4, Needs::Rates, "change of SIZE per second"),
    look(Column::AllocRate, "ALLOC/s", 't', 8, 8, Needs::SiteRates, "blocks allocated per second"),
    look(Column::FreeRate, "FREE/s", 'e', 8, 12, Needs::SiteRates, "blocks freed per second"),
    look(Column::Failures, "FAILED", 'f', 7, 13, Needs::Site, "failed allocations"),
    look(Column::Waste, "WASTE", 'w', 6, 14, Needs::Site, "unrequested fraction of the bytes that live blocks take"),
    look(Column::Peak, "PEAK", 'm', 9, 15, Needs::Site, "high watermark of the objects"),
    look(Column::Trend, "TREND", 'y', 12, 6, Needs::Rates, "LIVE at the last readings"),
];

/// The width for names that is reserved before columns are omitted. A longer name may be truncated.
const NAME_AT_LEAST: u16 = 24;

/// The available data of a set of rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// True if there are lines of sites.json.
    pub(crate) sites: bool,
    /// True if the files are read repeatedly.
    pub(crate) rates: bool,
}

impl Needs {
    fn met(self, known: Known) -> bool {
        match self {
            Self::Row => true,
            Self::Site => known.sites,
            Self::Rates => known.rates,
            Self::SiteRates => known.sites && known.rates,
        }
    }
}

/// Returns the columns for which the data is available.
pub(crate) fn known(known: Known) -> impl Iterator<Item = Look> {
    LOOKS.into_iter().filter(move |look| look.needs.met(known))
}

/// Returns the available columns that fit side by side, separated by a blank, and the width of the
/// column of names. That width is the length of the longest name, if there is room for it.
pub(crate) fn fitting(known_: Known, width: u16, longest: u16) -> (Vec<Look>, u16) {
    let name = longest.clamp(LOOKS[0].width, NAME_AT_LEAST);
    let mut looks: Vec<Look> = known(known_).collect();
    looks[0].width = name;
    let taken = |looks: &[Look]| looks.iter().map(|look| look.width + 1).sum::<u16>();
    while taken(&looks) > width.saturating_add(1) && looks.len() > 1 {
        let last = looks.iter().map(|look| look.rank).max();
        looks.retain(|look| Some(look.rank) != last);
    }
    let rest = width.saturating_add(1).saturating_sub(taken(&looks));
    (looks, longest.clamp(name, name + rest))
}

impl Column {
    /// Returns the text of this column for a row.
    pub(crate) fn text(self, view: &View<'_>, theme: Theme) -> String {
        let row = view.row;
        let site = row.site.as_ref();
        let rate =
            |text: &dyn Fn(crate::view::Rates) -> String| view.rates.map_or(String::new(), text);
        let events = |side: fn((f64, f64)) -> f64| {
            let events = view.rates.and_then(|rates| rates.events);
            events.map_or(String::new(), |events| format::rate(side(events)))
        };
        match self {
            Self::Name => format::clean(&row.name),
            Self::Live => row.live().to_string(),
            Self::Objects => row.objects().to_string(),
            Self::Use if row.objects() == 0 => "-".to_owned(),
            Self::Use => format::percent(format::part(row.live(), row.objects())),
            Self::ObjSize => row.object_size().to_string(),
            Self::Slabs => row.slabs().to_string(),
            Self::Size => format::bytes(row.bytes()),
            Self::Share => format::percent(format::part(row.bytes(), view.all_bytes)),
            Self::LiveRate => rate(&|rates| format::signed_rate(rates.live)),
            Self::SizeRate => rate(&|rates| format::rate_of_bytes(rates.bytes)),
            Self::AllocRate => events(|(allocs, _)| allocs),
            Self::FreeRate => events(|(_, frees)| frees),
            // kalloc_watch counts no failures, and knows only the sizes that were requested.
            Self::Failures | Self::Waste if row.is_watched() => "-".to_owned(),
            Self::Failures => site.map_or(String::new(), |site| site.failures.all().to_string()),
            Self::Waste => site.map_or(String::new(), |site| {
                let waste = site.live_allocated.saturating_sub(site.live_bytes);
                format::percent(format::part(waste, site.live_allocated))
            }),
            Self::Peak => site.map_or(String::new(), |site| site.peak.to_string()),
            Self::Trend => view.track.map_or(String::new(), |track| {
                let values = track.samples.iter().map(|sample| sample.live);
                format::curve(values, usize::from(look_of(self).width), theme)
            }),
        }
    }

    /// Returns the order of two rows: ascending for names, descending for numbers.
    pub(crate) fn order(self, a: &View<'_>, b: &View<'_>) -> Ordering {
        if self == Self::Name {
            return a.row.name.cmp(&b.row.name);
        }
        b_first(self.value(a), self.value(b))
    }

    /// Returns the sort key of this column for a row. An unknown value is last.
    fn value(self, view: &View<'_>) -> f64 {
        const UNKNOWN: f64 = f64::NEG_INFINITY;
        let row = view.row;
        let site = |value: fn(&kallocinfo::Site) -> f64| row.site.as_ref().map_or(UNKNOWN, value);
        let events = |side: fn((f64, f64)) -> f64| {
            let events = view.rates.and_then(|rates| rates.events);
            events.map_or(UNKNOWN, side)
        };
        match self {
            Self::Name => UNKNOWN,
            Self::Live => row.live() as f64,
            Self::Objects => row.objects() as f64,
            Self::Use => format::part(row.live(), row.objects()),
            Self::ObjSize => row.object_size() as f64,
            Self::Slabs => row.slabs() as f64,
            Self::Size | Self::Share => row.bytes() as f64,
            Self::LiveRate => view.rates.map_or(UNKNOWN, |rates| rates.live),
            Self::SizeRate => view.rates.map_or(UNKNOWN, |rates| rates.bytes),
            Self::AllocRate => events(|(allocs, _)| allocs),
            Self::FreeRate => events(|(_, frees)| frees),
            Self::Failures | Self::Waste if row.is_watched() => UNKNOWN,
            Self::Failures => site(|site| site.failures.all() as f64),
            Self::Waste => site(|site| {
                let waste = site.live_allocated.saturating_sub(site.live_bytes);
                format::part(waste, site.live_allocated)
            }),
            Self::Peak => site(|site| site.peak as f64),
            Self::Trend => view.track.map_or(UNKNOWN, |track| {
                let values = || track.samples.iter().map(|sample| sample.live);
                values().max().unwrap_or(0) as f64 - values().min().unwrap_or(0) as f64
            }),
        }
    }
}

/// Returns the layout of this column.
pub(crate) fn look_of(column: Column) -> Look {
    let place = LOOKS.iter().position(|look| look.column == column);
    LOOKS[place.unwrap_or(0)]
}

fn b_first(a: f64, b: f64) -> Ordering {
    b.total_cmp(&a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_and_former_names_are_values() {
        for look in LOOKS {
            for text in [look.head.to_owned(), look.head.to_lowercase()] {
                assert_eq!(Column::from_str(&text, true), Ok(look.column), "{text}");
            }
        }
        for (text, column) in [
            ("objects", Column::Objects),
            ("obj-size", Column::ObjSize),
            ("live-rate", Column::LiveRate),
            ("size-rate", Column::SizeRate),
            ("alloc-rate", Column::AllocRate),
            ("free-rate", Column::FreeRate),
            ("failures", Column::Failures),
        ] {
            assert_eq!(Column::from_str(text, false), Ok(column), "{text}");
        }
    }
}
