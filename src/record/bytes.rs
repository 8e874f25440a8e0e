//! The bytes of a file: read into memory, or mapped when there are many of them.

use std::fs::File;
use std::io::Read;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;

use crate::error::{Error, Result};
use crate::record::read::unreadable;

/// Files below this size are read: a mapping costs a page fault for every 4 KiB, reading copies as much at once.
const MAP_FROM_BYTES: u64 = 1 << 20;

/// The bytes of a file; cheap to clone.
///
/// A mapped file must not be cut short by another program while it is used: the operating system ends every
/// process that touches the missing part, and no program can prevent that. Files that are replaced as a whole
/// (written beside and renamed) are safe.
#[derive(Clone, Debug)]
pub(super) struct Bytes(Arc<Held>);

#[derive(Debug)]
enum Held {
    Read(Vec<u8>),
    Mapped(Mmap),
}

impl Bytes {
    /// Opens a file; with `map`, a large one is mapped.
    ///
    /// # Errors
    /// No such file, a folder, and whatever the file system refuses.
    pub fn open(path: &Path, map: bool) -> Result<Bytes> {
        let failed = |error: std::io::Error| unreadable(path, &error);
        let mut file = File::open(path).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        if about.is_dir() {
            return Err(Error::data(format!("{} is a folder, expected a file", path.display())));
        }
        // Devices and pipes have no length to map.
        if map && about.is_file() && about.len() >= MAP_FROM_BYTES {
            // SAFETY: the mapping is read-only and every access stays within the length it was made with; that
            // nobody cuts the file short meanwhile is what the documentation asks of the user.
            let mapped = unsafe { Mmap::map(&file) };
            if let Ok(mapped) = mapped {
                return Ok(Bytes(Arc::new(Held::Mapped(mapped))));
            }
        }
        let mut bytes = Vec::new();
        // One byte more than there are: the end is seen without another buffer.
        let length = usize::try_from(about.len()).unwrap_or(0);
        bytes
            .try_reserve_exact(length.saturating_add(1))
            .map_err(|_| Error::data(format!("{} has {length} bytes, too many for the memory", path.display())))?;
        file.read_to_end(&mut bytes).map_err(failed)?;
        Ok(Bytes::from(bytes))
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes(Arc::new(Held::Read(bytes)))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &*self.0 {
            Held::Read(bytes) => bytes,
            Held::Mapped(mapped) => mapped,
        }
    }
}
