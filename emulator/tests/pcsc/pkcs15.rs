//! `pkcs15-tool` and `pkcs15-init` on OpenSC's PKCS#15 emulation.

use crate::openssl::{self, Hash};
use crate::pkcs11::Module;
use crate::rig::{Rig, SO_PIN, USER_PIN};
use crate::tool::Tool;
use crate::{Body, add};

pub(crate) fn tests(all: &mut Vec<(String, Body)>) {
    add(all, "pkcs15::dump_shows_pins_keys_and_serial", dump);
    add(all, "pkcs15::lists_keys_and_reads_public_keys", lists_keys);
    add(all, "pkcs15::changes_and_unblocks_the_pin", changes_the_pin);
    add(
        all,
        "pkcs15::init_generates_and_deletes_a_key",
        init_generates,
    );
}

fn pkcs15_tool() -> Tool {
    Tool::new("pkcs15-tool")
}

fn dump() {
    let _rig = Rig::with_initialized_card();
    let module = Module::reader(0);
    module.generate("rsa:2048", 1);
    module.generate("EC:secp384r1", 2);
    let dump = pkcs15_tool().arg("--dump").ok();
    assert_eq!(
        dump.text.matches("Private RSA Key [rsa:2048 key]").count(),
        1,
        "{dump}"
    );
    assert_eq!(
        dump.text
            .matches("Private EC Key [EC:secp384r1 key]")
            .count(),
        1,
        "{dump}"
    );
    let serial = module.serial();
    dump.has("PIN [UserPIN]").has("PIN [SOPIN]").has(&serial);
}

fn lists_keys() {
    let rig = Rig::with_initialized_card();
    let module = Module::reader(0);
    module.generate("EC:secp256r1", 0x0A);
    module.generate("rsa:2048", 0x0B);
    pkcs15_tool()
        .arg("--list-keys")
        .ok()
        .has("Private EC Key [EC:secp256r1 key]")
        .has("Private RSA Key [rsa:2048 key]");
    // Both ways to a public key end at the same one.
    for id in [0x0A, 0x0B] {
        let der = rig.path("pkcs11.der");
        module
            .tool()
            .words(&format!("--read-object --type pubkey --id {id:02x}"))
            .arg("--output-file")
            .arg(&der)
            .ok();
        let of_pkcs11 = openssl::public_key_from_der(&rig, "pkcs11.pem", &der);
        let of_pkcs15 = module.public_key(&rig, id);
        assert_eq!(openssl::describe(&of_pkcs11), openssl::describe(&of_pkcs15));
    }
}

fn changes_the_pin() {
    let _rig = Rig::with_initialized_card();
    let change = |old: &str, new: &str| {
        pkcs15_tool().words(&format!(
            "--change-pin --auth-id 01 --pin {old} --new-pin {new}"
        ))
    };
    change(USER_PIN, "31415926").ok();
    change(USER_PIN, "27182818").fails();
    pkcs15_tool()
        .words("--verify-pin --auth-id 01 --pin 31415926")
        .ok();
    change("31415926", USER_PIN).ok();
    pkcs15_tool()
        .words(&format!("--verify-pin --auth-id 01 --pin {USER_PIN}"))
        .ok();
    // The second PIN object is the SO-PIN; this tool sends it as it is typed, 16 characters, so
    // the card must refuse it and must not unblock.
    pkcs15_tool()
        .words(&format!(
            "--unblock-pin --auth-id 01 --puk {SO_PIN} --new-pin 161803"
        ))
        .fails();
    pkcs15_tool()
        .words(&format!("--verify-pin --auth-id 01 --pin {USER_PIN}"))
        .ok();
}

fn init_generates() {
    let rig = Rig::with_initialized_card();
    let module = Module::reader(0);
    let init = || Tool::new("pkcs15-init").words(&format!("--auth-id 01 --pin {USER_PIN}"));
    init()
        .args([
            "--generate-key",
            "ec/secp256r1",
            "--id",
            "05",
            "--label",
            "made by init",
        ])
        .words("--key-usage sign --verify-pin")
        .ok();
    let public = module.public_key(&rig, 5);
    let message = rig.file("message", b"a key of the other tool");
    let signature = module.sign(&rig, 5, "ECDSA-SHA256", &message, &[]);
    openssl::verify_message(&public, Hash::Sha256, &[], &message, &signature);
    init()
        .words("--delete-objects privkey --id 05 --verify-pin")
        .ok();
    pkcs15_tool().arg("--list-keys").ok().lacks("made by init");
}
