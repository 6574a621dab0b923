//! Sessions that do what the cards are for, as the bytes that `arbitrary` makes them of.

use arbitrary::{Arbitrary, Unstructured};
use hsm2_attack::fixture;
use hsm2_attack::session::{Action, Code, Operand, Session, Turn};
use hsm2_emulator::crypto::CardRng;
use rand_core::Rng;

use super::Seeds;

/// An action that a seed needs, and how its command travels.
struct Wanted {
    second: bool,
    protected: bool,
    is: fn(&Action) -> bool,
}

fn first(is: fn(&Action) -> bool) -> Wanted {
    Wanted {
        second: false,
        protected: false,
        is,
    }
}

fn second(is: fn(&Action) -> bool) -> Wanted {
    Wanted {
        second: true,
        ..first(is)
    }
}

fn protected(is: fn(&Action) -> bool) -> Wanted {
    Wanted {
        protected: true,
        ..first(is)
    }
}

macro_rules! is {
    ($($pattern:tt)+) => {
        |action| matches!(action, $($pattern)+)
    };
}

/// One seed for each thing that people do with cards.
pub(super) fn sessions() -> Seeds {
    use Action::*;
    let log_in = || {
        first(is!(Verify {
            so: false,
            code: Code::User
        }))
    };
    let fail = || {
        first(is!(Verify {
            so: false,
            code: Code::OtherUser
        }))
    };
    let so = || {
        first(is!(Verify {
            so: true,
            code: Code::So
        }))
    };
    let challenge = || first(is!(Challenge { length: 4..=16 }));
    let sign =
        || first(is!(Sign { key, algorithm: 0x70..=0x75, .. } if key % 9 == fixture::EC_KEY));
    let count =
        || first(is!(Sign { key, algorithm: 0x70..=0x75, .. } if key % 9 == fixture::COUNTED_KEY));
    let session_pins = || {
        first(is!(Initialize {
            options: 0x0D,
            pin: Code::User,
            so: Code::So,
            quorum: None,
            ..
        }))
    };
    let plans = [
        vec![
            first(is!(Select)),
            log_in(),
            sign(),
            count(),
            count(),
            count(),
            count(),
        ],
        vec![
            first(
                is!(Decipher { key, algorithm: 0x80, data: Operand::Point(true) } if key % 9 == fixture::EC_KEY),
            ),
            first(
                is!(Decipher { key, algorithm: 0x21, data: Operand::Block(_) } if key % 9 == fixture::RSA_KEY),
            ),
            first(is!(Sign { key, algorithm: 0x33, .. } if key % 9 == fixture::RSA_KEY)),
            first(
                is!(Cipher { key, algorithm: 0x10 | 0x11, blocks: 16, .. } if key % 9 == fixture::AES_KEY),
            ),
            first(is!(Cipher { key, algorithm: 0x18, .. } if key % 9 == fixture::AES_KEY)),
        ],
        vec![
            first(is!(Write {
                kind: 0,
                number: 0..=9,
                ..
            })),
            first(is!(Read {
                kind: 0,
                number: 0..=9,
                ..
            })),
            first(is!(SelectFile {
                kind: 1,
                number: 1,
                p2: 0x0C
            })),
            first(is!(ReadCurrent { .. })),
            first(is!(WriteCurrent { .. })),
            first(is!(Delete { kind: 1, number: 1 })),
            first(is!(Enumerate)),
            first(is!(PowerCycle)),
            first(is!(Select)),
            first(is!(Read {
                kind: 1,
                number: 1,
                ..
            })),
        ],
        vec![
            fail(),
            log_in(),
            first(is!(Change {
                so: false,
                old: Code::User,
                new: Code::OtherUser
            })),
            fail(),
            so(),
            first(is!(ResetCounter { p1, so: Code::Empty, new: Code::User } if p1 % 4 == 2)),
            log_in(),
            first(is!(ResetCounter { p1, so: Code::So, new: Code::OtherUser } if p1 % 4 == 0)),
            first(is!(Reset)),
            first(is!(Select)),
            sign(),
        ],
        vec![
            first(is!(Wrap { key } if key % 9 == fixture::EC_KEY)),
            second(is!(Unwrap { key, .. } if key % 9 == 8)),
            first(is!(Scratch {
                paper: Operand::Blob
            })),
            first(is!(UnwrapScratch { key } if key % 9 == 7)),
            second(is!(Sign { key, algorithm: 0x73, .. } if key % 9 == 8)),
        ],
        vec![
            first(
                is!(Domain { action, slot, shares: Some(_) } if action % 6 == 1 && slot % 6 == fixture::ABSENT),
            ),
            first(is!(Share { slot, .. } if slot % 6 == fixture::ABSENT)),
            first(is!(Share { slot, .. } if slot % 6 == fixture::WAITING)),
            first(
                is!(GenerateAes { key, algorithms: None, domain: Some(domain), .. } if key % 9 == 8 && domain % 6 == 0),
            ),
            first(is!(Domain { action, slot, .. } if action % 6 == 4 && slot % 6 == fixture::DKEK)),
            first(
                is!(Domain { action, slot, .. } if action % 6 == 3 && slot % 6 == fixture::ABSENT),
            ),
        ],
        vec![
            first(is!(Trust { peer: false })),
            first(is!(Join { slot, card: false } if slot % 6 == fixture::ABSENT)),
            first(is!(Trust { peer: true })),
            first(
                is!(Decipher { key, algorithm: 0x84, data: Operand::Exchange(true) } if key % 9 == fixture::EXCHANGE_KEY),
            ),
        ],
        vec![
            first(is!(Enrol { options: 1, .. })),
            challenge(),
            first(is!(Authenticate { right: true })),
            first(is!(Custodians { p1, p2 } if p1 % 4 == 2 && p2 % 4 == 0)),
            first(is!(Custodians { p1, p2 } if p1 % 4 == 0 && p2 % 4 == 0)),
            first(is!(GenerateAes { key, algorithms: None, domain: None, .. } if key % 9 == 8)),
        ],
        vec![
            first(is!(Select)),
            first(is!(OpenChannel)),
            protected(is!(Verify {
                so: false,
                code: Code::User
            })),
            protected(is!(Sign { key, algorithm: 0x73, .. } if key % 9 == fixture::EC_KEY)),
            protected(is!(Read {
                kind: 1,
                number: 1,
                ..
            })),
            protected(is!(Challenge { length: 8 })),
            log_in(),
        ],
        vec![
            session_pins(),
            first(is!(SessionPin { p1 } if p1 % 3 == 1)),
            first(is!(Select)),
            first(is!(VerifySessionPin)),
            first(is!(SessionPin { p1 } if p1 % 3 == 0)),
        ],
        vec![
            first(is!(GenerateEc { key, algorithms: None, domain: None, .. } if key % 9 == 7)),
            first(is!(Sign { key, algorithm: 0x73, .. } if key % 9 == 7)),
            first(is!(Derive { key, new, .. } if key % 9 == 7 && new % 9 == 8)),
            first(is!(Delete { kind: 3, number: 7 })),
        ],
    ];
    let mut rng = CardRng::from_seed([8; 32]);
    plans.iter().map(|plan| seed(plan, &mut rng)).collect()
}

