//! A card over a disk that remembers its writes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hsm2_attack::apdu::Answer;
use hsm2_attack::bench::Bench;
use hsm2_attack::store::{Records, apply};
use hsm2_attack::tape::Tape;
use hsm2_emulator::card::Card;
use hsm2_emulator::crypto::CardRng;
use hsm2_emulator::store::{Change, FileStore, Store, StoreError};

/// What was durable, and how many steps of the disk it took.
type Marks = Arc<Mutex<Vec<(usize, Records)>>>;

/// A card, its disk, and what it committed.
pub(crate) struct Machine {
    card: Card,
    pub(crate) tape: Tape,
    marks: Marks,
}

impl Machine {
    /// Moves a card, session and all, onto a disk; the tape starts behind that.
    pub(crate) fn new(bench: Bench) -> Self {
        let records = bench.store.records();
        let tape = Tape::new(card_file(&records));
        let marks = Marks::default();
        let path = PathBuf::from("the disk of a test");
        let store = Noting {
            inner: FileStore::on_storage(&path, tape.clone()).unwrap(),
            tape: tape.clone(),
            marks: marks.clone(),
        };
        let rng = Box::new(CardRng::from_seed([0xC4; 32]));
        let card = Card::from_snapshot(&bench.card.snapshot(), Box::new(store), rng).unwrap();
        tape.rewind();
        *marks.lock().unwrap() = vec![(0, records)];
        Self { card, tape, marks }
    }

    /// Sends a command and returns its word.
    pub(crate) fn send(&mut self, command: &[u8]) -> u16 {
        Answer::of(self.card.transmit(command)).status
    }

    /// What was durable before the command and after each of its commits.
    pub(crate) fn states(&self) -> Vec<Records> {
        let marks = self.marks.lock().unwrap();
        marks.iter().map(|(_, records)| records.clone()).collect()
    }

    /// How many commits had been acknowledged when this many steps were done.
    pub(crate) fn commits_done_at(&self, count: usize) -> usize {
        let marks = self.marks.lock().unwrap();
        marks.iter().filter(|(at, _)| *at <= count).count() - 1
    }
}

struct Noting {
    inner: FileStore,
    tape: Tape,
    marks: Marks,
}

impl Store for Noting {
    fn load(&mut self) -> Result<Records, StoreError> {
        self.inner.load()
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        self.inner.commit(changes)?;
        let mut marks = self.marks.lock().unwrap();
        let mut records = marks
            .last()
            .map(|(_, last)| last.clone())
            .unwrap_or_default();
        apply(&mut records, changes);
        marks.push((self.tape.len(), records));
        Ok(())
    }
}

/// The bytes of a card file with these records.
fn card_file(records: &Records) -> Vec<u8> {
    let folder = folder();
    let path = folder.path().join("card.hsm2");
    FileStore::create(&path, |mut store| {
        let changes: Vec<_> = records
            .iter()
            .map(|(name, value)| Change::Put(name.clone(), value.clone()))
            .collect();
        store.commit(&changes)
    })
    .unwrap();
    std::fs::read(&path).unwrap()
}

/// What a card file with these bytes holds when it is opened, as `serve` opens it.
pub(crate) fn opened(image: &[u8]) -> Result<Records, StoreError> {
    let folder = folder();
    let path = folder.path().join("card.hsm2");
    std::fs::write(&path, image).unwrap();
    FileStore::open(&path)?.load()
}

/// In memory where there is such a place: hundreds of images are written.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}
