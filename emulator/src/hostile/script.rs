//! Scripts: which commands are spoiled, and how.
//!
//! A JSON array of rules. All parts of `on` must match; bytes are hexadecimal. `nth` is the one
//! occurrence, counted from 1, that the rule is for; without it the rule is for all.
//!
//! ```json
//! [
//!   { "on": { "name": "SIGN", "p2": "73", "nth": 2 }, "do": [ { "cut": 10 } ] },
//!   { "on": { "ins": "B1" }, "do": [ { "delay": 500 }, { "status": "6282" } ] }
//! ]
//! ```
//!
//! | action | what it does |
//! |---|---|
//! | `{"status": "6A82"}` | another status word; the data stays |
//! | `{"data": "0102"}` | other data; the status word stays |
//! | `{"replace": "0102"}` | another response, status word and all |
//! | `{"cut": 5}` | only the first bytes of the response |
//! | `{"append": "00"}` | more data |
//! | `{"flip": [3, "80"]}` | flips bits of one byte of the data |
//! | `{"length": "long"}` | the first data object claims one byte more than there is; `short`: one less; `huge`: 4 GiB; `endless`: indefinite length |
//! | `{"nest": 100}` | wraps the data so many times into an object 7F4E |
//! | `{"storm": {"word": "61FF", "count": 50}}` | answers this and the next commands with the word, at least once, and only then the response as the other actions made it; of two storms the last one counts |
//! | `{"delay": 100}` | waits, in milliseconds |
//! | `"silence"` | no response at all |
//! | `"remove"` | takes the card out; it comes back after a moment |
//! | `"reset"` | the card resets itself behind the response |
//! | `{"power_loss": 1}` | cuts the power behind that write of the command, and with 0 before the first; a command that writes less is not disturbed |

use std::num::NonZeroU32;

use serde::{Deserialize, Deserializer};

use crate::command::COMMANDS;

/// What a script consists of.
#[derive(Clone, Debug, Default)]
pub struct Script {
    rules: Vec<Counted>,
}

/// Why a script cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// It is no JSON of the expected form.
    #[error("{0}")]
    Form(#[from] serde_json::Error),
    /// A rule names a command that no card has.
    #[error("rule {rule}: there is no command {name:?}; use a name of the README's table")]
    Name {
        /// Number of the rule, from 1.
        rule: usize,
        /// What it names.
        name: String,
    },
}

#[derive(Clone, Debug)]
struct Counted {
    rule: Rule,
    seen: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    on: Match,
    #[serde(rename = "do")]
    actions: Vec<Action>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Match {
    name: Option<String>,
    #[serde(default, deserialize_with = "byte")]
    ins: Option<u8>,
    #[serde(default, deserialize_with = "byte")]
    p1: Option<u8>,
    #[serde(default, deserialize_with = "byte")]
    p2: Option<u8>,
    nth: Option<u32>,
}

/// A status word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Bytes")]
pub(super) struct Word([u8; 2]);

impl Word {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

/// Bytes in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl TryFrom<String> for Bytes {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits: String = text.split_whitespace().collect();
        hex::decode(digits)
            .map(Self)
            .map_err(|error| format!("{text:?} is not hexadecimal: {error}"))
    }
}

impl TryFrom<Bytes> for Word {
    type Error = String;

    fn try_from(bytes: Bytes) -> Result<Self, String> {
        <[u8; 2]>::try_from(bytes.0)
            .map(Self)
            .map_err(|_| "a status word has two bytes".into())
    }
}

fn byte<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
    let Bytes(bytes) = Bytes::deserialize(deserializer)?;
    match bytes[..] {
        [byte] => Ok(Some(byte)),
        _ => Err(serde::de::Error::custom("one byte is expected here")),
    }
}

/// How the first data object lies about its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Lie {
    Long,
    Short,
    Huge,
    Endless,
}

/// What is done to a response, or instead of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Action {
    Status(Word),
    Data(Bytes),
    Replace(Bytes),
    Cut(usize),
    Append(Bytes),
    Flip(usize, Bytes),
    Length(Lie),
    Nest(u16),
    Storm { word: Word, count: NonZeroU32 },
    Delay(u32),
    Silence,
    Remove,
    Reset,
    PowerLoss(u32),
}

impl Action {
    /// The writes that happen before the power goes.
    pub(super) fn writes(&self) -> Option<u32> {
        match self {
            Self::PowerLoss(writes) => Some(*writes),
            _ => None,
        }
    }
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    ///
    /// [`ScriptError`], with line and column where JSON is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, ScriptError> {
        let rules: Vec<Rule> = serde_json::from_slice(text)?;
        for (index, rule) in rules.iter().enumerate() {
            if let Some(name) = &rule.on.name
                && instructions(name).next().is_none()
            {
                return Err(ScriptError::Name {
                    rule: index + 1,
                    name: name.clone(),
                });
            }
        }
        let rules = rules.into_iter().map(|rule| Counted { rule, seen: 0 });
        Ok(Self {
            rules: rules.collect(),
        })
    }

    /// What all rules say about this command, in their order; counts it.
    pub(super) fn actions(&mut self, command: &[u8]) -> Vec<Action> {
        let Some(&[_, ins, p1, p2]) = command.first_chunk() else {
            return Vec::new();
        };
        let mut actions = Vec::new();
        for Counted { rule, seen } in &mut self.rules {
            if !rule.on.matches(ins, p1, p2) {
                continue;
            }
            *seen = seen.saturating_add(1);
            if rule.on.nth.is_none_or(|nth| nth == *seen) {
                actions.extend_from_slice(&rule.actions);
            }
        }
        actions
    }
}

impl Match {
    fn matches(&self, ins: u8, p1: u8, p2: u8) -> bool {
        let named = |name: &String| instructions(name).any(|known| known == ins);
        self.name.as_ref().is_none_or(named)
            && self.ins.is_none_or(|wanted| wanted == ins)
            && self.p1.is_none_or(|wanted| wanted == p1)
            && self.p2.is_none_or(|wanted| wanted == p2)
    }
}

/// Instructions of the commands of this name.
fn instructions(name: &str) -> impl Iterator<Item = u8> {
    let table = COMMANDS.iter().map(|entry| (entry.name, entry.ins));
    table
        .chain([("SELECT", 0xA4), ("GET RESPONSE", 0xC0)])
        .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, ins)| ins)
}
