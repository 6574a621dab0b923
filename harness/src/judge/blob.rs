//! Key blobs, the answer to WRAP KEY, opened: layout by this program's own reader, all cryptography
//! by OpenSSL.

use openssl::bn::{BigNum, BigNumContext};

use super::{Hash, aes_cbc, cmac};
use crate::blob::layout::{Blob, KeyType};
use crate::der::Reader;
use crate::key::Key;
use crate::secret::Secret;
use crate::suite::bench::Stop;

/// Bytes of randomness before the key.
const PREFIX: usize = 8;

/// The check value of a DKEK: the first eight bytes of its SHA-256.
///
/// # Errors
/// [`Stop::Harness`] when OpenSSL cannot.
pub fn check_value(dkek: &[u8; 32]) -> Result<Vec<u8>, Stop> {
    let mut digest = Hash::Sha256.of(dkek)?;
    digest.truncate(8);
    Ok(digest)
}

/// Makes sure that a blob is sealed under this DKEK and holds this key; gives its algorithm list.
///
/// # Errors
/// [`Stop::Fail`] for anything that is not so.
pub fn blob(bytes: &[u8], dkek: &[u8; 32], key: &Key) -> Result<Vec<u8>, Stop> {
    let parsed = Blob::parse(bytes)?;
    let derived = |counter: u8| Hash::Sha256.of(&[&dkek[..], &[0, 0, 0, counter]].concat());
    let is = |what: &str, expected: &[u8], found: &[u8]| {
        if expected == found {
            return Ok(());
        }
        let expected = format!("{what}: {}", hex::encode_upper(expected));
        Err(Stop::fail(expected, hex::encode_upper(found)))
    };
    is(
        "the check value",
        &check_value(dkek)?,
        &parsed.check_value.0,
    )?;
    is(
        "the MAC",
        &cmac(&derived(2)?, parsed.authenticated)?,
        parsed.mac,
    )?;
    is(
        "the default algorithm",
        parsed.key_type.default_algorithm(),
        parsed.default_algorithm,
    )?;
    let plain = aes_cbc(&derived(1)?, false, parsed.cryptogram)?;
    let mut content = Reader::new(plain.get(PREFIX..).unwrap_or_default());
    match (key, parsed.key_type) {
        (Key::Aes(key), KeyType::Aes) => {
            let found = field(&mut content)?;
            is("the AES key", key.expose(), found)?;
        }
        (Key::Ec(key), KeyType::Ec) => {
            let bits = 8 * key.curve().width();
            is("the size", &short(bits), content.take(2, "the size")?)?;
            let parameters = key.curve().parameters();
            let expected = parameters.iter().map(Vec::as_slice);
            for expected in expected.chain([key.private().expose(), key.public()]) {
                is("a field of the EC key", expected, field(&mut content)?)?;
            }
        }
        (Key::Rsa(key), KeyType::Rsa | KeyType::RsaCrt) => {
            let n = key.modulus();
            is(
                "the size",
                &short(8 * n.len()),
                content.take(2, "the size")?,
            )?;
            let private = match parsed.key_type {
                KeyType::Rsa => 1,
                _ => 5,
            };
            let mut parts = Vec::new();
            for _ in 0..private {
                parts.push(field(&mut content)?);
            }
            is("the modulus", &n, field(&mut content)?)?;
            let e = key.public_exponent();
            is("the exponent", &e, field(&mut content)?)?;
            if !is_private_part(&parts, &n, &e)? {
                return Err(Stop::fail("the private part of this RSA key", "another"));
            }
        }
        (_, found) => return Err(Stop::fail("a blob of this kind of key", found.name())),
    }
    is_padding(content.rest())?;
    Ok(parsed.algorithms.to_vec())
}

/// An RSA key to be sealed with the parts of the Chinese remainder theorem.
#[derive(Debug)]
pub struct SealedRsa<'a> {
    /// d mod (p-1), d mod (q-1), p, the inverse of q modulo p, q.
    pub private: [&'a Secret; 5],
    /// The modulus.
    pub modulus: &'a [u8],
    /// The public exponent.
    pub exponent: &'a [u8],
}

/// Seals an RSA key as type 06, the form that the vendor's script writes and the card does not.
///
/// # Errors
/// [`Stop::Harness`] when OpenSSL cannot.
pub fn seal_rsa_crt(dkek: &[u8; 32], key: &SealedRsa<'_>) -> Result<Vec<u8>, Stop> {
    let derived = |counter: u8| Hash::Sha256.of(&[&dkek[..], &[0, 0, 0, counter]].concat());
    let mut plain = vec![0xa5; PREFIX];
    plain.extend(short(8 * key.modulus.len()));
    let private = key.private.iter().map(|part| part.expose());
    for field in private.chain([key.modulus, key.exponent]) {
        plain.extend(short(field.len()));
        plain.extend_from_slice(field);
    }
    plain.push(0x80);
    plain.resize(plain.len().next_multiple_of(16), 0);
    let mut blob = check_value(dkek)?;
    blob.push(KeyType::RsaCrt.byte());
    for field in [KeyType::RsaCrt.default_algorithm(), &[], &[], &[]] {
        blob.extend(short(field.len()));
        blob.extend_from_slice(field);
    }
    blob.extend(aes_cbc(&derived(1)?, true, &plain)?);
    let mac = cmac(&derived(2)?, &blob)?;
    blob.extend(mac);
    Ok(blob)
}

/// Two bytes of length, then the field.
fn field<'a>(content: &mut Reader<'a>) -> Result<&'a [u8], Stop> {
    let length = content.u16("the length of a field")?;
    Ok(content.take(usize::from(length), "a field")?)
}

fn short(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap_or_default().to_be_bytes()
}

/// Whether d undoes e, or p (third) times q (fifth) is n. A private exponent may be any of several
/// that do the same.
fn is_private_part(parts: &[&[u8]], n: &[u8], e: &[u8]) -> Result<bool, Stop> {
    let mut context = BigNumContext::new()?;
    let n = BigNum::from_slice(n)?;
    match parts {
        [d] => {
            let (d, e) = (BigNum::from_slice(d)?, BigNum::from_slice(e)?);
            let two = BigNum::from_u32(2)?;
            let (mut power, mut back) = (BigNum::new()?, BigNum::new()?);
            power.mod_exp(&two, &e, &n, &mut context)?;
            back.mod_exp(&power, &d, &n, &mut context)?;
            Ok(back == two)
        }
        [_, _, p, _, q] => {
            let mut product = BigNum::new()?;
            product.checked_mul(
                &*BigNum::from_slice(p)?,
                &*BigNum::from_slice(q)?,
                &mut context,
            )?;
            Ok(product == n)
        }
        _ => Ok(false),
    }
}

/// ISO 9797-1 method 2: 80, then zeros to the end of the block.
fn is_padding(rest: &[u8]) -> Result<(), Stop> {
    match rest.split_first() {
        Some((0x80, zeros)) if zeros.len() < 16 && zeros.iter().all(|byte| *byte == 0) => Ok(()),
        _ => Err(Stop::fail("padding 80 00 ...", hex::encode_upper(rest))),
    }
}
