//! The README's tables of commands, and of what they carry, are those of the card and its profiles.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[expect(dead_code, reason = "shared with tests that need more of it")]
#[path = "commands/keys.rs"]
mod keys;
#[expect(dead_code, reason = "shared with tests that need more of it")]
#[path = "commands/support.rs"]
mod support;

use std::collections::BTreeSet;

use hsm2_emulator::command::COMMANDS;
use hsm2_emulator::crypto::Curve;
use hsm2_emulator::profile::{self, PROFILES, Profile};
use hsm2_emulator::tlv::Reader as Tlv;
use keys::{crypto_command, ec_template, generate_command, rsa_template};
use support::{Reader, bytes, lc_data};

const CURVE: Curve = Curve::BrainpoolP256r1;

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

/// Algorithms that the reference names and no generation here has: they answer 6A81.
const NO_ALGORITHM: [&str; 3] = ["SIGN A0", "DECIPHER 83", "CIPHER 94"];

/// Objects of INITIALIZE DEVICE that no generation here has: they answer 6A81.
const NO_OBJECT: [&str; 2] = ["INITIALIZE 95", "INITIALIZE 96"];

/// Rows in which no generation lacks anything.
const EVERYWHERE: [&str; 14] = [
    "key 42, 45",
    "key 5F29, 7F49, 5F20",
    "file 54, 53",
    "FCI 6F, 62, 80, 82, 83",
    "FCI 85",
    "FCI A5",
    "MSE 80",
    "MSE 83",
    "authenticate 7C, 80, 81, 82",
    "channel 85, 87, 97, 99, 8E",
    "certificate 7F21, 7F4E, 5F29, 42, 7F49, 5F20, 5F37",
    "certificate 7F4C, 5F25, 5F24",
    "certificate 65, 73",
    "certificate 67",
];

/// The rows of the table of what commands carry, and its head.
fn objects() -> (Vec<&'static str>, Vec<Vec<&'static str>>) {
    let rows = rows();
    let start = rows
        .iter()
        .position(|row| row[0] == "object, option or algorithm")
        .unwrap();
    let head = rows[start].clone();
    assert!(rows[start + 1].iter().all(|cell| *cell == "---"));
    let objects = rows.into_iter().skip(start + 2);
    let objects = objects
        .take_while(|row| row.len() == head.len() && row[0] != "operation")
        .collect();
    (head, objects)
}

/// What a card of this generation takes, by the names of the rows: asked of the card, not of its
/// profile.
fn taken_by(profile: &'static Profile) -> BTreeSet<String> {
    let mut taken = BTreeSet::from(EVERYWHERE.map(str::to_owned));
    let initialised = |objects: &str| {
        let template = bytes(objects);
        let mut reader = Reader::of(profile);
        let answer = reader.send(&format!("80 50 00 00 {}", lc_data(&template)));
        (answer.status, reader)
    };
    let template = "80 02 0001 81 06 363438323139 82 08 3537363231383830 91 01 03";
    assert_eq!(initialised(template).0, 0x9000);
    taken.extend(["80", "81", "82", "91"].map(|tag| format!("INITIALIZE {tag}")));
    for tag in (0x80..=0xFF_u8).filter(|tag| ![0x80, 0x81, 0x82, 0x91].contains(tag)) {
        let value = if tag == 0x93 { "02 0101" } else { "01 01" };
        let (status, _) = initialised(&format!("{template} {tag:02X} {value}"));
        let name = format!("INITIALIZE {tag:02X}");
        match status {
            0x9000 => assert!(taken.insert(name)),
            other if NO_OBJECT.contains(&&*name) => assert_eq!(other, 0x6A81, "{name}"),
            other => assert_eq!(other, 0x6A80, "{name} {}", profile.name),
        }
    }
    for option in (0..16).map(|bit| 1_u16 << bit) {
        let template = template.replacen("0001", &format!("{option:04X}"), 1);
        let (status, _) = initialised(&template);
        match status {
            0x9000 => assert!(taken.insert(format!("option {option:04X}"))),
            other => assert_eq!(other, 0x6A80, "option {option:04X} {}", profile.name),
        }
    }

    let (status, mut reader) = initialised(&format!("{template} 92 01 01"));
    assert_eq!(status, 0x9000);
    reader.ok(&format!("80 52 00 00 20 {} 00", "5A".repeat(32)));
    let make = |reader: &mut Reader, key: u8, template: &[u8]| {
        reader.send(&generate_command(key, template)).status
    };
    for tag in (0x80..=0xFF_u8).filter(|tag| *tag != 0x92) {
        let value = if tag == 0x90 { "04 00000005" } else { "01 73" };
        let status = make(
            &mut reader,
            1,
            &ec_template(CURVE, &format!("{tag:02X} {value}")),
        );
        match status {
            0x9000 => {
                assert!(taken.insert(format!("key {tag:02X}")));
                reader.ok("00 E4 02 00 02 CC01");
            }
            other => assert_eq!(other, 0x6A80, "key {tag:02X} {}", profile.name),
        }
    }
    assert_eq!(
        make(&mut reader, 2, &ec_template(CURVE, "92 01 00")),
        0x9000
    );
    taken.insert("key 92".into());
    // Algorithms that only a key takes that lists them.
    assert_eq!(
        make(&mut reader, 3, &ec_template(CURVE, "91 02 8498")),
        0x9000
    );
    assert_eq!(make(&mut reader, 4, &rsa_template(1024, "")), 0x9000);
    if profile.has_command(0x48) {
        reader.ok("00 48 05 B0");
        reader.ok("00 48 06 B0 03 91 01 99");
    }
    let rows: [(&str, u8, &[u8]); 5] = [
        ("SIGN", 0x68, &[2, 4]),
        ("DECIPHER", 0x62, &[2, 3, 4]),
        ("WRAP", 0x72, &[2]),
        ("UNWRAP", 0x74, &[9]),
        ("CIPHER", 0x78, &[5, 6]),
    ];
    for (name, instruction, keys) in rows {
        for algorithm in 0..=0xFF {
            let mut words = keys.iter().map(|key| {
                let command = crypto_command(instruction, *key, algorithm, &[0x30; 32]);
                reader.send(&command).status
            });
            // 6A86: the command takes one value in P2 only.
            if !words.all(|word| matches!(word, 0x6A81 | 0x6A86 | 0x6D00)) {
                taken.insert(format!("{name} {algorithm:02X}"));
            }
        }
    }
    if profile.has_command(0x76) && profile.has_algorithm(0x98) {
        taken.insert("DERIVE 98".into());
    }
    if profile.has_slots() {
        taken.insert("membership 54".into());
    }
    taken
}

