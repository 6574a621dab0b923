//! Initialisation, the DKEK and the way of a key from one card to another.

use crate::openssl::{self, Hash};
use crate::pkcs11::Module;
use crate::rig::{Rig, USER_PIN};
use crate::tool::Outcome;
use crate::{Body, add};
use std::thread;

pub(crate) fn tests(all: &mut Vec<(String, Body)>) {
    add(all, "sc_hsm_tool::virgin_card_says_so", virgin_card_says_so);
    add(
        all,
        "sc_hsm_tool::initialize_sets_pin_label_and_tries",
        initialize_sets_everything,
    );
    add(
        all,
        "sc_hsm_tool::initialize_without_dkek",
        initialize_without_dkek,
    );
    add(
        all,
        "sc_hsm_tool::wrong_so_pin_costs_a_try_and_erases_nothing",
        wrong_so_pin,
    );
    add(
        all,
        "sc_hsm_tool::initialize_erases_keys",
        initialize_erases_keys,
    );
    add(
        all,
        "sc_hsm_tool::two_custodians_move_keys_to_another_card",
        move_keys,
    );
    add(
        all,
        "sc_hsm_tool::another_dkek_does_not_open_a_wrapped_key",
        another_dkek,
    );
}

fn virgin_card_says_so() {
    let rig = Rig::with_cards(1);
    rig.sc_hsm_tool(0)
        .ok()
        .has("Version              : 3.6")
        .has("SmartCard-HSM has never been initialized. Please use --initialize to set SO-PIN and user PIN.");
}

fn initialize_sets_everything() {
    let rig = Rig::with_cards(1);
    rig.initialize(
        0,
        &[
            "--label",
            "Crypto Desk",
            "--dkek-shares",
            "2",
            "--pin-retry",
            "2",
        ],
    );
    rig.sc_hsm_tool(0)
        .ok()
        .has("User PIN reset with SO-PIN enabled")
        .has("SO-PIN tries left    : 15")
        .has("User PIN tries left  : 2")
        .has("DKEK shares          : 2")
        .has("DKEK import pending, 2 share(s) still missing");
    Module::reader(0)
        .tool()
        .arg("--list-token-slots")
        .ok()
        .has("Crypto Desk");
}

fn initialize_without_dkek() {
    let rig = Rig::with_initialized_card();
    rig.sc_hsm_tool(0)
        .ok()
        .has("User PIN tries left  : 3")
        .lacks("DKEK");
    rig.sc_hsm_tool(0)
        .words(&format!(
            "--wrap-key key.bin --key-reference 1 --pin {USER_PIN}"
        ))
        .fails();
}

fn wrong_so_pin() {
    let rig = Rig::with_initialized_card();
    let module = Module::reader(0);
    module.generate("EC:secp256r1", 1);
    // The tool ends with success although the card refuses; its words and the card's state tell.
    rig.sc_hsm_tool(0)
        .words("--initialize --so-pin 0000000000000000 --pin 111111")
        .run()
        .has(
            "sc_card_ctl(*, SC_CARDCTL_SC_HSM_INITIALIZE, *) failed with PIN code or key incorrect",
        );
    rig.sc_hsm_tool(0)
        .ok()
        .has("SO-PIN tries left    : 14")
        .has("User PIN tries left  : 3");
    module
        .login()
        .words("--list-objects --type privkey")
        .ok()
        .has("Private Key Object");
    // The right SO-PIN restores the tries.
    rig.initialize(0, &[]);
    rig.sc_hsm_tool(0).ok().has("SO-PIN tries left    : 15");
}

fn initialize_erases_keys() {
    let rig = Rig::with_initialized_card();
    let module = Module::reader(0);
    let serial = module.serial();
    module.generate("EC:secp256r1", 1);
    rig.initialize(0, &[]);
    module
        .login()
        .arg("--list-objects")
        .ok()
        .lacks("Private Key Object");
    assert_eq!(module.serial(), serial, "the device keeps its identity");
}

const PASSWORD: &str = "correct-horse";

/// The password shares as `sc-hsm-tool` prints them.
struct PasswordShares {
    prime: String,
    /// Share id and value.
    shares: Vec<(String, String)>,
}

