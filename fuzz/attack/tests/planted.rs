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
use hsm2_attack::session::{Action, Code, Seated, Session, Stage, Turn, Twist, run, run_on};
use hsm2_attack::store::WatchedStore;
use hsm2_attack::targets::{self, Heard, Readers};
use hsm2_attack::watch::Subject;
use hsm2_emulator::id::{DomainId, KeyId};
use hsm2_emulator::memory::Memory;
use hsm2_emulator::pin::PinReference;
use hsm2_emulator::snapshot::Snapshot;
use hsm2_emulator::store::{Change, FileStore, Store};
use hsm2_emulator::tlv::{Reader, Writer};
use hsm2_harness::attest::Verdict;
use hsm2_harness::card::cvc::{Certificate, Request};
use hsm2_harness::der::{self, Malformed};
use hsm2_harness::secret::Secret;
use hsm2_harness::transport::Target;

/// What is wrong with a card.
#[derive(Clone, Copy, Debug)]
enum Bug {
    /// A challenge shows a quarter of a private key.
    LeaksKey,
    /// A challenge shows eight bytes of a private key that begin anywhere.
    LeaksMiddleOfKey,
    /// A challenge shows the user PIN.
    LeaksPin,
    /// A challenge shows the MAC key of a KEK.
    LeaksKek,
    /// A wrong PIN costs nothing.
    FreeTries,
    /// A challenge gives tries back.
    GivesTriesBack,
    /// A challenge costs a try.
    SpendsTries,
    /// Takes any PIN at VERIFY.
    TakesAnyPin,
    /// Takes any old PIN at CHANGE REFERENCE DATA.
    ChangesAnyPin,
    /// Takes any SO-PIN at INITIALIZE DEVICE.
    InitialisesForAnybody,
    /// Takes any SO-PIN at RESET RETRY COUNTER.
    ResetsCounterForAnybody,
    /// Has RESET RETRY COUNTER although it was not enabled.
    AlwaysResetsCounter,
    /// Logs in by itself before SIGN.
    SignsForAnybody,
    /// Lets anybody read a private file.
    ReadsForAnybody,
    /// Lets the user read the file of a key.
    ReadsKeys,
    /// Lets anybody replace a custodian.
    ReplacesForAnybody,
    /// Lets anybody write.
    WritesForAnybody,
    /// SELECT keeps the session.
    KeepsSession,
    /// A reset does nothing.
    IgnoresReset,
    /// A power cut does nothing.
    OutlastsPower,
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
    /// Takes files for which it has no memory.
    Overfills,
    /// Opens the channel with a wrong token.
    WrongToken,
    /// Answers through the channel without protection.
    AnswersPlainly,
    /// Takes a command whose protection is wrong.
    TakesAnyProtection,
}

struct Planted {
    bench: Bench,
    bug: Bug,
    /// The logged-in card of the beginning, to fall back to.
    before: Snapshot,
    /// A card with more files than it has memory.
    overfull: Option<Bench>,
}

