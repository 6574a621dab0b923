//! All records of a memory at one moment, and coming back to them.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::{Memory, Name, Record, encode};
use crate::store::{Change, Store, StoreError};

/// All records of a memory at one moment; cheap to copy, as the records are shared.
#[derive(Clone)]
pub(crate) struct Contents {
    records: BTreeMap<Name, Record>,
    /// What an empty store is told, worked out once for all copies: many cards are made of one
    /// snapshot.
    written: Arc<OnceLock<Vec<Change>>>,
}

impl Contents {
    /// The changes that make `earlier` these records. Only what was replaced since is looked into.
    pub(crate) fn changes_since(&self, earlier: &Self) -> Result<Vec<Change>, StoreError> {
        let absent = earlier
            .records
            .keys()
            .filter(|name| !self.records.contains_key(name))
            .map(|name| Ok(Change::Delete(name.to_bytes())));
        let replaced = self
            .records
            .iter()
            .filter(|(name, record)| !earlier.records.get(name).is_some_and(|old| old.is(record)))
            .map(|(name, record)| Ok(Change::Put(name.to_bytes(), encode(record)?)));
        absent.chain(replaced).collect()
    }

    fn written(&self) -> Result<&[Change], StoreError> {
        if let Some(changes) = self.written.get() {
            return Ok(changes);
        }
        let nothing = Self {
            records: BTreeMap::new(),
            written: Arc::default(),
        };
        let changes = self.changes_since(&nothing)?;
        Ok(self.written.get_or_init(|| changes))
    }
}

/// Coming back to a state.
impl Memory {
    /// The records as they are.
    pub(crate) fn contents(&self) -> Contents {
        Contents {
            records: self.records.clone(),
            written: Arc::default(),
        }
    }

    /// A memory with these records over a store that holds nothing yet.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub(crate) fn with_contents(
        mut store: Box<dyn Store>,
        contents: &Contents,
    ) -> Result<Self, StoreError> {
        store.commit(contents.written()?)?;
        Ok(Self {
            store,
            records: contents.records.clone(),
            undo: Vec::new(),
            fault: None,
        })
    }

    /// Makes these records, and no others, durable.
    ///
    /// # Errors
    ///
    /// When the store fails; nothing has changed then.
    pub(crate) fn replace(&mut self, contents: &Contents) -> Result<(), StoreError> {
        self.rollback();
        let absent: Vec<_> = self
            .records
            .keys()
            .filter(|name| !contents.records.contains_key(name))
            .copied()
            .collect();
        for name in absent {
            self.set(name, None);
        }
        for (name, record) in &contents.records {
            if !self.records.get(name).is_some_and(|own| own.is(record)) {
                self.set(*name, Some(record.clone()));
            }
        }
        self.flush()
    }
}

impl Record {
    /// True when both are one and the same object, not merely equal.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Device(a), Self::Device(b)) => Arc::ptr_eq(a, b),
            (Self::Setup(a), Self::Setup(b)) => Arc::ptr_eq(a, b),
            (Self::Pin(a), Self::Pin(b)) => Arc::ptr_eq(a, b),
            (Self::Domain(a), Self::Domain(b)) => Arc::ptr_eq(a, b),
            (Self::Key(a), Self::Key(b)) => Arc::ptr_eq(a, b),
            (Self::File(a), Self::File(b)) => Arc::ptr_eq(a, b),
            (Self::Custodian(a), Self::Custodian(b)) => Arc::ptr_eq(a, b),
            (Self::SessionPin(a), Self::SessionPin(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}
