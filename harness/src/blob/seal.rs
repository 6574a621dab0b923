//! Sealing a key under a DKEK, as a card would.
//!
//! RSA keys are written as type 05 always: the card takes every size in this form, and CRT up to
//! 2048 bits only. EC numbers, d and n have full width; e has no leading zero.

use aes::cipher::{Block, BlockModeEncrypt, KeyIvInit};
use cmac::Mac;
use zeroize::Zeroizing;

use super::layout::KeyType;
use super::{BLOCK, PREFIX_LEN, mac};
use crate::dkek::Dkek;
use crate::key::{Key, KeyError};

/// Longest list of algorithms that a card takes with a key.
pub const MAX_ALGORITHMS: usize = 16;

/// Sizes of RSA keys, in bits, that a card takes. Older generations end at 2048.
pub const RSA_BITS: [usize; 5] = [1024, 1536, 2048, 3072, 4096];

/// Makes sure that a card takes a key with a list of this length.
///
/// # Errors
/// [`KeyError`] for more than [`MAX_ALGORITHMS`].
pub fn check_algorithms(algorithms: &[u8]) -> Result<(), KeyError> {
    match algorithms.len() {
        0..=MAX_ALGORITHMS => Ok(()),
        count => Err(KeyError::new(format!(
            "a token takes a key with at most {MAX_ALGORITHMS} algorithms, not {count}"
        ))),
    }
}

/// Makes sure that a card takes a key of this size.
///
/// # Errors
/// [`KeyError`] for an RSA key of none of the [`RSA_BITS`].
pub fn check_key(key: &Key) -> Result<(), KeyError> {
    let Key::Rsa(key) = key else {
        return Ok(());
    };
    let bits = key.modulus().len() * 8;
    if RSA_BITS.contains(&bits) {
        return Ok(());
    }
    Err(KeyError::new(format!(
        "an RSA key of {bits} bits: a token takes 1024, 1536, 2048, 3072 or 4096"
    )))
}

/// Wraps a key. `algorithms` lists what the card will allow with it; empty: everything.
///
/// # Errors
/// [`KeyError`] for a key or a list that no card takes, or when the system gives no randomness.
pub fn seal(key: &Key, dkek: &Dkek, algorithms: &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut prefix = [0; PREFIX_LEN];
    getrandom::fill(&mut prefix)
        .map_err(|e| KeyError::new(format!("the system gives no randomness: {e}")))?;
    seal_with_prefix(key, dkek, algorithms, prefix)
}

/// [`seal`] with the 8 random bytes given: equal input, equal bytes.
pub(super) fn seal_with_prefix(
    key: &Key,
    dkek: &Dkek,
    algorithms: &[u8],
    prefix: [u8; PREFIX_LEN],
) -> Result<Vec<u8>, KeyError> {
    check_algorithms(algorithms)?;
    check_key(key)?;
    let key_type = match key {
        Key::Rsa(_) => KeyType::Rsa,
        Key::Ec(_) => KeyType::Ec,
        Key::Aes(_) => KeyType::Aes,
    };
    let mut blob = dkek.check_value().0.to_vec();
    blob.push(key_type.byte());
    for field in [key_type.default_algorithm(), algorithms, &[], &[]] {
        blob.extend_from_slice(&length(field)?);
        blob.extend_from_slice(field);
    }
    blob.extend_from_slice(&encrypt(plaintext(key, prefix)?, dkek));
    let mac = mac(dkek, &blob).finalize().into_bytes();
    blob.extend_from_slice(&mac);
    Ok(blob)
}

/// Longest content: an RSA-4096 key. Reserved at once, so that growing leaves no copies behind.
const PLAINTEXT_CAPACITY: usize = 1280;

fn plaintext(key: &Key, prefix: [u8; PREFIX_LEN]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let mut plain = Zeroizing::new(Vec::with_capacity(PLAINTEXT_CAPACITY));
    plain.extend_from_slice(&prefix);
    match key {
        Key::Aes(key) => {
            plain.extend_from_slice(&size(key.len())?);
            plain.extend_from_slice(key.expose());
        }
        Key::Rsa(key) => {
            plain.extend_from_slice(&size(8 * key.modulus().len())?);
            let d = key.private_exponent();
            for field in [d.expose(), &key.modulus(), &key.public_exponent()] {
                plain.extend_from_slice(&length(field)?);
                plain.extend_from_slice(field);
            }
        }
        Key::Ec(key) => {
            plain.extend_from_slice(&size(8 * key.curve().width())?);
            let parameters = key.curve().parameters();
            let fields = parameters.iter().map(Vec::as_slice);
            for field in fields.chain([key.private().expose(), key.public()]) {
                plain.extend_from_slice(&length(field)?);
                plain.extend_from_slice(field);
            }
        }
    }
    // ISO 9797-1 method 2: always one 80.
    plain.push(0x80);
    let padded = plain.len().next_multiple_of(BLOCK);
    plain.resize(padded, 0);
    Ok(plain)
}

fn encrypt(mut plain: Zeroizing<Vec<u8>>, dkek: &Dkek) -> Zeroizing<Vec<u8>> {
    let key = dkek.encryption_key();
    let mut cipher = cbc::Encryptor::<aes::Aes256>::new(key.expose().into(), &[0; BLOCK].into());
    for block in plain.chunks_exact_mut(BLOCK) {
        if let Ok(block) = <&mut Block<aes::Aes256>>::try_from(block) {
            cipher.encrypt_block(block);
        }
    }
    plain
}

fn length(field: &[u8]) -> Result<[u8; 2], KeyError> {
    size(field.len())
}

fn size(size: usize) -> Result<[u8; 2], KeyError> {
    let size = u16::try_from(size).map_err(|_| KeyError::new("a part of the key is too long"))?;
    Ok(size.to_be_bytes())
}
