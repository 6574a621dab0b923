//! The README's tables of commands, and of what they carry, are those of the card and its profiles.

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

/// Cells of all rows of all tables.
fn rows() -> Vec<Vec<&'static str>> {
    include_str!("../../README.md")
        .lines()
        .filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect()
}

/// Cells of all rows that begin with class and instruction, and those of the head.
fn table() -> (Vec<&'static str>, Vec<Vec<&'static str>>) {
    let rows = rows();
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

/// Algorithms that the reference names, under the instruction that takes them in P2.
const ALGORITHMS: [(&str, u8, &[u8]); 6] = [
    (
        "SIGN",
        0x68,
        &[
            0x20, 0x30, 0x31, 0x33, 0x34, 0x35, 0x40, 0x41, 0x43, 0x44, 0x45, 0x70, 0x71, 0x72,
            0x73, 0x74, 0x75, 0xA0,
        ],
    ),
    ("DECIPHER", 0x62, &[0x21, 0x22, 0x23, 0x80, 0x83, 0x84]),
    ("WRAP", 0x72, &[0x92]),
    ("UNWRAP", 0x74, &[0x93]),
    ("DERIVE", 0x76, &[0x98]),
    ("CIPHER", 0x78, &[0x10, 0x11, 0x18, 0x94, 0x99]),
];

/// Algorithms of the reference that no generation here has.
const NOWHERE: [u8; 3] = [0x83, 0x94, 0xA0];

/// Objects of INITIALIZE DEVICE; the last two no generation here has.
const OBJECTS: [u8; 9] = [0x80, 0x81, 0x82, 0x91, 0x92, 0x93, 0x97, 0x95, 0x96];

#[test]
fn the_table_of_objects_says_which_generation_has_which() {
    let rows = rows();
    let head = rows
        .iter()
        .find(|row| row[0] == "object, option or algorithm")
        .unwrap();
    let check = |key: String, has: &dyn Fn(&Profile) -> bool| {
        let row = rows.iter().find(|row| row[0] == key);
        let row = row.unwrap_or_else(|| panic!("{key} has no row"));
        assert_eq!(row.len(), head.len(), "{key}");
        for (title, profiles) in GENERATIONS {
            let column = head.iter().position(|cell| *cell == title).unwrap();
            for profile in profiles {
                let expected = if has(profile) { "●" } else { "–" };
                assert_eq!(row[column], expected, "{key} {}", profile.name);
            }
        }
    };
    for (name, instruction, algorithms) in ALGORITHMS {
        for algorithm in algorithms {
            check(format!("{name} {algorithm:02X}"), &|profile| {
                profile.has_command(instruction)
                    && profile.has_algorithm(*algorithm)
                    && !NOWHERE.contains(algorithm)
            });
        }
    }
    for tag in OBJECTS {
        check(format!("INITIALIZE {tag:02X}"), &|profile| {
            !profile.absent_objects.contains(&tag) && !matches!(tag, 0x95 | 0x96)
        });
    }
    for option in [0x01, 0x02, 0x04, 0x08, 0x10, 0x20_u16] {
        check(format!("option {option:04X}"), &|profile| {
            profile.options & option != 0
        });
    }
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
