//! A device that lies to the tools of its owner.

use hsm2_harness::attest::{Date, Verdict, attest};
use hsm2_harness::card::Card;
use hsm2_harness::fleet::{self, Depth};
use hsm2_harness::guard::{Consent, Guard};
use hsm2_harness::interrupt::Interrupt;
use hsm2_harness::suite::hand::{Hand, Secrets};
use hsm2_harness::suite::wire::Log;
use hsm2_harness::transport::{Target, TransportError};

use crate::bench::Bench;
use crate::session::Stage;

/// What a tool makes of a device.
#[derive(Debug)]
pub struct Heard {
    /// What it tells its user, be it an error.
    pub text: String,
    /// What an attestation came to.
    pub verdict: Option<Verdict>,
}

/// A device that lies. The first byte chooses the tool: attestation of all keys (0), the report that
/// only looks (1), the single questions (2). The rest are lies, one after the other:
///
/// ```text
/// how many answers are true before it, what is done, where (2), length (2), bytes
/// ```
///
/// No tool panics, calls the device genuine, changes anything on it or prints its control characters.
pub fn device(input: &[u8]) {
    device_by(input, ask);
}

/// [`device`] with these tools.
pub fn device_by(input: &[u8], ask: impl Fn(u8, Box<dyn Target>) -> Heard) {
    let Some((tool, lies)) = input.split_first() else {
        return;
    };
    let bench = Bench::from_snapshot(Stage::get().snapshot(0), [0x66; 32]);
    let store = bench.store.clone();
    let _none = store.take_commits();
    let target = Liar {
        bench,
        lies: lies.to_vec(),
        at: 0,
        true_left: None,
    };
    let heard = ask(tool % 3, Box::new(target));
    assert!(
        heard.verdict != Some(Verdict::Genuine),
        "device: a virtual card is called genuine"
    );
    assert!(
        store.take_commits().is_empty(),
        "device: a tool that only looks has changed the device"
    );
    let control = |c: &char| c.is_control() && *c != '\n';
    assert!(
        heard.text.chars().find(control).is_none(),
        "device: its control characters are printed: {:?}",
        heard.text
    );
}

/// Lets a tool work on a device: [`attest`] (0), [`fleet::report`] (1), or the questions of [`Card`].
#[must_use]
pub fn ask(tool: u8, device: Box<dyn Target>) -> Heard {
    match tool {
        0 => attested(device),
        1 => reported(device),
        _ => questioned(Card::new(device)),
    }
}

fn attested(device: Box<dyn Target>) -> Heard {
    // A fixed day: what a device is told apart by must not depend on when it is looked at.
    match attest(&mut Card::new(device), None, Date::from_days(20_000)) {
        Ok(attestation) => {
            let json = serde_json::to_string(&attestation).unwrap();
            Heard {
                text: attestation.in_words() + &json,
                verdict: Some(attestation.verdict),
            }
        }
        Err(error) => Heard::only(error.to_string()),
    }
}

fn reported(mut device: Box<dyn Target>) -> Heard {
    let (guard, identity) = match Guard::admit(&mut *device, &Consent::default()) {
        Ok(admitted) => admitted,
        Err(denied) => return Heard::only(denied.to_string()),
    };
    let secrets = Secrets {
        pin: None,
        so_pin: None,
    };
    let mut hand = Hand::new('A', device, guard, Log::default(), secrets);
    let mut told = String::new();
    let mut tell = |what: &str| told.push_str(what);
    let looks = Depth::default();
    match fleet::report(
        &mut hand,
        &identity,
        looks,
        &mut tell,
        &Interrupt::default(),
    ) {
        Ok(report) => {
            let json = serde_json::to_string(&report).unwrap();
            Heard {
                text: told + &fleet::markdown(&report) + &json,
                verdict: Some(report.vouched.verdict),
            }
        }
        Err(cut_off) => Heard::only(told + &format!("{:?}", cut_off.stop)),
    }
}

fn questioned(mut card: Card) -> Heard {
    let mut text = String::new();
    let mut tell = |answer: Result<String, String>| match answer {
        Ok(answer) | Err(answer) => text.push_str(&answer),
    };
    macro_rules! question {
        ($answer:expr) => {
            tell(
                $answer
                    .map(|answer| format!("{answer:?}"))
                    .map_err(|error| error.to_string()),
            )
        };
    }
    question!(card.select());
    question!(card.certificates());
    question!(card.keys());
    for key in 0..4 {
        question!(card.conditions(key));
    }
    for slot in 0..4 {
        question!(card.domain(slot));
    }
    question!(card.quorum());
    question!(card.user_state());
    question!(card.so_pin_state());
    question!(card.challenge());
    question!(card.read(0xCE01));
    Heard::only(text)
}

impl Heard {
    fn only(text: String) -> Self {
        Self {
            text,
            verdict: None,
        }
    }
}

/// A good card whose answers are changed.
struct Liar {
    bench: Bench,
    lies: Vec<u8>,
    /// Where the next lie begins.
    at: usize,
    /// Answers that stay true before it; nothing before the first look at it.
    true_left: Option<u8>,
}

/// Longest answer that a lie makes: more than an extended response holds.
const LONGEST: usize = 70_000;

impl Liar {
    /// The next bytes of the lies.
    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let taken = self.lies.get(self.at..self.at + count)?;
        self.at += count;
        Some(taken)
    }

    /// The lie that is told now, if one is.
    fn next_lie(&mut self) -> Option<Lie> {
        let wait = match self.true_left {
            Some(wait) => wait,
            None => self.take(1)?.first().copied()?,
        };
        self.true_left = wait.checked_sub(1);
        if self.true_left.is_some() {
            return None;
        }
        let &[what, place @ .., high, low] = self.take(5)?.first_chunk::<5>()?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        Some(Lie {
            what,
            place: usize::from(u16::from_be_bytes(place)),
            bytes: self.take(length).unwrap_or_default().to_vec(),
        })
    }
}

/// What is done to one answer.
struct Lie {
    what: u8,
    place: usize,
    bytes: Vec<u8>,
}

impl Lie {
    /// What is said in the place of this response.
    fn instead_of(self, mut response: Vec<u8>) -> Result<Vec<u8>, TransportError> {
        let Self { what, place, bytes } = self;
        let at = place % (response.len() + 1);
        let status = response.len().saturating_sub(2);
        match what % 8 {
            0 => response = bytes,
            1 => {
                response.splice(..status, bytes);
            }
            2 => {
                let end = (at + bytes.len()).min(response.len());
                response.splice(at..end, bytes);
            }
            3 => {
                response.splice(at..at, bytes);
            }
            4 => response.truncate(at),
            5 => {
                response.splice(status.., bytes);
            }
            6 => {
                let longer = bytes.iter().copied().cycle().take(LONGEST.min(2 * place));
                response.splice(..status, longer);
            }
            _ => return Err(TransportError::Timeout("nothing came".into())),
        }
        Ok(response)
    }
}

impl Target for Liar {
    fn describe(&self) -> String {
        "a device that lies".into()
    }

    fn atr(&self) -> Vec<u8> {
        self.bench.card.atr().to_vec()
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let response = self.bench.card.transmit(command);
        match self.next_lie() {
            None => Ok(response),
            Some(lie) => lie.instead_of(response),
        }
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.bench.card.reset();
        Ok(())
    }

    fn power_cycle(&mut self) -> Result<(), TransportError> {
        self.bench.card.power_off();
        self.bench.card.power_on();
        Ok(())
    }
}