/// Two shares, one of them under a password that three people hold and two suffice to restore;
/// both cards get the same DKEK, and an RSA and an EC key travel from one card to the other.
fn move_keys() {
    let rig = Rig::with_cards(2);
    for reader in [0, 1] {
        rig.initialize(reader, &["--dkek-shares", "2"]);
    }
    // Each of these derives a key with 30 million rounds of MD5, on the host: both readers at once.
    let (_, shared) = side_by_side(
        || {
            rig.sc_hsm_tool(0)
                .words(&format!(
                    "--create-dkek-share one.pbe --password {PASSWORD}"
                ))
                .ok()
        },
        || create_share_with_password_shares(&rig, 1, "two.pbe"),
    );
    let import = |reader| {
        rig.sc_hsm_tool(reader)
            .words(&format!(
                "--import-dkek-share one.pbe --password {PASSWORD}"
            ))
            .ok()
            .has("DKEK import pending, 1 share(s) still missing");
        import_share_with_password_shares(&rig, reader, "two.pbe", &shared)
            .field("DKEK key check value :")
    };
    let check_values = side_by_side(|| import(0), || import(1));
    assert_eq!(check_values.0, check_values.1, "one DKEK on both cards");
    assert_eq!(check_values.0.len(), 16, "{check_values:?}");

    let (source, target) = (Module::reader(0), Module::reader(1));
    for (key, kind) in [
        (1, "rsa:2048"),
        (2, "EC:brainpoolP256r1"),
        (3, "EC:secp521r1"),
        (4, "rsa:4096"),
    ] {
        source.generate(kind, key);
        let public = source.public_key(&rig, key);
        let reference = key.to_string();
        rig.sc_hsm_tool(0)
            .words(&format!(
                "--wrap-key key.bin --key-reference {reference} --pin {USER_PIN}"
            ))
            .ok();
        rig.sc_hsm_tool(1)
            .words(&format!(
                "--unwrap-key key.bin --key-reference {reference} --pin {USER_PIN}"
            ))
            .ok()
            .has("Key successfully imported");
        let message = rig.file("message", b"carried from card to card");
        let mechanism = if kind.starts_with("rsa") {
            "SHA256-RSA-PKCS"
        } else {
            "ECDSA-SHA256"
        };
        let signature = target.sign(&rig, key, mechanism, &message, &[]);
        openssl::verify_message(&public, Hash::Sha256, &[], &message, &signature);
    }
}

/// A key wrapped under one DKEK is refused by a card that has another, and leaves nothing behind.
fn another_dkek() {
    let rig = Rig::with_cards(2);
    for reader in [0, 1] {
        // Zero shares: each card makes a DKEK of its own.
        rig.initialize(reader, &["--dkek-shares", "0"]);
    }
    let (source, target) = (Module::reader(0), Module::reader(1));
    source.generate("EC:secp256r1", 1);
    rig.sc_hsm_tool(0)
        .words(&format!(
            "--wrap-key key.bin --key-reference 1 --pin {USER_PIN}"
        ))
        .ok();
    rig.sc_hsm_tool(1)
        .words(&format!(
            "--unwrap-key key.bin --key-reference 1 --pin {USER_PIN}"
        ))
        .fails()
        .has("Wrapped key does not match DKEK");
    target
        .login()
        .arg("--list-objects")
        .ok()
        .lacks("Private Key Object");
    // The card that wrapped it takes it back under another reference.
    rig.sc_hsm_tool(0)
        .words(&format!(
            "--unwrap-key key.bin --key-reference 2 --pin {USER_PIN}"
        ))
        .ok()
        .has("Key successfully imported");
}

/// Does two things at the same time.
fn side_by_side<A: Send, B: Send>(
    one: impl FnOnce() -> A,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    thread::scope(|scope| {
        let other = scope.spawn(other);
        let one = one();
        match other.join() {
            Ok(other) => (one, other),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn create_share_with_password_shares(rig: &Rig, reader: usize, file: &str) -> PasswordShares {
    // The tool shows one share at a time and waits for the custodian to press enter.
    let printed = rig
        .sc_hsm_tool(reader)
        .words(&format!("--create-dkek-share {file}"))
        .words("--pwd-shares-threshold 2 --pwd-shares-total 3")
        .input("\n".repeat(8))
        .ok();
    let values = |prefix: &str| -> Vec<String> {
        let lines = printed
            .text
            .lines()
            .filter_map(|line| line.trim().strip_prefix(prefix));
        lines
            .map(|value| value.trim_start_matches([' ', ':']).trim().to_owned())
            .collect()
    };
    let prime = values("Prime").into_iter().next().unwrap_or_default();
    let shares: Vec<_> = values("Share ID")
        .into_iter()
        .zip(values("Share value"))
        .collect();
    assert_eq!(shares.len(), 3, "{printed}");
    PasswordShares { prime, shares }
}

/// The first and the last custodian come together.
fn import_share_with_password_shares(
    rig: &Rig,
    reader: usize,
    file: &str,
    password: &PasswordShares,
) -> Outcome {
    let mut typed = format!("{}\n", password.prime);
    for (id, value) in password.shares.iter().step_by(2) {
        // Enter first, so that each custodian can take a seat.
        typed += &format!("\n{id}\n{value}\n");
    }
    rig.sc_hsm_tool(reader)
        .words(&format!("--import-dkek-share {file} --pwd-shares-total 2"))
        .input(typed)
        .ok()
}
