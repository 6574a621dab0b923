//! Keys that follow from keys.

use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;

use super::multiply;
use crate::suite::bench::Stop;

/// The public key of the sum of a private key and a parameter.
///
/// # Errors
/// [`Stop::Harness`] when OpenSSL cannot.
pub fn derived_key(curve: &str, private: &[u8], parameter: &[u8]) -> Result<Vec<u8>, Stop> {
    let mut sum = BigNum::new()?;
    sum.checked_add(
        &*BigNum::from_slice(private)?,
        &*BigNum::from_slice(parameter)?,
    )?;
    // A multiple of the order more or less gives the same point.
    multiply(curve, &sum.to_vec(), None)
}

/// A number less another, which is not above it.
///
/// # Errors
/// [`Stop::Harness`] when OpenSSL cannot.
pub fn difference(minuend: &[u8], subtrahend: &[u8]) -> Result<Vec<u8>, Stop> {
    let mut difference = BigNum::new()?;
    difference.checked_sub(
        &*BigNum::from_slice(minuend)?,
        &*BigNum::from_slice(subtrahend)?,
    )?;
    Ok(difference.to_vec())
}

/// The first 32 bytes of HKDF with SHA-256, RFC 5869, without salt.
///
/// # Errors
/// [`Stop::Harness`] when OpenSSL cannot.
pub fn hkdf_sha256(key: &[u8], info: &[u8]) -> Result<Vec<u8>, Stop> {
    let mac = |key: &[u8], parts: &[&[u8]]| -> Result<Vec<u8>, Stop> {
        let key = PKey::hmac(key)?;
        let mut signer = Signer::new(MessageDigest::sha256(), &key)?;
        for part in parts {
            signer.update(part)?;
        }
        Ok(signer.sign_to_vec()?)
    };
    let extracted = mac(&[0; 32], &[key])?;
    mac(&extracted, &[info, &[1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hkdf_of_the_standard() {
        // RFC 5869, A.3: the first 32 of 42 bytes.
        let derived = hkdf_sha256(&[0x0b; 22], &[]).unwrap();
        assert_eq!(
            hex::encode(derived),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
        );
    }

    #[test]
    fn a_sum_is_a_sum() {
        let expected = multiply("secp256k1", &[12], None).unwrap();
        assert_eq!(derived_key("secp256k1", &[5], &[7]).unwrap(), expected);
    }
}
