//! What the time that a card takes may tell.

use crate::scenario::{Effect, List, Start};
use crate::suite::fixture;
use crate::suite::hand::verify;

/// Rounds of one wrong PIN of each kind.
const ROUNDS: usize = 40;

pub(super) fn add(list: &mut List) {
    list.add(
        "timing.verify.place_of_the_wrong_digit_does_not_show",
        "A PIN that is wrong in its first digit takes as long as one that is wrong in its last",
    )
    .source("constant-time comparison; a card that compares digit by digit leaks the PIN")
    .needs("expendable-pin")
    .effect(Effect::Wipes)
    .start(Start::Fresh)
    .run(|t| {
        let mut wrong_first = fixture::PIN.to_vec();
        let mut wrong_last = fixture::PIN.to_vec();
        if let Some(digit) = wrong_first.first_mut() {
            *digit ^= 1;
        }
        if let Some(digit) = wrong_last.last_mut() {
            *digit ^= 1;
        }
        let (mut first, mut last) = (Vec::new(), Vec::new());
        // Turn and turn about, so that whatever else the machine does hits both alike.
        for _ in 0..ROUNDS {
            for (pin, times) in [(&wrong_first, &mut first), (&wrong_last, &mut last)] {
                t.refused(verify(pin), 0x63c2)?;
                times.push(t.last_micros());
                t.login()?;
            }
        }
        let (first, last) = (median(&mut first), median(&mut last));
        // A quarter, or what a clock and a scheduler do to microseconds.
        let noise = (first.max(last) / 4).max(20);
        t.check(
            first.abs_diff(last) <= noise,
            &format!("medians that differ by at most {noise} us"),
            || format!("{first} us and {last} us"),
        )
    });
}

fn median(times: &mut [u64]) -> u64 {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
