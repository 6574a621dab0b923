//! Proof that a device has the private key of its certificate, by chip authentication (BSI TR-03110
//! in the vendor's profile).
//!
//! ```text
//! terminal   e, E = e G on brainpoolP256r1
//! card       K = X of d E; nonce r; Kmac = first 16 of SHA-1(K ‖ r ‖ 00000002)
//!            token = first 8 of AES-CMAC(Kmac, 7F49 { 06 oid, 86 E })
//! ```
//!
//! Only who has d, or e, can make the token.

use crate::card::command::StatusWord;
use crate::card::cvc::object;
use crate::card::{Card, CardError};
use crate::judge::{self, Hash, Public};
use crate::key::curves::Curve;
use crate::key::ec::EcKey;
use crate::secret::Secret;
use crate::suite::bench::Stop;
use crate::verify::PublicKey;

/// id-CA-ECDH-AES-CBC-CMAC-128.
const OID: [u8; 10] = [4, 0, 0x7f, 0, 7, 2, 2, 3, 2, 2];

/// What asking for the proof led to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "state", content = "why", rename_all = "snake_case")]
pub enum Possession {
    /// The device has the private key.
    Proven,
    /// It does not show whether the device has the key.
    NotProven(String),
    /// The device does not have the key.
    Disproved(String),
}

/// Asks a card for the proof. Afterwards a plain command ends the channel that this opens.
///
/// # Errors
/// [`CardError`] when the card cannot be reached.
pub(super) fn prove(card: &mut Card, device: &PublicKey) -> Result<Possession, CardError> {
    let Public::Ec("brainpoolP256r1", device) = &device.numbers else {
        let why = "chip authentication is on brainpoolP256r1 only";
        return Ok(Possession::NotProven(why.into()));
    };
    let own = match Curve::by_name("brainpoolP256r1").map(EcKey::random) {
        Some(Ok(own)) => own,
        Some(Err(error)) => return Ok(Possession::NotProven(error.to_string())),
        None => return Ok(Possession::NotProven("brainpoolP256r1 is not known".into())),
    };
    let answer = match card.authenticate_chip(&OID, own.public()) {
        Ok(answer) => answer,
        Err(CardError::Refused { command, status }) => return Ok(unwilling(command, status)),
        Err(CardError::Answer { what, .. }) => return Ok(Possession::Disproved(what)),
        Err(unreachable) => return Err(unreachable),
    };
    let [nonce, token] = answer;
    let curve = own.curve().name;
    let Ok(shared) = judge::multiply(curve, own.private().expose(), Some(device)) else {
        let why = "the certified key is no point of the curve";
        return Ok(Possession::Disproved(why.into()));
    };
    Ok(match expected(&Secret::new(shared), &nonce, own.public()) {
        Ok(expected) if expected == token => Possession::Proven,
        Ok(_) => Possession::Disproved("the device's token was made with another key".into()),
        Err(stop) => Possession::NotProven(format!("this machine cannot judge it: {stop:?}")),
    })
}

fn unwilling(command: &str, status: StatusWord) -> Possession {
    Possession::NotProven(format!(
        "the card has no chip authentication ({command} answered {status}), and nothing else \
         proves it without making a key"
    ))
}

/// The token of who knows the shared point, 04 || x || y.
fn expected(shared: &Secret, nonce: &[u8], terminal: &[u8]) -> Result<Vec<u8>, Stop> {
    let coordinates = shared.expose().get(1..).unwrap_or_default();
    let (x, _) = coordinates.split_at(coordinates.len() / 2);
    let secret = Secret::new([x, nonce, &[0, 0, 0, 2]].concat());
    let digest = Secret::new(Hash::Sha1.of(secret.expose())?);
    let key = digest.expose().get(..16).unwrap_or_default();
    let data = object(
        0x7f49,
        &[&object(0x06, &[&OID]), &object(0x86, &[terminal])],
    );
    let mut token = judge::cmac(key, &data)?;
    token.truncate(8);
    Ok(token)
}
