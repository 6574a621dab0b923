//! Broken cards: the suite must notice each of them.
//!
//! A mutant answers one command wrongly and all others as the card does. There are five ways to be
//! wrong, and each command has those that its clean run shows a case for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::runner::{Order, run};
use super::stock::Tamper;
use crate::report::{Entry, Report, Verdict};
use crate::scenario::Scenario;
use crate::scenarios::pairs::{PAIRS, Pair};
use crate::suite::fixture;
use crate::transport::{Target, TransportError};

/// A way to be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Flaw {
    /// Says 9000 where it must refuse.
    Lenient,
    /// Refuses with 6F00 what it must do.
    Strict,
    /// Refuses with another word than it must.
    WrongWord,
    /// Says that it did what it did not do.
    Idle,
    /// Changes one bit of the last byte of its data.
    Garbled,
}

struct Mutant {
    card: Box<dyn Target>,
    instruction: u8,
    flaw: Flaw,
}

impl Target for Mutant {
    fn describe(&self) -> String {
        self.card.describe()
    }

    fn atr(&self) -> Vec<u8> {
        self.card.atr()
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        if command.get(1) != Some(&self.instruction) {
            return self.card.transmit(command);
        }
        if self.flaw == Flaw::Idle {
            return Ok(vec![0x90, 0x00]);
        }
        let mut response = self.card.transmit(command)?;
        let at = response.len() - 2;
        let good = is_good(&response[at..]);
        match self.flaw {
            Flaw::Lenient if !good => response = vec![0x90, 0x00],
            Flaw::Strict if good => response = vec![0x6f, 0x00],
            Flaw::WrongWord if !good => response = vec![0x6f, 0x00],
            // A changed bit of a random number does not show; a source that is stuck does.
            Flaw::Garbled if good && self.instruction == 0x84 => response[..at].fill(0),
            Flaw::Garbled if good && at > 0 => response[at - 1] ^= 1,
            _ => {}
        }
        Ok(response)
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.card.reset()
    }

    fn power_cycle(&mut self) -> Result<(), TransportError> {
        self.card.power_cycle()
    }
}

/// A card that compares a PIN digit by digit and stops at the first wrong one.
struct Leaky(Box<dyn Target>);

/// What one equal digit costs. Five of them are more than twice the 6 us of a VERIFY, and more than the
/// tenth of it that may differ even where a busy machine makes it twenty times as long.
const DIGIT: Duration = Duration::from_micros(3);

impl Target for Leaky {
    fn describe(&self) -> String {
        self.0.describe()
    }

    fn atr(&self) -> Vec<u8> {
        self.0.atr()
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        if let [0x00, 0x20, 0x00, 0x81, _, pin @ ..] = command {
            let equal = pin.iter().zip(fixture::PIN).take_while(|(a, b)| a == b);
            let begun = Instant::now();
            let digits = u32::try_from(equal.count()).unwrap();
            // A sleep is rounded up to far more than this.
            while begun.elapsed() < DIGIT * digits {
                std::hint::spin_loop();
            }
        }
        self.0.transmit(command)
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.0.reset()
    }

    fn power_cycle(&mut self) -> Result<(), TransportError> {
        self.0.power_cycle()
    }
}

fn is_good(status: &[u8]) -> bool {
    status == [0x90, 0x00] || status == [0x62, 0x82]
}

fn run_on(chosen: Vec<&Scenario>, all: &[Scenario], tamper: Option<Tamper>) -> Report {
    let order = Order {
        jobs: 2,
        tamper,
        ..Order::new(all, chosen)
    };
    run(&order, &mut |_| {}).unwrap()
}

/// What a clean run shows of a command.
#[derive(Debug, Default)]
struct Shown {
    /// Scenarios that use it, quick ones first.
    scenarios: Vec<(u64, String)>,
    flaws: BTreeSet<Flaw>,
}

