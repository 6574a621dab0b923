//! ECDSA signatures and their two encodings.

use super::super::{Curve, Error};

/// The numbers r and s.
///
/// Both big endian. Made by this module they have the full width of the order and lie in 1..n-1;
/// what [`Self::from_der`] and [`Self::from_plain`] read is range-checked by the verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcdsaSignature {
    /// First number.
    pub r: Vec<u8>,
    /// Second number.
    pub s: Vec<u8>,
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

impl EcdsaSignature {
    /// DER as SIGN answers it.
    ///
    /// ```text
    /// 30 L { 02 L r, 02 L s }    minimal positive INTEGERs
    /// ```
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.r.len() + self.s.len() + 6);
        for number in [&self.r, &self.s] {
            let digits = strip_zeros(number);
            let sign = usize::from(digits.first().is_none_or(|&first| first >= 0x80));
            push_header(&mut body, INTEGER, digits.len() + sign);
            body.extend(std::iter::repeat_n(0, sign));
            body.extend_from_slice(digits);
        }
        let mut der = Vec::with_capacity(body.len() + 3);
        push_header(&mut der, SEQUENCE, body.len());
        der.extend_from_slice(&body);
        der
    }

    /// r‖s at full width, as certificates carry it.
    #[must_use]
    pub fn to_plain(&self) -> Vec<u8> {
        [self.r.as_slice(), &self.s].concat()
    }

    /// Reads r‖s of exactly twice [`Curve::order_len`] bytes.
    ///
    /// # Errors
    /// [`Error::Signature`] for any other length.
    pub fn from_plain(curve: Curve, bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() != 2 * curve.order_len() {
            return Err(Error::Signature);
        }
        let (r, s) = bytes.split_at(curve.order_len());
        Ok(Self {
            r: r.to_vec(),
            s: s.to_vec(),
        })
    }

    /// Reads DER strictly: definite minimal lengths, minimal positive INTEGERs, nothing behind.
    ///
    /// # Errors
    /// [`Error::Signature`] when the bytes are anything else, or a number is longer than the order.
    pub fn from_der(curve: Curve, der: &[u8]) -> Result<Self, Error> {
        let (body, rest) = split_element(SEQUENCE, der)?;
        let (r, tail) = split_element(INTEGER, body)?;
        let (s, end) = split_element(INTEGER, tail)?;
        if !rest.is_empty() || !end.is_empty() {
            return Err(Error::Signature);
        }
        Ok(Self {
            r: positive(curve, r)?,
            s: positive(curve, s)?,
        })
    }
}

/// The number without leading zero bytes; zero has no bytes left.
fn strip_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// Appends tag and length; the body is below 256 bytes on every curve.
fn push_header(out: &mut Vec<u8>, tag: u8, length: usize) {
    out.push(tag);
    let [.., low] = length.to_be_bytes();
    if length >= 0x80 {
        out.push(0x81);
    }
    out.push(low);
}

/// Splits `tag`, length and value off the front.
fn split_element(tag: u8, bytes: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let (length, rest) = match bytes {
        [first, 0x81, length, rest @ ..] if *first == tag && *length >= 0x80 => (*length, rest),
        [first, length, rest @ ..] if *first == tag && *length < 0x80 => (*length, rest),
        _ => return Err(Error::Signature),
    };
    rest.split_at_checked(usize::from(length))
        .ok_or(Error::Signature)
}

/// The content of a minimal positive INTEGER, at the width of the order.
fn positive(curve: Curve, content: &[u8]) -> Result<Vec<u8>, Error> {
    let digits = match content {
        [] | [0x80..=0xFF, ..] | [0, 0..0x80, ..] => return Err(Error::Signature),
        [0, digits @ ..] => digits,
        digits => digits,
    };
    let missing = curve
        .order_len()
        .checked_sub(digits.len())
        .ok_or(Error::Signature)?;
    Ok([vec![0; missing].as_slice(), digits].concat())
}
