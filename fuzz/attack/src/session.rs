//! Structured sessions: meaningful commands to two cards, with mutated fields.
//!
//! A fuzzer's bytes become a [`Session`] by way of `arbitrary`; [`run`] plays it under the watch of
//! every rule in [`crate::watch`]. Each run begins with two cards that have keys of every kind, key
//! domains of both kinds in common, files, and certificates of each other.

mod action;
mod command;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arbitrary::{Arbitrary, Unstructured};
use hsm2_emulator::card::Card;
use hsm2_emulator::crypto::EcdsaSignature;
use hsm2_emulator::identity::{ISSUER_NAME, ROOT_NAME};
use hsm2_emulator::memory::Memory;
use hsm2_emulator::snapshot::Snapshot;

use self::command::{Made, command};
use crate::apdu::{extended, select_key};
use crate::bench::Bench;
use crate::fixture::{self, CUSTODIAN, Papers};
use crate::sm;
use crate::store::WatchedStore;
use crate::watch::{Start, Subject, Watch};

pub use action::{Action, Code, Operand, Turn, Twist};

/// What two cards are sent.
#[derive(Clone, Debug)]
pub struct Session {
    /// Runs it a second time from the same seeds and compares every byte.
    pub replay: bool,
    /// The commands.
    pub turns: Vec<Turn>,
}

/// Most commands of a session.
const TURNS: usize = 200;

/// One turn behind the other for as long as there are bytes. (What `arbitrary` derives for a list
/// asks a bit before each turn whether there is one, so that lists of random bytes are short.)
impl<'a> Arbitrary<'a> for Session {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let replay = bytes.arbitrary()?;
        let mut turns = Vec::new();
        while !bytes.is_empty() && turns.len() < TURNS {
            match bytes.arbitrary() {
                Ok(turn) => turns.push(turn),
                Err(_) => break,
            }
        }
        Ok(Self { replay, turns })
    }
}

/// The cards that every session begins with.
#[derive(Debug)]
pub struct Stage {
    cards: [Snapshot; 2],
    starts: [Arc<Start>; 2],
    papers: Papers,
}

impl Stage {
    fn new() -> Self {
        let (cards, papers) = fixture::furnished();
        Self {
            starts: cards
                .each_ref()
                .map(|bench| Arc::new(Start::of(bench, &bench.store))),
            cards: cards.map(|bench| bench.card.snapshot()),
            papers,
        }
    }

    /// The one stage of this process.
    pub fn get() -> &'static Self {
        static STAGE: OnceLock<Stage> = OnceLock::new();
        STAGE.get_or_init(Self::new)
    }

    /// Fresh copies of both cards.
    #[must_use]
    pub fn cards(&self) -> [Bench; 2] {
        [0, 1].map(|index| {
            let seed = [0x40 + u8::try_from(index).unwrap_or(0); 32];
            Bench::from_snapshot(&self.cards[index], seed)
        })
    }

    /// One of the cards.
    #[must_use]
    pub fn snapshot(&self, index: usize) -> &Snapshot {
        &self.cards[index]
    }

    /// A watch over a copy of one of the cards.
    #[must_use]
    pub fn watch(&self, index: usize, subject: &dyn Subject, store: WatchedStore) -> Watch {
        Watch::from_start(self.starts[index].clone(), subject, store)
    }

    /// What the cards made when they were furnished.
    #[must_use]
    pub fn papers(&self) -> &Papers {
        &self.papers
    }
}

/// A card under watch, and what it made during the session.
struct Seat<S> {
    subject: S,
    watch: Watch,
    challenge: Vec<u8>,
}

/// Plays a session on two good cards; panics when a rule is broken. Returns how many commands were
/// sent.
#[expect(clippy::must_use_candidate, reason = "the count is for measuring only")]
pub fn run(session: &Session) -> usize {
    run_on(session, |bench| bench)
}

/// A card whose session can be run: [`Bench`], or one with a planted bug around it.
pub trait Seated: Subject {
    /// The store of the card.
    fn store(&self) -> WatchedStore;
}

impl Subject for Bench {
    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        Card::transmit(&mut self.card, command)
    }

    fn reset(&mut self) {
        self.card.reset();
    }

    fn power_cycle(&mut self) {
        Subject::power_cycle(&mut self.card);
    }

    fn memory(&self) -> &Memory {
        self.card.memory()
    }

    fn snapshot(&self) -> Snapshot {
        self.card.snapshot()
    }
}

impl Seated for Bench {
    fn store(&self) -> WatchedStore {
        self.store.clone()
    }
}

/// Plays a session on cards that `make` makes of good ones.
pub fn run_on<S: Seated>(session: &Session, make: impl Fn(Bench) -> S) -> usize {
    let first = play(session, &make);
    if session.replay {
        let second = play(session, &make);
        assert!(
            first == second,
            "seed: the same commands to the same cards were answered differently"
        );
    }
    first.len()
}

