//! Every rule of the watch fires on a card with a bug planted for it, and on no good card.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, Ordering};

use hsm2_attack::apdu::{SELECT, USER_PIN, log_in, short, update};
use hsm2_attack::bench::Bench;
use hsm2_attack::fixture;
use hsm2_attack::session::{Action, Code, Seated, Session, Turn, Twist, run, run_on};
use hsm2_attack::store::WatchedStore;
use hsm2_attack::watch::Subject;
use hsm2_emulator::id::KeyId;
use hsm2_emulator::memory::Memory;
use hsm2_emulator::snapshot::Snapshot;
use hsm2_emulator::store::{Change, Store};

/// What is wrong with a card.
#[derive(Clone, Copy, Debug)]
enum Bug {
    /// A challenge shows a quarter of a private key.
    LeaksKey,
    /// A status query shows the user PIN.
    LeaksPin,
    /// A domain's status shows its KEK.
    LeaksKek,
    /// A wrong PIN costs nothing.
    FreeTries,
    /// Logs in by itself before SIGN.
    SignsForAnybody,
    /// SELECT keeps the session.
    KeepsSession,
    /// A reset does nothing.
    IgnoresReset,
    /// A command that fails leaves a file behind.
    WritesOnFailure,
    /// READ BINARY writes.
    WritesOnReading,
    /// Some responses depend on the run.
    ForgetsSeed,
    /// Answers nothing at all to a wrong length.
    FallsSilent,
    /// The store loses a write.
    LosesWrites,
    /// The store grows with every write.
    Hoards,
}

struct Planted {
    bench: Bench,
    bug: Bug,
    /// The logged-in card of the beginning, to fall back to.
    before: Snapshot,
}

impl Planted {
    fn new(bug: Bug) -> impl Fn(Bench) -> Self {
        move |bench| Self {
            before: bench.card.snapshot(),
            bench,
            bug,
        }
    }

    fn commit(&mut self, change: Change) {
        self.bench.store.commit(&[change]).unwrap();
    }
}

fn with_data(data: &[u8], mut response: Vec<u8>) -> Vec<u8> {
    let status = response.split_off(response.len() - 2);
    [response, data.to_vec(), status].concat()
}

static RUNS: AtomicU8 = AtomicU8::new(0);

impl Subject for Planted {
    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        let ins = command.get(1).copied().unwrap_or_default();
        if matches!(self.bug, Bug::KeepsSession) && command == SELECT {
            return vec![0x90, 0x00];
        }
        if matches!(self.bug, Bug::SignsForAnybody) && ins == 0x68 {
            drop(Subject::transmit(&mut self.bench, &log_in()));
        }
        let response = Subject::transmit(&mut self.bench, command);
        let failed = !response.ends_with(&[0x90, 0x00]);
        match (self.bug, ins) {
            (Bug::LeaksKey, 0x84) => {
                let key = self.bench.card.memory().key(KeyId(fixture::EC_KEY));
                let secret = key.unwrap().material.ec().unwrap().secret_bytes();
                with_data(&secret[8..16], response)
            }
            (Bug::LeaksPin, 0x84) => with_data(USER_PIN, response),
            (Bug::LeaksKek, 0x84) => {
                let domain = self
                    .bench
                    .card
                    .memory()
                    .domain(hsm2_emulator::id::DomainId(0));
                let kek = domain.and_then(|domain| domain.kek()).unwrap();
                with_data(&kek.mac_key()[..], response)
            }
            (Bug::FreeTries, 0x20) if failed => {
                // What was spent comes back.
                self.bench.card.restore(&self.before).unwrap();
                response
            }
            (Bug::WritesOnFailure, 0x68) if failed => {
                self.commit(Change::Put(vec![0x02], vec![0; 4].into()));
                response
            }
            (Bug::WritesOnReading, 0xB1) => {
                self.commit(Change::Delete(vec![0x07, 0xCA, 0x77]));
                response
            }
            (Bug::ForgetsSeed, 0x84) if !failed => {
                with_data(&[RUNS.fetch_add(1, Ordering::Relaxed)], response)
            }
            (Bug::FallsSilent, 0x68) if failed => Vec::new(),
            (Bug::LosesWrites, 0xD7) => {
                self.commit(Change::Delete(vec![0x07, 0xCA, 0x01]));
                response
            }
            (Bug::Hoards, 0xD7) => {
                self.commit(Change::Put(vec![0x07, 0xCA, 0x01], vec![0; 300_000].into()));
                response
            }
            _ => response,
        }
    }

    fn reset(&mut self) {
        if !matches!(self.bug, Bug::IgnoresReset) {
            self.bench.card.reset();
        }
    }

    fn memory(&self) -> &Memory {
        self.bench.card.memory()
    }

    fn snapshot(&self) -> Snapshot {
        self.bench.card.snapshot()
    }
}

