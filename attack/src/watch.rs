//! What must hold whatever a card is sent: the oracles.
//!
//! [`Watch`] stands beside one card, looks at every exchange and at every write to its store, and
//! panics with the name of the rule that was broken:
//!
//! | rule | what |
//! |---|---|
//! | `secret` | no PIN, KEK, private or secret key, nor a quarter of one, is in a response, unless the host itself had sent these bytes as data |
//! | `tries` | a retry counter grows only by a command that presents the PIN, or by one that sets it |
//! | `access` | no key is used, made, moved or deleted, nothing private read, nothing written without authentication |
//! | `session` | after SELECT, reset and power-off nobody is authenticated; after the last two nothing is selected |
//! | `failure` | a command that fails changes nothing in the store but tries |
//! | `reading` | a command that only reads writes nothing |
//! | `memory` | no card outgrows its memory |
//! | `response` | a response is a status word and at most 65536 bytes before it |
//! | `store` | what the card knows is what its store holds |
//!
//! "Same seed, same bytes" takes two runs: see [`crate::session`].

use std::collections::BTreeSet;

use hsm2_emulator::card::Card;
use hsm2_emulator::id::{FileId, FileKind};
use hsm2_emulator::memory::{Memory, Options};
use hsm2_emulator::pin::PinReference;
use hsm2_emulator::profile::Profile;
use hsm2_emulator::store::Change;

use crate::apdu::Answer;
use crate::bench::Bench;
use crate::store::WatchedStore;

/// A card, or one with a planted bug.
pub trait Subject {
    /// Sends a command.
    fn transmit(&mut self, command: &[u8]) -> Vec<u8>;
    /// Resets it.
    fn reset(&mut self);
    /// Its memory, to look at.
    fn memory(&self) -> &Memory;
}

impl Subject for Card {
    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        Self::transmit(self, command)
    }

    fn reset(&mut self) {
        Self::reset(self);
    }

    fn memory(&self) -> &Memory {
        Self::memory(self)
    }
}

/// Names of the records of both PINs in the store.
const PIN_RECORDS: [&[u8]; 2] = [&[0x03], &[0x04]];

const PINS: [PinReference; 2] = [PinReference::User, PinReference::SecurityOfficer];

/// Secrets with fewer different bytes than this appear by accident.
const VARIETY: usize = 5;

/// The state of one PIN, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PinState {
    value: Vec<u8>,
    left: u8,
}

/// Who may be authenticated at most.
#[derive(Debug, Default)]
struct Shadow {
    user_pin: bool,
    so_pin: bool,
    custodians: u32,
    after_initialize: bool,
}

/// The watcher of one card.
#[derive(Debug)]
pub struct Watch {
    store: WatchedStore,
    pins: [Option<PinState>; 2],
    /// Every secret that the card ever held.
    secrets: BTreeSet<Vec<u8>>,
    /// Data that the host sent and that may come back.
    said: Vec<Vec<u8>>,
    shadow: Shadow,
}

impl Watch {
    /// Watches a card from now on; who is authenticated now may stay so.
    #[must_use]
    pub fn new(subject: &dyn Subject, store: WatchedStore) -> Self {
        Self::knowing(BTreeSet::new(), subject, store)
    }

    /// As [`Watch::new`], with secrets of this card that are known already.
    #[must_use]
    pub fn knowing(secrets: BTreeSet<Vec<u8>>, subject: &dyn Subject, store: WatchedStore) -> Self {
        let _ = store.take_commits();
        let mut watch = Self {
            store,
            pins: [None, None],
            secrets,
            said: Vec::new(),
            shadow: Shadow {
                user_pin: true,
                so_pin: true,
                custodians: u32::MAX,
                after_initialize: true,
            },
        };
        watch.pins = pins(subject.memory());
        watch.learn_secrets(subject.memory());
        watch
    }

    /// Every secret that the card ever held.
    #[must_use]
    pub fn secrets(&self) -> &BTreeSet<Vec<u8>> {
        &self.secrets
    }

