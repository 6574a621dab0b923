//! One implementation of every operation, over the arithmetic of whichever curve.

use std::fmt;
use std::marker::PhantomData;

use chacha20::ChaCha20Rng;
use elliptic_curve::ff::{Field, PrimeField};
use elliptic_curve::group::CurveAffine;
use elliptic_curve::ops::{Invert, Reduce};
use elliptic_curve::point::AffineCoordinates;
use elliptic_curve::{CurveArithmetic, FieldBytes};
use rand_core::{CryptoRng, SeedableRng as _};
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::multiply::Multiply;
use super::{EcdsaSignature, Error};

/// What the card needs of a curve, over bytes: big endian, full width, points as 04‖x‖y.
pub(super) trait Operations: Sync {
    /// Fails unless `secret` is a scalar of full width in 1..n-1.
    fn check_secret(&self, secret: &[u8]) -> Result<(), Error>;

    /// A uniformly distributed scalar in 1..n-1.
    fn generate_secret(&self, rng: &mut dyn CryptoRng) -> Zeroizing<Vec<u8>>;

    /// The sum of two scalars of full width in 1..n-1, modulo n; fails when it is zero.
    fn add_secrets(&self, one: &[u8], other: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error>;

    /// Fails unless the bytes are a point of the curve.
    fn check_point(&self, point: &[u8]) -> Result<(), Error>;

    /// The point d·G.
    fn public_point(&self, secret: &[u8]) -> Result<Vec<u8>, Error>;

    /// ECDSA over a hash of any length.
    fn sign(
        &self,
        secret: &[u8],
        hash: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<EcdsaSignature, Error>;

    /// Fails unless the signature is that of the hash under the key.
    fn verify(&self, point: &[u8], hash: &[u8], signature: &EcdsaSignature) -> Result<(), Error>;

    /// The point d·Q.
    fn agree(&self, secret: &[u8], peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error>;
}

/// The operations over the arithmetic of the curve `C`.
pub(super) struct On<C>(PhantomData<C>);

impl<C> On<C> {
    /// The only value.
    pub(super) const ARITHMETIC: Self = Self(PhantomData);
}

impl<C> fmt::Debug for On<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("On")
    }
}

impl<C: Multiply> Operations for On<C>
where
    C::Scalar: Zeroize,
{
    fn check_secret(&self, secret: &[u8]) -> Result<(), Error> {
        scalar::<C>(secret).map(|_| ())
    }

    fn generate_secret(&self, rng: &mut dyn CryptoRng) -> Zeroizing<Vec<u8>> {
        let secret = Zeroizing::new(random_scalar::<C>(rng));
        Zeroizing::new(secret.to_repr().to_vec())
    }

    fn add_secrets(&self, one: &[u8], other: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let sum = Zeroizing::new(*scalar::<C>(one)? + *scalar::<C>(other)?);
        if bool::from(sum.is_zero()) {
            return Err(Error::Range);
        }
        Ok(Zeroizing::new(sum.to_repr().to_vec()))
    }

    fn check_point(&self, point: &[u8]) -> Result<(), Error> {
        decode::<C>(point).map(|_| ())
    }

    fn public_point(&self, secret: &[u8]) -> Result<Vec<u8>, Error> {
        let secret = scalar::<C>(secret)?;
        encode::<C>(&C::generator_times(&secret))
    }

    fn sign(
        &self,
        secret: &[u8],
        hash: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<EcdsaSignature, Error> {
        let d = scalar::<C>(secret)?;
        let z = hash_to_scalar::<C>(hash);
        let mut nonces = nonce_source(secret, hash, rng);
        loop {
            let k = Zeroizing::new(random_scalar::<C>(&mut nonces));
            let blind = Zeroizing::new(random_scalar::<C>(&mut nonces));
            let point = Zeroizing::new(C::generator_times(&k));
            let r = <C::Scalar as Reduce<FieldBytes<C>>>::reduce(&point.x());

            // s = (z + r·d) / k, with numerator and denominator multiplied by the same random
            // number: what the inversion and the sum see is independent of d and k, so the
            // inversion may take the fast way.
            let masked = Zeroizing::new(*k * *blind);
            let Some(inverse) = Option::<C::Scalar>::from(masked.invert_vartime()) else {
                continue;
            };
            let s = inverse * (*blind * z + *blind * *d * r);
            if bool::from(r.is_zero() | s.is_zero()) {
                continue;
            }
            return Ok(EcdsaSignature {
                r: r.to_repr().to_vec(),
                s: s.to_repr().to_vec(),
            });
        }
    }

    fn verify(&self, point: &[u8], hash: &[u8], signature: &EcdsaSignature) -> Result<(), Error> {
        let public = decode::<C>(point)?;
        let r = scalar::<C>(&signature.r).map_err(|_| Error::Signature)?;
        let s = scalar::<C>(&signature.s).map_err(|_| Error::Signature)?;
        let z = hash_to_scalar::<C>(hash);

        let inverse = Option::<C::Scalar>::from(s.invert_vartime()).ok_or(Error::Signature)?;
        let (u1, u2) = (z * inverse, *r * inverse);
        let sum = if bool::from(u1.is_zero()) {
            C::point_times(&public, &u2)
        } else {
            C::generator_and_point_times(&u1, &public, &u2)
        };
        if bool::from(sum.is_identity()) {
            return Err(Error::Signature);
        }
        let x = <C::Scalar as Reduce<FieldBytes<C>>>::reduce(&sum.x());
        if bool::from(ConstantTimeEq::ct_eq(&x, &*r)) {
            Ok(())
        } else {
            Err(Error::Signature)
        }
    }

    fn agree(&self, secret: &[u8], peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let secret = scalar::<C>(secret)?;
        let peer = decode::<C>(peer)?;
        let shared = Zeroizing::new(C::point_times(&peer, &secret));
        encode::<C>(&shared).map(Zeroizing::new)
    }
}

/// Reads a scalar of full width in 1..n-1.
fn scalar<C: CurveArithmetic>(bytes: &[u8]) -> Result<Zeroizing<C::Scalar>, Error> {
    let repr = FieldBytes::<C>::try_from(bytes).map_err(|_| Error::Length)?;
    let scalar = Option::<C::Scalar>::from(C::Scalar::from_repr(repr))
        .map(Zeroizing::new)
        .ok_or(Error::Range)?;
    if bool::from(scalar.is_zero()) {
        return Err(Error::Range);
    }
    Ok(scalar)
}

/// Reads 04‖x‖y and checks that the point is on the curve. The point at infinity has no such form.
fn decode<C: CurveArithmetic>(point: &[u8]) -> Result<C::AffinePoint, Error> {
    let [4, coordinates @ ..] = point else {
        return Err(Error::Point);
    };
    let length = FieldBytes::<C>::default().len();
    if coordinates.len() != 2 * length {
        return Err(Error::Point);
    }
    let (x, y) = coordinates.split_at(length);
    let x = FieldBytes::<C>::try_from(x).map_err(|_| Error::Point)?;
    let y = FieldBytes::<C>::try_from(y).map_err(|_| Error::Point)?;
    Option::from(C::AffinePoint::from_coordinates(&x, &y)).ok_or(Error::Point)
}

/// Writes 04‖x‖y.
fn encode<C: CurveArithmetic>(point: &C::AffinePoint) -> Result<Vec<u8>, Error> {
    if bool::from(point.is_identity()) {
        return Err(Error::Point);
    }
    Ok([&[4], point.x().as_slice(), point.y().as_slice()].concat())
}

/// The leftmost bits of the hash, as many as the order has, as a number modulo the order
/// (FIPS 186-5, section 6.4.1, step 2). A shorter hash is a number as it stands.
fn hash_to_scalar<C: CurveArithmetic>(hash: &[u8]) -> C::Scalar {
    let mut repr = FieldBytes::<C>::default();
    let length = repr.len();
    let kept = hash.get(..length).unwrap_or(hash);
    if let Some(target) = repr.get_mut(length - kept.len()..) {
        target.copy_from_slice(kept);
    }
    // An order that does not fill its bytes (521 bits in 66) leaves bits to drop on the right,
    // when the hash has that many.
    let excess = excess_bits::<C>();
    if excess > 0 && kept.len() == length {
        let mut carry = 0u8;
        for byte in &mut repr {
            let low = *byte << (8 - excess);
            *byte = *byte >> excess | carry;
            carry = low;
        }
    }
    <C::Scalar as Reduce<FieldBytes<C>>>::reduce(&repr)
}

/// Unused leading bits in the first byte of a scalar: 7 for 521 bits, otherwise 0.
fn excess_bits<C: CurveArithmetic>() -> u32 {
    let bits = C::Scalar::NUM_BITS;
    bits.next_multiple_of(8) - bits
}

/// Draws a scalar in 1..n-1, uniformly: numbers of the right length until one fits.
fn random_scalar<C: CurveArithmetic>(rng: &mut (impl CryptoRng + ?Sized)) -> C::Scalar {
    let mask = 0xFF >> excess_bits::<C>();
    loop {
        let mut repr = Zeroizing::new(FieldBytes::<C>::default());
        rng.fill_bytes(&mut repr);
        if let Some(first) = repr.first_mut() {
            *first &= mask;
        }
        if let Ok(scalar) = scalar::<C>(&repr) {
            return *scalar;
        }
    }
}

/// The generator of the numbers that one signature must never share with another.
///
/// Its seed hashes the private key, the hash to sign and fresh randomness: a generator that fails
/// or repeats leaves signatures as safe as deterministic ones (RFC 6979), and a good one makes
/// equal inputs give different signatures.
fn nonce_source(secret: &[u8], hash: &[u8], rng: &mut dyn CryptoRng) -> ChaCha20Rng {
    let mut fresh = Zeroizing::new([0u8; 32]);
    rng.fill_bytes(fresh.as_mut_slice());
    let mut digest = Sha512::new();
    // Key and fresh part have a known length; the hash comes last, so no two inputs run together.
    digest.update(b"hsm2 ecdsa nonce");
    digest.update(secret);
    digest.update(fresh.as_slice());
    digest.update(hash);
    let mut digest = digest.finalize();
    let mut seed = Zeroizing::new([0u8; 32]);
    if let Some(half) = digest.get(..seed.len()) {
        seed.copy_from_slice(half);
    }
    digest.as_mut_slice().zeroize();
    ChaCha20Rng::from_seed(*seed)
}
