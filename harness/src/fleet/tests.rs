use openssl::bn::{BigNum, MsbOption};

use super::*;
use crate::apdu::Apdu;
use crate::device::identify;
use crate::guard::{Consent, Guard};
use crate::interrupt::Interrupt;
use crate::scenario::Start;
use crate::suite::fixture;
use crate::suite::stock::Stock;
use crate::suite::wire::Log;
use crate::transport::embedded::Embedded;

fn reported(hand: &mut Hand, identity: &Identity, depth: Depth) -> DeviceReport {
    report(hand, identity, depth, &mut |_| {}, &Interrupt::default()).unwrap()
}

fn identity() -> Identity {
    identify(&mut Embedded::new("SUITEA").unwrap()).unwrap().0
}

/// INITIALIZE DEVICE with the suite's PINs and more objects.
fn initialize(more: &[u8]) -> Apdu {
    apdu(0x8050_0000).parts(&[
        &[0x80, 2, 0, 1, 0x81, 6],
        fixture::PIN,
        &[0x82, 8],
        &fixture::SO_PIN,
        more,
    ])
}

#[test]
fn a_full_card_in_short() {
    let mut hand = Stock::default().honest_card('A', Start::Keys).unwrap();
    hand.select().unwrap();
    let before = hand.objects().unwrap();
    let depth = Depth {
        test_keys: true,
        rsa: Some(1024),
        key_domain: true,
    };
    let report = reported(&mut hand, &identity(), depth);
    assert_eq!(report.user_pin, "3 tries left");
    assert_eq!(report.so_pin, "15 tries left");
    assert_eq!(
        report.options,
        ["the user PIN can be reset with the SO-PIN"]
    );
    assert!(report.free_memory.unwrap() > 10_000);
    assert_eq!(report.map.domains[0].shares, Some(2));
    assert_eq!(
        report.map.domains[0].check_value,
        Some(fixture::dkek().check_value().to_string())
    );
    assert!(report.checks.iter().all(|check| check.good != Some(false)));
    let good = |name: &str| {
        let good = |check: &&Check| check.name == name && check.good == Some(true);
        report.checks.iter().filter(good).count()
    };
    assert_eq!(good("top bits of ECDSA nonces"), 1);
    // All three test keys are looked at.
    assert_eq!(good("RSA modulus"), 3);
    assert_eq!(report.refused, Vec::<String>::new());
    for (what, runs) in [
        ("EC secp521r1: make a key", 5),
        ("EC brainpoolP512r1: sign", 20),
        ("EC secp192k1: ECDH", 20),
        ("RSA-1024: make a key", 3),
        ("RSA-1024: decipher", 20),
        ("AES-128: CMAC of 240 bytes", 20),
        ("AES-256: CBC, decrypt 240 bytes", 20),
    ] {
        let measure = report.measured.iter().find(|one| one.what == what);
        assert_eq!(measure.map(|one| one.runs), Some(runs), "{what}");
    }
    // The whole command has 1232 bytes at most: header and lengths take nine.
    let limits: Vec<_> = report
        .limits
        .iter()
        .map(|limit| (limit.what, limit.most_bytes))
        .collect();
    assert_eq!(
        limits,
        [
            ("random bytes in one answer", Some(1024)),
            ("a file", Some(8192)),
            ("data in one answer (READ BINARY)", Some(4096)),
            ("data of AES-CBC in one command", Some(1216)),
            ("data in one command (SIGN of a message)", Some(1216)),
        ]
    );
    let vouched = &report.vouched;
    assert_eq!(vouched.certificates.len(), 2);
    assert_eq!(vouched.certificates[0].holder, "ZZSUITEA00000");
    assert!(vouched.certificates[0].days_left.unwrap() > 0);
    assert_eq!(vouched.root, Some(Worth::Virtual));
    assert_eq!(vouched.possession, Possession::Proven);
    assert_eq!(vouched.verdict, Verdict::WithoutValue);
    assert_eq!(vouched.findings, Vec::<String>::new());
    // Test keys are gone.
    assert_eq!(hand.objects().unwrap(), before);
    let text = markdown(&report);
    assert!(text.contains("slot 0: dkek, check value"), "{text}");
    // Keys that came by UNWRAP have no description.
    assert!(text.contains("ORPHAN CC01"), "{text}");
}

