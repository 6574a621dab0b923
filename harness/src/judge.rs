//! The independent judge: OpenSSL, which shares no code with the virtual card.
//!
//! It knows all nineteen curves, and every RSA padding and symmetric algorithm of the card. Nothing
//! here is constant time or holds a secret that matters.

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey as OpensslEc, EcPoint};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;

use crate::key::EcKey;
use crate::suite::bench::Stop;

/// A hash function that the card knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-1.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Sha1,
        Self::Sha224,
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
    ];

    fn digest(self) -> MessageDigest {
        match self {
            Self::Sha1 => MessageDigest::sha1(),
            Self::Sha224 => MessageDigest::sha224(),
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha384 => MessageDigest::sha384(),
            Self::Sha512 => MessageDigest::sha512(),
        }
    }

    /// The hash of a message.
    ///
    /// # Errors
    /// [`Stop::Harness`] when OpenSSL cannot.
    pub fn of(self, message: &[u8]) -> Result<Vec<u8>, Stop> {
        Ok(hash(self.digest(), message)?.to_vec())
    }
}

/// The group of a curve by its name in SEC 2 or RFC 5639.
fn group(curve: &str) -> Result<EcGroup, Stop> {
    let name = match curve {
        "secp192r1" => "prime192v1",
        "secp256r1" => "prime256v1",
        other => other,
    };
    let nid = openssl::asn1::Asn1Object::from_str(name)?.nid();
    if nid == Nid::UNDEF {
        return Err(Stop::Harness(format!(
            "the judge knows no curve called {curve}"
        )));
    }
    Ok(EcGroup::from_curve_name(nid)?)
}

/// A point that is on the curve.
fn point(group: &EcGroup, bytes: &[u8]) -> Result<Option<OpensslEc<openssl::pkey::Public>>, Stop> {
    let mut context = BigNumContext::new()?;
    let Ok(point) = EcPoint::from_bytes(group, bytes, &mut context) else {
        return Ok(None);
    };
    Ok(OpensslEc::from_public_key(group, &point).ok())
}

/// Judges an ECDSA signature in DER over a hash, by the public key of a key on the host.
///
/// # Errors
/// [`Stop::Harness`] when OpenSSL cannot.
pub fn ecdsa(key: &EcKey, hash: &[u8], der: &[u8]) -> Result<bool, Stop> {
    ecdsa_by(key.curve().name, key.public(), hash, der)
}

/// Judges an ECDSA signature in DER over a hash, by a point `04 || x || y`. Another encoding of the
/// same numbers than the shortest is no signature.
///
/// # Errors
/// [`Stop::Harness`] when OpenSSL cannot.
pub fn ecdsa_by(curve: &str, public: &[u8], hash: &[u8], der: &[u8]) -> Result<bool, Stop> {
    let Ok(signature) = EcdsaSig::from_der(der) else {
        return Ok(false);
    };
    if signature.to_der()? != der {
        return Ok(false);
    }
    verify_ecdsa(curve, public, hash, &signature)
}

/// Judges an ECDSA signature `r || s` over a hash, by a point `04 || x || y`. Both numbers have the
/// width of the order; any other length is no signature.
///
/// # Errors
/// [`Stop::Harness`] when OpenSSL cannot.
pub fn ecdsa_plain(curve: &str, public: &[u8], hash: &[u8], plain: &[u8]) -> Result<bool, Stop> {
    let width = usize::try_from(group(curve)?.order_bits().div_ceil(8)).unwrap_or_default();
    let (r, s) = plain.split_at(plain.len() / 2);
    if r.len() != width || s.len() != width {
        return Ok(false);
    }
    let (r, s) = (BigNum::from_slice(r)?, BigNum::from_slice(s)?);
    let signature = EcdsaSig::from_private_components(r, s)?;
    verify_ecdsa(curve, public, hash, &signature)
}

fn verify_ecdsa(
    curve: &str,
    public: &[u8],
    hash: &[u8],
    signature: &EcdsaSig,
) -> Result<bool, Stop> {
    let group = group(curve)?;
    let Some(key) = point(&group, public)? else {
        return Ok(false);
    };
    // An error is OpenSSL's word for a signature that cannot be one.
    Ok(signature.verify(hash, &key).unwrap_or(false))
}

/// The numbers r and s of an ECDSA signature in DER, without leading zeros.
///
/// # Errors
/// [`Stop::Fail`] when it is no signature.
pub fn ecdsa_numbers(der: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Stop> {
    let signature = EcdsaSig::from_der(der)
        .map_err(|_| Stop::fail("an ECDSA signature in DER", hex::encode_upper(der)))?;
    Ok((signature.r().to_vec(), signature.s().to_vec()))
}

/// A point of the curve times a number: the public key of a private one, or a shared point.
/// `public` is `04 || x || y`; nothing stands for the generator.
///
/// # Errors
/// [`Stop::Harness`] when OpenSSL cannot, or the point is not on the curve.
pub fn multiply(curve: &str, private: &[u8], public: Option<&[u8]>) -> Result<Vec<u8>, Stop> {
    let group = group(curve)?;
    let mut context = BigNumContext::new()?;
    let number = BigNum::from_slice(private)?;
    let mut product = EcPoint::new(&group)?;
    match public {
        None => product.mul_generator2(&group, &number, &mut context)?,
        Some(bytes) => {
            let base = EcPoint::from_bytes(&group, bytes, &mut context)?;
            product.mul2(&group, &base, &number, &mut context)?;
        }
    }
    let form = openssl::ec::PointConversionForm::UNCOMPRESSED;
    Ok(product.to_bytes(&group, form, &mut context)?)
}

mod blob;
mod channel;
mod derivation;
mod request;
mod rsa;
mod symmetric;
#[cfg(test)]
mod tests;

pub use blob::{SealedRsa, blob, check_value, seal_rsa_crt};
pub use channel::{CHANNEL_PROTOCOL, Channel, channel_point};
pub use derivation::{derived_key, difference, hkdf_sha256};
pub use request::{Attested, Public, Scheme, public_in_request, request};
pub use rsa::{RsaPadding, rsa_encrypt, rsa_pkcs1, rsa_pss, rsa_recover};
pub use symmetric::{aes_cbc, cmac};
