//! Making a new file that appears complete or not at all.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::super::StoreError;
use super::io;

/// Fills a temporary file beside `path`, then gives it that name.
///
/// A process killed before the end leaves at most the temporary file,
/// `.NAME.PID.new`, which nothing reads.
pub(super) fn publish<E: From<StoreError>>(
    path: &Path,
    fill: impl FnOnce(&Path, File) -> Result<(), E>,
) -> Result<(), E> {
    // Asked early so that nobody waits for a key generation in vain; decided by the link below.
    if std::fs::symlink_metadata(path).is_ok() {
        return Err(StoreError::Exists {
            path: path.to_path_buf(),
        }
        .into());
    }
    let temporary = Temporary::beside(path)?;
    let file = temporary
        .make()
        .map_err(|error| at(path, "could not be created", &error))?;
    fill(&temporary.0, file)?;
    give_name(&temporary.0, path)?;
    Ok(())
}

/// A name that is removed in the end, whatever happens.
struct Temporary(PathBuf);

impl Temporary {
    fn beside(path: &Path) -> Result<Self, StoreError> {
        let name = path
            .file_name()
            .ok_or_else(|| io(path, "is no name of a file"))?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.new", std::process::id()));
        Ok(Self(path.with_file_name(hidden)))
    }

    fn make(&self) -> std::io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&self.0)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Gone already after a rename; anything else leaves a file that does no harm.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Links, because a link never replaces what is there; a rename would.
fn give_name(temporary: &Path, path: &Path) -> Result<(), StoreError> {
    match std::fs::hard_link(temporary, path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(StoreError::Exists {
                path: path.to_path_buf(),
            });
        }
        // File systems without links: whoever creates the same name at the same moment loses.
        Err(_) if std::fs::symlink_metadata(path).is_err() => {
            std::fs::rename(temporary, path)
                .map_err(|error| at(path, "could not be created", &error))?;
        }
        Err(error) => return Err(at(path, "could not be created", &error)),
    }
    sync_directory(path)
}

/// Makes the name durable, not only the content.
fn sync_directory(path: &Path) -> Result<(), StoreError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if cfg!(unix) {
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|error| at(path, "its directory could not be written", &error))?;
    }
    Ok(())
}

fn at(path: &Path, what: &str, error: &std::io::Error) -> StoreError {
    io(path, format!("{what}: {error}"))
}
