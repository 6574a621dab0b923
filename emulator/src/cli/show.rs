//! `card show`: what a card holds, never its secrets.

use std::io::Write;
use std::path::Path;

use hsm2_emulator::card::Card;
use hsm2_emulator::description::label_of_key;
use hsm2_emulator::domain::KeyDomain;
use hsm2_emulator::id::{DomainId, FileKind};
use hsm2_emulator::memory::Memory;
use hsm2_emulator::pin::PinReference;
use hsm2_emulator::store::{EphemeralStore, FileStore};
use serde::Serialize;

use super::Failure;
use super::plan::{Purpose, randomness};

/// Everything that is shown; its JSON form is stable, new fields may be added.
#[derive(Debug, Serialize)]
struct Contents {
    serial: String,
    profile: &'static str,
    description: &'static str,
    initialised: bool,
    user_pin: Pin,
    so_pin: Pin,
    memory: Usage,
    key_domains: Vec<Domain>,
    keys: Vec<Key>,
    files: Vec<File>,
}

/// State of a PIN, never its value or length.
#[derive(Debug, Serialize)]
struct Pin {
    state: &'static str,
    tries_left: Option<u8>,
    tries: Option<u8>,
}

/// Bytes of the card's memory.
#[derive(Debug, Serialize)]
struct Usage {
    total: usize,
    used: usize,
}

#[derive(Debug, Serialize)]
struct Domain {
    slot: u8,
    kind: &'static str,
    outstanding_shares: u8,
    /// Key check value in hexadecimal; a domain without a key has none.
    kcv: Option<String>,
}

#[derive(Debug, Serialize)]
struct Key {
    id: u8,
    kind: String,
    label: Option<String>,
    domain: Option<u8>,
    uses_left: Option<u32>,
    /// Allowed algorithms in hexadecimal; absent when there is no list.
    algorithms: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
struct File {
    id: String,
    size: usize,
    /// Whether only the authenticated user may read it.
    private: bool,
}

pub(super) fn run(path: &Path, json: bool) -> Result<(), Failure> {
    let records = FileStore::snapshot(path)?;
    let rng = randomness(None, 1, Purpose::Using)?;
    let card = Card::open(Box::new(EphemeralStore::from(records)), Box::new(rng))
        .map_err(|cause| Failure::of_card(path, cause))?;
    let contents = Contents::of(&card);
    let text = if json {
        serde_json::to_string_pretty(&contents)
            .map_err(|error| Failure::Internal(error.to_string()))?
    } else {
        contents.in_words()
    };
    // A reader that has seen enough (head) is no failure.
    let _ = writeln!(std::io::stdout(), "{text}");
    Ok(())
}

impl Contents {
    fn of(card: &Card) -> Self {
        let memory = card.memory();
        Self {
            serial: memory
                .device()
                .map(|device| device.serial())
                .unwrap_or_default(),
            profile: card.profile().name,
            description: card.profile().description,
            initialised: memory.setup().is_some(),
            user_pin: Pin::of(memory, PinReference::User),
            so_pin: Pin::of(memory, PinReference::SecurityOfficer),
            memory: Usage {
                total: card.profile().memory,
                used: memory.used(&card.profile().footprint),
            },
            key_domains: memory
                .layout()
                .ids()
                .map(|slot| Domain::of(slot, memory.domain(slot).map(AsRef::as_ref)))
                .collect(),
            keys: keys(memory),
            files: files(memory),
        }
    }

