//! Elliptic curve keys: generation, ECDSA and Diffie-Hellman on the nineteen curves.
//!
//! Operations on a private key take time that does not depend on it. All numbers are unsigned big
//! endian at full width, all points are 04‖x‖y; compressed points are refused.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rand_core::CryptoRng;
use zeroize::Zeroizing;

mod custom;
mod field256;
mod generic;
mod jacobian;
mod multiply;
mod signature;

pub use signature::EcdsaSignature;

use super::{Curve, Error};
use generic::{On, Operations};

/// The arithmetic behind a curve: the only place that knows which crate computes what.
fn operations(curve: Curve) -> &'static dyn Operations {
    match curve {
        Curve::Secp192r1 => &On::<p192::NistP192>::ARITHMETIC,
        Curve::Secp224r1 => &On::<p224::NistP224>::ARITHMETIC,
        Curve::Secp256r1 => &On::<p256::NistP256>::ARITHMETIC,
        Curve::Secp384r1 => &On::<p384::NistP384>::ARITHMETIC,
        Curve::Secp521r1 => &On::<p521::NistP521>::ARITHMETIC,
        Curve::Secp192k1 => &On::<custom::secp192k1::Secp192k1>::ARITHMETIC,
        Curve::Secp256k1 => &On::<k256::Secp256k1>::ARITHMETIC,
        Curve::BrainpoolP192r1 => &On::<custom::brainpoolp192r1::BrainpoolP192r1>::ARITHMETIC,
        Curve::BrainpoolP224r1 => &On::<custom::brainpoolp224r1::BrainpoolP224r1>::ARITHMETIC,
        Curve::BrainpoolP256r1 => &On::<bp256::BrainpoolP256r1>::ARITHMETIC,
        Curve::BrainpoolP320r1 => &On::<custom::brainpoolp320r1::BrainpoolP320r1>::ARITHMETIC,
        Curve::BrainpoolP384r1 => &On::<bp384::BrainpoolP384r1>::ARITHMETIC,
        Curve::BrainpoolP512r1 => &On::<custom::brainpoolp512r1::BrainpoolP512r1>::ARITHMETIC,
        Curve::BrainpoolP192t1 => &On::<custom::brainpoolp192t1::BrainpoolP192t1>::ARITHMETIC,
        Curve::BrainpoolP224t1 => &On::<custom::brainpoolp224t1::BrainpoolP224t1>::ARITHMETIC,
        Curve::BrainpoolP256t1 => &On::<bp256::BrainpoolP256t1>::ARITHMETIC,
        Curve::BrainpoolP320t1 => &On::<custom::brainpoolp320t1::BrainpoolP320t1>::ARITHMETIC,
        Curve::BrainpoolP384t1 => &On::<bp384::BrainpoolP384t1>::ARITHMETIC,
        Curve::BrainpoolP512t1 => &On::<custom::brainpoolp512t1::BrainpoolP512t1>::ARITHMETIC,
    }
}

/// A private key: a curve and a scalar in 1..n-1.
///
/// Cloning shares the key. The scalar is wiped when the last clone goes; `Debug` shows the curve
/// only.
#[derive(Clone)]
pub struct EcPrivateKey(Arc<Inner>);

struct Inner {
    curve: Curve,
    /// Of the order's full width.
    secret: Zeroizing<Vec<u8>>,
    /// Computed when first asked for.
    public: OnceLock<Vec<u8>>,
}

impl EcPrivateKey {
    /// Draws a new key, uniformly distributed.
    #[must_use]
    pub fn generate(curve: Curve, rng: &mut dyn CryptoRng) -> Self {
        Self::new(curve, operations(curve).generate_secret(rng))
    }

