//! `attest` as people and scripts run it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

fn attest(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hsm2-harness"))
        .arg("attest")
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn a_virtual_card_is_never_taken_for_a_genuine_one() {
    let output = attest(&["--json"]);
    assert_eq!(output.status.code(), Some(23));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["serial"], "ZZATTEST");
    assert_eq!(found["root"], "virtual");
    assert_eq!(found["possession"]["state"], "proven");
    assert_eq!(found["verdict"], "without_value");
    let text = String::from_utf8(attest(&[]).stdout).unwrap();
    assert!(text.contains("the root of virtual cards"), "{text}");
}

#[test]
fn exit_codes_tell_why_there_is_no_attestation() {
    let rows: [(&[&str], i32, &str); 3] = [
        (&["--key", "1"], 21, "the attestation does not hold"),
        (
            &["--target", "usb"],
            2,
            "embedded, vpcd:HOST:PORT or pcsc:READER",
        ),
        (&["--target", "vpcd:192.0.2.1:9"], 10, "192.0.2.1:9"),
    ];
    for (arguments, code, message) in rows {
        let output = attest(arguments);
        let complained = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {complained}"
        );
        assert!(complained.contains(message), "{complained}");
    }
}
