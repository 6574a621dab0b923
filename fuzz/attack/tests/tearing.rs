//! Power cuts and failing disks between any two writes of every command that writes.
//!
//! Each command runs on a card whose card file lies on a disk that remembers every write. For
//! every write, and for each way in which a disk may lose or tear what it was not yet told to
//! keep, the file is opened again: the card in it is the one before or after the commit at work,
//! never one that an earlier, acknowledged commit has left behind.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod tearing {
    pub(crate) mod commands;
    pub(crate) mod machine;
}

use std::collections::BTreeSet;

use hsm2_emulator::command::COMMANDS;
use hsm2_emulator::id::KeyId;
use hsm2_emulator::pin::PinReference;

use hsm2_attack::bench::Bench;
use hsm2_attack::store::Records;
use tearing::commands::{BY_P1, BY_P2, Effect, READERS, READING_FORMS, Row, Stage, rows};
use tearing::machine::{Machine, opened};

fn tries(records: &Records, reference: PinReference) -> u8 {
    let card = Bench::from_records(records.clone()).card;
    card.memory().pin(reference).unwrap().tries_left()
}

fn uses(records: &Records, key: u8) -> Option<u32> {
    let card = Bench::from_records(records.clone()).card;
    card.memory().key(KeyId(key)).unwrap().attributes.uses_left
}

/// What the commits of a command must have made of the card, one after the other.
fn check_effect(row: &Row, states: &[Records]) {
    match row.effect {
        Effect::Tries(reference, expected) => {
            let seen: Vec<_> = states.iter().map(|state| tries(state, reference)).collect();
            assert_eq!(seen, expected, "{}: tries after each commit", row.name);
        }
        Effect::Use(key) => {
            let seen: Vec<_> = states.iter().map(|state| uses(state, key)).collect();
            let expected = [Some(3), Some(2)];
            assert_eq!(seen, expected, "{}: uses after each commit", row.name);
        }
        Effect::Once => {
            assert_eq!(states.len(), 2, "{}: commits", row.name);
            assert_ne!(states[0], states[1], "{}: nothing was written", row.name);
        }
    }
}

#[test]
fn a_power_cut_at_any_write_leaves_the_state_before_or_after_the_commit() {
    let stage = Stage::new();
    let (mut cuts, mut images) = (0, 0);
    for row in rows(&stage) {
        let mut machine = Machine::new((row.card)(&stage));
        let answer = machine.send(&row.command);
        assert_eq!(
            format!("{answer:04X}"),
            format!("{:04X}", row.status),
            "{}",
            row.name
        );
        let states = machine.states();
        check_effect(&row, &states);
        for count in 0..=machine.tape.len() {
            let done = machine.commits_done_at(count);
            let allowed = &states[done..(done + 2).min(states.len())];
            for image in machine.tape.torn(count) {
                let found = opened(&image).unwrap_or_else(|error| {
                    panic!("{}: power cut behind step {count}: {error}", row.name)
                });
                assert!(
                    allowed.contains(&found),
                    "{}: power cut behind step {count}: neither the state before nor after",
                    row.name
                );
                images += 1;
            }
            cuts += 1;
        }
        // Each state is a card.
        for state in states {
            drop(Bench::from_records(state));
        }
    }
    println!("{cuts} power cuts, {images} images of the disk");
    assert!(cuts > 150, "only {cuts} power cuts");
}

#[test]
fn a_disk_that_fails_at_any_write_is_told_and_leaves_the_state_before_or_after() {
    let stage = Stage::new();
    for row in rows(&stage) {
        let steps = {
            let mut machine = Machine::new((row.card)(&stage));
            let _ = machine.send(&row.command);
            machine.tape.len()
        };
        for step in 0..steps {
            let mut machine = Machine::new((row.card)(&stage));
            machine.tape.fail_after(step);
            let status = machine.send(&row.command);
            let acknowledged = machine.states();
            let image = machine.tape.image();
            let found = opened(&image)
                .unwrap_or_else(|error| panic!("{}: failed step {step}: {error}", row.name));
            if status == row.status {
                // It was told as done: then it is.
                let last = acknowledged.last().unwrap();
                assert!(found == *last, "{}: failed step {step}", row.name);
            } else {
                assert_eq!(status, 0x6581, "{}: failed step {step}", row.name);
                let last = acknowledged.last().unwrap();
                let whole = {
                    let mut machine = Machine::new((row.card)(&stage));
                    let _ = machine.send(&row.command);
                    machine.states()
                };
                let next = whole.get(acknowledged.len());
                assert!(
                    found == *last || Some(&found) == next,
                    "{}: failed step {step}: another state",
                    row.name
                );
            }
        }
    }
}

#[test]
fn a_store_that_fails_at_any_commit_leaves_what_was_committed_before() {
    let stage = Stage::new();
    for row in rows(&stage) {
        let commits = {
            let mut bench = (row.card)(&stage);
            let _ = bench.store.take_commits();
            let _ = bench.send(&row.command);
            bench.store.take_commits().len()
        };
        for failing in 0..commits {
            let mut bench = (row.card)(&stage);
            let _ = bench.store.take_commits();
            bench.store.fail_after(failing);
            let answer = bench.send(&row.command);
            assert_eq!(answer.status, 0x6581, "{}: commit {failing}", row.name);
            assert_eq!(bench.store.take_commits().len(), failing, "{}", row.name);
            bench.store.heal();
            // What the card shows without power is what the store has: a reopened card answers the
            // same.
            let mut again = Bench::from_records(bench.store.records());
            bench.card.reset();
            for question in tearing::commands::QUESTIONS {
                assert_eq!(
                    bench.send(question),
                    again.send(question),
                    "{}: commit {failing}",
                    row.name
                );
            }
        }
    }
}

#[test]
fn every_form_of_every_command_is_torn_or_known_to_write_nothing() {
    let stage = Stage::new();
    let rows = rows(&stage);
    let torn: BTreeSet<_> = rows.iter().map(|row| row.command[1]).collect();
    for entry in COMMANDS {
        assert!(
            torn.contains(&entry.ins) != READERS.contains(&entry.ins),
            "{entry:?} must be in one of both lists"
        );
    }
    // What the card does not refuse for P1 or P2 is a form of the command.
    for (instructions, position) in [(BY_P1, 2), (BY_P2, 3)] {
        for &ins in instructions {
            let row = rows.iter().find(|row| row.command[1] == ins).unwrap();
            let snapshot = (row.card)(&stage).card.snapshot();
            for value in 0..=u8::MAX {
                let mut command = row.command.clone();
                command[position] = value;
                let answer = Bench::from_snapshot(&snapshot, [0x33; 32]).send(&command);
                let is_torn = rows
                    .iter()
                    .any(|row| row.command[1] == ins && row.command[position] == value);
                let unknown = matches!(answer.status, 0x6A86 | 0x6A88);
                assert!(
                    is_torn || unknown || READING_FORMS.contains(&(ins, value)),
                    "{}: {value:02X} answered {:04X} and is not torn",
                    row.name,
                    answer.status
                );
            }
        }
    }
}
