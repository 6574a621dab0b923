//! Kill -9 at random moments: what was acknowledged stays, and no PIN try is free.
//!
//! Each round starts the program on the same card file, sends commands, and kills the process
//! while one of them may be at work. The test keeps a model of what the card must hold: exactly
//! what was acknowledged, or that plus the one command that was not answered. The right PIN may
//! have cost a try, a wrong one that was answered always has. A PIN that was being changed is
//! whichever of the two the card takes, and is tried only there.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::{Duration, Instant};

use hsm2_emulator::crypto::Curve;
use hsm2_emulator::tlv::Writer;

use crate::support::{Reader, Served, command};

const ROUNDS: u32 = 120;

/// Environment variable that repeats a run.
const SEED: &str = "HSM2_KILL_SEED";

/// Commits that fit between login and kill at most; half as many on average.
const COMMITS: u32 = 6;
/// The least time for them: on a disk that answers from its cache commands cost more than commits.
const LEAST: Duration = Duration::from_millis(4);

/// The user PIN is one of these.
const PINS: [&[u8]; 2] = [b"648219", b"735190"];
const SO_PIN: &[u8] = b"57621880";
const DONE: [u8; 2] = [0x90, 0x00];
const TRIES: u8 = 3;
/// Length of every file in bytes.
const LENGTH: u8 = 100;

/// xorshift64: small, and the same on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// What a card holds, as far as the test changes it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    /// Which of the user PINs is set.
    pin: usize,
    tries: u8,
    /// Keys that there are.
    keys: BTreeSet<u8>,
    /// The byte that fills each file.
    files: BTreeMap<u16, u8>,
}

/// One command and what it makes of a state.
#[derive(Clone, Copy, Debug)]
enum Step {
    WrongPin,
    RightPin,
    /// To the other one.
    ChangePin,
    Write(u16, u8),
    Delete(u16),
    Generate(u8),
    DeleteKey(u8),
}

impl Step {
    fn roll(dice: &mut Dice, state: &State) -> Self {
        let file = 0xCF00 + u16::try_from(dice.below(6)).unwrap();
        let key = 1 + u8::try_from(dice.below(4)).unwrap();
        match dice.below(12) {
            // A right PIN spends a try too until it has been compared: with two left, the PIN never
            // blocks whatever happens next.
            0 | 1 if state.tries > 2 => Self::WrongPin,
            0..=3 => Self::RightPin,
            4 if state.files.contains_key(&file) => Self::Delete(file),
            5 | 6 if state.keys.contains(&key) => Self::DeleteKey(key),
            5..=7 if !state.keys.contains(&key) => Self::Generate(key),
            8 | 9 => Self::ChangePin,
            _ => Self::Write(file, u8::try_from(dice.below(256)).unwrap()),
        }
    }

    fn command(&self, state: &State) -> Vec<u8> {
        let (old, new) = (PINS[state.pin], PINS[1 - state.pin]);
        match self {
            Self::WrongPin => [&[0x00, 0x20, 0x00, 0x81, 6][..], b"000000"].concat(),
            Self::RightPin => [&[0x00, 0x20, 0x00, 0x81, 6][..], old].concat(),
            Self::ChangePin => [&[0x00, 0x24, 0x00, 0x81, 12][..], old, new].concat(),
            Self::Generate(key) => generate_ec(*key),
            Self::DeleteKey(key) => vec![0x00, 0xE4, 0x02, 0x00, 2, 0xCC, *key],
            Self::Write(file, content) => {
                let [high, low] = file.to_be_bytes();
                let header = [
                    0x00,
                    0xD7,
                    high,
                    low,
                    LENGTH + 6,
                    0x54,
                    2,
                    0,
                    0,
                    0x53,
                    LENGTH,
                ];
                [&header[..], &[*content; LENGTH as usize]].concat()
            }
            Self::Delete(file) => {
                let [high, low] = file.to_be_bytes();
                vec![0x00, 0xE4, 0x02, 0x00, 2, high, low]
            }
        }
    }

    fn applied_to(&self, state: &State) -> State {
        let mut state = state.clone();
        match self {
            Self::WrongPin => state.tries -= 1,
            Self::RightPin => state.tries = TRIES,
            Self::ChangePin => {
                state.pin = 1 - state.pin;
                state.tries = TRIES;
            }
            Self::Generate(key) => drop(state.keys.insert(*key)),
            Self::DeleteKey(key) => drop(state.keys.remove(key)),
            Self::Write(file, content) => {
                state.files.insert(*file, *content);
            }
            Self::Delete(file) => {
                state.files.remove(file);
            }
        }
        state
    }

