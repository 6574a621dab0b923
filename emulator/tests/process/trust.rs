//! `serve --trust`: more roots than the virtual one.

use crate::cli::{expect, folder};
use crate::support::Served;

fn vectors() -> serde_json::Value {
    serde_json::from_str(include_str!("../../../vectors/cvc.json")).unwrap()
}

/// The vendor's production root in hexadecimal.
fn production_root() -> String {
    let root = &vectors()["published"][0];
    assert_eq!(root["name"], "DESRCACC100001 (production scheme root)");
    root["hex"].as_str().unwrap().into()
}

#[test]
fn trusted_roots_come_from_files_and_are_known_to_the_card() {
    let folder = folder();
    let root = production_root();
    let text = folder.path().join("root.hex");
    std::fs::write(&text, format!("{}\n{}\n", &root[..64], &root[64..])).unwrap();
    let binary = folder.path().join("root.cvc");
    std::fs::write(&binary, hex::decode(&root).unwrap()).unwrap();
    let select_root = [
        &[0x00, 0x22, 0x81, 0xB6, 0x10, 0x83, 0x0E],
        &b"DESRCACC100001"[..],
    ]
    .concat();
    let arguments = ["--ephemeral", "--listen", "127.0.0.1:0"];
    for trusted in [None, Some(&text), Some(&binary)] {
        let mut arguments = arguments.to_vec();
        arguments.extend(
            trusted
                .iter()
                .flat_map(|path| ["--trust", path.to_str().unwrap()]),
        );
        let served = Served::start(&arguments);
        let mut reader = served.reader(0);
        reader.select();
        let known = reader.ask(&select_root);
        let expected: [u8; 2] = if trusted.is_some() {
            [0x90, 0x00]
        } else {
            [0x6A, 0x88]
        };
        assert_eq!(known, expected, "{trusted:?}");
        drop(reader);
        let (_, said) = served.stop();
        assert_eq!(
            said.contains("trusted root: DESRCACC100001"),
            trusted.is_some(),
            "{said}"
        );
    }
}

#[test]
fn a_trust_file_without_a_root_stops_everything_before_a_card_is_made() {
    let folder = folder();
    let root = hex::decode(production_root()).unwrap();
    let mut forged = root.clone();
    *forged.last_mut().unwrap() ^= 1;
    let device = hex::decode(vectors()["computed"]["device_A"].as_str().unwrap()).unwrap();
    for (name, content) in [
        ("cut", &root[..root.len() - 1]),
        ("forged", &forged),
        ("device", &device),
        ("text", b"no certificate"),
        ("empty", b""),
        ("huge", &vec![0; 70_000]),
    ] {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let rows = [
        ("absent", 3, "absent: there is no such file"),
        ("cut", 8, "cut: not one card-verifiable certificate"),
        ("forged", 8, "the signature does not verify"),
        ("device", 8, "device: not a root certificate"),
        (
            "text",
            8,
            "--trust takes one self-signed root certificate, 7F21",
        ),
        ("empty", 8, "empty: not one card-verifiable certificate"),
        ("huge", 8, "70000 bytes are no certificate"),
    ];
    for (name, code, message) in rows {
        let (_, complained) = expect(&folder, &["serve", "--trust", name], code);
        assert!(complained.contains(message), "{name}: {complained}");
    }
    assert!(!folder.path().join("data").exists(), "no card was made");
}