    /// Resets the card.
    pub fn reset(&mut self, subject: &mut dyn Subject) {
        subject.reset();
        self.shadow = Shadow::default();
        let answer = subject.transmit(&[0x00, 0x84, 0x00, 0x00, 0x08]);
        assert!(
            answer == [0x6D, 0x00],
            "session: a command answered {} after a reset without SELECT",
            hex::encode(answer)
        );
    }

    /// Sends a command and checks everything.
    pub fn send(&mut self, subject: &mut dyn Subject, command: &[u8]) -> Answer {
        let response = subject.transmit(command);
        assert!(
            (2..=65_538).contains(&response.len()),
            "response: {} bytes",
            response.len()
        );
        let answer = Answer::of(response);
        let header = command.first_chunk::<4>().copied().unwrap_or_default();
        let data = data_field(command);
        let commits = self.store.take_commits();
        let before = self.pins.clone();

        if !commits.is_empty() {
            self.pins = pins(subject.memory());
            self.learn_secrets(subject.memory());
            self.check_memory(subject.memory());
        }
        self.check_secrets(&answer, header);
        self.check_tries(&before, header, data, &answer);
        self.check_writes(&commits, &before, header, &answer);
        // Access is judged by who was authenticated before the command.
        self.check_access(subject.memory(), header, data, &answer);
        self.follow(header, data, &answer);
        if selects(header) && answer.status == 0x9000 {
            self.check_session(subject);
        }
        if !presents(header[1]) {
            self.said.push(data.to_vec());
        }
        answer
    }

    /// The card in memory is the one in the store.
    pub fn finish(&self, subject: &dyn Subject) {
        let again = Bench::from_records(self.store.records()).card;
        let (live, stored) = (image(subject.memory()), image(again.memory()));
        assert!(
            live == stored,
            "store: the card knows what its store has not"
        );
    }

    fn learn_secrets(&mut self, memory: &Memory) {
        for (_, key) in memory.keys() {
            let material = &key.material;
            if let Ok(key) = material.ec() {
                self.secrets.insert(key.secret_bytes().to_vec());
            } else if let Ok(key) = material.rsa() {
                // The exponent takes long to compute, and follows from what is known already.
                if self.secrets.insert(key.p().to_vec()) {
                    self.secrets.insert(key.q().to_vec());
                    self.secrets.insert(key.d().to_vec());
                }
            } else if let Ok(key) = material.aes() {
                self.secrets.insert(key.expose().to_vec());
            }
        }
        for slot in memory.layout().ids() {
            if let Some(kek) = memory.domain(slot).and_then(|domain| domain.kek()) {
                // One byte of length, then the bytes.
                let encoded = postcard::to_allocvec(kek).unwrap();
                if self.secrets.insert(encoded[1..].to_vec()) {
                    self.secrets.insert(kek.encryption_key().to_vec());
                    self.secrets.insert(kek.mac_key().to_vec());
                }
            }
        }
        for pin in self.pins.iter().flatten() {
            self.secrets.insert(pin.value.clone());
        }
        if let Ok(device) = memory.device().and_then(|device| device.key()) {
            self.secrets.insert(device.secret_bytes().to_vec());
        }
    }

    fn check_secrets(&self, answer: &Answer, header: [u8; 4]) {
        if answer.data.len() < 6 {
            return;
        }
        for secret in &self.secrets {
            for part in secret.chunks(secret.len().div_ceil(4).max(8)) {
                let different: BTreeSet<_> = part.iter().collect();
                let shows = different.len() >= VARIETY && contains(&answer.data, part);
                assert!(
                    !shows || self.said.iter().any(|said| contains(said, part)),
                    "secret: {} bytes of a secret in the response to {:02X}",
                    part.len(),
                    header[1]
                );
            }
        }
    }

