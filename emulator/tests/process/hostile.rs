//! `serve --script` and `serve --mutate` through the socket.

use std::path::Path;
use std::process::Output;

use crate::support::{Reader, Served, command};

const CHALLENGE: &[u8] = &[0x00, 0x84, 0x00, 0x00, 0x08];
const CERTIFICATES: &[u8] = &[0x00, 0xB1, 0x2F, 0x02, 0x04, 0x54, 0x02, 0x00, 0x00, 0x00];

fn served(script: &str) -> (Served, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("script.json");
    std::fs::write(&path, script).unwrap();
    let served = Served::start(&[
        "--ephemeral",
        "--listen",
        "127.0.0.1:0",
        "--script",
        path.to_str().unwrap(),
    ]);
    (served, folder)
}

fn connected(served: &Served) -> Reader {
    let mut reader = served.reader(0);
    reader.select();
    reader
}

#[test]
fn silence_is_no_frame_and_the_card_goes_on() {
    let (served, _folder) =
        served(r#"[{"on": {"name": "GET CHALLENGE", "nth": 1}, "do": ["silence"]}]"#);
    let mut reader = connected(&served);
    reader.send(CHALLENGE);
    // The next answer that comes is that of the next command.
    assert_eq!(reader.ask(&[0x00, 0x20, 0x01]), [0x67, 0x00]);
    assert_eq!(reader.ask(CHALLENGE).len(), 10);
    drop(reader);
    served.stop();
}

#[test]
fn a_removed_card_hangs_up_and_comes_back() {
    let (served, _folder) =
        served(r#"[{"on": {"name": "GET CHALLENGE", "nth": 2}, "do": ["remove"]}]"#);
    let mut reader = connected(&served);
    assert_eq!(reader.ask(CHALLENGE).len(), 10);
    assert_eq!(reader.try_ask(CHALLENGE), None);
    let mut reader = connected(&served);
    assert_eq!(reader.ask(CHALLENGE).len(), 10);
    drop(reader);
    served.stop();
}

#[test]
fn the_same_seeds_make_the_same_bytes() {
    let run = |mutate: &str| {
        let arguments = [
            "--ephemeral",
            "--listen",
            "127.0.0.1:0",
            "--seed",
            "01",
            "--mutate",
            mutate,
            "--mutate-rate",
            "50",
        ];
        let served = Served::start(&arguments);
        let mut reader = served.reader(0);
        reader.send(&[0x01]);
        let select = [
            0x00, 0xA4, 0x04, 0x00, 11, 0xE8, 0x2B, 6, 1, 4, 1, 0x81, 0xC3, 0x1F, 2, 1, 0,
        ];
        let mut answers = vec![reader.ask(&select)];
        for _ in 0..40 {
            answers.push(reader.ask(CERTIFICATES));
            answers.push(reader.ask(CHALLENGE));
        }
        drop(reader);
        served.stop();
        answers
    };
    let first = run("2A");
    assert_eq!(first, run("2A"));
    assert_ne!(first, run("2B"));
}

const SPOILED: &str = r#"[
    {"on": {"name": "GET CHALLENGE", "nth": 2}, "do": ["silence"]},
    {"on": {"name": "GET CHALLENGE", "nth": 3}, "do": ["remove"]},
    {"on": {"name": "GET CHALLENGE", "nth": 4}, "do": [{"nest": 3}, {"status": "6282"}]},
    {"on": {"name": "VERIFY", "nth": 2}, "do": [{"power_loss": 1}]}
]"#;

/// A folder with an initialised card, a script, and a trace of a run that met all of it.
fn recorded(secrets: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("script"), SPOILED).unwrap();
    let made = command()
        .args(["card", "create", &at("card"), "--serial", "VT0000007"])
        .output()
        .unwrap();
    assert!(made.status.success());
    std::fs::copy(at("card"), at("card-before")).unwrap();

    let mut arguments = arguments(folder.path(), "card", "first", "2A");
    if secrets {
        arguments.push("--trace-secrets".into());
    }
    arguments.extend(["--listen", "127.0.0.1:0"].map(String::from));
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let served = Served::start(&arguments);
    let mut reader = served.reader(0);
    reader.send(&[0x01]);
    // The mutator may spoil these too.
    reader.ask(crate::support::SELECT);
    reader.ask(b"\x80\x50\x00\x00\x12\x81\x06648219\x82\x0857621880");
    reader.ask(CHALLENGE);
    reader.send(&[0x02]);
    reader.ask(crate::support::SELECT);
    reader.send(CHALLENGE);
    for _ in 0..20 {
        reader.ask(CERTIFICATES);
    }
    assert_eq!(reader.try_ask(CHALLENGE), None, "removed");
    let mut reader = served.reader(0);
    for payload in [&[0x01][..], &[0x00], &[0x01]] {
        reader.send(payload);
    }
    reader.ask(crate::support::SELECT);
    reader.ask(CHALLENGE);
    reader.ask(b"\x00\x20\x00\x81\x06000000");
    assert_eq!(reader.try_ask(b"\x00\x20\x00\x81\x06648219"), None, "cut");
    let mut reader = served.reader(0);
    reader.send(&[0x01]);
    reader.ask(crate::support::SELECT);
    reader.ask(&[0x00, 0x20, 0x00, 0x81]);
    drop(reader);
    served.stop();
    folder
}