fn shown(report: &Report, of: impl Fn(&Entry) -> bool) -> BTreeMap<u8, Shown> {
    let mut commands: BTreeMap<u8, Shown> = BTreeMap::new();
    for entry in report.results.iter().filter(|entry| of(entry)) {
        let mut used = BTreeSet::new();
        for exchange in &entry.exchanges {
            let Some(instruction) = exchange
                .command
                .get(2..4)
                .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            else {
                continue;
            };
            used.insert(instruction);
            let flaws = &mut commands.entry(instruction).or_default().flaws;
            let good = exchange.status == "9000" || exchange.status == "6282";
            match (good, exchange.response.len() > 4) {
                (true, true) => flaws.extend([Flaw::Strict, Flaw::Idle, Flaw::Garbled]),
                (true, false) => flaws.extend([Flaw::Strict, Flaw::Idle]),
                (false, _) => flaws.extend([Flaw::Lenient, Flaw::WrongWord]),
            }
        }
        for instruction in used {
            let shown = commands.entry(instruction).or_default();
            let micros = entry.exchanges.iter().map(|one| one.micros).sum();
            shown.scenarios.push((micros, entry.id.clone()));
        }
    }
    for shown in commands.values_mut() {
        shown.scenarios.sort();
    }
    commands
}

/// Finds a scenario that notices a mutant; scenarios run in small lots until one does.
fn catcher(all: &[Scenario], shown: &Shown, instruction: u8, flaw: Flaw) -> Option<String> {
    let tamper: Tamper = Arc::new(move |card| {
        Box::new(Mutant {
            card,
            instruction,
            flaw,
        })
    });
    for lot in shown.scenarios.chunks(12) {
        let chosen = all
            .iter()
            .filter(|scenario| lot.iter().any(|(_, id)| *id == scenario.id))
            .collect();
        let report = run_on(chosen, all, Some(Arc::clone(&tamper)));
        let caught = report
            .results
            .iter()
            .find(|entry| entry.verdict == Verdict::Fail);
        if let Some(caught) = caught {
            return Some(caught.id.clone());
        }
    }
    None
}

/// What each command must show in the clean run, so that no way to be wrong is left untried.
fn wanted(pair: &Pair) -> BTreeSet<Flaw> {
    let mut flaws = BTreeSet::from([Flaw::Lenient, Flaw::Strict, Flaw::WrongWord, Flaw::Idle]);
    if pair.answers {
        flaws.insert(Flaw::Garbled);
    }
    flaws
}

#[test]
fn every_broken_command_is_noticed() {
    let all = crate::scenarios::all();
    let clean = run_on(all.iter().collect(), &all, None);
    assert!(clean.is_good(), "{:?}", clean.counts);
    let commands = shown(&clean, |_| true);
    let mut missed = Vec::new();
    for pair in &PAIRS {
        let instruction = pair.instruction;
        let name = format!("{instruction:02X} {}", pair.file);
        // The command's own scenarios show it succeed and refuse, whatever else uses it.
        let own = shown(&clean, |entry| entry.area == pair.area);
        let own = own.get(&instruction).map(|shown| shown.flaws.clone());
        let lacking: Vec<Flaw> = wanted(pair)
            .difference(&own.unwrap_or_default())
            .copied()
            .collect();
        if !lacking.is_empty() {
            missed.push(format!(
                "{name}: area {} shows no case for {lacking:?}",
                pair.area
            ));
        }
        let Some(shown) = commands.get(&instruction) else {
            missed.push(format!("{name}: no scenario sends it"));
            continue;
        };
        for flaw in &shown.flaws {
            if catcher(&all, shown, instruction, *flaw).is_none() {
                missed.push(format!("{name}: nobody notices {flaw:?}"));
            }
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn a_card_whose_comparison_of_pins_leaks_is_noticed() {
    let all = crate::scenarios::all();
    let timing = |scenario: &&Scenario| scenario.id.starts_with("timing.");
    let chosen: Vec<&Scenario> = all.iter().filter(timing).collect();
    assert!(!chosen.is_empty());
    let leaky: Tamper = Arc::new(|card| Box::new(Leaky(card)));
    for entry in run_on(chosen, &all, Some(leaky)).results {
        let verdict = entry.verdict;
        assert_eq!(verdict, Verdict::Fail, "{}: {:?}", entry.id, entry.finding);
    }
}
