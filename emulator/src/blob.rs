//! The wrapped-key blob: how a key leaves and enters the card.
//!
//! ```text
//! 0        8     KCV of the KEK
//! 8        1     key type: 05 RSA, 06 RSA-CRT, 0C EC, 0F AES
//! 9        2+n   object identifier of the default algorithm, value only
//!          2+n   allowed algorithms, as TLV 91; none: no restriction
//!          2+n   access conditions, empty
//!          2+n   object identifier of the key, empty
//!          16·k  AES-256-CBC under Kenc, IV zero:
//!                random(8) ‖ size(2) ‖ fields ‖ 80 00…
//! last 16  16    AES-CMAC under Kmac over everything before
//! ```
//!
//! Lengths are two bytes, big endian. Size is in bits for RSA and EC, in bytes for AES. Each field
//! has a two-byte length, but the AES key has none:
//!
//! ```text
//! 05  d, n, e          06  d mod p-1, d mod q-1, p, q^-1 mod p, q, n, e
//! 0C  a, b, p, n, G, d, Q      0F  key
//! ```
//!
//! Source: the vendor's script; the EC form is confirmed on a blob of a genuine token.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::crypto::{Curve, EcPrivateKey, RsaPrivateKey, symmetric};
use crate::cvc::{OID_ECDSA_SHA256, OID_RSA_SHA256};
use crate::domain::{KCV_LENGTH, Kek};
use crate::key::{KeyMaterial, RsaMaterial};
use crate::key_attributes::ALGORITHMS_MAX;
use crate::profile::Profile;
use crate::status::StatusWord;

/// Key types of the blob.
mod kind {
    /// RSA with d, n, e.
    pub(super) const RSA: u8 = 0x05;
    /// RSA with the values of the Chinese remainder theorem.
    pub(super) const RSA_CRT: u8 = 0x06;
    /// Elliptic curve.
    pub(super) const EC: u8 = 0x0C;
    /// AES.
    pub(super) const AES: u8 = 0x0F;
}

const BLOCK: usize = 16;
const MAC_LENGTH: usize = 16;
const RANDOM_PREFIX: usize = 8;

/// A key as it comes out of a blob.
#[derive(Debug)]
pub struct Unsealed {
    /// The key, checked.
    pub material: KeyMaterial,
    /// Its algorithm list, if it has one.
    pub algorithms: Option<Vec<u8>>,
}

