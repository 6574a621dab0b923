//! A card file: one `redb` database that one process at a time has open.
//!
//! ```text
//! table "hsm2-emulator card"     "version" -> u64, the format version
//! table "records"                record name -> checksum (16 bytes) ‖ record value
//! ```
//!
//! The checksum is the first half of SHA-256(length of name as u32, big endian ‖ name ‖ value).
//!
//! *Opening.* redb repairs what a killed process left, writing while it does so, and may panic on
//! pages that something else changed. So a file is first locked, read into memory and opened and
//! verified there, every page and every record; only a file that passed is opened in place, and
//! only when something is written, as opening waits for the disk. A refused file keeps every byte.
//!
//! *What stays of deleted records.* redb writes changed pages to free places: the old content
//! stays in the file until a later commit reuses the page. A copy made with
//! [`FileStore::copy`] holds live records only.

mod check;
mod create;
mod format;
mod lock;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use redb::Database;
use redb::backends::FileBackend;

use super::{Change, RecordName, RecordValue, Store, StoreError};
pub use check::keep_quiet_about_damaged_files;
use format::{Checksum, RECORDS};

/// Bytes of pages that redb may keep in memory; the card holds its records itself.
const CACHE: usize = 256 * 1024;

/// A card file that is open for reading and writing.
///
/// The file stays locked until the store is dropped; the lock goes with the process.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    state: State,
    /// The checksum of every record as it was last committed or loaded.
    committed: BTreeMap<RecordName, Checksum>,
}

/// How far the file is open.
enum State {
    /// Locked and verified, with the records that were found; nothing was written yet.
    Verified(File, BTreeMap<RecordName, RecordValue>),
    /// Open for writing.
    Open(Database),
    /// A commit failed; the next one opens the file anew.
    Failed,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Verified(..) => "verified",
            Self::Open(_) => "open",
            Self::Failed => "failed",
        })
    }
}

impl FileStore {
    /// Opens an existing card file.
    ///
    /// A file that a killed process left in the middle of a commit opens with the state before or
    /// after that commit.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`], [`StoreError::Locked`], [`StoreError::Foreign`],
    /// [`StoreError::Version`], [`StoreError::Damaged`] or [`StoreError::Io`]; the file is then
    /// byte for byte what it was.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut file = lock::exclusive(path)?;
        let records = check::records(path, &mut file)?;
        Ok(Self {
            path: path.to_path_buf(),
            committed: checksums(&records),
            state: State::Verified(file, records),
        })
    }

    /// Makes a new card file and lets `fill` write its first records; the file appears under its
    /// name complete or not at all, readable and writable by its owner only.
    ///
    /// # Errors
    ///
    /// [`StoreError::Exists`] when there is something of that name, [`StoreError::Io`], or what
    /// `fill` returned.
    pub fn create<E: From<StoreError>>(
        path: &Path,
        fill: impl FnOnce(Self) -> Result<(), E>,
    ) -> Result<(), E> {
        create::publish(path, |temporary, file| {
            let store = Self::format(temporary, file)?;
            fill(store)
        })
    }

    /// The records of a card file, which is not changed.
    ///
    /// # Errors
    ///
    /// As [`FileStore::open`]; a card that a process serves is [`StoreError::Locked`].
    pub fn snapshot(path: &Path) -> Result<BTreeMap<RecordName, RecordValue>, StoreError> {
        let mut file = lock::shared(path)?;
        check::records(path, &mut file)
    }

    /// Copies the live records of the card file `from` into a new card file `to`.
    ///
    /// # Errors
    ///
    /// As [`FileStore::snapshot`] for `from` and as [`FileStore::create`] for `to`.
    pub fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
        let records = Self::snapshot(from)?;
        Self::create(to, |mut store| {
            let changes: Vec<_> = records
                .into_iter()
                .map(|(name, value)| Change::Put(name, value))
                .collect();
            store.commit(&changes)
        })
    }

    /// Opens a verified card file on another storage than a file: for tests that fail it, or cut the
    /// power, between two writes.
    ///
    /// `path` is what errors name, and what the next commit after a failed one opens.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] or [`StoreError::Damaged`] when the storage holds no card file.
    pub fn on_storage(path: &Path, storage: impl redb::StorageBackend) -> Result<Self, StoreError> {
        let database = open_verified(path, storage)?;
        let records = format::read_records(&database).map_err(|fault| fault.at(path))?;
        Ok(Self {
            path: path.to_path_buf(),
            state: State::Open(database),
            committed: checksums(&records),
        })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Turns an empty, locked file into a card file without records.
    fn format(path: &Path, file: File) -> Result<Self, StoreError> {
        let database = open_file(path, file)?;
        format::initialise(&database).map_err(|e| io(path, e))?;
        Ok(Self {
            path: path.to_path_buf(),
            state: State::Open(database),
            committed: BTreeMap::new(),
        })
    }

    /// The open database; opened at the first commit, and anew if the last commit failed.
    ///
    /// redb accepts nothing more after a failed write, so that a disk which was full for a while
    /// would otherwise end the card. The state in the file must still be the last committed one:
    /// the card that was told of the failure has gone back to it.
    fn database(&mut self) -> Result<&Database, StoreError> {
        if matches!(self.state, State::Failed) {
            let again = Self::open(&self.path)?;
            if again.committed != self.committed {
                return Err(StoreError::Damaged {
                    path: self.path.clone(),
                    what: "a commit that was reported as failed is in the file".into(),
                });
            }
            self.state = again.state;
        }
        if let State::Verified(..) = self.state
            && let State::Verified(file, _) = std::mem::replace(&mut self.state, State::Failed)
        {
            self.state = State::Open(open_file(&self.path, file)?);
        }
        match &self.state {
            State::Open(database) => Ok(database),
            State::Verified(..) | State::Failed => Err(io(&self.path, "the card file is closed")),
        }
    }
}

