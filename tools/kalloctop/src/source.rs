// SPDX-License-Identifier: GPL-2.0-only

//! The input files.

use crate::error::Error;
use kallocinfo::{
    ParseError,
    Snapshot,
    Watch, //
};
use std::{
    fs,
    io::{
        self,
        Read, //
    },
    os::unix::fs::FileTypeExt,
    path::{
        Path,
        PathBuf, //
    },
    time::{
        SystemTime,
        UNIX_EPOCH, //
    }, //
};

const SLABS: &str = "/proc/kallocinfo";
const SITES: &str = "/sys/kernel/debug/kalloc/sites.json";
pub(crate) const WATCHED: &str = "/proc/kallocwatch";
const WATCHED_SITES: &str = "/sys/kernel/debug/kalloc/watch.json";
/// The watch list, which also accepts commands.
pub(crate) const WATCH_LIST: &str = "/sys/kernel/debug/kalloc/watch";
/// The file that stands for standard input.
pub(crate) const STDIN: &str = "-";

/// The input files, which are read repeatedly.
#[derive(Debug)]
pub(crate) struct Source {
    files: Vec<Files>,
    page_size: u64,
    /// The modules whose rows are selected; empty for all rows.
    modules: Vec<String>,
    /// Notes that each reading has.
    notes: Vec<String>,
}

/// The files of one kind of rows.
#[derive(Debug)]
struct Files {
    slabs: PathBuf,
    sites: Option<PathBuf>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// Files of the command line, which must exist.
    Given,
    /// The files of kalloc.
    Sites,
    /// The files of kalloc_watch.
    Watched,
}

