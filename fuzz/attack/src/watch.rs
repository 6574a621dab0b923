//! What must hold whatever a card is sent: the oracles.
//!
//! [`Watch`] stands beside one card, looks at every exchange and at every write to its store, and
//! panics with the name of the rule that was broken:
//!
//! | rule | what |
//! |---|---|
//! | `secret` | no PIN, KEK, private or secret key, nor eight bytes of one in a row, is in a response, unless the host itself had sent these bytes as data, or had chosen as PIN or share what anybody may read |
//! | `tries` | a retry counter grows only by a command that presents the PIN, or by one that sets it |
//! | `access` | no key is used, made, moved or deleted, nothing private read, nothing written, no custodian replaced without authentication; no PIN is taken that is none, no key file read |
//! | `session` | after SELECT, reset and power-off nobody is authenticated; after the last two nothing is selected |
//! | `failure` | a command that fails changes nothing in the store but tries |
//! | `reading` | a command that only reads writes nothing |
//! | `memory` | no card outgrows its memory |
//! | `response` | a response is a status word and at most 65536 bytes before it |
//! | `channel` | a protected command that is not the next one of the open channel is refused and changes nothing; the answer to one that is, is protected |
//! | `store` | what the card knows is what its store holds |
//!
//! Commands and responses of the secure channel are judged by what is in them: the watch knows the
//! host's key, see [`crate::sm`].
//!
//! "Same seed, same bytes" takes two runs: see [`crate::session`].

mod rules;
mod secrets;
mod shadow;

use std::collections::BTreeMap;
use std::sync::Arc;

use hsm2_emulator::apdu::CommandApdu;
use hsm2_emulator::card::Card;
use hsm2_emulator::id::{DomainId, KeyId};
use hsm2_emulator::memory::Memory;
use hsm2_emulator::pin::PinReference;
use hsm2_emulator::snapshot::Snapshot;
use hsm2_emulator::store::Change;

pub use secrets::Secrets;
use shadow::Shadow;

use crate::apdu::Answer;
use crate::bench::Bench;
use crate::sm::{Channel, Inner};
use crate::store::{Records, WatchedStore};

/// A card, or one with a planted bug.
pub trait Subject {
    /// Sends a command.
    fn transmit(&mut self, command: &[u8]) -> Vec<u8>;
    /// Resets it.
    fn reset(&mut self);
    /// Takes the power away and applies it again.
    fn power_cycle(&mut self);
    /// Its memory, to look at.
    fn memory(&self) -> &Memory;
    /// The card as it is.
    fn snapshot(&self) -> Snapshot;
}

impl Subject for Card {
    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        Self::transmit(self, command)
    }

    fn reset(&mut self) {
        Self::reset(self);
    }

    fn power_cycle(&mut self) {
        self.power_off();
        self.power_on();
    }

    fn memory(&self) -> &Memory {
        Self::memory(self)
    }

    fn snapshot(&self) -> Snapshot {
        Self::snapshot(self)
    }
}

/// Names of the records of both PINs in the store.
const PIN_RECORDS: [&[u8]; 2] = [&[0x03], &[0x04]];

const PINS: [PinReference; 2] = [PinReference::User, PinReference::SecurityOfficer];

/// The state of one PIN, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PinState {
    value: Vec<u8>,
    left: u8,
}

/// A card when somebody began to watch it.
#[derive(Debug)]
pub struct Start {
    card: Snapshot,
    records: Records,
    secrets: Secrets,
}

impl Start {
    /// A card as it is, with every secret that it holds.
    #[must_use]
    pub fn of(subject: &dyn Subject, store: &WatchedStore) -> Self {
        let card = subject.snapshot();
        let records = Bench::from_snapshot(&card, [0; 32]).store.records();
        assert!(
            store.look(|stored| *stored == records),
            "store: the card knows what its store has not"
        );
        let nothing = Arc::new(Self {
            card: card.clone(),
            records: records.clone(),
            secrets: Secrets::default(),
        });
        let mut watch = Watch::from_start(nothing, subject, store.clone());
        watch.learn_all(subject.memory());
        let mut secrets = watch.learned;
        secrets.extend(&watch.chosen);
        Self {
            card,
            records,
            secrets,
        }
    }
}

/// The watcher of one card.
#[derive(Debug)]
pub struct Watch {
    store: WatchedStore,
    pins: [Option<PinState>; 2],
    /// The card at the beginning, shared among its copies.
    start: Arc<Start>,
    /// Secrets that it held since.
    learned: Secrets,
    /// Of those, the ones that the host chose.
    chosen: Secrets,
    /// Data that the host sent and that may come back.
    said: Vec<Vec<u8>>,
    /// Session PINs that the card gave away.
    session_pins: Vec<Vec<u8>>,
    shadow: Shadow,
    /// The host's side of the channel that is open.
    channel: Option<Channel>,
    /// The last response as it came.
    heard: Vec<u8>,
}

