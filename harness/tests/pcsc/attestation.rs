//! `attest` on a card in a reader, whose key OpenSC made.

use crate::prerequisites::pkcs11_module;
use crate::readers::Readers;
use crate::tool::Tool;
use crate::{A, HARNESS};
use serde_json::{Value, json};

const PIN: &str = "648219";

fn attest(words: &str) -> (Option<i32>, Vec<u8>, String) {
    let outcome = Tool::new(HARNESS)
        .arg("attest")
        .arg(format!("--target=pcsc:{A}"))
        .words(words)
        .run();
    (outcome.code, outcome.stdout, outcome.text)
}

pub(crate) fn card_in_a_reader() {
    let _readers = Readers::with_cards(1);
    Tool::new("sc-hsm-tool")
        .words(&format!(
            "--reader 0 --initialize --so-pin 3537363231383830 --pin {PIN}"
        ))
        .ok()
        .lacks("failed");
    Tool::new("pkcs11-tool")
        .arg("--module")
        .arg(pkcs11_module().expect("a prerequisite"))
        .words(&format!("--slot-index 0 --login --pin {PIN}"))
        .words("--keypairgen --key-type EC:secp256r1 --id 01 --label attested")
        .ok();

    for words in ["", "--key 1"] {
        let (code, _, text) = attest(words);
        assert_eq!(code, Some(23), "{text}");
        for line in [
            "Device      ZZPCSC0, card in reader \"Virtual PCD 00 00\"",
            "Root        the root of virtual cards, whose key is public: proves nothing",
            "Chain       ZZPCSC000000 by ZZVIRTISSU00001: verified",
            "            ZZVIRTISSU00001 by ZZVIRTROOT00001: verified",
            "Device key  proven by chip authentication",
            "Keys        1\n  1         EC secp256r1, ZZPCSC000001: made in this device",
            "Verdict     holds together, below a root that vouches for nothing",
        ] {
            assert!(text.contains(line), "{line:?} in {text}");
        }
    }
    let (code, _, text) = attest("--key 2");
    assert_eq!(code, Some(21), "{text}");
    assert!(text.contains("key 2 is not attested"), "{text}");

    let (code, stdout, text) = attest("--json");
    assert_eq!(code, Some(23), "{text}");
    let found: Value = serde_json::from_slice(&stdout).expect("JSON and nothing else");
    let at = |path: &str| found.pointer(path).unwrap_or(&Value::Null).clone();
    for (path, value) in [
        ("/place", json!("card in reader \"Virtual PCD 00 00\"")),
        ("/serial", json!("ZZPCSC0")),
        ("/root", json!("virtual")),
        ("/possession/state", json!("proven")),
        ("/verdict", json!("without_value")),
        ("/findings", json!([])),
        ("/certificates/0/holder", json!("ZZPCSC000000")),
        ("/certificates/0/authority", json!("ZZVIRTISSU00001")),
        ("/certificates/0/role", json!("device")),
        ("/certificates/1/holder", json!("ZZVIRTISSU00001")),
        ("/certificates/1/authority", json!("ZZVIRTROOT00001")),
        ("/certificates/1/role", json!("issuer")),
        ("/certificates/2", Value::Null),
        ("/keys/0/id", json!(1)),
        ("/keys/0/kind", json!("EC secp256r1")),
        ("/keys/0/holder", json!("ZZPCSC000001")),
        ("/keys/0/origin/state", json!("made_here")),
        ("/keys/1", Value::Null),
    ] {
        assert_eq!(at(path), value, "{path} in {text}");
    }
    for number in 0..2 {
        for field in ["in_place", "signature"] {
            let path = format!("/certificates/{number}/{field}");
            assert_eq!(at(&path), json!(true), "{path} in {text}");
        }
    }
    // No PIN was asked for, and none was tried.
    Tool::new("sc-hsm-tool")
        .words("--reader 0")
        .ok()
        .has("User PIN tries left  : 3");
}
