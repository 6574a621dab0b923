//! The README says which client sends which command: what the clients here really send.

use crate::gnupg;
use crate::openssl;
use crate::pkcs11::Module;
use crate::rig::{Rig, SO_PIN, USER_PIN};
use crate::{Body, add};
use serde_json::Value;
use std::collections::BTreeSet;

pub(crate) fn tests(all: &mut Vec<(String, Body)>) {
    add(
        all,
        "clients::opensc_sends_what_the_readme_says",
        opensc_commands,
    );
    add(
        all,
        "clients::gnupg_sends_what_the_readme_says",
        gnupg_commands,
    );
}

/// Names of the README's rows: class and instruction of a command, or an object, option or algorithm.
type Names = BTreeSet<String>;

/// The rows with a dot in a client's column of the table whose first column has this title.
fn in_readme(first: &str, client: &str) -> Names {
    let rows: Vec<Vec<&str>> = include_str!("../../../README.md")
        .lines()
        .filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let head = rows.iter().position(|row| row.first() == Some(&first));
    let head = head.expect("the README has this table");
    let titles = rows.get(head).expect("its head");
    let column = titles.iter().position(|title| *title == client);
    let column = column.expect("the client has a column");
    let below = rows.iter().skip(head + 1);
    let names: Names = below
        .take_while(|row| row.len() == titles.len())
        .filter(|row| row.get(column) == Some(&"●"))
        .filter_map(|row| row.first().map(|name| (*name).to_owned()))
        .collect();
    assert!(!names.is_empty(), "{client} in {first}");
    names
}

/// As [`in_readme`], what [`Sent::objects`] can hold.
fn algorithms_and_initialize(client: &str) -> Names {
    let mut names = in_readme("object, option or algorithm", client);
    names.retain(|name| {
        let kind = name.split(' ').next().unwrap_or_default();
        ["SIGN", "DECIPHER", "WRAP", "UNWRAP", "INITIALIZE"].contains(&kind)
    });
    names
}

/// What a client sent, by a trace.
struct Sent {
    /// Class and instruction of the commands.
    commands: Names,
    /// Algorithms of commands that have them in P2, and objects of INITIALIZE DEVICE.
    objects: Names,
}

impl Sent {
    /// Commands that the card does not have are left out: they were questions to other cards.
    fn in_trace(trace: &[u8]) -> Self {
        let mut sent = Self {
            commands: Names::new(),
            objects: Names::new(),
        };
        for line in String::from_utf8_lossy(trace).lines() {
            let line: Value = serde_json::from_str(line).expect("a line of JSON");
            let field = |name: &str| line.get(name).and_then(Value::as_str);
            if let (Some(command), Some(response)) = (field("command"), field("response"))
                && !response.ends_with("6D00")
                && !response.ends_with("6E00")
            {
                sent.note(command);
            }
        }
        sent
    }

    /// Notes a command in hexadecimal; secret values are stars.
    fn note(&mut self, command: &str) {
        let bytes: Vec<&str> = (0..command.len() / 2)
            .filter_map(|at| command.get(2 * at..2 * at + 2))
            .collect();
        let [class, instruction, _, p2, rest @ ..] = bytes.as_slice() else {
            panic!("{command} has no header");
        };
        self.commands.insert(format!("{class} {instruction}"));
        let algorithm = match *instruction {
            "68" => "SIGN",
            "62" => "DECIPHER",
            "72" => "WRAP",
            "74" => "UNWRAP",
            "50" => {
                // Behind Lc: tag, length in one byte, value.
                let mut objects = rest.get(1..).unwrap_or_default();
                while let [tag, length, values @ ..] = objects {
                    self.objects.insert(format!("INITIALIZE {tag}"));
                    let length = usize::from_str_radix(length, 16).expect("a length");
                    objects = values.get(length..).expect("a whole object");
                }
                return;
            }
            _ => return,
        };
        self.objects.insert(format!("{algorithm} {p2}"));
    }
}

/// Two cards whose exchanges go into `trace`.
fn traced() -> Rig {
    let mut rig = Rig::with_cards(2);
    rig.remove_cards();
    let trace = rig.path("trace").display().to_string();
    rig.insert_cards_with(&["--trace".into(), trace]);
    rig
}

/// Commands that OpenSC sends only when it was built with OpenPACE, which Debian's is not.
const WITH_OPENPACE: [&str; 2] = ["00 86", "80 5A"];

