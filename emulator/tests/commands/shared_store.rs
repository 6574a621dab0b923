//! A store that outlives its card, remembers every commit and can be told to fail.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use hsm2_emulator::card::Card;
use hsm2_emulator::crypto::CardRng;
use hsm2_emulator::store::{Change, EphemeralStore, RecordName, RecordValue, Store, StoreError};

type Records = BTreeMap<RecordName, RecordValue>;

/// A handle on the records; the card has another.
#[derive(Clone, Default)]
pub(crate) struct SharedStore(Arc<Mutex<Shared>>);

#[derive(Default)]
struct Shared {
    records: Records,
    /// The records after every commit.
    history: Vec<Records>,
    /// How many commits still succeed; `None`: all.
    allowed: Option<usize>,
}

impl SharedStore {
    /// Lets this many more commits succeed; all later ones fail.
    pub(crate) fn fail_after(&self, commits: usize) {
        self.lock().allowed = Some(commits);
    }

    /// Lets all commits succeed again.
    pub(crate) fn heal(&self) {
        self.lock().allowed = None;
    }

    /// Number of commits so far.
    pub(crate) fn commits(&self) -> usize {
        self.lock().history.len()
    }

    /// A card opened from what is durable now.
    pub(crate) fn reopen(&self) -> Card {
        open(self.lock().records.clone())
    }

    /// The cards that a power cut behind each commit would have left, from commit `first` on.
    pub(crate) fn torn(&self, first: usize) -> Vec<Card> {
        let shared = self.lock();
        shared
            .history
            .iter()
            .skip(first)
            .cloned()
            .map(open)
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap()
    }
}

fn open(records: Records) -> Card {
    let store = Box::new(EphemeralStore::from(records));
    Card::open(store, Box::new(CardRng::from_seed([2; 32]))).unwrap()
}

impl Store for SharedStore {
    fn load(&mut self) -> Result<Records, StoreError> {
        Ok(self.lock().records.clone())
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let mut shared = self.lock();
        match &mut shared.allowed {
            Some(0) => {
                return Err(StoreError::Io {
                    path: PathBuf::from("a test"),
                    what: "told to fail".into(),
                });
            }
            Some(left) => *left -= 1,
            None => {}
        }
        for change in changes {
            match change.clone() {
                Change::Put(name, value) => shared.records.insert(name, value),
                Change::Delete(name) => shared.records.remove(&name),
            };
        }
        let now = shared.records.clone();
        shared.history.push(now);
        Ok(())
    }
}
