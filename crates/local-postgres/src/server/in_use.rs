//! The processes that use the server: each holds a shared lock on one file.
//!
//! The operating system releases a lock when its process ends, however it ends.

use std::fs::{File, TryLockError};

use super::directory::ServerDirectory;
use super::{Error, Result};

/// A shared lock.
#[derive(Debug)]
pub(super) struct InUse {
    file: File,
    path: std::path::PathBuf,
}

impl InUse {
    /// Locks the file, which no process keeps locked exclusively.
    pub(super) fn claim(place: &ServerDirectory) -> Result<Self> {
        let it = Self::open(place)?;
        it.file.lock_shared().map_err(Error::file(&it.path))?;
        Ok(it)
    }

    /// Whether any [`InUse`] is locked, in this process or in another.
    pub(super) fn by_anyone(place: &ServerDirectory) -> Result<bool> {
        let it = Self::open(place)?;
        match it.file.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(Error::file(&it.path)(source)),
        }
    }

    /// Unlocks before the value is dropped.
    pub(super) fn release(&self) -> Result<()> {
        self.file.unlock().map_err(Error::file(&self.path))
    }

    fn open(place: &ServerDirectory) -> Result<Self> {
        let path = place.directory().join("in-use");
        let file = File::options().create(true).append(true).open(&path).map_err(Error::file(&path))?;
        Ok(Self { file, path })
    }
}
