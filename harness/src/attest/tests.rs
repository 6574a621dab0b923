mod kinds;

use super::*;
use crate::card::command::{Command, Expect};
use crate::card::cvc::{Kind, object};
use crate::card::{Attributes, Setup};
use crate::key::curves::CURVES;
use crate::transport::embedded::Embedded;
use crate::transport::{Target, TransportError};

/// 24 November 2026.
fn today() -> Date {
    Date::from_days(20_781)
}

fn initialised(serial: &str) -> Card {
    let mut card = Card::new(Box::new(Embedded::new(serial).unwrap()));
    card.select().unwrap();
    let setup = Setup {
        pin: b"648219",
        so_pin: b"57621880",
        slots: 1,
    };
    card.initialize(&setup).unwrap();
    card
}

/// A card that other commands than its own answers are made up for.
struct Altered<F> {
    card: Box<dyn Target>,
    answer: F,
}

impl<F: FnMut(&[u8], Vec<u8>) -> Vec<u8>> Target for Altered<F> {
    fn describe(&self) -> String {
        "an altered card".into()
    }
    fn atr(&self) -> Vec<u8> {
        self.card.atr()
    }
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let answer = self.card.transmit(command)?;
        Ok((self.answer)(command, answer))
    }
    fn reset(&mut self) -> Result<(), TransportError> {
        self.card.reset()
    }
    fn power_cycle(&mut self) -> Result<(), TransportError> {
        self.card.power_cycle()
    }
}

fn altered(card: Card, answer: impl FnMut(&[u8], Vec<u8>) -> Vec<u8> + 'static) -> Card {
    card.through(|card| Box::new(Altered { card, answer }))
}

/// READ BINARY of a file.
fn reads(command: &[u8], file: u16) -> bool {
    let [high, low] = file.to_be_bytes();
    command.starts_with(&[0x00, 0xb1, high, low])
}

/// A key on any curve, with a request that names nobody, as sc-hsm-embedded has it made.
fn generate_on(card: &mut Card, key: u8, curve: &str) {
    let curve = CURVES.iter().find(|known| known.name == curve).unwrap();
    let [a, b, p, n, g] = curve.parameters();
    let fields = [
        object(0x06, &[&[4, 0, 0x7f, 0, 7, 2, 2, 2, 2, 3]]),
        object(0x81, &[&p]),
        object(0x82, &[&a]),
        object(0x83, &[&b]),
        object(0x84, &[&g]),
        object(0x85, &[&n]),
        object(0x87, &[&[1]]),
    ];
    let template = [
        object(0x5f29, &[&[0]]),
        object(0x7f49, &[&fields.concat()]),
        object(0x5f20, &[b"UTDUMMY00000"]),
    ];
    let command = Command::new("GENERATE KEY PAIR", [0x00, 0x46, key, 0x00]);
    let command = command.data(&template.concat()).expect(Expect::All);
    assert_eq!(card.exchange(&command).unwrap().1, StatusWord::OK);
}

fn in_slot() -> Attributes<'static> {
    Attributes {
        domain: Some(0),
        algorithms: &[],
    }
}

#[test]
fn a_virtual_card_holds_together_and_says_what_it_is_worth() {
    let mut card = initialised("ATTEST");
    let chain = card.chain().unwrap();
    for (key, kind) in (1..).zip([Kind::P256, Kind::BrainpoolP256r1, Kind::Rsa(1024)]) {
        card.generate(key, kind, &Attributes::default(), &chain)
            .unwrap();
    }
    for (key, curve) in (4..).zip(["secp384r1", "secp521r1", "brainpoolP512r1", "secp192k1"]) {
        generate_on(&mut card, key, curve);
    }
    card.take_exchanges();
    let found = attest(&mut card, None, today()).unwrap();
    assert_eq!(found.serial, "ZZATTEST");
    assert_eq!(found.root, Some(Worth::Virtual));
    assert_eq!(found.possession, Possession::Proven);
    assert_eq!(found.findings, Vec::<String>::new());
    assert_eq!(found.verdict, Verdict::WithoutValue);
    assert!(
        found
            .certificates
            .iter()
            .all(|one| one.signature == Some(true) && one.in_time)
    );
    let kinds: Vec<_> = found
        .keys
        .iter()
        .map(|key| key.kind.as_deref().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "EC secp256r1",
            "EC brainpoolP256r1",
            "RSA-1024",
            "EC secp384r1",
            "EC secp521r1",
            "EC brainpoolP512r1",
            "EC secp192k1"
        ]
    );
    assert!(found.keys.iter().all(|key| key.origin == Origin::MadeHere));
    let words = found.in_words();
    for told in [
        "proves nothing",
        "EC secp521r1, UTDUMMY00000: made in this device",
    ] {
        assert!(words.contains(told), "{words}");
    }
    // Nothing was changed, no PIN was presented, and the channel is closed.
    let sent = card.take_exchanges();
    let reading = [0xa4, 0xb1, 0x58, 0x22, 0x86];
    assert!(
        sent.iter().all(|sent| reading.contains(&sent.header[1])),
        "{sent:?}"
    );
    assert_eq!(sent.last().unwrap().name, "SELECT");
}

