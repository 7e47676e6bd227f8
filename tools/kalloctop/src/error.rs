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
    #[error("{0}")]
    Signal(i32),
    #[error("watch: only root may load kalloc_watch")]
    NotRoot,
    #[error("{0}: it is not the name of a module")]
    NotAModule(String),
    #[error("{0}: it is built into the kernel; `kalloctop watch all` counts it")]
    BuiltIn(String),
    #[error("{name}: there is no such module, loaded or in {}", path.display())]
    NoModule { name: String, path: PathBuf },
    #[error("{name} cannot be loaded: {said}{hint}")]
    Load {
        name: String,
        said: String,
        hint: &'static str,
    },
    #[error("the watch list: {command}: {}{hint}", plain(source))]
    Command {
        command: String,
        source: io::Error,
        hint: &'static str,
    },
    #[error("{0}: it stays loaded: end its readers and run rmmod")]
    Busy(String),
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