/// Seals a key under a KEK.
///
/// Whether an RSA key goes with the values of the Chinese remainder theorem is the profile's
/// decision.
///
/// # Errors
///
/// [`StatusWord::InternalError`] (6F00) when the stored key is damaged.
pub fn seal(
    kek: &Kek,
    material: &KeyMaterial,
    algorithms: Option<&[u8]>,
    profile: &Profile,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, StatusWord> {
    let (kind, oid): (u8, &[u8]) = match material {
        KeyMaterial::Rsa(rsa) => match goes_as_crt(rsa, profile) {
            true => (kind::RSA_CRT, &OID_RSA_SHA256),
            false => (kind::RSA, &OID_RSA_SHA256),
        },
        KeyMaterial::Ec(_) => (kind::EC, &OID_ECDSA_SHA256),
        KeyMaterial::Aes(_) => (kind::AES, profile.wrapped_aes_oid),
    };
    let mut blob = [&kek.kcv()[..], &[kind]].concat();
    for field in [oid, algorithms.unwrap_or_default(), &[], &[]] {
        push_field(&mut blob, field)?;
    }
    let plain = plain_text(material, profile, rng)?;
    let cryptogram = symmetric::aes_cbc_encrypt(&kek.encryption_key()[..], &[0; BLOCK], &plain)?;
    blob.extend_from_slice(&cryptogram);
    let mac = symmetric::aes_cmac(&kek.mac_key()[..], &blob)?;
    blob.extend_from_slice(&mac);
    Ok(blob)
}

/// `random(8) ‖ size(2) ‖ fields ‖ padding`.
fn plain_text(
    material: &KeyMaterial,
    profile: &Profile,
    rng: &mut dyn CryptoRng,
) -> Result<Zeroizing<Vec<u8>>, StatusWord> {
    // Room for everything an RSA-4096 key needs, so that no growing leaves copies behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(2048));
    let mut prefix = [0; RANDOM_PREFIX];
    rng.fill_bytes(&mut prefix);
    plain.extend_from_slice(&prefix);
    match material {
        KeyMaterial::Rsa(rsa) => {
            let key = material.rsa()?;
            push_size(&mut plain, 8 * key.modulus_len())?;
            if goes_as_crt(rsa, profile) {
                let [dp, dq, q_inverse] = key.crt()?;
                for field in [&dp, &dq, &key.p(), &q_inverse, &key.q()] {
                    push_field(&mut plain, field)?;
                }
            } else {
                push_field(&mut plain, &key.d())?;
            }
            push_field(&mut plain, &key.n())?;
            push_field(&mut plain, &key.e())?;
        }
        KeyMaterial::Ec(_) => {
            let key = material.ec()?;
            let domain = key.curve().parameters();
            push_size(&mut plain, 8 * key.curve().field_len())?;
            for field in [domain.a, domain.b, domain.p, domain.n, domain.g] {
                push_field(&mut plain, field)?;
            }
            push_field(&mut plain, &key.secret_bytes())?;
            push_field(&mut plain, &key.public_point())?;
        }
        KeyMaterial::Aes(key) => {
            push_size(&mut plain, key.len())?;
            plain.extend_from_slice(key.expose());
        }
    }
    plain.push(0x80);
    let padded = plain.len().next_multiple_of(BLOCK);
    plain.resize(padded, 0);
    Ok(plain)
}

fn goes_as_crt(key: &RsaMaterial, profile: &Profile) -> bool {
    8 * key.modulus_len() <= usize::from(profile.domains.wrap_crt_max_bits)
}

fn push_size(to: &mut Vec<u8>, size: usize) -> Result<(), StatusWord> {
    let size = u16::try_from(size).map_err(|_| StatusWord::InternalError)?;
    to.extend_from_slice(&size.to_be_bytes());
    Ok(())
}

fn push_field(to: &mut Vec<u8>, field: &[u8]) -> Result<(), StatusWord> {
    push_size(to, field.len())?;
    to.extend_from_slice(field);
    Ok(())
}

/// A blob split into its parts; nothing has been verified.
#[derive(Debug)]
pub struct Envelope<'a> {
    /// KCV of the KEK that the blob asks for.
    pub kcv: [u8; KCV_LENGTH],
    kind: u8,
    algorithms: &'a [u8],
    cryptogram: &'a [u8],
    authenticated: &'a [u8],
    mac: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Splits a blob.
    ///
    /// # Errors
    ///
    /// [`StatusWord::WrongData`] (6A80) when its lengths do not add up.
    pub fn parse(blob: &'a [u8]) -> Result<Self, StatusWord> {
        let mac_at = blob
            .len()
            .checked_sub(MAC_LENGTH)
            .ok_or(StatusWord::WrongData)?;
        let (authenticated, mac) = blob.split_at_checked(mac_at).ok_or(StatusWord::WrongData)?;
        let mut fields = Fields(authenticated);
        let kcv = fields.take(KCV_LENGTH)?;
        let kcv = <[u8; KCV_LENGTH]>::try_from(kcv).map_err(|_| StatusWord::WrongData)?;
        let kind = fields.byte()?;
        let _default_algorithm = fields.field()?;
        let algorithms = fields.field()?;
        let _access_conditions = fields.field()?;
        let _key_oid = fields.field()?;
        let cryptogram = fields.0;
        if cryptogram.len() < 2 * BLOCK || cryptogram.len() % BLOCK != 0 {
            return Err(StatusWord::WrongData);
        }
        Ok(Self {
            kcv,
            kind,
            algorithms,
            cryptogram,
            authenticated,
            mac,
        })
    }

    /// Verifies and decrypts the blob and checks the key in it.
    ///
    /// # Errors
    ///
    /// The profile's word for a wrong MAC; [`StatusWord::WrongData`] (6A80) for a key that is not
    /// well formed, not consistent or not of this profile, which of these does not show.
    pub fn open(&self, kek: &Kek, profile: &Profile) -> Result<Unsealed, StatusWord> {
        symmetric::aes_cmac_verify(&kek.mac_key()[..], self.authenticated, self.mac)
            .map_err(|_| profile.domains.wrong_mac)?;
        let plain = Zeroizing::new(symmetric::aes_cbc_decrypt(
            &kek.encryption_key()[..],
            &[0; BLOCK],
            self.cryptogram,
        )?);
        let mut fields = Fields(&plain);
        fields.take(RANDOM_PREFIX)?;
        let size = fields.u16()?;
        let material = match self.kind {
            kind::RSA => open_rsa(&mut fields, size, profile)?,
            kind::RSA_CRT => open_rsa_crt(&mut fields, size, profile)?,
            kind::EC => open_ec(&mut fields, size, profile)?,
            kind::AES => open_aes(&mut fields, size, profile)?,
            _ => return Err(StatusWord::WrongData),
        };
        // A longer list than a key can be generated with could not be shown or sealed again.
        if self.algorithms.len() > ALGORITHMS_MAX {
            return Err(StatusWord::WrongData);
        }
        let algorithms = (!self.algorithms.is_empty()).then(|| self.algorithms.to_vec());
        Ok(Unsealed {
            material,
            algorithms,
        })
    }
}

