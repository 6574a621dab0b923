//! Chip authentication: the card proves that it has its device key, and both sides get session
//! keys.
//!
//! ```text
//! K       = X of device key · the host's ephemeral point
//! Kenc    = first 16 bytes of SHA-1(K ‖ nonce ‖ 00000001)
//! Kmac    = first 16 bytes of SHA-1(K ‖ nonce ‖ 00000002)
//! token   = first 8 bytes of AES-CMAC(Kmac, 7F49 { 06 oid, 86 the host's point })
//! ```
//!
//! The host alone is anonymous: it has the card's certificate, and its own key serves once.
//! Source: BSI TR-03110 with the token of version 2, as the vendor's host computes it.

use zeroize::Zeroizing;

use super::{Channel, MAC};
use crate::crypto::symmetric::{self, BLOCK};
use crate::crypto::{self, EcPrivateKey, Hash};
use crate::secret::Secret;
use crate::tlv::Writer;

/// id-CA-ECDH-AES-CBC-CMAC-128, 0.4.0.127.0.7.2.2.3.2.2: the protocol of this card.
///
/// Hosts ask for it first, and for 3DES only if the card refuses it; nobody is known to ask for
/// AES-192 or AES-256, which are refused. (inferred)
pub(crate) const PROTOCOL: [u8; 10] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x03, 0x02, 0x02];

/// Bytes of the card's nonce.
pub(crate) const NONCE: usize = 8;

/// Agrees with the host's ephemeral point (04‖x‖y) on a channel; returns it with the token.
///
/// # Errors
///
/// [`crypto::Error::Point`] when the point is not one of the device key's curve.
pub(crate) fn agree(
    device: &EcPrivateKey,
    host_point: &[u8],
    nonce: &[u8; NONCE],
) -> Result<(Channel, Vec<u8>), crypto::Error> {
    let shared = device.ecdh(host_point)?;
    let x = shared
        .get(1..=device.curve().field_len())
        .ok_or(crypto::Error::Fault)?;
    let encryption = derive(x, nonce, 1)?;
    let mac = derive(x, nonce, 2)?;
    let token_input = Writer::new()
        .nested(0x7F49, |key| {
            key.element(0x06, &PROTOCOL).element(0x86, host_point)
        })
        .into_vec();
    let token = symmetric::aes_cmac(mac.expose(), &token_input)?;
    let token = token.get(..MAC).unwrap_or_default().to_vec();
    Ok((Channel::new(encryption, mac), token))
}

fn derive(shared: &[u8], nonce: &[u8; NONCE], number: u32) -> Result<Secret, crypto::Error> {
    let mut input = Zeroizing::new(Vec::with_capacity(shared.len() + NONCE + 4));
    input.extend_from_slice(shared);
    input.extend_from_slice(nonce);
    input.extend_from_slice(&number.to_be_bytes());
    let digest = Zeroizing::new(Hash::Sha1.digest(&input));
    let key = digest.get(..BLOCK).ok_or(crypto::Error::Fault)?;
    Ok(Secret::from(key))
}
