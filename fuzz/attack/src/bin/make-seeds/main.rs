//! `make-seeds DIR`: writes seed corpora for every fuzz target below DIR, one folder for each.
//!
//! They are made of the vectors, of commands that genuine tokens and OpenSC exchanged, and of what
//! the cards of the fixture make.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a tool for developers; it ends with a message when a vector is not what it should be"
)]

mod recorded;
mod sessions;

use std::collections::BTreeMap;
use std::path::Path;

use hsm2_attack::apdu::{SELECT, initialize, log_in, read, short, update};
use hsm2_attack::fixture;
use hsm2_attack::session::Stage;
use hsm2_attack::targets::TARGETS;
use hsm2_emulator::crypto::{CardRng, symmetric};
use hsm2_emulator::cvc::tag;
use hsm2_emulator::domain::Kek;
use hsm2_emulator::profile::NITROKEY_HSM2;
use hsm2_emulator::store::{Change, FileStore, Store};
use hsm2_emulator::tlv::{Reader, Writer};
use serde_json::Value;

/// Seeds of one target.
type Seeds = Vec<Vec<u8>>;

fn main() {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("make-seeds DIR");
        std::process::exit(2);
    };
    let mut seeds: BTreeMap<&str, Seeds> =
        TARGETS.iter().map(|(name, _)| (*name, vec![])).collect();
    let recorded = recorded();
    let papers = Stage::get().papers();
    let commands = commands();

    seeds.insert(
        "apdu",
        [
            recorded_commands(&recorded),
            commands.clone(),
            recorded::commands(),
            recorded::channel(),
        ]
        .concat(),
    );
    let mut sessions = vec![with_lengths(&commands)];
    sessions.extend(sequences(&recorded));
    sessions.extend(recorded::command_sequences());
    sessions.push(with_lengths(&recorded::channel()));
    seeds.insert("apdu_bytes", sessions);
    let mut tlv = recorded_responses(&recorded);
    tlv.extend(
        [
            &papers.issuer,
            &papers.devices[0],
            &papers.memberships[0],
            &papers.exchange[0],
            &papers.custodian,
        ]
        .map(Clone::clone),
    );
    tlv.extend(recorded::data());
    tlv.extend(recorded::certificates());
    seeds.insert("tlv", tlv);
    seeds.insert("cvc", certificates());
    seeds.insert("device", lies());
    seeds.insert("blob", [blobs(&recorded), recorded::blobs()].concat());
    let own = vec![
        [&[0], &papers.memberships[0][..]].concat(),
        [&[3], &papers.memberships[1][..]].concat(),
        [&[0x82], &papers.exchange[1][..]].concat(),
        [&[0x80], &papers.custodian[..]].concat(),
    ];
    seeds.insert("membership", [own, recorded::memberships()].concat());
    seeds.insert(
        "records",
        (0..40).map(|which| vec![which, 0, 0, 0]).collect(),
    );
    seeds.insert("session", sessions::sessions());
    seeds.insert("script", scripts());
    seeds.insert("report", reports());
    seeds.insert("key_file", key_files());
    seeds.insert("share_file", shares(&recorded));
    seeds.insert("store_file", vec![card_file(), contradicting_card_file()]);
    seeds.insert(
        "trace",
        vec![trace(&commands), trace(&recorded::commands())],
    );
    seeds.insert("vpcd", vec![vpcd(&commands), vpcd(&recorded::commands())]);

    for (target, seeds) in seeds {
        assert!(!seeds.is_empty(), "no seeds for {target}");
        let folder = Path::new(&folder).join(target);
        std::fs::create_dir_all(&folder).unwrap();
        for (index, seed) in seeds.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{index:03}")), seed).unwrap();
        }
        println!("{target}: {} seeds", seeds.len());
    }
}

/// Records of genuine tokens.
fn recorded() -> Vec<Value> {
    let file: Value =
        serde_json::from_str(include_str!("../../../../../vectors/real-tokens.json")).unwrap();
    file["records"].as_array().unwrap().clone()
}

fn field(record: &Value, name: &str) -> Option<Vec<u8>> {
    hex::decode(record[name].as_str()?).ok()
}