#[test]
fn what_is_not_attested_is_no_failure_unless_it_was_asked_for() {
    let mut card = initialised("ATTEST");
    let chain = card.chain().unwrap();
    card.create_dkek(0, 0).unwrap();
    card.generate(1, Kind::P256, &in_slot(), &chain).unwrap();
    let blob = card.wrap(1).unwrap();
    card.unwrap_key(2, &blob).unwrap();
    card.write(0xce01, &[0x30, 0x03, 0x02, 0x01, 0x00]).unwrap();
    let found = attest(&mut card, None, today()).unwrap();
    assert_eq!(found.verdict, Verdict::WithoutValue);
    let told: Vec<_> = found.keys.iter().map(Key::in_words).collect();
    assert!(
        told[0].contains("a certificate stands in place"),
        "{told:?}"
    );
    assert!(told[1].contains("there is no request"), "{told:?}");
    for key in [1, 2, 9] {
        let found = attest(&mut card, Some(key), today()).unwrap();
        assert_eq!(found.verdict, Verdict::Refuted);
        assert!(found.findings[0].starts_with(&format!("key {key} is not attested")));
    }
}

#[test]
fn a_request_of_another_device_or_with_a_changed_byte_is_wrong() {
    let mut other = initialised("OTHER");
    let chain = other.chain().unwrap();
    other
        .generate(1, Kind::P256, &Attributes::default(), &chain)
        .unwrap();
    let foreign = other.read(0xce01).unwrap();
    let mut card = initialised("ATTEST");
    let chain = card.chain().unwrap();
    card.generate(1, Kind::P256, &Attributes::default(), &chain)
        .unwrap();
    let own = card.read(0xce01).unwrap();
    let verdict = |card: &mut Card, content: &[u8]| {
        card.write(0xce01, content).unwrap();
        let found = attest(card, None, today()).unwrap();
        let wrong = matches!(found.keys[0].origin, Origin::Wrong(_));
        // The attestation has ended the login.
        let pin = Command::new("VERIFY", [0x00, 0x20, 0x00, 0x81]).data(b"648219");
        assert_eq!(card.exchange(&pin).unwrap().1, StatusWord::OK);
        (found.verdict, wrong)
    };
    assert_eq!(verdict(&mut card, &foreign), (Verdict::Refuted, true));
    for at in [20, 60, 200, 330, 400, own.len() - 1] {
        let mut changed = own.clone();
        changed[at] ^= 1;
        assert_eq!(
            verdict(&mut card, &changed),
            (Verdict::Refuted, true),
            "{at}"
        );
    }
    assert_eq!(verdict(&mut card, &own), (Verdict::WithoutValue, false));
}

#[test]
fn copied_certificates_do_not_prove_a_key() {
    let stolen = initialised("STOLEN").read(0x2f02).unwrap();
    let answer = [&stolen[..], &[0x62, 0x82]].concat();
    let mut copy = altered(initialised("COPY"), move |command, own| {
        if reads(command, 0x2f02) {
            answer.clone()
        } else {
            own
        }
    });
    let found = attest(&mut copy, None, today()).unwrap();
    assert_eq!(
        (found.serial.as_str(), found.root),
        ("ZZSTOLEN", Some(Worth::Virtual))
    );
    assert!(matches!(found.possession, Possession::Disproved(_)));
    assert_eq!(found.verdict, Verdict::Refuted);
}

#[test]
fn a_card_without_chip_authentication_is_not_proven() {
    let mut card = altered(initialised("OLD"), |command, own| match command {
        [0x00, 0x86, ..] | [0x00, 0x22, 0x41, ..] => vec![0x6d, 0x00],
        _ => own,
    });
    let found = attest(&mut card, None, today()).unwrap();
    assert_eq!(found.verdict, Verdict::NotProven);
    assert!(found.findings[0].contains("6D00"), "{:?}", found.findings);
}