/// A report on a card to which nothing may be done.
fn only_looked_at(mut target: Box<dyn crate::transport::Target>) -> DeviceReport {
    let (guard, identity) = Guard::admit(&mut *target, &Consent::default()).unwrap();
    let mut hand = Hand::new('A', target, guard, Log::default(), fixture::secrets());
    hand.select().unwrap();
    reported(&mut hand, &identity, Depth::default())
}

/// The certificates of a genuine device, on a card that has not its key.
#[test]
fn the_vendors_root_is_known_and_a_copy_of_certificates_is_refuted() {
    let records = include_str!("../../../vectors/real-tokens.json");
    let records: serde_json::Value = serde_json::from_str(records).unwrap();
    let list = records["records"].as_array().unwrap();
    let record = list.iter().find(|one| one["id"] == "ef2f02-41").unwrap();
    let mut file = hex::decode(record["response_hex"].as_str().unwrap()).unwrap();
    file.extend([0x90, 0x00]);
    let card = Broken(Embedded::new("COPY").unwrap(), move |command: &[u8]| {
        command
            .starts_with(&[0x00, 0xb1, 0x2f, 0x02])
            .then(|| file.clone())
    });
    let report = only_looked_at(Box::new(card));
    assert!(!report.device.is_virtual);
    let vouched = &report.vouched;
    assert_eq!(vouched.root, Some(Worth::Production));
    assert!(
        vouched
            .certificates
            .iter()
            .all(|one| one.signature == Some(true))
    );
    assert!(matches!(vouched.possession, Possession::Disproved(_)));
    assert_eq!(vouched.verdict, Verdict::Refuted);
    let text = markdown(&report);
    assert!(
        text.contains("- Root: the vendor's root: a genuine device"),
        "{text}"
    );
    assert!(
        text.contains("- FINDING: the device does not have its key"),
        "{text}"
    );
}

/// Whatever day it is when this runs, a certificate of the past has expired.
#[test]
fn an_expired_certificate_is_a_finding_in_words() {
    let mut report = only_looked_at(Box::new(Embedded::new("OLD").unwrap()));
    let mut card = crate::card::Card::new(Box::new(Embedded::new("OLD").unwrap()));
    let tomorrow_of_the_last_day = Date::from_days(29_220);
    report.vouched = attest::attest_device(&mut card, tomorrow_of_the_last_day)
        .unwrap()
        .into();
    let text = markdown(&report);
    assert!(text.contains("EXPIRED 1 days ago"), "{text}");
    assert!(
        text.contains("- FINDING: the certificate of ZZOLD00000 expired on 2049-12-31"),
        "{text}"
    );
    assert_eq!(report.vouched.verdict, Verdict::WithoutValue);
}

#[test]
fn without_permission_it_only_looks() {
    let report = only_looked_at(Box::new(Embedded::new("LOOK").unwrap()));
    assert_eq!(report.user_pin, "not set");
    assert_eq!(report.measured.len(), 2);
    assert_eq!(report.limits.len(), 1);
    assert!(report.checks.iter().any(|check| check.good.is_none()));
}

/// A card in a reader that loses it over what is longer than 1014 bytes, until it is reset.
struct Losing(Embedded, bool);

impl crate::transport::Target for Losing {
    fn describe(&self) -> String {
        self.0.describe()
    }

    fn atr(&self) -> Vec<u8> {
        self.0.atr()
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let response = self.0.transmit(command)?;
        self.1 |= command.len() > 1014 || response.len() > 1014;
        if self.1 {
            let what = "the reader lost the card".to_string();
            return Err(TransportError::Protocol(what));
        }
        Ok(response)
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.1 = false;
        self.0.reset()
    }

    fn power_cycle(&mut self) -> Result<(), TransportError> {
        self.1 = false;
        self.0.power_cycle()
    }
}

