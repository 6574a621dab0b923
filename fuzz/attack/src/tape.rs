//! A disk that remembers every write, so that a test can cut the power behind each of them.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

/// One thing that the database asked the disk to do.
#[derive(Clone, Debug)]
enum Step {
    Write(usize, Vec<u8>),
    Resize(usize),
    Sync,
}

/// A handle on the disk; the database has another.
#[derive(Clone, Debug)]
pub struct Tape(Arc<Mutex<Disk>>);

#[derive(Debug)]
struct Disk {
    /// What the disk held before the first step.
    start: Vec<u8>,
    /// What it holds now.
    now: Vec<u8>,
    steps: Vec<Step>,
    /// How many steps still succeed; `None`: all.
    allowed: Option<usize>,
}

impl Tape {
    /// A disk that holds this card file.
    #[must_use]
    pub fn new(file: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Disk {
            start: file.clone(),
            now: file,
            steps: Vec::new(),
            allowed: None,
        })))
    }

    /// Forgets the steps so far: what the disk holds now is the start.
    pub fn rewind(&self) {
        let mut disk = self.lock();
        disk.start = disk.now.clone();
        disk.steps.clear();
    }

    /// Number of steps since the start.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().steps.len()
    }

    /// True when nothing was written since the start.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lets this many more steps succeed; all later ones fail.
    pub fn fail_after(&self, steps: usize) {
        self.lock().allowed = Some(steps);
    }

    /// What the disk holds now.
    #[must_use]
    pub fn image(&self) -> Vec<u8> {
        self.lock().now.clone()
    }

    /// What the disk may hold when power goes behind step `count`.
    ///
    /// A disk keeps what it was told to sync. Of the writes since, it may have kept all; all but any
    /// one of them, for it is free to reorder; or all with the last one torn in the middle.
    #[must_use]
    pub fn torn(&self, count: usize) -> Vec<Vec<u8>> {
        let disk = self.lock();
        let done = &disk.steps[..count];
        let synced = done
            .iter()
            .rposition(|step| matches!(step, Step::Sync))
            .map_or(0, |at| at + 1);
        let mut images = vec![replay(&disk.start, done, None)];
        for lost in synced..count {
            if matches!(done[lost], Step::Write(..)) {
                images.push(replay(&disk.start, done, Some((lost, 0))));
            }
        }
        if let Some(Step::Write(_, bytes)) = done.last() {
            images.push(replay(
                &disk.start,
                done,
                Some((count - 1, bytes.len() / 2)),
            ));
        }
        images
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does the steps; of the step that `cut` names only so many bytes are written.
fn replay(start: &[u8], steps: &[Step], cut: Option<(usize, usize)>) -> Vec<u8> {
    let mut image = start.to_vec();
    for (index, step) in steps.iter().enumerate() {
        match step {
            Step::Write(offset, bytes) => {
                let kept = match cut {
                    Some((at, kept)) if at == index => kept,
                    _ => bytes.len(),
                };
                image[*offset..offset + kept].copy_from_slice(&bytes[..kept]);
            }
            Step::Resize(length) => image.resize(*length, 0),
            Step::Sync => {}
        }
    }
    image
}

impl Disk {
    fn record(&mut self, step: Step) -> io::Result<()> {
        match &mut self.allowed {
            Some(0) => return Err(io::Error::other("the disk is gone")),
            Some(left) => *left -= 1,
            None => {}
        }
        match &step {
            Step::Write(offset, bytes) => {
                self.now[*offset..offset + bytes.len()].copy_from_slice(bytes);
            }
            Step::Resize(length) => self.now.resize(*length, 0),
            Step::Sync => {}
        }
        self.steps.push(step);
        Ok(())
    }
}

impl StorageBackend for Tape {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let disk = self.lock();
        let bytes = disk
            .now
            .get(start..start + out.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        self.lock().record(Step::Resize(length))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.lock().record(Step::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        self.lock().record(Step::Write(offset, data.to_vec()))
    }
}
