// SPDX-License-Identifier: GPL-2.0

//! The command line.

use crate::{
    column::Column,
    filter::Filter,
    source::Source, //
};
use clap::Parser;
use std::{
    path::PathBuf,
    str::FromStr,
    time::Duration, //
};

/// Shows what every allocation site or slab cache holds.
///
/// Without FILE, reads /proc/kallocinfo, and /sys/kernel/debug/kalloc/sites.json as well if that is
/// readable: types, places, rates, failures, peaks and sizes come from there. Both are read one after the
/// other, so the numbers of a row are of two moments.
///
/// A FILE is a slabinfo file of version 2.0 or 2.1, a sites.json, or the output of --json; `-` is standard
/// input. It is read whole or not at all: a line that cannot be parsed is an error.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "In the live display, ? lists the keys. NO_COLOR turns colours off."
)]
pub(crate) struct Options {
    /// What to read instead of kalloc's files
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// A sites.json that belongs to FILE
    #[arg(long, value_name = "FILE", requires = "file")]
    pub(crate) sites: Option<PathBuf>,

    /// Print the table once and exit
    #[arg(short = '1', long, group = "mode")]
    pub(crate) once: bool,

    /// Print everything as one JSON object and exit; --diff reads it
    ///
    /// The members live, objects, object_size, slabs and bytes of a row, and the totals, follow from the
    /// rest. Unknown members of a sites.json are kept.
    #[arg(long, group = "mode")]
    pub(crate) json: bool,

    /// Print metrics for Prometheus (node exporter's textfile collector) and exit
    ///
    /// The names of all metrics start with kalloc_.
    #[arg(long, group = "mode")]
    pub(crate) prometheus: bool,

    /// Print what changed from one file to another, what grew most first
    ///
    /// Allocations and frees in between are known if both files have them, and the module of the site was
    /// not loaded again.
    #[arg(long, num_args = 2, value_names = ["BEFORE", "AFTER"], group = "mode", conflicts_with_all = ["file", "filter"])]
    pub(crate) diff: Option<Vec<PathBuf>>,

    /// Watch for SECONDS [default: 10], then print what is live and did not shrink
    ///
    /// The column FREED separates a site that holds its objects from one whose objects come and go.
    #[arg(long, value_name = "SECONDS", group = "mode", num_args = 0..=1, require_equals = true, default_missing_value = "10")]
    pub(crate) leaks: Option<Seconds>,

    /// Write the session as a film that a browser shows: FILE ends in .svg or .html
    ///
    /// An .svg plays by itself, an .html has a slider.
    #[arg(long, value_name = "FILE", conflicts_with = "mode")]
    pub(crate) record: Option<PathBuf>,

    /// Seconds from one reading to the next
    #[arg(short = 'd', long, value_name = "SECONDS", default_value = "1")]
    pub(crate) interval: Seconds,

    /// The column to sort by
    #[arg(short, long, value_name = "COLUMN", value_enum, default_value_t = Column::Size, hide_default_value = true)]
    pub(crate) sort: Column,

    /// Turn the order round
    #[arg(short, long)]
    pub(crate) reverse: bool,

    /// Only rows with all these words in the name, type, module, family or file
    ///
    /// Case does not matter. The sums of a table that is printed once are of these rows; those of the live
    /// display are of all rows.
    #[arg(
        short,
        long,
        value_name = "WORDS",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) filter: Filter,

    /// Print at most so many rows
    #[arg(short = 'n', long, value_name = "COUNT", requires = "once")]
    pub(crate) rows: Option<usize>,

    /// Write to a file instead of standard output: whole, or not at all
    #[arg(short, long, value_name = "FILE", requires = "mode")]
    pub(crate) output: Option<PathBuf>,

    /// Bytes of a page where FILE was written [default: this machine's]
    #[arg(long, value_name = "BYTES")]
    pub(crate) page_size: Option<u32>,

    /// Draw bars with ASCII characters, as in a locale without UTF-8
    #[arg(long)]
    pub(crate) ascii: bool,
}

impl Options {
    /// What to read, if this is the file.
    pub(crate) fn source_of(&self, file: Option<&PathBuf>) -> Source {
        Source::new(file.cloned(), self.sites.clone(), self.page_size)
    }
}

/// A time that a person chose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seconds(pub(crate) Duration);

impl Seconds {
    /// The shortest and the longest: reading takes time, too, and a day is enough.
    pub(crate) const RANGE: (f64, f64) = (0.1, 86400.0);
}

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (least, most) = Self::RANGE;
        match text.parse() {
            Ok(seconds) if (least..=most).contains(&seconds) => {
                Ok(Self(Duration::from_secs_f64(seconds)))
            }
            _ => Err(format!("it is a number of seconds from {least} to {most}")),
        }
    }
}