#[test]
fn a_reader_that_loses_the_card_over_long_commands_ends_nothing() {
    let card = Embedded::prepared("LOSING", [initialize(&[0x91, 1, 3])]);
    let mut target: Box<dyn crate::transport::Target> = Box::new(Losing(card, false));
    let (guard, identity) = Guard::admit(&mut *target, &Consent::default()).unwrap();
    let mut hand = Hand::new('A', target, guard, Log::default(), fixture::secrets());
    hand.select().unwrap();
    let before = hand.objects().unwrap();
    let depth = Depth {
        test_keys: true,
        ..Depth::default()
    };
    let report = reported(&mut hand, &identity, depth);
    let limit = |what: &str| {
        let limit = report.limits.iter().find(|limit| limit.what == what);
        limit.unwrap_or_else(|| panic!("{what} in {:?}", report.limits))
    };
    for (what, most) in [
        ("random bytes in one answer", 1008),
        ("data in one answer (READ BINARY)", 1008),
        ("data of AES-CBC in one command", 992),
        ("data in one command (SIGN of a message)", 1000),
    ] {
        let limit = limit(what);
        assert_eq!(limit.most_bytes, Some(most), "{limit:?}");
        assert!(limit.tried.contains("no answer"), "{limit:?}");
    }
    assert_eq!(limit("a file").most_bytes, Some(8192));
    assert_eq!(hand.objects().unwrap(), before);
    // Without a slot for a key domain no key that is known here comes in, whatever is allowed.
    assert!(report.map.domains.is_empty());
}

#[test]
fn a_key_domain_that_the_device_does_not_delete_is_told() {
    let card = Embedded::prepared("STAYS", [initialize(&[0x91, 1, 3, 0x97, 1, 2])]);
    let card = Broken(card, |command: &[u8]| {
        let deletes = command.starts_with(&[0x80, 0x52, 0x03]);
        deletes.then(|| vec![0x69, 0x85])
    });
    let mut target: Box<dyn crate::transport::Target> = Box::new(card);
    let (guard, identity) = Guard::admit(&mut *target, &Consent::default()).unwrap();
    let mut hand = Hand::new('A', target, guard, Log::default(), fixture::secrets());
    hand.select().unwrap();
    let before = hand.objects().unwrap();
    let depth = Depth {
        test_keys: true,
        rsa: None,
        key_domain: true,
    };
    let report = reported(&mut hand, &identity, depth);
    assert_eq!(report.left, ["a key domain in slot 0"]);
    let text = markdown(&report);
    let line = "LEFT ON THE DEVICE, which did not delete it: a key domain in slot 0";
    assert!(text.contains(line), "{text}");
    // The keys are gone all the same.
    assert_eq!(hand.objects().unwrap(), before);
}

/// A certificate for somebody's key on this curve.
fn x509(curve: openssl::nid::Nid) -> Vec<u8> {
    use openssl::{asn1::Asn1Time, ec, hash::MessageDigest, pkey::PKey, x509::X509Builder};
    let group = ec::EcGroup::from_curve_name(curve).unwrap();
    let key = PKey::from_ec_key(ec::EcKey::generate(&group).unwrap()).unwrap();
    let mut builder = X509Builder::new().unwrap();
    builder.set_pubkey(&key).unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(1).unwrap())
        .unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    builder.build().to_der().unwrap()
}

