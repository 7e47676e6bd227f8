// SPDX-License-Identifier: GPL-2.0-only

//! The command `watch`: loads kalloc_watch, shows its rows, and leaves the system as it was.

mod machine;
mod share;
#[cfg(test)]
mod tests;

use crate::{
    cli::{
        Grouping,
        Seconds,
        WatchArguments, //
    },
    error::Error,
    interrupt,
    live,
    output::Output,
    show,
    source::Source, //
};
use kallocinfo::Watch;
use machine::{
    Machine,
    Running, //
};
use share::Share;
use std::{
    io::{
        self,
        Write, //
    },
    time::Duration, //
};

/// The module that watches, and the one on which it depends.
const WATCHER: &str = "kalloc_watch";
const BASE: &str = "kalloc";

/// The name of the file of the sessions of all modules. Those of a module have a prefix.
const SESSIONS: &str = "sessions";
const ENTRY: &str = "entry.";

/// The name of the kernel and all modules.
const ALL: &str = "all";

/// The time to watch before the output is printed.
const WINDOW: Duration = Duration::from_secs(10);

/// The number of attempts to unload a module whose files are being read, and the time between them.
const ATTEMPTS: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

/// Runs the command.
pub(crate) fn run(mut wanted: WatchArguments) -> Result<(), Error> {
    let machine = Running;
    let options = &mut wanted.options;
    options.by.get_or_insert(Grouping::Function);
    let prints = options.once || options.json || options.prometheus || options.leaks.is_some();
    machine.check_root()?;
    let modules = kernel_names(&wanted.modules);
    for name in modules.iter().filter(|name| *name != ALL) {
        machine.check_module(name)?;
    }
    if !prints {
        live::check_terminal()?;
    }
    Output::check(options.output.as_deref())?;
    interrupt::catch().map_err(Error::Terminal)?;

    let started = Session::start(machine, modules);
    // A signal that has also ended modprobe is the cause of the error.
    interrupt::check()?;
    let mut session = started?;
    if prints {
        interrupt::sleep(wanted.time.map_or(WINDOW, |Seconds(time)| time))?;
    }
    show(&wanted.options, session.source())?;
    session.end()
}

/// Returns the kernel's names of modules, each once. They have underscores.
fn kernel_names(names: &[String]) -> Vec<String> {
    let mut modules: Vec<String> = Vec::new();
    for name in names.iter().map(|it| it.replace('-', "_")) {
        if !modules.contains(&name) {
            modules.push(name);
        }
    }
    modules
}

/// The changes of the system, which the end or the destructor reverses, unless another session relies
/// on them.
struct Session<M: Machine> {
    machine: M,
    modules: Vec<String>,
    /// The share in kalloc_watch, which records the modules that a session has loaded.
    watcher: Option<Share>,
    /// The shares in the entries of the watch list, which record those that a session has added.
    entries: Vec<(String, Share)>,
    notes: Vec<String>,
}

impl<M: Machine> Session<M> {
    /// Starts to watch.
    fn start(machine: M, modules: Vec<String>) -> Result<Self, Error> {
        let mut session = Self {
            machine,
            modules: Vec::new(),
            watcher: None,
            entries: Vec::new(),
            notes: Vec::new(),
        };
        let machine = &session.machine;
        let is_old = |name: &String| name == ALL || machine.is_loaded(name);
        let old: Vec<String> = modules
            .iter()
            .filter(|name| is_old(name))
            .cloned()
            .collect();
        session.modules = modules;
        session.watcher = Some(session.join(SESSIONS)?);
        for name in session.modules.clone() {
            let share = session.join(&format!("{ENTRY}{name}"))?;
            session.entries.push((name, share));
        }
        if session.machine.is_loaded(WATCHER) {
            session.add()?;
        } else {
            // A failed attempt may have loaded some of them.
            for name in [WATCHER, BASE] {
                if !session.machine.is_loaded(name) {
                    session
                        .watcher
                        .iter_mut()
                        .for_each(|share| share.record(name));
                }
            }
            session.machine.load(WATCHER, &session.modules)?;
            if session.watches_each() {
                for (name, share) in &mut session.entries {
                    share.record(name);
                }
            } else {
                // Another program loaded it at the same time, with other modules.
                session.add()?;
            }
        }
        session.describe(&old);
        Ok(session)
    }

    /// Joins the sessions that share a change.
    fn join(&self, name: &str) -> Result<Share, Error> {
        let directory = self.machine.shares();
        Share::join(directory, name).map_err(|source| Error::Write {
            path: directory.join(name),
            source,
        })
    }