impl Watch {
    /// Watches a card from now on, in the session that INITIALIZE DEVICE began.
    #[must_use]
    pub fn new(subject: &dyn Subject, store: WatchedStore) -> Self {
        Self::from_start(Arc::new(Start::of(subject, &store)), subject, store)
    }

    /// As [`Watch::new`], for a copy of a card of which all is known already.
    #[must_use]
    pub fn from_start(start: Arc<Start>, subject: &dyn Subject, store: WatchedStore) -> Self {
        let _ = store.take_commits();
        Self {
            store,
            pins: pins(subject.memory()),
            start,
            learned: Secrets::default(),
            chosen: Secrets::default(),
            said: Vec::new(),
            session_pins: Vec::new(),
            shadow: Shadow::after_initialize(),
            channel: None,
            heard: Vec::new(),
        }
    }

    /// The last response as it came, with its protection.
    #[must_use]
    pub fn heard(&self) -> &[u8] {
        &self.heard
    }

    /// Protects a command for the channel that is open; `None` when there is none.
    #[must_use]
    pub fn protected(&self, command: &[u8]) -> Option<Vec<u8>> {
        self.channel.as_ref()?.seal_command(command)
    }

    /// Resets the card.
    pub fn reset(&mut self, subject: &mut dyn Subject) {
        subject.reset();
        self.check_cold(subject, "a reset");
    }

    /// Takes the power away and applies it again.
    pub fn power_cycle(&mut self, subject: &mut dyn Subject) {
        subject.power_cycle();
        self.check_cold(subject, "a power cut");
    }

    fn check_cold(&mut self, subject: &mut dyn Subject, after: &str) {
        self.shadow = Shadow::default();
        self.channel = None;
        let answer = subject.transmit(&[0x00, 0x84, 0x00, 0x00, 0x08]);
        assert!(
            answer == [0x6D, 0x00],
            "session: a command answered {} after {after} without SELECT",
            hex::encode(answer)
        );
    }

    /// Sends a command and checks everything. What it returns is what the host understands: without
    /// protection.
    pub fn send(&mut self, subject: &mut dyn Subject, command: &[u8]) -> Answer {
        crate::tally::command();
        let response = subject.transmit(command);
        assert!(
            (2..=65_538).contains(&response.len()),
            "response: {} bytes",
            response.len()
        );
        self.heard.clone_from(&response);
        let answer = Answer::of(response);
        let commits = self.store.take_commits();
        // Every way out of the channel but its next exchange closes it.
        let channel = self.channel.take();
        let apdu = CommandApdu::parse(command).ok();
        match apdu.filter(|apdu| apdu.cla & 0x7F == 0x0C) {
            None => {
                self.shadow.close_channel();
                let inner = Inner {
                    header: command.first_chunk::<4>().copied().unwrap_or_default(),
                    data: apdu.map_or_else(Vec::new, |apdu| apdu.data.to_vec()),
                };
                self.judge(subject, inner, &answer, &commits);
                answer
            }
            Some(apdu) => match exchange(channel, &apdu, &answer, command.len()) {
                Some((channel, inner, answer)) => {
                    self.channel = Some(channel);
                    self.judge(subject, inner, &answer, &commits);
                    answer
                }
                None => {
                    self.shadow.close_channel();
                    assert!(
                        !answer.is_success() && answer.data.is_empty() && commits.is_empty(),
                        "channel: {} is not of the channel and was answered {:04X}",
                        hex::encode(command),
                        answer.status
                    );
                    answer
                }
            },
        }
    }

    /// Checks a command and its answer, both without protection.
    fn judge(
        &mut self,
        subject: &mut dyn Subject,
        command: Inner,
        answer: &Answer,
        commits: &[Vec<Change>],
    ) {
        let Inner { header, data } = command;
        let before = self.pins.clone();
        if !commits.is_empty() {
            self.learn(subject.memory(), commits);
            self.check_memory(subject.memory());
        }
        self.check_secrets(subject.memory(), answer, header);
        self.check_tries(&before, header, &data, answer);
        self.check_writes(commits, &before, header, answer);
        // Access is judged by who was authenticated before the command.
        self.check_access(subject.memory(), &before, header, &data, answer);
        self.shadow.follow(header, &data, answer);
        if answer.status == 0x6581 {
            self.channel = None;
        }
        if selects(header) && answer.status == 0x9000 {
            self.channel = None;
            self.check_session(subject);
        }
        if header[1] == 0x86 && answer.is_success() {
            self.shadow.open_channel();
            let device = subject.memory().device().unwrap();
            self.channel = Channel::agreed(device, &data, &answer.data);
            for key in self.channel.iter().flat_map(Channel::keys) {
                self.learned.insert(key);
            }
        }
        if header[1] == 0x5A && answer.is_success() && !answer.data.is_empty() {
            self.learned.insert(&answer.data);
            self.session_pins.push(answer.data.clone());
        }
        if !presents(header[1]) {
            self.said.push(data);
        }
    }

