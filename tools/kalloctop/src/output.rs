// SPDX-License-Identifier: GPL-2.0-only

//! The destination of a result: standard output, or a file that is never incomplete.

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

/// The destination of one text.
#[derive(Debug)]
pub(crate) enum Output {
    Stdout,
    /// A device or a pipe, which is written in place.
    InPlace {
        file: File,
        path: PathBuf,
    },
    /// A temporary file that replaces `path` when it is complete.
    Beside {
        file: File,
        path: PathBuf,
        beside: PathBuf,
    },
}

impl Output {
    /// Opens a file, or standard output without a path. Fails before the text is computed if the
    /// file cannot be created.
    pub(crate) fn to(path: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = path else {
            return Ok(Self::Stdout);
        };
        // Replace the target of a link, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let failed = |source| Error::Write {
            path: path.clone(),
            source,
        };
        if path.exists() && !path.is_file() {
            let file = File::options().write(true).open(&path).map_err(failed)?;
            return Ok(Self::InPlace { file, path });
        }
        // The temporary file has another extension, because a collector may read every file with the
        // extension of `path`.
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
            // The removal fails if the file was renamed to `path`.
            let _ = fs::remove_file(beside);
        }
    }
}
