// SPDX-License-Identifier: GPL-2.0-only

//! The input files.

use crate::error::Error;
use kallocinfo::{
    ParseError,
    Snapshot, //
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
/// The file that stands for standard input.
pub(crate) const STDIN: &str = "-";

/// The input files, which are read repeatedly.
#[derive(Debug)]
pub(crate) struct Source {
    slabs: PathBuf,
    sites: Option<PathBuf>,
    /// True if the program continues without sites.json when that file is unreadable.
    sites_optional: bool,
    page_size: u64,
}

impl Source {
    /// Returns the source of this file, or of kalloc's own files without one.
    pub(crate) fn new(
        file: Option<PathBuf>,
        sites: Option<PathBuf>,
        page_size: Option<u32>,
    ) -> Self {
        let page_size = page_size.map_or_else(
            || u64::try_from(rustix::param::page_size()).unwrap_or(4096),
            u64::from,
        );
        match file {
            Some(slabs) => Self {
                slabs,
                sites,
                sites_optional: false,
                page_size,
            },
            None => Self {
                slabs: SLABS.into(),
                sites: Some(SITES.into()),
                sites_optional: true,
                page_size,
            },
        }
    }

    /// Returns the name for the display.
    pub(crate) fn name(&self) -> String {
        self.slabs.display().to_string()
    }

    /// Checks that the files can be read more than once: none is standard input or another pipe
    /// without a name, for example of the shell's `<(COMMAND)`.
    pub(crate) fn check_repeatable(&self) -> Result<(), Error> {
        let once = |path: &&PathBuf| {
            let is_pipe = fs::metadata(path).is_ok_and(|it| it.file_type().is_fifo());
            path.as_os_str() == STDIN || is_pipe && fs::canonicalize(path).is_err()
        };
        let found = [&self.slabs].into_iter().chain(&self.sites).find(once);
        found.map_or(Ok(()), |path| Err(Error::ReadOnce(path.clone())))
    }

    /// Reads all files.
    pub(crate) fn read(&self) -> Result<Snapshot, Error> {
        let taken = SystemTime::now().duration_since(UNIX_EPOCH).ok();
        let mut snapshot = self.read_files()?;
        let taken = taken.and_then(|time| u64::try_from(time.as_millis()).ok());
        snapshot.taken_ms = snapshot.taken_ms.or(taken);
        Ok(snapshot)
    }

    fn read_files(&self) -> Result<Snapshot, Error> {
        let text = text_of(&self.slabs)?;
        let Some(path) = &self.sites else {
            return Snapshot::parse(&text, self.page_size).map_err(said_of(&self.slabs));
        };
        let slabs = Snapshot::parse_slabs(&text).map_err(said_of(&self.slabs))?;
        let sites = match text_of(path) {
            Ok(text) => Snapshot::parse_sites(&text).map_err(said_of(path))?,
            Err(Error::Read { .. }) if self.sites_optional => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(Snapshot::of(slabs, sites, self.page_size))
    }
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
