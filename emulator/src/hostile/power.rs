//! Cutting the power at a write.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::store::{Change, RecordName, RecordValue, Store, StoreError};

/// No cut is set.
const ON: i64 = i64::MAX;

/// Cuts the power of a [`Switched`] store.
#[derive(Clone, Debug)]
pub struct PowerSwitch(Arc<AtomicI64>);

impl PowerSwitch {
    /// A switch that is on.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(ON)))
    }

    /// Lets this many writes happen, and no more.
    pub(super) fn cut_after(&self, writes: u32) {
        self.0.store(i64::from(writes), Ordering::Relaxed);
    }

    /// Switches on again; true when power went meanwhile: behind the last write that it lets happen.
    pub(super) fn restore(&self) -> bool {
        self.0.swap(ON, Ordering::Relaxed) <= 0
    }
}

impl Default for PowerSwitch {
    fn default() -> Self {
        Self::new()
    }
}

/// A store that writes while its switch is on.
pub struct Switched {
    store: Box<dyn Store>,
    power: PowerSwitch,
}

impl Switched {
    /// Puts a switch before a store.
    #[must_use]
    pub fn new(store: Box<dyn Store>, power: PowerSwitch) -> Self {
        Self { store, power }
    }
}

impl Store for Switched {
    fn load(&mut self) -> Result<BTreeMap<RecordName, RecordValue>, StoreError> {
        self.store.load()
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        if self.power.0.load(Ordering::Relaxed) != ON
            && self.power.0.fetch_sub(1, Ordering::Relaxed) <= 0
        {
            return Err(StoreError::Io {
                path: PathBuf::from("hostile card"),
                what: "its script cuts the power here".into(),
            });
        }
        self.store.commit(changes)
    }
}

impl std::fmt::Debug for Switched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Switched")
            .field("power", &self.power)
            .finish_non_exhaustive()
    }
}
