//! What can be told of a key without using it.

use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::x509::X509;
use serde::Serialize;

use crate::apdu::apdu;
use crate::attest::{self, Origin};
use crate::card::CardError;
use crate::card::conditions::Conditions;
use crate::card::cvc::Certificate;
use crate::der::{Malformed, Reader};
use crate::suite::bench::Stop;
use crate::suite::hand::Hand;

/// A key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyFacts {
    /// Its number.
    pub number: u8,
    /// Kind and size, `RSA-2048`, `EC secp256r1`, `AES-256`; nothing when the device holds nothing
    /// that tells.
    pub kind: Option<String>,
    /// What tells the kind: the device says it of no key by itself.
    pub told_by: Option<&'static str>,
    /// Slot of its key domain.
    pub domain: Option<u8>,
    /// How often it may still be used; nothing: without end.
    pub uses_left: Option<u32>,
    /// What it may be used for, in two hexadecimal digits each; nothing: everything.
    pub algorithms: Option<Vec<String>>,
    /// Why its conditions of use are not known, when they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conditions_unknown: Option<String>,
    /// Where it comes from, as its request shows.
    pub origin: Origin,
    /// It has the name of the test keys that reports make and delete.
    pub is_test: bool,
}

/// Looks at one key; `device` is the card's own certificate.
pub(super) fn facts(hand: &mut Hand, number: u8, device: &Certificate) -> Result<KeyFacts, Stop> {
    let (conditions, conditions_unknown) = match hand.card().conditions(number) {
        Ok(conditions) => (conditions, None),
        Err(CardError::Transport { source, .. }) => return Err(source.into()),
        Err(error) => (Conditions::default(), Some(error.to_string())),
    };
    let attested = attest::judge_key(hand.card(), number, device)?;
    let (kind, told_by) = match attested.kind {
        Some(kind) => (Some(kind), Some("its request")),
        None => kind(hand, number, &conditions)?
            .map_or((None, None), |(kind, by)| (Some(kind), Some(by))),
    };
    let digits = |list: Vec<u8>| list.iter().map(|one| format!("{one:02X}")).collect();
    Ok(KeyFacts {
        number,
        kind,
        told_by,
        domain: conditions.domain,
        uses_left: conditions.uses_left,
        algorithms: conditions.algorithms.map(digits),
        conditions_unknown,
        is_test: attested.holder.as_deref() == Some(super::work::HOLDER),
        origin: attested.origin,
    })
}

