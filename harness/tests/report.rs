//! `report` as the owner of devices sees it: what is printed and written, exit codes, and what is on
//! the card afterwards.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "shared/altered.rs"]
mod altered;
#[path = "shared/program.rs"]
mod program;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use hsm2_emulator::card::Card;
use hsm2_emulator::crypto::CardRng;
use hsm2_emulator::identity::Serial;
use hsm2_emulator::profile::NITROKEY_HSM2;
use hsm2_emulator::store::{Change, EphemeralStore, RecordName, RecordValue, Store, StoreError};
use hsm2_harness::apdu::apdu;
use serde_json::Value;

use altered::{Altered, own_certificate_alone, reads_certificates};
use program::{Disturber, Said, harness, run, run_on_card, said};

const PIN: &str = "975310";

/// What a card keeps, and how often it was written.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<(EphemeralStore, usize)>>);

impl Memory {
    fn writes(&self) -> usize {
        self.0.lock().unwrap().1
    }

    fn content(&self) -> BTreeMap<RecordName, RecordValue> {
        self.0.lock().unwrap().0.load().unwrap()
    }
}

impl Store for Memory {
    fn load(&mut self) -> Result<BTreeMap<RecordName, RecordValue>, StoreError> {
        self.0.lock().unwrap().0.load()
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let mut inside = self.0.lock().unwrap();
        inside.1 += 1;
        inside.0.commit(changes)
    }
}

/// A card of an owner: PIN, two slots for key domains, an AES key and a file.
fn owned(memory: &Memory) -> Card {
    let mut card = Card::personalise(
        &NITROKEY_HSM2,
        &Serial::new("OWNED").unwrap(),
        Box::new(memory.clone()),
        Box::new(CardRng::from_seed([3; 32])),
    )
    .unwrap();
    card.power_on();
    let initialize = "80020001 8106393735333130 82083836343230383634 910103 970102";
    for command in [
        hsm2_harness::suite::hand::select(),
        apdu(0x8050_0000).data(hex::decode(initialize.replace(' ', "")).unwrap()),
        apdu(0x0048_01b0).data([0x91, 1, 0x10]),
        apdu(0x00d7_cf01).data([0x54, 2, 0, 0, 0x53, 2, 0x30, 0]),
    ] {
        let response = card.transmit(&command.bytes());
        assert_eq!(response[response.len() - 2..], [0x90, 0x00]);
    }
    card.power_off();
    card
}

/// What is wrong with the owner's card in its reader.
#[derive(Default)]
struct Flaws {
    /// What happens when this instruction comes for the first time.
    disturbed_at: Option<(u8, fn(&Disturber))>,
    /// Its certificate is not one of the virtual root's.
    foreign: bool,
    /// Its EF 2F02 ends after its own certificate.
    alone: bool,
}

/// A report on the owner's card: what the program said, and what the card kept before.
fn report_on(
    memory: &Memory,
    words: &str,
    pin: Option<&str>,
    how: impl FnOnce(&mut Card, &mut Flaws),
) -> (Said, BTreeMap<RecordName, RecordValue>) {
    let mut before = BTreeMap::new();
    let command = report(&format!("--target vpcd:127.0.0.1:0 {words}"), pin);
    let said = run_on_card(command, |disturber| {
        let mut card = owned(memory);
        let mut flaws = Flaws::default();
        how(&mut card, &mut flaws);
        before = memory.content();
        memory.0.lock().unwrap().1 = 0;
        Altered {
            card,
            transmit: move |card: &mut Card, command: &[u8]| {
                if let Some((at, disturb)) = flaws.disturbed_at
                    && command.get(1) == Some(&at)
                {
                    disturb(&disturber);
                    flaws.disturbed_at = None;
                }
                let mut response = card.transmit(command);
                if flaws.foreign && reads_certificates(command) {
                    // The last byte of the issuer's signature.
                    let at = response.len() - 3;
                    response[at] ^= 1;
                }
                if flaws.alone {
                    own_certificate_alone(command, &mut response);
                }
                response
            },
        }
    });
    (said, before)
}

