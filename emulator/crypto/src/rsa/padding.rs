//! Encodings around the raw RSA operation (RFC 8017).
//!
//! Here rather than in the `rsa` crate because its encoders are tied to its own keys, while the
//! card computes every raw operation itself.

use rand_core::CryptoRng;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, ConstantTimeGreater};
use zeroize::Zeroizing;

use super::super::{Error, Hash};

/// EMSA-PKCS1-v1_5 around a complete `DigestInfo` (section 9.2, from step 3 on).
///
/// ```text
/// 00 01 FF .. FF 00 DigestInfo      modulus_len bytes, at least eight FF
/// ```
///
/// The content is not parsed: what the host calls a `DigestInfo` is signed as it stands.
///
/// # Errors
/// [`Error::Length`] when fewer than eight FF would fit.
pub fn pkcs1v15_pad_digest_info(modulus_len: usize, digest_info: &[u8]) -> Result<Vec<u8>, Error> {
    let filling = modulus_len
        .checked_sub(digest_info.len() + 3)
        .filter(|&filling| filling >= 8)
        .ok_or(Error::Length)?;
    let mut block = Vec::with_capacity(modulus_len);
    block.extend_from_slice(&[0, 1]);
    block.resize(2 + filling, 0xFF);
    block.push(0);
    block.extend_from_slice(digest_info);
    Ok(block)
}

/// EMSA-PKCS1-v1_5 of a digest (section 9.2): builds the `DigestInfo` and pads it.
///
/// # Errors
/// [`Error::Length`] when the digest is not one of `hash`, or the modulus is too short for it.
pub fn pkcs1v15_sign_block(
    modulus_len: usize,
    hash: Hash,
    digest: &[u8],
) -> Result<Vec<u8>, Error> {
    if digest.len() != hash.len() {
        return Err(Error::Length);
    }
    let digest_info = [hash.digest_info_prefix(), digest].concat();
    pkcs1v15_pad_digest_info(modulus_len, &digest_info)
}

/// EMSA-PSS (section 9.1.1) with MGF1 over the same hash.
///
/// `em_bits` is one less than the bits of the modulus; the block has `em_bits` / 8 bytes, rounded
/// up. The card uses a salt as long as the hash.
///
/// # Errors
/// [`Error::Length`] when the digest is not one of `hash`, or hash and salt do not fit the block.
pub fn pss_encode(
    hash: Hash,
    digest: &[u8],
    salt_len: usize,
    em_bits: usize,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, Error> {
    if digest.len() != hash.len() {
        return Err(Error::Length);
    }
    let em_len = em_bits.div_ceil(8);
    let zeros = em_len
        .checked_sub(hash.len() + salt_len + 2)
        .ok_or(Error::Length)?;
    let mut salt = vec![0; salt_len];
    rng.fill_bytes(&mut salt);

    let tag = hash.digest_parts(&[&[0; 8], digest, &salt]);
    let mut block = vec![0; zeros];
    block.push(1);
    block.extend_from_slice(&salt);
    mask(hash, &tag, &mut block);
    if let Some(first) = block.first_mut() {
        *first &= 0xFF >> (8 * em_len - em_bits);
    }
    block.extend_from_slice(&tag);
    block.push(0xBC);
    Ok(block)
}

/// Takes the message out of an EME-PKCS1-v1_5 block (section 7.2.2, step 3) of the modulus' length.
///
/// Which byte is wrong does not show in the time; that something is wrong does, as a card's status
/// word tells it anyhow.
///
/// # Errors
/// [`Error::Padding`], the same for everything that can be wrong.
pub fn pkcs1v15_unpad(block: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let [first, second, rest @ ..] = block else {
        return Err(Error::Padding);
    };
    let mut valid = first.ct_eq(&0) & second.ct_eq(&2);
    let (found, position) = first_match(rest, |byte| byte.ct_eq(&0));
    valid &= found & position.ct_gt(&7);
    finish(rest, position, valid)
}

/// Takes the message out of an EME-OAEP block (section 7.1.2, step 3) of the modulus' length, with
/// MGF1 over the same hash.
///
/// # Errors
/// [`Error::Padding`], the same for everything that can be wrong.
pub fn oaep_unpad(hash: Hash, label: &[u8], block: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let length = hash.len();
    if block.len() < 2 * length + 2 {
        return Err(Error::Padding);
    }
    let mut block = Zeroizing::new(block.to_vec());
    let (first, rest) = block.split_first_mut().ok_or(Error::Padding)?;
    let (seed, data) = rest.split_at_mut(length);
    mask(hash, data, seed);
    mask(hash, seed, data);

    let (label_hash, message) = data.split_at(length);
    let mut valid = first.ct_eq(&0) & label_hash.ct_eq(&hash.digest(label));
    let (found, position) = first_match(message, |byte| !byte.ct_eq(&0));
    valid &= found;
    // The first byte that is not zero has to be the 01 before the message.
    let mut separator = 0u8;
    for (index, byte) in (0u64..).zip(message.iter()) {
        separator.conditional_assign(byte, index.ct_eq(&position));
    }
    valid &= separator.ct_eq(&1);
    finish(message, position, valid)
}

/// Whether any byte matches, and the position of the first that does; reads all bytes.
fn first_match(bytes: &[u8], matches: impl Fn(&u8) -> Choice) -> (Choice, u64) {
    let mut found = Choice::from(0);
    let mut position = 0u64;
    for (index, byte) in (0u64..).zip(bytes) {
        let hit = matches(byte) & !found;
        position.conditional_assign(&index, hit);
        found |= hit;
    }
    (found, position)
}

/// Everything behind `position`, when valid.
fn finish(bytes: &[u8], position: u64, valid: Choice) -> Result<Zeroizing<Vec<u8>>, Error> {
    if !bool::from(valid) {
        return Err(Error::Padding);
    }
    usize::try_from(position)
        .ok()
        .and_then(|position| bytes.get(position + 1..))
        .map(|message| Zeroizing::new(message.to_vec()))
        .ok_or(Error::Padding)
}

/// XORs `target` with MGF1 of `seed` (appendix B.2.1).
pub(super) fn mask(hash: Hash, seed: &[u8], target: &mut [u8]) {
    for (counter, chunk) in (0u32..).zip(target.chunks_mut(hash.len())) {
        let block = Zeroizing::new(hash.digest_parts(&[seed, &counter.to_be_bytes()]));
        for (byte, mask) in chunk.iter_mut().zip(block.iter()) {
            *byte ^= mask;
        }
    }
}
