//! Power cuts and stores that fail: what is durable when.

use hsm2_emulator::card::Card;
use hsm2_emulator::crypto::Curve;
use hsm2_emulator::pin::PinReference;

use crate::public_key_authentication::custodians;
use crate::shared_store::SharedStore;
use crate::state::{QUERY_USER, difference, generate_ec, image};
use crate::support::{Reader, bytes, lc_data};

const WRONG: &str = "00 20 00 81 06 303030303030";
const RIGHT: &str = "00 20 00 81 06 363438323139";
const REINITIALISE: &str = "80 50 00 00 12 81 06 313131313131 82 08 3537363231383830";

fn reader() -> (Reader, SharedStore) {
    let store = SharedStore::default();
    let mut reader = Reader::with_store(Box::new(store.clone()));
    assert_eq!(reader.initialise("92 01 01"), 0x9000);
    reader.put(0xCA01, &[1, 2, 3]);
    (reader, store)
}

fn tries(card: &Card) -> u8 {
    card.memory().pin(PinReference::User).unwrap().tries_left()
}

#[test]
fn a_try_is_durably_spent_before_the_pin_is_compared() {
    for (pin, status, left) in [(WRONG, 0x63C2, vec![2]), (RIGHT, 0x9000, vec![2, 3])] {
        let (mut reader, store) = reader();
        let before = store.commits();
        assert_eq!(reader.send(pin).status, status);
        let torn: Vec<_> = store.torn(before).iter().map(tries).collect();
        assert_eq!(torn, left, "tries behind each commit of {pin}");
    }
}

#[test]
fn when_no_try_can_be_spent_the_right_pin_answers_as_the_wrong_one() {
    for pin in [WRONG, RIGHT] {
        let (mut reader, store) = reader();
        reader.log_out();
        store.fail_after(0);
        reader.refused(pin, 0x6581);
        reader.refused(QUERY_USER, 0x63C3);
    }
}

#[test]
fn a_wrong_pin_stays_spent_when_the_card_is_pulled_out() {
    let (mut reader, store) = reader();
    reader.refused(WRONG, 0x63C2);
    drop(reader);
    assert_eq!(tries(&store.reopen()), 2);
}

#[test]
fn a_command_that_cannot_be_made_durable_changes_nothing() {
    let rows = [
        (
            "UPDATE BINARY, new file",
            "00 D7 CA02 07 54020000 5301 00",
            0,
        ),
        ("UPDATE BINARY", "00 D7 CA01 07 54020000 5301 00", 0),
        ("DELETE FILE", "00 E4 02 00 02 CA01", 0),
        ("GENERATE", &generate_ec(1, b"UTCA00001", ""), 0),
        ("INITIALIZE DEVICE, the try", REINITIALISE, 0),
        (
            "CHANGE REFERENCE DATA, the try",
            "00 24 00 81 0C 363438323139 313131313131",
            0,
        ),
        (
            "RESET RETRY COUNTER, the try",
            "00 2C 01 81 08 3537363231383830",
            0,
        ),
    ];
    for (name, command, commits) in rows {
        let (mut reader, store) = reader();
        let before = image(reader.card.memory());
        store.fail_after(commits);
        reader.refused(command, 0x6581);
        assert!(!reader.is_logged_in(), "{name}: the session starts anew");
        store.heal();
        for memory in [reader.card.memory(), store.reopen().memory()] {
            assert_eq!(
                difference(&before, &image(memory)),
                Vec::<String>::new(),
                "{name}"
            );
        }
    }
}

