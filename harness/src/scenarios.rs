//! All scenarios, one module for each area.
//!
//! # How to write one
//!
//! ```
//! use hsm2_harness::apdu::apdu;
//! use hsm2_harness::scenario::{Effect, List, Start};
//! use hsm2_harness::suite::hand::verify;
//!
//! pub(crate) fn add(list: &mut List) {
//!     list.add("verify.user_pin.wrong_pin_spends_one_try", "A wrong user PIN spends one try")
//!         .source("ISO 7816-4, 11.6.6; recorded on firmware 1.2")
//!         .effect(Effect::SpendsRetry)        // what its own commands do to a device
//!         .start(Start::Fresh)                // what it finds, see `Start`
//!         .run(|t| {
//!             t.refused(verify(b"000000"), 0x63C2)?;           // this status word exactly, no data
//!             t.refused("00200081", 0x63C2)?;                  // any bytes, as hexadecimal text
//!             t.login()                                        // the usual things are methods
//!         });
//! }
//! # let mut list = List::default();
//! # add(&mut list);
//! ```
//!
//! - `t` is the [`Bench`](crate::suite::bench::Bench): [`ok`](crate::suite::hand::Hand::ok),
//!   [`refused`](crate::suite::hand::Hand::refused) and [`send`](crate::suite::hand::Hand::send) take
//!   an [`apdu`](crate::apdu::apdu()), bytes or hexadecimal text; `t.card()` has one method for each
//!   command; `t.other()?` is the second card after `.two_cards()`; `t.dice` draws repeatable bytes.
//! - The applet is selected when a scenario begins, and the user is logged in for the starts that say
//!   so. Leave nothing behind: the next scenario gets its own start.
//! - [`fixture`](crate::suite::fixture) has the PINs, the DKEK, and a key of every kind that
//!   [`Start::Keys`](crate::scenario::Start::Keys) puts on the card: `fixture::key("secp256r1")?.id`.
//! - Judge with [`judge`](crate::judge), never with the emulator's code.
//! - Assert the exact status word. Where generations differ, say what most do and write a departure
//!   into `harness/profiles/`. `t.observe(...)` is for what is worth knowing and not wrong.
//! - Each command of the virtual card has its scenarios; `pairs.rs` says which, and a test fails when
//!   a command has none, or when they do not show it succeed and refuse.
//! - Ids are `area.subject.expectation`. A loop over a table may add one scenario for each row. Name
//!   each capability that some devices lack with `.needs(...)` and list it in the profiles.
//! - `Effect` is about an owner's device: `ReadOnly` may run on any, `Creates` cleans up after itself
//!   and works with `Start::LoggedIn` and `t.free_key()?`, all that needs a prepared card `Wipes` it.
//!
//! Run yours with `cargo run -p hsm2-harness -- run 'area.*'`.

mod access;
mod capacity;
mod challenge;
mod channel;
mod decipher;
mod derive;
mod files;
mod forms;
mod generate;
mod identify;
mod key_domain;
mod pin_forms;
mod pins;
mod pka;
mod script;
mod session;
mod setup;
mod sign;
mod symmetric;
mod tables;
mod timing;
mod trust;
mod uses;
mod vectors;
mod verify;
mod wrap;
mod xkek;

#[cfg(test)]
pub(crate) mod pairs;

use crate::scenario::{List, Scenario};

/// All scenarios in the order of the areas.
#[must_use]
pub fn all() -> Vec<Scenario> {
    let mut list = List::default();
    for add in [
        identify::add,
        forms::add,
        setup::add,
        session::add,
        verify::add,
        pins::add,
        pin_forms::add,
        pka::add,
        trust::add,
        challenge::add,
        channel::add,
        files::add,
        access::add,
        capacity::add,
        sign::add,
        decipher::add,
        symmetric::add,
        derive::add,
        key_domain::add,
        tables::add,
        generate::add,
        wrap::add,
        vectors::add,
        xkek::add,
        timing::add,
    ] {
        add(&mut list);
    }
    list.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn each_scenario_has_its_own_well_formed_id_a_title_and_a_source() {
        let mut seen = BTreeSet::new();
        for scenario in super::all() {
            let id = &scenario.id;
            assert!(seen.insert(id.clone()), "{id} is there twice");
            assert!(
                id.split('.').count() >= 3,
                "{id} is not area.subject.expectation"
            );
            assert!(
                id.chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)),
                "{id}"
            );
            assert!(
                !scenario.title.is_empty() && !scenario.title.ends_with('.'),
                "{id}"
            );
            assert!(
                !scenario.source.is_empty(),
                "{id} does not say where it comes from"
            );
        }
    }
}
