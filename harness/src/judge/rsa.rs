use openssl::bn::BigNum;
use openssl::pkey::{PKey, Public};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::{Padding, Rsa};
use openssl::sign::RsaPssSaltlen;

use super::Hash;
use crate::suite::bench::Stop;

fn key(n: &[u8], e: &[u8]) -> Result<Rsa<Public>, Stop> {
    let (n, e) = (BigNum::from_slice(n)?, BigNum::from_slice(e)?);
    Ok(Rsa::from_public_components(n, e)?)
}

/// What a signature becomes by the public exponent, with the padding left on; `None` when it is no
/// number below the modulus of the modulus' length.
///
/// # Errors
/// [`Stop::Harness`] when OpenSSL cannot.
pub fn rsa_recover(n: &[u8], e: &[u8], signature: &[u8]) -> Result<Option<Vec<u8>>, Stop> {
    let key = key(n, e)?;
    let mut out = vec![0; n.len()];
    if signature.len() != n.len() {
        return Ok(None);
    }
    Ok(key
        .public_decrypt(signature, &mut out, Padding::NONE)
        .is_ok()
        .then_some(out))
}

/// Judges an RSA PKCS#1 v1.5 signature over a hash.
///
/// # Errors
/// [`Stop::Harness`] when OpenSSL cannot.
pub fn rsa_pkcs1(
    n: &[u8],
    e: &[u8],
    hash: Hash,
    digest: &[u8],
    signature: &[u8],
) -> Result<bool, Stop> {
    verify(n, e, hash, digest, signature, Padding::PKCS1)
}

/// Judges an RSA-PSS signature over a hash: MGF1 with the same hash, salt as long as it.
///
/// # Errors
/// [`Stop::Harness`] when OpenSSL cannot.
pub fn rsa_pss(
    n: &[u8],
    e: &[u8],
    hash: Hash,
    digest: &[u8],
    signature: &[u8],
) -> Result<bool, Stop> {
    verify(n, e, hash, digest, signature, Padding::PKCS1_PSS)
}

fn verify(
    n: &[u8],
    e: &[u8],
    hash: Hash,
    digest: &[u8],
    signature: &[u8],
    padding: Padding,
) -> Result<bool, Stop> {
    let key = PKey::from_rsa(key(n, e)?)?;
    let mut context = PkeyCtx::new(&key)?;
    context.verify_init()?;
    context.set_rsa_padding(padding)?;
    let function = match hash {
        Hash::Sha1 => openssl::md::Md::sha1(),
        Hash::Sha224 => openssl::md::Md::sha224(),
        Hash::Sha256 => openssl::md::Md::sha256(),
        Hash::Sha384 => openssl::md::Md::sha384(),
        Hash::Sha512 => openssl::md::Md::sha512(),
    };
    context.set_signature_md(function)?;
    if padding == Padding::PKCS1_PSS {
        context.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
    }
    // An error is OpenSSL's word for a signature that cannot be one.
    Ok(context.verify(digest, signature).unwrap_or(false))
}

/// How a message is padded before it is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RsaPadding {
    /// Not at all: it is as long as the modulus.
    None,
    /// PKCS#1 v1.5, type 2.
    Pkcs1,
    /// OAEP with SHA-1 and no label.
    OaepSha1,
    /// OAEP with SHA-256 for label and MGF1.
    OaepSha256,
}

/// Encrypts a message.
///
/// # Errors
/// [`Stop::Harness`] when OpenSSL cannot.
pub fn rsa_encrypt(
    n: &[u8],
    e: &[u8],
    padding: RsaPadding,
    message: &[u8],
) -> Result<Vec<u8>, Stop> {
    let key = PKey::from_rsa(key(n, e)?)?;
    let mut context = PkeyCtx::new(&key)?;
    context.encrypt_init()?;
    match padding {
        RsaPadding::None => context.set_rsa_padding(Padding::NONE)?,
        RsaPadding::Pkcs1 => context.set_rsa_padding(Padding::PKCS1)?,
        RsaPadding::OaepSha1 | RsaPadding::OaepSha256 => {
            context.set_rsa_padding(Padding::PKCS1_OAEP)?;
            if padding == RsaPadding::OaepSha256 {
                context.set_rsa_oaep_md(openssl::md::Md::sha256())?;
                context.set_rsa_mgf1_md(openssl::md::Md::sha256())?;
            }
        }
    }
    let mut out = Vec::new();
    context.encrypt_to_vec(message, &mut out)?;
    Ok(out)
}
