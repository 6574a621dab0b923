//! Share files and wrapped keys go both ways between this tool and `sc-hsm-tool`.

use crate::HARNESS;
use crate::prerequisites::pkcs11_module;
use crate::readers::Readers;
use crate::tool::{Outcome, Tool};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const SO_PIN: &str = "3537363231383830";
const PIN: &str = "648219";
const PASSWORD: &str = "correct-horse-battery";

/// The first reader's card with one outstanding DKEK share, and a folder for the files.
struct Desk {
    _readers: Readers,
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self {
            _readers: Readers::with_cards(1),
            folder: tempfile::tempdir().expect("a temporary directory"),
        };
        desk.sc_hsm_tool(&format!(
            "--initialize --so-pin {SO_PIN} --pin {PIN} --dkek-shares 1"
        ))
        .ok()
        .lacks("failed");
        desk
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn sc_hsm_tool(&self, words: &str) -> Tool {
        let tool = Tool::new("sc-hsm-tool").directory(self.folder.path());
        tool.words("--reader 0").words(words)
    }

    fn harness(&self, words: &str) -> Tool {
        Tool::new(HARNESS)
            .directory(self.folder.path())
            .words(words)
    }

    fn openssl(&self, words: &str) -> Outcome {
        let tool = Tool::new("openssl").directory(self.folder.path());
        tool.words(words).ok()
    }

    fn pkcs11_tool(&self, words: &str) -> Outcome {
        let module = pkcs11_module().expect("a prerequisite");
        let tool = Tool::new("pkcs11-tool").directory(self.folder.path());
        tool.arg("--module")
            .arg(module)
            .words(&format!("--slot-index 0 --login --pin {PIN}"))
            .words(words)
            .ok()
    }

    /// The card's key signs a message and OpenSSL verifies it under a public key.
    fn signs(&self, key: &str, mechanism: &str, public: &str) {
        fs::write(self.path("message"), b"proof of possession").expect("a writable folder");
        self.pkcs11_tool(&format!(
            "--sign --id {key} --mechanism {mechanism} --signature-format openssl \
             --input-file message --output-file signature"
        ));
        self.openssl(&format!(
            "dgst -sha256 -verify {public} -signature signature message"
        ))
        .has("Verified OK");
    }
}

/// The value after `name` in a custodian's file.
fn line(file: &Path, name: &str) -> String {
    let text = fs::read_to_string(file).expect("the tool wrote it");
    let found = text.lines().find_map(|line| line.trim().strip_prefix(name));
    let found = found.unwrap_or_else(|| panic!("no {name:?} in {}", file.display()));
    found.trim_start_matches([' ', ':']).trim().to_owned()
}