fn recorded_commands(recorded: &[Value]) -> Seeds {
    recorded
        .iter()
        .filter_map(|record| field(record, "command_hex"))
        .collect()
}

fn recorded_responses(recorded: &[Value]) -> Seeds {
    recorded
        .iter()
        .filter_map(|record| field(record, "response_hex"))
        .filter(|response| response.len() > 2)
        .collect()
}

/// One seed for each recorded sequence of exchanges.
fn sequences(recorded: &[Value]) -> Seeds {
    let mut sequences: BTreeMap<String, Seeds> = BTreeMap::new();
    for record in recorded {
        let name = record["sequence"].as_str().unwrap_or("alone").to_owned();
        if let Some(command) = field(record, "command_hex") {
            sequences.entry(name).or_default().push(command);
        }
    }
    sequences
        .values()
        .map(|commands| with_lengths(commands))
        .collect()
}

fn with_lengths(commands: &[Vec<u8>]) -> Vec<u8> {
    let mut all = Vec::new();
    for command in commands {
        all.extend_from_slice(&u16::try_from(command.len()).unwrap().to_be_bytes());
        all.extend_from_slice(command);
    }
    all
}

/// One command of each kind.
fn commands() -> Seeds {
    let papers = Stage::get().papers();
    let p256 = hsm2_emulator::crypto::Curve::Secp256r1;
    vec![
        SELECT.to_vec(),
        log_in(),
        short(0x00, 0x20, 0, 0x88, hsm2_attack::apdu::SO_PIN),
        hsm2_attack::apdu::generate_ec(0x20, p256, b"ZZKEY00020", &[0x92, 1, 0]),
        hsm2_attack::apdu::extended(0x00, 0x48, 0x21, 0xB0, &[]),
        fixture::sign(fixture::COUNTED_KEY),
        hsm2_attack::apdu::extended(0x80, 0x62, fixture::EC_KEY, 0x80, p256.parameters().g),
        hsm2_attack::apdu::extended(0x80, 0x62, fixture::RSA_KEY, 0x22, &[7; 128]),
        hsm2_attack::apdu::extended(0x80, 0x78, fixture::AES_KEY, 0x18, &[7; 20]),
        fixture::wrap(fixture::EC_KEY),
        fixture::unwrap(0x22, &papers.blob),
        fixture::create_domain(3, 2),
        fixture::share(3, 7),
        update(0xCA02, 0, &[1; 40]),
        update(0x2F10, 0, &papers.blob),
        short(0x80, 0x74, 0x23, 0x93, &[]),
        read(0xCA02),
        hsm2_attack::apdu::delete(0xCA02),
        vec![0x80, 0x58, 0, 0, 0, 0, 0],
        vec![0x00, 0x84, 0, 0, 8],
        short(0x00, 0x24, 0, 0x81, b"648219135790"),
        short(0x00, 0x2C, 0, 0x81, b"57621880648219"),
        initialize(1, &[0x92, 1, 2]),
        initialize(1, &[0x93, 2, 2, 1, 0x97, 1, 2]),
    ]
}

/// Certificates and requests behind the byte that says what they are.
fn certificates() -> Seeds {
    let papers = Stage::get().papers();
    let whole = |tag, content: &Vec<u8>| Writer::new().element(tag, content).into_vec();
    let chain = [&papers.devices[0], &papers.issuer].map(|one| whole(tag::CERTIFICATE, one));
    let mut all = vec![[&[2], &chain.concat()[..]].concat()];
    let mut elements = recorded::certificates();
    elements.extend(chain);
    elements
        .extend([&papers.exchange[0], &papers.custodian].map(|one| whole(tag::AUTHENTICATED, one)));
    for bytes in elements {
        let element = Reader::new(&bytes).next_element().unwrap();
        let first = Reader::new(element.value).next_element().unwrap();
        let [as_it_is, inside] = match element.tag {
            tag::CERTIFICATE => [0, 1],
            _ => [3, 4],
        };
        all.push([&[as_it_is], element.value].concat());
        all.push([&[inside], first.value].concat());
        all.push([&[2], &bytes[..]].concat());
    }
    all
}