impl Source {
    /// Returns the source of this file, or of the files of kalloc and kalloc_watch without one.
    pub(crate) fn new(
        file: Option<PathBuf>,
        sites: Option<PathBuf>,
        page_size: Option<u32>,
    ) -> Self {
        let files = match file {
            Some(slabs) => vec![Files {
                slabs,
                sites,
                kind: Kind::Given,
            }],
            None => vec![
                Files {
                    slabs: SLABS.into(),
                    sites: Some(SITES.into()),
                    kind: Kind::Sites,
                },
                Files::watched(),
            ],
        };
        Self {
            files,
            page_size: page_size.map_or_else(own_page_size, u64::from),
            modules: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Returns the source of kalloc_watch's rows of these modules; of all its rows if there are
    /// none.
    pub(crate) fn watched(modules: Vec<String>, notes: Vec<String>) -> Self {
        Self {
            files: vec![Files::watched()],
            page_size: own_page_size(),
            modules,
            notes,
        }
    }

    /// Returns the names of the files for the display.
    pub(crate) fn name(&self) -> String {
        let names = self.files.iter().filter(|files| files.are_wanted());
        let names: Vec<String> = names.map(Files::name).collect();
        names.join(" and ")
    }

    /// Checks that the files can be read more than once: none is standard input or another pipe
    /// without a name, for example of the shell's `<(COMMAND)`.
    pub(crate) fn check_repeatable(&self) -> Result<(), Error> {
        let once = |path: &&PathBuf| {
            let is_pipe = fs::metadata(path).is_ok_and(|it| it.file_type().is_fifo());
            path.as_os_str() == STDIN || is_pipe && fs::canonicalize(path).is_err()
        };
        let mut all = self
            .files
            .iter()
            .flat_map(|files| [&files.slabs].into_iter().chain(&files.sites));
        all.find(once)
            .map_or(Ok(()), |path| Err(Error::ReadOnce(path.clone())))
    }

    /// Reads all files.
    pub(crate) fn read(&self) -> Result<Snapshot, Error> {
        let mut all = self.read_each()?.into_iter().map(|(_, snapshot)| snapshot);
        let mut snapshot = all.next().unwrap_or_default();
        all.for_each(|other| snapshot.append(other));
        Ok(snapshot)
    }

    /// Reads the files of each kind; returns the results with their names. The files of kalloc or of
    /// kalloc_watch may be missing, but not both.
    pub(crate) fn read_each(&self) -> Result<Vec<(String, Snapshot)>, Error> {
        let taken = SystemTime::now().duration_since(UNIX_EPOCH).ok();
        let taken = taken.and_then(|time| u64::try_from(time.as_millis()).ok());
        let mut all = Vec::new();
        let mut missing = None;
        for files in &self.files {
            match files.read(self.page_size) {
                Ok(mut snapshot) => {
                    let is_wanted = |name: &str| {
                        self.modules.is_empty() || self.modules.iter().any(|it| it == name)
                    };
                    snapshot.taken_ms = snapshot.taken_ms.or(taken);
                    snapshot.rows.retain(|row| is_wanted(row.module()));
                    snapshot.notes.extend(self.notes.iter().cloned());
                    if files.kind == Kind::Watched {
                        let watch = watch_list().unwrap_or_default();
                        snapshot.notes.extend(watch.notes(is_wanted));
                    }
                    all.push((files.name(), snapshot));
                }
                Err(Error::Read { path, source }) if source.kind() == io::ErrorKind::NotFound => {
                    missing.get_or_insert(Error::Read { path, source });
                }
                Err(error) => return Err(error),
            }
        }
        match missing {
            Some(error) if all.is_empty() => Err(error),
            _ => Ok(all),
        }
    }
}

impl Files {
    fn watched() -> Self {
        Self {
            slabs: WATCHED.into(),
            sites: Some(WATCHED_SITES.into()),
            kind: Kind::Watched,
        }
    }

    fn name(&self) -> String {
        self.slabs.display().to_string()
    }

    /// Returns false for files of kalloc_watch that do not exist.
    fn are_wanted(&self) -> bool {
        self.kind != Kind::Watched || self.slabs.exists()
    }

    fn read(&self, page_size: u64) -> Result<Snapshot, Error> {
        let sites = match &self.sites {
            None => {
                return Snapshot::parse(&text_of(&self.slabs)?, page_size)
                    .map_err(said_of(&self.slabs))
            }
            Some(path) => {
                let sites = |text: String| Snapshot::parse_sites(&text).map_err(said_of(path));
                match text_of(path) {
                    Ok(text) => Some(sites(text)?),
                    Err(Error::Read { .. }) if self.kind != Kind::Given => None,
                    Err(error) => return Err(error),
                }
            }
        };
        let slabs = || {
            let text = text_of(&self.slabs)?;
            Snapshot::parse_slabs(&text).map_err(said_of(&self.slabs))
        };
        match (self.kind, sites) {
            // The rows of slabinfo may be groups. Their slabs are only computed from the sizes.
            (Kind::Watched, Some(sites)) => Ok(Snapshot::of(Vec::new(), sites, page_size)),
            (_, sites) => Ok(Snapshot::of(slabs()?, sites.unwrap_or_default(), page_size)),
        }
    }
}

/// Returns the watch list of kalloc_watch, if it is readable.
pub(crate) fn watch_list() -> Option<Watch> {
    text_of(Path::new(WATCH_LIST))
        .ok()
        .map(|text| Watch::parse(&text))
}

fn own_page_size() -> u64 {
    u64::try_from(rustix::param::page_size()).unwrap_or(4096)
}

fn said_of(path: &Path) -> impl FnOnce(ParseError) -> Error + '_ {
    |source| Error::Parse {
        path: path.to_owned(),
        source,
    }
}

fn text_of(path: &Path) -> Result<String, Error> {
    let mut bytes = Vec::new();
    let read = if path.as_os_str() == STDIN {
        io::stdin().read_to_end(&mut bytes)
    } else {
        fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    read.map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        said_of(path)(ParseError {
            line,
            what: "it is no UTF-8 text".to_owned(),
        })
    })
}
