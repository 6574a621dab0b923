//! SIGN, `80 68`.

use super::Command;
use crate::access::Access;
use crate::apdu::{CommandApdu, Response};
use crate::card::Context;
use crate::crypto::rsa::padding;
use crate::crypto::{Hash, RsaPrivateKey};
use crate::id::KeyId;
use crate::profile::Profile;
use crate::secret::Secret;
use crate::status::StatusWord;

/// Signs with a private key.
///
/// ```text
/// 80 68 key algorithm Lc data Le
/// 20            RSA, block padded by the host             modulus length -> modulus length
/// 30            RSA PKCS#1 v1.5 over a DigestInfo          at most modulus length - 11
/// 31 33 34 35   RSA PKCS#1 v1.5, SHA-1 256 384 512         message
/// 40            RSA-PSS over a hash; its length tells which, and is the salt's length. A complete
///               DigestInfo is taken for the hash in it
/// 41 43 44 45   RSA-PSS, SHA-1 256 384 512                 message
/// 70            ECDSA over a hash                          any length; leftmost bits count
/// 71 72 73 74 75  ECDSA, SHA-1 224 256 384 512             message
/// ```
///
/// ECDSA signatures are DER: SEQUENCE { INTEGER r, INTEGER s }.
///
/// # Errors
///
/// | word | when |
/// |---|---|
/// | 6700 | no data field, or Le is too small for the signature |
/// | 6982 | the user PIN was not presented |
/// | 6A88 | no such key |
/// | 6984 | the key's use counter has expired |
/// | 6A81 | unknown algorithm, not in the key's list, or for another kind of key |
/// | 6A80 | the data has no length that the algorithm takes, or is not below the modulus |
#[derive(Debug)]
pub(super) struct Sign {
    key: KeyId,
    algorithm: u8,
    input: Secret,
}

/// What P2 asks for.
#[derive(Clone, Copy, Debug)]
enum Mechanism {
    RsaRaw,
    Pkcs1DigestInfo,
    Pkcs1(Hash),
    PssDigest,
    Pss(Hash),
    EcdsaDigest,
    Ecdsa(Hash),
}

impl Mechanism {
    fn from_algorithm(algorithm: u8) -> Result<Self, StatusWord> {
        Ok(match algorithm {
            0x20 => Self::RsaRaw,
            0x30 => Self::Pkcs1DigestInfo,
            0x31 => Self::Pkcs1(Hash::Sha1),
            0x33 => Self::Pkcs1(Hash::Sha256),
            0x34 => Self::Pkcs1(Hash::Sha384),
            0x35 => Self::Pkcs1(Hash::Sha512),
            0x40 => Self::PssDigest,
            0x41 => Self::Pss(Hash::Sha1),
            0x43 => Self::Pss(Hash::Sha256),
            0x44 => Self::Pss(Hash::Sha384),
            0x45 => Self::Pss(Hash::Sha512),
            0x70 => Self::EcdsaDigest,
            0x71 => Self::Ecdsa(Hash::Sha1),
            0x72 => Self::Ecdsa(Hash::Sha224),
            0x73 => Self::Ecdsa(Hash::Sha256),
            0x74 => Self::Ecdsa(Hash::Sha384),
            0x75 => Self::Ecdsa(Hash::Sha512),
            _ => return Err(StatusWord::FunctionNotSupported),
        })
    }
}

impl Command for Sign {
    fn parse(apdu: &CommandApdu<'_>, _: &Profile) -> Result<Self, StatusWord> {
        let input = Secret::from(apdu.expect_data()?);
        Ok(Self {
            key: KeyId(apdu.p1),
            algorithm: apdu.p2,
            input,
        })
    }

    fn access(&self) -> Access {
        Access::User
    }

    fn act(self, card: &mut Context<'_>) -> Result<Response, StatusWord> {
        let key = card.use_key(self.key, self.algorithm)?;
        let input = self.input.expose();
        let (hash, input) = match Mechanism::from_algorithm(self.algorithm)? {
            Mechanism::EcdsaDigest => (None, input),
            Mechanism::Ecdsa(hash) => (Some(hash), input),
            rsa => return sign_rsa(rsa, key.material.rsa()?, input, card),
        };
        let key = key.material.ec()?;
        let signature = match hash {
            None => key.sign_prehash(input, card.rng)?,
            Some(hash) => key.sign_prehash(&hash.digest(input), card.rng)?,
        };
        Ok(Response::data(signature.to_der()))
    }
}

fn sign_rsa(
    mechanism: Mechanism,
    key: &RsaPrivateKey,
    input: &[u8],
    card: &mut Context<'_>,
) -> Result<Response, StatusWord> {
    let length = key.modulus_len();
    let block = match mechanism {
        Mechanism::RsaRaw if input.len() == length => input.to_vec(),
        Mechanism::RsaRaw => return Err(StatusWord::WrongData),
        Mechanism::Pkcs1DigestInfo => padding::pkcs1v15_pad_digest_info(length, input)?,
        Mechanism::Pkcs1(hash) => padding::pkcs1v15_sign_block(length, hash, &hash.digest(input))?,
        Mechanism::PssDigest => {
            let (hash, digest) = bare_or_wrapped_digest(input).ok_or(StatusWord::WrongData)?;
            padding::pss_encode(hash, digest, hash.len(), key.bits() - 1, card.rng)?
        }
        Mechanism::Pss(hash) => padding::pss_encode(
            hash,
            &hash.digest(input),
            hash.len(),
            key.bits() - 1,
            card.rng,
        )?,
        Mechanism::EcdsaDigest | Mechanism::Ecdsa(_) => {
            return Err(StatusWord::FunctionNotSupported);
        }
    };
    Ok(Response::data(key.raw(&block, card.rng)?.to_vec()))
}

/// The hash that a host wants under PSS.
///
/// OpenSC 0.23 hands over a bare hash for the mechanism that takes one, but a `DigestInfo` where it
/// hashes itself (`SHA256-RSA-PKCS-PSS` and the like). What a genuine token makes of the latter is
/// unknown. The two cannot be confused: no `DigestInfo` is as long as a hash.
fn bare_or_wrapped_digest(input: &[u8]) -> Option<(Hash, &[u8])> {
    let bare = Hash::from_len(input.len()).map(|hash| (hash, input));
    bare.or_else(|| {
        Hash::ALL.into_iter().find_map(|hash| {
            let digest = input.strip_prefix(hash.digest_info_prefix())?;
            (digest.len() == hash.len()).then_some((hash, digest))
        })
    })
}
