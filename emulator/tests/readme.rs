//! The README's table of commands is the card's.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use hsm2_emulator::command::COMMANDS;

#[test]
fn the_table_of_commands_is_complete() {
    let readme = include_str!("../../README.md");
    let rows: Vec<_> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" | "))
        .collect();
    for entry in COMMANDS {
        let code = format!("{:02X} {:02X}", entry.cla, entry.ins);
        let row = rows
            .iter()
            .find(|(codes, _)| codes.split(", ").any(|one| one == code));
        let (_, rest) = row.unwrap_or_else(|| panic!("{code} {} has no row", entry.name));
        assert!(rest.starts_with(entry.name), "{code}: {rest}");
    }
    let listed: usize = rows
        .iter()
        .map(|(codes, _)| codes.split(", ").filter(|code| is_code(code)).count())
        .sum();
    // SELECT is listed but stands outside the table: it also works before selection.
    assert_eq!(listed, COMMANDS.len() + 1);
}

fn is_code(text: &str) -> bool {
    text.len() == 5
        && text
            .split(' ')
            .all(|byte| byte.len() == 2 && u8::from_str_radix(byte, 16).is_ok())
}
