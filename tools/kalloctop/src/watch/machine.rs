// SPDX-License-Identifier: GPL-2.0-only

//! The modules of the running kernel, and the watch list.

use super::{
    Watch,
    ALL, //
};
use crate::{
    error::{
        plain,
        Error, //
    },
    source::{
        self,
        WATCH_LIST, //
    }, //
};
use rustix::{
    process::geteuid,
    system::{
        delete_module,
        uname, //
    }, //
};
use std::{
    env,
    ffi::CString,
    fs,
    io,
    path::Path,
    process::Command,
    thread,
    time::Duration, //
};

/// The directories of modprobe, which the PATH of a user may lack.
const SYSTEM_PATH: &str = "/usr/sbin:/sbin";

/// The number of call sites for the whole kernel.
const ALL_SITES: u32 = 8192;

/// The system that a session changes.
pub(super) trait Machine {
    /// Returns true if a module is loaded.
    fn is_loaded(&self, name: &str) -> bool;

    /// Loads a module, and those on which it depends, with the modules to watch as its parameter.
    fn load(&self, name: &str, modules: &[String]) -> Result<(), Error>;

    /// Unloads a module.
    fn unload(&self, name: &str) -> io::Result<()>;

    /// Returns the watch list, if it is readable.
    fn watch_list(&self) -> Option<Watch>;

    /// Writes a command to the watch list.
    fn command(&self, text: &str) -> io::Result<()>;

    /// Returns the directory of the files that sessions share.
    fn shares(&self) -> &Path;

    /// Waits.
    fn pause(&self, time: Duration);
}

/// The running kernel.
pub(super) struct Running;

impl Running {
    /// Fails if this user may not load modules.
    pub(super) fn check_root(&self) -> Result<(), Error> {
        match geteuid().is_root() {
            true => Ok(()),
            false => Err(Error::NotRoot),
        }
    }

    /// Fails if there is no module of this name, loaded or not.
    pub(super) fn check_module(&self, name: &str) -> Result<(), Error> {
        let is_valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        if !name.chars().all(is_valid) {
            return Err(Error::NotAModule(name.to_owned()));
        }
        if self.is_loaded(name) {
            return Ok(());
        }
        let path = Path::new("/lib/modules").join(uname().release().to_string_lossy().as_ref());
        let has = |file: &str| {
            let text = fs::read_to_string(path.join(file)).unwrap_or_default();
            text.lines().any(|line| stem(line) == name)
        };
        // The directory of a loaded module has an initstate.
        if has("modules.builtin") || Path::new("/sys/module").join(name).exists() {
            return Err(Error::BuiltIn(name.to_owned()));
        }
        match has("modules.dep") {
            true => Ok(()),
            false => Err(Error::NoModule {
                name: name.to_owned(),
                path,
            }),
        }
    }
}

/// Returns the name of the module in a line of modules.dep or modules.builtin.
pub(super) fn stem(line: &str) -> String {
    let path = line.split(':').next().unwrap_or_default();
    let file = path.rsplit('/').next().unwrap_or_default();
    let name = file.split_once(".ko").map_or(file, |(name, _)| name);
    name.replace('-', "_")
}

impl Machine for Running {
    fn is_loaded(&self, name: &str) -> bool {
        // Built-in code has no such file, but kalloc_watch has its rows.
        let state = Path::new("/sys/module").join(name).join("initstate");
        state.exists() || name == super::WATCHER && Path::new(source::WATCHED).exists()
    }

    fn load(&self, name: &str, modules: &[String]) -> Result<(), Error> {
        let path = env::var("PATH").unwrap_or_default();
        let mut modprobe = Command::new("modprobe");
        modprobe
            .env("PATH", format!("{path}:{SYSTEM_PATH}"))
            .env("LC_ALL", "C")
            .args([name, &format!("modules={}", modules.join(","))]);
        if modules.iter().any(|module| module == ALL) {
            modprobe.arg(format!("sites={ALL_SITES}"));
        }
        let lockdown = fs::read_to_string("/sys/kernel/security/lockdown").ok();
        let failed = |said: &str| Error::Load {
            name: name.to_owned(),
            said: said.to_owned(),
            hint: hint(said, lockdown.as_deref()),
        };
        let done = modprobe
            .output()
            .map_err(|error| failed(&format!("modprobe: {}", plain(&error))))?;
        if done.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&done.stderr);
        Err(failed(said.lines().last().unwrap_or("modprobe fails")))
    }

    fn unload(&self, name: &str) -> io::Result<()> {
        // O_NONBLOCK: fail if the module is in use.
        let flags = rustix::fs::OFlags::NONBLOCK.bits();
        let name = CString::new(name)?;
        Ok(delete_module(&name, flags.cast_signed())?)
    }

    fn watch_list(&self) -> Option<Watch> {
        source::watch_list()
    }

    fn command(&self, text: &str) -> io::Result<()> {
        fs::OpenOptions::new()
            .write(true)
            .open(WATCH_LIST)
            .and_then(|mut list| io::Write::write_all(&mut list, text.as_bytes()))
    }

    fn shares(&self) -> &Path {
        Path::new(super::share::DIRECTORY)
    }

    fn pause(&self, time: Duration) {
        thread::sleep(time);
    }
}

/// Returns the probable cause of a message of modprobe.
pub(super) fn hint(said: &str, lockdown: Option<&str>) -> &'static str {
    let is_locked = lockdown.is_some_and(|modes| !modes.contains("[none]"));
    if said.contains("not found") {
        " (install kalloc-dkms, or run make modules_install)"
    } else if said.contains("not supported") {
        " (the kernel has no tracepoints)"
    } else if said.contains("rejected") || is_locked {
        " (in lockdown, kalloc.ko and kalloc_watch.ko need a signature)"
    } else {
        ""
    }
}