    /// Every state that a card may have when power goes during this command.
    fn interrupted_at(&self, state: &State) -> Vec<State> {
        let mut possible = vec![state.clone(), self.applied_to(state)];
        // The try is spent before the comparison and given back after it.
        if matches!(self, Self::RightPin | Self::ChangePin) {
            possible.push(Self::WrongPin.applied_to(state));
        }
        possible
    }

    /// Whether this is the answer.
    fn is_answered_by(&self, response: &[u8], before: &State) -> bool {
        match self {
            Self::WrongPin => response == [0x63, 0xC0 | (before.tries - 1)],
            Self::Generate(_) => response.len() > 200 && response.ends_with(&DONE),
            _ => response == DONE,
        }
    }
}

/// GENERATE ASYMMETRIC KEY PAIR on secp256r1.
fn generate_ec(key: u8) -> Vec<u8> {
    let domain = Curve::Secp256r1.parameters();
    let template = Writer::new()
        .element(0x5F29, &[0])
        .element(0x42, b"UTCA00001")
        .nested(0x7F49, |public_key| {
            public_key
                .element(0x06, &[4, 0, 0x7F, 0, 7, 2, 2, 2, 2, 3])
                .element(0x81, domain.p)
                .element(0x82, domain.a)
                .element(0x83, domain.b)
                .element(0x84, domain.g)
                .element(0x85, domain.n)
        })
        .element(0x5F20, b"UTTEST00001")
        .into_vec();
    let length = u16::try_from(template.len()).unwrap().to_be_bytes();
    [
        &[0x00, 0x46, key, 0x00, 0x00][..],
        &length,
        &template,
        &[0, 0],
    ]
    .concat()
}

/// Reads the state back from a card that has just been selected; which PIN it has is not asked.
fn read_state(reader: &mut Reader, pin: usize) -> State {
    let status = reader.ask(&[0x00, 0x20, 0x00, 0x81]);
    assert_eq!((status[0], status[1] & 0xF0), (0x63, 0xC0), "{status:02X?}");
    let mut files = BTreeMap::new();
    for file in 0xCF00..0xCF06_u16 {
        let [high, low] = file.to_be_bytes();
        let mut content = reader.ask(&[0x00, 0xB1, high, low, 4, 0x54, 2, 0, 0, LENGTH]);
        let status = content.split_off(content.len() - 2);
        match status[..] {
            [0x90, 0x00] => {
                assert_eq!(
                    content, [content[0]; LENGTH as usize],
                    "file {file:04X} is torn"
                );
                files.insert(file, content[0]);
            }
            [0x6A, 0x82] => {}
            _ => panic!("file {file:04X}: {status:02X?}"),
        }
    }
    let mut keys = BTreeSet::new();
    for key in 1..=4 {
        match reader.ask(&[0x00, 0xA4, 0x00, 0x0C, 2, 0xCC, key])[..] {
            [0x90, 0x00] => {
                // The key's request came in the same transaction.
                let request = reader.ask(&[0x00, 0xB1, 0xCE, key, 4, 0x54, 2, 0, 0, 8]);
                assert_eq!((request[0], request.len()), (0x67, 10), "request of {key}");
                keys.insert(key);
            }
            [0x6A, 0x82] => {}
            ref other => panic!("key {key}: {other:02X?}"),
        }
    }
    State {
        pin,
        tries: status[1] & 0x0F,
        keys,
        files,
    }
}

/// What the card holds of all that is possible; where only the PIN tells, it is presented.
fn found_of(possible: &[State], reader: &mut Reader) -> Option<State> {
    let found = [0, 1].map(|pin| read_state(reader, pin));
    let mut candidates = found.into_iter().filter(|state| possible.contains(state));
    let first = candidates.next()?;
    let Some(second) = candidates.next() else {
        return Some(first);
    };
    let right = Step::RightPin;
    match reader.ask(&right.command(&first))[..] {
        [0x90, 0x00] => Some(right.applied_to(&first)),
        _ => Some(Step::WrongPin.applied_to(&second)),
    }
}

