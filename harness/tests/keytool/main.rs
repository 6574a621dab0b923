//! The key-material commands as a custodian and a script see them.
//!
//! Each derivation of a share file's key takes seconds, so every run that needs one proves several
//! things.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper that fails fails its test"
)]

#[cfg(target_os = "linux")]
mod prompts;
#[cfg(target_os = "linux")]
mod terminal;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const PASSWORD: &str = "passwordpassword";

struct Workshop(TempDir);

impl Workshop {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    #[cfg(target_os = "linux")]
    fn directory(&self) -> &Path {
        self.0.path()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<String> = entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hsm2-harness"));
        command.current_dir(self.0.path()).stdin(Stdio::null());
        for variable in [
            "HSM2_DKEK_PASSWORD",
            "HSM2_DKEK_NEW_PASSWORD",
            "HSM2_KEY_PASSWORD",
        ] {
            command.env_remove(variable);
        }
        command.args(line.split_whitespace());
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    fn run_with(&self, password: &str, line: &str) -> Output {
        self.command(line)
            .env("HSM2_DKEK_PASSWORD", password)
            .output()
            .unwrap()
    }
}

fn stdout(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{error}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap()
}

/// Exit code and message of a command that fails and says nothing on standard output.
fn refused(output: &Output) -> (i32, String) {
    assert!(output.stdout.is_empty());
    let message = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!message.contains("panicked"), "{message}");
    (output.status.code().unwrap(), message)
}

fn genuine(id: &str) -> Vec<u8> {
    let file = include_str!("../../../vectors/real-tokens.json");
    let file: Value = serde_json::from_str(file).unwrap();
    let mut records = file["records"].as_array().unwrap().iter();
    let record = records.find(|record| record["id"] == id).unwrap();
    hex::decode(record["response_hex"].as_str().unwrap()).unwrap()
}

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/keys")
        .join(name);
    std::fs::read(path).unwrap()
}

#[cfg(unix)]
fn assert_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{}", path.display());
}

#[cfg(not(unix))]
fn assert_private(_: &Path) {}

#[test]
fn custodians_make_a_share_open_it_and_hand_it_on() {
    let shop = Workshop::new();
    let made =
        json(&shop.run("dkek new-share group.pbe --threshold 2 --shares 3 --share-dir . --json"));
    assert_eq!(made["share_files"].as_array().unwrap().len(), 3);
    for name in shop.names() {
        assert_private(&shop.path(&name));
    }
    let file = std::fs::read(shop.path("group.pbe")).unwrap();
    assert_eq!((file.len(), &file[..8]), (64, &b"Salted__"[..]));

    let shares = |ids: [u8; 2], total: u8| {
        ids.map(|id| format!("--share-file ./group-share-{id}-of-{total}.txt"))
            .join(" ")
    };
    let kcv = json(&shop.run(&format!("dkek kcv group.pbe --json {}", shares([3, 1], 3))));
    assert_eq!(kcv["key_check_value"], made["share_check_value"]);

    let line = format!(
        "dkek reshare group.pbe --threshold 3 --shares 4 --share-dir . {}",
        shares([1, 2], 3)
    );
    let again = stdout(&shop.run(&line));
    let kcv = made["share_check_value"].as_str().unwrap();
    assert!(
        again.contains(&format!("Share check value {kcv}")),
        "{again}"
    );
    assert!(
        again.contains("Old file kept as  group.pbe.old, and it still opens"),
        "{again}"
    );
    assert_eq!(std::fs::read(shop.path("group.pbe.old")).unwrap(), file);
    assert_ne!(std::fs::read(shop.path("group.pbe")).unwrap(), file);

    // The kept file is safe from the next time.
    let (code, message) = refused(&shop.run(&line));
    assert_eq!(code, 7, "{message}");
    assert!(message.contains("--output"), "{message}");

    // Two of the new custodians are one too few.
    let (code, message) = refused(&shop.run(&format!("dkek kcv group.pbe {}", shares([1, 2], 4))));
    assert_eq!(code, 4, "{message}");
    assert!(
        message.contains("group.pbe") && message.contains("threshold"),
        "{message}"
    );
}