/// The bytes of a session: no replay, then each turn with no change to its bytes.
fn seed(plan: &[Wanted], rng: &mut CardRng) -> Vec<u8> {
    let mut seed = vec![0];
    for wanted in plan {
        seed.push(u8::from(wanted.second));
        seed.extend(action(wanted.is, rng));
        // No twist, protected or not, not tampered with.
        seed.extend([0, u8::from(wanted.protected), 0]);
    }
    let session = Session::arbitrary(&mut Unstructured::new(&seed)).unwrap();
    let as_wanted = |(turn, wanted): (&Turn, &Wanted)| {
        (wanted.is)(&turn.action)
            && turn.second == wanted.second
            && turn.protected == wanted.protected
            && turn.twist.is_none()
            && turn.tamper.is_none()
    };
    assert!(
        session.turns.len() == plan.len() && session.turns.iter().zip(plan).all(as_wanted),
        "not what was wanted: {session:?}"
    );
    seed
}

/// Draws bytes until they are such an action.
fn action(is: fn(&Action) -> bool, rng: &mut CardRng) -> Vec<u8> {
    let mut bytes = [0; 200];
    loop {
        rng.fill_bytes(&mut bytes[..24]);
        let mut rest = Unstructured::new(&bytes);
        if Action::arbitrary(&mut rest).is_ok_and(|action| is(&action)) {
            return bytes[..bytes.len() - rest.len()].to_vec();
        }
    }
}