fn report(words: &str, pin: Option<&str>) -> Command {
    let mut command = harness(&format!("report {words}"));
    command.env_remove("HSM2_PIN");
    if let Some(pin) = pin {
        command.env("HSM2_PIN", pin);
    }
    command
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The check of this name.
fn check<'v>(report: &'v Value, name: &str) -> &'v Value {
    let checks = report["checks"].as_array().unwrap();
    let found = checks.iter().find(|check| check["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {checks:?}"))
}

#[test]
fn a_report_on_a_card_of_this_process_in_all_forms() {
    let folder = tempfile::tempdir().unwrap();
    let (data, text) = (folder.path().join("r.json"), folder.path().join("r.md"));
    let words = format!("--json {} --markdown {}", data.display(), text.display());
    let said = said(&report(&words, None).output().unwrap());
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let markdown = std::fs::read_to_string(text).unwrap();
    assert_eq!(said.out.trim_end(), markdown.trim_end());
    for heading in [
        "# virtual device ZZSUITEA",
        "## Certificates",
        "## Key domains",
        "## Objects",
        "## Speed",
        "## Sizes",
        "## Smoke tests",
        "## Known of this firmware",
    ] {
        assert!(markdown.lines().any(|line| line == heading), "{heading}");
    }
    // Whoever waits sees what is done.
    for step in ["certificates", "EC secp521r1", "AES-256", "sizes"] {
        let line = format!("looking at {step}");
        assert!(said.err.lines().any(|one| one == line), "{}", said.err);
    }
    let report = json(&data);
    assert_eq!(report["schema_version"], "2.0");
    assert_eq!(report["device"]["serial"], "ZZSUITEA");
    assert_eq!(report["vouched"]["root"], "virtual");
    assert_eq!(report["vouched"]["possession"]["state"], "proven");
    assert_eq!(check(&report, "top bits of ECDSA nonces")["good"], true);
    assert_eq!(check(&report, "repeated ECDSA nonces")["good"], true);
    assert!(report["issues"].as_array().unwrap().iter().all(|issue| {
        let tag = issue["tag"].as_str().unwrap();
        ["vendor", "recorded", "reported", "inferred"].contains(&tag)
    }));
}

/// What a generation has not is told, and ends nothing.
#[test]
fn every_generation_has_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("r.json");
    for (name, version, refused, data_most) in [
        (
            "smartcard-hsm-1.2",
            "1.2",
            Some("AES-128: make a key"),
            None,
        ),
        (
            "nitrokey-hsm",
            "2.6",
            Some("EC secp521r1: make a key"),
            None,
        ),
        ("nitrokey-hsm2-3.1", "3.1", None, None),
        ("nitrokey-hsm2-4.1", "4.1", None, Some(1440)),
    ] {
        let words = format!("--target embedded:{name} --json {}", data.display());
        let said = said(&report(&words, None).output().unwrap());
        assert_eq!(said.code, Some(0), "{name}: {}{}", said.out, said.err);
        let report = json(&data);
        assert_eq!(report["device"]["version"], version);
        let all = report["refused"].as_array().unwrap();
        let starts = |word: &str| {
            all.iter()
                .any(|one| one.as_str().unwrap().starts_with(word))
        };
        match refused {
            Some(refused) => assert!(starts(refused), "{name}: {all:?}"),
            None => assert!(all.is_empty(), "{name}: {all:?}"),
        }
        if let Some(most) = data_most {
            let limits = report["limits"].as_array().unwrap();
            let limit = limits
                .iter()
                .find(|one| one["what"] == "data of AES-CBC in one command");
            assert_eq!(limit.unwrap()["most_bytes"], most);
        }
    }
}

