//! Structured sessions: meaningful commands to two cards, with mutated fields.
//!
//! A fuzzer's bytes become a [`Session`] by way of `arbitrary`; [`run`] plays it under the watch of
//! every rule in [`crate::watch`]. Each run begins with two cards that have keys of every kind, key
//! domains of both kinds in common, files, and certificates of each other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arbitrary::{Arbitrary, Unstructured};
use hsm2_emulator::card::Card;
use hsm2_emulator::crypto::{Curve, EcdsaSignature};
use hsm2_emulator::identity::{ISSUER_NAME, ROOT_NAME};
use hsm2_emulator::memory::Memory;
use hsm2_emulator::snapshot::Snapshot;
use hsm2_emulator::tlv::Writer;

use crate::apdu::{SELECT, SO_PIN, USER_PIN, extended, generate_ec, read, select_key};
use crate::bench::Bench;
use crate::fixture::{self, CUSTODIAN, Papers};
use crate::sm;
use crate::store::WatchedStore;
use crate::watch::{Secrets, Subject, Watch};

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

/// One command.
#[derive(Arbitrary, Clone, Debug)]
pub struct Turn {
    /// Sent to the second card.
    pub second: bool,
    /// What the command does.
    pub action: Action,
    /// A change to its bytes.
    pub twist: Option<Twist>,
    /// Sent through the secure channel, when one is open.
    pub protected: bool,
    /// A change to the bytes of the protected command.
    pub tamper: Option<Twist>,
}

/// A change to the bytes of a command.
#[derive(Arbitrary, Clone, Debug)]
pub enum Twist {
    /// Another byte in the header.
    Header(u8, u8),
    /// A flipped bit.
    Flip(u16, u8),
    /// Fewer bytes.
    Cut(u16),
    /// More bytes.
    Append(Vec<u8>),
    /// Another byte anywhere.
    Put(u16, u8),
}

/// Which PIN, and whether it is right.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Code {
    /// The user PIN of the fixture.
    User,
    /// The SO-PIN of the fixture.
    So,
    /// Another user PIN, for changing to and for presenting wrongly.
    OtherUser,
    /// Another SO-PIN.
    OtherSo,
    /// Nothing.
    Empty,
}

impl Code {
    fn bytes(self) -> &'static [u8] {
        match self {
            Self::User => USER_PIN,
            Self::So => SO_PIN,
            Self::OtherUser => b"970531",
            Self::OtherSo => b"19283746",
            Self::Empty => &[],
        }
    }
}

