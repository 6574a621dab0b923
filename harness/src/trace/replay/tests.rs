//! Whole sessions, written down and repeated.

use super::*;
use crate::guard::Consent;
use crate::suite::fixture;
use crate::suite::runner::{Order, one_card, run};
use crate::transport::place::Place;

fn source() -> OneCard {
    one_card(&Place::EMBEDDED, &[], &Consent::default(), &mut |_| {}).unwrap()
}

/// Every scenario leaves the card as recorded, or is left where a secret is missing.
#[test]
fn the_whole_suite_replays_without_a_difference() {
    let all = crate::scenarios::all();
    let report = run(&Order::new(&all, all.iter().collect()), &mut |_| {}).unwrap();
    let trace = crate::trace::write(&report);
    let lines = crate::trace::parse("trace", &trace).unwrap();
    nothing_leaks(&report, &trace);
    let mut source = source();
    let outcome = replay(&lines, "A", &mut source).unwrap();
    assert_eq!(outcome.divergence, None);
    let scenarios = report.ran();
    assert!(outcome.ended.len() * 4 < scenarios, "{:?}", outcome.ended);
    assert!(outcome.sent > 3 * scenarios, "{} sent", outcome.sent);
    for name in ["ecdsa-signature", "public-point", "wrapped-key"] {
        assert!(outcome.masked.contains_key(name), "{name}");
    }
}

/// No form of a report holds what opens the fixture's cards, or what scenarios change it to.
fn nothing_leaks(report: &crate::report::Report, trace: &str) {
    let mut secrets = vec![
        fixture::PIN.to_vec(),
        fixture::SO_PIN.to_vec(),
        b"19283746".to_vec(),
        b"87654321".to_vec(),
    ];
    secrets.extend(fixture::shares().map(|share| share.expose().to_vec()));
    let forms = [
        serde_json::to_string(report).unwrap(),
        trace.to_owned(),
        crate::report::junit::junit(report).unwrap(),
        crate::report::page::page(&[report]),
    ];
    for secret in secrets {
        let digits = hex::encode_upper(secret);
        for (form, text) in forms.iter().enumerate() {
            assert!(!text.contains(&digits), "{digits} in form {form}");
        }
    }
}

fn lines(text: &str) -> Vec<Line> {
    crate::trace::parse("trace", text).unwrap()
}

/// SELECT of the applet, and what a new card answers.
const SELECT: &str = r#"{"card":"A","command":"00A404000BE82B0601040181C31F020100","response":"6F0A820178850500000003069000"}"#;

/// Whatever is left out is counted, and a scenario is left where nobody knows what happened.
#[test]
fn commands_without_answers_and_those_of_other_cards_are_counted() {
    let trace = [
        SELECT,
        r#"{"card":"B","command":"00840000","response":"9000"}"#,
        r#"{"card":"B","event":"reset"}"#,
        r#"{"card":"A","command":"0084000008"}"#,
        r#"{"card":"A","event":"removal"}"#,
        SELECT,
        SELECT,
    ];
    let outcome = replay(&lines(&trace.join("\n")), "A", &mut source()).unwrap();
    assert_eq!(outcome.divergence, None);
    assert_eq!((outcome.sent, outcome.not_sent()), (1, 4));
    let counted = BTreeMap::from([(OTHER_CARD, 1), (UNANSWERED, 1), (AFTER, 2)]);
    assert_eq!(outcome.left_out, counted);
    let ended = Ended {
        scenario: "the session".into(),
        line: 4,
        why: UNANSWERED,
    };
    assert_eq!(outcome.ended, [ended]);

    // The next scenario begins anew.
    let scenario = r#"{"card":"A","scenario":"next","start":"fresh"}"#;
    let trace = [&trace[..], &[scenario, SELECT]].concat().join("\n");
    let outcome = replay(&lines(&trace), "A", &mut source()).unwrap();
    assert_eq!((outcome.sent, outcome.not_sent()), (2, 4));
    assert_eq!(
        outcome.divergence.unwrap().line,
        9,
        "another state's template"
    );
}