fn check_bits(bits: u16, profile: &Profile) -> Result<usize, StatusWord> {
    if profile.rsa_bits.contains(&bits) {
        Ok(usize::from(bits / 8))
    } else {
        Err(StatusWord::WrongData)
    }
}

fn open_rsa(
    fields: &mut Fields<'_>,
    bits: u16,
    profile: &Profile,
) -> Result<KeyMaterial, StatusWord> {
    let length = check_bits(bits, profile)?;
    // A private exponent with a leading 00 (513 bytes for 4096 bits) is refused by genuine tokens.
    let d = fields.field_of_at_most(length)?;
    let n = fields.field_of_at_most(length)?;
    let e = fields.field_of_at_most(length)?;
    let key = RsaPrivateKey::from_exponent(n, e, d)?;
    if key.modulus_len() != length {
        return Err(StatusWord::WrongData);
    }
    Ok(KeyMaterial::Rsa(key.into()))
}

fn open_rsa_crt(
    fields: &mut Fields<'_>,
    bits: u16,
    profile: &Profile,
) -> Result<KeyMaterial, StatusWord> {
    let length = check_bits(bits, profile)?;
    if bits > profile.unwrap_crt_max_bits {
        return Err(StatusWord::WrongData);
    }
    let mut next = || fields.field_of_at_most(length);
    let (dp, dq, p, q_inverse, q, n, e) = (
        next()?,
        next()?,
        next()?,
        next()?,
        next()?,
        next()?,
        next()?,
    );
    let key = RsaPrivateKey::from_crt(dp, dq, p, q_inverse, q, n, e)?;
    if key.modulus_len() != length {
        return Err(StatusWord::WrongData);
    }
    Ok(KeyMaterial::Rsa(key.into()))
}

fn open_ec(
    fields: &mut Fields<'_>,
    bits: u16,
    profile: &Profile,
) -> Result<KeyMaterial, StatusWord> {
    let (a, b, p) = (fields.field()?, fields.field()?, fields.field()?);
    let (n, g) = (fields.field()?, fields.field()?);
    let (d, q) = (fields.field()?, fields.field()?);
    let curve = Curve::from_parameters(p, a, b, g, n, None)
        .filter(|curve| profile.curves.contains(curve))
        .filter(|curve| usize::from(bits) == 8 * curve.field_len())
        .ok_or(StatusWord::WrongData)?;
    let key = EcPrivateKey::from_bytes(curve, d)?;
    if key.public_point() != q {
        return Err(StatusWord::WrongData);
    }
    Ok(KeyMaterial::Ec(key.into()))
}

fn open_aes(
    fields: &mut Fields<'_>,
    length: u16,
    profile: &Profile,
) -> Result<KeyMaterial, StatusWord> {
    if profile.aes_lengths.contains(&length) {
        Ok(KeyMaterial::Aes(fields.take(usize::from(length))?.into()))
    } else {
        Err(StatusWord::WrongData)
    }
}

/// A cursor over length-prefixed fields.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], StatusWord> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(StatusWord::WrongData)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, StatusWord> {
        let (byte, rest) = self.0.split_first().ok_or(StatusWord::WrongData)?;
        self.0 = rest;
        Ok(*byte)
    }

    fn u16(&mut self) -> Result<u16, StatusWord> {
        Ok(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    fn field(&mut self) -> Result<&'a [u8], StatusWord> {
        let length = usize::from(self.u16()?);
        self.take(length)
    }

    fn field_of_at_most(&mut self, length: usize) -> Result<&'a [u8], StatusWord> {
        self.field().and_then(|field| {
            if field.len() <= length {
                Ok(field)
            } else {
                Err(StatusWord::WrongData)
            }
        })
    }
}
