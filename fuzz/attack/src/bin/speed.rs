//! `speed`: how fast the targets are on one core of this machine, without a fuzzer around them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a tool for developers"
)]

use std::hint::black_box;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use hsm2_attack::apdu::{SELECT, log_in};
use hsm2_attack::clock::Clock;
use hsm2_attack::session::{Session, Stage, run};
use hsm2_attack::targets::apdu;
use hsm2_emulator::crypto::CardRng;
use rand_core::Rng;

/// How long each figure is measured.
const SPAN: Duration = Duration::from_secs(3);

/// Repeats `work` for the span; returns what it counted, each second.
fn rate(mut work: impl FnMut() -> usize) -> f64 {
    let start = Clock::now();
    let mut count = 0;
    while start.elapsed() < SPAN {
        for _ in 0..64 {
            count += work();
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let count = count as f64;
    count / start.elapsed().as_secs_f64()
}

fn main() {
    let stage = Stage::get();
    let mut rng = CardRng::from_seed([8; 32]);
    let sessions: Vec<Session> = (0..400)
        .filter_map(|_| {
            let mut bytes = vec![0; 600];
            rng.fill_bytes(&mut bytes);
            let session = Session::arbitrary(&mut Unstructured::new(&bytes)).ok()?;
            Some(Session {
                replay: false,
                ..session
            })
        })
        .collect();

    let mut next = sessions.iter().cycle();
    // All signatures and agreements that are remembered are made once before.
    let once: usize = sessions.iter().map(run).sum();
    println!("{} random sessions of {once} commands", sessions.len());
    let commands = rate(|| run(next.next().unwrap()));
    println!("session target: {commands:.0} commands/s, all rules watched");

    let verify = log_in();
    let mut at = 0;
    let inputs = [SELECT, &verify[..], &[0x00, 0x84, 0x00, 0x00, 0x08]];
    let parsed = rate(|| {
        at += 1;
        for _ in 0..1000 {
            apdu(black_box(inputs[at % 3]));
        }
        1000
    });
    println!("apdu target: {parsed:.0} executions/s");

    let cards = rate(|| {
        let [first, second] = stage.cards();
        black_box((&first, &second));
        2
    });
    println!("card from a snapshot, dropped again: {:.1} us", 1e6 / cards);
}
