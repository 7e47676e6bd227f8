// SPDX-License-Identifier: GPL-2.0-only

//! The command line.

use crate::{
    column::Column,
    error::Error,
    filter::Filter,
    source::{
        self,
        Source, //
    }, //
};
use clap::{
    Args,
    Parser,
    Subcommand,
    ValueEnum, //
};
use kallocinfo::{
    By,
    Snapshot, //
};
use std::{
    path::PathBuf,
    str::FromStr,
    time::Duration, //
};

/// The modes whose rows have an order of their own.
const FIXED_ORDER: [&str; 3] = ["json", "prometheus", "leaks"];

/// Shows the memory of each allocation site or slab cache.
///
/// Without FILE, reads /proc/kallocinfo and /proc/kallocwatch, as far as their modules are loaded,
/// and sites.json and watch.json in /sys/kernel/debug/kalloc if these files are readable. The JSON
/// files contain types, source locations, rates, failures, peaks and sizes. The files are read one
/// after the other, so their numbers for a row are of two moments. The memory of a watched module
/// that uses kalloc itself is in rows of both.
///
/// FILE is a slabinfo file of version 2.0 or 2.1, a sites.json or watch.json, or output of --json;
/// `-` is standard input. The program reads it completely or not at all: a line that cannot be parsed
/// is an error. JSON may have any formatting.
#[derive(Debug, Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = "In the live display, ? lists the keys. NO_COLOR disables colors."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) options: Options,

    /// File to read instead of the files of kalloc and kalloc_watch
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// The sites.json that belongs to FILE
    #[arg(long, value_name = "FILE", requires = "file")]
    pub(crate) sites: Option<PathBuf>,

    /// Print the changes from one file to another, the largest growth first
    ///
    /// The allocations and frees in between are known if both files have them, and if the module of
    /// the site was not reloaded.
    #[arg(long, num_args = 2, value_names = ["BEFORE", "AFTER"], groups = ["mode", "table"], conflicts_with_all = ["file", "filter", "sort", "reverse"])]
    pub(crate) diff: Option<Vec<PathBuf>>,

    /// Page size of the machine that wrote FILE [default: that of this machine]
    #[arg(long, value_name = "BYTES")]
    pub(crate) page_size: Option<u32>,
}

/// A command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Watch(WatchArguments),
}

/// Shows the memory of modules that were not built for kalloc, by function.
///
/// Loads kalloc_watch, and unloads it at the end. If it is loaded already, only adds the modules to
/// its watch list, and removes them at the end. Below the rows is the memory that they cannot show.
/// Output that is printed begins after the time of --time. Only root may do this.
#[derive(Args, Debug)]
pub(crate) struct WatchArguments {
    /// Modules, loaded or not, or `all` for the kernel and all modules
    #[arg(value_name = "MODULE", required = true)]
    pub(crate) modules: Vec<String>,

    /// Seconds to watch before anything is printed, or before the reading of --leaks [default: 10]
    #[arg(short, long, value_name = "SECONDS", requires = "mode")]
    pub(crate) time: Option<Seconds>,

    #[command(flatten)]
    pub(crate) options: Options,
}

