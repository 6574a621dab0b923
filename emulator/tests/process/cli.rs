//! Arguments, exit codes, messages, signals.

use std::net::TcpListener;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::{Reader, Served, command};

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn run(folder: &TempDir, arguments: &[&str]) -> Output {
    command()
        .current_dir(folder)
        .env("XDG_DATA_HOME", folder.path().join("data"))
        .args(arguments)
        .output()
        .unwrap()
}

/// Runs, wants this exit code, and returns what was said.
pub(crate) fn expect(folder: &TempDir, arguments: &[&str], code: i32) -> (String, String) {
    let output = run(folder, arguments);
    let said = String::from_utf8(output.stdout).unwrap();
    let complained = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        output.status.code(),
        Some(code),
        "{arguments:?}: {said}{complained}"
    );
    (said, complained)
}

#[test]
fn a_card_file_is_created_shown_and_copied() {
    let folder = folder();
    expect(
        &folder,
        &["card", "create", "a.hsm2", "--serial", "VT0000042"],
        0,
    );
    let (text, _) = expect(&folder, &["card", "show", "a.hsm2"], 0);
    assert!(
        text.contains("ZZVT0000042") && text.contains("not set"),
        "{text}"
    );
    expect(&folder, &["card", "copy", "a.hsm2", "b.hsm2"], 0);
    let (json, _) = expect(&folder, &["card", "show", "--json", "b.hsm2"], 0);
    let shown: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(shown["serial"], "ZZVT0000042");
    assert_eq!(shown["initialised"], false);
    assert_eq!(shown["user_pin"]["state"], "not set");
}

#[test]
fn a_card_stays_of_the_generation_it_was_created_as() {
    let folder = folder();
    let (help, _) = expect(&folder, &["card", "create", "--help"], 0);
    for name in ["smartcard-hsm-1.2", "nitrokey-hsm", "nitrokey-hsm2-4.1"] {
        assert!(help.contains(&format!("- {name}:")), "{help}");
        expect(&folder, &["card", "create", name, "--profile", name], 0);
        let (json, _) = expect(&folder, &["card", "show", "--json", name], 0);
        let shown: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(shown["profile"], name);
    }
    let other = [
        "serve",
        "--card",
        "nitrokey-hsm",
        "--profile",
        "nitrokey-hsm2",
    ];
    let (_, complained) = expect(&folder, &other, 2);
    assert!(complained.contains("cannot change"), "{complained}");
}

#[test]
fn exit_codes_and_messages_name_the_cause() {
    let folder = folder();
    std::fs::write(folder.path().join("text"), "no card").unwrap();
    expect(&folder, &["card", "create", "a.hsm2"], 0);
    let rows: &[(&[&str], i32, &str)] = &[
        (&["card", "create", "a.hsm2"], 3, "a.hsm2: exists already"),
        (
            &["card", "copy", "a.hsm2", "text"],
            3,
            "text: exists already",
        ),
        (
            &["card", "show", "absent"],
            3,
            "absent: there is no such card file",
        ),
        (
            &["serve", "--card", "absent"],
            3,
            "absent: there is no such card file",
        ),
        (&["card", "show", "text"], 5, "text: not a card file"),
        (&["serve", "--card", "text"], 5, "text: not a card file"),
        (
            &["card", "create", "no/where"],
            7,
            "no/where: could not be created",
        ),
        (&["card", "create", "b", "--serial", "vt"], 2, "A-Z and 0-9"),
        (
            &["card", "create", "b", "--profile", "x"],
            2,
            "possible values: nitrokey-hsm2, smartcard-hsm-1.2",
        ),
        (
            &["serve", "--card", "a.hsm2", "--card", "./a.hsm2"],
            2,
            "given twice",
        ),
        (
            &["serve", "--vpcd", "1", "--vpcd", "2"],
            2,
            "2 addresses for one card",
        ),
        (
            &["serve", "--ephemeral", "--seed", "0g"],
            2,
            "Invalid character",
        ),
        (
            &["serve", "--ephemeral", "--card", "a.hsm2"],
            2,
            "cannot be used with",
        ),
        (
            &["serve", "--ephemeral", "--listen", "192.0.2.1:9"],
            6,
            "192.0.2.1:9",
        ),
        (
            &["serve", "--ephemeral", "--vpcd", "no.such.invalid:1"],
            6,
            "no.such.invalid",
        ),
        (&[], 2, "Usage"),
    ];
    for (arguments, code, cause) in rows {
        let (said, complained) = expect(&folder, arguments, *code);
        assert!(complained.contains(cause), "{arguments:?}: {complained}");
        assert_eq!(said, "", "{arguments:?}");
    }
}

