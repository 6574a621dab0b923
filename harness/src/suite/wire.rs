//! The only way from a scenario to a card: asks the guard, sends, writes down.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use hsm2_emulator::trace::blank::{Blanker, starred};
use hsm2_emulator::trace::clock::rfc3339;
use hsm2_emulator::trace::decode::decode;
use serde::{Deserialize, Serialize};

use crate::card::command::StatusWord;
use crate::guard::Guard;
use crate::transport::{Target, TransportError};

/// One exchange, or something else that was done to a card, as a report shows it. Secrets are stars.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Exchange {
    /// Which card: A or B.
    pub card: String,
    /// When it was sent: UTC, RFC 3339.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub time: String,
    /// `reset` or `power cycle`, in place of a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The command in hexadecimal digits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// The response in hexadecimal digits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub response: String,
    /// Name of the command.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What else the header says: key, algorithm, file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// The status word in hexadecimal digits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// The status word in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub meaning: String,
    /// How long the card took, in microseconds.
    #[serde(default)]
    pub micros: u64,
    /// The same as exactly as the clock of this machine tells; in no report.
    #[serde(skip)]
    pub took: Duration,
    /// What the guard said, on a device that somebody uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<String>,
}

/// What was written down; the cards of one bench share it.
#[derive(Debug, Clone, Default)]
pub struct Log(Rc<RefCell<Vec<Exchange>>>);

impl Log {
    fn push(&self, exchange: Exchange) {
        self.0.borrow_mut().push(exchange);
    }

    /// How many exchanges there were.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// True when there was none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hands the exchanges out and begins anew.
    #[must_use]
    pub fn take(&self) -> Vec<Exchange> {
        self.0.take()
    }

    /// How long the card took for the last command, in microseconds.
    #[must_use]
    pub fn last_micros(&self) -> u64 {
        let exchanges = self.0.borrow();
        exchanges.last().map_or(0, |exchange| exchange.micros)
    }

    /// How long the card took for the last command, as exactly as the clock tells.
    #[must_use]
    pub fn last_took(&self) -> Duration {
        let exchanges = self.0.borrow();
        exchanges
            .last()
            .map_or(Duration::ZERO, |exchange| exchange.took)
    }

    /// The last command in words, for findings.
    #[must_use]
    pub fn last(&self) -> String {
        let exchanges = self.0.borrow();
        let last = exchanges.last();
        last.map_or_else(String::new, |last| {
            let mut words = vec![last.name.clone()];
            words.extend(last.details.iter().cloned());
            words.join(", ")
        })
    }
}

/// A card behind the guard.
pub struct Wire {
    name: char,
    target: Box<dyn Target>,
    guard: Guard,
    log: Log,
    blanker: Blanker,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire")
            .field("name", &self.name)
            .field("target", &self.target.describe())
            .finish_non_exhaustive()
    }
}

impl Wire {
    /// Puts the guard before a card.
    #[must_use]
    pub fn new(name: char, target: Box<dyn Target>, guard: Guard, log: Log) -> Self {
        Self {
            name,
            target,
            guard,
            log,
            blanker: Blanker::default(),
        }
    }

    fn event(&mut self, event: &str) {
        self.blanker = Blanker::default();
        self.log.push(Exchange {
            card: self.name.into(),
            time: rfc3339(SystemTime::now()),
            event: Some(event.into()),
            ..Exchange::default()
        });
    }
}

impl Target for Wire {
    fn describe(&self) -> String {
        self.target.describe()
    }

    fn atr(&self) -> Vec<u8> {
        self.target.atr()
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let decoded = decode(command);
        let key = decoded.key.map(|key| format!("key {key}"));
        let details = [key, decoded.algorithm, decoded.about];
        let mut exchange = Exchange {
            card: self.name.into(),
            time: rfc3339(SystemTime::now()),
            name: decoded.name.into(),
            details: details.into_iter().flatten().collect(),
            ..Exchange::default()
        };
        match self.guard.permit(command, &mut *self.target) {
            Ok(word) => exchange.guard = word,
            Err(error) => {
                let blanks = self.blanker.blanks(command, &[]);
                exchange.command = starred(command, &blanks.command);
                exchange.guard = Some(error.to_string());
                self.log.push(exchange);
                return Err(error);
            }
        }
        let begun = Instant::now();
        let response = self.target.transmit(command);
        exchange.took = begun.elapsed();
        exchange.micros = u64::try_from(exchange.took.as_micros()).unwrap_or(u64::MAX);
        let answer = response.as_deref().unwrap_or_default();
        let blanks = self.blanker.blanks(command, answer);
        exchange.command = starred(command, &blanks.command);
        exchange.response = starred(answer, &blanks.response);
        if let Some(status) = answer.last_chunk() {
            let status = StatusWord(u16::from_be_bytes(*status));
            exchange.status = format!("{status:?}");
            exchange.meaning = status.meaning().into();
        }
        self.log.push(exchange);
        let response = response?;
        self.guard.learn(command, &response);
        Ok(response)
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.event("reset");
        self.guard.recognise(&mut *self.target)?;
        self.target.reset()
    }

    fn power_cycle(&mut self) -> Result<(), TransportError> {
        self.event("power cycle");
        self.guard.recognise(&mut *self.target)?;
        self.target.power_cycle()
    }
}
