//! What the time that a card takes may tell.

use std::time::Duration;

use crate::scenario::{Effect, List, Start};
use crate::suite::bench::{Bench, Stop};
use crate::suite::hand::verify;

/// Rounds of one wrong PIN of each kind in a series.
const ROUNDS: usize = 40;
/// Series of which one without a difference is enough: a leak shows in each, what else a machine
/// does meanwhile in some.
const SERIES: usize = 5;
/// What a clock and a scheduler do at least.
const NOISE: Duration = Duration::from_nanos(250);

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
        let mut found = String::new();
        for _ in 0..SERIES {
            let [first, last] = medians(t)?;
            // A tenth at most, for cards behind a reader.
            let noise = (first.max(last) / 10).max(NOISE);
            if first.abs_diff(last) <= noise {
                return Ok(());
            }
            found = format!("{first:?} and {last:?} in each of {SERIES} series, this the last");
        }
        t.check(false, "medians that differ by a tenth at most", || found)
    });
}

/// Median times of VERIFY with a PIN that is wrong in its first digit, and in its last.
fn medians(t: &mut Bench) -> Result<[Duration; 2], Stop> {
    let pin = t.pin()?;
    let mut wrong = [pin.expose().to_vec(), pin.expose().to_vec()];
    let [first, last] = &mut wrong;
    for digit in first.first_mut().into_iter().chain(last.last_mut()) {
        *digit ^= 1;
    }
    let mut times = [Vec::new(), Vec::new()];
    // Turn and turn about, so that whatever else the machine does hits both alike.
    for _ in 0..ROUNDS {
        for (pin, times) in wrong.iter().zip(&mut times) {
            t.refused(verify(pin), 0x63c2)?;
            times.push(t.last_took());
            t.login()?;
        }
    }
    Ok(times.map(|mut times| {
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    }))
}
