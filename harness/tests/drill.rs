//! The command `drill` as an administrator and a script see it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper that fails fails its test"
)]

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Output};
use std::thread::JoinHandle;

use hsm2_emulator::card::Card;
use hsm2_emulator::crypto::{CardRng, Curve, EcPrivateKey};
use hsm2_emulator::identity::Device;
use hsm2_emulator::profile::NITROKEY_HSM2;
use hsm2_emulator::store::EphemeralStore;
use hsm2_emulator::transport::{Endpoint, Stopper, Timing, serve};
use serde_json::Value;

fn drill(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hsm2-harness"));
    command.arg("drill").args(words).output().unwrap()
}

fn told(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{error}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Exit code and message of a drill that does not come to its end.
fn refused(words: &[&str]) -> (i32, String) {
    let output = drill(words);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!message.contains("panicked"), "{message}");
    (output.status.code().unwrap(), message)
}

#[test]
fn the_page_that_it_writes_is_the_one_in_the_repository() {
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("xkek.md");
    // An older page is replaced.
    std::fs::write(&page, "old").unwrap();
    let text = told(&drill(&["xkek", "--markdown", page.to_str().unwrap()]));
    for words in [
        "Card A: virtual card DRILLA",
        "8. Clear the KEK",
        "For a real ceremony",
    ] {
        assert!(text.contains(words), "{text}");
    }
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ceremonies/xkek.md");
    let (written, kept) = (std::fs::read(&page).unwrap(), std::fs::read(kept).unwrap());
    assert!(written == kept, "docs/ceremonies/xkek.md is stale");

    let nowhere = directory.path().join("absent").join("xkek.md");
    let (code, message) = refused(&["custodian-leaves", "--markdown", nowhere.to_str().unwrap()]);
    assert_eq!(code, 7, "{message}");
}

#[test]
fn json_is_the_whole_output() {
    let account: Value = serde_json::from_str(&told(&drill(&["new-dkek", "--json"]))).unwrap();
    let entries = account["entries"].as_array().unwrap();
    let of = |kind: &str| {
        entries
            .iter()
            .filter(|entry| entry["entry"] == kind)
            .count()
    };
    assert_eq!(
        (of("step"), of("holds"), of("comparison"), of("meaning")),
        (5, 5, 1, 1)
    );
    let table = entries
        .iter()
        .find(|entry| entry["entry"] == "comparison")
        .unwrap();
    assert_eq!(table["rows"].as_array().unwrap().len(), 4);
}

#[test]
fn each_fault_has_its_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("short"), "3537\n").unwrap();
    let cases: &[(i32, &[&str], &str)] = &[
        (2, &["wedding"], "xkek"),
        (2, &["xkek", "--cards", "usb"], "vpcd:HOST:PORT"),
        (2, &["xkek", "--cards"], "--cards"),
        (7, &["xkek", "--so-pin-file", &path("absent")], "absent"),
        (
            3,
            &["xkek", "--so-pin-file", &path("short")],
            "16 hexadecimal digits",
        ),
        (
            10,
            &["xkek", "--cards", "pcsc:A"],
            "needs 2 cards, there are 1",
        ),
        (
            10,
            &["pka", "--cards", "pcsc:A", "pcsc:B"],
            "needs 4 cards, there are 2",
        ),
    ];
    for (expected, words, part) in cases {
        let (code, message) = refused(words);
        assert_eq!(code, *expected, "{words:?}: {message}");
        assert!(message.contains(part), "{words:?}: {message}");
    }
}

#[cfg(not(feature = "pcsc"))]
#[test]
fn without_pcsc_it_says_what_to_run_instead() {
    let (code, message) = refused(&["xkek", "--cards", "pcsc:Virtual PCD 00 00", "pcsc:B"]);
    assert_eq!(code, 10);
    let command = "cargo run --release -p hsm2-harness --features pcsc -- drill xkek --cards \
                   'pcsc:Virtual PCD 00 00' pcsc:B";
    assert!(message.contains(command), "{message}");
}

/// Two cards below a root of the test vectors, which look like devices of somebody's to the harness.
/// They connect to its address again and again.
struct Devices {
    stopper: Stopper,
    threads: Vec<JoinHandle<()>>,
    place: String,
}

impl Devices {
    fn start() -> Self {
        let file = include_str!("../../vectors/xkek.json");
        let vectors: Value = serde_json::from_str(file).unwrap();
        // The port is free again when the harness listens there.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        drop(listener);
        let (stopper, stop) = Stopper::new();
        let threads = ["A", "B"].map(|name| {
            let bytes = |value: &Value| hex::decode(value.as_str().unwrap()).unwrap();
            let key = bytes(&vectors["private_keys"][format!("device_{name}")]);
            let key = EcPrivateKey::from_bytes(Curve::BrainpoolP256r1, &key).unwrap();
            let certificates = bytes(&vectors[format!("ef_2F02_{name}")]);
            let device = Device::from_parts(NITROKEY_HSM2.name, &certificates, key).unwrap();
            let stop = stop.clone();
            std::thread::spawn(move || {
                let store = Box::new(EphemeralStore::default());
                let rng = Box::new(CardRng::from_seed([7; 32]));
                let mut card = Card::with_identity(device, store, rng).unwrap();
                let endpoint = Endpoint::Connect(vec![address]);
                serve(&mut card, endpoint, Timing::default(), stop, &|_| {}).unwrap();
            })
        });
        Self {
            stopper,
            threads: threads.into(),
            place: format!("vpcd:{address}"),
        }
    }
}

impl Drop for Devices {
    fn drop(&mut self) {
        self.stopper.stop();
        for thread in self.threads.drain(..) {
            // One that panicked has failed its test already.
            drop(thread.join());
        }
    }
}

#[test]
fn a_device_is_erased_only_when_named_and_no_try_of_its_so_pin_is_spent() {
    let directory = tempfile::tempdir().unwrap();
    let so_pin = |name: &str, digits: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, digits).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let right = so_pin("right", "3537363231383830\n");
    let wrong = so_pin("wrong", "0000000000000000\n");
    let devices = Devices::start();
    let leaves = ["custodian-leaves", "--cards", &devices.place];
    let named = ["--wipe", "ZZTSTAAAA", "--wipe", "ZZTSTBBBB"];

    let (code, message) = refused(&leaves);
    assert_eq!(code, 10, "{message}");
    assert!(
        message.contains("no virtual card") && message.contains("--wipe ZZTST"),
        "{message}"
    );
    let (code, message) = refused(&[&leaves[..], &named[..2]].concat());
    assert_eq!(code, 10, "{message}");
    let (code, message) = refused(&[&leaves[..], &named].concat());
    assert_eq!(code, 10, "{message}");
    assert!(message.contains("--so-pin-file"), "{message}");

    let with = |file: &str| {
        [&leaves[..], &named, &["--so-pin-file", file]]
            .concat()
            .join(" ")
    };
    let run = |line: String| drill(&line.split(' ').collect::<Vec<_>>());
    // The first setup of a device takes any SO-PIN.
    told(&run(with(&right)));
    let output = run(with(&wrong));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(9), "{message}");
    assert!(
        message.contains("INITIALIZE DEVICE answered 63CE"),
        "{message}"
    );
    // One try is gone, by a wrong file; the next run puts none more at risk.
    let output = run(with(&right));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(10), "{message}");
    assert!(message.contains("does not have all 15 tries"), "{message}");
}
