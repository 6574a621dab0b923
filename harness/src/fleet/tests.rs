use openssl::bn::{BigNum, MsbOption};

use super::*;
use crate::device::identify;
use crate::guard::{Consent, Guard};
use crate::scenario::Start;
use crate::suite::fixture;
use crate::suite::stock::Stock;
use crate::suite::wire::Log;
use crate::transport::embedded::Embedded;

fn identity() -> Identity {
    identify(&mut Embedded::new("SUITEA").unwrap()).unwrap().0
}

#[test]
fn a_full_card_in_short() {
    let mut hand = Stock::default().honest_card('A', Start::Keys).unwrap();
    hand.select().unwrap();
    let before = hand.objects().unwrap();
    let depth = Depth {
        test_keys: true,
        rsa: false,
    };
    let report = report(&mut hand, &identity(), depth, &mut |_| {}).unwrap();
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
    assert!(
        report
            .checks
            .iter()
            .any(|check| check.name.starts_with("top bits") && check.good == Some(true))
    );
    assert!(report.measured.len() >= 8);
    assert_eq!(report.certificates.len(), 2);
    assert_eq!(report.certificates[0].holder, "ZZSUITEA00000");
    assert!(report.certificates[0].days_left.unwrap() > 0);
    // Test keys are gone.
    assert_eq!(hand.objects().unwrap(), before);
    let text = markdown(&report);
    assert!(text.contains("slot 0: dkek, check value"), "{text}");
    // Keys that came by UNWRAP have no description.
    assert!(text.contains("ORPHAN CC01"), "{text}");
}

#[test]
fn without_permission_it_only_looks() {
    let mut target: Box<dyn crate::transport::Target> = Box::new(Embedded::new("LOOK").unwrap());
    let (guard, identity) = Guard::admit(&mut *target, &Consent::default()).unwrap();
    let mut hand = Hand::new('A', target, guard, Log::default(), fixture::secrets());
    hand.select().unwrap();
    let report = report(&mut hand, &identity, Depth::default(), &mut |_| {}).unwrap();
    assert_eq!(report.user_pin, "not set");
    assert_eq!(report.measured.len(), 2);
    assert!(report.checks.iter().any(|check| check.good.is_none()));
    assert_eq!(report.issues.len(), 0);
}

/// A file of which the card says that it is there, and then does not give it.
struct Broken(Embedded);

impl crate::transport::Target for Broken {
    fn describe(&self) -> String {
        self.0.describe()
    }

    fn atr(&self) -> Vec<u8> {
        self.0.atr()
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, crate::transport::TransportError> {
        match command {
            [0x00, 0xb1, 0xce, ..] => Ok(vec![0x6f, 0x00]),
            _ => self.0.transmit(command),
        }
    }

    fn reset(&mut self) -> Result<(), crate::transport::TransportError> {
        self.0.reset()
    }

    fn power_cycle(&mut self) -> Result<(), crate::transport::TransportError> {
        self.0.power_cycle()
    }
}

#[test]
fn a_certificate_that_cannot_be_read_is_a_finding_and_ends_nothing() {
    let data = [
        &[0x80, 2, 0, 1, 0x81, 6],
        fixture::PIN,
        &[0x82, 8],
        &fixture::SO_PIN,
        &[0x91, 1, 3],
    ];
    let card = Embedded::prepared(
        "BROKEN",
        [
            apdu(0x8050_0000).parts(&data),
            apdu(0x00d7_ce01).data([0x54, 2, 0, 0, 0x53, 2, 0x30, 0]),
        ],
    );
    let mut target: Box<dyn crate::transport::Target> = Box::new(Broken(card));
    let (guard, identity) = Guard::admit(&mut *target, &Consent::default()).unwrap();
    let mut hand = Hand::new('A', target, guard, Log::default(), fixture::secrets());
    hand.select().unwrap();
    let report = report(&mut hand, &identity, Depth::default(), &mut |_| {}).unwrap();
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

#[test]
fn days_and_orphans_and_issues() {
    assert_eq!(Day(1970, 1, 1).number(), 0);
    assert_eq!(Day(2000, 3, 1).number(), 11_017);
    assert_eq!(Day(2032, 10, 29).number(), 22_947);
    assert_eq!(Day::read(&[3, 2, 1, 0, 2, 9]).unwrap().iso(), "2032-10-29");
    assert_eq!(Day::read(&[3, 2, 1, 3, 2, 9]), None);
    let orphans = inventory::orphans(&[0xcc00, 0xcc01, 0xc401, 0xc402, 0xce03, 0xcf04]);
    let files: Vec<&str> = orphans.iter().map(|orphan| &orphan[..4]).collect();
    assert_eq!(files, ["C402", "CE03", "CF04"]);
    assert_eq!(firmware::issues("3.1").len(), 3);
    assert_eq!(firmware::issues("4.1").len(), 0);
    assert_eq!(firmware::issues("x").len(), 0);
}

#[test]
fn median_and_ninety_fifth_of_hundred() {
    let summary = measure::summary("x", (1..=100).rev().collect());
    assert_eq!((summary.median_micros, summary.p95_micros), (51, 95));
}