fn arguments(folder: &Path, card: &str, trace: &str, mutate: &str) -> Vec<String> {
    let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (card, script, trace) = (at(card), at("script"), at(trace));
    [
        ["--card", &card],
        ["--script", &script],
        ["--trace", &trace],
        ["--seed", "01"],
        ["--mutate", mutate],
        ["--mutate-rate", "40"],
    ]
    .concat()
    .into_iter()
    .map(String::from)
    .collect()
}

fn replay(folder: &Path, card: &str, mutate: &str) -> Output {
    command()
        .arg("serve")
        .args(arguments(folder, card, "second", mutate))
        .args(["--trace-secrets", "--replay"])
        .arg(folder.join("first"))
        .output()
        .unwrap()
}

/// The lines of a trace without what no two runs have in common.
fn timeless(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        let fields = line.as_object_mut().unwrap();
        fields.remove("time");
        fields.remove("micros");
        line
    });
    lines.collect()
}

#[test]
fn a_run_is_replayed_exactly_from_its_seeds_and_trace() {
    let folder = recorded(true);
    let folder = folder.path();
    std::fs::copy(folder.join("card-before"), folder.join("card-again")).unwrap();
    let output = replay(folder, "card-again", "2A");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let first = timeless(&folder.join("first"));
    assert_eq!(first, timeless(&folder.join("second")));
    let commands = first.iter().filter(|line| line["command"].is_string());
    let summary = format!("{} commands, every answer the same", commands.count());
    assert!(said.contains(&summary), "{said}");
    // It was worth replaying: what the reader got stands there, and nothing where it got nothing.
    let events: Vec<_> = first
        .iter()
        .filter_map(|line| line["event"].as_str())
        .collect();
    for event in ["power on", "power off", "reset", "silence", "removal"] {
        assert!(events.contains(&event), "{event}: {events:?}");
    }
    let unheard = first.windows(2).filter(|two| {
        let interrupted = matches!(two[1]["event"].as_str(), Some("silence" | "removal"));
        assert_eq!(
            interrupted,
            two[0]["command"].is_string() && two[0]["response"].is_null()
        );
        interrupted
    });
    assert_eq!(unheard.count(), 3);

    // Another seed of the mutator, and the card as it is afterwards, are noticed.
    std::fs::copy(folder.join("card-before"), folder.join("card-again")).unwrap();
    for (card, mutate) in [("card-again", "2B"), ("card", "2A")] {
        let output = replay(folder, card, mutate);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(9), "{said}");
        assert!(
            said.contains("line ") && said.contains("the card answered"),
            "{said}"
        );
    }
}

#[test]
fn a_trace_without_its_secrets_is_not_replayed() {
    let folder = recorded(false);
    let output = replay(folder.path(), "card-before", "2A");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("record with --trace-secrets"), "{said}");
}

#[test]
fn a_damaged_trace_is_named_without_its_secrets() {
    let folder = recorded(true);
    let trace = std::fs::read_to_string(folder.path().join("first")).unwrap();
    let verify = hex::encode_upper(b"\x00\x20\x00\x81\x06000000");
    assert!(trace.contains(&verify));
    // Its last digit is lost.
    let cut = &verify[..verify.len() - 1];
    std::fs::write(folder.path().join("first"), trace.replace(&verify, cut)).unwrap();
    std::fs::copy(
        folder.path().join("card-before"),
        folder.path().join("card-again"),
    )
    .unwrap();
    let output = replay(folder.path(), "card-again", "2A");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("the command is not hexadecimal: Odd number of digits"),
        "{said}"
    );
    assert!(!said.contains(cut), "{said}");
}
