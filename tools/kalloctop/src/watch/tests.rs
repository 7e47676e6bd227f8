// SPDX-License-Identifier: GPL-2.0-only

//! Tests that a session leaves the system as it was.

use super::{
    kernel_names,
    machine::{
        hint,
        stem, //
    },
    Machine,
    Session,
    Watch,
    BASE,
    ENTRY,
    SESSIONS,
    WATCHER, //
};
use crate::error::Error;
use kallocinfo::Watched;
use std::{
    cell::RefCell,
    collections::BTreeSet,
    env,
    fs,
    io,
    panic::{
        catch_unwind,
        AssertUnwindSafe, //
    },
    path::{
        Path,
        PathBuf, //
    },
    process,
    sync::atomic::{
        AtomicUsize,
        Ordering::Relaxed, //
    },
    time::Duration, //
};

/// A system in memory.
#[derive(Default)]
struct Fake {
    loaded: RefCell<BTreeSet<String>>,
    entries: RefCell<BTreeSet<String>>,
    /// The number of attempts for which kalloc_watch is in use.
    busy: RefCell<u32>,
    /// True if kalloc_watch does not start.
    fails: bool,
    /// The entry of another program that loads kalloc_watch at the same time.
    other: Option<&'static str>,
    shares: Shares,
}

/// A directory for the locks of the sessions, which is removed with the system.
struct Shares(PathBuf);

impl Default for Shares {
    fn default() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Relaxed);
        Self(env::temp_dir().join(format!("kalloctop-{}-{count}", process::id())))
    }
}

impl Drop for Shares {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Fake {
    fn with(loaded: &[&str], entries: &[&str]) -> Self {
        let set = |names: &[&str]| RefCell::new(names.iter().map(|it| (*it).to_owned()).collect());
        Self {
            loaded: set(loaded),
            entries: set(entries),
            ..Self::default()
        }
    }

    fn state(&self) -> (Vec<String>, Vec<String>) {
        let list = |set: &RefCell<BTreeSet<String>>| set.borrow().iter().cloned().collect();
        (list(&self.loaded), list(&self.entries))
    }
}

impl Machine for &Fake {
    fn is_loaded(&self, name: &str) -> bool {
        self.loaded.borrow().contains(name)
    }

    fn load(&self, name: &str, modules: &[String]) -> Result<(), Error> {
        self.loaded.borrow_mut().insert(BASE.to_owned());
        if self.fails {
            return Err(Error::NotRoot);
        }
        self.loaded.borrow_mut().insert(name.to_owned());
        let modules = self.other.map_or(modules.to_vec(), |name| names(&[name]));
        self.entries.borrow_mut().extend(modules);
        Ok(())
    }

