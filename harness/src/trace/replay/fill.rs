//! Secrets that a trace does not hold, filled in so that a card answers as recorded.

use crate::suite::hand::Hand;

/// A command with its stars filled, or nothing when what they stand for is not known.
pub(super) fn whole(command: &str, status: &str, hand: &Hand) -> Option<Vec<u8>> {
    let pin = hand.pin().ok().map(|pin| hex::encode_upper(pin.expose()));
    let so_pin = hand.so_pin().ok().map(hex::encode_upper);
    with_pins(command, status, pin.as_deref(), so_pin.as_deref())
}

/// Stars that follow each other.
fn runs(command: &str) -> Vec<usize> {
    command
        .split(|c| c != '*')
        .map(str::len)
        .filter(|length| *length > 0)
        .collect()
}

fn with_pins(
    command: &str,
    status: &str,
    pin: Option<&str>,
    so_pin: Option<&str>,
) -> Option<Vec<u8>> {
    let byte = |at: usize| {
        let digits = command.get(2 * at..2 * at + 2)?;
        u8::from_str_radix(digits, 16).ok()
    };
    if byte(1) == Some(0x82) && status == "9000" {
        // It answers a challenge, and the card's next one is another.
        return None;
    }
    if byte(0).is_some_and(|class| class & 0x0c != 0) {
        // It belongs to a channel whose keys are gone.
        return None;
    }
    if !command.contains('*') {
        return hex::decode(command).ok();
    }
    let stars = runs(command);
    let all = stars.iter().sum::<usize>();
    // A wrong PIN of the same length stays wrong.
    let wrong = "30".repeat(all / 2);
    let spends = status.starts_with("63C") || status == "6983";
    let done = status == "9000";
    let fits = |value: Option<&str>, length: usize| {
        value
            .filter(|value| value.len() == length)
            .map(str::to_owned)
    };
    let plain = matches!(byte(0)?, 0x00 | 0x80);
    let filling = match (byte(1)?, byte(3)?) {
        _ if !plain => return None,
        (0x20, _) if !done => wrong,
        (0x20, 0x88) => fits(so_pin, all)?,
        (0x20, _) => fits(pin, all)?,
        (0x24 | 0x2c, _) if spends => wrong,
        // The old PIN and a new one: the same again, so that the next login succeeds as recorded.
        (0x24, 0x81) if done => {
            let pin = fits(pin, all / 2)?;
            pin.clone() + &pin
        }
        (0x2c, _) => {
            let so_pin = so_pin?;
            match all.checked_sub(so_pin.len())? {
                0 => so_pin.to_owned(),
                new if done => so_pin.to_owned() + &fits(pin, new)?,
                new => so_pin.to_owned() + &"30".repeat(new / 2),
            }
        }
        (0x50, _) if spends => wrong,
        (0x50, _) => match *stars.as_slice() {
            [user, so] if done => fits(pin, user)? + &fits(so_pin, so)?,
            [user, so] => "30".repeat(user / 2) + &fits(so_pin, so)?,
            _ => return None,
        },
        // What is encrypted does not matter: the answer is not in the trace either.
        (0x78, _) if done => "00".repeat(all / 2),
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
    fn pins_are_filled_in_as_they_were() {
        let filled = |command: &str, status: &str| {
            with_pins(
                command,
                status,
                Some("363438323139"),
                Some("3537363231383830"),
            )
        };
        let verify = "0020008106************";
        assert_eq!(filled(verify, "9000").unwrap()[5..], *b"648219");
        assert_eq!(filled(verify, "63C2").unwrap()[5..], *b"000000");
        let so_pin = "0020008808****************";
        assert_eq!(filled(so_pin, "9000").unwrap()[5..], *b"57621880");
        // A user PIN of eight digits is no SO-PIN.
        assert_eq!(filled("0020008108****************", "9000"), None);
        assert_eq!(
            filled("002400810C************************", "9000").unwrap()[5..],
            *b"648219648219"
        );
        assert_eq!(filled("002400880808****************", "9000"), None);
        assert_eq!(filled("00200081", "9000").unwrap().len(), 4);
        // A share, a file behind the PIN, a command in a channel.
        assert_eq!(
            filled(&format!("8052000020{}", "**".repeat(32)), "9000"),
            None
        );
        assert_eq!(filled("00D7CD0106************", "9000"), None);
        assert_eq!(filled("0C200081****", "9000"), None);
        assert_eq!(filled("0CA4000002AABB", "9000"), None);
        // A signature of a challenge.
        assert_eq!(filled("0082000002AABB", "9000"), None);
        assert!(filled("0082000002AABB", "6300").is_some());
    }
}
