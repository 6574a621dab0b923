//! All records of a memory at one moment, and coming back to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Memory, Name, Record};
use crate::store::{Store, StoreError};

/// All records of a memory at one moment; cheap to copy, as the records are shared.
#[derive(Clone)]
pub(crate) struct Contents(BTreeMap<Name, Record>);

/// Coming back to a state.
impl Memory {
    /// The records as they are.
    pub(crate) fn contents(&self) -> Contents {
        Contents(self.records.clone())
    }

    /// A memory with these records over a store that holds nothing yet.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub(crate) fn with_contents(
        store: Box<dyn Store>,
        contents: &Contents,
    ) -> Result<Self, StoreError> {
        let mut memory = Self {
            store,
            records: BTreeMap::new(),
            undo: Vec::new(),
            fault: None,
        };
        memory.replace(contents)?;
        Ok(memory)
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
            .filter(|name| !contents.0.contains_key(name))
            .copied()
            .collect();
        for name in absent {
            self.set(name, None);
        }
        for (name, record) in &contents.0 {
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
