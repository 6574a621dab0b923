//! The README's table of commands is that of the card and of its profiles.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use hsm2_emulator::command::COMMANDS;
use hsm2_emulator::profile::{self, PROFILES, Profile};

/// Instruction byte of SELECT, which stands outside the table of commands: it also works before
/// selection.
const SELECT: u8 = 0xA4;

/// The profiles of each column.
const GENERATIONS: [(&str, &[&Profile]); 4] = [
    ("1.2", &[&profile::SMARTCARD_HSM_1_2]),
    ("2.6", &[&profile::NITROKEY_HSM]),
    (
        "3.x",
        &[
            &profile::NITROKEY_HSM2_3_1,
            &profile::NITROKEY_HSM2_3_5,
            &profile::NITROKEY_HSM2,
        ],
    ),
    ("4.1", &[&profile::NITROKEY_HSM2_4_1]),
];

const CLIENTS: [&str; 4] = ["OpenSC", "embedded", "GnuPG", "OCF"];

/// Cells of all rows that begin with class and instruction, and those of the head.
fn table() -> (Vec<&'static str>, Vec<Vec<&'static str>>) {
    let rows: Vec<Vec<_>> = include_str!("../../README.md")
        .lines()
        .filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let head = rows.iter().find(|row| row[0] == "CLA INS").unwrap().clone();
    let commands = rows.into_iter().filter(|row| is_code(row[0]));
    (head, commands.collect())
}

fn is_code(text: &str) -> bool {
    text.len() == 5
        && text
            .split(' ')
            .all(|byte| byte.len() == 2 && u8::from_str_radix(byte, 16).is_ok())
}

#[test]
fn the_table_of_commands_is_complete() {
    let (head, rows) = table();
    for entry in COMMANDS {
        let code = format!("{:02X} {:02X}", entry.cla, entry.ins);
        let row = rows.iter().find(|row| row[0] == code);
        let row = row.unwrap_or_else(|| panic!("{code} {} has no row", entry.name));
        assert_eq!(row[1], entry.name, "{code}");
    }
    assert!(rows.iter().all(|row| row.len() == head.len()));
    assert_eq!(rows.len(), COMMANDS.len() + 1, "and SELECT");
}

#[test]
fn the_table_of_commands_says_which_generation_has_which() {
    let (head, rows) = table();
    let column = |title: &str| head.iter().position(|cell| *cell == title).unwrap();
    for row in &rows {
        let instruction = u8::from_str_radix(&row[0][3..], 16).unwrap();
        for (title, profiles) in GENERATIONS {
            for profile in profiles {
                let known = instruction == SELECT || profile.has_command(instruction);
                let expected = if known { "●" } else { "–" };
                assert_eq!(row[column(title)], expected, "{} {}", row[0], profile.name);
            }
        }
        for client in CLIENTS {
            assert!(
                matches!(row[column(client)], "●" | ""),
                "{} {client}",
                row[0]
            );
        }
    }
    let shown: usize = GENERATIONS.iter().map(|(_, profiles)| profiles.len()).sum();
    assert_eq!(shown, PROFILES.len());
}

#[test]
fn every_profile_stands_in_the_readme() {
    let readme = include_str!("../../README.md");
    for profile in PROFILES {
        assert!(
            readme.contains(&format!("| `{}` |", profile.name)),
            "{}",
            profile.name
        );
    }
}
