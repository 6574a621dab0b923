//! GENERATE SESSION PIN, and VERIFY with what it returns.

use crate::channel::Host;
use crate::state::{QUERY_SO, QUERY_USER};
use crate::support::{Reader, SELECT_APPLET, SO_PIN, USER_PIN, lc_data};

const GENERATE: &str = "80 5A 01 81 00";
const CLEAR: &str = "80 5A 00 81";
const WRONG: &str = "00 20 00 81 06 303030303030";

/// A card with these options, the user authenticated.
fn with_options(options: u16) -> Reader {
    let mut reader = Reader::virgin();
    reader.ok(&format!(
        "80 50 00 00 16 80 02 {options:04X} 81 06 363438323139 82 08 3537363231383830"
    ));
    reader
}

/// VERIFY of the user PIN's reference with these bytes.
fn verify(pin: &[u8]) -> String {
    format!("00 20 00 81 {}", lc_data(pin))
}

#[test]
fn the_session_pin_stands_in_for_the_user_pin() {
    for options in [0x0005, 0x000D] {
        let mut reader = with_options(options);
        let pin = reader.ok(GENERATE);
        assert_eq!(pin.len(), 8);
        reader.log_out();
        reader.refused("00 48 01 B0", 0x6982);
        reader.ok(&verify(&pin));
        reader.ok("00 48 01 B0");
        reader.log_out();
        reader.ok(&verify(USER_PIN));
        let other = reader.ok(GENERATE);
        assert_ne!(other, pin);
        reader.log_out();
        reader.refused(&verify(&pin), 0x63C2);
        reader.ok(&verify(&other));
    }
}

#[test]
fn the_applet_tells_hosts_of_the_option() {
    for options in [0x0005, 0x000D] {
        let template = with_options(options).ok(SELECT_APPLET);
        let at = template.windows(2).position(|at| at == [0x85, 5]).unwrap();
        assert_eq!(template[at + 2..at + 4], options.to_be_bytes());
    }
}

#[test]
fn a_reset_clears_it_with_option_0004_and_not_with_000c() {
    for (options, status) in [(0x0005, 0x63C2), (0x000D, 0x9000)] {
        let mut reader = with_options(options);
        let pin = reader.ok(GENERATE);
        reader.card.reset();
        reader.log_out();
        reader.run(&[("after a reset", &verify(&pin), status)]);

        let mut reader = with_options(options);
        let pin = reader.ok(GENERATE);
        reader.power_cycle();
        reader.run(&[("after a power cycle", &verify(&pin), status)]);
    }
}

#[test]
fn it_can_be_cleared_and_ends_with_the_pin_that_it_stands_for() {
    let ends: [(&str, &str, &[u8]); 5] = [
        ("cleared", CLEAR, USER_PIN),
        (
            "changed",
            "00 24 00 81 0C 363438323139 313335373930",
            b"135790",
        ),
        (
            "set anew by the SO-PIN",
            "00 2C 00 81 0E 3537363231383830 313335373930",
            b"135790",
        ),
        (
            "initialised",
            "80 50 00 00 16 80 02 000D 81 06 363438323139 82 08 3537363231383830",
            USER_PIN,
        ),
        (
            "initialised with the other option",
            "80 50 00 00 16 80 02 0005 81 06 363438323139 82 08 3537363231383830",
            USER_PIN,
        ),
    ];
    for options in [0x0005, 0x000D] {
        for (name, command, pin) in ends {
            let mut reader = with_options(options);
            let session_pin = reader.ok(GENERATE);
            reader.ok(command);
            reader.log_out();
            reader.run(&[
                (name, &verify(&session_pin), 0x63C2),
                (name, &verify(pin), 0x9000),
            ]);
        }
    }
    let mut reader = with_options(0x0005);
    let pin = reader.ok(GENERATE);
    reader.ok("00 2C 01 81 08 3537363231383830");
    reader.ok(&verify(&pin));
    reader.ok(CLEAR);
    reader.ok(CLEAR);
}

