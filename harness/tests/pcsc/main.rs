//! The harness with cards in readers of a real pcscd.
//!
//! The rig is that of the emulator's own PC/SC tests: a pcscd of the test's own in a private network
//! and mount namespace. Here it has four readers, and the cards are served by this process.
//!
//! Where something is missing every test is reported as ignored, by name;
//! `HSM2_PCSC_TESTS=required` turns that into failures.

mod attestation;
mod custodians;
mod material;
#[path = "../../../emulator/tests/pcsc/namespace.rs"]
mod namespace;
#[expect(dead_code, reason = "shared with tests that need more of it")]
#[path = "../../../emulator/tests/pcsc/pcscd.rs"]
mod pcscd;
#[path = "../../../emulator/tests/pcsc/prerequisites.rs"]
mod prerequisites;
mod readers;
#[path = "../../../emulator/tests/pcsc/tool.rs"]
mod tool;

use libtest_mimic::{Arguments, Trial};
use namespace::Fence;
use readers::Readers;
use std::process::ExitCode;
use tool::Tool;

const HARNESS: &str = env!("CARGO_BIN_EXE_hsm2-harness");

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // One pcscd at a time: the socket and the ports are fixed.
    arguments.test_threads = Some(1);

    let mut missing = prerequisites::missing();
    if missing.is_empty() && !arguments.list && !namespace::entered() {
        match Fence::find() {
            Ok(fence) => return fence.enter(),
            Err(reason) => missing.push(reason),
        }
    }
    let required = namespace::tests_are_required();
    if !missing.is_empty() && !required && !arguments.list {
        eprintln!("PC/SC tests are ignored: {}", missing.join("; "));
    }
    let trials = TESTS.iter().map(|(name, body)| {
        let missing = missing.clone();
        let ignored = !missing.is_empty() && !required;
        Trial::test(*name, move || {
            if !missing.is_empty() {
                return Err(format!("cannot run: {}", missing.join("; ")).into());
            }
            body();
            Ok(())
        })
        .with_ignored_flag(ignored)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Name and body; a body panics when it fails.
type Test = (&'static str, fn());

const TESTS: &[Test] = &[
    ("drill::all_with_cards_in_readers", drills),
    (
        "material::sc_hsm_tool_takes_ours",
        material::sc_hsm_tool_takes_ours,
    ),
    (
        "material::we_take_sc_hsm_tools",
        material::we_take_sc_hsm_tools,
    ),
    (
        "custodians::sc_hsm_tool_registers_and_we_open",
        custodians::sc_hsm_tool_registers_and_we_open,
    ),
    ("attest::card_in_a_reader", attestation::card_in_a_reader),
    ("errors::name_the_reader_and_what_is_there", wrong_reader),
    ("errors::no_service", no_service),
    ("errors::each_has_its_exit_code", exit_codes),
    ("errors::card_removed_in_mid_run", card_removed),
    (
        "errors::card_removed_while_it_is_reset",
        card_removed_at_reset,
    ),
    ("errors::service_stopped_in_mid_run", service_stopped),
    ("run::same_results_as_in_process", same_results),
];

const A: &str = "Virtual PCD 00 00";
const B: &str = "Virtual PCD 00 01";
const C: &str = "Virtual PCD B 00 00";
const D: &str = "Virtual PCD B 00 01";

fn drill(name: &str, readers: &[&str]) -> Tool {
    let cards = readers.iter().map(|reader| format!("pcsc:{reader}"));
    Tool::new(HARNESS)
        .words("drill")
        .arg(name)
        .arg("--cards")
        .args(cards)
}

/// Each drill on one set of cards: every run proves that the one before left the readers usable.
fn drills() {
    const STAND_IN: &str = "A virtual card in this program plays C";
    let _readers = Readers::with_cards(4);
    drill("xkek", &[A, B])
        .ok()
        .has("card in reader \"Virtual PCD 00 01\"")
        .has("DERIVE XKEK")
        .has(STAND_IN);
    drill("xkek", &[C, A, B])
        .ok()
        .has("card in reader \"Virtual PCD B 00 00\"")
        .has("DERIVE XKEK")
        .lacks(STAND_IN);
    drill("custodians-lost", &[B, A]).ok().has(STAND_IN);
    for name in ["custodian-leaves", "new-dkek", "restore"] {
        drill(name, &[A, B]).ok().has("For a real ceremony");
    }
    drill("pka", &[A, B, C, D]).ok().has("PKA replace");
}

fn wrong_reader() {
    let _readers = Readers::with_cards(1);
    drill("new-dkek", &[A, "Virtual PCD 09"])
        .fails()
        .has("there is no reader \"Virtual PCD 09")
        .has("connected: \"Virtual PCD 00 00");
    drill("new-dkek", &["Virtual PCD", B])
        .fails()
        .has("there is no reader \"Virtual PCD\"");
    drill("new-dkek", &[A, B])
        .fails()
        .has("there is no card in reader \"Virtual PCD 00 01\"");
    drill("new-dkek", &[A, A]).fails().has("another program");
    drill("new-dkek", &[A]).fails().has("needs 2 cards");
}

fn no_service() {
    drill("new-dkek", &[A, B]).fails().has("is pcscd running?");
}

/// How each scenario of a report of `run --json` ended: id, verdict, start.
fn verdicts(path: &std::path::Path) -> Vec<[String; 3]> {
    let text = std::fs::read_to_string(path).expect("a report");
    let report: serde_json::Value = serde_json::from_str(&text).expect("a report in JSON");
    let results = report.get("results").and_then(|all| all.as_array());
    results
        .expect("results")
        .iter()
        .map(|entry| {
            ["id", "verdict", "start"].map(|name| {
                let word = entry.get(name).and_then(|word| word.as_str());
                word.expect("a word").to_owned()
            })
        })
        .collect()
}

/// The exit code of a run on a reader, and what it said.
fn run_on(reader: &str) -> (Option<i32>, String) {
    let output = std::process::Command::new("timeout")
        .args(["--kill-after=5", "120", HARNESS, "run", "--quiet"])
        .arg(format!("--target=pcsc:{reader}"))
        .output()
        .expect("coreutils' timeout starts");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// What is missing has its own exit code each, and is never green.
fn exit_codes() {
    let (code, said) = run_on(A);
    assert_eq!(code, Some(14), "{said}");
    let _readers = Readers::with_cards(0);
    let (code, said) = run_on(A);
    assert_eq!(code, Some(13), "{said}");
    let (code, said) = run_on("Nowhere");
    assert_eq!(code, Some(12), "{said}");
}

/// Does something to the readers once scenarios are under way; gives the end of the run.
fn disturbed(disturb: impl FnOnce(&mut Readers)) -> (Option<i32>, String) {
    let mut readers = Readers::with_cards(1);
    std::thread::scope(|scope| {
        let run = scope.spawn(|| run_on(A));
        readers.await_commands(300);
        disturb(&mut readers);
        run.join().expect("the run ends")
    })
}

/// A run whose card is gone says so, wherever it was.
fn removed(remove: impl FnOnce(&mut Readers)) {
    let (code, said) = disturbed(remove);
    assert_eq!(code, Some(11), "{said}");
    assert!(said.contains("the card was removed from reader"), "{said}");
    assert!(said.contains("not run"), "{said}");
}

fn card_removed() {
    removed(Readers::remove_cards);
}

fn card_removed_at_reset() {
    removed(Readers::remove_cards_at_reset);
}

fn service_stopped() {
    let (code, said) = disturbed(Readers::stop_service);
    assert_eq!(code, Some(14), "{said}");
    assert!(said.contains("not run"), "{said}");
}

/// The whole suite through pcscd ends as on cards of the process, but for scenarios that need a
/// card fresh from the factory, which no reader can make.
fn same_results() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (made, read) = (directory.path().join("made"), directory.path().join("read"));
    Tool::new(HARNESS)
        .words("run --quiet --json")
        .arg(&made)
        .ok();
    let _readers = Readers::with_cards(1);
    Tool::new(HARNESS)
        .words("run --quiet --target")
        .arg(format!("pcsc:{A}"))
        .arg("--json")
        .arg(&read)
        .ok();
    let (made, read) = (verdicts(&made), verdicts(&read));
    assert!(made.len() > 40, "{} scenarios", made.len());
    assert_eq!(made.len(), read.len());
    for (made, read) in made.iter().zip(&read) {
        let [id, verdict, start] = made;
        // A card fresh from the factory is what no reader can make, and nothing else is.
        let expected = if start == "virgin" { "skip" } else { verdict };
        assert_eq!(read, &[id.clone(), expected.into(), start.clone()]);
    }
}