    fn check_tries(
        &self,
        before: &[Option<PinState>; 2],
        header: [u8; 4],
        data: &[u8],
        answer: &Answer,
    ) {
        let done = answer.status == 0x9000;
        let [_, ins, p1, p2] = header;
        let so_value = before[1].as_ref().map_or(&[][..], |pin| &pin.value);
        for (index, reference) in [(0, 0x81), (1, 0x88)] {
            let (Some(old), Some(new)) = (&before[index], &self.pins[index]) else {
                continue;
            };
            let presented = match ins {
                0x20 => done && p2 == reference && data == old.value,
                0x24 => p2 == reference && data.starts_with(&old.value),
                0x2C if index == 0 => {
                    done && (self.shadow.so_pin || (p1 < 2 && data.starts_with(so_value)))
                }
                0x2C => p1 < 2 && data.starts_with(so_value),
                0x50 => done && contains(data, so_value),
                _ => false,
            };
            assert!(
                new.left <= old.left || presented,
                "tries: {:?} grew from {} to {} by {ins:02X}",
                PINS[index],
                old.left,
                new.left
            );
            assert!(
                new.left >= old.left || presents(ins),
                "tries: {:?} fell from {} to {} by {ins:02X}",
                PINS[index],
                old.left,
                new.left
            );
            let counted = answer.status & 0xFFF0 == 0x63C0 && ins == 0x20 && p2 == reference;
            assert!(
                !counted || data.is_empty() || new.left + 1 == old.left,
                "tries: a wrong {:?} left {} of {}",
                PINS[index],
                new.left,
                old.left
            );
        }
    }

    fn check_writes(
        &self,
        commits: &[Vec<Change>],
        before: &[Option<PinState>; 2],
        header: [u8; 4],
        answer: &Answer,
    ) {
        let reads = matches!(
            header[1],
            0x22 | 0x2A | 0x58 | 0x82 | 0x84 | 0x86 | 0xA4 | 0xB0 | 0xB1
        );
        assert!(
            !reads || commits.is_empty(),
            "reading: {:02X} wrote to the store",
            header[1]
        );
        if answer.is_success() {
            return;
        }
        let pins_only = commits.iter().flatten().all(|change| match change {
            Change::Put(name, _) => PIN_RECORDS.contains(&name.as_slice()),
            Change::Delete(_) => false,
        });
        let value = |pin: &Option<PinState>| pin.as_ref().map(|pin| pin.value.clone());
        let same = before.iter().map(value).eq(self.pins.iter().map(value));
        assert!(
            pins_only && same,
            "failure: {:02X} answered {:04X} and changed the store",
            header[1],
            answer.status
        );
    }

    fn check_access(&self, memory: &Memory, header: [u8; 4], data: &[u8], answer: &Answer) {
        if !answer.is_success() {
            return;
        }
        let [_, ins, p1, p2] = header;
        let needed = match ins {
            0x46 | 0x48 | 0x5A | 0x62 | 0x68 | 0x72 | 0x74 | 0x76 | 0x78 | 0xD6 | 0xD7 | 0xE4 => {
                true
            }
            0x52 => p1 != 0,
            0xB1 => FileId(u16::from_be_bytes([p1, p2])).kind() == FileKind::PrivateData,
            0x2C => return self.check_reset(memory, data),
            _ => false,
        };
        assert!(
            !needed || self.user_may_be_authenticated(memory),
            "access: {ins:02X} {p1:02X} {p2:02X} answered {:04X} to nobody",
            answer.status
        );
    }

    fn check_reset(&self, memory: &Memory, data: &[u8]) {
        let options = memory.options();
        assert!(
            options.has(Options::RESET_RETRY_COUNTER),
            "access: RESET RETRY COUNTER is not enabled"
        );
        let so_value = self.pins[1].as_ref().map_or(&[][..], |pin| &pin.value);
        assert!(
            self.shadow.so_pin || data.starts_with(so_value),
            "access: RESET RETRY COUNTER without the SO-PIN"
        );
    }

