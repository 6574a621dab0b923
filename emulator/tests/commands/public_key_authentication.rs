//! MANAGE PUBLIC KEY AUTHENTICATION, EXTERNAL AUTHENTICATE and what they make of a login: a card
//! and its custodians, each with a card of their own.

use hsm2_emulator::crypto::{Curve, EcdsaSignature};
use hsm2_emulator::identity::ISSUER_NAME;
use hsm2_emulator::tlv::Writer;

use crate::keys::scratch_commands;
use crate::support::{Reader, lc_data};

/// INITIALIZE DEVICE without a user PIN: SO-PIN and two of three custodians.
pub(crate) const KEYS_ONLY: &str = "80 50 00 00 0E 82 08 3537363231383830 93 02 0302";

/// A custodian with a card that holds the key.
pub(crate) struct Custodian {
    reader: Reader,
    pub(crate) name: &'static [u8],
    curve: Curve,
}

impl Custodian {
    pub(crate) fn new(serial: &str, name: &'static [u8], curve: Curve) -> Self {
        let domain = curve.parameters();
        let key = Writer::new()
            .element(0x06, &[4, 0, 0x7F, 0, 7, 2, 2, 2, 2, 3])
            .element(0x81, domain.p)
            .element(0x82, domain.a)
            .element(0x83, domain.b)
            .element(0x84, domain.g)
            .element(0x85, domain.n)
            .into_vec();
        Self::with_key(serial, name, curve, &key)
    }

    /// A custodian whose key is RSA-1024; it never signs here.
    pub(crate) fn with_rsa(serial: &str, name: &'static [u8]) -> Self {
        let key = Writer::new()
            .element(0x06, &[4, 0, 0x7F, 0, 7, 2, 2, 2, 1, 2])
            .element(0x82, &[1, 0, 1])
            .element(0x02, &[4, 0])
            .into_vec();
        Self::with_key(serial, name, Curve::BrainpoolP256r1, &key)
    }

    fn with_key(serial: &str, name: &'static [u8], curve: Curve, key: &[u8]) -> Self {
        let mut reader = Reader::named(serial);
        assert_eq!(reader.initialise(""), 0x9000);
        let template = Writer::new()
            .element(0x5F29, &[0])
            .element(0x42, b"UTCA00001")
            .element(0x7F49, key)
            .element(0x5F20, name)
            .into_vec();
        reader.ok(&format!("00 46 01 00 {}", lc_data(&template)));
        Self {
            reader,
            name,
            curve,
        }
    }

    /// Content of a file of the custodian's card.
    fn file(&mut self, id: &str) -> Vec<u8> {
        let answer = self
            .reader
            .send(&format!("00 B1 {id} 00 0004 54 02 0000 0000"));
        assert_eq!(answer.status, 0x6282);
        answer.data
    }

    /// Presents the custodian's chain and request; returns the word of the registration.
    pub(crate) fn register_at(&mut self, card: &mut Reader, form: &str) -> u16 {
        self.present_chain(card);
        let request = self.request();
        card.send(&format!("{form} {} 0000", lc_data(&request)))
            .status
    }

    /// Has the card verify the chain of the custodian's card, whose key is selected afterwards.
    pub(crate) fn present_chain(&mut self, card: &mut Reader) {
        let chain = self.file("2F02");
        let mut chain = hsm2_emulator::tlv::Reader::new(&chain);
        let device = chain.expect(0x7F21).unwrap().value;
        let issuer = chain.expect(0x7F21).unwrap().value;
        let holder = self.reader.card.memory().device().unwrap().holder.clone();
        card.ok(&select_key("B6", b"ZZVIRTROOT00001"));
        card.ok(&format!("00 2A 00 BE {}", lc_data(issuer)));
        card.ok(&select_key("B6", ISSUER_NAME));
        card.ok(&format!("00 2A 00 BE {}", lc_data(device)));
        card.ok(&select_key("B6", &holder));
    }

    /// Content of the custodian's request, without the frame 67.
    pub(crate) fn request(&mut self) -> Vec<u8> {
        let request = self.file("CE01");
        hsm2_emulator::tlv::Reader::new(&request)
            .expect(0x67)
            .unwrap()
            .value
            .to_vec()
    }

    /// Signs what this card asks for; the signature is plain.
    pub(crate) fn sign(&mut self, device_name: &[u8], challenge: &[u8]) -> Vec<u8> {
        let message = [device_name, challenge].concat();
        let der = self
            .reader
            .ok(&format!("80 68 01 73 {} 00", lc_data(&message)));
        EcdsaSignature::from_der(self.curve, &der)
            .unwrap()
            .to_plain()
    }

