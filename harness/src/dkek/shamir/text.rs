//! Shares as text: what sc-hsm-tool shows a custodian and what a custodian types.

use std::fmt;

use zeroize::Zeroizing;

use super::{ShamirError, Share};

/// The three lines as sc-hsm-tool shows them, and a hint where its reading of the id differs.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Prime       : {}", *hex_bytes(self.prime))?;
        writeln!(f, "Share ID    : {}", self.id)?;
        write!(f, "Share value : {}", *hex_bytes(self.value))?;
        if self.id > 9 {
            write!(
                f,
                "\n# in sc-hsm-tool enter the share ID as {:02X}",
                self.id
            )?;
        }
        Ok(())
    }
}

fn hex_bytes(number: u64) -> Zeroizing<String> {
    let bytes = Zeroizing::new(number.to_be_bytes());
    let digits = bytes.iter().skip_while(|byte| **byte == 0);
    let mut text = Zeroizing::new(String::with_capacity(24));
    for byte in digits {
        if !text.is_empty() {
            text.push(':');
        }
        for digit in [byte >> 4, byte & 0x0f] {
            text.extend(char::from_digit(u32::from(digit), 16));
        }
    }
    if text.is_empty() {
        text.push_str("00");
    }
    text
}

impl Share {
    /// Reads the three values as a custodian enters them.
    ///
    /// `prime` and `value`: hexadecimal, separators allowed. `id`: decimal as sc-hsm-tool shows it,
    /// or hexadecimal when it has a letter (`0A`) or begins with `0x`.
    ///
    /// # Errors
    /// [`ShamirError::Text`] with the line 0 + 1, 2 or 3 of the value that is not readable.
    pub fn from_text(prime: &str, id: &str, value: &str) -> Result<Self, ShamirError> {
        let error = |line, what| ShamirError::Text { line, what };
        Ok(Self {
            prime: number(prime).ok_or_else(|| error(1, PRIME))?,
            id: share_id(id).ok_or_else(|| error(2, ID))?,
            value: number(value).ok_or_else(|| error(3, VALUE))?,
        })
    }
}

const PRIME: &str = "the prime must be 1 to 8 bytes in hexadecimal, as in c5:13:...";
const ID: &str = "the share ID must be a number from 1 to 255";
const VALUE: &str = "the share value must be 1 to 8 bytes in hexadecimal, as in 3a:07:...";

fn number(text: &str) -> Option<u64> {
    let mut number = 0_u64;
    let mut digits = 0;
    for c in text
        .trim()
        .chars()
        .filter(|c| !matches!(c, ':' | ' ' | '-'))
    {
        number = number
            .checked_mul(16)?
            .checked_add(u64::from(c.to_digit(16)?))?;
        digits += 1;
    }
    (1..=16).contains(&digits).then_some(number)
}

fn share_id(text: &str) -> Option<u8> {
    let text = text.trim();
    let hex = text
        .strip_prefix("0x")
        .or_else(|| text.contains(is_hex_letter).then_some(text));
    let id = match hex {
        Some(digits) => u8::from_str_radix(digits, 16),
        None => text.parse(),
    };
    id.ok().filter(|id| *id > 0)
}

fn is_hex_letter(c: char) -> bool {
    c.is_ascii_hexdigit() && c.is_ascii_alphabetic()
}

/// Reads all shares of a text: the labelled lines in the order prime, id, value, any number of
/// times. Other lines are ignored; the prime may be left out after the first share.
///
/// # Errors
/// [`ShamirError::Text`] for a value that is not readable or out of order, and for no share at all.
pub fn parse_shares(text: &str) -> Result<Vec<Share>, ShamirError> {
    let mut shares = Vec::new();
    let (mut prime, mut id) = (None, None);
    for (index, content) in text.lines().enumerate() {
        let at = |what| ShamirError::Text {
            line: index + 1,
            what,
        };
        let Some((label, content)) = content.split_once(':') else {
            continue;
        };
        match label.trim().to_ascii_lowercase().as_str() {
            "prime" => prime = Some(number(content).ok_or_else(|| at(PRIME))?),
            "share id" => id = Some(share_id(content).ok_or_else(|| at(ID))?),
            "share value" => shares.push(Share {
                prime: prime.ok_or_else(|| at("a share value before any prime"))?,
                id: id
                    .take()
                    .ok_or_else(|| at("a share value without its share ID"))?,
                value: number(content).ok_or_else(|| at(VALUE))?,
            }),
            _ => {}
        }
    }
    if shares.is_empty() {
        let what =
            "no share found; the lines \"Prime\", \"Share ID\" and \"Share value\" are needed";
        return Err(ShamirError::Text { line: 1, what });
    }
    Ok(shares)
}
