//! Where the card's non-volatile memory lives: a set of records, changed in transactions.
//!
//! The card keeps its whole state in memory and tells the store what to change; the store never
//! interprets a record.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

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

/// Why the store could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

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
#[derive(Debug, Default)]
pub struct EphemeralStore {
    records: BTreeMap<RecordName, RecordValue>,
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
