//! The suite on every generation that the emulator has.

use hsm2_emulator::profile::PROFILES;

use super::super::runner::{Order, run};
use crate::report::text::Style;
use crate::transport::place::{Generation, Place};

/// Each has a profile of its own; what it lacks is skipped, where it departs is known, and nothing
/// that is said of it is stale.
#[test]
fn every_generation_is_as_its_profile_says() {
    let all = crate::scenarios::all();
    let mut wrong = Vec::new();
    for generation in PROFILES {
        let order = Order {
            place: Place::Embedded(Generation::new(generation)),
            ..Order::new(&all, all.iter().collect())
        };
        let report = run(&order, &mut |_| {}).unwrap();
        let (major, minor) = generation.version;
        assert_eq!(report.device.version, format!("{major}.{minor}"));
        assert_eq!(report.profile[0], format!("virtual-{major}.{minor}"));
        // Something is tried on the poorest of them, too.
        assert!(report.ran() > 150, "{} ran", report.ran());
        if !report.is_good() {
            wrong.push(Style { colour: false }.whole(&report));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
