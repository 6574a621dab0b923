//! Opening a wrapped key with its DKEK.

use aes::cipher::{Block, BlockModeDecrypt, KeyIvInit};
use cmac::Mac;
use zeroize::Zeroizing;

use super::layout::{Blob, KeyType};
use super::{BLOCK, PREFIX_LEN, mac};
use crate::der::{Malformed, Reader};
use crate::dkek::{CheckValue, Dkek};
use crate::key::curves::Curve;
use crate::key::rsa::CrtParts;
use crate::key::{EcKey, Key, KeyError, RsaKey};
use crate::secret::Secret;

/// Why a wrapped key does not open, in the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The bytes do not have the shape of a wrapped key.
    #[error("not a wrapped key: {0}")]
    Layout(#[from] Malformed),
    /// It is wrapped under another DKEK.
    #[error("wrapped under the DKEK with check value {blob}, the shares given make {given}")]
    OtherDkek {
        /// Check value in the wrapped key.
        blob: CheckValue,
        /// Check value of the DKEK that was given.
        given: CheckValue,
    },
    /// The MAC is wrong.
    #[error("the MAC does not fit: the wrapped key was changed or damaged")]
    Mac,
    /// The authenticated content is not a key: its writer made a mistake.
    #[error("authentic, but its content is wrong: decrypted content, {0}")]
    Content(Malformed),
    /// The parts of the key contradict each other.
    #[error("authentic, but not a usable key: {0}")]
    Key(#[from] KeyError),
}

/// Checks that the DKEK is the right one and the MAC fits, without decrypting.
///
/// # Errors
/// [`OpenError::OtherDkek`], [`OpenError::Mac`].
pub fn authenticate(blob: &Blob<'_>, dkek: &Dkek) -> Result<(), OpenError> {
    let given = dkek.check_value();
    if blob.check_value != given {
        return Err(OpenError::OtherDkek {
            blob: blob.check_value,
            given,
        });
    }
    // verify_slice compares in constant time and takes the full 16 bytes only.
    mac(dkek, blob.authenticated)
        .verify_slice(blob.mac)
        .map_err(|_| OpenError::Mac)
}

/// Authenticates, decrypts and checks a wrapped key.
///
/// # Errors
/// Each kind of [`OpenError`]; [`OpenError::Layout`] only for bytes that do not parse.
pub fn open(bytes: &[u8], dkek: &Dkek) -> Result<Key, OpenError> {
    let blob = Blob::parse(bytes)?;
    authenticate(&blob, dkek)?;
    let plain = decrypt(&blob, dkek);
    read_key(blob.key_type, &plain)
}

pub(super) fn decrypt(blob: &Blob<'_>, dkek: &Dkek) -> Zeroizing<Vec<u8>> {
    let mut plain = Zeroizing::new(blob.cryptogram.to_vec());
    let key = dkek.encryption_key();
    let mut cipher = cbc::Decryptor::<aes::Aes256>::new(key.expose().into(), &[0; BLOCK].into());
    for block in plain.chunks_exact_mut(BLOCK) {
        if let Ok(block) = <&mut Block<aes::Aes256>>::try_from(block) {
            cipher.decrypt_block(block);
        }
    }
    plain
}

/// Reads the decrypted content. The padding is not looked at: all lengths are explicit.
pub(super) fn read_key(key_type: KeyType, plain: &[u8]) -> Result<Key, OpenError> {
    let mut content = Content(Reader::new(plain));
    content
        .0
        .take(PREFIX_LEN, "the random prefix")
        .map_err(OpenError::Content)?;
    let size_offset = content.0.offset();
    let size = content.0.u16("the key size").map_err(OpenError::Content)?;
    let bad_size = |what: String| OpenError::Content(Malformed::new(size_offset, what));

    if key_type == KeyType::Aes {
        let key = content
            .0
            .take(usize::from(size), "the AES key")
            .map_err(OpenError::Content)?;
        return Ok(Key::aes(Secret::from(key))?);
    }
    if size % 8 != 0 || size == 0 {
        return Err(bad_size(format!(
            "a size of {size} bits is not a number of whole bytes"
        )));
    }
    let width = usize::from(size / 8);
    match key_type {
        KeyType::Aes => Err(bad_size("not reached: AES has no fields".into())),
        KeyType::Rsa => {
            let d = Secret::from(content.field("private exponent", width)?);
            let (n, e) = content.modulus_and_exponent(width)?;
            Ok(Key::Rsa(RsaKey::from_exponents(n, e, &d)?))
        }
        KeyType::RsaCrt => {
            let half = width.div_ceil(2);
            let parts = CrtParts {
                dp: Secret::from(content.field("d mod (p-1)", half)?),
                dq: Secret::from(content.field("d mod (q-1)", half)?),
                p: Secret::from(content.field("prime p", half)?),
                qinv: Secret::from(content.field("q^-1 mod p", half)?),
                q: Secret::from(content.field("prime q", half)?),
            };
            let (n, e) = content.modulus_and_exponent(width)?;
            Ok(Key::Rsa(RsaKey::from_crt(n, e, &parts)?))
        }
        KeyType::Ec => {
            let equation_offset = content.0.offset();
            let a = content.field("coefficient a", width)?;
            let b = content.field("coefficient b", width)?;
            let p = content.field("prime p", width)?;
            let order = content.field("order n", width)?;
            let generator = content.field("generator G", 2 * width + 1)?;
            let curve = Curve::by_equation(p, a, b).filter(|curve| {
                let [_, _, _, n, g] = curve.parameters();
                let same_order = Secret::from(order).fitted(n.len());
                curve.width() == width
                    && same_order.is_some_and(|order| order.expose() == n)
                    && generator == g
            });
            let curve = curve.ok_or_else(|| {
                let what = "a, b, p, n and G are not those of a curve that the card knows";
                OpenError::Content(Malformed::new(equation_offset, what))
            })?;
            let d = Secret::from(content.field("private key d", width)?);
            let q = content.field("public point Q", 2 * width + 1)?;
            Ok(Key::Ec(EcKey::new(curve, &d, Some(q))?))
        }
    }
}

struct Content<'a>(Reader<'a>);

impl<'a> Content<'a> {
    /// A field of at most `width` bytes; shorter ones are left-padded by whoever uses them.
    fn field(&mut self, what: &str, width: usize) -> Result<&'a [u8], OpenError> {
        let offset = self.0.offset();
        let len = self
            .0
            .u16(&format!("the length of {what}"))
            .map_err(OpenError::Content)?;
        if usize::from(len) > width {
            let what = format!("{what} has {len} bytes, at most {width} are possible here");
            return Err(OpenError::Content(Malformed::new(offset, what)));
        }
        self.0
            .take(usize::from(len), what)
            .map_err(OpenError::Content)
    }

    fn modulus_and_exponent(&mut self, width: usize) -> Result<(&'a [u8], &'a [u8]), OpenError> {
        let offset = self.0.offset();
        let n = self.field("modulus", width)?;
        if n.len() != width {
            let what = format!("the modulus has {} bytes, the size says {width}", n.len());
            return Err(OpenError::Content(Malformed::new(offset, what)));
        }
        Ok((n, self.field("public exponent", width)?))
    }
}
