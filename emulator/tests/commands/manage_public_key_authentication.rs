//! MANAGE PUBLIC KEY AUTHENTICATION: a test for every word, and requests through EF 2F10.

use hsm2_emulator::tlv::Writer;

use crate::public_key_authentication::{Custodian, KEYS_ONLY, custodians, registered};
use crate::support::{Reader, lc_data};

/// INITIALIZE DEVICE: one of three custodians, and keys may be replaced.
const REPLACEABLE: &str = "80 50 00 00 12 80 02 0009 82 08 3537363231383830 93 02 0301";

fn register(request: &[u8]) -> String {
    let le = if request.len() > 255 { "0000" } else { "00" };
    format!("80 54 00 00 {} {le}", lc_data(request))
}

/// Writes EF 2F10 in two blocks, as hosts do with what is too long for one command.
fn write_scratch(card: &mut Reader, content: &[u8]) {
    let (first, second) = content.split_at(content.len() / 2);
    for (offset, block) in [(0, first), (first.len(), second)] {
        let offset = u16::try_from(offset).unwrap();
        let data = Writer::new()
            .element(0x54, &offset.to_be_bytes())
            .element(0x53, block)
            .into_vec();
        card.ok(&format!("00 D7 2F10 {}", lc_data(&data)));
    }
}

#[test]
fn every_refusal_has_its_word() {
    let mut card = Reader::virgin();
    card.ok(REPLACEABLE);
    let [mut one, two, three] = custodians();
    let mut rsa = Custodian::with_rsa("CUSTODIA5", b"ZZCUSTOD500001");
    let request = rsa.request();
    rsa.present_chain(&mut card);
    card.refuses(&[
        ("an RSA key", &register(&request), 0x6A80),
        ("P2 01", "80 54 00 01 04", 0x6A86),
        ("P1 03", "80 54 03 00 04", 0x6A86),
        ("name with data", "80 54 02 00 01 00 00", 0x6700),
        ("name of no slot", "80 54 02 03 00", 0x6A86),
        ("name of an empty slot", "80 54 02 00 00", 0x6A88),
        ("class 00", "00 54 00 00 04", 0x6E00),
        ("the status in 3 bytes", "80 54 00 00 03", 0x6700),
        ("no request", &register(&[0x42, 0x00]), 0x6A80),
    ]);
    let request = one.request();
    card.refuses(&[("without its chain", &register(&request), 0x6985)]);
    one.present_chain(&mut card);
    let short_le = format!("80 54 00 00 {} 0003", lc_data(&request));
    card.refuses(&[("the answer in 3 bytes", &short_le, 0x6700)]);
    // Nobody is authenticated in a new session; with 1 of 3 registered nobody can be.
    let replace = format!("80 54 01 00 {} 0000", lc_data(&request));
    card.log_out();
    card.refuses(&[("replace by nobody", &replace, 0x6982)]);
    for mut custodian in [one, two, three] {
        assert_eq!(custodian.register_at(&mut card, "80 54 00 00"), 0x9000);
    }
    card.refuses(&[("all are registered", &register(&request), 0x6985)]);
}

#[test]
fn replacing_has_its_words() {
    let mut card = Reader::virgin();
    // Straight after INITIALIZE the user is authenticated.
    card.ok(REPLACEABLE);
    let [mut one, mut two, _] = custodians();
    assert_eq!(one.register_at(&mut card, "80 54 00 00"), 0x9000);
    two.present_chain(&mut card);
    let with_data = |slot: &str, custodian: &mut Custodian| {
        format!("80 54 01 {slot} {} 0000", lc_data(&custodian.request()))
    };
    let rows = [
        ("an empty slot", with_data("01", &mut two), 0x6A88),
        ("no slot", with_data("03", &mut two), 0x6A86),
        (
            "no data, nothing in EF 2F10",
            "80 54 01 00 00".into(),
            0x6A88,
        ),
        ("no data and no Le", "80 54 01 00".into(), 0x6A88),
    ];
    for (name, command, status) in &rows {
        card.refuses(&[(name, command, *status)]);
    }
    one.present_chain(&mut card);
    let itself = with_data("00", &mut one);
    card.refuses(&[("by the key that is there", &itself, 0x6985)]);
    two.present_chain(&mut card);
    write_scratch(&mut card, &two.request());
    assert_eq!(card.ok("80 54 01 00 00"), [3, 2, 1, 0]);
    assert_eq!(card.send("80 54 02 00 00").data, two.name);
    // EF 2F10 has served.
    card.refuses(&[("once more", "80 54 01 00 00", 0x6A88)]);
}