/// No lie to each tool, one of each kind to an early and a late question, and another device's
/// certificates.
fn lies() -> Seeds {
    let lie = |tool, wait, what, bytes: &[u8]| {
        let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        [&[tool, wait, what, 0, 5], &length[..], bytes].concat()
    };
    let certificates = recorded::certificates();
    let mut all: Seeds = (0..3).map(|tool| vec![tool]).collect();
    for tool in 0..3 {
        for wait in [0, 2, 9, 40] {
            all.extend((0..8).map(|what| lie(tool, wait, what, &[0x90, 0x00])));
        }
        // The second answer is the file of certificates.
        for pair in certificates.windows(2) {
            all.push(lie(tool, 1, 1, &pair.concat()));
        }
    }
    all
}

fn blobs(recorded: &[Value]) -> Seeds {
    let kek = Kek::new(&[0x5A; 32]);
    let mut rng = CardRng::from_seed([3; 32]);
    let [bench, _] = Stage::get().cards();
    let mut seeds: Seeds = recorded_responses(recorded)
        .into_iter()
        .filter(|bytes| bytes.len() > 200)
        .map(|bytes| [vec![0], bytes].concat())
        .collect();
    for (_, key) in bench.card.memory().keys() {
        let sealed =
            hsm2_emulator::blob::seal(&kek, &key.material, None, &NITROKEY_HSM2, &mut rng).unwrap();
        seeds.push([vec![0], sealed.clone()].concat());
        // KCV, type, default algorithm with its length, three empty fields; then what is enciphered.
        let start = 8 + 1 + 2 + usize::from(sealed[10]) + 6;
        let cryptogram = &sealed[start..sealed.len() - 16];
        let plain =
            symmetric::aes_cbc_decrypt(&kek.encryption_key()[..], &[0; 16], cryptogram).unwrap();
        seeds.push([vec![1, sealed[8], 0], plain].concat());
    }
    seeds
}