#[test]
fn a_key_goes_in_and_comes_out_under_the_share_of_a_genuine_card() {
    let shop = Workshop::new();
    shop.write("card.pbe", &genuine("dkek-share-file"));
    shop.write("card.txt", b"passwordpassword\r\n");
    for (name, content) in [
        ("key.p12", fixture("ec-secp256r1.p12")),
        ("certificate.der", fixture("certificate.der")),
        ("pin.txt", b"fixture password\n".to_vec()),
    ] {
        shop.write(name, &content);
    }
    let opener = "--dkek card.pbe --password-file card.txt";

    let sealed = json(&shop.run(&format!(
        "blob seal {opener} --key key.p12 --key-password-file pin.txt --algorithms 73,80 \
         --label signer --certificate certificate.der -o key.bin --json"
    )));
    assert_eq!(sealed["key"], "EC secp256r1");
    assert_eq!(sealed["key_check_value"], "97E303855DC1C54D");

    let shown = json(&shop.run("blob show key.bin --json"));
    assert_eq!(shown["label"], "signer");
    assert_eq!(shown["allowed_algorithms"][0], "73 ECDSA with SHA-256");
    assert_eq!(shown["opened"], Value::Null);

    // Without the flag that names the risk nothing comes out.
    let (code, message) = refused(&shop.run(&format!("blob open {opener} key.bin -o key.pem")));
    assert_eq!(code, 2);
    assert!(
        message.contains("--i-understand-this-exposes-the-private-key"),
        "{message}"
    );
    let flag = "--i-understand-this-exposes-the-private-key";
    stdout(&shop.run(&format!("blob open {opener} key.bin -o key.pem {flag}")));
    assert_eq!(
        std::fs::read(shop.path("key.pem")).unwrap(),
        fixture("ec-secp256r1.pem")
    );
    assert_private(&shop.path("key.pem"));
    assert_private(&shop.path("key.bin"));
}

/// An RSA key out of PKCS#12 under a DKEK of two share files, named after one option.
#[test]
fn several_share_files_follow_one_option() {
    let shop = Workshop::new();
    let vectors: Value = serde_json::from_str(include_str!("../../../vectors/dkek.json")).unwrap();
    let other = vectors["share_file"]["file"].as_str().unwrap();
    shop.write("card.pbe", &genuine("dkek-share-file"));
    shop.write("bob.pbe", &hex::decode(other).unwrap());
    shop.write("key.p12", &fixture("rsa-2048.p12"));
    let run = |line: &str| {
        let mut command = shop.command(line);
        command
            .env("HSM2_DKEK_PASSWORD_1", PASSWORD)
            .env("HSM2_DKEK_PASSWORD_2", "Password12")
            .env("HSM2_KEY_PASSWORD", "fixture password");
        command.output().unwrap()
    };
    let sealed = "blob seal --dkek card.pbe bob.pbe --key key.p12 -o key.bin --json";
    assert_eq!(json(&run(sealed))["key"], "RSA-2048");
    let opened = stdout(&run(
        "blob open --dkek card.pbe bob.pbe key.bin -o key.pem \
         --i-understand-this-exposes-the-private-key",
    ));
    assert!(opened.contains("RSA-2048"), "{opened}");
    // The wrapped key does not say in which order its primes stood.
    let numbers = |pem: &[u8]| {
        let key = openssl::rsa::Rsa::private_key_from_pem(pem).unwrap();
        assert!(key.check_key().unwrap());
        [key.n().to_vec(), key.e().to_vec(), key.d().to_vec()]
    };
    let pem = std::fs::read(shop.path("key.pem")).unwrap();
    assert!(numbers(&pem) == numbers(&fixture("rsa-2048.pem")));
}

#[test]
fn a_key_of_a_genuine_card_is_verified_and_its_secret_stays_hidden() {
    let shop = Workshop::new();
    shop.write("card.pbe", &genuine("dkek-share-file"));
    shop.write("key.bin", &genuine("wrapped-ec-k1"));
    let text = stdout(&shop.run_with(PASSWORD, "blob show --dkek card.pbe key.bin"));
    assert!(
        text.contains("EC secp256k1") && text.contains("97E303855DC1C54D"),
        "{text}"
    );
    assert!(text.contains("card verifiable request"), "{text}");
}