    /// Adds the modules to the list of a loaded kalloc_watch.
    fn add(&mut self) -> Result<(), Error> {
        for (name, share) in &mut self.entries {
            match self.machine.command(&format!("add {name}")) {
                Ok(()) => share.record(name),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.notes.push(
                    format!("{name} was watched already: its counts began earlier."),
                ),
                Err(error) => {
                    let hint = match error.kind() {
                        io::ErrorKind::NotFound => " (kalloc_watch is loaded; is debugfs mounted?)",
                        io::ErrorKind::PermissionDenied => {
                            " (kalloc_watch is loaded; in lockdown, unload it first)"
                        }
                        io::ErrorKind::Unsupported => " (the kernel has no tracepoints)",
                        _ => "",
                    };
                    return Err(Error::Command {
                        command: format!("add {name}"),
                        source: error,
                        hint,
                    });
                }
            }
        }
        Ok(())
    }

    /// Describes the memory that the rows cannot have. `old` are the modules that were loaded before.
    fn describe(&mut self, old: &[String]) {
        let noted = |name: &str| self.notes.iter().any(|note| note.starts_with(name));
        let mut notes: Vec<String> = old
            .iter()
            .filter(|name| !noted(name))
            .map(|name| match name.as_str() {
                ALL => "Blocks that were allocated before the watch are not counted.".to_owned(),
                _ => {
                    format!("{name} was loaded before the watch: its older blocks are not counted.")
                }
            })
            .collect();
        if !self.watches_all() {
            notes.push(
                "Memory that the kernel allocates for a module (sk_buff, bio, mempool) has other rows: `kalloctop watch all`."
                    .to_owned(),
            );
        }
        self.notes.extend(notes);
    }

    /// Returns true if the watch list has all modules, or cannot be read.
    fn watches_each(&self) -> bool {
        self.machine.watch_list().is_none_or(|list| {
            let has = |name: &String| list.entries.iter().any(|entry| entry.name == *name);
            self.modules.iter().all(has)
        })
    }

    fn watches_all(&self) -> bool {
        self.modules.iter().any(|name| name == ALL)
    }

    /// Returns the source of the rows of the modules.
    fn source(&self) -> Source {
        let modules = match self.watches_all() {
            true => Vec::new(),
            false => self.modules.clone(),
        };
        Source::watched(modules, self.notes.clone())
    }

    /// Ends to watch. The last session unloads what sessions have loaded, or else the last session of
    /// a module removes what sessions have added.
    fn end(&mut self) -> Result<(), Error> {
        let entries = std::mem::take(&mut self.entries).into_iter();
        let entries: Vec<_> = entries
            .filter_map(|(name, share)| Some((name, share.leave()?)))
            .collect();
        let watcher = self.watcher.take().and_then(Share::leave);
        // Another user may rely on the module.
        if let Some(last) = watcher.filter(|last| last.has(WATCHER) && !self.has_other_entries()) {
            return [WATCHER, BASE]
                .into_iter()
                .filter(|name| last.has(name))
                .try_for_each(|name| self.unload(name));
        }
        let mut result = Ok(());
        for (name, _) in entries.iter().filter(|(name, last)| last.has(name)) {
            result = result.and(self.remove(name));
        }
        result
    }

    /// Removes an entry of the watch list.
    fn remove(&self, name: &str) -> Result<(), Error> {
        let command = format!("remove {name}");
        match self.machine.command(&command) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::Command {
                command,
                source,
                hint: "",
            }),
            _ => Ok(()),
        }
    }

    /// Returns true if the watch list has entries of others.
    fn has_other_entries(&self) -> bool {
        let entries = self.machine.watch_list().unwrap_or_default().entries;
        let is_other = |name: &String| !self.modules.contains(name);
        entries.iter().any(|entry| is_other(&entry.name))
    }

    fn unload(&self, name: &str) -> Result<(), Error> {
        let mut attempts = 0..ATTEMPTS;
        loop {
            match self.machine.unload(name) {
                Ok(()) => return Ok(()),
                // Another program has unloaded it, or the load has failed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(_) if attempts.next().is_some() => self.machine.pause(PAUSE),
                // Another module, loaded meanwhile, needs it.
                Err(_) if name == BASE => return Ok(()),
                Err(_) => return Err(Error::Busy(name.to_owned())),
            }
        }
    }
}

impl<M: Machine> Drop for Session<M> {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            // eprintln!() would panic if the terminal was closed.
            let _ = writeln!(io::stderr(), "kalloctop: {error}");
        }
    }
}