#[test]
fn the_table_of_objects_is_complete_and_says_which_generation_takes_which() {
    let (head, rows) = objects();
    let names: BTreeSet<_> = rows.iter().map(|row| row[0].to_owned()).collect();
    assert_eq!(names.len(), rows.len(), "no row twice");
    let mut somewhere = BTreeSet::from_iter(NO_ALGORITHM.map(str::to_owned));
    somewhere.extend(NO_OBJECT.map(str::to_owned));
    for (title, profiles) in GENERATIONS {
        let column = head.iter().position(|cell| *cell == title).unwrap();
        for profile in profiles {
            let shown: BTreeSet<_> = rows
                .iter()
                .filter(|row| match row[column] {
                    "●" => true,
                    "–" => false,
                    other => panic!("{} {title}: {other:?}", row[0]),
                })
                .map(|row| row[0].to_owned())
                .collect();
            let taken = taken_by(profile);
            assert_eq!(shown, taken, "{}", profile.name);
            somewhere.extend(taken);
        }
    }
    assert_eq!(names, somewhere);
    for client in CLIENTS {
        let column = head.iter().position(|cell| *cell == client).unwrap();
        for row in &rows {
            assert!(matches!(row[column], "●" | ""), "{} {client}", row[0]);
        }
    }
}

/// Sessions of OpenSC's own tools, recorded: `> command`, `< response`.
const RECORDS: [&str; 6] = [
    include_str!("../../harness/data/opensc/initialise.txt"),
    include_str!("../../harness/data/opensc/keys.txt"),
    include_str!("../../harness/data/opensc/sign.txt"),
    include_str!("../../harness/data/opensc/wrap.txt"),
    include_str!("../../harness/data/opensc/pka.txt"),
    include_str!("../../harness/data/opensc/domains.txt"),
];

/// SELECT of the applet as `record.py` sends it through `opensc-tool`; OpenSC's own has an Le.
const BY_HAND: &str = "00A404000BE82B0601040181C31F0201";

/// SELECT of another card's applet, with which every connection of OpenSC begins.
const CONNECTION: &str = "00A4040007627601FF000000";

/// The commands of a record that OpenSC chose itself.
fn chosen_by_opensc(record: &str) -> impl Iterator<Item = Vec<u8>> {
    let mut by_hand = false;
    record.lines().filter_map(move |line| {
        let command = line.strip_prefix("> ")?;
        by_hand = (by_hand || command == BY_HAND) && command != CONNECTION;
        (!by_hand).then(|| bytes(command))
    })
}

#[test]
fn what_opensc_sent_in_the_records_has_a_dot() {
    let (head, commands) = table();
    let (_, objects) = objects();
    let mut sent = BTreeSet::new();
    for apdu in RECORDS.into_iter().flat_map(chosen_by_opensc) {
        let [class, instruction, _, p2] = apdu[..4] else {
            panic!("a header");
        };
        sent.insert(format!("{class:02X} {instruction:02X}"));
        match instruction {
            0x50 if apdu.len() > 5 => {
                let mut template = Tlv::new(&apdu[5..5 + usize::from(apdu[4])]);
                while !template.is_empty() {
                    let object = template.next_element().unwrap();
                    sent.insert(format!("INITIALIZE {:02X}", object.tag));
                }
            }
            0x68 => drop(sent.insert(format!("SIGN {p2:02X}"))),
            0x62 => drop(sent.insert(format!("DECIPHER {p2:02X}"))),
            0x72 => drop(sent.insert(format!("WRAP {p2:02X}"))),
            0x74 => drop(sent.insert(format!("UNWRAP {p2:02X}"))),
            _ => {}
        }
    }
    for expected in ["80 58", "00 2A", "INITIALIZE 93", "SIGN 70", "WRAP 92"] {
        assert!(sent.contains(expected), "{expected} in {sent:?}");
    }
    let column = head.iter().position(|cell| *cell == "OpenSC").unwrap();
    // Both tables have the same columns up to there.
    for name in sent {
        let command = commands.iter().find(|row| row[0] == name);
        let cell = match command {
            Some(row) => row[column],
            None => {
                let row = objects.iter().find(|row| row[0] == name);
                row.unwrap_or_else(|| panic!("{name} has no row"))[column]
            }
        };
        assert_eq!(cell, "●", "{name}");
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
