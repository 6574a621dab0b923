//! What the fuzz targets found, so that it does not come back.

use hsm2_attack::targets;
use serde_json::json;

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