/// What a command does.
#[derive(Arbitrary, Clone, Debug)]
#[expect(missing_docs, reason = "the names are those of the commands")]
pub enum Action {
    Select,
    SelectFile {
        kind: u8,
        number: u8,
        p2: u8,
    },
    Reset,
    PowerCycle,
    Verify {
        so: bool,
        code: Code,
    },
    Change {
        so: bool,
        old: Code,
        new: Code,
    },
    ResetCounter {
        p1: u8,
        so: Code,
        new: Code,
    },
    Initialize {
        options: u8,
        pin: Code,
        so: Code,
        tries: Option<u8>,
        dkek: Option<u8>,
        quorum: Option<(u8, u8)>,
        slots: Option<u8>,
    },
    Share {
        slot: u8,
        byte: u8,
    },
    Domain {
        action: u8,
        slot: u8,
        shares: Option<u8>,
    },
    Join {
        slot: u8,
        card: bool,
    },
    GenerateEc {
        key: u8,
        curve: u8,
        uses: Option<u8>,
        algorithms: Option<Vec<u8>>,
        domain: Option<u8>,
    },
    GenerateAes {
        key: u8,
        size: u8,
        uses: Option<u8>,
        algorithms: Option<Vec<u8>>,
        domain: Option<u8>,
    },
    Sign {
        key: u8,
        algorithm: u8,
        data: Vec<u8>,
    },
    Decipher {
        key: u8,
        algorithm: u8,
        data: Operand,
    },
    Cipher {
        key: u8,
        algorithm: u8,
        blocks: u8,
        data: u8,
    },
    Wrap {
        key: u8,
    },
    Unwrap {
        key: u8,
        blob: u8,
    },
    UnwrapScratch {
        key: u8,
    },
    Write {
        kind: u8,
        number: u8,
        offset: u8,
        content: Vec<u8>,
    },
    WriteCurrent {
        offset: u8,
        content: Vec<u8>,
    },
    Scratch {
        paper: Operand,
    },
    Read {
        kind: u8,
        number: u8,
        offset: u8,
        le: u8,
    },
    ReadCurrent {
        offset: u8,
        le: u8,
    },
    Delete {
        kind: u8,
        number: u8,
    },
    Enumerate,
    Challenge {
        length: u8,
    },
    SelectKey {
        authentication: bool,
        name: u8,
    },
    VerifyCertificate {
        certificate: u8,
    },
    Trust {
        peer: bool,
    },
    Register {
        index: u8,
    },
    Derive {
        key: u8,
        new: u8,
        parameter: u8,
    },
    SessionPin {
        p1: u8,
    },
    Custodians {
        p1: u8,
        p2: u8,
    },
    Authenticate {
        right: bool,
    },
    OpenChannel,
    VerifySessionPin,
    Enrol {
        required: u8,
        options: u8,
    },
    Raw(Vec<u8>),
}

/// Input of a key operation.
#[derive(Arbitrary, Clone, Debug)]
pub enum Operand {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The base point of P-256 or of the device's curve.
    Point(bool),
    /// So many equal bytes.
    Block(u8),
    /// The exchange request of a card.
    Exchange(bool),
    /// The membership of a card.
    Membership(bool),
    /// The custodian's request.
    Custodian,
    /// The blob of the fixture.
    Blob,
}

/// The cards that every session begins with.
#[derive(Debug)]
pub struct Stage {
    cards: [Snapshot; 2],
    secrets: [Arc<Secrets>; 2],
    papers: Papers,
}

