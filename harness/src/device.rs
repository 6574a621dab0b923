//! Which device a card is: by its answer to reset, its version and its certificates.

use serde::{Deserialize, Serialize};

use crate::apdu::apdu;
use crate::card::cvc::Certificate;
use crate::der::Reader;
use crate::suite::hand::AID;
use crate::transport::{Target, TransportError};
use crate::verify::PublicKey;

/// Who a card says it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Identity {
    /// Where it is, in words.
    pub place: String,
    /// Answer to reset in hexadecimal digits.
    pub atr: String,
    /// Serial by its device certificate.
    pub serial: String,
    /// Firmware version, `3.6`.
    pub version: String,
    /// Options byte of tag 85, when the version has one.
    pub options: Option<u8>,
    /// Platform byte of tag 85, when the version has one.
    pub platform: Option<u8>,
    /// True when its certificates end at the root of all virtual cards.
    pub is_virtual: bool,
}

/// Why it is not known which device it is.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    /// It could not be asked.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// It is some other card.
    #[error("{place} holds no SmartCard-HSM: {what}")]
    OtherCard {
        /// Where the card is.
        place: String,
        /// What gave it away.
        what: String,
    },
}

/// Asks a card who it is: resets it, selects the applet, reads its certificates. Changes nothing.
/// Gives the content of EF 2F02 as well.
///
/// # Errors
/// [`Unknown`].
pub fn identify(card: &mut dyn Target) -> Result<(Identity, Vec<u8>), Unknown> {
    let place = card.describe();
    let other = |what: String| Unknown::OtherCard {
        place: place.clone(),
        what,
    };
    card.reset()?;
    let fci = ask(card, &apdu(0x00a4_0400).data(AID).le(256).bytes())?;
    let fci = fci.map_err(|status| other(format!("it answers {status:04X} to its name")))?;
    let version = proprietary(&fci).ok_or_else(|| other("its template has no version".into()))?;
    let (platform, options) = match version.as_slice() {
        [_, options, platform, _, _] => (Some(*platform), Some(*options)),
        _ => (None, None),
    };
    let (major, minor) = match version.as_slice() {
        [.., major, minor] => (*major, *minor),
        _ => return Err(other("its version has less than two bytes".into())),
    };
    let read = apdu(0x00b1_2f02).data([0x54, 2, 0, 0]).all();
    let file = ask(card, &read.bytes())?;
    let file = file.map_err(|status| other(format!("it answers {status:04X} to its EF 2F02")))?;
    let (device, above) =
        Certificate::of_device(&file).map_err(|error| other(format!("its EF 2F02: {error}")))?;
    let identity = Identity {
        place: place.clone(),
        atr: hex::encode_upper(card.atr()),
        serial: device.serial(),
        version: format!("{major}.{minor}"),
        options,
        platform,
        is_virtual: above.last().is_some_and(is_virtual),
    };
    Ok((identity, file))
}

/// True when the issuer of a device hangs below the root of all virtual cards, whose private key
/// everybody has and below which no genuine device was made.
#[must_use]
pub fn is_virtual(issuer: &Certificate) -> bool {
    let root = hsm2_emulator::identity::root_public_key();
    issuer.authority == hsm2_emulator::identity::ROOT_NAME
        && issuer.is_signed_by(&PublicKey::device(root.point))
}

/// Data of an answer with 9000 or 6282, or the status word of another.
fn ask(card: &mut dyn Target, command: &[u8]) -> Result<Result<Vec<u8>, u16>, TransportError> {
    let mut response = card.transmit(command)?;
    let (Some(sw2), Some(sw1)) = (response.pop(), response.pop()) else {
        return Err(TransportError::Protocol(
            "a response without a status word".into(),
        ));
    };
    match u16::from_be_bytes([sw1, sw2]) {
        0x9000 | 0x6282 => Ok(Ok(response)),
        status => Ok(Err(status)),
    }
}

/// Options byte in the answer to SELECT, when the version has one.
#[must_use]
pub fn options(fci: &[u8]) -> Option<u8> {
    match *proprietary(fci)?.as_slice() {
        [_, options, _, _, _] => Some(options),
        _ => None,
    }
}

/// Value of tag 85 in template 6F or 62.
fn proprietary(fci: &[u8]) -> Option<Vec<u8>> {
    let template = Reader::new(fci).element().ok()?;
    let mut fields = template.reader();
    while !fields.is_empty() {
        let field = fields.element().ok()?;
        if field.tag == 0x85 {
            return Some(field.content.to_vec());
        }
    }
    None
}