fn new_card(path: &str) {
    assert!(
        command()
            .args(["card", "create", path])
            .status()
            .unwrap()
            .success()
    );
    let served = Served::start(&["--card", path, "--listen", "127.0.0.1:0"]);
    let mut reader = served.reader(0);
    reader.select();
    let initialise = [
        &[0x80, 0x50, 0x00, 0x00, 0x19, 0x80, 2, 0x00, 0x01, 0x81, 6][..],
        PINS[0],
        &[0x82, 8],
        SO_PIN,
        &[0x91, 1, TRIES],
    ];
    assert_eq!(reader.ask(&initialise.concat()), DONE);
    served.stop();
}

/// How long the kills may wait: some commits on this disk, by the median of a few.
fn longest_delay(path: &str) -> Duration {
    let served = Served::start(&["--card", path, "--listen", "127.0.0.1:0"]);
    let mut reader = served.reader(0);
    reader.select();
    let state = State {
        pin: 0,
        tries: TRIES,
        keys: BTreeSet::new(),
        files: BTreeMap::new(),
    };
    let mut times = [(); 9].map(|()| {
        let start = Instant::now();
        assert_eq!(reader.ask(&Step::RightPin.command(&state)), DONE);
        // The try spent and the try given back.
        start.elapsed() / 2
    });
    times.sort_unstable();
    served.stop();
    (COMMITS * times[4]).max(LEAST)
}

#[test]
fn a_killed_card_has_lost_nothing_and_gained_no_try() {
    let seed = std::env::var(SEED).map_or_else(
        |_| {
            std::time::SystemTime::UNIX_EPOCH
                .elapsed()
                .unwrap()
                .as_secs()
                | 1
        },
        |text| text.parse().unwrap(),
    );
    println!("{SEED}={seed} repeats this run");
    let mut dice = Dice(seed);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("card.hsm2");
    let path = path.to_str().unwrap();
    new_card(path);
    let delay = u64::try_from(longest_delay(path).as_micros()).unwrap();
    let mut state = State {
        pin: 0,
        tries: TRIES,
        keys: BTreeSet::new(),
        files: BTreeMap::new(),
    };
    let (mut acknowledged, mut took_effect) = (0, 0);

    for round in 0..ROUNDS {
        let served = Served::start(&["--card", path, "--listen", "127.0.0.1:0"]);
        let mut reader = served.reader(0);
        reader.select();
        assert_eq!(
            read_state(&mut reader, state.pin),
            state,
            "round {round}: before anything was asked"
        );
        let login = Step::RightPin;
        assert_eq!(reader.ask(&login.command(&state)), DONE, "round {round}");
        state = login.applied_to(&state);

        let killer = kill_after(served.pid(), Duration::from_micros(dice.below(delay)));
        let step = loop {
            // A wrong PIN ends the session's rights; then only the right one is of use.
            let step = match state.tries {
                TRIES => Step::roll(&mut dice, &state),
                _ => Step::RightPin,
            };
            let Some(response) = reader.try_ask(&step.command(&state)) else {
                break step;
            };
            assert!(
                step.is_answered_by(&response, &state),
                "round {round}: {step:?} at {state:?}: {response:02X?}"
            );
            state = step.applied_to(&state);
            acknowledged += 1;
        };
        killer.join().unwrap();
        drop(served);

        // The card must open, as it was or with the unanswered command done.
        let served = Served::start(&["--card", path, "--listen", "127.0.0.1:0"]);
        let mut reader = served.reader(0);
        reader.select();
        let possible = step.interrupted_at(&state);
        let found = found_of(&possible, &mut reader).unwrap_or_else(|| {
            let found = read_state(&mut reader, state.pin);
            panic!("round {round}: {found:?} after {step:?}, possible: {possible:?}")
        });
        took_effect += u32::from(found != state);
        state = found;
        drop(reader);
        // Half of the cards are closed in order, half are killed while idle.
        if dice.below(2) == 0 {
            served.stop();
        }
    }
    println!("kills within {delay} µs");
    println!("{acknowledged} acknowledged; of {ROUNDS} unanswered {took_effect} took effect");
    assert!(
        acknowledged > ROUNDS,
        "only {acknowledged} commands were acknowledged"
    );
}

/// Kills a process, surely and without warning, from another thread.
fn kill_after(pid: u32, delay: Duration) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let start = Instant::now();
        // The moment is the point: sleeping is too coarse for fractions of a commit.
        while start.elapsed() < delay {
            std::thread::yield_now();
        }
        assert!(
            Command::new("kill")
                .args(["-s", "KILL", &pid.to_string()])
                .status()
                .unwrap()
                .success()
        );
    })
}