    /// Selects the key, draws a challenge and answers it; returns the word.
    pub(crate) fn authenticate_at(&mut self, card: &mut Reader) -> u16 {
        card.ok(&select_key("A4", self.name));
        let challenge = card.ok("00 84 00 00 08");
        let device_name = card.card.memory().device().unwrap().holder.clone();
        let signature = self.sign(&device_name, &challenge);
        card.send(&format!("00 82 00 00 {}", lc_data(&signature)))
            .status
    }
}

pub(crate) fn select_key(purpose: &str, name: &[u8]) -> String {
    let object = Writer::new().element(0x83, name).into_vec();
    format!("00 22 81 {purpose} {}", lc_data(&object))
}

pub(crate) fn custodians() -> [Custodian; 3] {
    [
        ("CUSTODIA1", &b"ZZCUSTOD100001"[..]),
        ("CUSTODIA2", b"ZZCUSTOD200001"),
        ("CUSTODIA3", b"ZZCUSTOD300001"),
    ]
    .map(|(serial, name)| Custodian::new(serial, name, Curve::BrainpoolP256r1))
}

/// A card with three registered custodians, in a new session.
pub(crate) fn registered(initialize: &str) -> (Reader, [Custodian; 3]) {
    let mut card = Reader::virgin();
    card.ok(initialize);
    let mut custodians = custodians();
    for custodian in &mut custodians {
        assert_eq!(custodian.register_at(&mut card, "80 54 00 00"), 0x9000);
    }
    card.log_out();
    (card, custodians)
}

#[test]
fn two_of_three_custodians_authenticate_until_reselection() {
    let (card, [one, two, _]) = &mut registered(KEYS_ONLY);
    assert_eq!(card.ok("80 54 00 00 04"), [3, 0, 2, 0]);
    card.refused("00 20 00 81", 0x6300);
    card.refused("80 72 01 92 00", 0x6982);
    assert_eq!(one.authenticate_at(card), 0x9000);
    assert_eq!(card.ok("80 54 00 00 04"), [3, 0, 2, 1]);
    card.refused("00 20 00 81", 0x6300);
    card.refused("00 D7 CA01 06 54 02 0000 53 00", 0x6982);
    assert_eq!(two.authenticate_at(card), 0x9000);
    card.ok("00 20 00 81");
    card.ok("00 D7 CA01 06 54 02 0000 53 00");
    card.log_out();
    assert_eq!(card.ok("80 54 00 00 04"), [3, 0, 2, 0]);
    card.refused("00 D7 CA01 06 54 02 0000 53 00", 0x6982);
}

#[test]
fn one_custodian_cannot_stand_in_for_two() {
    let (card, [one, ..]) = &mut registered(KEYS_ONLY);
    assert_eq!(one.authenticate_at(card), 0x9000);
    card.refused(&select_key("A4", one.name), 0x6985);
    // The key stays selected; a second answer must not count twice.
    let challenge = card.ok("00 84 00 00 08");
    let device_name = card.card.memory().device().unwrap().holder.clone();
    let signature = one.sign(&device_name, &challenge);
    card.ok(&format!("00 82 00 00 {}", lc_data(&signature)));
    assert_eq!(card.ok("80 54 00 00 04"), [3, 0, 2, 1]);
    card.refused("00 20 00 81", 0x6300);
}

#[test]
fn a_challenge_serves_once() {
    let (card, [one, ..]) = &mut registered(KEYS_ONLY);
    card.ok(&select_key("A4", one.name));
    card.refused(&format!("00 82 00 00 {}", lc_data(&[1; 64])), 0x6985);
    let challenge = card.ok("00 84 00 00 08");
    let device_name = card.card.memory().device().unwrap().holder.clone();
    let signature = lc_data(&one.sign(&device_name, &challenge));
    card.refused(&format!("00 82 00 00 {}", lc_data(&[1; 64])), 0x6300);
    card.refused(&format!("00 82 00 00 {signature}"), 0x6985);
}