impl Stage {
    fn new() -> Self {
        let (cards, papers) = fixture::furnished();
        Self {
            secrets: cards
                .each_ref()
                .map(|bench| Arc::new(Watch::new(bench, bench.store.clone()).into_secrets())),
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
        Watch::knowing(self.secrets[index].clone(), subject, store)
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
            apply(twist, last);
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
                    apply(twist, &mut sealed);
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

/// What the cards made during the session, for later commands.
struct Made {
    blobs: Vec<Vec<u8>>,
    session_pin: Vec<u8>,
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

fn apply(twist: &Twist, command: &mut Vec<u8>) {
    let at = |position: u16, length: usize| usize::from(position) % length.max(1);
    let length = command.len();
    match twist {
        Twist::Header(position, value) => {
            if let Some(byte) = command.get_mut(at(u16::from(*position), length.min(4))) {
                *byte = *value;
            }
        }
        Twist::Flip(position, bit) => {
            if let Some(byte) = command.get_mut(at(*position, length)) {
                *byte ^= 1 << (bit % 8);
            }
        }
        Twist::Cut(position) => command.truncate(at(*position, length)),
        Twist::Append(more) => command.extend_from_slice(&more[..more.len().min(2048)]),
        Twist::Put(position, value) => {
            if let Some(byte) = command.get_mut(at(*position, length)) {
                *byte = *value;
            }
        }
    }
}

/// Prefixes of file identifiers that mean something.
fn file(kind: u8, number: u8) -> u16 {
    const KINDS: [u8; 9] = [0xCA, 0xCD, 0xCE, 0xCC, 0xC4, 0xC8, 0xC9, 0x2F, 0x00];
    u16::from_be_bytes([KINDS[usize::from(kind) % KINDS.len()], number])
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

fn attributes(uses: Option<u8>, algorithms: Option<&Vec<u8>>, domain: Option<u8>) -> Vec<u8> {
    let mut objects = Writer::new();
    if let Some(uses) = uses {
        objects = objects.element(0x90, &[0, 0, 0, uses]);
    }
    if let Some(algorithms) = algorithms {
        objects = objects.element(0x91, &algorithms[..algorithms.len().min(20)]);
    }
    if let Some(domain) = domain {
        objects = objects.element(0x92, &[domain % 6]);
    }
    objects.into_vec()
}

fn operand(operand: &Operand, papers: &Papers) -> Vec<u8> {
    match operand {
        Operand::Bytes(bytes) => bytes[..bytes.len().min(1000)].to_vec(),
        Operand::Point(p256) => {
            let curve = if *p256 {
                Curve::Secp256r1
            } else {
                fixture::CURVE
            };
            curve.parameters().g.to_vec()
        }
        Operand::Block(byte) => vec![*byte; 128],
        Operand::Exchange(card) => papers.exchange[usize::from(*card)].clone(),
        Operand::Membership(card) => papers.memberships[usize::from(*card)].clone(),
        Operand::Custodian => papers.custodian.clone(),
        Operand::Blob => papers.blob.clone(),
    }
}

#[expect(clippy::too_many_lines, reason = "one arm for each action")]
fn command(action: &Action, papers: &Papers, made: &Made) -> Vec<u8> {
    let reference = |so: bool| if so { 0x88 } else { 0x81 };
    let key = |key: u8| key % 9;
    match action {
        // The last of these are made elsewhere.
        Action::Select
        | Action::Reset
        | Action::PowerCycle
        | Action::Trust { .. }
        | Action::OpenChannel
        | Action::Enrol { .. }
        | Action::Authenticate { .. } => SELECT.to_vec(),
        Action::VerifySessionPin => extended(0x00, 0x20, 0, 0x81, &made.session_pin),
        Action::SelectFile { kind, number, p2 } => {
            extended(0x00, 0xA4, 0, *p2, &file(*kind, *number).to_be_bytes())
        }
        Action::Verify { so, code } => extended(0x00, 0x20, 0, reference(*so), code.bytes()),
        Action::Change { so, old, new } => {
            let data = [old.bytes(), new.bytes()].concat();
            extended(0x00, 0x24, 0, reference(*so), &data)
        }
        Action::ResetCounter { p1, so, new } => {
            let data = [so.bytes(), new.bytes()].concat();
            extended(0x00, 0x2C, p1 % 4, 0x81, &data)
        }
        Action::Initialize {
            options,
            pin,
            so,
            tries,
            dkek,
            quorum,
            slots,
        } => {
            let mut template = Writer::new().element(0x80, &[0, *options]);
            template = template
                .element(0x81, pin.bytes())
                .element(0x82, so.bytes());
            for (tag, value) in [(0x91, tries), (0x92, dkek), (0x97, slots)] {
                if let Some(value) = value {
                    template = template.element(tag, &[value % 6]);
                }
            }
            if let Some((total, required)) = quorum {
                template = template.element(0x93, &[total % 4, required % 4]);
            }
            let mut command = vec![0x80, 0x50, 0, 0];
            let template = template.into_vec();
            command.push(u8::try_from(template.len()).unwrap_or(0));
            command.extend_from_slice(&template);
            command
        }
        Action::Share { slot, byte } => fixture::share(slot % 6, *byte),
        Action::Domain {
            action,
            slot,
            shares,
        } => {
            let data = shares.map_or(Vec::new(), |shares| vec![shares % 4]);
            extended(0x80, 0x52, action % 6, slot % 6, &data)
        }
        Action::Join { slot, card } => {
            let membership = &papers.memberships[usize::from(*card)];
            extended(0x80, 0x52, 0x02, slot % 6, membership)
        }
        Action::GenerateEc {
            key: number,
            curve,
            uses,
            algorithms,
            domain,
        } => {
            let curve = Curve::ALL[usize::from(*curve) % Curve::ALL.len()];
            let attributes = attributes(*uses, algorithms.as_ref(), *domain);
            generate_ec(key(*number), curve, b"ZZKEY00001", &attributes)
        }
        Action::GenerateAes {
            key: number,
            size,
            uses,
            algorithms,
            domain,
        } => {
            let attributes = attributes(*uses, algorithms.as_ref(), *domain);
            extended(0x00, 0x48, key(*number), 0xB0 + size % 4, &attributes)
        }
        Action::Sign {
            key: number,
            algorithm,
            data,
        } => {
            let data = &data[..data.len().min(600)];
            extended(0x80, 0x68, key(*number), *algorithm, data)
        }
        Action::Decipher {
            key: number,
            algorithm,
            data,
        } => {
            let data = operand(data, papers);
            extended(0x80, 0x62, key(*number), *algorithm, &data)
        }
        Action::Cipher {
            key: number,
            algorithm,
            blocks,
            data,
        } => {
            let data = vec![*data; usize::from(*blocks)];
            extended(0x80, 0x78, key(*number), *algorithm, &data)
        }
        Action::Wrap { key: number } => fixture::wrap(key(*number)),
        Action::Unwrap { key: number, blob } => fixture::unwrap(
            key(*number),
            &made.blobs[usize::from(*blob) % made.blobs.len()],
        ),
        Action::UnwrapScratch { key: number } => extended(0x80, 0x74, key(*number), 0x93, &[]),
        Action::Write {
            kind,
            number,
            offset,
            content,
        } => {
            let content = &content[..content.len().min(1000)];
            crate::apdu::update(file(*kind, *number), u16::from(*offset), content)
        }
        Action::WriteCurrent { offset, content } => {
            let content = &content[..content.len().min(1000)];
            extended(0x00, 0xD6, 0, *offset, content)
        }
        Action::Scratch { paper } => crate::apdu::update(0x2F10, 0, &operand(paper, papers)),
        Action::Read {
            kind,
            number,
            offset,
            le,
        } => {
            let mut command = read(file(*kind, *number));
            command[10] = *offset;
            if let Some(last) = command.last_mut() {
                *last = *le;
            }
            command
        }
        Action::ReadCurrent { offset, le } => vec![0x00, 0xB0, 0, *offset, *le],
        Action::Delete { kind, number } => crate::apdu::delete(file(*kind, *number)),
        Action::Enumerate => extended(0x80, 0x58, 0, 0, &[]),
        Action::Challenge { length } => vec![0x00, 0x84, 0, 0, *length],
        Action::SelectKey {
            authentication,
            name,
        } => {
            let names: [&[u8]; 5] = [
                ROOT_NAME,
                ISSUER_NAME,
                &papers.names[0],
                &papers.names[1],
                CUSTODIAN,
            ];
            let purpose = if *authentication { 0xA4 } else { 0xB6 };
            select_key(purpose, names[usize::from(*name) % names.len()])
        }
        Action::VerifyCertificate { certificate } => {
            let certificates = [&papers.issuer, &papers.devices[0], &papers.devices[1]];
            let certificate = certificates[usize::from(*certificate) % 3];
            extended(0x00, 0x2A, 0x00, 0xBE, certificate)
        }
        Action::Register { index } => extended(0x80, 0x54, 0, index % 4, &papers.custodian),
        Action::Custodians { p1, p2 } => extended(0x80, 0x54, p1 % 4, p2 % 4, &[]),
        Action::SessionPin { p1 } => extended(0x80, 0x5A, p1 % 3, 0x81, &[]),
        Action::Derive {
            key: parent,
            new,
            parameter,
        } => extended(0x80, 0x76, key(*parent), key(*new), &[0x98, *parameter]),
        Action::Raw(bytes) => bytes[..bytes.len().min(1300)].to_vec(),
    }
}