/// Mechanisms of `pkcs11-tool` that take a message of any length.
const RSA_MECHANISMS: [&str; 8] = [
    "RSA-PKCS",
    "SHA1-RSA-PKCS",
    "SHA256-RSA-PKCS",
    "SHA384-RSA-PKCS",
    "SHA512-RSA-PKCS",
    "SHA1-RSA-PKCS-PSS",
    "SHA256-RSA-PKCS-PSS",
    "SHA512-RSA-PKCS-PSS",
];
/// The same, with a hash of the message for ECDSA alone: it takes the first bytes for one.
const EC_MECHANISMS: [&str; 6] = [
    "ECDSA",
    "ECDSA-SHA1",
    "ECDSA-SHA224",
    "ECDSA-SHA256",
    "ECDSA-SHA384",
    "ECDSA-SHA512",
];

fn opensc_commands() {
    let rig = traced();
    rig.initialize(0, &["--dkek-shares", "0", "--public-key-auth", "1"]);
    rig.initialize(1, &[]);
    let (module, custodian) = (Module::reader(0), Module::reader(1));
    custodian.generate("EC:brainpoolP256r1", 1);
    rig.sc_hsm_tool(1)
        .words("--export-for-pub-key-auth key.pka --key-reference 1")
        .ok();
    rig.sc_hsm_tool(0)
        .words("--register-public-key key.pka")
        .ok()
        .lacks("failed");

    module.generate("rsa:2048", 1);
    let public = module.public_key(&rig, 1);
    let message = rig.file("message", b"signed by OpenSC");
    for mechanism in RSA_MECHANISMS {
        module.sign(&rig, 1, mechanism, &message, &[]);
    }
    let block = rig.file("block", [&[0x00, 0x01][..], &[0xFF; 253], &[0x00]].concat());
    module.sign(&rig, 1, "RSA-X-509", &block, &[]);
    let options = ["rsa_padding_mode:pkcs1"];
    let ciphertext = openssl::encrypt(&rig, &public, &options, &message);
    module
        .login()
        .words("--decrypt --mechanism RSA-PKCS --id 01 --input-file")
        .arg(&ciphertext)
        .ok()
        .has("signed by OpenSC");
    module.generate("EC:secp256r1", 3);
    for mechanism in EC_MECHANISMS {
        module.sign(&rig, 3, mechanism, &message, &[]);
    }
    let public = module.public_key(&rig, 3);
    let (_, peer) = openssl::peer_on_the_same_curve(&rig, &public);
    module
        .login()
        .words("--derive --mechanism ECDH1-DERIVE --id 03 --input-file")
        .arg(&peer)
        .ok();
    module.tool().words("--generate-random 16").ok();
    rig.sc_hsm_tool(0)
        .words(&format!(
            "--wrap-key key.bin --key-reference 1 --pin {USER_PIN}"
        ))
        .ok();
    module
        .login()
        .words("--delete-object --type privkey --id 01")
        .ok();
    rig.sc_hsm_tool(0)
        .words(&format!(
            "--unwrap-key key.bin --key-reference 9 --pin {USER_PIN}"
        ))
        .ok()
        .has("Key successfully imported");
    module
        .login()
        .words(&format!("--change-pin --new-pin {USER_PIN}"))
        .ok();
    module
        .tool()
        .words(&format!("--login --login-type so --so-pin {SO_PIN}"))
        .words(&format!("--init-pin --new-pin {USER_PIN}"))
        .ok();

    // What the card does not take is sent all the same.
    rig.sc_hsm_tool(1)
        .words(&format!("--initialize --so-pin {SO_PIN} --pin {USER_PIN}"))
        .words("--bio-server1 A000000001 --bio-server2 A000000002")
        .run()
        .has("failed");

    let sent = Sent::in_trace(&rig.read("trace"));
    let mut commands = in_readme("CLA INS", "OpenSC");
    for code in WITH_OPENPACE {
        assert!(commands.remove(code), "{code} has no dot");
    }
    assert_eq!(sent.commands, commands);
    assert_eq!(sent.objects, algorithms_and_initialize("OpenSC"));
}

fn gnupg_commands() {
    let rig = traced();
    rig.initialize(0, &[]);
    gnupg::certify_a_key(&rig);
    let before = rig.read("trace").len();
    gnupg::learn_sign_and_decrypt(&rig);
    let trace = rig.read("trace");
    let of_gnupg = trace.get(before..).unwrap_or_default();
    let sent = Sent::in_trace(of_gnupg);
    assert_eq!(sent.commands, in_readme("CLA INS", "GnuPG"));
    let mut objects = algorithms_and_initialize("GnuPG");
    // Of EC keys alone.
    assert!(objects.remove("SIGN 70"));
    assert_eq!(sent.objects, objects);
}