fn play<S: Seated>(session: &Session, make: impl Fn(Bench) -> S) -> Vec<Vec<u8>> {
    let stage = Stage::get();
    let mut made = Made {
        blobs: vec![stage.papers.blob.clone()],
        session_pin: Vec::new(),
    };
    let mut index = 0..;
    let mut seats = stage.cards().map(|bench| {
        let subject = make(bench);
        let index = index.next().unwrap_or_default();
        let watch = stage.watch(index, &subject, subject.store());
        Seat {
            subject,
            watch,
            challenge: Vec::new(),
        }
    });
    let mut heard = Vec::new();
    for turn in &session.turns {
        let seat = &mut seats[usize::from(turn.second)];
        let papers = &stage.papers;
        let mut rest: Vec<Vec<u8>> = match &turn.action {
            Action::Reset => {
                seat.watch.reset(&mut seat.subject);
                continue;
            }
            Action::PowerCycle => {
                seat.watch.power_cycle(&mut seat.subject);
                continue;
            }
            Action::Trust { peer } => trust(papers, usize::from(*peer)),
            Action::OpenChannel => sm::opening().to_vec(),
            Action::Enrol { required, options } => enrol(papers, *required, *options),
            Action::Authenticate { right } => {
                vec![authenticate(stage, turn.second, &seat.challenge, *right)]
            }
            action => vec![command(action, papers, &made)],
        };
        if let (Some(twist), Some(last)) = (&turn.twist, rest.last_mut()) {
            twist.apply(last);
        }
        for mut command in rest {
            if crate::targets::asks_for_rsa(&command) {
                continue;
            }
            let instruction = command.get(1).copied();
            if turn.protected
                && let Some(mut sealed) = seat.watch.protected(&command)
            {
                if let Some(twist) = &turn.tamper {
                    twist.apply(&mut sealed);
                }
                command = sealed;
            }
            let answer = seat.watch.send(&mut seat.subject, &command);
            heard.push(seat.watch.heard().to_vec());
            match instruction {
                Some(0x72) if answer.is_success() && made.blobs.len() < 8 => {
                    made.blobs.push(answer.data);
                }
                Some(0x5A) if answer.is_success() => made.session_pin = answer.data,
                Some(0x84) if answer.is_success() => seat.challenge = answer.data,
                _ => {}
            }
        }
    }
    for seat in &seats {
        seat.watch.finish(&seat.subject);
    }
    heard
}

/// Sets a card up for public key authentication by two custodians, one of whom is registered, and
/// selects his key.
fn enrol(papers: &Papers, required: u8, options: u8) -> Vec<Vec<u8>> {
    let mut commands = vec![crate::apdu::initialize(
        u16::from(options),
        &[0x93, 2, 2, 1 + required % 2],
    )];
    commands.extend(trust(papers, 1));
    commands.push(fixture::register(papers));
    commands.push(select_key(0xA4, CUSTODIAN));
    commands.push(vec![0x00, 0x84, 0x00, 0x00, 0x08]);
    commands
}

fn trust(papers: &Papers, peer: usize) -> Vec<Vec<u8>> {
    let verify = |certificate: &[u8]| extended(0x00, 0x2A, 0x00, 0xBE, certificate);
    vec![
        select_key(0xB6, ROOT_NAME),
        verify(&papers.issuer),
        select_key(0xB6, ISSUER_NAME),
        verify(&papers.devices[peer]),
        select_key(0xB6, &papers.names[peer]),
    ]
}

/// EXTERNAL AUTHENTICATE, signed by the custodian's key, which is key 1 of the second card.
fn authenticate(stage: &Stage, second: bool, challenge: &[u8], right: bool) -> Vec<u8> {
    let mut signature = vec![0x11; 64];
    if right {
        let message = [&stage.papers.names[usize::from(second)], challenge].concat();
        signature = signed(stage, message);
    }
    extended(0x00, 0x82, 0, 0, &signature)
}

/// The custodian's signature. Seeds are the same in every session, so challenges come again, and
/// signing takes longer than all the rest of a command.
fn signed(stage: &Stage, message: Vec<u8>) -> Vec<u8> {
    const REMEMBERED: usize = 1024;
    static KNOWN: Mutex<BTreeMap<Vec<u8>, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(signature) = known.get(&message) {
        return signature.clone();
    }
    let mut custodian = Bench::from_snapshot(&stage.cards[1], [0x77; 32]);
    let der = custodian.ok(&extended(0x80, 0x68, 1, 0x73, &message));
    let signature = EcdsaSignature::from_der(fixture::CURVE, &der).unwrap();
    let signature = signature.to_plain();
    if known.len() < REMEMBERED {
        known.insert(message, signature.clone());
    }
    signature
}