#[test]
fn without_permission_a_card_is_only_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("r.json");
    let memory = Memory::default();
    let words = format!("--json {}", data.display());
    // A PIN that is there by chance is not used.
    let (said, before) = report_on(&memory, &words, Some(PIN), |_, _| {});
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert_eq!(memory.content(), before, "what the card keeps");
    assert_eq!(memory.writes(), 0, "nothing was written, not even the same");
    let report = json(&data);
    assert_eq!(report["user_pin"], "3 tries left");
    assert_eq!(report["measured"].as_array().unwrap().len(), 2);
    assert_eq!(check(&report, "ECDSA nonces")["good"], Value::Null);
    let key = &report["inventory"]["items"].as_array().unwrap();
    let key = key.iter().find(|item| item["file"] == "CC01").unwrap();
    assert_eq!(key["key"]["kind"], "AES of unknown size");
    assert_eq!(key["key"]["algorithms"], serde_json::json!(["10"]));
    assert!(
        said.out.contains("- ORPHAN CF01: data without"),
        "{}",
        said.out
    );
    assert!(!said.out.contains(PIN) && !said.err.contains(PIN));
}

/// With the widest permission, too, all that was made is gone again.
#[test]
fn test_objects_are_gone_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("r.json");
    for (allow, known) in [("creates", Value::Null), ("wipes", Value::Bool(true))] {
        let memory = Memory::default();
        let words = format!("--allow {allow} --json {}", data.display());
        let (said, before) = report_on(&memory, &words, Some(PIN), |_, _| {});
        assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
        assert!(memory.writes() > 100, "{} writes", memory.writes());
        assert_eq!(memory.content(), before, "{allow}");
        let report = json(&data);
        let top = check(&report, "top bits of ECDSA nonces");
        assert_eq!(top["good"], known, "{top}");
        if known.is_null() {
            let why = top["what"].as_str().unwrap();
            assert!(why.contains("--allow wipes"), "{why}");
        }
        assert_eq!(check(&report, "repeated ECDSA nonces")["good"], true);
    }
}

#[test]
fn a_pin_that_is_missing_or_refused_is_told() {
    let memory = Memory::default();
    let (said, before) = report_on(&memory, "--allow creates", None, |_, _| {});
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains("not presented"), "{}", said.out);
    assert_eq!(memory.content(), before);

    let memory = Memory::default();
    let (said, _) = report_on(&memory, "--allow creates", Some("000000"), |_, _| {});
    assert_eq!(said.code, Some(1), "{}", said.err);
    let line = "- user PIN: BAD: the PIN that was given was refused";
    assert!(said.out.contains(line), "{}", said.out);
    assert!(!said.out.contains("000000"), "{}", said.out);
}

/// What a report must not do is refused before anything reaches the device.
#[test]
fn a_device_must_be_named_for_more_than_looking() {
    let foreign = |_: &mut Card, flaws: &mut Flaws| flaws.foreign = true;
    for (words, hint) in [
        ("--allow creates", "--serial ZZOWNED"),
        ("--allow creates --serial ZZOTHER", "--serial ZZOWNED"),
        ("--allow wipes --serial ZZOWNED", "--lose-keys 1"),
        (
            "--allow wipes --serial ZZOWNED --lose-keys 2",
            "--lose-keys 1",
        ),
    ] {
        let memory = Memory::default();
        let (said, before) = report_on(&memory, words, Some(PIN), foreign);
        assert_eq!(said.code, Some(10), "{words}: {}{}", said.out, said.err);
        assert!(said.err.contains(hint), "{}", said.err);
        assert_eq!((memory.content(), memory.writes()), (before, 0), "{words}");
    }
    // Looked at it is, and found out: nobody whom this program knows signed its certificates.
    let memory = Memory::default();
    let (said, before) = report_on(&memory, "", Some(PIN), foreign);
    assert_eq!(said.code, Some(21), "{}{}", said.out, said.err);
    assert!(said.out.contains("DOES NOT VERIFY"), "{}", said.out);
    assert_eq!((memory.content(), memory.writes()), (before, 0));
}

/// The last two tries of a device's PIN are never risked, and the rest of the report is there.
#[test]
fn a_device_whose_pin_was_mistyped_keeps_its_tries() {
    let memory = Memory::default();
    let words = "--allow creates --serial ZZOWNED";
    let (said, before) = report_on(&memory, words, Some(PIN), |card, flaws| {
        flaws.foreign = true;
        card.power_on();
        for command in [
            hsm2_harness::suite::hand::select(),
            apdu(0x0020_0081).data("000000"),
        ] {
            card.transmit(&command.bytes());
        }
        card.power_off();
    });
    assert_eq!(said.code, Some(21), "{}{}", said.out, said.err);
    assert!(
        said.out.contains("- User PIN: 2 tries left"),
        "{}",
        said.out
    );
    let line = "- user PIN: left out: the PIN was not presented: ";
    assert!(said.out.contains(line), "{}", said.out);
    assert_eq!((memory.content(), memory.writes()), (before, 0));
}

