//! Opening and locking a file without changing it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::Path;

use super::super::StoreError;
use super::io;

/// Opens the file for reading and writing; nobody else has it open.
pub(super) fn exclusive(path: &Path) -> Result<File, StoreError> {
    let file = open(path, OpenOptions::new().read(true).write(true))?;
    settle(path, file.try_lock())?;
    still_named(path, &file)?;
    Ok(file)
}

/// Opens the file for reading; others may read it too.
pub(super) fn shared(path: &Path) -> Result<File, StoreError> {
    let file = open(path, OpenOptions::new().read(true))?;
    settle(path, file.try_lock_shared())?;
    Ok(file)
}

fn open(path: &Path, options: &OpenOptions) -> Result<File, StoreError> {
    // Asked first, because opening a pipe would wait for its other end.
    let kind = std::fs::metadata(path).map_err(|error| refused(path, &error))?;
    if !kind.is_file() {
        let what = if kind.is_dir() {
            "it is a directory"
        } else {
            "it is not a regular file"
        };
        return Err(StoreError::Foreign {
            path: path.to_path_buf(),
            what: what.into(),
        });
    }
    options.open(path).map_err(|error| refused(path, &error))
}

fn settle(path: &Path, outcome: Result<(), TryLockError>) -> Result<(), StoreError> {
    outcome.map_err(|error| match error {
        TryLockError::WouldBlock => StoreError::Locked {
            path: path.to_path_buf(),
        },
        TryLockError::Error(error) => io(path, format!("could not be locked: {error}")),
    })
}

/// Refuses a file that was replaced between opening and locking it.
#[cfg(unix)]
fn still_named(path: &Path, file: &File) -> Result<(), StoreError> {
    use std::os::unix::fs::MetadataExt;
    let named = std::fs::metadata(path).map_err(|error| refused(path, &error))?;
    let open = file.metadata().map_err(|error| refused(path, &error))?;
    if (named.dev(), named.ino()) == (open.dev(), open.ino()) {
        Ok(())
    } else {
        Err(io(
            path,
            "was replaced while it was being opened; try again",
        ))
    }
}

#[cfg(not(unix))]
fn still_named(_: &Path, _: &File) -> Result<(), StoreError> {
    Ok(())
}

fn refused(path: &Path, error: &std::io::Error) -> StoreError {
    match error.kind() {
        ErrorKind::NotFound => StoreError::NotFound {
            path: path.to_path_buf(),
        },
        _ => io(path, format!("could not be opened: {error}")),
    }
}
