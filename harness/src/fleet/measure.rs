//! How long a card takes for what people do with it.

use serde::Serialize;

use super::health::{Check, new_rsa_key};
use super::work::Work;
use crate::apdu::{Apdu, apdu};
use crate::card::command::StatusWord;
use crate::card::cvc::{Kind, object};
use crate::key::curves::{CURVES, Curve};
use crate::suite::bench::Stop;
use crate::suite::fixture::RSA_BITS;
use crate::suite::hand::Hand;

/// How long something takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Measure {
    /// What was done.
    pub what: String,
    /// How often.
    pub runs: usize,
    /// Half of them were faster, in microseconds.
    pub median_micros: u64,
    /// Nineteen of twenty were faster, in microseconds; of fewer than twenty runs, the slowest.
    pub p95_micros: u64,
}

/// Measures, in words what the device does not do, and what the keys that it made look like.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub(super) measures: Vec<Measure>,
    pub(super) refused: Vec<String>,
    pub(super) checks: Vec<Check>,
}

/// Runs of what is quick.
const RUNS: usize = 20;
/// How often an EC or AES key is made: a second each on a device.
const GENERATIONS: usize = 5;
/// Sizes up to which an RSA key is made three times; a larger one takes minutes and is made once.
const QUICK_RSA: u16 = 2048;

fn timed(hand: &mut Hand, what: &str, command: &Apdu) -> Result<Measure, Stop> {
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        hand.ok(command)?;
        times.push(hand.last_micros());
    }
    Ok(summary(what, times))
}

pub(super) fn summary(what: &str, mut times: Vec<u64>) -> Measure {
    times.sort_unstable();
    let runs = times.len();
    let at = |index: usize| times.get(index).copied().unwrap_or_default();
    Measure {
        what: what.into(),
        runs,
        median_micros: at(runs / 2),
        p95_micros: at((runs * 95).div_ceil(100).saturating_sub(1)),
    }
}

pub(super) fn without_keys(hand: &mut Hand) -> Result<Vec<Measure>, Stop> {
    let challenge = apdu(0x0084_0000).le(8);
    let read = apdu(0x00b1_2f02).data([0x54, 2, 0, 0]).le(128);
    Ok(vec![
        timed(hand, "random bytes, 8", &challenge)?,
        timed(hand, "read 128 bytes of a file", &read)?,
    ])
}

/// Makes a key of each kind, uses it and deletes it again; RSA keys up to so many bits.
pub(super) fn with_keys(work: &mut Work<'_>, rsa: Option<u16>) -> Result<Measured, Stop> {
    let mut all = Measured::default();
    for curve in &CURVES {
        let name = format!("EC {}", curve.name);
        (work.tell)(&name);
        all.key_pair(work, &name, Kind::On(curve), GENERATIONS)?;
    }
    let largest = rsa.unwrap_or_default();
    for bits in RSA_BITS.into_iter().filter(|bits| *bits <= largest) {
        let name = format!("RSA-{bits}");
        (work.tell)(&format!("{name}, which takes a while"));
        let generations = if bits <= QUICK_RSA { 3 } else { 1 };
        all.key_pair(work, &name, Kind::Rsa(bits), generations)?;
    }
    for (size, bits) in [(0xb0, 128), (0xb1, 192), (0xb2, 256)] {
        let name = format!("AES-{bits}");
        (work.tell)(&name);
        all.aes(work, &name, size)?;
    }
    Ok(all)
}

impl Measured {
    fn refuse(&mut self, name: &str, what: &str, status: u16) {
        let word = StatusWord(status);
        self.refused.push(format!("{name}: {what}: {word}"));
    }

    /// Measures a command; what the card refuses at once is noted.
    fn time(
        &mut self,
        hand: &mut Hand,
        name: &str,
        what: &str,
        command: &Apdu,
    ) -> Result<(), Stop> {
        let answer = hand.send(command)?;
        if answer.status == 0x9000 {
            self.measures
                .push(timed(hand, &format!("{name}: {what}"), command)?);
        } else {
            self.refuse(name, what, answer.status);
        }
        Ok(())
    }

    fn key_pair(
        &mut self,
        work: &mut Work<'_>,
        name: &str,
        kind: Kind,
        generations: usize,
    ) -> Result<(), Stop> {
        let mut times = Vec::new();
        for round in 1..=generations {
            work.with_test_key(|work, key| {
                let answer = work.generate(key, kind)?;
                if answer.status != 0x9000 {
                    self.refuse(name, "make a key", answer.status);
                    return Ok(());
                }
                times.push(work.hand.last_micros());
                self.checks.extend(new_rsa_key(&answer.data));
                if round < generations {
                    return Ok(());
                }
                self.measures.push(summary(
                    &format!("{name}: make a key"),
                    std::mem::take(&mut times),
                ));
                for (what, command) in uses(kind) {
                    self.time(work.hand, name, what, &command.p1(key))?;
                }
                Ok(())
            })?;
            if times.is_empty() {
                break;
            }
        }
        Ok(())
    }

    fn aes(&mut self, work: &mut Work<'_>, name: &str, size: u8) -> Result<(), Stop> {
        let mut times = Vec::new();
        for round in 1..=GENERATIONS {
            work.with_test_key(|work, key| {
                let answer = work.hand.send(aes(key, size))?;
                if answer.status != 0x9000 {
                    self.refuse(name, "make a key", answer.status);
                    return Ok(());
                }
                times.push(work.hand.last_micros());
                if round < GENERATIONS {
                    return Ok(());
                }
                self.measures.push(summary(
                    &format!("{name}: make a key"),
                    std::mem::take(&mut times),
                ));
                for (what, algorithm) in [
                    ("CBC, encrypt 240 bytes", 0x10),
                    ("CBC, decrypt 240 bytes", 0x11),
                    ("CMAC of 240 bytes", 0x18),
                ] {
                    let command = apdu(0x8078_0000).p1(key).p2(algorithm).data([7; 240]);
                    self.time(work.hand, name, what, &command.le(256))?;
                }
                Ok(())
            })?;
            if times.is_empty() {
                break;
            }
        }
        Ok(())
    }
}

/// GENERATE SYMMETRIC KEY for a test key; the size as P2 says it.
pub(super) fn aes(key: u8, size: u8) -> Apdu {
    let list = object(0x91, &[&[0x10, 0x11, 0x18]]);
    apdu(0x0048_0000).p1(key).p2(size).data(list)
}

/// What is done with a key pair.
fn uses(kind: Kind) -> [(&'static str, Apdu); 2] {
    match kind {
        Kind::Rsa(bits) => {
            // A number of the modulus's length that is below every modulus of that length.
            let mut number = vec![7; usize::from(bits) / 8];
            if let Some(first) = number.first_mut() {
                *first = 0;
            }
            [
                ("sign", apdu(0x8068_0020).data(&number).le(512)),
                ("decipher", apdu(0x8062_0021).data(&number).le(512)),
            ]
        }
        _ => {
            let curve = kind.curve();
            let width = curve.map_or(32, Curve::width);
            let [.., generator] = curve.map(Curve::parameters).unwrap_or_default();
            [
                (
                    "sign",
                    apdu(0x8068_0070).data(vec![7; width.min(64)]).le(256),
                ),
                ("ECDH", apdu(0x8062_0080).data(generator).le(256)),
            ]
        }
    }
}
