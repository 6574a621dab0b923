//! Sends what was recorded to another card, and finds where it first answers otherwise.

use super::Line;
use crate::scenario::Start;
use crate::suite::bench::Stop;
use crate::suite::fixture;
use crate::suite::hand::Hand;

/// The first difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// Number of the line, from 1, empty ones not counted.
    pub line: usize,
    /// The scenario it is in, when the trace says so.
    pub scenario: Option<String>,
    /// The command in words.
    pub command: String,
    /// What was recorded.
    pub recorded: String,
    /// What the card answered.
    pub found: String,
}

/// What a replay showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Commands that were sent.
    pub sent: usize,
    /// Commands that were not sent: their secrets are not known, or they began with a card that was
    /// never initialised.
    pub left_out: usize,
    /// Answers of which only the status word was compared, by the name of what is random in them.
    pub masked: std::collections::BTreeMap<&'static str, usize>,
    /// The first difference.
    pub divergence: Option<Divergence>,
}

/// Replays the lines of one card until the first difference.
///
/// # Errors
/// [`Stop`] when the card cannot be reached or brought to a start.
pub fn replay(lines: &[Line], card: &str, hand: &mut Hand) -> Result<Outcome, Stop> {
    let mut outcome = Outcome::default();
    let mut scenario = None;
    let mut begun = true;
    for (number, line) in (1..).zip(lines) {
        if line.card != card {
            continue;
        }
        if let Some(id) = &line.scenario {
            scenario = Some(id.clone());
            begun = begin(hand, line.start)?;
            continue;
        }
        if !begun {
            outcome.left_out += usize::from(line.command.is_some());
            continue;
        }
        match line.event.as_deref() {
            Some("reset") => hand.reset()?,
            Some("power cycle" | "power on") => hand.power_cycle()?,
            _ => {}
        }
        let (Some(command), Some(response)) = (&line.command, &line.response) else {
            continue;
        };
        let status = response.get(response.len().saturating_sub(4)..);
        let status = status.unwrap_or_default();
        let Some(bytes) = whole(command, status) else {
            outcome.left_out += 1;
            continue;
        };
        let answer = hand.send(bytes)?;
        outcome.sent += 1;
        let found = format!("{}{:04X}", hex::encode_upper(&answer.data), answer.status);
        let same = match mask(command) {
            Some(name) if status == "9000" || status == "6282" => {
                *outcome.masked.entry(name).or_default() += 1;
                found.ends_with(status)
            }
            _ => agree(response, &found),
        };
        if !same {
            let mut words = vec![line.name.clone().unwrap_or_default()];
            words.extend(line.algorithm.clone());
            words.extend(line.about.clone());
            outcome.divergence = Some(Divergence {
                line: number,
                scenario,
                command: words.join(", "),
                recorded: response.clone(),
                found,
            });
            break;
        }
    }
    Ok(outcome)
}

/// False for a start that no card can be brought to again.
fn begin(hand: &mut Hand, start: Option<Start>) -> Result<bool, Stop> {
    match start {
        None => {}
        Some(Start::Virgin) => return Ok(false),
        // What any card is to a scenario is the fixture's full one, see the runner.
        Some(Start::AsFound | Start::LoggedIn) => fixture::prepare(hand, Start::Keys)?,
        Some(start) => fixture::prepare(hand, start)?,
    }
    Ok(true)
}

/// Commands whose answer is another one every time, or on every device, by what is random in it.
fn mask(command: &str) -> Option<&'static str> {
    let byte = |at: usize| {
        let digits = command.get(2 * at..2 * at + 2)?;
        u8::from_str_radix(digits, 16).ok()
    };
    match (byte(1)?, byte(2)?, byte(3)?) {
        (0x84, ..) => Some("challenge"),
        (0x68, _, 0x70..=0x75) => Some("ecdsa-signature"),
        (0x68, _, 0x40..=0x45) => Some("pss-signature"),
        (0x46, ..) => Some("public-key"),
        (0x72, ..) => Some("wrapped-key"),
        (0x86, ..) => Some("ephemeral-key"),
        (0x5a, ..) => Some("session-pin"),
        (0xb0 | 0xb1, 0x2f, 0x02) => Some("device-certificates"),
        (0xb0 | 0xb1, 0xce | 0x00, _) => Some("certificate"),
        (0x52 | 0x54, ..) => Some("domain-identifier"),
        _ => None,
    }
}

/// The same digits wherever no star stands for a recorded one.
fn agree(recorded: &str, found: &str) -> bool {
    recorded.len() == found.len()
        && recorded
            .chars()
            .zip(found.chars())
            .all(|(recorded, found)| recorded == '*' || recorded.eq_ignore_ascii_case(&found))
}

/// Fills the stars of a command with the fixture's PINs, so that the card answers as recorded;
/// nothing when they stand for something else.
fn whole(command: &str, status: &str) -> Option<Vec<u8>> {
    if !command.contains('*') {
        return hex::decode(command).ok();
    }
    let pin = hex::encode_upper(fixture::PIN);
    let so_pin = hex::encode_upper(fixture::SO_PIN);
    let stars: String = command.chars().filter(|c| *c == '*').collect();
    let wrong = "30".repeat(stars.len() / 2);
    let filling = match command.get(2..4)? {
        // A wrong PIN of the same length stays wrong.
        "20" if status != "9000" => wrong,
        "20" if stars.len() == pin.len() => pin,
        "20" if stars.len() == so_pin.len() => so_pin,
        "50" if status == "9000" && stars.len() == pin.len() + so_pin.len() => pin + &so_pin,
        _ => return None,
    };
    let mut digits = filling.chars();
    let filled: Option<String> = command
        .chars()
        .map(|c| if c == '*' { digits.next() } else { Some(c) })
        .collect();
    hex::decode(filled?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_agree_with_anything_of_their_length() {
        assert!(agree("12**9000", "12AB9000"));
        assert!(!agree("12**9000", "129000"));
        assert!(!agree("12**9000", "13AB9000"));
    }

    #[test]
    fn pins_are_filled_in_as_they_were() {
        let verify = "0020008106************";
        assert_eq!(whole(verify, "9000").unwrap()[5..], *fixture::PIN);
        assert_eq!(whole(verify, "63C2").unwrap()[5..], *b"000000");
        assert_eq!(whole("0024008106************", "9000"), None);
        assert_eq!(whole("00200081", "9000").unwrap().len(), 4);
    }

    #[test]
    fn random_fields_have_names() {
        assert_eq!(mask("0084000008"), Some("challenge"));
        assert_eq!(mask("80680170"), Some("ecdsa-signature"));
        assert_eq!(mask("80680130"), None);
        assert_eq!(mask("00B12F02"), Some("device-certificates"));
        assert_eq!(mask("00"), None);
    }
}
