// SPDX-License-Identifier: GPL-2.0-only

//! The destination of a result: standard output, or a file that is never incomplete.
//!
//! A file that replaces another keeps its mode, group and owner. A new file has mode 0644 with any umask:
//! node exporter reads it as another user, and root often has umask 077.

use crate::error::Error;
use std::{
    fs::{
        self,
        File,
        Permissions, //
    },
    io::{
        self,
        Write, //
    },
    os::unix::fs::{
        fchown,
        MetadataExt,
        OpenOptionsExt,
        PermissionsExt, //
    },
    path::{
        Path,
        PathBuf, //
    },
    process, //
};

/// The mode of a file that replaces no other.
const MODE: u32 = 0o644;

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
    /// Opens a file, or standard output for `-` or without a path. Fails before the text is computed if the
    /// file cannot be created.
    pub(crate) fn to(path: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = path.filter(|path| path.as_os_str() != "-") else {
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
        let file = create(&beside, fs::metadata(&path).ok().as_ref()).map_err(failed)?;
        Ok(Self::Beside { file, path, beside })
    }

    /// Checks that the file can be created. Does not open a device or a pipe.
    pub(crate) fn check(path: Option<&Path>) -> Result<(), Error> {
        match path {
            Some(path) if path.exists() && !path.is_file() => Ok(()),
            _ => Self::to(path).map(drop),
        }
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

/// Creates a file with the mode, the group and the owner of the file that it will replace.
fn create(path: &Path, old: Option<&fs::Metadata>) -> io::Result<File> {
    // A former process with the same number may have left the file. `create_new` follows no link.
    let _ = fs::remove_file(path);
    let mut options = File::options();
    let file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let mode = old.map_or(MODE, |old| {
        let mode = old.mode() & 0o777;
        // Only root may give a file away. For other users, the owner changes.
        let _ = fchown(&file, Some(old.uid()), None);
        match fchown(&file, None, Some(old.gid())) {
            Ok(()) => mode,
            // The file gets a group of this process, which must not gain access: it gets the
            // permissions of all others.
            Err(_) => mode & 0o707 | (mode & 0o007) << 3,
        }
    });
    file.set_permissions(Permissions::from_mode(mode))?;
    Ok(file)
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Self::Beside { beside, .. } = self {
            // The removal fails if the file was renamed to `path`.
            let _ = fs::remove_file(beside);
        }
    }
}