    /// Takes a scalar over: at most [`Curve::order_len`] bytes, shorter ones are left-padded.
    ///
    /// # Errors
    /// [`Error::Length`] when there are more bytes, even zeros; [`Error::Range`] for 0 and for n
    /// and above.
    pub fn from_bytes(curve: Curve, secret: &[u8]) -> Result<Self, Error> {
        let missing = curve
            .order_len()
            .checked_sub(secret.len())
            .ok_or(Error::Length)?;
        let mut padded = Zeroizing::new(vec![0; missing]);
        padded.reserve_exact(secret.len());
        padded.extend_from_slice(secret);
        operations(curve).check_secret(&padded)?;
        Ok(Self::new(curve, padded))
    }

    /// The key whose scalar is the sum of this one and `addend`, modulo n; its public point is the
    /// sum of the public points.
    ///
    /// `addend` is taken as by [`EcPrivateKey::from_bytes`].
    ///
    /// # Errors
    /// Those of [`EcPrivateKey::from_bytes`], and [`Error::Range`] when the sum is zero.
    pub fn plus(&self, addend: &[u8]) -> Result<Self, Error> {
        let curve = self.curve();
        let addend = Self::from_bytes(curve, addend)?;
        let sum = operations(curve).add_secrets(&self.0.secret, &addend.0.secret)?;
        Ok(Self::new(curve, sum))
    }

    fn new(curve: Curve, secret: Zeroizing<Vec<u8>>) -> Self {
        Self(Arc::new(Inner {
            curve,
            secret,
            public: OnceLock::new(),
        }))
    }

    /// The curve of the key.
    #[must_use]
    pub fn curve(&self) -> Curve {
        self.0.curve
    }

    /// The scalar, [`Curve::order_len`] bytes.
    #[must_use]
    pub fn secret_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.0.secret.clone()
    }

    /// The public key 04‖x‖y; computed once.
    #[must_use]
    pub fn public_point(&self) -> Vec<u8> {
        self.0
            .public
            .get_or_init(|| {
                operations(self.0.curve)
                    .public_point(&self.0.secret)
                    // The scalar was checked when the key was made.
                    .unwrap_or_default()
            })
            .clone()
    }

    /// Signs a hash with ECDSA (FIPS 186-5, section 6.4.1).
    ///
    /// The hash may have any length: its leftmost bits count, as many as the order has. S is not
    /// normalised, the upper half occurs as often as the lower. The nonce comes from the key, the
    /// hash and 32 bytes of `rng`: equal generator states give equal signatures.
    ///
    /// # Errors
    /// None that a key made by this module can cause.
    pub fn sign_prehash(
        &self,
        hash: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<EcdsaSignature, Error> {
        operations(self.0.curve).sign(&self.0.secret, hash, rng)
    }

    /// Diffie-Hellman: the shared point 04‖x‖y.
    ///
    /// # Errors
    /// [`Error::Point`] when the peer's point is not 04‖x‖y of this curve.
    pub fn ecdh(&self, peer_point: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        operations(self.0.curve).agree(&self.0.secret, peer_point)
    }
}

impl fmt::Debug for EcPrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EcPrivateKey({}, ..)", self.0.curve)
    }
}

/// Verifies an ECDSA signature over a hash of any length (see [`EcPrivateKey::sign_prehash`]).
///
/// S in the upper half is as good as in the lower.
///
/// # Errors
/// [`Error::Point`] when the public key is not 04‖x‖y of the curve, [`Error::Signature`] when r or
/// s is not in 1..n-1 at full width or the signature is not that of the hash.
pub fn verify_prehash(
    curve: Curve,
    public_point: &[u8],
    hash: &[u8],
    signature: &EcdsaSignature,
) -> Result<(), Error> {
    operations(curve).verify(public_point, hash, signature)
}

/// Checks that a point is 04‖x‖y on the curve.
///
/// # Errors
/// [`Error::Point`] when it is not.
pub fn check_point(curve: Curve, point: &[u8]) -> Result<(), Error> {
    operations(curve).check_point(point)
}

#[cfg(test)]
mod tests;
