//! What a run showed. The JSON form of [`Report`] is the source; all other forms are made of it.

mod anonymous;
pub mod diff;
pub mod junit;
pub mod markdown;
pub mod page;
pub mod survey;
pub mod text;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::device::Identity;
use crate::suite::bench::Finding;
use crate::suite::wire::Exchange;
use crate::transport::TransportError;
use survey::CardMap;

/// Version of the JSON form: the first number changes when a reader must change, the second when
/// something is added.
pub const SCHEMA_VERSION: &str = "1.2";

/// How a scenario ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The card is as it must be.
    Pass,
    /// The card is as it must be, and something is worth knowing.
    Observation,
    /// The card is not as the scenario says, and that is known of this generation.
    KnownDeviation,
    /// It did not run, for a reason.
    Skip,
    /// The run ended before it came to this one.
    NotRun,
    /// The card is not as it must be.
    Fail,
    /// The card is as the scenario says, but a departure was expected.
    UnexpectedPass,
    /// The card could not be reached, or the harness is at fault.
    Error,
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Observation => "observation",
            Self::KnownDeviation => "known deviation",
            Self::Skip => "skip",
            Self::NotRun => "not run",
            Self::Fail => "fail",
            Self::UnexpectedPass => "unexpected pass",
            Self::Error => "error",
        }
    }

    /// True when the run cannot be good with it.
    #[must_use]
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Fail | Self::UnexpectedPass | Self::Error)
    }
}

/// How one scenario went.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// Its id.
    pub id: String,
    /// Part of the id before the first dot.
    pub area: String,
    /// What must hold.
    pub title: String,
    /// Where that comes from.
    pub source: String,
    /// What it does to a device.
    pub effect: String,
    /// What it found when it began.
    pub start: String,
    /// How it ended.
    pub verdict: Verdict,
    /// Why it was skipped, why a deviation is known, what an error was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What is not as it must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<Finding>,
    /// What is worth knowing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observations: Vec<String>,
    /// How long it took, preparation included, in milliseconds.
    pub millis: f64,
    /// All that was said to the cards.
    pub exchanges: Vec<Exchange>,
    /// The command line that repeats it.
    pub rerun: String,
}

/// What ended a run before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Abort {
    /// The card was taken away.
    Removed,
    /// Another card came in its place.
    Exchanged,
    /// The PC/SC service ended.
    NoService,
    /// The reader is gone.
    NoReader,
    /// The reader is empty.
    NoCard,
    /// Somebody stopped the program.
    Interrupted,
    /// No answer that makes sense came, or the harness is at fault.
    Broken,
}

impl Abort {
    /// What an error is to a run.
    #[must_use]
    pub fn of(error: &TransportError) -> Self {
        match error {
            TransportError::Removed(_) => Self::Removed,
            TransportError::Exchanged { .. } => Self::Exchanged,
            TransportError::NoService(_) => Self::NoService,
            TransportError::NoReader { .. } => Self::NoReader,
            TransportError::NoCard(_) => Self::NoCard,
            TransportError::Interrupted => Self::Interrupted,
            _ => Self::Broken,
        }
    }
}

/// A run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: String,
    /// Name and version of this program.
    pub tool: String,
    /// Commit that the program was built of, when the build said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// When it began: UTC, RFC 3339.
    pub began: String,
    /// How long it took, in milliseconds.
    pub millis: f64,
    /// The place of the first card, as on the command line.
    pub target: String,
    /// The first card.
    pub device: Identity,
    /// The second card, when one was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<Identity>,
    /// The profile: name and one line.
    pub profile: [String; 2],
    /// The seed of all dice.
    pub seed: u64,
    /// Scenarios that there are, chosen or not.
    pub known_scenarios: usize,
    /// Scenarios that were chosen.
    pub chosen_scenarios: usize,
    /// Why the run ended before its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aborted: Option<String>,
    /// What that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort: Option<Abort>,
    /// Devices that a run which ended early did not give back, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// Devices that an earlier run had not given back when this one began, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_before: Vec<String>,
    /// Departures of the profile that no scenario shows, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stale: Vec<String>,
    /// Number of scenarios for each verdict.
    pub counts: BTreeMap<Verdict, usize>,
    /// Key domains and keys of the cards as the run found them.
    pub cards: Vec<CardMap>,
    /// All scenarios that were chosen, in their order.
    pub results: Vec<Entry>,
}

impl Report {
    /// Number of scenarios with this verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.counts.get(&verdict).copied().unwrap_or_default()
    }

    /// Scenarios that ran.
    #[must_use]
    pub fn ran(&self) -> usize {
        let run = |entry: &&Entry| !matches!(entry.verdict, Verdict::Skip | Verdict::NotRun);
        self.results.iter().filter(run).count()
    }

    /// True when something ran, nothing is bad and nothing is missing.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.aborted.is_none()
            && self.stale.is_empty()
            && self.ran() > 0
            && !self.results.iter().any(|entry| entry.verdict.is_bad())
    }

    /// Puts a short hash in the place of each serial: equal ones stay equal, and nobody learns which
    /// device it was. Certificates in the exchanges are stars.
    pub fn hide_serials(&mut self) {
        anonymous::hide_serials(self);
    }

    /// Puts zero in the place of each time.
    pub fn forget_times(&mut self) {
        self.began = String::new();
        self.millis = 0.0;
        for entry in &mut self.results {
            entry.millis = 0.0;
            for exchange in &mut entry.exchanges {
                exchange.micros = 0;
                exchange.time = String::new();
            }
        }
    }

    /// Counts the verdicts anew.
    pub fn tally(&mut self) {
        self.counts.clear();
        for entry in &self.results {
            *self.counts.entry(entry.verdict).or_default() += 1;
        }
    }
}
