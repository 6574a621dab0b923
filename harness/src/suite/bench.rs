//! What a scenario works at: one card or two, dice, and ways to say what is wrong.

use std::ops::{Deref, DerefMut};

use super::dice::Dice;
use super::hand::Hand;
use crate::card::CardError;
use crate::card::command::StatusWord;
use crate::der::Malformed;
use crate::key::KeyError;
use crate::transport::TransportError;

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Finding {
    /// What had to be.
    pub expected: String,
    /// What was.
    pub found: String,
    /// Number of the exchange that shows it, from 1.
    pub exchange: Option<usize>,
}

/// Why a scenario ends before its end.
#[derive(Debug)]
pub enum Stop {
    /// The card is not as it must be.
    Fail(Finding),
    /// The card lacks what the scenario is about, for this reason.
    Skip(String),
    /// The card could not be reached, or the guard did not let a command through.
    Transport(TransportError),
    /// The harness itself is in the way.
    Harness(String),
}

impl Stop {
    /// A finding that no single exchange shows.
    #[must_use]
    pub fn fail(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Fail(Finding {
            expected: expected.into(),
            found: found.into(),
            exchange: None,
        })
    }
}

impl From<TransportError> for Stop {
    fn from(error: TransportError) -> Self {
        Self::Transport(error)
    }
}

impl From<Malformed> for Stop {
    fn from(error: Malformed) -> Self {
        Self::fail("data that reads as it should", error.to_string())
    }
}

impl From<KeyError> for Stop {
    fn from(error: KeyError) -> Self {
        Self::Harness(error.to_string())
    }
}

impl From<openssl::error::ErrorStack> for Stop {
    fn from(error: openssl::error::ErrorStack) -> Self {
        Self::Harness(format!("the judge cannot work: {error}"))
    }
}

impl From<CardError> for Stop {
    fn from(error: CardError) -> Self {
        match error {
            CardError::Transport { source, .. } => Self::Transport(source),
            CardError::Refused { command, status } => {
                Self::fail(format!("{command} to answer 9000"), status.to_string())
            }
            CardError::Answer { command, what } => {
                Self::fail(format!("an answer to {command} that reads"), what)
            }
        }
    }
}

/// The bench of one scenario. It stands for its first card, so that `t.ok(...)` goes there.
#[derive(Debug)]
pub struct Bench {
    first: Hand,
    second: Option<Hand>,
    /// Repeatable randomness.
    pub dice: Dice,
    pub(super) observations: Vec<String>,
}

impl Bench {
    /// A bench with these cards.
    #[must_use]
    pub fn new(first: Hand, second: Option<Hand>, dice: Dice) -> Self {
        Self {
            first,
            second,
            dice,
            observations: Vec::new(),
        }
    }

    /// The cards back.
    #[must_use]
    pub fn into_hands(self) -> (Hand, Option<Hand>) {
        (self.first, self.second)
    }

    /// The second card.
    ///
    /// # Errors
    /// When the scenario did not ask for two cards.
    pub fn other(&mut self) -> Result<&mut Hand, Stop> {
        self.second
            .as_mut()
            .ok_or_else(|| Stop::Harness("the scenario did not ask for two cards".into()))
    }

    /// Notes what is worth knowing although nothing is wrong.
    pub fn observe(&mut self, what: impl Into<String>) {
        self.observations.push(what.into());
    }

    /// Makes sure of something; `found` is asked only when it does not hold.
    ///
    /// # Errors
    /// [`Stop::Fail`] when it does not hold.
    pub fn check(
        &self,
        holds: bool,
        expected: &str,
        found: impl FnOnce() -> String,
    ) -> Result<(), Stop> {
        if holds {
            Ok(())
        } else {
            Err(self.finding(expected, found()))
        }
    }

    /// Compares bytes.
    ///
    /// # Errors
    /// [`Stop::Fail`] when they differ.
    pub fn same(
        &self,
        what: &str,
        expected: impl AsRef<[u8]>,
        found: impl AsRef<[u8]>,
    ) -> Result<(), Stop> {
        let (expected, found) = (expected.as_ref(), found.as_ref());
        self.check(
            expected == found,
            &format!("{what}: {}", hex::encode_upper(expected)),
            || hex::encode_upper(found),
        )
    }

    /// A finding that the last exchange shows.
    #[must_use]
    pub fn finding(&self, expected: impl Into<String>, found: impl Into<String>) -> Stop {
        Stop::Fail(Finding {
            expected: expected.into(),
            found: found.into(),
            exchange: Some(self.first.exchanges()).filter(|number| *number > 0),
        })
    }

    /// Ends the scenario because the card lacks what it is about.
    ///
    /// # Errors
    /// Always.
    pub fn skip<T>(&self, reason: impl Into<String>) -> Result<T, Stop> {
        Err(Stop::Skip(reason.into()))
    }
}

impl Deref for Bench {
    type Target = Hand;

    fn deref(&self) -> &Hand {
        &self.first
    }
}

impl DerefMut for Bench {
    fn deref_mut(&mut self) -> &mut Hand {
        &mut self.first
    }
}

/// What a card answered.
#[derive(Debug, Clone)]
#[must_use = "an answer is to be judged"]
pub struct Answer {
    /// Data without the status word.
    pub data: Vec<u8>,
    /// The status word.
    pub status: u16,
    /// The command, in words.
    pub(super) command: String,
    /// Number of the exchange.
    pub(super) number: usize,
}

impl Answer {
    /// The data, when the status word is this one.
    ///
    /// # Errors
    /// [`Stop::Fail`] for any other.
    pub fn is(self, status: u16) -> Result<Vec<u8>, Stop> {
        self.is_any(&[status])
    }

    /// The data, when the status word is one of these.
    ///
    /// # Errors
    /// [`Stop::Fail`] for any other.
    pub fn is_any(self, allowed: &[u16]) -> Result<Vec<u8>, Stop> {
        if allowed.contains(&self.status) {
            return Ok(self.data);
        }
        let words: Vec<String> = allowed
            .iter()
            .map(|status| StatusWord(*status).to_string())
            .collect();
        Err(self.finding(
            &format!("{} from {}", words.join(" or "), self.command),
            &StatusWord(self.status).to_string(),
        ))
    }

    /// A finding that this exchange shows.
    #[must_use]
    pub fn finding(&self, expected: &str, found: &str) -> Stop {
        Stop::Fail(Finding {
            expected: expected.into(),
            found: found.into(),
            exchange: Some(self.number),
        })
    }
}