#[test]
fn without_the_option_or_the_setup_there_is_nothing_to_replace() {
    let mut card = Reader::virgin();
    card.ok(KEYS_ONLY);
    let [mut one, mut two, _] = custodians();
    assert_eq!(one.register_at(&mut card, "80 54 00 00"), 0x9000);
    two.present_chain(&mut card);
    let request = lc_data(&two.request());
    card.refuses(&[(
        "not allowed",
        &format!("80 54 01 00 {request} 0000"),
        0x6985,
    )]);

    let mut card = Reader::initialised();
    card.refuses(&[
        ("register", &format!("80 54 00 00 {request} 0000"), 0x6D00),
        ("replace", &format!("80 54 01 00 {request} 0000"), 0x6D00),
        ("status", "80 54 00 00 04", 0x6D00),
        ("name", "80 54 02 00 00", 0x6D00),
    ]);
}

#[test]
fn a_request_can_come_through_ef_2f10() {
    let mut card = Reader::virgin();
    card.ok("80 50 00 00 16 81 06 363438323139 82 08 3537363231383830 93 02 0201");
    let [mut one, mut two, mut three] = custodians();
    one.present_chain(&mut card);
    write_scratch(&mut card, &one.request());
    // With room for the status alone it is a query, whatever EF 2F10 holds.
    assert_eq!(card.ok("80 54 00 00 04"), [2, 2, 1, 0]);
    assert_eq!(card.ok("80 54 00 00 00"), [2, 1, 1, 0]);
    assert_eq!(card.send("80 54 02 00 00").data, one.name);
    // It was used up: this is a query.
    assert_eq!(card.ok("80 54 00 00 00"), [2, 1, 1, 0]);
    // So it is when EF 2F10 holds something else.
    write_scratch(&mut card, &[0x5A; 40]);
    assert_eq!(card.ok("80 54 00 00 00"), [2, 1, 1, 0]);
    // What begins with a request and is none is refused and stays.
    two.present_chain(&mut card);
    let request = two.request();
    write_scratch(&mut card, &request[..request.len() - 1]);
    card.refuses(&[("a request cut short", "80 54 00 00 00", 0x6A80)]);
    write_scratch(&mut card, &request);
    // Without Le there is no answer to cut the registration short for.
    assert!(card.ok("80 54 00 00").is_empty());
    // No key is missing: a query, though a request lies there.
    three.present_chain(&mut card);
    write_scratch(&mut card, &three.request());
    assert_eq!(card.ok("80 54 00 00 00"), [2, 0, 1, 0]);
}

#[test]
fn a_query_says_who_has_authenticated() {
    let (card, [one, two, _]) = &mut registered(KEYS_ONLY);
    assert_eq!(card.send("80 54 02 00 00").status, 0x9000);
    assert_eq!(one.authenticate_at(card), 0x9000);
    assert_eq!(card.send("80 54 02 00 00").status, 0x9001);
    assert_eq!(card.send("80 54 02 01 00").status, 0x9000);
    assert_eq!(card.send("80 54 02 01 00").data, two.name);
    card.log_out();
    assert_eq!(card.send("80 54 02 00 00").status, 0x9000);
}
