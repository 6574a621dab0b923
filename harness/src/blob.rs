//! Wrapped keys: what WRAP KEY gives and UNWRAP KEY takes.
//!
//! ```text
//! offset  length  content
//!      0       8  check value of the DKEK
//!      8       1  key type: 05 RSA, 06 RSA-CRT, 0C EC, 0F AES
//!      9   2 + n  default algorithm, content bytes of an object identifier
//!          2 + n  allowed algorithms, one byte each; empty: no restriction
//!          2 + n  access conditions, empty
//!          2 + n  key object identifier, empty
//!           16 k  AES-256-CBC, zero IV, of: random (8) || size (2) || fields || 80 00 ...
//!             16  AES-CMAC over everything before
//! ```
//!
//! Lengths are two bytes, big endian. Size is in bits for RSA (8 x modulus bytes) and EC (8 x bytes
//! of p), in bytes for AES. Every field but the AES key has a two-byte length:
//!
//! | type | fields |
//! |---|---|
//! | 05 | d, n, e |
//! | 06 | d mod (p-1), d mod (q-1), p, q^-1 mod p, q, n, e |
//! | 0C | a, b, p, n, G, d, Q |
//! | 0F | the key |
//!
//! Source: the vendor's key encoder script; a wrapped key of a genuine Nitrokey HSM 2 opens.

pub mod container;
pub mod layout;
pub mod open;
pub mod seal;
pub mod show;

#[cfg(test)]
mod tests;

use aes::cipher::KeyInit;
use cmac::{Cmac, Mac};

use crate::dkek::Dkek;

const BLOCK: usize = 16;
const PREFIX_LEN: usize = 8;

fn mac(dkek: &Dkek, authenticated: &[u8]) -> Cmac<aes::Aes256> {
    let mut mac = <Cmac<aes::Aes256> as KeyInit>::new(dkek.mac_key().expose().into());
    mac.update(authenticated);
    mac
}
