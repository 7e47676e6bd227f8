// SPDX-License-Identifier: GPL-2.0-only

//! kalloctop: a monitor of allocation sites and slab caches, live in a terminal or printed once.
//!
//! The crate [`kallocinfo`] parses and compares the files. This crate is the user interface.

mod cli;
mod column;
mod error;
mod filter;
mod format;
mod interrupt;
mod live;
mod output;
mod record;
mod report;
mod source;
mod theme;
mod view;
mod watch;

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
use source::Source;
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
    cli::Arguments::command()
}

/// Returns the title of each column, with its explanation.
pub fn columns() -> impl Iterator<Item = (&'static str, &'static str)> {
    column::LOOKS.iter().map(|look| (look.head, look.help))
}

/// Runs the program; returns its exit status.
pub fn run_program() -> ExitCode {
    match run(cli::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Stdout(error)) if error.kind() == ErrorKind::BrokenPipe => {
            // The reader closed the pipe: end by SIGPIPE without a message, like other programs.
            let _ = emulate_default_handler(SIGPIPE);
            ExitCode::FAILURE
        }
        Err(Error::Signal(signal)) => {
            // End by the same signal, so that the parent process sees it in the status.
            let _ = emulate_default_handler(signal);
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

fn run(arguments: cli::Arguments) -> Result<(), Error> {
    if let Some(cli::Command::Watch(wanted)) = arguments.command {
        return watch::run(wanted);
    }
    arguments.check_stdin()?;
    let options = &arguments.options;
    if let Some(files) = &arguments.diff {
        let read = |file| {
            Ok(arguments
                .source_of(Some(file))
                .read()?
                .grouped(options.by()))
        };
        let (before, after) = (read(&files[0])?, read(&files[1])?);
        return put(options, &report::diff(options, &before, &after));
    }
    show(options, arguments.source_of(arguments.file.as_ref()))
}

/// Shows the contents of files in the selected mode.
fn show(options: &cli::Options, source: Source) -> Result<(), Error> {
    if let Some(window) = options.leaks {
        return put(options, &report::leaks(options, &source, window.0)?);
    }
    let text = if options.json {
        options.selected(&source.read()?).to_json()
    } else if options.prometheus {
        let mut all = source.read_each()?;
        for (_, snapshot) in &mut all {
            *snapshot = options.selected(snapshot);
        }
        kallocinfo::prometheus::text(&all)
    } else if options.once {
        report::once(options, &options.selected(&source.read()?))?
    } else {
        return live::run(options, source);
    };
    put(options, &text)
}

fn put(options: &cli::Options, text: &str) -> Result<(), Error> {
    Output::to(options.output.as_deref())?.put(text)
}