#[test]
fn pin_and_keys_combine_as_the_options_say() {
    let (card, [one, ..]) = &mut registered(PIN_AND_KEYS);
    card.refused("00 20 00 81", 0x63C3);
    card.log_in();
    card.refused("00 20 00 81", 0x6300);
    card.refused("00 D7 CA01 06 54 02 0000 53 00", 0x6982);
    assert_eq!(one.authenticate_at(card), 0x9000);
    card.ok("00 D7 CA01 06 54 02 0000 53 00");
    card.log_out();
    assert_eq!(one.authenticate_at(card), 0x9000);
    card.refused("00 D7 CA01 06 54 02 0000 53 00", 0x6982);

    let either = "80 50 00 00 1A 80 02 0001 81 06 363438323139 82 08 3537363231383830 93 02 0301";
    let (card, [one, ..]) = &mut registered(either);
    card.log_in();
    card.ok("00 D7 CA01 06 54 02 0000 53 00");
    card.log_out();
    assert_eq!(one.authenticate_at(card), 0x9000);
    card.ok("00 D7 CA01 06 54 02 0000 53 00");
}

/// INITIALIZE DEVICE with option 0010: user PIN and one of three custodians.
const PIN_AND_KEYS: &str =
    "80 50 00 00 1A 80 02 0011 81 06 363438323139 82 08 3537363231383830 93 02 0301";

#[test]
fn a_right_pin_after_initialize_takes_no_right_away() {
    // The order of `sc-hsm-tool --initialize --label`: the label is written behind a VERIFY.
    let label = "00 D7 2F03 0B 54 02 0000 53 05 3003020100";
    let change = |old: &str, new: &str| {
        let length = (old.len() + new.len()) / 2;
        format!("00 24 00 81 {length:02X} {old} {new}")
    };
    let (first, second, too_long) = ("363438323139", "313131313131", "31".repeat(17));
    let mut card = Reader::virgin();
    card.ok(PIN_AND_KEYS);
    card.ok(label);
    card.log_in();
    card.ok(label);
    card.ok("00 20 00 88 08 3537363231383830");
    card.refused("00 20 00 88 08 3037363231383830", 0x63CE);
    card.ok(label);
    card.ok(&change(first, second));
    card.ok(label);
    card.refused(&change(second, &too_long), 0x6A80);
    card.ok(label);
    card.refused(&change(first, second), 0x63C2);
    card.refused(label, 0x6982);
    card.ok("00 20 00 81 06 313131313131");
    card.refused(label, 0x6982);

    let mut card = Reader::virgin();
    card.ok(PIN_AND_KEYS);
    card.refused("00 20 00 81 06 313131313131", 0x63C2);
    card.refused(label, 0x6982);
    card.log_in();
    card.refused(label, 0x6982);
}

#[test]
fn what_cannot_be_answered_changes_nobody() {
    let mut card = Reader::virgin();
    card.ok("80 50 00 00 12 80 02 0009 82 08 3537363231383830 93 02 0201");
    let [mut one, mut two, mut three] = custodians();
    one.present_chain(&mut card);
    for command in scratch_commands(&one.request()) {
        card.ok(&command);
    }
    card.refused("80 54 00 00 03", 0x6700);
    assert_eq!(card.ok("80 54 00 00 00"), [2, 1, 1, 0], "the file was kept");
    assert_eq!(card.ok("80 54 00 00 04"), [2, 1, 1, 0], "and is used up");
    assert_eq!(two.register_at(&mut card, "80 54 00 00"), 0x9000);
    card.log_out();

    assert_eq!(one.authenticate_at(&mut card), 0x9000);
    three.present_chain(&mut card);
    for command in scratch_commands(&three.request()) {
        card.ok(&command);
    }
    card.refused("80 54 01 00 03", 0x6700);
    assert!(card.is_logged_in());
    let name = card.send("80 54 02 00 00");
    assert_eq!((name.status, &name.data[..]), (0x9001, one.name));
    card.ok("80 54 01 00 04");
    assert!(!card.is_logged_in());
    assert_eq!(card.ok("80 54 02 00 00"), three.name);
}

#[test]
fn registration_ends_when_all_keys_are_there() {
    let (card, [one, ..]) = &mut registered(KEYS_ONLY);
    let mut fourth = Custodian::new("CUSTODIA4", b"ZZCUSTOD400001", Curve::BrainpoolP256r1);
    assert_eq!(fourth.register_at(card, "80 54 00 00"), 0x6985);
    assert_eq!(fourth.register_at(card, "80 54 01 00"), 0x6982);
    assert_eq!(card.send("80 54 02 00 00").data, one.name);
    card.refused("80 54 02 03 00", 0x6A86);
    card.refused("80 54 03 00 00", 0x6A86);
    card.refused("80 54 02 00 01 00 00", 0x6700);
}

