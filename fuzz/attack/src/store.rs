//! A store that a test can look into, and that fails when it is told to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hsm2_emulator::store::{Change, RecordName, RecordValue, Store, StoreError};

/// All records of a card in the form in which they are stored.
pub type Records = BTreeMap<RecordName, RecordValue>;

/// A handle on the records of a card; the card has another.
#[derive(Clone, Debug, Default)]
pub struct WatchedStore(Arc<Mutex<Shared>>);

#[derive(Default)]
struct Shared {
    records: Records,
    /// Every commit since somebody last looked; nothing before anybody did.
    commits: Option<Vec<Vec<Change>>>,
    /// How many commits still succeed; `None`: all.
    allowed: Option<usize>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("records", &self.records.len())
            .finish_non_exhaustive()
    }
}

impl WatchedStore {
    /// A store that holds these records.
    #[must_use]
    pub fn with(records: Records) -> Self {
        let store = Self::default();
        store.lock().records = records;
        store
    }

    /// A copy of what is durable now.
    #[must_use]
    pub fn records(&self) -> Records {
        self.lock().records.clone()
    }

    /// Looks at what is durable now.
    pub fn look<T>(&self, at: impl FnOnce(&Records) -> T) -> T {
        at(&self.lock().records)
    }

    /// The commits since this was last called; the first time, none.
    #[must_use]
    pub fn take_commits(&self) -> Vec<Vec<Change>> {
        let commits = &mut self.lock().commits;
        commits.replace(Vec::new()).unwrap_or_default()
    }

    /// Lets this many more commits succeed; all later ones fail.
    pub fn fail_after(&self, commits: usize) {
        self.lock().allowed = Some(commits);
    }

    /// Lets all commits succeed again.
    pub fn heal(&self) {
        self.lock().allowed = None;
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // A panic elsewhere leaves whole records: each change is one insertion.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes changes to records.
pub fn apply(records: &mut Records, changes: &[Change]) {
    for change in changes {
        match change.clone() {
            Change::Put(name, value) => records.insert(name, value),
            Change::Delete(name) => records.remove(&name),
        };
    }
}

impl Store for WatchedStore {
    fn load(&mut self) -> Result<Records, StoreError> {
        Ok(self.records())
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
        apply(&mut shared.records, changes);
        if let Some(commits) = &mut shared.commits {
            commits.push(changes.to_vec());
        }
        Ok(())
    }
}
