//! Locks between processes: a file that one of them holds at a time. The operating system lets go of it when its
//! process ends, however that happens.

use std::fs::{File, OpenOptions};
use std::path::Path;

use super::file::failed;
use crate::error::Result;

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "closing the file gives the lock back")] File);

/// Waits until no other process holds the lock of this file, which is made when missing and stays.
///
/// # Errors
/// A folder that cannot be written to, and file systems that know no locks.
pub fn lock(path: &Path) -> Result<Lock> {
    let open = || {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        file.lock()?;
        Ok(file)
    };
    open().map(Lock).map_err(|error| failed("lock", path, &error))
}
