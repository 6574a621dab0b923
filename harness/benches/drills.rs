//! How long each drill takes on embedded cards, the generation of RSA keys aside:
//! how long that takes depends on the primes that are met.
//!
//! `cargo bench -p hsm2-harness --bench drills`

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking"
)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hsm2_harness::drill::guard::Consent;
use hsm2_harness::drill::{DRILLS, Drill};
use hsm2_harness::transport::embedded::Embedded;
use hsm2_harness::transport::{Target, TransportError};

const ROUNDS: usize = 5;
const TARGET: Duration = Duration::from_secs(1);
/// id-TA-RSA: begins the object identifier in the template of an RSA key.
const ID_TA_RSA: [u8; 9] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x02, 0x01];

fn main() {
    println!("| drill | median | RSA generation beside it | target | |");
    println!("|---|---|---|---|---|");
    for drill in DRILLS {
        let mut runs: Vec<_> = (0..ROUNDS).map(|_| run(drill)).collect();
        runs.sort_unstable();
        let (work, generation) = runs[ROUNDS / 2];
        let verdict = if work <= TARGET { "met" } else { "MISSED" };
        println!(
            "| {} | {work:.1?} | {generation:.1?} | {TARGET:?} | {verdict} |",
            drill.name
        );
    }
}

/// Time of one run without generating RSA keys, and the time that took.
fn run(drill: &Drill) -> (Duration, Duration) {
    let generation = Arc::new(Mutex::new(Duration::ZERO));
    let cards = (0..drill.cards).map(|number| {
        Box::new(Timed {
            card: Embedded::new(&format!("DRILL{number}")).unwrap(),
            generation: Arc::clone(&generation),
        }) as Box<dyn Target>
    });
    let cards = cards.collect();
    let start = Instant::now();
    drill.run(cards, &Consent::default(), &mut |_| {}).unwrap();
    let total = start.elapsed();
    let generation = *generation.lock().unwrap();
    (total - generation, generation)
}

/// A card whose time for generating RSA keys is added up.
struct Timed {
    card: Embedded,
    generation: Arc<Mutex<Duration>>,
}

impl Target for Timed {
    fn describe(&self) -> String {
        self.card.describe()
    }

    fn atr(&self) -> Vec<u8> {
        self.card.atr()
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let start = Instant::now();
        let response = self.card.transmit(command);
        let is_rsa = |command: &[u8]| command.windows(ID_TA_RSA.len()).any(|w| w == ID_TA_RSA);
        if command.starts_with(&[0x00, 0x46]) && is_rsa(command) {
            *self.generation.lock().unwrap() += start.elapsed();
        }
        response
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.card.reset()
    }

    fn power_cycle(&mut self) -> Result<(), TransportError> {
        self.card.power_cycle()
    }
}
