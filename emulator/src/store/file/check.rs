//! Reading and verifying a card file without letting redb write to it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::panic::PanicHookInfo;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{BackendError, Database, StorageBackend};
use zeroize::{Zeroize, Zeroizing};

use super::super::{RecordName, RecordValue, StoreError};
use super::format::{self, Fault};
use super::{CACHE, io};

/// Name of the threads that verify card files.
const CHECKING_THREAD: &str = "card-file-check";

/// Installs a panic hook that says nothing of redb's panics over damaged card files, and hands every
/// other panic to the hook before.
///
/// redb panics on some damaged files, the more when it was built with debug assertions. Such a panic
/// ends a thread of its own and becomes [`StoreError::Damaged`], which names the file; the panic's
/// words would only stand beside it, and a fuzzer's hook would take it for a fault.
pub fn keep_quiet_about_damaged_files() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !is_over_a_damaged_file(panic) {
            before(panic);
        }
    }));
}

fn is_over_a_damaged_file(panic: &PanicHookInfo<'_>) -> bool {
    std::thread::current().name() == Some(CHECKING_THREAD)
        && panic
            .location()
            .is_some_and(|location| is_of_redb(location.file()))
}

/// Whether a source file is one of redb's: they lie in a folder `redb` or `redb-VERSION`, wherever
/// they were built.
fn is_of_redb(file: &str) -> bool {
    Path::new(file).components().any(|part| {
        let part = part.as_os_str().to_string_lossy();
        part == "redb" || part.starts_with("redb-")
    })
}

/// The first bytes of every redb file.
const REDB_MAGIC: [u8; 9] = [b'r', b'e', b'd', b'b', 0x1A, 0x0A, 0xA9, 0x0D, 0x0A];

/// Larger files are not read: a full card takes about one MiB.
const LARGEST: u64 = 256 * 1024 * 1024;

/// All records of a file, whose every page and record has been verified.
pub(super) fn records(
    path: &Path,
    file: &mut File,
) -> Result<BTreeMap<RecordName, RecordValue>, StoreError> {
    let length = file.metadata().map_err(|error| io(path, error))?.len();
    let mut start = Vec::new();
    file.take(REDB_MAGIC.len() as u64)
        .read_to_end(&mut start)
        .map_err(|error| io(path, error))?;
    recognise(&start, length).map_err(|fault| fault.at(path))?;

    let capacity = usize::try_from(length).map_err(|error| io(path, error))?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    bytes.extend_from_slice(&start);
    file.read_to_end(&mut bytes)
        .map_err(|error| io(path, error))?;
    in_own_thread(bytes).map_err(|fault| fault.at(path))
}

/// Tells from the first bytes what is certainly no card file.
fn recognise(start: &[u8], length: u64) -> Result<(), Fault> {
    let foreign = |what: &str| Err(Fault::Foreign(what.into()));
    match length {
        0 => foreign("it is empty"),
        1..=LARGEST if start == REDB_MAGIC => Ok(()),
        _ => foreign("it has another format"),
    }
}

fn in_own_thread(bytes: Zeroizing<Vec<u8>>) -> Result<BTreeMap<RecordName, RecordValue>, Fault> {
    let checking = std::thread::Builder::new().name(CHECKING_THREAD.into());
    match checking
        .spawn(move || verify(bytes))
        .map(std::thread::JoinHandle::join)
    {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_panic)) => Err(Fault::Damaged("its pages contradict each other".into())),
        Err(error) => Err(Fault::Damaged(format!("it could not be verified: {error}"))),
    }
}

fn verify(bytes: Zeroizing<Vec<u8>>) -> Result<BTreeMap<RecordName, RecordValue>, Fault> {
    let database = Database::builder()
        .set_cache_size(CACHE)
        .set_check_integrity_on_open(true)
        .create_with_backend(Copy::new(bytes))
        .map_err(Fault::damaged)?;
    format::read_records(&database)
}

/// A copy of a file that redb may change as it likes.
struct Copy {
    bytes: Mutex<Zeroizing<Vec<u8>>>,
    /// The copy may not grow beyond this: a damaged header can ask for terabytes.
    limit: u64,
}

impl Copy {
    fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        let limit = 2 * bytes.len() as u64 + 16 * 1024 * 1024;
        Self {
            bytes: Mutex::new(bytes),
            limit,
        }
    }

    fn bytes(&self) -> MutexGuard<'_, Zeroizing<Vec<u8>>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Copy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copy")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// The part of `bytes` that starts at `offset` and is `length` long.
fn range(offset: u64, length: usize) -> Result<std::ops::Range<usize>, BackendError> {
    let start = usize::try_from(offset).map_err(|error| BackendError::Other(error.into()))?;
    let end = start.checked_add(length).ok_or_else(outside)?;
    Ok(start..end)
}

fn outside() -> BackendError {
    BackendError::Other("access outside the file".into())
}

impl StorageBackend for Copy {
    fn len(&self) -> std::io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        let bytes = self.bytes();
        let source = bytes.get(range(offset, out.len())?).ok_or_else(outside)?;
        out.copy_from_slice(source);
        Ok(())
    }

    fn set_len(&self, length: u64) -> std::io::Result<()> {
        if length > self.limit {
            return Err(outside().into());
        }
        let length = usize::try_from(length).map_err(std::io::Error::other)?;
        let mut bytes = self.bytes();
        let mut grown = Zeroizing::new(vec![0; length]);
        let kept = length.min(bytes.len());
        if let (Some(to), Some(from)) = (grown.get_mut(..kept), bytes.get(..kept)) {
            to.copy_from_slice(from);
        }
        bytes.zeroize();
        *bytes = grown;
        Ok(())
    }

    fn sync_data(&self) -> std::io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        let mut bytes = self.bytes();
        let target = bytes
            .get_mut(range(offset, data.len())?)
            .ok_or_else(outside)?;
        target.copy_from_slice(data);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_panics_of_the_storage_engine_are_expected() {
        assert!(is_of_redb("/registry/src/index/redb-4.6.0/src/db.rs"));
        assert!(is_of_redb("vendor/redb/src/tree_store/btree.rs"));
        assert!(!is_of_redb("emulator/src/store/file/format.rs"));
        assert!(!is_of_redb(file!()));
        assert!(!is_of_redb("library/core/src/option.rs"));
    }
}
