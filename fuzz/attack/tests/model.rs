//! Long random histories on two cards against a small reference model, with power cuts between
//! commands and between the commits of one command.
//!
//! The model says, for each command, the word it answers and what is durable after each of its
//! commits. A history that fails is shrunk and printed as a script of commands.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod model {
    pub(crate) mod operation;
    pub(crate) mod reference;
}

use std::fmt::Write as _;

use hsm2_attack::apdu::{self, SELECT};
use hsm2_attack::bench::Bench;
use hsm2_attack::store::WatchedStore;
use hsm2_emulator::card::Card;
use hsm2_emulator::crypto::CardRng;
use hsm2_emulator::cvc::AuthenticatedRequest;
use hsm2_emulator::tlv::Reader;
use model::operation::{Operation, SLOTS, command, operation};
use model::reference::{Durable, KEYS, Model, Outcome, Paper, files};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};

/// One card beside its model.
struct Pair {
    name: char,
    bench: Bench,
    model: Model,
    reopened: u32,
}

/// What is outside both cards.
#[derive(Default)]
struct World {
    papers: Vec<Paper>,
    script: String,
}

impl Pair {
    fn new(name: char, number: u8, mistaken: bool) -> Self {
        Self {
            name,
            bench: Bench::virgin(number),
            model: Model {
                mistaken,
                ..Model::default()
            },
            reopened: 0,
        }
    }

    /// Puts the power away and back: only what the store has survives. What the card draws then it
    /// has never drawn before.
    fn reopen(&mut self) {
        let store = WatchedStore::with(self.bench.store.records());
        self.reopened += 1;
        let mut seed = [0xEE; 32];
        seed[0] = u8::try_from(u32::from(self.name)).unwrap();
        seed[1..5].copy_from_slice(&self.reopened.to_be_bytes());
        let rng = Box::new(CardRng::from_seed(seed));
        let mut card = Card::open(Box::new(store.clone()), rng).unwrap();
        card.power_on();
        self.bench = Bench { card, store };
    }

    /// Runs an operation; with `cut`, the power goes when this many commits were made.
    fn run(&mut self, operation: &Operation, cut: Option<usize>, world: &mut World) {
        match operation {
            Operation::Select => {}
            Operation::Reset => self.bench.card.reset(),
            Operation::PowerOff => self.reopen(),
            _ => return self.command(operation, cut, world),
        }
        self.select(world);
        self.check(world);
    }

    fn command(&mut self, operation: &Operation, cut: Option<usize>, world: &mut World) {
        let Some(bytes) = command(operation, &self.model, &world.papers) else {
            return;
        };
        let Outcome { status, states } = self.model.outcome(operation, &world.papers);
        let commits = states.len() - 1;
        let cut = cut.filter(|allowed| *allowed < commits);
        if let Some(allowed) = cut {
            self.bench.store.fail_after(allowed);
        }
        let answer = self.bench.send(&bytes);
        self.bench.store.heal();
        let expected = if cut.is_some() { 0x6581 } else { status };
        let _ = writeln!(
            world.script,
            "{}: {} -> {:04X}    {operation:?}{}",
            self.name,
            hex::encode_upper(&bytes),
            answer.status,
            cut.map_or(String::new(), |n| format!(
                ", power cut behind commit {n} of {commits}"
            ))
        );
        assert_eq!(
            format!("{:04X}", answer.status),
            format!("{expected:04X}"),
            "the word of the last line of\n{}",
            world.script
        );
        match cut {
            Some(allowed) => {
                self.model.durable = states[allowed].clone();
                self.reopen();
                self.select(world);
            }
            None => {
                self.model.finish(operation, status, states);
                self.learn(operation, &answer.data, world);
            }
        }
        self.check(world);
    }

    fn select(&mut self, world: &mut World) {
        let _ = writeln!(world.script, "{}: power or reset, SELECT", self.name);
        self.bench.ok(SELECT);
        self.model.end_session();
    }

    /// Notes what only the card could say: the point of a new key, the bytes of a blob.
    fn learn(&mut self, operation: &Operation, data: &[u8], world: &mut World) {
        match operation {
            Operation::Generate { key, .. } if !data.is_empty() => {
                let content = Reader::new(data).expect(0x67).unwrap().value;
                let request = AuthenticatedRequest::parse(content).unwrap().request;
                let point = request.ec_public_key(None).unwrap().point;
                self.model.durable.keys.get_mut(key).unwrap().point = point;
            }
            Operation::Wrap { key } if !data.is_empty() => {
                let own = self.model.durable.keys[key].clone();
                let kek = self.model.durable.kek_of(&own).unwrap();
                world.papers.push(Paper {
                    blob: data.to_vec(),
                    kek,
                    key: own,
                });
            }
            _ => {}
        }
    }

