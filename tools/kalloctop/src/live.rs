// SPDX-License-Identifier: GPL-2.0-only

//! The live display.

mod app;
mod detail;
mod draw;
mod events;
mod help;
mod keys;
mod table;
#[cfg(test)]
mod tests;

use crate::{
    cli::Options,
    error::Error,
    interrupt,
    record::Recorder,
    source::Source,
    theme::Theme, //
};
use app::App;
use events::{
    Event,
    Events, //
};
use ratatui::{
    layout::{
        Position,
        Rect, //
    },
    DefaultTerminal, //
};
use signal_hook::{
    consts::SIGSTOP,
    low_level::raise, //
};
use std::{
    io::{
        self,
        IsTerminal, //
    },
    mem::ManuallyDrop,
    time::Instant, //
};

/// Fails if standard output is no terminal.
pub(crate) fn check_terminal() -> Result<(), Error> {
    match io::stdout().is_terminal() {
        true => Ok(()),
        false => Err(Error::NoTerminal),
    }
}

/// Runs the display until a key or a signal ends it, and restores the terminal. A signal is an error,
/// so that its caller can also clean up.
pub(crate) fn run(options: &Options, source: Source) -> Result<(), Error> {
    source.check_repeatable()?;
    check_terminal()?;
    // A file that cannot be read or written is reported before the terminal is changed.
    let snapshot = source.read()?;
    let mut recorder = options.record.as_deref().map(Recorder::new).transpose()?;
    let theme = Theme::from_environment(options.ascii);
    let mut app = App::new(options, theme, source.name(), snapshot);

    let events = Events::start().map_err(Error::Terminal)?;
    interrupt::check()?;
    let result = ratatui::try_init()
        .map_err(Error::Terminal)
        .and_then(|terminal| {
            // The destructor would panic if the terminal was closed, because it could not report
            // the error.
            let mut terminal = ManuallyDrop::new(terminal);
            let end = show(&mut terminal, &mut app, &source, &events, recorder.as_mut());
            let cursor = terminal.show_cursor().map_err(Error::Terminal);
            end.and(cursor)
        });
    let restored = ratatui::try_restore().map_err(Error::Terminal);
    // Write the recording also after an error.
    if let Some(recorder) = recorder {
        recorder.finish()?;
    }
    result.and(restored)
}

fn show(
    terminal: &mut DefaultTerminal,
    app: &mut App,
    source: &Source,
    events: &Events,
    mut recorder: Option<&mut Recorder>,
) -> Result<(), Error> {
    let mut next = Instant::now() + app.interval();
    loop {
        if app.takes_redraw() {
            // clear() would request the cursor's position from the terminal, and the thread that
            // reads keys would receive the reply.
            let size = terminal.size().map_err(Error::Terminal)?;
            terminal
                .resize(Rect::from((Position::ORIGIN, size)))
                .map_err(Error::Terminal)?;
        }
        let done = terminal
            .draw(|frame| draw::all(frame, app))
            .map_err(Error::Terminal)?;
        if let Some(recorder) = &mut recorder {
            recorder.add(done.buffer);
        }
        match events.until(next) {
            Some(Event::Key(key)) => match app.press(key) {
                keys::Outcome::Stay => (),
                keys::Outcome::Quit => return Ok(()),
                keys::Outcome::Suspend => suspend(terminal)?,
                keys::Outcome::Pace => next = Instant::now() + app.interval(),
            },
            Some(Event::Resized) => (),
            Some(Event::Signal(signal)) => return Err(Error::Signal(signal)),
            Some(Event::Lost(error)) => return Err(Error::Terminal(error)),
            None => {
                next = Instant::now() + app.interval();
                if !io::stdout().is_terminal() {
                    // The terminal was closed without a signal, for example because it is not the
                    // controlling terminal.
                    return Err(Error::Terminal(io::ErrorKind::BrokenPipe.into()));
                }
                if !app.paused() {
                    app.take(source.read());
                }
            }
        }
    }
}

/// Restores the terminal and stops the program, as is usual for Ctrl-Z. Shows the display again
/// when the program is continued.
fn suspend(terminal: &mut DefaultTerminal) -> Result<(), Error> {
    terminal
        .show_cursor()
        .and_then(|()| ratatui::try_restore())
        .and_then(|()| raise(SIGSTOP))
        .and_then(|()| ratatui::try_init())
        .map(|fresh| *terminal = fresh)
        .map_err(Error::Terminal)
}
