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