    /// Everything that the card shows is what the model has.
    fn check(&mut self, world: &World) {
        let Durable { user, so, .. } = &self.model.durable;
        let about = |what: &str| format!("{what} of {} after\n{}", self.name, world.script);
        let session = &self.model.session;
        for (reference, pin, verified) in [(0x81, user, session.user), (0x88, so, session.so)] {
            let expected = match pin {
                None => 0x6A88,
                Some(pin) if pin.left == 0 => 0x6983,
                Some(_) if verified => 0x9000,
                Some(pin) => 0x63C0 | u16::from(pin.left),
            };
            let found = self.bench.send(&[0x00, 0x20, 0x00, reference]).status;
            assert_eq!(
                format!("{found:04X}"),
                format!("{expected:04X}"),
                "{}",
                about("PIN")
            );
        }
        let list = self.bench.send(&apdu::extended(0x80, 0x58, 0, 0, &[])).data;
        let mut listed: Vec<_> = list
            .chunks(2)
            .map(|id| u16::from_be_bytes([id[0], id[1]]))
            .collect();
        listed.sort_unstable();
        let objects: Vec<_> = self.model.durable.objects().into_iter().collect();
        assert_eq!(listed, objects, "{}", about("objects"));
        for slot in 0..SLOTS {
            let answer = self.bench.send(&[0x80, 0x52, 0x00, slot, 0x00]);
            let expected = self.model.durable.domains.get(&slot);
            match (self.model.durable.initialised(), expected) {
                (false, _) => assert_eq!(answer.status, 0x6D00, "{}", about("domain")),
                (true, None) => assert_eq!(answer.status, 0x6A88, "{}", about("domain")),
                (true, Some(domain)) => {
                    let counts = [domain.shares, domain.outstanding];
                    assert_eq!(answer.data[..2], counts, "{}", about("domain"));
                    let set = answer.data[2..] != [0; 8];
                    assert_eq!(set, domain.kek().is_some(), "{}", about("KEK"));
                }
            }
        }
        for number in KEYS {
            let id = [0xCC, number];
            let answer = self
                .bench
                .send(&apdu::extended(0x00, 0xA4, 0x00, 0x04, &id));
            match self.model.durable.keys.get(&number) {
                None => assert_eq!(answer.status, 0x6A82, "{}", about("key")),
                Some(key) => {
                    let shown = conditions(&answer.data);
                    assert_eq!(shown, key.attributes(), "{}", about("conditions of a key"));
                }
            }
        }
        for file in files() {
            let answer = self.bench.send(&apdu::read(file));
            match self.model.durable.files.get(&file) {
                None => assert!(
                    !answer.is_success(),
                    "{}",
                    about("a file that is not there")
                ),
                Some(_) if file >> 8 == 0xCD && !session.user => {
                    assert_eq!(answer.status, 0x6982, "{}", about("a private file"));
                }
                Some(content) => assert_eq!(&answer.data, content, "{}", about("a file")),
            }
        }
    }
}

/// Content of A5 in control parameters.
fn conditions(parameters: &[u8]) -> Vec<u8> {
    let mut objects = Reader::new(Reader::new(parameters).expect(0x62).unwrap().value);
    while !objects.is_empty() {
        let object = objects.next_element().unwrap();
        if object.tag == 0xA5 {
            return object.value.to_vec();
        }
    }
    Vec::new()
}

/// The key that answers is the one that the model has: it agrees with the base point to its own.
fn check_keys(pair: &mut Pair, world: &World) {
    pair.bench.ok(SELECT);
    let generator = hsm2_emulator::crypto::Curve::Secp256r1.parameters().g;
    let pin = pair.model.durable.user.clone();
    let Some(pin) = pin.filter(|pin| pin.left > 0) else {
        return;
    };
    pair.bench
        .ok(&apdu::short(0x00, 0x20, 0x00, 0x81, pin.value));
    for (number, key) in &pair.model.durable.keys {
        if key.uses == Some(0) {
            continue;
        }
        let point = pair
            .bench
            .ok(&apdu::extended(0x80, 0x62, *number, 0x80, generator));
        assert_eq!(
            point, key.point,
            "key {number} of {} after\n{}",
            pair.name, world.script
        );
    }
}

/// A step of a history: which card, what, and perhaps a power cut behind a commit.
fn step() -> impl Strategy<Value = (bool, Operation, Option<usize>)> {
    let cut = prop::option::weighted(0.15, 0..2usize);
    (any::<bool>(), operation(), cut)
}

type History = [(bool, Operation, Option<usize>)];

fn play(history: &History) {
    play_from(&Operation::beginning(), history, false);
}

fn play_from(beginning: &[Operation], history: &History, mistaken: bool) {
    let mut world = World::default();
    let mut pairs = [('A', 1), ('B', 2)].map(|(name, number)| Pair::new(name, number, mistaken));
    for pair in &mut pairs {
        for operation in beginning {
            pair.run(operation, None, &mut world);
        }
    }
    for (second, operation, cut) in history {
        pairs[usize::from(*second)].run(operation, *cut, &mut world);
    }
    for pair in &mut pairs {
        check_keys(pair, &world);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 600,
        max_shrink_iters: 4000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn both_cards_do_what_the_model_says(history in prop::collection::vec(step(), 1..120)) {
        play(&history);
    }
}

/// The model believes that a wrong PIN costs nothing. The card contradicts it, and what is left of a
/// long history is what a person can read.
#[test]
fn a_model_that_is_wrong_is_noticed_and_shown_by_a_short_script() {
    let play = |history: &History| {
        play_from(&Operation::beginning()[..1], history, true);
    };
    let config = ProptestConfig {
        cases: 50,
        max_shrink_iters: 4000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let outcome = TestRunner::new_with_rng(config, rng).run(
        &prop::collection::vec(step(), 20..60),
        |history| {
            play(&history);
            Ok(())
        },
    );
    let Err(TestError::Fail(_, history)) = outcome else {
        panic!("not noticed: {outcome:?}");
    };
    let panic = std::panic::catch_unwind(|| play(&history)).unwrap_err();
    let message = *panic.downcast::<String>().unwrap();
    let (_, script) = message.split_once('\n').unwrap();
    let lines: Vec<_> = script
        .lines()
        .filter(|line| line.starts_with("A: ") || line.starts_with("B: "))
        .collect();
    assert!(lines.len() <= 7, "{} lines:\n{script}", lines.len());
    let last = lines.last().unwrap();
    assert!(last.contains("right: false"), "{script}");
}
