// SPDX-License-Identifier: GPL-2.0-only

//! The changes that several sessions share.
//!
//! Sessions of the same module share its entry in the watch list, and all sessions share
//! kalloc_watch. Each session holds a shared lock on a file for both. The session that makes the
//! change records it in the file. The last session to leave reverses it, whichever session made it.
//!
//! The kernel drops the locks of a process that ends, and /run is empty after a boot.

use rustix::fs::{
    flock,
    FlockOperation, //
};
use std::{
    fs::{
        self,
        DirBuilder,
        File,
        OpenOptions, //
    },
    io::{
        self,
        Read,
        Seek,
        Write, //
    },
    os::unix::fs::{
        DirBuilderExt,
        MetadataExt,
        OpenOptionsExt, //
    },
    path::{
        Path,
        PathBuf, //
    },
};

/// The directory of the files.
pub(super) const DIRECTORY: &str = "/run/kalloctop";

/// The lock of a session. It has no file if the directory cannot be written; the session then acts
/// as if it were alone.
pub(super) struct Share {
    file: Option<(PathBuf, File)>,
    /// The changes of this session.
    own: Vec<String>,
}

impl Share {
    /// Waits until no session reverses a change of this name, and takes the lock.
    pub(super) fn join(directory: &Path, name: &str) -> io::Result<Self> {
        let path = directory.join(name);
        let file = loop {
            let Ok(file) = open(directory, &path) else {
                break None;
            };
            // The records of sessions that were killed do not count.
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                file.set_len(0)?;
            }
            flock(&file, FlockOperation::LockShared)?;
            // The last session of the file has removed it.
            if fs::metadata(&path)
                .is_ok_and(|now| now.ino() == file.metadata().map_or(0, |it| it.ino()))
            {
                break Some((path, file));
            }
        };
        Ok(Self {
            file,
            own: Vec::new(),
        })
    }

    /// Records a change.
    pub(super) fn record(&mut self, change: &str) {
        self.own.push(change.to_owned());
        if let Some((_, file)) = &mut self.file {
            // Without the record, this session reverses the change if it is the last one.
            let _ = file.write_all(format!("{change}\n").as_bytes());
        }
    }

    /// Gives up the lock. Returns `None` if other sessions hold it.
    pub(super) fn leave(self) -> Option<Last> {
        let Self {
            file,
            own: mut changes,
        } = self;
        if let Some((_, mut file)) = file.as_ref().map(|(path, file)| (path, file)) {
            // The kernel drops the shared lock first. If two sessions leave at the same time, the
            // second one to do so therefore gets the exclusive lock.
            flock(file, FlockOperation::NonBlockingLockExclusive).ok()?;
            let mut text = String::new();
            // This session knows its own changes.
            let _ = file.rewind().and_then(|()| file.read_to_string(&mut text));
            changes.extend(text.lines().map(str::to_owned));
        }
        Some(Last { file, changes })
    }
}

/// Opens a file of the directory, which is created if necessary.
fn open(directory: &Path, path: &Path) -> io::Result<File> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    options.open(path)
}

/// The exclusive lock of the last session. Other sessions wait until it is dropped.
pub(super) struct Last {
    file: Option<(PathBuf, File)>,
    changes: Vec<String>,
}

impl Last {
    /// Returns true if a session has made this change.
    pub(super) fn has(&self, change: &str) -> bool {
        self.changes.iter().any(|known| known == change)
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        if let Some((path, _)) = &self.file {
            // A file that stays has no effect without a lock.
            let _ = fs::remove_file(path);
        }
    }
}
