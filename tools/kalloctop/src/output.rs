// SPDX-License-Identifier: GPL-2.0

//! Where a result goes: standard output, or a file that is never there in part.

use crate::error::Error;
use std::{
    fs::{
        self,
        File, //
    },
    io::{
        self,
        Write, //
    },
    path::{
        Path,
        PathBuf, //
    },
    process, //
};

/// A place for one text.
#[derive(Debug)]
pub(crate) enum Output {
    Stdout,
    /// A device or a pipe: there is nothing to replace.
    InPlace {
        file: File,
        path: PathBuf,
    },
    /// A file that takes the place of `path` when it is whole.
    Beside {
        file: File,
        path: PathBuf,
        beside: PathBuf,
    },
}

impl Output {
    /// This file, or standard output. It fails now rather than when the text is there.
    pub(crate) fn to(path: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = path else {
            return Ok(Self::Stdout);
        };
        // What a link names is replaced, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let failed = |source| Error::Write {
            path: path.clone(),
            source,
        };
        if path.exists() && !path.is_file() {
            let file = File::options().write(true).open(&path).map_err(failed)?;
            return Ok(Self::InPlace { file, path });
        }
        // Not the same ending: a collector must not take it for one of its files.
        let beside = path.with_extension(format!("tmp-{}", process::id()));
        let file = File::create(&beside).map_err(failed)?;
        Ok(Self::Beside { file, path, beside })
    }

    /// Writes the text.
    pub(crate) fn put(self, text: &str) -> Result<(), Error> {
        let text = text.as_bytes();
        match &self {
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(text)
                    .and_then(|()| out.flush())
                    .map_err(Error::Stdout)
            }
            Self::InPlace { file, path } => {
                let mut file = file;
                file.write_all(text).map_err(|source| Error::Write {
                    path: path.clone(),
                    source,
                })
            }
            Self::Beside { file, path, beside } => {
                let mut file = file;
                file.write_all(text)
                    .and_then(|()| fs::rename(beside, path))
                    .map_err(|source| Error::Write {
                        path: path.clone(),
                        source,
                    })
            }
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Self::Beside { beside, .. } = self {
            // Not there any more if it has become the file.
            let _ = fs::remove_file(beside);
        }
    }
}
