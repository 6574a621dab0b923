//! EXTERNAL AUTHENTICATE: what is no answer to a challenge.

use hsm2_emulator::crypto::{Curve, EcdsaSignature};

use crate::public_key_authentication::{Custodian, KEYS_ONLY, registered, select_key};
use crate::support::{Reader, lc_data};

fn answer(signature: &[u8]) -> String {
    format!("00 82 00 00 {}", lc_data(signature))
}

fn device_name(card: &Reader) -> Vec<u8> {
    card.card.memory().device().unwrap().holder.clone()
}

/// A new challenge and the custodian's right answer to it.
fn right_answer(card: &mut Reader, custodian: &mut Custodian) -> Vec<u8> {
    let challenge = card.ok("00 84 00 00 08");
    custodian.sign(&device_name(card), &challenge)
}

#[test]
fn the_form_of_a_command_comes_before_all_else() {
    let (card, _) = &mut registered(KEYS_ONLY);
    card.refuses(&[
        ("no data", "00 82 00 00", 0x6700),
        ("P1 01", "00 82 01 00 01 00", 0x6A86),
        ("P2 01", "00 82 00 01 01 00", 0x6A86),
        ("class 80", "80 82 00 00 01 00", 0x6E00),
    ]);
}

#[test]
fn without_a_selected_key_no_answer_counts() {
    let (card, [one, ..]) = &mut registered(KEYS_ONLY);
    let good = right_answer(card, one);
    card.refuses(&[("no key is selected", &answer(&good), 0x6985)]);
    // A key for certificates is none for custodians.
    card.ok(&select_key("B6", b"ZZVIRTROOT00001"));
    card.refuses(&[("a certificate's key", &answer(&good), 0x6985)]);
    card.ok(&select_key("A4", one.name));
    card.ok(&answer(&good));
    assert_eq!(card.ok("80 54 00 00 04"), [3, 0, 2, 1]);
}

#[test]
fn what_is_no_signature_of_this_key_over_this_challenge_counts_for_nobody() {
    let (card, [one, two, _]) = &mut registered(KEYS_ONLY);
    card.ok(&select_key("A4", one.name));
    let order = Curve::BrainpoolP256r1.parameters().n;
    let halves = |signature: &[u8]| (signature[..32].to_vec(), signature[32..].to_vec());
    type Change = fn(&[u8], &[u8], &[u8]) -> Vec<u8>;
    let changes: [(&str, Change); 10] = [
        ("r = 0", |_, s, _| [&[0; 32], s].concat()),
        ("s = 0", |r, _, _| [r, &[0; 32]].concat()),
        ("r = n", |_, s, n| [n, s].concat()),
        ("s = n", |r, _, n| [r, n].concat()),
        ("s and r", |r, s, _| [s, r].concat()),
        ("63 bytes", |r, s, _| [r, &s[..31]].concat()),
        ("65 bytes", |r, s, _| [r, s, &[0]].concat()),
        ("65 bytes, zero first", |r, s, _| [&[0], r, s].concat()),
        ("r alone", |r, _, _| r.to_vec()),
        ("DER", |r, s, _| {
            let (r, s) = (r.to_vec(), s.to_vec());
            EcdsaSignature { r, s }.to_der()
        }),
    ];
    for (name, change) in changes {
        let (r, s) = halves(&right_answer(card, one));
        let wrong = change(&r, &s, order);
        card.refuses(&[(name, &answer(&wrong), 0x6300)]);
        // It has used the challenge up.
        card.refuses(&[(name, &answer(&[r, s].concat()), 0x6985)]);
    }
    let name = device_name(card);
    let challenge = card.ok("00 84 00 00 08");
    let other = two.sign(&name, &challenge);
    card.refuses(&[("another custodian's", &answer(&other), 0x6300)]);
    let challenge = card.ok("00 84 00 00 08");
    let other = one.sign(b"ZZVT000000200000", &challenge);
    card.refuses(&[("for another device", &answer(&other), 0x6300)]);
    assert_eq!(card.ok("80 54 00 00 04"), [3, 0, 2, 0]);
    let good = right_answer(card, one);
    card.ok(&answer(&good));
    assert_eq!(card.ok("80 54 00 00 04"), [3, 0, 2, 1]);
}

#[test]
fn a_challenge_of_another_length_than_8_is_none() {
    let (card, [one, ..]) = &mut registered(KEYS_ONLY);
    card.ok(&select_key("A4", one.name));
    let name = device_name(card);
    for length in ["01", "07", "09", "10", "80"] {
        let challenge = card.ok(&format!("00 84 00 00 {length}"));
        let signature = one.sign(&name, &challenge);
        let row = format!("a challenge of {} bytes", challenge.len());
        card.refuses(&[(&row, &answer(&signature), 0x6985)]);
    }
    // The one that was right before is gone with the wrong one.
    let challenge = card.ok("00 84 00 00 08");
    card.ok("00 84 00 00 01");
    let signature = one.sign(&name, &challenge);
    card.refuses(&[("an earlier challenge", &answer(&signature), 0x6985)]);
    assert_eq!(card.ok("80 54 00 00 04"), [3, 0, 2, 0]);
}