impl Planted {
    fn new(bug: Bug) -> impl Fn(Bench) -> Self {
        move |bench| Self {
            before: bench.card.snapshot(),
            overfull: matches!(bug, Bug::Overfills).then(overfull),
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

const DONE: [u8; 2] = [0x90, 0x00];

/// More files than the memory of any card holds.
fn overfull() -> Bench {
    let [good, _] = Stage::get().cards();
    let mut records = good.store.records();
    let file = records[&vec![0x07, 0xCA, 0x01]].clone();
    for high in 0x40..0xC0 {
        for low in 0..=u8::MAX {
            records.insert(vec![0x07, high, low], file.clone());
        }
    }
    Bench::from_records(records)
}

impl Subject for Planted {
    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        let ins = command.get(1).copied().unwrap_or_default();
        if matches!(self.bug, Bug::KeepsSession) && command == SELECT {
            return DONE.to_vec();
        }
        if matches!(self.bug, Bug::SignsForAnybody) && ins == 0x68 {
            drop(Subject::transmit(&mut self.bench, &log_in()));
        }
        if matches!(self.bug, Bug::SpendsTries) && ins == 0x84 {
            let wrong = short(0x00, 0x20, 0x00, 0x81, b"000000");
            drop(Subject::transmit(&mut self.bench, &wrong));
        }
        let mut response = Subject::transmit(&mut self.bench, command);
        let failed = !response.ends_with(&DONE);
        let protected = command[0] & 0x0C == 0x0C;
        let memory = self.bench.card.memory();
        match (self.bug, ins) {
            (Bug::LeaksKey | Bug::LeaksMiddleOfKey, 0x84) => {
                let key = memory.key(KeyId(fixture::EC_KEY));
                let secret = key.unwrap().material.ec().unwrap().secret_bytes();
                let from = match self.bug {
                    Bug::LeaksKey => 8,
                    _ => 13,
                };
                with_data(&secret[from..from + 8], response)
            }
            (Bug::LeaksPin, 0x84) => with_data(USER_PIN, response),
            (Bug::LeaksKek, 0x84) => {
                let domain = memory.domain(DomainId(fixture::DKEK));
                let kek = domain.and_then(|domain| domain.kek()).unwrap();
                with_data(&kek.mac_key()[..], response)
            }
            // What was spent comes back.
            (Bug::FreeTries, 0x20) if failed => {
                self.bench.card.restore(&self.before).unwrap();
                response
            }
            (Bug::GivesTriesBack, 0x84)
                if memory.pin(PinReference::User).unwrap().tries_left() < 3 =>
            {
                self.bench.card.restore(&self.before).unwrap();
                response
            }
            (Bug::TakesAnyPin, 0x20)
            | (Bug::ChangesAnyPin, 0x24)
            | (Bug::InitialisesForAnybody, 0x50)
            | (Bug::ResetsCounterForAnybody | Bug::AlwaysResetsCounter, 0x2C)
            | (Bug::ReplacesForAnybody, 0x54)
            | (Bug::WritesForAnybody, 0xD7)
                // A query of the tries has no data.
                if failed && command.len() > 5 =>
            {
                DONE.to_vec()
            }
            (Bug::TakesAnyProtection, _) if failed && protected => DONE.to_vec(),
            (Bug::AnswersPlainly, _) if protected => DONE.to_vec(),
            (Bug::WrongToken, 0x86) if !failed => {
                let last = response.len() - 3;
                response[last] ^= 1;
                response
            }
            (Bug::ReadsForAnybody, 0xB0 | 0xB1) if failed && command[2] != 0xCC => [&[0x22; 20][..], &DONE].concat(),
            (Bug::ReadsKeys, 0xB1) if failed => [&[0x01; 20][..], &DONE].concat(),
            (Bug::WritesOnFailure, 0x68) if failed => {
                self.commit(Change::Put(vec![0x02], vec![0; 4].into()));
                response
            }
            (Bug::WritesOnReading, 0xB1) => {
                self.commit(Change::Delete(vec![0x07, 0xCA, 0x77]));
                response
            }
            (Bug::ForgetsSeed, 0x84) if !failed && !protected => {
                with_data(&[RUNS.fetch_add(1, Ordering::Relaxed)], response)
            }
            (Bug::FallsSilent, 0x68) if failed => Vec::new(),
            (Bug::LosesWrites, 0xD7) if !failed => {
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

    fn power_cycle(&mut self) {
        if !matches!(self.bug, Bug::OutlastsPower) {
            Subject::power_cycle(&mut self.bench);
        }
    }

    fn memory(&self) -> &Memory {
        let bench = self.overfull.as_ref().unwrap_or(&self.bench);
        bench.card.memory()
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

fn verify(so: bool, code: Code) -> Action {
    Action::Verify { so, code }
}

const PUBLIC: u8 = 0;
const PRIVATE: u8 = 1;
const KEY: u8 = 3;

fn read(kind: u8, number: u8) -> Action {
    Action::Read {
        kind,
        number,
        offset: 0,
        le: 9,
    }
}

/// A session that a good card passes, and that meets most bugs above.
fn session() -> Session {
    let sign = |key| Action::Sign {
        key,
        algorithm: 0x73,
        data: vec![1, 2, 3],
    };
    let write = || Action::Write {
        kind: PUBLIC,
        number: 1,
        offset: 0,
        content: vec![9; 9],
    };
    let challenge = || Action::Challenge { length: 8 };
    let initialize = |options, so| Action::Initialize {
        options,
        pin: Code::User,
        so,
        tries: Some(3),
        dkek: None,
        quorum: None,
        slots: None,
    };
    let actions = [
        challenge(),
        sign(fixture::EC_KEY),
        sign(8),
        write(),
        read(PUBLIC, 1),
        read(KEY, 1),
        Action::Select,
        verify(false, Code::OtherUser),
        challenge(),
        verify(false, Code::OtherUser),
        verify(false, Code::User),
        Action::Reset,
        Action::Select,
        // To nobody.
        sign(fixture::EC_KEY),
        write(),
        read(PRIVATE, 1),
        Action::SelectFile {
            kind: PRIVATE,
            number: 1,
            p2: 0x0C,
        },
        Action::ReadCurrent { offset: 0, le: 9 },
        Action::Custodians { p1: 1, p2: 0 },
        Action::ResetCounter {
            p1: 1,
            so: Code::OtherSo,
            new: Code::Empty,
        },
        Action::Change {
            so: false,
            old: Code::OtherUser,
            new: Code::User,
        },
        verify(false, Code::User),
        Action::PowerCycle,
        Action::Select,
        initialize(0, Code::OtherSo),
        initialize(0, Code::So),
        Action::ResetCounter {
            p1: 1,
            so: Code::So,
            new: Code::Empty,
        },
        Action::Select,
    ];
    let mut turns: Vec<_> = actions.into_iter().map(turn).collect();
    turns.push(Turn {
        twist: Some(Twist::Append(vec![1, 2, 3])),
        ..turn(challenge())
    });
    turns.push(turn(Action::OpenChannel));
    turns.push(Turn {
        protected: true,
        ..turn(challenge())
    });
    turns.push(Turn {
        protected: true,
        tamper: Some(Twist::Flip(8, 0)),
        ..turn(challenge())
    });
    Session {
        replay: true,
        turns,
    }
}

/// The current file read by 00 B0, without the read of the same file before it.
fn current_file_only() -> Session {
    let mut session = session();
    session
        .turns
        .retain(|turn| !matches!(turn.action, Action::Read { kind: PRIVATE, .. }));
    session
}

#[test]
fn a_good_card_passes() {
    assert!(run(&session()) > 30);
}

/// What a run says when a rule is broken.
fn panic_of(run: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(run)).err()?;
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| Some((*panic.downcast_ref::<&str>()?).to_owned()))
}

/// Whether a text is that of a row, in which one star stands for what is not the same in every run.
fn is(text: &str, row: &str) -> bool {
    match row.split_once('*') {
        Some((start, end)) => text.starts_with(start) && text.ends_with(end),
        None => text == row,
    }
}

#[test]
fn every_rule_fires_on_its_bug() {
    let rows = [
        (
            Bug::LeaksKey,
            "secret: 8 bytes of a secret in the response to 84",
        ),
        (
            Bug::LeaksMiddleOfKey,
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
        (Bug::GivesTriesBack, "tries: User grew from 2 to 3 by 84"),
        (Bug::SpendsTries, "tries: User fell from 3 to 2 by 84"),
        (
            Bug::TakesAnyPin,
            "access: 20 00 81 took a User PIN that is none",
        ),
        (
            Bug::ChangesAnyPin,
            "access: 24 00 81 took a User PIN that is none",
        ),
        (
            Bug::InitialisesForAnybody,
            "access: 50 00 00 took a SecurityOfficer PIN that is none",
        ),
        (
            Bug::ResetsCounterForAnybody,
            "access: RESET RETRY COUNTER without the SO-PIN",
        ),
        (
            Bug::AlwaysResetsCounter,
            "access: RESET RETRY COUNTER is not enabled",
        ),
        (
            Bug::SignsForAnybody,
            "access: 68 01 73 answered 9000 to nobody",
        ),
        (
            Bug::ReadsForAnybody,
            "access: B1 CD 01 answered 9000 to nobody",
        ),
        (Bug::ReadsKeys, "access: B1 CC 01 read a key file"),
        (
            Bug::ReplacesForAnybody,
            "access: 54 01 00 answered 9000 to nobody",
        ),
        (
            Bug::WritesForAnybody,
            "access: D7 CA 01 answered 9000 to nobody",
        ),
        (Bug::KeepsSession, "session: 81 is verified after SELECT"),
        (
            Bug::IgnoresReset,
            "session: a command answered *9000 after a reset without SELECT",
        ),
        (
            Bug::OutlastsPower,
            "session: a command answered *9000 after a power cut without SELECT",
        ),
        (
            Bug::WritesOnFailure,
            "failure: 68 answered 6A88 and changed the store",
        ),
        (Bug::WritesOnReading, "reading: B1 wrote to the store"),
        (
            Bug::ForgetsSeed,
            "seed: the same commands to the same cards were answered differently",
        ),
        (Bug::FallsSilent, "response: 0 bytes"),
        (
            Bug::LosesWrites,
            "store: the card knows what its store has not",
        ),
        (Bug::Hoards, "memory: * bytes stored"),
        (Bug::Overfills, "memory: * bytes used"),
        (Bug::WrongToken, "channel: the card's token is wrong"),
        (
            Bug::AnswersPlainly,
            "channel: 84 through the channel was answered 9000 without protection",
        ),
        (
            Bug::TakesAnyProtection,
            "channel: 0c84* is not of the channel and was answered 9000",
        ),
    ];
    let check = |session: &Session, bug, message| {
        let text = panic_of(|| {
            run_on(session, Planted::new(bug));
        });
        let text = text.unwrap_or_else(|| panic!("{bug:?} was not noticed"));
        assert!(is(&text, message), "{bug:?}: {text}");
    };
    for (bug, message) in rows {
        let mut session = session();
        session.turns.retain(|turn| match (bug, &turn.action) {
            // It would be noticed earlier for another reason.
            (Bug::AlwaysResetsCounter, Action::ResetCounter { so, .. }) => {
                !matches!(so, Code::OtherSo)
            }
            // It would lose the file in any case.
            (Bug::LosesWrites, Action::Initialize { .. }) => false,
            _ => true,
        });
        check(&session, bug, message);
    }
    check(
        &current_file_only(),
        Bug::ReadsForAnybody,
        "access: B0 00 00 answered 9000 to nobody",
    );
}

/// The targets' own rules, each with something wrong in the place of what the target is for.
#[test]
fn every_rule_of_a_target_fires_on_its_bug() {
    let check = |message: &str, run: &dyn Fn()| {
        let text = panic_of(run).unwrap_or_else(|| panic!("not noticed: {message}"));
        assert!(is(&text, message), "{text}");
    };
    let element = [0x82, 0x02, 0xAA, 0xBB];
    targets::tlv(&element);
    check(
        "tlv: 82 is written in another way than it was read",
        &|| {
            let long = |tag: u16, value: &[u8]| {
                let start = [tag.to_be_bytes()[1], 0x81, value.len().to_be_bytes()[7]];
                [&start[..], value].concat()
            };
            targets::tlv_by(&element, &long, &|reader| reader.element().ok());
        },
    );
    check(
        "tlv: the harness reads another element than the card",
        &|| {
            let card = |tag, value: &[u8]| Writer::new().element(tag, value).into_vec();
            targets::tlv_by(&element, &card, &|reader| {
                let read = reader.element().ok()?;
                Some(der::Element {
                    content: &read.content[1..],
                    ..read
                })
            });
        },
    );

    let frames = [1, 0, 2, 0xAA, 0xBB, 0, 1, 1];
    targets::vpcd(&frames);
    check(
        "vpcd: other messages when the bytes come in pieces",
        &|| {
            targets::vpcd_by(&frames, |stream, piece| {
                let mut messages = targets::messages(stream, piece);
                messages.truncate(piece);
                messages
            });
        },
    );

    targets::store_file(b"no card file");
    check("store_file: a refused file was changed", &|| {
        targets::store_file_by(b"no card file", |path| {
            std::fs::write(path, b"repaired").unwrap();
            FileStore::open(path)
        });
    });

    let verify = b"\x0B\x00\x20\x00\x81\x06648219\x02\x90\x00";
    targets::trace(verify);
    check("trace: a PIN is in it", &|| {
        targets::trace_by(verify, |bytes, _| hex::encode_upper(bytes));
    });

    let script = br#"[{"on": {"ins": "84"}, "do": [{"append": "00"}]}]"#;
    targets::script(script);
    check(
        "script: the same script spoils the same commands in another way",
        &|| {
            targets::script_by(script, |snapshot, script| {
                let mut heard = targets::spoiled(snapshot, script);
                heard.push(vec![RUNS.fetch_add(1, Ordering::Relaxed)]);
                heard
            });
        },
    );

    let key = b"000102030405060708090a0b0c0d0e0f";
    targets::key_file(key);
    check(
        "key_file: a key that was read cannot be read again",
        &|| {
            targets::key_file_by(key, |_| Secret::from(&b"no key"[..]));
        },
    );

    let share = b"Prime: 0b\nShare ID: 2\nShare value: 7\nShare ID: 3\nShare value: 5\n";
    targets::share_file(share);
    check(
        "share_file: a share that was read is shown as another",
        &|| {
            targets::share_file_by(share, |share| share.to_string().replace('2', "4"));
        },
    );
}

/// The rules of the target of certificates, each with a reader that is wrong.
#[test]
fn every_rule_about_certificates_fires_on_its_bug() {
    let papers = Stage::get().papers();
    let root = hsm2_emulator::identity::root_certificate().unwrap();
    let certificate = [&[0], &papers.devices[0][..]].concat();
    let request = [&[3], &papers.exchange[0][..]].concat();
    let anchor = [&[2], &root[..]].concat();
    for good in [&certificate, &request, &anchor] {
        targets::cvc(good);
    }
    let check = |message: &str, input: &[u8], bug: &dyn Fn(&mut Readers)| {
        let mut readers = Readers::HARNESS;
        bug(&mut readers);
        let text = panic_of(|| targets::cvc_by(input, &readers));
        let text = text.unwrap_or_else(|| panic!("not noticed: {message}"));
        assert!(is(&text, message), "{text}");
    };
    check(
        "cvc: the card takes what the harness refuses: offset 0: nothing",
        &certificate,
        &|readers| readers.certificate = |_| Err(Malformed::new(0, "nothing").into()),
    );
    check(
        "cvc: the harness reads another certificate than the card",
        &certificate,
        &|readers| {
            readers.certificate = |content| {
                let mut read = Certificate::parse(content)?;
                read.holder.pop();
                Ok(read)
            };
        },
    );
    // Signed by its own key, and a reader that takes the signature's last byte for another.
    let own = [&[0], Reader::new(&root).next_element().unwrap().value].concat();
    targets::cvc(&own);
    check(
        "cvc: card and harness do not agree on a signature",
        &own,
        &|readers| {
            readers.certificate = |content| {
                let (last, rest) = content.split_last().unwrap();
                Certificate::parse(&[rest, &[last ^ 1]].concat())
            };
        },
    );
    check("cvc: a trust anchor that is no root", &anchor, &|readers| {
        readers.file = |_| Ok(Vec::new());
    });
    check(
        "cvc: the harness believes what the device did not sign",
        &request,
        &|readers| {
            // Another device's word is as good.
            readers.request = |bytes, _| {
                let papers = Stage::get().papers();
                Request::parse(bytes, &Certificate::parse(&papers.devices[0])?)
            };
        },
    );
    let inner = Reader::new(&papers.exchange[0]).next_element().unwrap();
    let vouched = [&[4], inner.value].concat();
    targets::cvc(&vouched);
    check(
        "cvc: card and harness do not agree on a request: Some(Malformed(Malformed { offset: 0, \
         what: \"nothing\" }))",
        &vouched,
        &|readers| readers.request = |_, _| Err(Malformed::new(0, "nothing").into()),
    );
}

/// The rules of the target of lying devices, each with a tool that breaks it.
#[test]
fn every_rule_about_a_lying_device_fires_on_its_bug() {
    let honest = [0];
    targets::device(&honest);
    let check = |message: &str, tool: &dyn Fn(Box<dyn Target>) -> Heard| {
        let text = panic_of(|| targets::device_by(&honest, |_, device| tool(device)));
        let text = text.unwrap_or_else(|| panic!("not noticed: {message}"));
        assert!(is(&text, message), "{text}");
    };
    check("device: a virtual card is called genuine", &|device| {
        Heard {
            verdict: Some(Verdict::Genuine),
            ..targets::ask(0, device)
        }
    });
    check(
        "device: a tool that only looks has changed the device",
        &|mut device| {
            device.transmit(SELECT).unwrap();
            device.transmit(&log_in()).unwrap();
            device.transmit(&update(0xCA02, 0, &[1])).unwrap();
            targets::ask(0, device)
        },
    );
    check(
        "device: its control characters are printed: \"\\u{1b}[2J\"",
        &|_| Heard {
            text: "\x1b[2J".into(),
            verdict: None,
        },
    );
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