type Told = (String, &'static str);

/// Kind of a key that has no request.
fn kind(hand: &mut Hand, number: u8, conditions: &Conditions) -> Result<Option<Told>, Stop> {
    if let Some(kind) = read(hand, 0xce, number)?.and_then(|file| by_certificate(&file)) {
        return Ok(Some((kind, "its certificate")));
    }
    if let Some(kind) = read(hand, 0xc4, number)?.and_then(|file| by_description(&file).ok()) {
        return Ok(Some((kind, "its description, which a host wrote")));
    }
    let listed = conditions.algorithms.as_deref().unwrap_or_default();
    Ok(by_algorithms(listed).map(|kind| (kind.into(), "its algorithms")))
}

/// A file, when it is there and can be read.
fn read(hand: &mut Hand, kind: u8, number: u8) -> Result<Option<Vec<u8>>, Stop> {
    let file = u32::from(u16::from_be_bytes([kind, number]));
    let answer = hand.send(apdu(0x00b1_0000 | file).data([0x54, 2, 0, 0]).all())?;
    Ok(matches!(answer.status, 0x9000 | 0x6282).then_some(answer.data))
}

/// Kind of the public key in an X.509 or card-verifiable certificate.
fn by_certificate(file: &[u8]) -> Option<String> {
    if let Ok(certificate) = X509::from_der(file) {
        return by_openssl(&certificate.public_key().ok()?);
    }
    let all = Certificate::parse_all(file).ok()?;
    all.first().map(|certificate| certificate.key.describe())
}

fn by_openssl(key: &PKey<Public>) -> Option<String> {
    match key.id() {
        Id::RSA => Some(format!("RSA-{}", key.bits())),
        Id::EC => {
            let curve = key.ec_key().ok()?.group().curve_name();
            Some(match curve {
                // X9.62 and SEC 2 gave the same two curves different names.
                Some(Nid::X9_62_PRIME256V1) => "EC secp256r1".into(),
                Some(Nid::X9_62_PRIME192V1) => "EC secp192r1".into(),
                Some(curve) => format!("EC {}", curve.short_name().ok()?),
                None => format!("EC, {} bits", key.bits()),
            })
        }
        _ => None,
    }
}

/// Kind and size by a PKCS#15 description.
///
/// ```text
/// 30 RSA | A0 EC   { 30 ..., 30 ..., [A0 ...], A1 { 30 { 30 path, 02 bits } } }
/// A8 AES           { 30 ..., 30 ..., A0 { [30] { 02 bits } }, ... }
/// ```
///
/// Bits are left out by some hosts.
fn by_description(file: &[u8]) -> Result<String, Malformed> {
    let frame = Reader::new(file).element()?;
    let (kind, place) = match frame.tag {
        0x30 => ("RSA", 0xa1),
        0xa0 => ("EC", 0xa1),
        0xa8 => ("AES", 0xa0),
        _ => return Err(Malformed::new(0, "a description of another kind of key")),
    };
    let mut parts = frame.reader();
    let mut bits = None;
    while !parts.is_empty() {
        let part = parts.element()?;
        if part.tag == place {
            bits = number_in(part.reader())?;
        }
    }
    Ok(match (kind, bits) {
        // A host that counts whole bytes of the longest curve.
        ("EC", Some(528)) => "EC, 521 bits".into(),
        ("EC", Some(bits)) => format!("EC, {bits} bits"),
        (_, Some(bits)) => format!("{kind}-{bits}"),
        (_, None) => format!("{kind} of unknown size"),
    })
}

/// The first number at this level or in a sequence of it.
fn number_in(mut fields: Reader<'_>) -> Result<Option<u32>, Malformed> {
    while !fields.is_empty() {
        let field = fields.element()?;
        let found = match field.tag {
            0x02 if field.content.len() <= 4 => {
                let digits = field.content.iter();
                Some(digits.fold(0, |number, byte| number << 8 | u32::from(*byte)))
            }
            0x30 => number_in(field.reader())?,
            _ => None,
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Kind of a key by what it may be used for, where one kind alone has such algorithms.
fn by_algorithms(listed: &[u8]) -> Option<&'static str> {
    listed.iter().find_map(|algorithm| match algorithm {
        0x10 | 0x11 | 0x18 | 0x99 => Some("AES of unknown size"),
        0x20..=0x23 | 0x30..=0x35 | 0x40..=0x45 => Some("RSA of unknown size"),
        0x70..=0x75 | 0x80 | 0x84 | 0x98 => Some("EC of unknown size"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_tell_kind_and_mostly_size() {
        let rows = [
            // As OpenSC, the vendor's middleware and other hosts write them.
            (
                "302A 3013 0C11 4141414141414141414141414141414141 3007 040101 03020274 A10A 3008 3002 0400 02020800",
                Some("RSA-2048"),
            ),
            (
                "A81F 3003 0C0141 3008 040101 030307C010 A006 3004 02020080 A106 3004 30020400",
                Some("AES-128"),
            ),
            (
                "A810 3003 0C0141 3003 040101 A004 02020100",
                Some("AES-256"),
            ),
            (
                "A016 3003 0C0141 3003 040101 A10A 3008 3002 0400 02020210",
                Some("EC, 521 bits"),
            ),
            (
                "A010 3003 0C0141 3003 040101 A104 3002 3000",
                Some("EC of unknown size"),
            ),
            ("3100", None),
            ("A0", None),
            ("A004 3003 0C01", None),
        ];
        for (digits, expected) in rows {
            let digits: String = digits.split_whitespace().collect();
            let found = by_description(&hex::decode(digits).unwrap()).ok();
            assert_eq!(found.as_deref(), expected);
        }
    }

    #[test]
    fn algorithms_tell_the_kind_where_one_kind_alone_has_them() {
        let rows: [(&[u8], _); 5] = [
            (&[], None),
            (&[0x92], None),
            (&[0x92, 0x33], Some("RSA of unknown size")),
            (&[0x84], Some("EC of unknown size")),
            (&[0x10, 0x11], Some("AES of unknown size")),
        ];
        for (listed, expected) in rows {
            assert_eq!(by_algorithms(listed), expected, "{listed:02X?}");
        }
    }
}
