use serde::Serialize;

use crate::apdu::{Apdu, apdu};
use crate::card::cvc::{Kind, generation, object};
use crate::suite::bench::Stop;
use crate::suite::hand::Hand;

/// How long something takes, or how much of it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Measure {
    /// What was done.
    pub what: String,
    /// How often.
    pub runs: usize,
    /// Half of them were faster, in microseconds.
    pub median_micros: u64,
    /// Nineteen of twenty were faster, in microseconds.
    pub p95_micros: u64,
    /// The most bytes that went in one command, where that was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_bytes: Option<usize>,
}

/// Runs of what is quick.
const RUNS: usize = 20;

fn timed(hand: &mut Hand, what: &str, runs: usize, command: &Apdu) -> Result<Measure, Stop> {
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
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
        most_bytes: None,
    }
}

pub(super) fn without_keys(hand: &mut Hand) -> Result<Vec<Measure>, Stop> {
    let mut most = None;
    for length in [256, 512, 1024, 2048] {
        let answer = hand.send(apdu(0x0084_0000).le(length))?;
        if answer.status == 0x9000 && answer.data.len() == length {
            most = Some(length);
        }
    }
    let challenge = timed(hand, "random bytes, 8", RUNS, &apdu(0x0084_0000).le(8))?;
    let read = apdu(0x00b1_2f02).data([0x54, 2, 0, 0]).le(128);
    Ok(vec![
        Measure {
            most_bytes: most,
            ..challenge
        },
        timed(hand, "read 128 bytes of a file", RUNS, &read)?,
    ])
}

/// Makes a key of each kind, uses it and deletes it again.
pub(super) fn with_keys(
    hand: &mut Hand,
    rsa: bool,
    tell: &mut dyn FnMut(&str),
) -> Result<Vec<Measure>, Stop> {
    let mut all = Vec::new();
    let mut kinds = vec![
        ("EC secp256r1", Kind::P256),
        ("EC brainpoolP256r1", Kind::BrainpoolP256r1),
    ];
    if rsa {
        kinds.push(("RSA-2048", Kind::Rsa(2048)));
    }
    for (name, kind) in kinds {
        tell(name);
        with_test_key(hand, |hand, key| {
            hand.ok(generate(key, kind))?;
            all.push(summary(
                &format!("{name}: make a key"),
                vec![hand.last_micros()],
            ));
            let sign = match kind {
                Kind::Rsa(bits) => apdu(0x8068_0020).data(vec![1; usize::from(bits) / 8]),
                _ => apdu(0x8068_0070).data([7; 32]),
            };
            let sign = sign.p1(key).le(512);
            all.push(timed(hand, &format!("{name}: sign"), RUNS, &sign)?);
            Ok(())
        })?;
    }
    tell("AES-256");
    with_test_key(hand, |hand, key| {
        let list = object(0x91, &[&[0x10, 0x11, 0x18]]);
        hand.ok(apdu(0x0048_00b2).p1(key).data(list))?;
        all.push(summary("AES-256: make a key", vec![hand.last_micros()]));
        let cbc = |bytes: usize| apdu(0x8078_0010).p1(key).data(vec![7; bytes]).le(bytes);
        let mut most = None;
        for bytes in [16, 240, 512, 1024, 2048] {
            if hand.send(cbc(bytes))?.status == 0x9000 {
                most = Some(bytes);
            }
        }
        let measure = timed(hand, "AES-256: encrypt 240 bytes", RUNS, &cbc(240))?;
        all.push(Measure {
            most_bytes: most,
            ..measure
        });
        Ok(())
    })?;
    Ok(all)
}

/// GENERATE ASYMMETRIC KEY PAIR for a test key.
pub(super) fn generate(key: u8, kind: Kind) -> Apdu {
    let data = generation(kind, b"UTTEST00001", &[]);
    apdu(0x0046_0000).p1(key).data(data).all()
}

/// Does something with a free key number and deletes what came of it, whether it worked or not.
pub(super) fn with_test_key<T>(
    hand: &mut Hand,
    act: impl FnOnce(&mut Hand, u8) -> Result<T, Stop>,
) -> Result<T, Stop> {
    let key = hand.free_key()?;
    let outcome = act(hand, key);
    if matches!(outcome, Err(Stop::Transport(_))) {
        return outcome;
    }
    for kind in [0xcc, 0xce] {
        // The request of a key is there for key pairs only.
        hand.send(apdu(0x00e4_0200).data([kind, key]))?
            .is_any(&[0x9000, 0x6a82])?;
    }
    outcome
}
