//! What the fuzz targets found, so that it does not come back.

use hsm2_attack::apdu::{extended, initialize, log_in, read, short};
use hsm2_attack::fixture;
use hsm2_attack::session::{Action, Operand, Session, Stage, Turn, Twist, run};
use hsm2_attack::targets;
use serde_json::json;

/// Commands as the target `apdu_bytes` takes them.
fn with_lengths(commands: &[Vec<u8>]) -> Vec<u8> {
    let length = |command: &[u8]| {
        u16::try_from(command.len())
            .unwrap_or_default()
            .to_be_bytes()
    };
    let framed = commands
        .iter()
        .map(|command| [&length(command), &command[..]].concat());
    framed.collect::<Vec<_>>().concat()
}

/// The certificate of the first card's device.
fn certificate() -> Vec<u8> {
    let papers = Stage::get().papers();
    papers.devices.first().cloned().unwrap_or_default()
}

/// A PIN whose bytes everybody may read in the device certificate is no secret that leaked.
#[test]
fn a_pin_that_is_a_part_of_the_certificate() {
    let certificate = certificate();
    let pin = certificate.get(100..106).unwrap_or_default();
    assert_eq!(pin.len(), 6);
    let template = [b"\x81\x06", pin, b"\x82\x0857621880"].concat();
    targets::apdu_bytes(&with_lengths(&[
        short(0x80, 0x50, 0, 0, &template),
        read(0x2F02),
    ]));
}

/// What a key domain's state begins with is told to everybody, and no secret even as a PIN.
#[test]
fn a_pin_that_is_the_state_of_a_key_domain() {
    let domain = [
        fixture::create_domain(fixture::DKEK, 1),
        fixture::share(fixture::DKEK, 0x5A),
    ];
    let [mut card, _] = Stage::get().cards();
    card.ok(&initialize(1, b"\x97\x01\x04"));
    card.ok(&log_in());
    let [_, state] = domain.each_ref().map(|command| card.ok(command));
    let pin = state.get(..6).unwrap_or_default();
    let template = [
        b"\x81\x06",
        pin,
        b"\x82\x0857621880\x91\x01\x03\x97\x01\x04",
    ]
    .concat();
    let [created, shared] = domain;
    targets::apdu_bytes(&with_lengths(&[
        short(0x80, 0x50, 0, 0, &template),
        short(0x00, 0x20, 0, 0x81, pin),
        created,
        shared,
    ]));
}

/// A share may hold what stands in every certificate.
#[test]
fn a_share_that_is_a_part_of_the_certificate() {
    let certificate = certificate();
    let share = certificate.get(40..72).unwrap_or_default();
    targets::apdu_bytes(&with_lengths(&[
        fixture::create_domain(fixture::ABSENT, 1),
        extended(0x80, 0x52, 0, fixture::ABSENT, share),
        read(0x2F02),
    ]));
}

/// A protected command for another logical channel is not one of the secure channel: 6882.
#[test]
fn a_protected_command_for_another_logical_channel() {
    let turn = |action, twist, protected| Turn {
        second: false,
        action,
        twist,
        protected,
        tamper: None,
    };
    let challenge = || Action::Challenge { length: 8 };
    let turns = vec![
        turn(Action::OpenChannel, None, false),
        turn(challenge(), Some(Twist::Header(0, 0x02)), true),
        turn(challenge(), None, true),
    ];
    let replay = false;
    assert_eq!(run(&Session { replay, turns }), 4);
}

/// What a card draws after an operation with an RSA key is the same whichever copy of the card used
/// the key before, and however often.
#[test]
fn a_challenge_after_an_rsa_operation() {
    let turn = |action| Turn {
        second: false,
        action,
        twist: None,
        protected: false,
        tamper: None,
    };
    let turns = vec![
        turn(Action::Decipher {
            key: fixture::RSA_KEY,
            algorithm: 0x21,
            data: Operand::Block(42),
        }),
        turn(Action::Challenge { length: 8 }),
    ];
    let replay = true;
    // A pair of blinding numbers serves 32 operations.
    for _ in 0..40 {
        assert_eq!(
            run(&Session {
                replay,
                turns: turns.clone()
            }),
            2
        );
    }
}

/// A run that ended early, with more results than scenarios that were chosen.
#[test]
fn a_report_whose_numbers_do_not_fit() {
    let entry = json!({
        "id": "a.b", "area": "a", "title": "", "source": "", "effect": "", "start": "",
        "verdict": "pass", "millis": 0.0, "exchanges": [], "rerun": "",
    });
    let device = json!({
        "place": "", "atr": "", "serial": "", "version": "", "options": null, "platform": null,
        "is_virtual": true,
    });
    let report = json!({
        "schema_version": "1.0", "tool": "", "began": "", "millis": 0.0, "target": "",
        "device": device, "profile": ["", ""], "seed": 0, "known_scenarios": 0,
        "chosen_scenarios": 0, "aborted": "no reader", "counts": {}, "cards": [],
        "results": [entry],
    });
    let json = report.to_string();
    let parsed: Result<hsm2_harness::report::Report, _> = serde_json::from_str(&json);
    assert!(parsed.is_ok(), "{parsed:?}");
    targets::report(&[&[0], json.as_bytes()].concat());
}