/// Nobody can be asked who vouches for it, and everything else is looked at and measured.
#[test]
fn an_old_device_holds_its_own_certificate_alone() {
    let memory = Memory::default();
    let alone = |_: &mut Card, flaws: &mut Flaws| flaws.alone = true;
    let words = "--allow creates --serial ZZOWNED";
    let (said, before) = report_on(&memory, words, Some(PIN), alone);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    for line in [
        "by ZZVIRTISSU00001: not verified, as its issuer's certificate is not there",
        "- Verdict: cannot be judged here",
        "- FINDING: ZZVIRTISSU00001 signed the device's certificate and is not on the device",
        "| EC secp256r1: sign | 20 |",
        "## Sizes",
    ] {
        assert!(said.out.contains(line), "{line}: {}", said.out);
    }
    assert!(!said.out.contains("BAD"), "{}", said.out);
    assert_eq!(memory.content(), before);
}

/// On a device that somebody uses the guard lets all of it through, and nothing is left.
#[test]
fn a_named_device_is_measured_behind_the_guard() {
    for words in [
        "--allow creates --serial ZZOWNED",
        "--allow wipes --serial ZZOWNED --lose-keys 1",
    ] {
        let memory = Memory::default();
        let foreign = |_: &mut Card, flaws: &mut Flaws| flaws.foreign = true;
        let (said, before) = report_on(&memory, words, Some(PIN), foreign);
        // Only its certificates are wrong.
        assert_eq!(said.code, Some(21), "{}{}", said.out, said.err);
        assert!(
            said.out.contains("| EC secp256r1: sign | 20 |"),
            "{}",
            said.out
        );
        assert!(!said.out.contains("BAD"), "{}", said.out);
        let known = said.out.contains("- top bits of ECDSA nonces: good");
        assert_eq!(known, words.contains("wipes"), "{}", said.out);
        assert_eq!(memory.content(), before, "{words}");
    }
}

/// Ctrl-C while a test key is made: the key is deleted before the program ends.
#[test]
fn a_report_that_is_interrupted_leaves_nothing() {
    for words in [
        "--allow creates --serial ZZOWNED",
        "--allow wipes --serial ZZOWNED --lose-keys 1",
    ] {
        let memory = Memory::default();
        let (said, before) = report_on(&memory, words, Some(PIN), |_, flaws| {
            flaws.foreign = true;
            flaws.disturbed_at = Some((0x46, |it| it.signal("INT")));
        });
        assert_eq!(said.code, Some(18), "{words}: {}{}", said.out, said.err);
        let told = "stopping after the test that runs";
        assert!(said.err.contains(told), "{}", said.err);
        let end = "error: interrupted by a signal\n";
        assert!(said.err.ends_with(end), "{}", said.err);
        assert!(memory.writes() > 0, "a key was made");
        assert_eq!(memory.content(), before, "{words}");
    }
}

#[test]
fn a_card_that_is_pulled_out_leaves_its_test_objects_told() {
    let memory = Memory::default();
    let (said, before) = report_on(&memory, "--allow creates", Some(PIN), |_, flaws| {
        // At the first write to the test file. Some more may come before the reader notices.
        flaws.disturbed_at = Some((0xd7, Disturber::pull));
    });
    assert_eq!(said.code, Some(11), "{}{}", said.out, said.err);
    let told = "these may still be on the device: CFFE";
    assert!(said.err.contains(told), "{}", said.err);
    assert_ne!(memory.content(), before, "they are");
}

#[test]
fn mistakes_have_exit_codes() {
    assert_eq!(run("report --target nowhere").code, Some(2));
    assert_eq!(run("report --rsa many").code, Some(2));
    assert_eq!(run("report --json /no/such/folder/r.json").code, Some(7));
}
