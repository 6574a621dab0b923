use super::*;
use std::collections::BTreeMap;

fn report(place: &str) -> Report {
    Report {
        schema_version: crate::report::SCHEMA_VERSION.into(),
        tool: "hsm2-harness".into(),
        commit: None,
        began: "2026-01-01T00:00:00Z".into(),
        millis: 1.0,
        target: place.into(),
        device: crate::device::Identity {
            place: place.into(),
            atr: "3B80".into(),
            serial: "ZZVT0000001".into(),
            version: "3.6".into(),
            options: None,
            platform: None,
            is_virtual: true,
        },
        second: None,
        profile: ["p".into(), "q".into()],
        seed: 1,
        known_scenarios: 0,
        chosen_scenarios: 0,
        aborted: None,
        abort: None,
        left: Vec::new(),
        left_before: Vec::new(),
        stale: Vec::new(),
        counts: BTreeMap::new(),
        cards: Vec::new(),
        results: Vec::new(),
    }
}

#[test]
fn what_a_report_says_cannot_leave_its_place_in_the_page() {
    let hostile = report("</script><script>alert(1)</script><!--");
    let page = page(&[&hostile]);
    assert!(!page.contains("</script><script>alert"));
    assert!(page.contains("\\u003c/script>\\u003cscript>alert(1)"));
}

#[test]
fn the_page_names_no_other_place() {
    let page = page(&[&report("embedded"), &report("pcsc:reader")]);
    // The name space of SVG is a name, not a place.
    let rest = page.replace("http://www.w3.org/2000/svg", "");
    for scheme in ["http:", "https:", "//cdn", "@import", "url("] {
        assert!(!rest.contains(scheme), "{scheme}");
    }
}
