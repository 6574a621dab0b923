//! Reading inputs, and writing results that never overwrite and never stay half written.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{Exit, Failure};
use crate::secret::Secret;

/// Longest input worth reading: containers with certificates are a few kilobytes.
const MAX_INPUT: u64 = 1 << 20;

pub(super) fn read(path: &Path) -> Result<Secret, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(
            Exit::File,
            format!("cannot read {}: {error}", path.display()),
        )
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let len = file.metadata().map_err(failed)?.len();
    if len > MAX_INPUT {
        let what = format!("{} has {len} bytes, more than any key file", path.display());
        return Err(Failure::new(Exit::Input, what));
    }
    // One allocation: growing would leave copies of a secret behind.
    let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or_default() + 1);
    file.take(MAX_INPUT)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(Secret::new(bytes))
}

/// Fails early when an output exists already, before passwords are asked for.
pub(super) fn must_not_exist(path: &Path) -> Result<(), Failure> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::new(
            Exit::File,
            format!("cannot look at {}: {error}", path.display()),
        )),
        Ok(_) => Err(exists(path)),
    }
}

/// Writes a new file, readable for its owner only: whole or not at all.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let file = written(path, bytes)?;
    file.persist_noclobber(path)
        .map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => exists(path),
            _ => cannot_write(path, &error.error),
        })?;
    sync_directory(path);
    Ok(())
}

/// Puts new content in the place of a file in one step and keeps the old one beside it.
/// Returns the path of the old one.
pub(super) fn replace(path: &Path, old: &[u8], new: &[u8]) -> Result<PathBuf, Failure> {
    let backup = backup_path(path);
    let file = written(path, new)?;
    write_new(&backup, old)?;
    file.persist(path)
        .map_err(|error| cannot_write(path, &error.error))?;
    sync_directory(path);
    Ok(backup)
}

pub(super) fn backup_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".old");
    name.into()
}

fn written(path: &Path, bytes: &[u8]) -> Result<NamedTempFile, Failure> {
    let failed = |error: std::io::Error| cannot_write(path, &error);
    // A temporary file of this crate has mode 0600 and is removed when it is dropped.
    let mut file = NamedTempFile::new_in(directory(path)).map_err(failed)?;
    file.write_all(bytes)
        .and_then(|()| file.as_file().sync_all())
        .map_err(failed)?;
    Ok(file)
}

fn directory(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Makes the new name durable where the system can do that.
fn sync_directory(path: &Path) {
    let _ = std::fs::File::open(directory(path)).and_then(|directory| directory.sync_all());
}

fn exists(path: &Path) -> Failure {
    let what = format!(
        "{} exists; choose another name, nothing is overwritten",
        path.display()
    );
    Failure::new(Exit::File, what)
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::File,
        format!("cannot write {}: {error}", path.display()),
    )
}

/// The first line of a file, or else an environment variable that is set and not empty.
pub(super) fn first_line(path: Option<&Path>, variable: &str) -> Result<Option<Secret>, Failure> {
    let text = match path {
        Some(path) => read(path)?,
        None => match std::env::var(variable) {
            Ok(value) if !value.is_empty() => Secret::new(value.into_bytes()),
            _ => return Ok(None),
        },
    };
    let line = text.expose().split(|byte| *byte == b'\n').next();
    Ok(Some(Secret::new(
        line.unwrap_or_default().trim_ascii().to_vec(),
    )))
}

/// An SO-PIN from its 16 hexadecimal digits.
pub(super) fn so_pin(digits: &[u8]) -> Result<[u8; 8], Failure> {
    let mut so_pin = [0; 8];
    hex::decode_to_slice(digits, &mut so_pin)
        .map_err(|_| Failure::new(Exit::Input, "an SO-PIN has 16 hexadecimal digits"))?;
    Ok(so_pin)
}

/// Writes a report; an older one is replaced.
pub(super) fn write_report(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| cannot_write(path, &error))
}