impl Seated for Planted {
    fn store(&self) -> WatchedStore {
        self.bench.store.clone()
    }
}

fn turn(action: Action) -> Turn {
    Turn {
        second: false,
        action,
        twist: None,
        protected: false,
        tamper: None,
    }
}

/// A session that meets every bug above.
fn session() -> Session {
    let sign = |key| Action::Sign {
        key,
        algorithm: 0x73,
        data: vec![1, 2, 3],
    };
    let actions = [
        Action::Challenge { length: 8 },
        sign(fixture::EC_KEY),
        sign(8),
        Action::Write {
            kind: 0,
            number: 1,
            offset: 0,
            content: vec![9; 9],
        },
        Action::Read {
            kind: 0,
            number: 1,
            offset: 0,
            le: 9,
        },
        Action::Select,
        Action::Verify {
            so: false,
            code: Code::OtherUser,
        },
        Action::Verify {
            so: false,
            code: Code::OtherUser,
        },
        Action::Verify {
            so: false,
            code: Code::User,
        },
        Action::Reset,
        Action::Select,
        sign(fixture::EC_KEY),
        Action::Verify {
            so: false,
            code: Code::User,
        },
        Action::Select,
    ];
    let mut turns: Vec<_> = actions.into_iter().map(turn).collect();
    turns.push(Turn {
        second: false,
        action: Action::Challenge { length: 8 },
        twist: Some(Twist::Append(vec![1, 2, 3])),
        protected: false,
        tamper: None,
    });
    Session {
        replay: true,
        turns,
    }
}

#[test]
fn a_good_card_passes() {
    assert!(run(&session()) > 10);
}

#[test]
fn every_rule_fires_on_its_bug() {
    let rows = [
        (
            Bug::LeaksKey,
            "secret: 8 bytes of a secret in the response to 84",
        ),
        (
            Bug::LeaksPin,
            "secret: 6 bytes of a secret in the response to 84",
        ),
        (
            Bug::LeaksKek,
            "secret: 8 bytes of a secret in the response to 84",
        ),
        (Bug::FreeTries, "tries: a wrong User left 3 of 3"),
        (
            Bug::SignsForAnybody,
            "access: 68 01 73 answered 9000 to nobody",
        ),
        (Bug::KeepsSession, "session: 81 is verified after SELECT"),
        (Bug::IgnoresReset, "session: a command answered"),
        (
            Bug::WritesOnFailure,
            "failure: 68 answered 6A88 and changed the store",
        ),
        (Bug::WritesOnReading, "reading: B1 wrote to the store"),
        (Bug::ForgetsSeed, "seed: the same commands"),
        (Bug::FallsSilent, "response: 0 bytes"),
        (
            Bug::LosesWrites,
            "store: the card knows what its store has not",
        ),
        (Bug::Hoards, "memory: "),
    ];
    for (bug, message) in rows {
        let session = session();
        let outcome = catch_unwind(AssertUnwindSafe(|| run_on(&session, Planted::new(bug))));
        let panic = outcome.expect_err(&format!("{bug:?} was not noticed"));
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or(panic.downcast_ref::<&str>().copied())
            .unwrap();
        assert!(text.starts_with(message), "{bug:?}: {text}");
    }
}

#[test]
fn what_the_host_said_itself_is_no_secret() {
    let mut bench = Bench::virgin(1);
    bench.ok(&hsm2_attack::apdu::initialize(1, &[]));
    let store = bench.store.clone();
    let mut watch = hsm2_attack::watch::Watch::new(&bench, store);
    watch.send(&mut bench, &update(0xCA01, 0, USER_PIN));
    let answer = watch.send(&mut bench, &hsm2_attack::apdu::read(0xCA01));
    assert_eq!(answer.data, USER_PIN);
    watch.send(&mut bench, &short(0x00, 0x20, 0, 0x81, USER_PIN));
}
