// SPDX-License-Identifier: GPL-2.0-only

//! The command `watch`: loads kalloc_watch, shows its rows, and leaves the system as it was.

mod machine;
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

/// The changes of the system, which the end or the destructor reverses.
struct Session<M: Machine> {
    machine: M,
    modules: Vec<String>,
    /// The modules that this session loads, in the order of their unloading.
    loaded: Vec<&'static str>,
    /// The entries that this session has added to the watch list of a loaded module.
    added: Vec<String>,
    notes: Vec<String>,
}

impl<M: Machine> Session<M> {
    /// Starts to watch.
    fn start(machine: M, modules: Vec<String>) -> Result<Self, Error> {
        let mut session = Self {
            machine,
            modules: Vec::new(),
            loaded: Vec::new(),
            added: Vec::new(),
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
        if session.machine.is_loaded(WATCHER) {
            session.add()?;
        } else {
            // A failed attempt may have loaded some of them.
            session.loaded = vec![WATCHER, BASE];
            session
                .loaded
                .retain(|name| !session.machine.is_loaded(name));
            session.machine.load(WATCHER, &session.modules)?;
            if !session.watches_each() {
                // Another program loaded it at the same time, with other modules.
                session.loaded.clear();
                session.add()?;
            }
        }
        session.describe(&old);
        Ok(session)
    }

    /// Adds the modules to the list of a loaded kalloc_watch.
    fn add(&mut self) -> Result<(), Error> {
        for name in &self.modules {
            match self.machine.command(&format!("add {name}")) {
                Ok(()) => self.added.push(name.clone()),
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

    /// Ends to watch. Unloads what this session has loaded, or else removes what it has added.
    fn end(&mut self) -> Result<(), Error> {
        let loaded = std::mem::take(&mut self.loaded);
        let mut added = std::mem::take(&mut self.added);
        if loaded.contains(&WATCHER) && self.has_other_entries() {
            // Another user relies on the module.
            added.clone_from(&self.modules);
        } else {
            loaded.iter().try_for_each(|name| self.unload(name))?;
        }
        let failed = |name: &String| match self.machine.command(&format!("remove {name}")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Some((name.clone(), error)),
            _ => None,
        };
        match added.iter().filter_map(failed).next() {
            None => Ok(()),
            Some((name, source)) => Err(Error::Command {
                command: format!("remove {name}"),
                source,
                hint: "",
            }),
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
