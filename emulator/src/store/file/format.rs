//! Tables, the version record and the checksum of records.

use std::collections::BTreeMap;
use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::super::{RecordName, RecordValue, StoreError};

/// The latest format version: the one that is written.
pub(super) const VERSION: u64 = 1;

/// Its presence tells a card file from other databases.
pub(super) const FORMAT: TableDefinition<'_, &str, u64> =
    TableDefinition::new("hsm2-emulator card");
/// Key of the version in [`FORMAT`].
pub(super) const VERSION_KEY: &str = "version";

/// The card's records.
pub(super) const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

/// Length of a checksum in bytes.
const CHECKSUM: usize = 16;

/// Ties a record's value to its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checksum([u8; CHECKSUM]);

impl Checksum {
    pub(super) fn of(name: &[u8], value: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(u32::try_from(name.len()).unwrap_or(u32::MAX).to_be_bytes());
        hash.update(name);
        hash.update(value);
        let digest: [u8; 32] = hash.finalize().into();
        let mut checksum = [0; CHECKSUM];
        checksum.copy_from_slice(digest.split_at(CHECKSUM).0);
        Self(checksum)
    }
}

/// What is wrong with a file's content; the caller adds the path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Foreign(String),
    Version(u64),
    Damaged(String),
}

impl Fault {
    pub(super) fn at(self, path: &Path) -> StoreError {
        let path = path.to_path_buf();
        match self {
            Self::Foreign(what) => StoreError::Foreign { path, what },
            Self::Version(found) => StoreError::Version {
                path,
                found,
                supported: VERSION,
            },
            Self::Damaged(what) => StoreError::Damaged { path, what },
        }
    }

    pub(super) fn damaged(error: impl std::fmt::Display) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// Value of a record as it is stored: checksum ‖ value.
pub(super) fn seal(name: &[u8], value: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut stored = Zeroizing::new(Vec::with_capacity(CHECKSUM + value.len()));
    stored.extend_from_slice(&Checksum::of(name, value).0);
    stored.extend_from_slice(value);
    stored
}

/// Takes a stored value apart again and checks it.
fn unseal(name: &[u8], stored: &[u8]) -> Result<RecordValue, Fault> {
    stored
        .split_first_chunk::<CHECKSUM>()
        .filter(|(checksum, value)| Checksum::of(name, value).0 == **checksum)
        .map(|(_, value)| Zeroizing::new(value.to_vec()))
        .ok_or_else(|| {
            Fault::Damaged(format!(
                "the checksum of record {} is wrong",
                hex::encode(name)
            ))
        })
}

/// Makes the two tables in an empty database.
pub(super) fn initialise(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction
        .open_table(FORMAT)?
        .insert(VERSION_KEY, VERSION)?;
    transaction.open_table(RECORDS)?;
    transaction.commit()?;
    Ok(())
}

/// Reads the version and all records.
pub(super) fn read_records(
    database: &Database,
) -> Result<BTreeMap<RecordName, RecordValue>, Fault> {
    let transaction = database.begin_read().map_err(Fault::damaged)?;
    let format = transaction
        .open_table(FORMAT)
        .map_err(|error| match error {
            TableError::Storage(error) => Fault::damaged(error),
            _ => Fault::Foreign("it is a database of another program".into()),
        })?;
    match format
        .get(VERSION_KEY)
        .map_err(Fault::damaged)?
        .map(|version| version.value())
    {
        Some(1..=VERSION) => {}
        Some(newer) => return Err(Fault::Version(newer)),
        None => return Err(Fault::Damaged("it has no format version".into())),
    }
    let table = transaction.open_table(RECORDS).map_err(Fault::damaged)?;
    let mut records = BTreeMap::new();
    for entry in table.iter().map_err(Fault::damaged)? {
        let (name, stored) = entry.map_err(Fault::damaged)?;
        records.insert(name.value().to_vec(), unseal(name.value(), stored.value())?);
    }
    Ok(records)
}
