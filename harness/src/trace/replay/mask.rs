//! Which fields of an answer are another one every time, or on every device.

use crate::der::Reader;
use crate::suite::fixture;

/// Compares answers: nothing when they differ, or the names of the fields of which only the length
/// was compared. `recorded` may hold stars, which agree with anything.
pub(super) fn agree(command: &str, recorded: &str, found: &str) -> Option<Vec<&'static str>> {
    if same(recorded, found) {
        return Some(Vec::new());
    }
    let (data, status) = split(recorded);
    let (other, other_status) = split(found);
    if status != other_status || data.contains('*') || data.is_empty() != other.is_empty() {
        return None;
    }
    let (data, other) = (hex::decode(data).ok()?, hex::decode(other).ok()?);
    let byte = |at: usize| {
        let digits = command.get(2 * at..2 * at + 2)?;
        u8::from_str_radix(digits, 16).ok()
    };
    let long_as = |name: &'static str| (data.len() == other.len()).then(|| vec![name]);
    match (byte(1)?, byte(2)?, byte(3)?) {
        (0x84, ..) => long_as("challenge"),
        // The lengths of the two numbers of an ECDSA signature differ.
        (0x68, _, 0x70..=0x75) => Some(vec!["ecdsa-signature"]),
        (0x68, _, 0x40..=0x45) => long_as("pss-signature"),
        // The card drew the key, too.
        (0x68, key, _) if !is_of_fixture(key) => long_as("signature-of-a-drawn-key"),
        (0x72, ..) => wrapped(&data, &other),
        (0x86, ..) => long_as("chip-authentication-token"),
        (0x52, ..) => domain(&data, &other),
        (0x46, ..) => certificates(&data, &other),
        (0xb0 | 0xb1, 0x2f, 0x02) => {
            certificates(&data, &other).or_else(|| Some(vec!["device-certificates"]))
        }
        (0xb0 | 0xb1, 0xce | 0x00, _) => {
            certificates(&data, &other).or_else(|| long_as("part-of-a-certificate"))
        }
        _ => None,
    }
}

fn is_of_fixture(key: u8) -> bool {
    fixture::keys().is_ok_and(|keys| keys.iter().any(|known| known.id == key))
}

fn split(response: &str) -> (&str, &str) {
    response.split_at(response.len().saturating_sub(4))
}

/// The same digits wherever no star stands for a recorded one.
fn same(recorded: &str, found: &str) -> bool {
    recorded.len() == found.len()
        && recorded
            .chars()
            .zip(found.chars())
            .all(|(recorded, found)| recorded == '*' || recorded.eq_ignore_ascii_case(&found))
}

/// Check value of a key encryption key: that of the fixture must be the same, one that somebody drew
/// may be any, and none is none.
fn check_value(data: &[u8], other: &[u8]) -> Option<Vec<&'static str>> {
    let known = |value: &[u8]| value == fixture::dkek().check_value().0 || value == [0; 8];
    match data == other {
        true => Some(Vec::new()),
        false if known(data) || known(other) => None,
        false => Some(vec!["check-value-of-a-drawn-key"]),
    }
}

/// Check value, kind, four fields with their lengths, then what is encrypted.
fn wrapped(data: &[u8], other: &[u8]) -> Option<Vec<&'static str>> {
    let (value, rest) = data.split_first_chunk::<8>()?;
    let (other_value, other_rest) = other.split_first_chunk::<8>()?;
    let mut names = check_value(value, other_value)?;
    let open = open_part(rest)?;
    if rest.get(..open) != other_rest.get(..open) || rest.len() != other_rest.len() {
        return None;
    }
    names.push("wrapped-key");
    Some(names)
}

fn open_part(rest: &[u8]) -> Option<usize> {
    let mut at = 1;
    for _ in 0..4 {
        let &[high, low] = rest.get(at..at + 2)? else {
            return None;
        };
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
    }
    (at <= rest.len()).then_some(at)
}

