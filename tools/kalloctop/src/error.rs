// SPDX-License-Identifier: GPL-2.0-only

//! The errors of the program, with messages for the user.

use kallocinfo::ParseError;
use std::{
    io,
    path::PathBuf, //
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{}: {}{}", path.display(), plain(source), hint(path, source))]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Parse { path: PathBuf, source: ParseError },
    #[error("{}: {}", path.display(), plain(source))]
    Write { path: PathBuf, source: io::Error },
    #[error("standard output: {}", plain(.0))]
    Stdout(io::Error),
    #[error("the terminal: {}", plain(.0))]
    Terminal(io::Error),
    #[error("standard output is no terminal: try --once, or --json or --prometheus")]
    NoTerminal,
    #[error("{}: it can be read only once: try --once, or --json or --prometheus", .0.display())]
    ReadOnce(PathBuf),
    #[error("-: standard input can be only one of the files")]
    StdinTwice,
    #[error("--sort {0}: the table has no such column, only {1}")]
    NoColumn(&'static str, String),
    /// A signal that ends the program.
    #[error("signal {0}")]
    Signal(i32),
    /// The watch cannot start or end.
    #[error("{0}")]
    Watch(String),
    #[error("{}: a recording is a file that ends in .svg or .html", .0.display())]
    NoPicture(PathBuf),
}

/// Returns the system's message without the error number.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((what, _)) => what.to_owned(),
        None => text,
    }
}

/// Returns a hint for a file that could not be read.
fn hint(path: &std::path::Path, error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound if path.starts_with("/proc") => {
            " (is kalloc.ko loaded? `kalloctop watch MODULE` shows any module, `kalloctop FILE` any slabinfo file)"
        }
        io::ErrorKind::PermissionDenied if path.starts_with("/proc") => " (only root may read it)",
        _ => "",
    }
}