    fn user_may_be_authenticated(&self, memory: &Memory) -> bool {
        let Shadow {
            user_pin,
            custodians,
            after_initialize,
            ..
        } = self.shadow;
        let Some(quorum) = memory.setup().and_then(|setup| setup.quorum) else {
            return user_pin;
        };
        let met = custodians >= u32::from(quorum.required);
        after_initialize
            || if memory.pin(PinReference::User).is_err() {
                met
            } else if memory.options().has(Options::PIN_AND_KEYS) {
                user_pin && met
            } else {
                user_pin || met
            }
    }

    /// Keeps book of who may be authenticated at most.
    fn follow(&mut self, header: [u8; 4], data: &[u8], answer: &Answer) {
        let done = answer.status == 0x9000;
        let [_, ins, p1, p2] = header;
        let shadow = &mut self.shadow;
        if answer.status == 0x6581 || (selects(header) && done) {
            *shadow = Shadow::default();
        }
        let presented = done || answer.status & 0xFFF0 == 0x63C0 || answer.status == 0x6983;
        match (ins, p2) {
            (0x20, 0x81) if presented && !data.is_empty() => {
                shadow.user_pin = done;
                shadow.after_initialize &= done;
            }
            (0x24, 0x81) if presented => {
                shadow.user_pin = done;
                shadow.after_initialize &= done;
            }
            (0x20, 0x88) if presented && !data.is_empty() => shadow.so_pin = done,
            (0x24, 0x88) if presented => shadow.so_pin = done,
            (0x2C, 0x81) if done => {
                shadow.user_pin = false;
                shadow.after_initialize = false;
                shadow.so_pin &= p1 >= 2;
            }
            (0x50, _) if done && !data.is_empty() => {
                *shadow = Shadow {
                    user_pin: true,
                    after_initialize: true,
                    ..Shadow::default()
                };
            }
            (0x82, _) if done => shadow.custodians = shadow.custodians.saturating_add(1),
            _ => {}
        }
    }

    fn check_session(&self, subject: &mut dyn Subject) {
        for reference in [0x81, 0x88] {
            let answer = subject.transmit(&[0x00, 0x20, 0x00, reference]);
            assert!(
                answer != [0x90, 0x00],
                "session: {reference:02X} is verified after SELECT"
            );
        }
    }

    fn check_memory(&self, memory: &Memory) {
        let profile = memory
            .device()
            .ok()
            .and_then(|device| Profile::by_name(&device.profile))
            .unwrap();
        let (used, limit) = (memory.used(&profile.footprint), profile.memory);
        assert!(used <= limit, "memory: {used} of {limit} bytes used");
        let stored: usize = self
            .store
            .look(|records| records.values().map(|value| value.len()).sum());
        // Names, attributes and what PINs and domains take come on top.
        assert!(
            stored <= 2 * limit + 65_536,
            "memory: {stored} bytes stored"
        );
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

/// The data field of a well-formed command; empty otherwise.
fn data_field(command: &[u8]) -> &[u8] {
    hsm2_emulator::apdu::CommandApdu::parse(command).map_or(&[], |apdu| apdu.data)
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

/// Everything that a card keeps, in the form in which it is stored.
fn image(memory: &Memory) -> Vec<Vec<u8>> {
    let mut image = Vec::new();
    let mut add = |value: Result<Vec<u8>, postcard::Error>| image.push(value.unwrap());
    add(postcard::to_allocvec(&memory.setup()));
    for reference in PINS {
        add(postcard::to_allocvec(&memory.pin(reference).ok()));
    }
    for slot in memory.layout().ids() {
        add(postcard::to_allocvec(&memory.domain(slot)));
    }
    for index in 0..=u8::MAX {
        if let Ok(custodian) = memory.custodian(index) {
            add(postcard::to_allocvec(custodian));
        }
    }
    for (id, key) in memory.keys() {
        add(postcard::to_allocvec(&(id.0, key)));
    }
    for (id, file) in memory.files() {
        add(postcard::to_allocvec(&(id.0, file)));
    }
    image
}