/// Built with debug assertions, redb panics on this file.
#[test]
fn of_a_damaged_file_only_the_error_is_told() {
    let folder = folder();
    expect(&folder, &["card", "create", "a.hsm2"], 0);
    let path = folder.path().join("a.hsm2");
    let mut bytes = std::fs::read(&path).unwrap();
    // The file is to be repaired, and its regions have eight pages.
    bytes[9] |= 0x02;
    bytes[0x14..0x18].copy_from_slice(&8u32.to_le_bytes());
    std::fs::write(&path, bytes).unwrap();
    let (said, complained) = expect(&folder, &["card", "show", "a.hsm2"], 5);
    assert_eq!(said, "");
    assert_eq!(complained.lines().count(), 1, "{complained}");
    assert!(
        complained.starts_with("hsm2-emulator: a.hsm2: this card file is damaged"),
        "{complained}"
    );
}

#[test]
fn a_card_in_use_is_refused_to_everybody_else() {
    let folder = folder();
    expect(&folder, &["card", "create", "a.hsm2"], 0);
    let file = folder.path().join("a.hsm2");
    let served = Served::start(&["--card", file.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    let refused: [&[&str]; 3] = [
        &["serve", "--card", "a.hsm2", "--listen", "127.0.0.1:0"],
        &["card", "show", "a.hsm2"],
        &["card", "copy", "a.hsm2", "b.hsm2"],
    ];
    for arguments in refused {
        let (_, complained) = expect(&folder, arguments, 4);
        assert!(
            complained.contains("another process has this card file open"),
            "{complained}"
        );
    }
    served.stop();
    expect(&folder, &["card", "show", "a.hsm2"], 0);
}

#[test]
fn the_card_of_somebody_who_names_none_is_made_once_and_kept() {
    let folder = folder();
    let start = || {
        let mut command = command();
        command.env("XDG_DATA_HOME", folder.path().join("data"));
        Served::run(command, &["--listen", "127.0.0.1:0"])
    };
    let (_, first) = start().stop();
    let path = folder.path().join("data/hsm2-emulator/card.hsm2");
    assert!(
        first.contains(&format!("{}: created", path.display())),
        "{first}"
    );
    let (_, second) = start().stop();
    assert!(!second.contains("created"), "{second}");
    let serial = |text: &str| text.split("card 1: ").nth(1).unwrap()[..11].to_string();
    assert_eq!(serial(&first), serial(&second));
}

#[test]
fn signals_end_a_serving_and_a_waiting_process_in_order() {
    for signal in ["TERM", "INT", "HUP"] {
        let served = Served::start(&["--ephemeral", "--listen", "127.0.0.1:0"]);
        let mut reader = served.reader(0);
        assert_eq!(reader.ask(&[0x04])[0], 0x3B);
        let (status, _) = served.stop_with(signal);
        assert_eq!(status.code(), Some(0), "{signal}");
    }
    // Whoever says that a signal is to be ignored, as `nohup` does, is obeyed.
    let mut deaf = Command::new("env");
    deaf.args([
        "--ignore-signal=INT,HUP",
        env!("CARGO_BIN_EXE_hsm2-emulator"),
    ]);
    let served = Served::run(deaf, &["--ephemeral", "--listen", "127.0.0.1:0"]);
    for signal in ["INT", "HUP"] {
        served.send(signal);
        assert_eq!(served.reader(0).ask(&[0x04])[0], 0x3B, "{signal}");
    }
    served.stop();
    // Nobody listens on the port of a listener that is gone.
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let waiting = Served::without_port(&["--ephemeral", "--vpcd", &gone]);
    waiting.wait_for("apt install pcscd vsmartcard-vpcd");
    let (status, said) = waiting.stop_with("TERM");
    assert_eq!(status.code(), Some(0), "{said}");
    // It said so once and then waited quietly.
    assert!(!said.contains("waiting for it"), "{said}");
}

#[test]
fn a_restarted_reader_finds_the_card_again() {
    let vpcd = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = vpcd.local_addr().unwrap();
    let served = Served::without_port(&["--ephemeral", "--vpcd", &address.to_string()]);
    for _ in 0..2 {
        let mut reader = Reader::over(vpcd.accept().unwrap().0);
        assert_eq!(reader.ask(&[0x04])[0], 0x3B);
    }
    served.stop();
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_a_loud_warning() {
    let challenge = |seed: &[&str]| {
        let arguments = [&["--ephemeral", "--listen", "127.0.0.1:0"], seed].concat();
        let served = Served::start(&arguments);
        let mut reader = served.reader(0);
        reader.select();
        let numbers = reader.ask(&[0x00, 0x84, 0x00, 0x00, 0x10]);
        assert_eq!(numbers.len(), 18);
        (numbers, served.stop().1)
    };
    let (first, said) = challenge(&["--seed", "c0ffee"]);
    assert!(said.contains("WORTHLESS"), "{said}");
    assert_eq!(first, challenge(&["--seed", "C0FFEE"]).0);
    assert_ne!(first, challenge(&["--seed", "c0ffef"]).0);
    let (drawn, said) = challenge(&[]);
    assert!(!said.contains("WORTHLESS"), "{said}");
    assert_ne!(drawn, challenge(&[]).0);
}

#[test]
fn two_cards_are_two_cards() {
    let served = Served::start(&[
        "--ephemeral",
        "--listen",
        "127.0.0.1:0",
        "--listen",
        "127.0.0.1:0",
    ]);
    let (mut first, mut second) = (served.reader(0), served.reader(1));
    let certificates = |reader: &mut Reader| {
        reader.select();
        reader.ask(&[0x00, 0xB1, 0x2F, 0x02, 0, 0, 4, 0x54, 2, 0, 0, 0, 0])
    };
    assert_ne!(certificates(&mut first), certificates(&mut second));
    // Garbage on one connection does not disturb the other.
    first.raw(&[0xFF; 3000]);
    assert_eq!(second.ask(&[0x04])[0], 0x3B);
    served.stop();
}

/// Initialises a card, presents its PIN and deletes nothing; returns the trace.
fn trace_of_a_session(folder: &TempDir, extra: &[&str]) -> (Vec<serde_json::Value>, String) {
    let path = folder.path().join("trace.jsonl");
    let common = [
        "--ephemeral",
        "--listen",
        "127.0.0.1:0",
        "--trace",
        path.to_str().unwrap(),
    ];
    let served = Served::start(&[&common[..], extra].concat());
    let mut reader = served.reader(0);
    reader.select();
    let initialise = [
        &[
            0x80, 0x50, 0x00, 0x00, 0x19, 0x80, 0x02, 0x00, 0x01, 0x81, 0x06,
        ][..],
        b"648219",
        &[0x82, 0x08],
        b"57621880",
        &[0x91, 0x01, 0x03],
    ];
    assert_eq!(reader.ask(&initialise.concat()), [0x90, 0x00]);
    let verify = [&[0x00, 0x20, 0x00, 0x81, 0x06][..], b"648219"].concat();
    assert_eq!(reader.ask(&verify), [0x90, 0x00]);
    served.stop();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    (lines, text)
}

#[test]
fn a_trace_tells_everything_but_secrets() {
    let folder = folder();
    let (lines, text) = trace_of_a_session(&folder, &[]);
    let names: Vec<_> = lines
        .iter()
        .map(|line| line["name"].as_str().or(line["event"].as_str()).unwrap())
        .collect();
    let expected = [
        "power on",
        "SELECT",
        "INITIALIZE DEVICE",
        "VERIFY",
        "power off",
    ];
    assert_eq!(names, expected);
    assert_eq!(lines[3]["command"], "0020008106************");
    assert_eq!(lines[3]["status"], "9000 success");
    assert_eq!(lines[3]["about"], "user PIN");
    assert_eq!(lines[3]["blanked"], true);
    assert!(lines[3]["card"].as_str().unwrap().starts_with("ZZVT"));
    for secret in ["363438323139", "3537363231383830"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn a_trace_holds_secrets_only_when_asked_for() {
    let folder = folder();
    let (lines, _) = trace_of_a_session(&folder, &["--trace-secrets"]);
    assert_eq!(lines[3]["command"], "0020008106363438323139");
    assert!(lines[3].get("blanked").is_none());
    expect(&folder, &["serve", "--ephemeral", "--trace-secrets"], 2);
    expect(
        &folder,
        &[
            "serve",
            "--ephemeral",
            "--listen",
            "0",
            "--trace",
            "no/where",
        ],
        7,
    );
}