#[test]
fn every_key_has_its_kind_conditions_and_origin() {
    use crate::card::cvc::{Kind, generation, object};
    let mut hand = Stock::default().honest_card('A', Start::Domains).unwrap();
    let make = |key: u8, kind, conditions: &[u8]| {
        let data = generation(kind, b"UTTEST00001", conditions);
        apdu(0x0046_0000).p1(key).data(data).all()
    };
    let write = |kind: u8, key: u8, content: &[u8]| {
        let file = u32::from(u16::from_be_bytes([kind, key]));
        let data = [object(0x54, &[&[0, 0]]), object(0x53, &[content])];
        apdu(0x00d7_0000 | file).data(data.concat())
    };
    let conditions = [0x90, 4, 0, 0, 0, 5, 0x91, 2, 0x70, 0x92, 0x92, 1, 0];
    hand.ok(make(1, Kind::P256, &conditions)).unwrap();
    hand.ok(make(2, Kind::Rsa(1024), &[])).unwrap();
    hand.ok(apdu(0x0048_00b2).p1(3).data([0x91, 2, 0x10, 0x18]))
        .unwrap();
    let skd = "A81030030C014130030401 01A00402020100".replace(' ', "");
    hand.ok(write(0xc4, 3, &hex::decode(skd).unwrap())).unwrap();
    hand.ok(make(4, Kind::P256, &[])).unwrap();
    hand.ok(write(0xce, 4, &x509(openssl::nid::Nid::X9_62_PRIME256V1)))
        .unwrap();
    hand.ok(make(5, Kind::P256, &[])).unwrap();
    hand.delete(0xce05).unwrap();
    hand.ok(make(6, Kind::P256, &[0x91, 1, 0x80])).unwrap();
    hand.delete(0xce06).unwrap();
    hand.select().unwrap();
    let depth = Depth::default();
    let report = reported(&mut hand, &identity(), depth);
    let facts: Vec<_> = report
        .inventory
        .items
        .iter()
        .filter_map(|item| item.key.as_ref())
        .collect();
    let told: Vec<_> = facts
        .iter()
        .map(|key| (key.number, key.kind.as_deref(), key.told_by))
        .collect();
    assert_eq!(
        told,
        [
            (1, Some("EC secp256r1"), Some("its request")),
            (2, Some("RSA-1024"), Some("its request")),
            (
                3,
                Some("AES-256"),
                Some("its description, which a host wrote")
            ),
            (4, Some("EC secp256r1"), Some("its certificate")),
            (5, None, None),
            (6, Some("EC of unknown size"), Some("its algorithms")),
        ]
    );
    assert_eq!(facts[0].uses_left, Some(5));
    assert_eq!(facts[0].domain, Some(0));
    assert_eq!(
        facts[0].algorithms,
        Some(vec!["70".to_string(), "92".to_string()])
    );
    assert_eq!(facts[0].origin, attest::Origin::MadeHere);
    assert_eq!((facts[1].uses_left, &facts[1].algorithms), (None, &None));
    let text = markdown(&report);
    for line in [
        "- CC01 key: EC secp256r1 by its request; key domain 0; algorithms 70 92 only; 5 uses left; made in this device",
        "- CC03 key: AES-256 by its description, which a host wrote; no key domain; algorithms 10 18 only; not attested",
        "- CC05 key: of unknown kind, with no request, certificate or description; no key domain; not attested",
        "- C403 description of a key, 18 bytes",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    // The map of a run knows the same.
    assert_eq!(report.map.keys[0].uses_left, Some(5));
    assert_eq!(report.map.keys[5].algorithms, Some(vec!["80".to_string()]));
}

/// A card of which some commands are answered by somebody else.
struct Broken<F>(Embedded, F);

impl<F: FnMut(&[u8]) -> Option<Vec<u8>>> crate::transport::Target for Broken<F> {
    fn describe(&self) -> String {
        self.0.describe()
    }

    fn atr(&self) -> Vec<u8> {
        self.0.atr()
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        match self.1(command) {
            Some(answer) => Ok(answer),
            None => self.0.transmit(command),
        }
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.0.reset()
    }

    fn power_cycle(&mut self) -> Result<(), TransportError> {
        self.0.power_cycle()
    }
}

#[test]
fn a_certificate_that_cannot_be_read_is_a_finding_and_ends_nothing() {
    let card = Embedded::prepared(
        "BROKEN",
        [
            initialize(&[0x91, 1, 3]),
            apdu(0x00d7_ce01).data([0x54, 2, 0, 0, 0x53, 2, 0x30, 0]),
        ],
    );
    // The card says that the file is there, and then does not give it.
    let card = Broken(card, |command: &[u8]| {
        command
            .starts_with(&[0x00, 0xb1, 0xce])
            .then(|| vec![0x6f, 0x00])
    });
    let report = only_looked_at(Box::new(card));
    let bad = report.checks.iter().find(|check| check.good == Some(false));
    assert_eq!(bad.unwrap().what, "CE01 cannot be read, status 6F00");
}

#[test]
fn random_bytes_that_are_none() {
    let counter: Vec<u8> = (0..=255).cycle().take(16_384).collect();
    for sample in [vec![0; 16_384], vec![0x55; 16_384], counter] {
        assert_eq!(health::judge_randomness(&sample).good, Some(false));
    }
    let mut good = vec![0; 16_384];
    openssl::rand::rand_bytes(&mut good).unwrap();
    assert_eq!(health::judge_randomness(&good).good, Some(true));
    // One block that is there twice.
    good.copy_within(0..16, 64);
    assert_eq!(health::judge_randomness(&good).good, Some(false));
}

#[test]
fn the_pattern_of_roca() {
    // k M + 65537 is a power of 65537 modulo every prime of M.
    let mut primes = BigNum::from_u32(1).unwrap();
    for prime in [
        2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89,
        97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ] {
        primes.mul_word(prime).unwrap();
    }
    let mut k = BigNum::new().unwrap();
    k.rand(300, MsbOption::ONE, true).unwrap();
    let mut weak = &primes * &k;
    weak.add_word(65_537).unwrap();
    assert!(health::has_roca_pattern(&weak.to_vec()));
    for name in ["rsa-1024", "rsa-2048", "rsa-4096"] {
        let (n, _) = fixture::key(name).unwrap().rsa().unwrap();
        assert!(!health::has_roca_pattern(&n));
    }
}

#[test]
fn nonces_that_repeat() {
    let signed = |r: u8| (vec![1; 32], vec![0x30, 6, 2, 1, r, 2, 1, 9]);
    assert_eq!(
        health::repeated("", &[signed(1), signed(2)]).good,
        Some(true)
    );
    assert_eq!(
        health::repeated("", &[signed(1), signed(1)]).good,
        Some(false)
    );
}

/// ECDSA on secp256r1 with a nonce of one's own: s = (z + r d) / k.
fn sign_with_nonce(private: &[u8], nonce: &[u8], hash: &[u8]) -> health::Signed {
    use crate::der;
    let [_, _, _, n, _] = crate::key::curves::Curve::by_name("secp256r1")
        .unwrap()
        .parameters();
    let number = |bytes: &[u8]| BigNum::from_slice(bytes).unwrap();
    let (n, d, k, z) = (number(&n), number(private), number(nonce), number(hash));
    let mut context = openssl::bn::BigNumContext::new().unwrap();
    let point = crate::judge::multiply("secp256r1", nonce, None).unwrap();
    let mut r = BigNum::new().unwrap();
    r.nnmod(&number(&point[1..33]), &n, &mut context).unwrap();
    let (mut product, mut sum, mut inverse, mut s) = (
        BigNum::new().unwrap(),
        BigNum::new().unwrap(),
        BigNum::new().unwrap(),
        BigNum::new().unwrap(),
    );
    product.mod_mul(&r, &d, &n, &mut context).unwrap();
    sum.mod_add(&product, &z, &n, &mut context).unwrap();
    inverse.mod_inverse(&k, &n, &mut context).unwrap();
    s.mod_mul(&sum, &inverse, &n, &mut context).unwrap();
    let numbers = [der::integer(&r.to_vec()), der::integer(&s.to_vec())];
    let signature = der::element(0x30, &[&numbers[0], &numbers[1]]);
    (hash.to_vec(), signature)
}

#[test]
fn nonces_whose_top_bits_are_not_random() {
    let private = [0x17; 32];
    let judged = |mask: fn(usize, &mut [u8])| {
        let signed: Vec<_> = (0..64)
            .map(|number| {
                let mut nonce = vec![0; 32];
                openssl::rand::rand_bytes(&mut nonce).unwrap();
                // Below the order, whose first four bytes are FF.
                nonce[0] &= 0xfe;
                // Every second one has its top bit, so that luck plays no part.
                nonce[0] = nonce[0] & 0x7f | if number % 2 == 0 { 0x80 } else { 0 };
                mask(number, &mut nonce);
                nonce[31] |= 1;
                sign_with_nonce(&private, &nonce, &[0x33; 32])
            })
            .collect();
        health::top_bits(&private, &signed).unwrap()
    };
    let check = judged(|_, _| {});
    assert_eq!(check.good, Some(true), "{}", check.what);
    let check = judged(|_, nonce| nonce[0] &= 0x7f);
    assert_eq!(check.good, Some(false), "{}", check.what);
    assert!(
        check.what.contains("the top bit is set in 0 of 64"),
        "{}",
        check.what
    );
    let check = judged(|number, nonce| {
        if number % 8 == 1 {
            nonce[0] = 0;
        }
    });
    assert_eq!(check.good, Some(false), "{}", check.what);
}

#[test]
fn what_misses_its_counterpart() {
    let orphans = inventory::orphans(&[0xcc00, 0xcc01, 0xc401, 0xc402, 0xce03, 0xcf04]);
    let files: Vec<&str> = orphans.iter().map(|orphan| &orphan[..4]).collect();
    assert_eq!(files, ["C402", "CE03", "CF04"]);
}

#[test]
fn median_and_ninety_fifth_of_hundred() {
    let summary = measure::summary("x", (1..=100).rev().collect());
    assert_eq!((summary.median_micros, summary.p95_micros), (51, 95));
}