/// Two of three custodians open a share that this tool drew, at `sc-hsm-tool`'s prompts, and the
/// card takes a key that this tool sealed.
pub(crate) fn sc_hsm_tool_takes_ours() {
    let desk = Desk::new();
    fs::create_dir(desk.path("custodians")).expect("a writable folder");
    desk.harness("dkek new-share group.pbe --threshold 2 --shares 3 --share-dir custodians")
        .ok();
    let custodian = |id| desk.path(&format!("custodians/group-share-{id}-of-3.txt"));

    let mut typed = format!("{}\n", line(&custodian(1), "Prime"));
    for id in [1, 3] {
        let file = custodian(id);
        // Enter first, so that each custodian can take a seat.
        typed += &format!(
            "\n{}\n{}\n",
            line(&file, "Share ID"),
            line(&file, "Share value")
        );
    }
    let imported = desk
        .sc_hsm_tool("--import-dkek-share group.pbe --pwd-shares-total 2")
        .input(typed)
        .ok();
    // Two other custodians know the same value before any card has seen the share.
    let shares = "--share-file custodians/group-share-2-of-3.txt \
                  --share-file custodians/group-share-3-of-3.txt";
    desk.harness(&format!("dkek kcv group.pbe {shares}"))
        .ok()
        .has(&check_value(&imported));

    for (reference, key, mechanism, options) in [
        (
            "5",
            "ec",
            "ECDSA-SHA256",
            "EC -pkeyopt ec_paramgen_curve:P-256",
        ),
        (
            "6",
            "rsa",
            "SHA256-RSA-PKCS",
            "RSA -pkeyopt rsa_keygen_bits:2048",
        ),
    ] {
        desk.openssl(&format!("genpkey -algorithm {options} -out {key}.pem"));
        desk.openssl(&format!("pkey -in {key}.pem -pubout -out {key}.pub"));
        desk.harness(&format!(
            "blob seal --dkek group.pbe {shares} --key {key}.pem --label {key} -o {key}.bin"
        ))
        .ok();
        desk.sc_hsm_tool(&format!(
            "--unwrap-key {key}.bin --key-reference {reference} --pin {PIN}"
        ))
        .ok()
        .has("Key successfully imported");
        let listed = desk.pkcs11_tool("--list-objects --type privkey");
        let listed = listed.has(&format!("label:      {key}"));
        let id = id_of(&listed, key);
        desk.signs(&id, mechanism, &format!("{key}.pub"));
    }
}

/// The check value that `sc-hsm-tool` shows after the last share.
fn check_value(imported: &Outcome) -> String {
    let value = imported.field("DKEK key check value :");
    assert_eq!(value.len(), 16, "{imported}");
    value
}

/// The id that PKCS#11 shows for the private key with this label.
fn id_of(listed: &Outcome, label: &str) -> String {
    let mut lines = listed.text.lines();
    let _ = lines.find(|line| line.trim_start() == format!("label:      {label}"));
    let id = lines.find_map(|line| line.trim_start().strip_prefix("ID:"));
    id.unwrap_or_else(|| panic!("no id after {label} in {listed}"))
        .trim()
        .to_owned()
}

/// This tool opens a share that `sc-hsm-tool` made and a key that the card wrapped.
pub(crate) fn we_take_sc_hsm_tools() {
    let desk = Desk::new();
    desk.sc_hsm_tool(&format!(
        "--create-dkek-share alice.pbe --password {PASSWORD}"
    ))
    .ok();
    let imported = desk
        .sc_hsm_tool(&format!(
            "--import-dkek-share alice.pbe --password {PASSWORD}"
        ))
        .ok();
    let ours = |words: &str| desk.harness(words).env("HSM2_DKEK_PASSWORD", PASSWORD);
    ours("dkek kcv alice.pbe").ok().has(&check_value(&imported));
    // A wrong password is told as one; the value above could not have come from it.
    desk.harness("dkek kcv alice.pbe")
        .env("HSM2_DKEK_PASSWORD", "correct-horse-batterx")
        .fails()
        .has("password");

    for (reference, key, kind, mechanism) in [
        ("1", "rsa", "rsa:2048", "SHA256-RSA-PKCS"),
        ("2", "ec", "EC:secp256r1", "ECDSA-SHA256"),
    ] {
        desk.pkcs11_tool(&format!(
            "--keypairgen --key-type {kind} --id 0{reference} --label {key}"
        ));
        desk.sc_hsm_tool(&format!(
            "--wrap-key {key}.bin --key-reference {reference} --pin {PIN}"
        ))
        .ok();
        ours(&format!(
            "blob open --dkek alice.pbe {key}.bin -o {key}.pem \
             --i-understand-this-exposes-the-private-key"
        ))
        .ok();
        // OpenSSL checks the key that came out; its public half verifies what the card signs.
        desk.openssl(&format!("pkey -in {key}.pem -check -noout"));
        desk.openssl(&format!("pkey -in {key}.pem -pubout -out {key}.pub"));
        desk.signs(&format!("0{reference}"), mechanism, &format!("{key}.pub"));
    }
}