#[test]
fn replacing_needs_the_option_and_the_quorum() {
    let replaceable = "80 50 00 00 12 80 02 0009 82 08 3537363231383830 93 02 0301";
    let (card, [one, ..]) = &mut registered(replaceable);
    let mut fourth = Custodian::new("CUSTODIA4", b"ZZCUSTOD400001", Curve::BrainpoolP256r1);
    assert_eq!(fourth.register_at(card, "80 54 01 00"), 0x6982);
    assert_eq!(one.authenticate_at(card), 0x9000);
    assert_eq!(card.send("80 54 02 00 00").status, 0x9001);
    assert_eq!(fourth.register_at(card, "80 54 01 03"), 0x6A86);
    assert_eq!(fourth.register_at(card, "80 54 01 00"), 0x9000);
    assert_eq!(card.send("80 54 02 00 00").data, fourth.name);
    card.log_out();
    card.refused(&select_key("A4", one.name), 0x6A88);
    assert_eq!(fourth.authenticate_at(card), 0x9000);

    let (card, [one, two, _]) = &mut registered(KEYS_ONLY);
    assert_eq!(one.authenticate_at(card), 0x9000);
    assert_eq!(two.authenticate_at(card), 0x9000);
    assert_eq!(fourth.register_at(card, "80 54 01 00"), 0x6985);
}

#[test]
fn what_does_not_belong_is_not_registered() {
    let mut card = Reader::virgin();
    card.ok(KEYS_ONLY);
    let [mut one, ..] = custodians();
    let request = one.request();
    card.refused(&format!("80 54 00 00 {} 00 00", lc_data(&request)), 0x6985);
    assert_eq!(one.register_at(&mut card, "80 54 00 00"), 0x9000);
    assert_eq!(one.register_at(&mut card, "80 54 00 00"), 0x6985);
    let mut tampered = request;
    *tampered.last_mut().unwrap() ^= 1;
    card.refused(&format!("80 54 00 00 {} 00 00", lc_data(&tampered)), 0x6985);
    card.refused("80 54 00 00 02 7F21 00", 0x6A80);
    card.refused("80 54 02 01 00", 0x6A88);
    assert_eq!(card.ok("80 54 00 00 04"), [3, 2, 2, 0]);
    // Nobody is authenticated while keys are missing.
    card.log_out();
    assert_eq!(one.authenticate_at(&mut card), 0x6985);
}

#[test]
fn keys_of_other_curves_register_but_never_authenticate() {
    let mut card = Reader::virgin();
    card.ok("80 50 00 00 0E 82 08 3537363231383830 93 02 0101");
    let mut custodian = Custodian::new("CUSTODIA1", b"ZZCUSTOD100001", Curve::Secp384r1);
    assert_eq!(custodian.register_at(&mut card, "80 54 00 00"), 0x9000);
    card.log_out();
    assert_eq!(custodian.authenticate_at(&mut card), 0x6300);
}

#[test]
fn without_a_pin_there_is_none_to_present_change_or_unblock() {
    let (card, _) = &mut registered(KEYS_ONLY);
    card.refuses(&[
        ("VERIFY", "00 20 00 81 06 363438323139", 0x6A88),
        (
            "CHANGE REFERENCE DATA",
            "00 24 00 81 0C 363438323139 313131313131",
            0x6A88,
        ),
        (
            "RESET RETRY COUNTER, new PIN",
            "00 2C 00 81 0E 3537363231383830 363438323139",
            0x6A88,
        ),
        (
            "RESET RETRY COUNTER",
            "00 2C 01 81 08 3537363231383830",
            0x6A88,
        ),
    ]);
}

#[test]
fn without_it_the_commands_are_unknown() {
    let mut card = Reader::initialised();
    card.run(&[
        ("status", "80 54 00 00 04", 0x6D00),
        ("name", "80 54 02 00 00", 0x6D00),
        ("authenticate", "00 82 00 00 01 00", 0x6D00),
        ("select a key", "00 22 81 A4 03 83 01 41", 0x6A88),
        (
            "quorum above the total",
            "80 50 00 00 0E 82 08 3537363231383830 93 02 0203",
            0x6A80,
        ),
        (
            "no custodians",
            "80 50 00 00 0E 82 08 3537363231383830 93 02 0000",
            0x6A80,
        ),
        (
            "neither PIN nor custodians",
            "80 50 00 00 0A 82 08 3537363231383830",
            0x6A80,
        ),
        ("authenticate without data", "00 82 00 00", 0x6700),
        ("authenticate, wrong P2", "00 82 00 01 01 00", 0x6A86),
    ]);
}