/// One script for each action.
fn scripts() -> Seeds {
    let actions = [
        r#"{"status": "6A82"}"#,
        r#"{"data": "0102"}, {"append": "00"}"#,
        r#"{"replace": "0102"}"#,
        r#"{"cut": 5}"#,
        r#"{"flip": [3, "80"]}"#,
        r#"{"length": "long"}, {"length": "short"}"#,
        r#"{"length": "huge"}"#,
        r#"{"length": "endless"}"#,
        r#"{"nest": 100}"#,
        r#"{"storm": {"word": "61FF", "count": 3}}"#,
        r#"{"delay": 1}"#,
        r#""silence""#,
        r#""remove""#,
        r#""reset""#,
        r#"{"power_loss": 1}"#,
    ];
    let rule = |on: &str, action: &str| format!(r#"[{{"on": {{{on}}}, "do": [{action}]}}]"#);
    let mut seeds: Seeds = actions
        .iter()
        .map(|action| rule(r#""ins": "B1""#, action).into_bytes())
        .collect();
    let on = r#""name": "SIGN", "p1": "01", "p2": "73", "nth": 1"#;
    seeds.push(rule(on, actions[0]).into_bytes());
    seeds.push(rule(r#""name": "VERIFY""#, actions[14]).into_bytes());
    seeds
}

/// A report, the profiles of the harness, a trace; the first byte says which.
fn reports() -> Seeds {
    let exchange = serde_json::json!({
        "card": "A", "time": "2026-01-31T12:00:00.123456Z", "command": "0020008106************",
        "response": "9000", "name": "VERIFY", "details": ["user PIN"], "status": "9000",
        "meaning": "done", "micros": 41,
    });
    let entry = serde_json::json!({
        "id": "verify.user_pin.right_pin_logs_in", "area": "verify", "title": "t", "source": "s",
        "effect": "read-only", "start": "as-found", "verdict": "fail", "reason": "r",
        "finding": {"expected": "9000", "found": "6982", "exchange": 1},
        "observations": ["o"], "millis": 1.5, "exchanges": [exchange], "rerun": "again",
    });
    let device = serde_json::json!({
        "place": "embedded", "atr": "3BFE18", "serial": "VT0000001", "version": "3.6",
        "options": 1, "platform": 0, "is_virtual": true,
    });
    let card = serde_json::json!({
        "card": "A", "serial": "VT0000001", "keys": [{"key": 1, "domain": 0}],
        "domains": [{"slot": 0, "kind": "dkek", "shares": 1, "outstanding": 0,
            "check_value": "AA", "group": "BB"}],
    });
    let report = serde_json::json!({
        "schema_version": "1.0", "tool": "t", "began": "2026-01-31T12:00:00Z", "millis": 7.25,
        "target": "embedded", "device": device, "second": device, "profile": ["virtual-3.6", "t"],
        "seed": 1, "known_scenarios": 2, "chosen_scenarios": 1, "aborted": "a",
        "counts": {"fail": 1}, "cards": [card], "results": [entry],
    });
    let parsed: Result<hsm2_harness::report::Report, _> = serde_json::from_value(report.clone());
    assert!(parsed.is_ok(), "{parsed:?}");
    let departure = "[[departure]]\nscenario = \"verify.*\"\nfound = \"6A81\"\n\
        reason = \"r\"\nseen = \"s\"\n";
    let trace = r#"{"time":"2026-01-31T12:00:00.1Z","card":"A","event":"reset"}
{"time":"2026-01-31T12:00:00.2Z","card":"A","command":"00A4040C0BE82B0601040181C31F020100","response":"9000"}
{"time":"2026-01-31T12:00:00.3Z","card":"A","command":"0020008106************","response":"9000","name":"VERIFY","about":"user PIN","status":"9000 done","micros":41,"blanked":true}
{"time":"2026-01-31T12:00:00.4Z","card":"A","command":"0084000008","response":"****************9000"}
"#;
    let profile = include_str!("../../../../../harness/profiles/virtual-3.6.toml");
    vec![
        [vec![0], serde_json::to_vec(&report).unwrap()].concat(),
        [&[1], profile.as_bytes()].concat(),
        [&[1], profile.as_bytes(), departure.as_bytes()].concat(),
        [&[2], trace.as_bytes()].concat(),
    ]
}

/// Keys as files of every kind.
fn key_files() -> Seeds {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../harness/tests/data/keys");
    let mut seeds: Seeds = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    seeds.push(b"000102030405060708090a0b0c0d0e0f".to_vec());
    seeds.push(vec![7; 24]);
    seeds
}

fn shares(recorded: &[Value]) -> Seeds {
    let mut seeds: Seeds = recorded_responses(recorded)
        .into_iter()
        .filter(|bytes| bytes.starts_with(b"Salted__"))
        .collect();
    seeds.push(recorded::share_file());
    seeds.push(
        b"Prime       : c5:13:7e:27:8f:0a:65:4f\nShare ID    : 1\nShare value : 1e:14:a4:22\n\
          Share ID    : 0a\nShare value : 01\n"
            .to_vec(),
    );
    seeds.push(b"a4:21:63:e8:2d:4e:a0:c7\n1\n1e:14:a4:22:13:1a:2c:4f\n".to_vec());
    seeds
}

/// A card file that is to be repaired and whose regions have eight pages: redb panics over it when it
/// was built with debug assertions.
fn contradicting_card_file() -> Vec<u8> {
    let mut bytes = card_file();
    bytes[9] |= 0x02;
    bytes[0x14..0x18].copy_from_slice(&8u32.to_le_bytes());
    bytes
}

fn card_file() -> Vec<u8> {
    let [bench, _] = Stage::get().cards();
    let path = std::env::temp_dir().join(format!("hsm2-seed-{}", std::process::id()));
    FileStore::create(&path, |mut store| {
        let records = bench.store.records();
        let changes: Vec<_> = records
            .into_iter()
            .map(|(name, value)| Change::Put(name, value))
            .collect();
        store.commit(&changes)
    })
    .unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    bytes
}

fn trace(commands: &[Vec<u8>]) -> Vec<u8> {
    let mut all = Vec::new();
    for command in commands.iter().filter(|command| command.len() < 256) {
        all.push(u8::try_from(command.len()).unwrap());
        all.extend_from_slice(command);
        all.extend_from_slice(&[2, 0x90, 0x00]);
    }
    all
}

fn vpcd(commands: &[Vec<u8>]) -> Vec<u8> {
    let mut all = vec![7, 0, 1, 1, 0, 1, 4];
    all.extend(with_lengths(commands));
    all.extend_from_slice(&[0, 1, 2, 0, 0, 0, 1, 0]);
    all
}