/// A card that can do everything that writes: custodians, session PINs that stay, a DKEK, EC key 1
/// with a use counter, and the chain of a custodian verified.
fn rich() -> (Reader, SharedStore, Vec<u8>, Vec<u8>) {
    let store = SharedStore::default();
    let mut reader = Reader::with_store(Box::new(store.clone()));
    let template =
        "80 02 000D 81 06 363438323139 82 08 3537363231383830 91 01 03 92 01 01 93 02 0201";
    reader.ok(&format!("80 50 00 00 {}", lc_data(&bytes(template))));
    reader.ok(&format!("80 52 00 00 20 {} 00", crate::sealed::ZERO_SHARE));
    let attributes = "90 04 00000009 91 04 70809298";
    reader.ok(&generate_ec(1, b"UTCA00001", attributes));
    let blob = reader.ok("80 72 01 92 00 00 00");
    let [mut custodian, ..] = custodians();
    reader.log_out();
    reader.log_in();
    custodian.present_chain(&mut reader);
    (reader, store, blob, custodian.request())
}

#[test]
fn neither_keys_nor_counters_nor_custodians_change_when_they_cannot_be_kept() {
    let point = hex::encode(Curve::Secp256r1.parameters().g);
    let (_, _, blob, request) = rich();
    let rows = [
        ("GENERATE SYMMETRIC KEY", "00 48 05 B2".into()),
        (
            "UNWRAP KEY",
            format!("80 74 05 93 00 {:04X} {}", blob.len(), hex::encode(&blob)),
        ),
        ("DERIVE EC KEY", "80 76 01 05 02 9801".into()),
        ("GENERATE SESSION PIN", "80 5A 01 81 00".into()),
        ("SIGN, counted", "80 68 01 70 01 00 00".into()),
        ("DECIPHER, counted", format!("80 62 01 80 41 {point} 00")),
        ("WRAP KEY, counted", "80 72 01 92 00 00 00".into()),
        (
            "MANAGE PUBLIC KEY AUTHENTICATION",
            format!("80 54 00 00 {} 0000", lc_data(&request)),
        ),
        ("MANAGE KEY DOMAIN, clear", "80 52 04 00 00".into()),
    ];
    for (name, command) in rows {
        let (mut reader, store, ..) = rich();
        let before = image(reader.card.memory());
        store.fail_after(0);
        reader.refused(&command, 0x6581);
        assert!(!reader.is_logged_in(), "{name}: the session starts anew");
        store.heal();
        for memory in [reader.card.memory(), store.reopen().memory()] {
            let changed = difference(&before, &image(memory));
            assert_eq!(changed, Vec::<String>::new(), "{name}");
        }
        // It was the store alone that stood in the way.
        let (mut reader, ..) = rich();
        reader.ok(&command);
        let changed = difference(&before, &image(reader.card.memory()));
        assert!(!changed.is_empty(), "{name}: it writes");
    }
}

#[test]
fn a_share_that_cannot_be_kept_is_not_taken() {
    let (mut reader, store) = reader();
    let before = image(reader.card.memory());
    store.fail_after(0);
    let import = format!("80 52 00 00 20 {} 00", crate::sealed::ZERO_SHARE);
    reader.refused(&import, 0x6581);
    assert_eq!(
        difference(&before, &image(store.reopen().memory())),
        Vec::<String>::new()
    );
}

#[test]
fn an_initialisation_that_fails_behind_its_pin_costs_a_try_and_erases_nothing() {
    let (mut reader, store) = reader();
    let before = image(reader.card.memory());
    store.fail_after(1);
    reader.refused(REINITIALISE, 0x6581);
    let after = image(store.reopen().memory());
    assert_eq!(difference(&before, &after), ["PIN SecurityOfficer"]);
}

#[test]
fn what_is_stored_after_each_command_is_what_the_card_knows() {
    let (mut reader, store) = reader();
    for command in [
        &generate_ec(1, b"UTCA00001", ""),
        "00 D7 CD01 07 54020000 5301 00",
        WRONG,
        RIGHT,
        "00 24 00 81 0C 363438323139 363438323139",
        "00 E4 02 00 02 CC01",
        REINITIALISE,
    ] {
        reader.send(command);
        let (live, stored) = (image(reader.card.memory()), image(store.reopen().memory()));
        assert_eq!(
            difference(&live, &stored),
            Vec::<String>::new(),
            "{command}"
        );
    }
}
