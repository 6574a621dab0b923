//! Broken cards: the suite must notice each of them.
//!
//! A mutant answers one command wrongly and all others as the card does. There are five ways to be
//! wrong, and each command has those that its clean run shows a case for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hsm2_emulator::command::COMMANDS;

use super::runner::{Order, run};
use super::stock::Tamper;
use crate::guard::Consent;
use crate::report::{Report, Verdict};
use crate::scenario::Scenario;
use crate::transport::place::Place;
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

fn is_good(status: &[u8]) -> bool {
    status == [0x90, 0x00] || status == [0x62, 0x82]
}

fn run_on(chosen: Vec<&Scenario>, all: &[Scenario], tamper: Option<Tamper>) -> Report {
    let order = Order {
        all,
        chosen,
        place: Place::Embedded,
        second: None,
        seed: 1,
        consent: Consent::default(),
        jobs: 2,
        profile: None,
        tamper,
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

fn shown(report: &Report) -> BTreeMap<u8, Shown> {
    let mut commands: BTreeMap<u8, Shown> = BTreeMap::new();
    for entry in &report.results {
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

#[test]
fn every_broken_command_is_noticed() {
    let all = crate::scenarios::all();
    let clean = run_on(all.iter().collect(), &all, None);
    assert!(clean.is_good(), "{:?}", clean.counts);
    let commands = shown(&clean);
    let mut missed = Vec::new();
    let mut mutants = 0;
    for command in COMMANDS {
        let instruction = command.ins;
        let Some(shown) = commands.get(&instruction) else {
            continue;
        };
        for flaw in &shown.flaws {
            mutants += 1;
            if catcher(&all, shown, instruction, *flaw).is_none() {
                missed.push(format!("{instruction:02X} {}: {flaw:?}", command.name));
            }
        }
    }
    println!("{mutants} mutants of {} commands", COMMANDS.len());
    assert!(missed.is_empty(), "nobody notices:\n{}", missed.join("\n"));
}
