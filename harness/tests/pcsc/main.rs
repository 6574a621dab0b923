//! The harness with cards in readers of a real pcscd.
//!
//! The rig is that of the emulator's own PC/SC tests: a pcscd of the test's own in a private network
//! and mount namespace. Here it has four readers, and the cards are served by this process.
//!
//! Where something is missing every test is reported as ignored, by name;
//! `HSM2_PCSC_TESTS=required` turns that into failures.

mod material;
#[path = "../../../emulator/tests/pcsc/namespace.rs"]
mod namespace;
#[expect(dead_code, reason = "shared with tests that need more of it")]
#[path = "../../../emulator/tests/pcsc/pcscd.rs"]
mod pcscd;
#[path = "../../../emulator/tests/pcsc/prerequisites.rs"]
mod prerequisites;
mod readers;
#[expect(dead_code, reason = "shared with tests that need more of it")]
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

const TESTS: [Test; 5] = [
    ("drill::xkek_with_three_cards_in_readers", xkek),
    (
        "material::sc_hsm_tool_takes_ours",
        material::sc_hsm_tool_takes_ours,
    ),
    (
        "material::we_take_sc_hsm_tools",
        material::we_take_sc_hsm_tools,
    ),
    ("errors::name_the_reader_and_what_is_there", wrong_reader),
    ("errors::no_service", no_service),
];

const A: &str = "Virtual PCD 00 00";
const B: &str = "Virtual PCD 00 01";
const C: &str = "Virtual PCD B 00 00";

fn drill(name: &str, readers: &[&str]) -> Tool {
    let cards = readers.iter().map(|reader| format!("pcsc:{reader}"));
    Tool::new(HARNESS)
        .words("drill")
        .arg(name)
        .arg("--cards")
        .args(cards)
}

fn xkek() {
    let _readers = Readers::with_cards(3);
    drill("xkek", &[A, B, C])
        .ok()
        .has("card in reader \"Virtual PCD B 00 00\"")
        .has("DERIVE XKEK");
    // The second run proves that the first left the readers usable.
    drill("xkek", &[C, A, B]).ok().has("DERIVE XKEK");
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
