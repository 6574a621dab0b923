//! A record of what reader and card said to each other: one JSON line for each exchange.
//!
//! ```text
//! {"time":"2026-01-31T12:00:00.123456Z","card":"ZZVT0000042","command":"0020008106************",
//!  "response":"9000","name":"VERIFY","about":"user PIN","status":"9000 success","micros":41,
//!  "blanked":true}
//! ```
//!
//! `time` is UTC, `micros` how long the card took. `key`, `label`, `algorithm` and `about` are
//! there when the command has them. Power on, power off and reset are lines with `event` in place
//! of the command. A reader that heard no response leaves a line without one, and behind it the
//! event `silence` or `removal`. [`blank`] says which bytes are stars, and why.

pub mod blank;
pub mod clock;
pub mod decode;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use serde::Serialize;

use crate::status::StatusWord;
use crate::store::StoreError;
use crate::transport::{Interruption, VirtualCard};
use blank::{Blanker, starred};

/// A trace file, shared by all cards of a process.
#[derive(Clone, Debug)]
pub struct TraceFile {
    file: Arc<Mutex<File>>,
}

impl TraceFile {
    /// Opens a file to append to; a new one is readable by its owner only.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened.
    pub fn append_to(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Self {
            file: Arc::new(Mutex::new(options.open(path)?)),
        })
    }

    /// Writes one line with one call, so that lines of several cards never mix.
    fn write(&self, line: &Line<'_>) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.file
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write_all(&text)
    }
}

/// One line.
#[derive(Debug, Default, Serialize)]
struct Line<'a> {
    time: String,
    card: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    algorithm: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    micros: Option<u128>,
    /// Whether stars stand for some bytes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    blanked: bool,
}

/// A card whose exchanges are recorded.
pub struct Traced<C> {
    card: C,
    name: String,
    file: TraceFile,
    secrets: Secrets,
    blanker: Blanker,
    /// What the reader hears instead of the last response, until it is taken.
    interruption: Option<Interruption>,
    complain: Option<Box<dyn FnOnce(io::Error) + Send>>,
}

/// What becomes of secret bytes in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// They become stars.
    Blanked,
    /// They are written like all other bytes.
    Written,
}

impl<C: VirtualCard> Traced<C> {
    /// Records under this name what `card` is asked and answers.
    ///
    /// `complain` is told, once, when the file cannot be written; the card goes on without it.
    pub fn new(
        card: C,
        name: String,
        file: TraceFile,
        secrets: Secrets,
        complain: impl FnOnce(io::Error) + Send + 'static,
    ) -> Self {
        let complain: Box<dyn FnOnce(io::Error) + Send> = Box::new(complain);
        Self {
            card,
            name,
            file,
            secrets,
            blanker: Blanker::default(),
            interruption: None,
            complain: Some(complain),
        }
    }

    fn write(&mut self, line: &Line<'_>) {
        if let Err(error) = self.file.write(line)
            && let Some(complain) = self.complain.take()
        {
            complain(error);
        }
    }

    fn event(&mut self, event: &'static str) {
        let name = std::mem::take(&mut self.name);
        self.write(&Line {
            time: now(),
            card: &name,
            event: Some(event),
            ..Line::default()
        });
        self.name = name;
    }
}

fn now() -> String {
    clock::rfc3339(SystemTime::now())
}

impl<C: VirtualCard> VirtualCard for Traced<C> {
    fn atr(&self) -> &[u8] {
        self.card.atr()
    }

    fn power_on(&mut self) {
        self.card.power_on();
        self.blanker = Blanker::default();
        self.event("power on");
    }

    fn power_off(&mut self) {
        self.card.power_off();
        self.blanker = Blanker::default();
        self.event("power off");
    }

    fn reset(&mut self) {
        self.card.reset();
        self.blanker = Blanker::default();
        self.event("reset");
    }

    fn take_fault(&mut self) -> Option<StoreError> {
        self.card.take_fault()
    }

    fn take_interruption(&mut self) -> Option<Interruption> {
        self.interruption.take()
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        let time = now();
        let decoded = decode::decode(command);
        let label = decoded.key.and_then(|key| self.card.key_label(key));
        let start = Instant::now();
        let response = self.card.transmit(command);
        let micros = start.elapsed().as_micros();
        self.interruption = self.card.take_interruption();
        let heard = self.interruption.is_none();

        let blanks = match self.secrets {
            Secrets::Blanked => self.blanker.blanks(command, &response),
            Secrets::Written => blank::Blanks::default(),
        };
        let name = std::mem::take(&mut self.name);
        self.write(&Line {
            time,
            card: &name,
            event: None,
            command: Some(starred(command, &blanks.command)),
            response: heard.then(|| starred(&response, &blanks.response)),
            name: Some(decoded.name),
            key: decoded.key,
            label,
            algorithm: decoded.algorithm,
            about: decoded.about,
            status: response
                .last_chunk()
                .filter(|_| heard)
                .map(|status| StatusWord::from(u16::from_be_bytes(*status)).to_string()),
            micros: Some(micros),
            blanked: !blanks.command.is_empty() || (heard && !blanks.response.is_empty()),
        });
        self.name = name;
        match self.interruption {
            None => {}
            Some(Interruption::Silence) => self.event("silence"),
            Some(Interruption::Removal) => self.event("removal"),
        }
        response
    }

    fn key_label(&self, key: u8) -> Option<String> {
        self.card.key_label(key)
    }
}

impl<C> std::fmt::Debug for Traced<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Traced")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
