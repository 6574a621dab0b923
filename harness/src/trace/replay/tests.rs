//! Whole sessions, written down and repeated.

use super::*;
use crate::guard::Consent;
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
