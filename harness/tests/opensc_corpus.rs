//! `export-opensc-corpus` as people run it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

fn export(folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hsm2-harness"))
        .arg("export-opensc-corpus")
        .arg(folder)
        .output()
        .unwrap()
}

#[test]
fn each_connection_is_a_file_and_none_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("new");
    let output = export(&folder);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(said.lines().count(), names.len());
    for session in ["initialise", "keys", "sign", "wrap", "pka", "domains"] {
        let first = format!("{session}-01");
        assert!(names.contains(&first), "{first}: {names:?}");
        let seed = std::fs::read(folder.join(first)).unwrap();
        // The answer to reset behind its length.
        assert_eq!(seed.get(..3), Some(&[24, 0, 0x3B][..]), "{session}");
    }

    std::fs::write(folder.join("keys-01"), "mine").unwrap();
    let output = export(&folder);
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    assert_eq!(std::fs::read(folder.join("keys-01")).unwrap(), b"mine");
}
