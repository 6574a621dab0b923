//! The header says what the library has: every function with its documentation and its C types, every
//! constant with its value, and nothing else.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

const LIBRARY: &str = include_str!("../src/lib.rs");
const HEADER: &str = include_str!("../include/hsm2_card.h");

/// Rust types of the interface, and the same in C, as they stand before a name.
const TYPES: &[(&str, &str)] = &[
    ("*const u8", "const uint8_t *"),
    ("*mut u8", "uint8_t *"),
    ("*mut *const u8", "const uint8_t **"),
    ("*const c_char", "const char *"),
    ("*mut usize", "size_t *"),
    ("usize", "size_t "),
    ("c_int", "int "),
    ("*mut Card", "hsm2_card *"),
    ("*const Card", "const hsm2_card *"),
    ("*mut Snapshot", "hsm2_snapshot *"),
    ("*const Snapshot", "const hsm2_snapshot *"),
    ("", "void "),
];

fn in_c(rust: &str) -> &'static str {
    let found = TYPES.iter().find(|(known, _)| *known == rust.trim());
    found.unwrap_or_else(|| panic!("no C for {rust:?}")).1
}

/// Comment lines directly above, without their marks.
fn comment(above: &str, mark: &str) -> Vec<String> {
    let lines = above.lines().rev();
    let mut lines: Vec<_> = lines
        .skip_while(|line| line.starts_with("#["))
        .map_while(|line| line.strip_prefix(mark))
        .map(|line| line.trim().to_owned())
        .collect();
    lines.reverse();
    lines
}

/// Comment and declaration of everything that the library exports, in C.
fn of_library() -> BTreeSet<(Vec<String>, String)> {
    let mut all = BTreeSet::new();
    for (at, _) in LIBRARY.match_indices("pub unsafe extern \"C\" fn ") {
        let rest = LIBRARY.get(at..).unwrap().split_once(" fn ").unwrap().1;
        let (name, rest) = rest.split_once('(').unwrap();
        let (arguments, rest) = rest.split_once(')').unwrap();
        let (result, _) = rest.split_once('{').unwrap();
        let result = in_c(result.trim().trim_start_matches("->"));
        let arguments: Vec<_> = arguments
            .split(',')
            .filter_map(|argument| argument.split_once(':'))
            .map(|(name, kind)| format!("{}{}", in_c(kind), name.trim()))
            .collect();
        let declaration = format!("{result}{name}({});", arguments.join(", "));
        all.insert((comment(LIBRARY.get(..at).unwrap(), "///"), declaration));
    }
    for (at, _) in LIBRARY.match_indices("\npub const ") {
        let line = LIBRARY.get(at + 1..).unwrap().lines().next().unwrap();
        let (name, value) = line
            .trim_start_matches("pub const ")
            .split_once(':')
            .unwrap();
        let value = value.split_once("= ").unwrap().1.trim_end_matches(';');
        let declaration = format!("#define {name} {}", value.replace('_', ""));
        all.insert((comment(LIBRARY.get(..=at).unwrap(), "///"), declaration));
    }
    all
}

/// The same of the header.
fn of_header() -> BTreeSet<(Vec<String>, String)> {
    let mut all = BTreeSet::new();
    let mut at = 0;
    for paragraph in HEADER.split_inclusive("\n\n") {
        let code: Vec<_> = paragraph
            .lines()
            .filter(|line| !line.starts_with("//"))
            .map(str::trim)
            .collect();
        let code = code.join(" ").trim().to_owned();
        let is_ours = code.starts_with("#define HSM2_") && !code.contains("CARD_H");
        if is_ours || code.ends_with(");") {
            let above = paragraph.lines().take_while(|line| line.starts_with("//"));
            let above: Vec<_> = above.collect();
            all.insert((comment(&above.join("\n"), "//"), code));
        }
        at += paragraph.len();
    }
    assert_eq!(at, HEADER.len());
    all
}

#[test]
fn the_header_is_that_of_the_library() {
    let (library, header) = (of_library(), of_header());
    assert!(library.len() > 10, "{library:#?}");
    assert_eq!(library, header);
}
