//! Keys as the card holds them: material, use counter, algorithm list, key domain.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::crypto::{self, Curve, EcPrivateKey, RsaPrivateKey};
use crate::id::{DomainId, KeyId};
use crate::profile::Footprint;
use crate::secret::Secret;
use crate::status::StatusWord;
use crate::xkek::DERIVE_XKEK;

/// A key with its conditions of use.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Key {
    /// The key itself.
    pub material: KeyMaterial,
    /// Its conditions of use.
    pub attributes: KeyAttributes,
}

/// Conditions of use, fixed when the key is made; only the counter changes.
///
/// ```text
/// 90 04   remaining uses, big endian; absent: unlimited
/// 91 n    allowed algorithms, one byte each; absent: every algorithm but derivation (84, 98, 99)
/// 92 01   key domain
/// 93 01   wrapping key; stored, without function
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyAttributes {
    /// Remaining uses.
    pub uses_left: Option<u32>,
    /// Algorithms the key may be used with.
    pub algorithms: Option<Vec<u8>>,
    /// The key domain the key is bound to.
    pub domain: Option<DomainId>,
    /// Identifier of a wrapping key; no source says what the card does with it.
    pub wrapping_key: Option<KeyId>,
}

impl KeyAttributes {
    /// Whether the key may be used with this algorithm.
    ///
    /// Without a list everything is allowed but key derivation: a genuine token refuses 98 unless
    /// it is listed. That 84 and 99 must be listed too is inferred: see
    /// [`KeyAttributes::may_exchange`]; for 99, hosts list it wherever they mean to use it.
    #[must_use]
    pub fn allow(&self, algorithm: u8) -> bool {
        match &self.algorithms {
            Some(list) => list.contains(&algorithm),
            None => !matches!(algorithm, DERIVE_EC | DERIVE_XKEK | DERIVE_SECRET),
        }
    }

    /// Whether the key may agree on an XKEK: it lists 84, and does not list 80.
    ///
    /// The point that 84 makes the KEK of would be the answer to 80, and with the KEK every key of
    /// the domain could be read outside the cards. (inferred)
    #[must_use]
    pub fn may_exchange(&self) -> bool {
        self.algorithms
            .as_ref()
            .is_some_and(|list| list.contains(&DERIVE_XKEK) && !list.contains(&ECDH))
    }
}

/// Algorithm identifier of EC key derivation.
pub(crate) const DERIVE_EC: u8 = 0x98;
/// Algorithm identifier of derivation from an AES key.
pub(crate) const DERIVE_SECRET: u8 = 0x99;
/// Algorithm identifier of key agreement that shows the shared point.
const ECDH: u8 = 0x80;

/// Secret key material of each kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum KeyMaterial {
    /// RSA, by its primes.
    Rsa(RsaMaterial),
    /// Elliptic curve, by its secret scalar.
    Ec(EcMaterial),
    /// AES, 16, 24 or 32 bytes.
    Aes(Secret),
}

impl KeyMaterial {
    /// Bytes this key takes of the card's memory.
    #[must_use]
    pub fn footprint(&self, keys: &Footprint) -> usize {
        match self {
            Self::Rsa(rsa) => keys.rsa.of(rsa.modulus_len()),
            Self::Ec(ec) => keys.ec.of(ec.curve.field_len()),
            Self::Aes(key) => keys.aes.of(key.len()),
        }
    }