#[test]
fn a_changed_certificate_or_an_unknown_root_is_refuted() {
    let file = initialised("ATTEST").read(0x2f02).unwrap();
    for at in [60, 230, file.len() - 1] {
        let mut changed = file.clone();
        changed[at] ^= 1;
        changed.extend([0x62, 0x82]);
        let mut card = altered(initialised("ATTEST"), move |command, own| {
            if reads(command, 0x2f02) {
                changed.clone()
            } else {
                own
            }
        });
        match attest(&mut card, None, today()) {
            Ok(found) => {
                assert_eq!(
                    (found.verdict, found.root),
                    (Verdict::Refuted, None),
                    "{at}"
                );
                assert!(!found.findings.is_empty());
            }
            Err(CardError::Answer { .. }) => {}
            Err(other) => panic!("{at}: {other}"),
        }
    }
    let vectors = include_str!("../../../vectors/xkek.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
    let mut foreign = hex::decode(vectors["ef_2F02_A"].as_str().unwrap()).unwrap();
    foreign.extend([0x62, 0x82]);
    let mut card = altered(initialised("ATTEST"), move |command, own| {
        if reads(command, 0x2f02) {
            foreign.clone()
        } else {
            own
        }
    });
    let found = attest(&mut card, None, today()).unwrap();
    assert_eq!(found.verdict, Verdict::Refuted);
    let told = found.findings.join("\n");
    assert!(
        told.contains("ZZTSTROOT00001, a root that nobody knows"),
        "{told}"
    );
}

/// What was recorded of a genuine Nitrokey HSM 2 with firmware 4.1.
struct Recorded(Vec<(u16, Vec<u8>)>);

impl Recorded {
    fn new() -> Self {
        let vectors = include_str!("../../../vectors/real-tokens.json");
        let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
        let wanted = ["ef2f02-41", "req-41-ce01", "req-41-ce03", "req-41-ce04"];
        let records = vectors["records"].as_array().unwrap().iter();
        let files = records.filter(|record| wanted.iter().any(|id| record["id"] == *id));
        let files = files.map(|record| {
            let id = u16::from_str_radix(record["fid"].as_str().unwrap(), 16).unwrap();
            (
                id,
                hex::decode(record["response_hex"].as_str().unwrap()).unwrap(),
            )
        });
        let files: Vec<_> = files.collect();
        assert_eq!(files.len(), wanted.len());
        Self(files)
    }
}

impl Target for Recorded {
    fn describe(&self) -> String {
        "a record".into()
    }
    fn atr(&self) -> Vec<u8> {
        Vec::new()
    }
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        Ok(match command {
            [0x00, 0xa4, ..] => vec![0x90, 0x00],
            [0x80, 0x58, ..] => {
                let keys = [0x2f, 0x02, 0xcc, 0x00, 0xcc, 0x01, 0xcc, 0x03, 0xcc, 0x04];
                [&keys[..], &[0x90, 0x00]].concat()
            }
            [0x00, 0xb1, high, low, ..] => {
                let id = u16::from_be_bytes([*high, *low]);
                let file = self.0.iter().find(|(file, _)| *file == id);
                match file {
                    Some((_, content)) => [&content[..], &[0x62, 0x82]].concat(),
                    None => vec![0x6a, 0x82],
                }
            }
            _ => vec![0x6d, 0x00],
        })
    }
    fn reset(&mut self) -> Result<(), TransportError> {
        Ok(())
    }
    fn power_cycle(&mut self) -> Result<(), TransportError> {
        Ok(())
    }
}

#[test]
fn a_genuine_devices_certificates_and_requests_verify_up_to_the_vendors_root() {
    let mut card = Card::new(Box::new(Recorded::new()));
    let found = attest(&mut card, None, today()).unwrap();
    assert_eq!(found.serial, "DENK0404144");
    assert_eq!(found.root, Some(Worth::Production));
    let told: Vec<_> = found.keys.iter().map(Key::in_words).collect();
    assert_eq!(found.keys.len(), 3, "{told:?}");
    assert!(
        found.keys.iter().all(|key| key.origin == Origin::MadeHere),
        "{told:?}"
    );
    // A record cannot prove that it has a key.
    assert_eq!(found.verdict, Verdict::NotProven);
    let expired = |found: &Attestation| found.findings.iter().any(|text| text.contains("expired"));
    assert!(!expired(&found), "{:?}", found.findings);

    // 1 January 2040.
    let found = attest(&mut card, Some(3), Date::from_days(25_567)).unwrap();
    assert!(expired(&found), "{:?}", found.findings);
    assert_eq!(
        found.verdict,
        Verdict::NotProven,
        "expiry changes no verdict"
    );
    assert!(
        found
            .certificates
            .iter()
            .all(|one| one.signature == Some(true) && !one.in_time)
    );
}

#[test]
fn verdicts_say_the_worst_that_was_found() {
    let worth = [None, Some(Worth::Production), Some(Worth::Test)];
    let not_proven = Possession::NotProven(String::new());
    let rows = [
        (worth[0], Possession::Proven, Verdict::Refuted),
        (worth[1], Possession::Proven, Verdict::Genuine),
        (worth[1], not_proven.clone(), Verdict::NotProven),
        (
            worth[1],
            Possession::Disproved(String::new()),
            Verdict::Refuted,
        ),
        (worth[2], Possession::Proven, Verdict::WithoutValue),
        (worth[2], not_proven, Verdict::NotProven),
    ];
    for (root, possession, expected) in rows {
        assert_eq!(
            verdict(root, &[], &possession, &[], false),
            expected,
            "{root:?} {possession:?}"
        );
    }
}