/// The options of the display and of all commands.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Print the table once and exit
    #[arg(short = '1', long, groups = ["mode", "table"])]
    pub(crate) once: bool,

    /// Print everything as one JSON object and exit; --diff reads it
    ///
    /// The members live, objects, object_size, slabs and bytes of a row, and the totals, are
    /// computed from the rest. Unknown members of a sites.json are kept.
    #[arg(long, group = "mode")]
    pub(crate) json: bool,

    /// Print metrics for Prometheus (node exporter's textfile collector) and exit
    ///
    /// The names of all metrics start with kalloc_. The labels source and site are the names of the
    /// file and of the row.
    #[arg(long, group = "mode")]
    pub(crate) prometheus: bool,

    /// Read for SECONDS [default: 10], then print the rows with live objects that did not shrink
    ///
    /// The column FREED distinguishes held objects from objects that are allocated and freed.
    #[arg(long, value_name = "SECONDS", groups = ["mode", "table"], num_args = 0..=1, require_equals = true, default_missing_value = "10")]
    pub(crate) leaks: Option<Seconds>,

    /// Record the session as an animated .svg or an .html file
    ///
    /// The extension of FILE selects the format. A browser shows both; an .html has a slider.
    #[arg(long, value_name = "FILE", conflicts_with = "mode")]
    pub(crate) record: Option<PathBuf>,

    /// Add up the rows of each function, or of each module
    ///
    /// The default is site: no rows are added up. The default of the command watch is function. The
    /// peaks of a group are the sums of the peaks of its rows; its slabs are pages.
    #[arg(short, long, value_name = "GROUP", value_enum)]
    pub(crate) by: Option<Grouping>,

    /// Seconds between two readings
    #[arg(short = 'd', long, value_name = "SECONDS", default_value = "1")]
    pub(crate) interval: Seconds,

    /// Column of the table to sort by, in any case
    #[arg(short, long, value_name = "COLUMN", value_enum, ignore_case = true, default_value_t = Column::Size, hide_default_value = true, conflicts_with_all = FIXED_ORDER)]
    pub(crate) sort: Column,

    /// Reverse the sort order
    #[arg(short, long, conflicts_with_all = FIXED_ORDER)]
    pub(crate) reverse: bool,

    /// Select rows with all these words in the name, type, module, family, function or file
    ///
    /// Case does not matter. Printed output has only these rows, also in its sums. The sums of the
    /// live display cover all rows.
    #[arg(
        short,
        long,
        value_name = "WORDS",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) filter: Filter,

    /// Print at most COUNT rows; the sums are still those of all rows
    #[arg(short = 'n', long, value_name = "COUNT", requires = "table", conflicts_with_all = ["json", "prometheus"])]
    pub(crate) rows: Option<usize>,

    /// Write to FILE instead of standard output (`-`), completely or not at all
    ///
    /// FILE keeps its mode, group and owner. A new file has mode 0644 with any umask, so that node
    /// exporter can read it.
    #[arg(short, long, value_name = "FILE", requires = "mode")]
    pub(crate) output: Option<PathBuf>,

    /// Draw with ASCII characters only; the default in a locale without UTF-8
    #[arg(long)]
    pub(crate) ascii: bool,
}

/// The rows that are added up, as a value on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Grouping {
    Site,
    Function,
    Module,
}

impl Arguments {
    /// Returns the source of `file`, or of the files of kalloc and kalloc_watch if it is `None`.
    pub(crate) fn source_of(&self, file: Option<&PathBuf>) -> Source {
        Source::new(file.cloned(), self.sites.clone(), self.page_size)
    }

    /// Checks that at most one file is standard input.
    pub(crate) fn check_stdin(&self) -> Result<(), Error> {
        let files = self.diff.iter().flatten();
        let all = files.chain(&self.file).chain(&self.sites);
        if all.filter(|file| file.as_os_str() == source::STDIN).count() > 1 {
            return Err(Error::StdinTwice);
        }
        Ok(())
    }
}

impl Options {
    /// Returns the maximum number of printed rows.
    pub(crate) fn most_rows(&self) -> usize {
        self.rows.unwrap_or(usize::MAX)
    }

    /// Returns the rows that are added up.
    pub(crate) fn by(&self) -> By {
        match self.by {
            None | Some(Grouping::Site) => By::Site,
            Some(Grouping::Function) => By::Function,
            Some(Grouping::Module) => By::Module,
        }
    }

    /// Returns the selected rows of a reading, in groups.
    pub(crate) fn selected(&self, snapshot: &Snapshot) -> Snapshot {
        let mut snapshot = snapshot.grouped(self.by());
        snapshot.rows.retain(|row| self.filter.matches(row));
        snapshot
    }
}

/// A duration from the command line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seconds(pub(crate) Duration);

impl Seconds {
    /// The shortest and the longest duration. The shortest leaves time for the reading itself; the
    /// longest is a day.
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