/// Shares, outstanding, check value, identifier of a group.
fn domain(data: &[u8], other: &[u8]) -> Option<Vec<&'static str>> {
    let (state, value, group) = (data.get(..2)?, data.get(2..10)?, data.get(10..)?);
    if other.get(..2)? != state || other.len() != data.len() {
        return None;
    }
    let mut names = check_value(value, other.get(2..10)?)?;
    if other.get(10..)? != group {
        names.push("group-of-a-key-domain");
    }
    Some(names)
}

/// Card-verifiable certificates and requests, field by field.
fn certificates(data: &[u8], other: &[u8]) -> Option<Vec<&'static str>> {
    let mut names = Vec::new();
    fields(data, other, 0, &mut names)?;
    Some(names)
}

/// Deeper than any certificate goes.
const DEPTH: usize = 8;

fn fields(data: &[u8], other: &[u8], depth: usize, names: &mut Vec<&'static str>) -> Option<()> {
    let (mut ours, mut theirs) = (Reader::new(data), Reader::new(other));
    // A key has its point in 86, or its modulus in 81.
    let mut parameters = Reader::new(data);
    let mut has_point = false;
    while let Ok(element) = parameters.element() {
        has_point |= element.tag == 0x86;
    }
    while !ours.is_empty() {
        let (one, two) = (ours.element().ok()?, theirs.element().ok()?);
        if one.tag != two.tag {
            return None;
        }
        if matches!(one.tag, 0x67 | 0x7f21 | 0x7f4e | 0x7f49 | 0x7f4c) && depth < DEPTH {
            fields(one.content, two.content, depth + 1, names)?;
            continue;
        }
        if one.content == two.content {
            continue;
        }
        let name = match one.tag {
            0x86 => "public-point",
            0x81 if !has_point => "modulus",
            0x5f37 => "signature-of-a-certificate",
            // Another device has another name.
            0x5f20 => "holder",
            0x42 => "authority",
            0x5f24 | 0x5f25 => "date",
            _ => return None,
        };
        if one.content.len() != two.content.len() {
            return None;
        }
        names.push(name);
    }
    theirs.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_agree_with_anything_of_their_length() {
        assert!(same("12**9000", "12AB9000"));
        assert!(!same("12**9000", "129000"));
        assert!(!same("12**9000", "13AB9000"));
    }

    #[test]
    fn random_fields_have_names_and_the_others_must_agree() {
        let rows = [
            ("0084000008", "AABB9000", "CCDD9000", Some("challenge")),
            ("0084000008", "AABB9000", "CC9000", None),
            ("0084000008", "AABB9000", "CCDD6982", None),
            (
                "80680170",
                "30AA9000",
                "3015CC9000",
                Some("ecdsa-signature"),
            ),
            ("80682130", "30AA9000", "30159000", None),
            (
                "8068FE30",
                "30AA9000",
                "30159000",
                Some("signature-of-a-drawn-key"),
            ),
            // The holder of a request and its signature, and what is neither.
            (
                "00460100",
                "7F21095F2001415F370241429000",
                "7F21095F2001415F370243449000",
                Some("signature-of-a-certificate"),
            ),
            ("00460100", "7F21045F2901009000", "7F21045F2901019000", None),
        ];
        for (command, recorded, found, name) in rows {
            let expected = name.map(|name| vec![name]);
            assert_eq!(agree(command, recorded, found), expected, "{recorded}");
        }
    }

    #[test]
    fn only_the_check_value_of_a_drawn_key_is_random() {
        let fixture = hex::encode_upper(fixture::dkek().check_value().0);
        let status = |value: &str| format!("0200{value}9000");
        let none = "0".repeat(16);
        let drawn = ["1122334455667788", "8877665544332211"];
        let agree = |a: &str, b: &str| agree("80520000", &status(a), &status(b));
        assert_eq!(
            agree(drawn[0], drawn[1]),
            Some(vec!["check-value-of-a-drawn-key"])
        );
        assert_eq!(agree(&fixture, drawn[0]), None);
        assert_eq!(agree(&fixture, &none), None);
        assert_eq!(agree(drawn[0], &none), None);
        // Outstanding shares are not random.
        let other = format!("0201{}9000", drawn[0]);
        assert_eq!(super::agree("80520000", &status(drawn[0]), &other), None);
    }
}