    /// The card in memory is the one in the store: the records of the beginning, with what was
    /// replaced since.
    pub fn finish(&self, subject: &dyn Subject) {
        let changes = subject.snapshot().changes_since(&self.start.card).unwrap();
        let mut known: BTreeMap<_, _> = self.start.records.iter().collect();
        for change in &changes {
            match change {
                Change::Put(name, value) => known.insert(name, value),
                Change::Delete(name) => known.remove(name),
            };
        }
        assert!(
            self.store.look(|stored| stored.iter().eq(known)),
            "store: the card knows what its store has not"
        );
    }

    fn insert(&mut self, secret: &[u8]) -> bool {
        !self.start.secrets.contains(secret) && self.learned.insert(secret)
    }

    fn learn_all(&mut self, memory: &Memory) {
        let ids: Vec<_> = memory.keys().map(|(id, _)| id).collect();
        for id in ids {
            self.learn_key(memory, id);
        }
        for slot in memory.layout().ids() {
            self.learn_domain(memory, slot);
        }
        for pin in pins(memory).iter().flatten() {
            self.choose(&pin.value);
        }
        if let Ok(device) = memory.device().and_then(|device| device.key()) {
            self.insert(&device.secret_bytes());
        }
    }

    /// Learns what was written.
    fn learn(&mut self, memory: &Memory, commits: &[Vec<Change>]) {
        for change in commits.iter().flatten() {
            let (Change::Put(name, _) | Change::Delete(name)) = change;
            match name[..] {
                [0x03 | 0x04] => self.pins = pins(memory),
                [0x05, slot] => self.learn_domain(memory, DomainId(slot)),
                [0x06, id] => self.learn_key(memory, KeyId(id)),
                _ => {}
            }
        }
        for value in self.pins.clone().into_iter().flatten() {
            self.choose(&value.value);
        }
    }

    /// Learns a PIN or a KEK: hosts choose them.
    fn choose(&mut self, secret: &[u8]) -> bool {
        !self.start.secrets.contains(secret) && self.chosen.insert(secret)
    }

    fn learn_key(&mut self, memory: &Memory, id: KeyId) {
        let Ok(key) = memory.key(id) else { return };
        let material = &key.material;
        if let Ok(key) = material.ec() {
            self.insert(&key.secret_bytes());
        } else if let Ok(key) = material.rsa() {
            // The exponent takes long to compute, and follows from what is known already.
            if self.insert(&key.p()) {
                self.insert(&key.q());
                self.insert(&key.d());
            }
        } else if let Ok(key) = material.aes() {
            self.insert(key.expose());
        }
    }

    fn learn_domain(&mut self, memory: &Memory, slot: DomainId) {
        let Some(kek) = memory.domain(slot).and_then(|domain| domain.kek()) else {
            return;
        };
        // One byte of length, then the bytes.
        let encoded = postcard::to_allocvec(kek).unwrap();
        if self.choose(&encoded[1..]) {
            self.insert(&kek.encryption_key()[..]);
            self.insert(&kek.mac_key()[..]);
        }
    }
}

/// SELECT of an application.
fn selects(header: [u8; 4]) -> bool {
    header[..3] == [0x00, 0xA4, 0x04]
}

/// Commands whose data field holds a PIN or a share.
fn presents(ins: u8) -> bool {
    matches!(ins, 0x20 | 0x24 | 0x2C | 0x50 | 0x52)
}

/// One exchange through the channel; `None` when the command is not the next one of it, or too long
/// or without room for a response.
///
/// # Panics
///
/// When it is, and the card does not answer through the channel.
fn exchange(
    channel: Option<Channel>,
    apdu: &CommandApdu<'_>,
    answer: &Answer,
    length: usize,
) -> Option<(Channel, Inner, Answer)> {
    /// No card's buffer is smaller.
    const TAKEN: usize = 1000;
    let mut channel = channel?;
    let inner = channel.open_command(apdu)?;
    let inside = channel.open_response(apdu.ins, answer);
    assert!(
        inside.is_some() || length > TAKEN || apdu.ne.is_none(),
        "channel: {:02X} through the channel was answered {:04X} without protection",
        apdu.ins,
        answer.status
    );
    Some((channel, inner, inside?))
}

fn pins(memory: &Memory) -> [Option<PinState>; 2] {
    PINS.map(|reference| {
        let pin = memory.pin(reference).ok()?;
        let encoded = postcard::to_allocvec(pin.as_ref()).unwrap();
        Some(PinState {
            value: encoded[1..=pin.length()].to_vec(),
            left: pin.tries_left(),
        })
    })
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else {
        return true;
    };
    haystack
        .windows(needle.len())
        .any(|window| window[0] == *first && window == needle)
}