    /// The kind and size in words: `RSA-2048`, `EC secp256r1`, `AES-256`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Rsa(rsa) => format!("RSA-{}", 8 * rsa.modulus_len()),
            Self::Ec(ec) => format!("EC {}", ec.curve.name()),
            Self::Aes(key) => format!("AES-{}", 8 * key.len()),
        }
    }

    /// The RSA key.
    ///
    /// # Errors
    ///
    /// [`StatusWord::FunctionNotSupported`] (6A81) for a key of another kind.
    pub fn rsa(&self) -> Result<&RsaPrivateKey, StatusWord> {
        match self {
            Self::Rsa(rsa) => rsa.prepared(),
            _ => Err(StatusWord::FunctionNotSupported),
        }
    }

    /// The EC key.
    ///
    /// # Errors
    ///
    /// [`StatusWord::FunctionNotSupported`] (6A81) for a key of another kind.
    pub fn ec(&self) -> Result<&EcPrivateKey, StatusWord> {
        match self {
            Self::Ec(ec) => ec.prepared(),
            _ => Err(StatusWord::FunctionNotSupported),
        }
    }

    /// The AES key.
    ///
    /// # Errors
    ///
    /// [`StatusWord::FunctionNotSupported`] (6A81) for a key of another kind.
    pub fn aes(&self) -> Result<&Secret, StatusWord> {
        match self {
            Self::Aes(key) => Ok(key),
            _ => Err(StatusWord::FunctionNotSupported),
        }
    }
}

/// A value computed from stored bytes at its first use and kept as long as the bytes.
///
/// Copies share it: each use of a key with a counter stores a copy of the key.
#[derive(Clone)]
struct Prepared<T>(Arc<OnceLock<T>>);

impl<T> Prepared<T> {
    fn get(&self, prepare: impl FnOnce() -> Result<T, crypto::Error>) -> Result<&T, StatusWord> {
        if let Some(ready) = self.0.get() {
            return Ok(ready);
        }
        // The bytes were checked before they were stored: failing now is the card's own fault.
        let ready = prepare().map_err(|_| StatusWord::InternalError)?;
        Ok(self.0.get_or_init(|| ready))
    }
}

impl<T> Default for Prepared<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> From<T> for Prepared<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(OnceLock::from(value)))
    }
}

/// An RSA key as it is stored.
#[derive(Clone, Serialize, Deserialize)]
pub struct RsaMaterial {
    p: Secret,
    q: Secret,
    exponent: Vec<u8>,
    modulus_len: u16,
    #[serde(skip)]
    prepared: Prepared<RsaPrivateKey>,
}

impl RsaMaterial {
    /// Length of the modulus in bytes.
    #[must_use]
    pub fn modulus_len(&self) -> usize {
        usize::from(self.modulus_len)
    }

    fn prepared(&self) -> Result<&RsaPrivateKey, StatusWord> {
        self.prepared
            .get(|| RsaPrivateKey::from_primes(self.p.expose(), self.q.expose(), &self.exponent))
    }
}

impl From<RsaPrivateKey> for RsaMaterial {
    fn from(key: RsaPrivateKey) -> Self {
        Self {
            p: Secret::new(key.p().to_vec()),
            q: Secret::new(key.q().to_vec()),
            exponent: key.e().to_vec(),
            modulus_len: u16::try_from(key.modulus_len()).unwrap_or(u16::MAX),
            prepared: key.into(),
        }
    }
}

impl fmt::Debug for RsaMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaMaterial({} bytes)", self.modulus_len)
    }
}

/// An EC key as it is stored.
#[derive(Clone, Serialize, Deserialize)]
pub struct EcMaterial {
    /// The curve.
    pub curve: Curve,
    scalar: Secret,
    #[serde(skip)]
    prepared: Prepared<EcPrivateKey>,
}

impl EcMaterial {
    pub(crate) fn prepared(&self) -> Result<&EcPrivateKey, StatusWord> {
        self.prepared
            .get(|| EcPrivateKey::from_bytes(self.curve, self.scalar.expose()))
    }
}

impl From<EcPrivateKey> for EcMaterial {
    fn from(key: EcPrivateKey) -> Self {
        let scalar: Zeroizing<Vec<u8>> = key.secret_bytes();
        Self {
            curve: key.curve(),
            scalar: Secret::from(scalar.as_slice()),
            prepared: key.into(),
        }
    }
}

impl fmt::Debug for EcMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EcMaterial({})", self.curve.name())
    }
}
