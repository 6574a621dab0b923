//! Where the card's non-volatile memory lives: a set of records, changed in transactions.
//!
//! The card keeps its whole state in memory and tells the store what to change; the store never
//! interprets a record. [`FileStore`] keeps them in a card file, [`EphemeralStore`] nowhere.

mod file;

use std::collections::BTreeMap;
use std::path::PathBuf;

use zeroize::Zeroizing;

pub use file::{FileStore, keep_quiet_about_damaged_files};

/// The name of a record; the card chooses it.
pub type RecordName = Vec<u8>;

/// The content of a record: it may hold keys and PINs.
pub type RecordValue = Zeroizing<Vec<u8>>;

/// One change of a transaction.
#[derive(Clone, PartialEq, Eq)]
pub enum Change {
    /// Create the record or replace its content.
    Put(RecordName, RecordValue),
    /// Remove the record; removing one that does not exist is no error.
    Delete(RecordName),
}

/// Shows the record's name and the length of its content only.
impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Put(name, value) => {
                write!(f, "Put({}, {} bytes)", hex::encode(name), value.len())
            }
            Self::Delete(name) => write!(f, "Delete({})", hex::encode(name)),
        }
    }
}

/// Why a store could not do what it was asked for.
///
/// Each message names the file, the cause and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such file.
    #[error("{}: there is no such card file; `card create` makes one", path.display())]
    NotFound {
        /// The card file.
        path: PathBuf,
    },
    /// A new card file was to be made where something is already.
    #[error("{}: exists already and is never overwritten; choose another name", path.display())]
    Exists {
        /// What is in the way.
        path: PathBuf,
    },
    /// Another process, or another store of this one, has the file open.
    #[error(
        "{}: another process has this card file open; stop that one first, or use a copy",
        path.display()
    )]
    Locked {
        /// The card file.
        path: PathBuf,
    },
    /// The file was never a card file; it was not touched.
    #[error("{}: not a card file: {what}; it was left as it is", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead, as far as one can tell.
        what: String,
    },
    /// The file was written by a later version of this program; it was not touched.
    #[error(
        "{}: card file of format {found}, this version reads up to {supported}; \
         use a newer version (the file was left as it is)",
        path.display()
    )]
    Version {
        /// The card file.
        path: PathBuf,
        /// Format version in the file.
        found: u64,
        /// The latest format version that this program reads.
        supported: u64,
    },
    /// The file is a card file whose content does not verify; it was not touched.
    #[error(
        "{}: this card file is damaged: {what}; it was left as it is, restore it from a copy",
        path.display()
    )]
    Damaged {
        /// The card file.
        path: PathBuf,
        /// What did not verify.
        what: String,
    },
    /// The operating system or the database refused.
    #[error("{}: {what}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was refused and why.
        what: String,
    },
    /// A record could not be brought into the form that is stored.
    #[error("a record of the card could not be encoded: {0}")]
    Encoding(String),
}

/// Non-volatile memory.
pub trait Store: Send {
    /// All records.
    ///
    /// # Errors
    ///
    /// When the records cannot be read or are damaged.
    fn load(&mut self) -> Result<BTreeMap<RecordName, RecordValue>, StoreError>;

    /// Makes all changes or none; on return they are durable.
    ///
    /// # Errors
    ///
    /// When they could not be made durable; then none of them was made.
    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError>;
}

/// A store that forgets everything when it is dropped: for tests and throw-away cards.
#[derive(Default)]
pub struct EphemeralStore {
    records: BTreeMap<RecordName, RecordValue>,
}

impl From<BTreeMap<RecordName, RecordValue>> for EphemeralStore {
    fn from(records: BTreeMap<RecordName, RecordValue>) -> Self {
        Self { records }
    }
}

impl Store for EphemeralStore {
    fn load(&mut self) -> Result<BTreeMap<RecordName, RecordValue>, StoreError> {
        Ok(self.records.clone())
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        for change in changes {
            match change {
                Change::Put(name, value) => {
                    self.records.insert(name.clone(), value.clone());
                }
                Change::Delete(name) => {
                    self.records.remove(name);
                }
            }
        }
        Ok(())
    }
}

/// Shows the number of records only: they hold keys and PINs.
impl std::fmt::Debug for EphemeralStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EphemeralStore")
            .field("records", &self.records.len())
            .finish()
    }
}