#[test]
fn cancelling_shares_and_foreign_or_changed_keys_have_their_own_exit_codes() {
    let shop = Workshop::new();
    shop.write("card.pbe", &genuine("dkek-share-file"));
    let blobs: Value = serde_json::from_str(include_str!("../../../vectors/blobs.json")).unwrap();
    let foreign = blobs["vectors"][0]["blob"].as_str().unwrap();
    shop.write("foreign.bin", &hex::decode(foreign).unwrap());
    let mut changed = genuine("wrapped-ec-k1");
    changed[300] ^= 1;
    shop.write("changed.bin", &changed);

    let (code, message) = refused(&shop.run_with(PASSWORD, "dkek kcv card.pbe card.pbe"));
    assert_eq!(code, 3);
    assert!(message.contains("the same share"), "{message}");
    let (code, message) =
        refused(&shop.run_with(PASSWORD, "blob show --dkek card.pbe foreign.bin"));
    assert_eq!(code, 5);
    assert!(message.contains("28E276C10026AB78") && message.contains("97E303855DC1C54D"));
    let changed = shop.run_with(PASSWORD, "blob show --dkek card.pbe changed.bin");
    assert_eq!(refused(&changed).0, 6);
}

#[test]
fn faults_are_found_before_any_password_is_asked_for() {
    let shop = Workshop::new();
    shop.write("card.pbe", &genuine("dkek-share-file"));
    shop.write("short.pbe", &genuine("dkek-share-file")[..63]);
    shop.write("key.bin", &genuine("wrapped-ec-k1")[..400]);
    shop.write("exists", b"precious");
    let rsa = openssl::rsa::Rsa::generate(1280).unwrap();
    shop.write("rsa-1280.der", &rsa.private_key_to_der().unwrap());
    let flag = "--i-understand-this-exposes-the-private-key";
    let seal = "blob seal --dkek card.pbe";
    let cases = [
        (3, "dkek kcv short.pbe".to_owned(), "has 63"),
        (3, "dkek kcv key.bin".into(), "has 400"),
        (7, "dkek kcv absent.pbe".into(), "absent.pbe"),
        (8, "dkek kcv card.pbe".into(), "HSM2_DKEK_PASSWORD"),
        (8, "dkek new-share new.pbe".into(), "HSM2_DKEK_PASSWORD"),
        (
            8,
            "dkek new-share new.pbe --threshold 2 --shares 3".into(),
            "--share-dir",
        ),
        (
            2,
            "dkek new-share new.pbe --threshold 4 --shares 3 --share-dir .".into(),
            "4 of 3",
        ),
        (2, "dkek new-share new.pbe --threshold 2".into(), "--shares"),
        (7, "dkek new-share exists".into(), "nothing is overwritten"),
        (8, "dkek reshare card.pbe".into(), "HSM2_DKEK_PASSWORD"),
        (
            8,
            "dkek reshare card.pbe --threshold 2 --shares 3".into(),
            "--share-dir",
        ),
        (
            7,
            "dkek reshare card.pbe -o exists".into(),
            "nothing is overwritten",
        ),
        (3, "blob show key.bin".into(), "offset 4"),
        (3, "blob show exists".into(), "offset 8"),
        (3, format!("{seal} --key exists -o new"), "not a key file"),
        (
            7,
            format!("{seal} --key card.pbe -o exists"),
            "nothing is overwritten",
        ),
        (
            2,
            format!("{seal} --key exists -o new --algorithms 1"),
            "two hexadecimal digits",
        ),
        (
            3,
            format!(
                "{seal} --key exists -o new --algorithms {}",
                ["10"; 17].join(",")
            ),
            "at most 16 algorithms",
        ),
        (
            3,
            format!("{seal} --key rsa-1280.der -o new"),
            "rsa-1280.der: an RSA key of 1280 bits",
        ),
        (2, format!("blob open key.bin -o new {flag}"), "--dkek"),
        (2, format!("blob open -o new {flag}"), "FILE"),
        (
            2,
            format!("blob open --dkek card.pbe -o new {flag}"),
            "the wrapped key as well",
        ),
        (
            2,
            "blob show --dkek card.pbe".into(),
            "the wrapped key as well",
        ),
        // The last name after --dkek is the wrapped key.
        (3, "blob show --dkek card.pbe key.bin".into(), "key.bin: "),
        (
            7,
            format!("blob open --dkek card.pbe key.bin -o exists {flag}"),
            "nothing is overwritten",
        ),
    ];
    for (expected, line, words) in cases {
        let (code, message) = refused(&shop.run(&line));
        assert_eq!(code, expected, "{line}: {message}");
        assert!(message.contains(words), "{line}: {message}");
    }
    assert_eq!(
        shop.names(),
        ["card.pbe", "exists", "key.bin", "rsa-1280.der", "short.pbe"]
    );
    assert_eq!(std::fs::read(shop.path("exists")).unwrap(), b"precious");
}
