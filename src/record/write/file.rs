//! A file that takes its place once it is whole.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::record::read::reason;

/// A file that is written beside its name and renamed to it by [`NewFile::keep`]: whoever looks sees the old file or
/// the whole new one. Dropped before that it leaves nothing.
#[derive(Debug)]
pub struct NewFile {
    out: BufWriter<tempfile::NamedTempFile>,
    /// Where it goes: behind a symbolic link, so that the link stays.
    path: PathBuf,
}

impl NewFile {
    /// Begins the file.
    ///
    /// # Errors
    /// A folder that is missing or cannot be written to.
    pub fn create(path: &Path) -> Result<NewFile> {
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let failed = |error: io::Error| failed(&path, &error);
        if path.is_dir() {
            return Err(Error::data(format!("cannot write {}: it is a folder", path.display())));
        }
        let file = temporary(folder_of(&path)).map_err(failed)?;
        Ok(NewFile { out: BufWriter::new(file), path })
    }

    /// Returns the name it has while it is written.
    pub fn temporary(&self) -> &Path {
        self.out.get_ref().path()
    }

    /// Forces the file to the disk and renames it into its place.
    ///
    /// # Errors
    /// Whatever the file system refuses.
    pub fn keep(mut self) -> Result<()> {
        let path = std::mem::take(&mut self.path);
        let kept = || -> io::Result<()> {
            let file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)?;
            Ok(())
        };
        kept().map_err(|error| failed(&path, &error))?;
        // The rename itself lasts only once the folder is on the disk; a folder that cannot be opened
        // for that is no reason to fail.
        if let Ok(folder) = std::fs::File::open(folder_of(&path)) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn failed(path: &Path, error: &io::Error) -> Error {
    Error::data(format!("cannot write {}: {}", path.display(), reason(error)))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A temporary file in the folder, with the permissions that any new file has: the default of the
/// crate is the owner alone.
fn temporary(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".records");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}
