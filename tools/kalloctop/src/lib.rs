// SPDX-License-Identifier: GPL-2.0-only

//! kalloctop: a monitor of allocation sites and slab caches, live in a terminal or printed once.
//!
//! The crate [`kallocinfo`] parses and compares the files. This crate is the user interface.

mod cli;
mod column;
mod error;
mod filter;
mod format;
mod live;
mod output;
mod record;
mod report;
mod source;
mod theme;
mod view;

use clap::{
    CommandFactory,
    Parser, //
};
use error::Error;
use output::Output;
use signal_hook::{
    consts::SIGPIPE,
    low_level::emulate_default_handler, //
};
use std::{
    io::{
        self,
        ErrorKind,
        Write, //
    },
    process::ExitCode, //
};

/// Returns the description of the command line, from which the manual page and the completions are
/// generated.
pub fn command() -> clap::Command {
    cli::Options::command()
}

/// Returns the title of each column, with its explanation.
pub fn columns() -> impl Iterator<Item = (&'static str, &'static str)> {
    column::LOOKS.iter().map(|look| (look.head, look.help))
}

/// Runs the program; returns its exit status.
pub fn run_program() -> ExitCode {
    match run(&cli::Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Stdout(error)) if error.kind() == ErrorKind::BrokenPipe => {
            // The reader closed the pipe: end by SIGPIPE without a message, like other programs.
            let _ = emulate_default_handler(SIGPIPE);
            ExitCode::FAILURE
        }
        Err(error) => {
            // eprintln!() would panic if the terminal was closed.
            let said = format::clean(&error.to_string());
            let _ = writeln!(io::stderr(), "kalloctop: {said}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &cli::Options) -> Result<(), Error> {
    options.check_stdin()?;
    if let Some(files) = &options.diff {
        let read = |file| options.source_of(Some(file)).read();
        let (before, after) = (read(&files[0])?, read(&files[1])?);
        return put(options, &report::diff(options, &before, &after));
    }
    let source = options.source_of(options.file.as_ref());
    if let Some(window) = options.leaks {
        return put(options, &report::leaks(options, &source, window.0)?);
    }
    if !(options.once || options.json || options.prometheus) {
        return live::run(options, source);
    }
    let mut snapshot = source.read()?;
    snapshot.rows.retain(|row| options.filter.matches(row));
    let text = if options.json {
        snapshot.to_json()
    } else if options.prometheus {
        kallocinfo::prometheus::text(&snapshot, &source.name())
    } else {
        report::once(options, &snapshot)?
    };
    put(options, &text)
}

fn put(options: &cli::Options, text: &str) -> Result<(), Error> {
    Output::to(options.output.as_deref())?.put(text)
}