    fn unload(&self, name: &str) -> io::Result<()> {
        if name == WATCHER && *self.busy.borrow() > 0 {
            *self.busy.borrow_mut() -= 1;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if name == WATCHER {
            self.entries.borrow_mut().clear();
        }
        match self.loaded.borrow_mut().remove(name) {
            true => Ok(()),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn watch_list(&self) -> Option<Watch> {
        let entries = self.entries.borrow();
        Some(Watch {
            entries: entries
                .iter()
                .map(|name| Watched {
                    name: name.clone(),
                    is_loaded: true,
                })
                .collect(),
            ..Watch::default()
        })
    }

    fn command(&self, text: &str) -> io::Result<()> {
        let mut entries = self.entries.borrow_mut();
        match text.split_once(' ') {
            Some(("add", "full")) => Err(io::ErrorKind::Unsupported.into()),
            Some(("add", name)) if entries.insert(name.to_owned()) => Ok(()),
            Some(("add", _)) => Err(io::ErrorKind::AlreadyExists.into()),
            Some(("remove", name)) if entries.remove(name) => Ok(()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn shares(&self) -> &Path {
        &self.shares.0
    }

    fn pause(&self, _: Duration) {}
}

/// The first session of a module to end leaves the watch of another one; the last one reverses the
/// changes of both.
#[test]
fn sessions_share_a_watch() {
    for first_ends in [true, false] {
        let fake = Fake::default();
        let watched = (names(&[BASE, WATCHER]), names(&["xfs"]));
        let first = Session::start(&fake, names(&["xfs"])).unwrap();
        let second = Session::start(&fake, names(&["xfs"])).unwrap();
        let (mut first, mut second) = if first_ends {
            (first, second)
        } else {
            (second, first)
        };
        first.end().unwrap();
        assert_eq!(fake.state(), watched);
        second.end().unwrap();
        assert_eq!(fake.state(), (vec![], vec![]));
        assert!(fs::read_dir(&fake.shares.0).unwrap().next().is_none());
    }
}

/// The entries of a session end with it, although other sessions continue.
#[test]
fn sessions_of_several_modules() {
    let fake = Fake::default();
    let mut first = Session::start(&fake, names(&["nfs", "xfs"])).unwrap();
    let mut second = Session::start(&fake, names(&["xfs", "zram"])).unwrap();
    first.end().unwrap();
    assert_eq!(
        fake.state(),
        (names(&[BASE, WATCHER]), names(&["xfs", "zram"]))
    );
    second.end().unwrap();
    assert_eq!(fake.state(), (vec![], vec![]));
}

/// Entries that no session has added stay, as does kalloc_watch with them.
#[test]
fn sessions_share_an_entry_of_others() {
    let fake = Fake::with(&[BASE, WATCHER], &["xfs"]);
    let before = fake.state();
    let mut first = Session::start(&fake, names(&["xfs"])).unwrap();
    let mut second = Session::start(&fake, names(&["xfs"])).unwrap();
    first.end().unwrap();
    second.end().unwrap();
    assert_eq!(fake.state(), before);
}

/// The records of a session that was killed do not count.
#[test]
fn a_killed_session() {
    let fake = Fake::with(&[BASE, WATCHER], &["xfs"]);
    fs::create_dir(&fake.shares.0).unwrap();
    fs::write(fake.shares.0.join(SESSIONS), format!("{WATCHER}\n")).unwrap();
    fs::write(fake.shares.0.join(format!("{ENTRY}xfs")), "xfs\n").unwrap();
    let before = fake.state();
    Session::start(&fake, names(&["xfs"]))
        .unwrap()
        .end()
        .unwrap();
    assert_eq!(fake.state(), before);
}

/// Without the directory of the locks, a session acts as if it were alone.
#[test]
fn no_directory() {
    let mut fake = Fake::default();
    fake.shares.0.push("none/none");
    check(&fake, &["xfs"], (&[BASE, WATCHER], &["xfs"]));
}

/// A session that loads kalloc_watch at the same time as another program leaves it loaded.
#[test]
fn loaded_by_another_program() {
    let fake = Fake {
        other: Some("nfs"),
        ..Fake::default()
    };
    let mut session = Session::start(&fake, names(&["xfs"])).unwrap();
    assert_eq!(fake.state().1, names(&["nfs", "xfs"]));
    session.end().unwrap();
    assert_eq!(fake.state(), (names(&[BASE, WATCHER]), names(&["nfs"])));
}

/// A module is watched once, whatever its name is.
#[test]
fn names_of_modules() {
    let modules = kernel_names(&names(&["nf-tables", "xfs", "nf_tables", "xfs"]));
    assert_eq!(modules, names(&["nf_tables", "xfs"]));
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|it| (*it).to_owned()).collect()
}

/// Watches `modules`; checks the system meanwhile, and that it is the same afterwards.
fn check(fake: &Fake, modules: &[&str], meanwhile: (&[&str], &[&str])) {
    let before = fake.state();
    let mut session = Session::start(fake, names(modules)).unwrap();
    assert_eq!(fake.state(), (names(meanwhile.0), names(meanwhile.1)));
    session.end().unwrap();
    assert_eq!(fake.state(), before);
    drop(session);
    assert_eq!(fake.state(), before);

    // After an error, a signal or a panic, the destructor does the same.
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _session = Session::start(fake, names(modules)).unwrap();
        assert_ne!(fake.state(), before);
        std::panic::resume_unwind(Box::new(()));
    }));
    assert!(panicked.is_err());
    assert_eq!(fake.state(), before);
}

#[test]
fn both_modules_are_unloaded_again() {
    check(&Fake::default(), &["xfs"], (&[BASE, WATCHER], &["xfs"]));
}

#[test]
fn a_loaded_kalloc_stays() {
    let fake = Fake::with(&[BASE, "xfs"], &[]);
    check(&fake, &["xfs"], (&[BASE, WATCHER, "xfs"], &["xfs"]));
}

#[test]
fn a_loaded_kalloc_watch_keeps_its_own_entries() {
    let fake = Fake::with(&[BASE, WATCHER], &["ext", "zram"]);
    check(
        &fake,
        &["xfs", "zram"],
        (&[BASE, WATCHER], &["ext", "xfs", "zram"]),
    );
}

#[test]
fn entries_of_others_keep_it_loaded() {
    let fake = Fake::default();
    let mut session = Session::start(&fake, names(&["xfs"])).unwrap();
    fake.entries.borrow_mut().insert("zram".to_owned());
    session.end().unwrap();
    assert_eq!(fake.state(), (names(&[BASE, WATCHER]), names(&["zram"])));
}

#[test]
fn a_reader_delays_the_unloading() {
    let fake = Fake::default();
    let mut session = Session::start(&fake, names(&["xfs"])).unwrap();
    *fake.busy.borrow_mut() = 5;
    session.end().unwrap();
    assert_eq!(fake.state(), (vec![], vec![]));

    let mut session = Session::start(&fake, names(&["xfs"])).unwrap();
    *fake.busy.borrow_mut() = 1000;
    let said = session.end().unwrap_err().to_string();
    assert!(said.starts_with("kalloc_watch: it stays loaded"), "{said}");
}

#[test]
fn a_failed_start_leaves_nothing() {
    let fake = Fake {
        fails: true,
        ..Fake::default()
    };
    assert!(Session::start(&fake, names(&["xfs"])).is_err());
    assert_eq!(fake.state(), (vec![], vec![]));

    let fake = Fake::with(&[BASE, WATCHER], &["zram"]);
    let said = Session::start(&fake, names(&["xfs", "full"]))
        .err()
        .unwrap();
    assert!(
        said.to_string()
            .ends_with("add full: unsupported (the kernel has no tracepoints)"),
        "{said}"
    );
    assert_eq!(fake.state(), (names(&[BASE, WATCHER]), names(&["zram"])));
}

#[test]
fn the_limits_are_described() {
    let fake = Fake::with(&[BASE, WATCHER, "xfs", "zram"], &["zram"]);
    let session = Session::start(&fake, names(&["xfs", "zram", "later"])).unwrap();
    let starts = [
        "zram was watched already",
        "xfs was loaded before",
        "Memory that the kernel allocates for a module",
    ];
    assert_eq!(session.notes.len(), starts.len(), "{:?}", session.notes);
    for (note, start) in session.notes.iter().zip(starts) {
        assert!(note.starts_with(start), "{note}");
    }
    drop(session);
    let session = Session::start(&fake, names(&["all"])).unwrap();
    assert_eq!(
        session.notes,
        ["Blocks that were allocated before the watch are not counted."]
    );
}

#[test]
fn names_are_those_of_the_files() {
    for (line, name) in [
        ("kernel/fs/xfs/xfs.ko: kernel/lib/libcrc32c.ko", "xfs"),
        ("kernel/drivers/a-b.ko.xz:", "a_b"),
        (
            "updates/dkms/kalloc_watch.ko.zst: updates/dkms/kalloc.ko.zst",
            "kalloc_watch",
        ),
        ("kernel/fs/ext4/ext4.ko", "ext4"),
    ] {
        assert_eq!(stem(line), name);
    }
}

#[test]
fn a_failed_load_has_its_cause() {
    let none = Some("[none] integrity confidentiality\n");
    let locked = Some("none [integrity] confidentiality\n");
    for (said, lockdown, cause) in [
        (
            "FATAL: Module kalloc_watch not found in directory /lib/modules/7.3",
            none,
            "install",
        ),
        (
            "ERROR: could not insert 'kalloc_watch': Operation not supported",
            None,
            "tracepoints",
        ),
        (
            "ERROR: could not insert 'kalloc_watch': Operation not permitted",
            locked,
            "lockdown",
        ),
        (
            "ERROR: could not insert 'kalloc_watch': Key was rejected by service",
            none,
            "signature",
        ),
        (
            "ERROR: could not insert 'kalloc_watch': Cannot allocate memory",
            none,
            "",
        ),
    ] {
        let hint = hint(said, lockdown);
        assert!(
            hint.contains(cause) && hint.is_empty() == cause.is_empty(),
            "{said}: {hint}"
        );
    }
}