#[test]
fn it_gives_nobody_more_guesses_of_the_user_pin() {
    for options in [0x0005, 0x000D] {
        let mut reader = with_options(options);
        let pin = reader.ok(GENERATE);
        reader.log_out();
        reader.run(&[
            ("first guess", WRONG, 0x63C2),
            ("the session PIN", &verify(&pin), 0x9000),
            ("and again", &verify(&pin), 0x9000),
        ]);
        reader.log_out();
        reader.run(&[
            ("has brought no try back", QUERY_USER, 0x63C2),
            ("second guess", WRONG, 0x63C1),
            ("the session PIN", &verify(&pin), 0x9000),
            ("third guess", WRONG, 0x6983),
            ("blocked for the session PIN too", &verify(&pin), 0x6983),
            ("and the PIN", &verify(USER_PIN), 0x6983),
        ]);
        // The user PIN brings the tries back, as ever.
        reader.ok("00 2C 01 81 08 3537363231383830");
        reader.run(&[
            ("a guess", WRONG, 0x63C2),
            ("the user PIN", &verify(USER_PIN), 0x9000),
        ]);
        reader.log_out();
        reader.refused(QUERY_USER, 0x63C3);
    }
}

#[test]
fn a_guess_of_the_session_pin_costs_a_try_of_the_user_pin() {
    let mut reader = with_options(0x0005);
    let mut pin = reader.ok(GENERATE);
    pin[7] ^= 1;
    reader.log_out();
    reader.run(&[
        ("one bit off", &verify(&pin), 0x63C2),
        ("one bit off", &verify(&pin), 0x63C1),
        ("one bit off", &verify(&pin), 0x6983),
    ]);
}

#[test]
fn no_other_command_takes_it() {
    let mut reader = with_options(0x0005);
    let pin = hex::encode(reader.ok(GENERATE));
    reader.log_out();
    reader.run(&[
        (
            "CHANGE REFERENCE DATA",
            &format!("00 24 00 81 10 {pin} {pin}"),
            0x63C2,
        ),
        (
            "VERIFY of the SO-PIN",
            &format!("00 20 00 88 08 {pin}"),
            0x63CE,
        ),
        (
            "RESET RETRY COUNTER",
            &format!("00 2C 01 81 08 {pin}"),
            0x63CD,
        ),
    ]);
}

#[test]
fn a_transport_pin_must_be_changed_first() {
    let mut reader = with_options(0x0007);
    let pin = reader.ok(GENERATE);
    reader.log_out();
    reader.refused(&verify(&pin), 0x6984);
    reader.ok("00 24 00 81 0C 363438323139 313335373930");
    let pin = reader.ok(GENERATE);
    reader.log_out();
    reader.ok(&verify(&pin));
}

#[test]
fn every_refusal_has_its_word() {
    let mut reader = with_options(0x0005);
    reader.refuses(&[
        ("P1", "80 5A 02 81 00", 0x6A86),
        ("the SO-PIN", "80 5A 01 88 00", 0x6A88),
        ("no PIN", "80 5A 01 82 00", 0x6A88),
        ("data", "80 5A 01 81 01 00 00", 0x6700),
        ("no Le", "80 5A 01 81", 0x6700),
        ("Le too small", "80 5A 01 81 07", 0x6700),
        ("data to clear", "80 5A 00 81 01 00", 0x6700),
    ]);
    assert_eq!(reader.ok("80 5A 01 81 08").len(), 8);
    reader.log_out();
    reader.refuses(&[("no login", GENERATE, 0x6982), ("to clear", CLEAR, 0x6982)]);
    reader.ok(&format!("00 20 00 88 {}", lc_data(SO_PIN)));
    reader.refuses(&[("the SO's login", GENERATE, 0x6982)]);
    reader.run(&[("the SO stays", QUERY_SO, 0x9000)]);

    // Option 0008 alone is about registered keys.
    for options in [0x0001, 0x0009] {
        let mut reader = with_options(options);
        reader.refuses(&[
            ("not enabled", GENERATE, 0x6985),
            ("to clear", CLEAR, 0x6985),
        ]);
    }

    // Custodians alone: there is no PIN to stand in for.
    let mut reader = Reader::virgin();
    reader.ok("80 50 00 00 12 80 02 0004 82 08 3537363231383830 93 02 0101");
    reader.refuses(&[("no user PIN", GENERATE, 0x6A88)]);
}

#[test]
fn through_the_channel_as_hosts_ask_for_it() {
    let mut reader = with_options(0x0005);
    reader.log_out();
    let mut host = Host::open(&mut reader);
    host.ok(&mut reader, "00200081", USER_PIN, "00");
    let pin = host.ok(&mut reader, "805A0181", &[], "00");
    assert!(!reader.is_logged_in(), "the channel has ended");
    let mut host = Host::open(&mut reader);
    host.ok(&mut reader, "00200081", &pin, "00");
    host.ok(&mut reader, "004801B0", &[], "");
}
