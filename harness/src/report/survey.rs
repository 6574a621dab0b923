//! Key domains and keys of a card, for the map of a report. Only looks.

use serde::{Deserialize, Serialize};

use crate::apdu::apdu;
use crate::card::CardError;
use crate::card::conditions::Conditions;
use crate::card::domain::{DomainKind, DomainStatus};
use crate::suite::bench::Stop;
use crate::suite::fixture;
use crate::suite::hand::Hand;

/// What a card holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CardMap {
    /// A or B.
    pub card: String,
    /// Serial.
    pub serial: String,
    /// Slots for key domains.
    pub domains: Vec<Domain>,
    /// Keys but the device's own.
    pub keys: Vec<KeyPlace>,
}

/// A slot for a key domain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Domain {
    /// Number of the slot.
    pub slot: u8,
    /// `empty`, `dkek` or `xkek`.
    pub kind: String,
    /// Shares of the DKEK in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares: Option<u8>,
    /// Shares still to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outstanding: Option<u8>,
    /// Key check value in hexadecimal digits, when there is a KEK.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_value: Option<String>,
    /// Identifier of an XKEK's group in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// A key and where it belongs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeyPlace {
    /// Number of the key.
    pub key: u8,
    /// Slot of its key domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<u8>,
    /// What it may be used for: algorithms in two hexadecimal digits each; nothing: everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithms: Option<Vec<String>>,
    /// How often it may still be used; nothing: without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses_left: Option<u32>,
}

/// Looks at a card whose applet is selected.
///
/// # Errors
/// [`Stop`] when it cannot be asked.
pub fn survey(name: char, serial: &str, hand: &mut Hand) -> Result<CardMap, Stop> {
    let mut domains = Vec::new();
    // A card says where its slots end; no known one has more than sixteen.
    for slot in 0..16 {
        let answer = hand.send(apdu(0x8052_0000).p2(slot).le(256))?;
        match answer.status {
            0x9000 => domains.extend(domain(slot, &answer.data)),
            // The slot is there and empty.
            0x6a88 => domains.push(Domain {
                slot,
                kind: "empty".into(),
                shares: None,
                outstanding: None,
                check_value: None,
                group: None,
            }),
            _ => break,
        }
    }
    let mut keys = Vec::new();
    for key in hand.card().keys()? {
        let conditions = match hand.card().conditions(key) {
            Ok(conditions) => conditions,
            Err(CardError::Transport { source, .. }) => return Err(source.into()),
            // A card that tells no conditions has keys all the same.
            Err(_) => Conditions::default(),
        };
        let digits = |list: Vec<u8>| list.iter().map(|one| format!("{one:02X}")).collect();
        keys.push(KeyPlace {
            key,
            domain: conditions.domain,
            algorithms: conditions.algorithms.map(digits),
            uses_left: conditions.uses_left,
        });
    }
    hand.take_exchanges();
    Ok(CardMap {
        card: name.into(),
        serial: serial.into(),
        domains,
        keys,
    })
}

/// Says that this device was left by a run which was cut off, where that shows: by the check value of
/// the suite's DKEK, which no other has. Cards that a scenario wanted without a DKEK do not show it.
#[must_use]
pub fn left_before(map: &CardMap) -> Option<String> {
    let suites = fixture::dkek().check_value().to_string();
    let mut values = map.domains.iter().flat_map(|domain| &domain.check_value);
    values.any(|value| *value == suites).then(|| {
        format!(
            "device {} has the DKEK of this program's scenarios: a run that was cut off has left it. {}",
            map.serial,
            fixture::LEFT
        )
    })
}

fn domain(slot: u8, answer: &[u8]) -> Option<Domain> {
    let status = DomainStatus::parse(answer)?;
    let (kind, shares, outstanding, group) = match status.kind {
        DomainKind::Dkek {
            shares,
            outstanding,
        } => ("dkek", Some(shares), Some(outstanding), None),
        DomainKind::Xkek { uid } => ("xkek", None, None, Some(hex::encode_upper(uid))),
    };
    Some(Domain {
        slot,
        kind: kind.into(),
        shares,
        outstanding,
        check_value: status.check_value.map(|value| value.to_string()),
        group,
    })
}