    fn in_words(&self) -> String {
        let mut lines = vec![
            format!("Serial       {}", self.serial),
            format!("Profile      {} ({})", self.profile, self.description),
            format!(
                "State        {}",
                if self.initialised {
                    "initialised"
                } else {
                    "as it left the factory"
                }
            ),
            format!("User PIN     {}", self.user_pin.in_words()),
            format!("SO-PIN       {}", self.so_pin.in_words()),
            format!(
                "Memory       {} of {} bytes used",
                self.memory.used, self.memory.total
            ),
        ];
        lines.push(format!("Key domains  {}", count(self.key_domains.len())));
        lines.extend(self.key_domains.iter().map(Domain::in_words));
        lines.push(format!("Keys         {}", count(self.keys.len())));
        lines.extend(self.keys.iter().map(Key::in_words));
        lines.push(format!("Files        {}", count(self.files.len())));
        lines.extend(self.files.iter().map(File::in_words));
        lines.join("\n")
    }
}

fn count(number: usize) -> String {
    if number == 0 {
        "none".into()
    } else {
        number.to_string()
    }
}

impl Pin {
    fn of(memory: &Memory, reference: PinReference) -> Self {
        let Ok(pin) = memory.pin(reference) else {
            return Self {
                state: "not set",
                tries_left: None,
                tries: None,
            };
        };
        let state = match (pin.tries_left(), pin.is_transport()) {
            (0, _) => "blocked",
            (_, true) => "transport PIN, to be changed",
            (_, false) => "set",
        };
        Self {
            state,
            tries_left: Some(pin.tries_left()),
            tries: Some(pin.limit()),
        }
    }

    fn in_words(&self) -> String {
        match (self.tries_left, self.tries) {
            (Some(left), Some(tries)) => format!("{}, {left} of {tries} tries left", self.state),
            _ => self.state.into(),
        }
    }
}

impl Domain {
    fn of(slot: DomainId, domain: Option<&KeyDomain>) -> Self {
        let (kind, outstanding_shares) = match domain {
            None => ("none", 0),
            Some(KeyDomain::PendingDkek { progress, .. }) => ("DKEK", progress.outstanding().get()),
            Some(KeyDomain::CompleteDkek { .. }) => ("DKEK", 0),
            Some(KeyDomain::RandomDkek { .. }) => ("DKEK made by the card", 0),
            Some(KeyDomain::Xkek { .. }) => ("XKEK", 0),
        };
        let kcv = domain
            .and_then(KeyDomain::kek)
            .map(|kek| hex::encode_upper(kek.kcv()));
        Self {
            slot: slot.0,
            kind,
            outstanding_shares,
            kcv,
        }
    }

    fn in_words(&self) -> String {
        let state = match (&self.kcv, self.outstanding_shares) {
            (Some(kcv), _) => format!(", key check value {kcv}"),
            (None, 0) => String::new(),
            (None, shares) => format!(", {shares} shares outstanding"),
        };
        format!("  {:<9}  {}{state}", self.slot, self.kind)
    }
}

fn keys(memory: &Memory) -> Vec<Key> {
    let shown = memory.keys().map(|(id, key)| Key {
        id: id.0,
        kind: key.material.describe(),
        label: label_of_key(memory, id),
        domain: key.attributes.domain.map(|domain| domain.0),
        uses_left: key.attributes.uses_left,
        algorithms: key.attributes.algorithms.as_ref().map(|list| {
            list.iter()
                .map(|algorithm| format!("{algorithm:02X}"))
                .collect()
        }),
    });
    shown.collect()
}

impl Key {
    fn in_words(&self) -> String {
        let mut line = format!("  {:<9}  {}", self.id, self.kind);
        if let Some(label) = &self.label {
            line.push_str(&format!(", {label:?}"));
        }
        if let Some(domain) = self.domain {
            line.push_str(&format!(", key domain {domain}"));
        }
        if let Some(uses) = self.uses_left {
            line.push_str(&format!(", {uses} uses left"));
        }
        if let Some(algorithms) = &self.algorithms {
            line.push_str(&format!(", algorithms {}", algorithms.join(" ")));
        }
        line
    }
}

fn files(memory: &Memory) -> Vec<File> {
    let shown = memory.files().into_iter().map(|(id, file)| File {
        id: id.to_string(),
        size: file.content.len(),
        private: id.kind() == FileKind::PrivateData,
    });
    shown.collect()
}

impl File {
    fn in_words(&self) -> String {
        let private = if self.private { ", private" } else { "" };
        format!("  {:<9}  {} bytes{private}", self.id, self.size)
    }
}