/// The checksum of every record.
fn checksums(records: &BTreeMap<RecordName, RecordValue>) -> BTreeMap<RecordName, Checksum> {
    records
        .iter()
        .map(|(name, value)| (name.clone(), Checksum::of(name, value)))
        .collect()
}

impl Store for FileStore {
    fn load(&mut self) -> Result<BTreeMap<RecordName, RecordValue>, StoreError> {
        if let State::Verified(_, records) = &self.state {
            return Ok(records.clone());
        }
        let path = self.path.clone();
        let database = self.database()?;
        let records = format::read_records(database).map_err(|fault| fault.at(&path))?;
        Ok(records)
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let path = self.path.clone();
        let outcome = write(self.database()?, changes);
        if let Err(error) = outcome {
            self.state = State::Failed;
            return Err(io(&path, format!("could not be written: {error}")));
        }
        for change in changes {
            match change {
                Change::Put(name, value) => {
                    self.committed
                        .insert(name.clone(), Checksum::of(name, value));
                }
                Change::Delete(name) => {
                    self.committed.remove(name);
                }
            }
        }
        Ok(())
    }
}

/// Makes the changes in one transaction; it is on the disk when this returns.
fn write(database: &Database, changes: &[Change]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(RECORDS)?;
        for change in changes {
            match change {
                Change::Put(name, value) => {
                    let stored = format::seal(name, value);
                    table.insert(name.as_slice(), stored.as_slice())?;
                }
                Change::Delete(name) => {
                    table.remove(name.as_slice())?;
                }
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

fn open_file(path: &Path, file: File) -> Result<Database, StoreError> {
    open_verified(path, FileBackend::new(file).map_err(|e| io(path, e))?)
}

fn open_verified(path: &Path, backend: impl redb::StorageBackend) -> Result<Database, StoreError> {
    Database::builder()
        .set_cache_size(CACHE)
        .create_with_backend(backend)
        .map_err(|error| match error {
            redb::DatabaseError::DatabaseAlreadyOpen => StoreError::Locked {
                path: path.to_path_buf(),
            },
            other => io(path, other),
        })
}

fn io(path: &Path, what: impl std::fmt::Display) -> StoreError {
    StoreError::Io {
        path: path.to_path_buf(),
        what: what.to_string(),
    }
}
