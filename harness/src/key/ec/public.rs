//! Computations on public points of any of the curves: ECDSA verified, a secret agreed on.
//!
//! Verification takes time that depends on its input, which is public.

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Choice, NonZero, Odd, Resize};

use super::{Curve, Field, Point};
use crate::secret::Secret;

/// Whether r ‖ s is the ECDSA signature of a hash under the key with this point, 04 ‖ x ‖ y.
///
/// A malformed point or signature is one that does not verify.
#[must_use]
pub fn verifies(curve: &Curve, point: &[u8], hash: &[u8], signature: &[u8]) -> bool {
    verify(curve, point, hash, signature).unwrap_or(false)
}

fn verify(curve: &Curve, point: &[u8], hash: &[u8], signature: &[u8]) -> Option<bool> {
    let [_, _, p, n, g] = curve.parameters();
    let (r, s) = signature.split_at_checked(n.len())?;
    if s.len() != n.len() || !is_scalar(r, &n) || !is_scalar(s, &n) {
        return Some(false);
    }
    let field = Field::new(curve)?;
    let (generator, public) = (Point::affine(&field, &g)?, decode(curve, &field, point)?);

    let bits = u32::try_from(8 * n.len()).ok()?;
    let modulus = BoxedUint::from_be_slice(&n, bits).ok()?;
    let params = BoxedMontyParams::new(Odd::new(modulus.clone()).into_option()?);
    let scalar = |bytes: &[u8]| {
        let number = BoxedUint::from_be_slice(bytes, bits).ok()?;
        let reduced = number.rem(&NonZero::new(modulus.clone()).into_option()?);
        Some(BoxedMontyForm::new(reduced, &params))
    };
    let inverse = scalar(s)?.invert().into_option()?;
    let factor = |number: &BoxedMontyForm| (number * &inverse).retrieve().to_be_bytes();
    let hash = scalar(&leftmost(hash, curve, &n)?)?;
    let sum = public
        .times(&factor(&scalar(r)?), &field)
        .add(&generator.times(&factor(&hash), &field), &field);
    let sum = sum.encode(curve.width())?;
    let x = sum.get(1..=p.len())?;

    let wide = BoxedUint::from_be_slice(x, u32::try_from(8 * p.len()).ok()?).ok()?;
    let order = NonZero::new(modulus.resize(wide.bits_precision())).into_option()?;
    let expected = BoxedUint::from_be_slice(r, bits).ok()?;
    Some(wide.rem(&order) == expected.resize(wide.bits_precision()))
}

/// The X coordinate of d · Q, as both sides of a Diffie-Hellman agreement have it; `None` when Q is
/// no point of the curve or d no scalar.
#[must_use]
pub fn agree(curve: &Curve, d: &Secret, q: &[u8]) -> Option<Secret> {
    let [_, _, _, n, _] = curve.parameters();
    if !is_scalar(d.expose(), &n) {
        return None;
    }
    let field = Field::new(curve)?;
    let shared = decode(curve, &field, q)?.times(d.expose(), &field);
    let point = Secret::new(shared.encode(curve.width())?);
    let x = point.expose().get(1..=curve.width())?;
    Some(Secret::new(x.to_vec()))
}

/// Whether a number of the order's width is from 1 to n - 1.
fn is_scalar(number: &[u8], n: &[u8]) -> bool {
    number.len() == n.len() && number < n && number.iter().any(|byte| *byte != 0)
}

/// The leftmost bits of a hash, as many as the order has, at the order's width.
fn leftmost(hash: &[u8], curve: &Curve, n: &[u8]) -> Option<Vec<u8>> {
    if hash.len() < n.len() {
        let mut padded = vec![0; n.len() - hash.len()];
        padded.extend_from_slice(hash);
        return Some(padded);
    }
    // Only secp521r1's order does not fill its bytes, and no hash is as long as that.
    (usize::from(curve.bits) == 8 * n.len()).then_some(())?;
    hash.get(..n.len()).map(<[u8]>::to_vec)
}

/// Reads 04 ‖ x ‖ y; the point must satisfy the equation of the curve.
fn decode(curve: &Curve, field: &Field, encoded: &[u8]) -> Option<Point> {
    let [_, b, p, _, _] = curve.parameters();
    let (form, coordinates) = encoded.split_first()?;
    let (x, y) = coordinates.split_at_checked(coordinates.len() / 2)?;
    let fits = |coordinate: &[u8]| coordinate.len() == p.len() && coordinate < p.as_slice();
    if *form != 0x04 || !fits(x) || !fits(y) {
        return None;
    }
    let point = Point::affine(field, encoded)?;
    let b = BoxedMontyForm::new(
        BoxedUint::from_be_slice(&b, field.bits).ok()?,
        &field.params,
    );
    let right = &(&(&(&point.x * &point.x) + &field.a) * &point.x) + &b;
    (&point.y * &point.y == right).then_some(point)
}

impl Point {
    /// scalar · self, without branches on the scalar.
    fn times(&self, scalar: &[u8], field: &Field) -> Self {
        let mut sum = Self::identity(field);
        for byte in scalar {
            for bit in (0..8).rev() {
                sum = sum.add(&sum, field);
                let added = sum.add(self, field);
                sum.assign(&added, Choice::from_u8_lsb(byte >> bit));
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::signature::Signer;

    use super::super::EcKey;
    use super::*;
    use crate::key::curves::CURVES;
    use sha2::{Digest, Sha256};

    fn curve(name: &str) -> &'static Curve {
        CURVES.iter().find(|curve| curve.name == name).unwrap()
    }

    #[test]
    fn agrees_with_another_implementation_on_both_curves_it_has() {
        let hash = Sha256::digest(b"message");
        let p256 = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
        let signature: p256::ecdsa::Signature = p256.sign(b"message");
        let point = p256.verifying_key().to_sec1_point(false);
        let p256 = (
            curve("secp256r1"),
            point.as_bytes().to_vec(),
            signature.to_bytes().to_vec(),
        );
        let bp256 = ecdsa::SigningKey::<bp256::BrainpoolP256r1>::from_slice(&[7; 32]).unwrap();
        let signature: bp256::r1::ecdsa::Signature = bp256.sign(b"message");
        let point = bp256.verifying_key().to_sec1_point(false);
        let bp256 = (
            curve("brainpoolP256r1"),
            point.as_bytes().to_vec(),
            signature.to_bytes().to_vec(),
        );
        for (curve, point, signature) in [p256, bp256] {
            assert!(verifies(curve, &point, &hash, &signature), "{}", curve.name);
            for at in [0, 31, 32, 63] {
                let mut changed = signature.clone();
                changed[at] ^= 1;
                assert!(
                    !verifies(curve, &point, &hash, &changed),
                    "{} {at}",
                    curve.name
                );
            }
            let mut off = point.clone();
            off[64] ^= 1;
            assert!(
                !verifies(curve, &off, &hash, &signature),
                "not on the curve"
            );
            assert!(!verifies(
                curve,
                &point,
                &Sha256::digest(b"other"),
                &signature
            ));
            assert!(!verifies(curve, &point, &hash, &[0; 64]));
            assert!(!verifies(curve, &point, &hash, &signature[..63]));
            assert!(!verifies(curve, &[], &hash, &signature));
        }
    }

    #[test]
    fn both_sides_agree_on_every_curve() {
        for curve in &CURVES {
            let secret = |last| {
                let mut bytes = vec![0; curve.width()];
                bytes[curve.width() - 1] = last;
                bytes[curve.width() / 2] = last;
                Secret::new(bytes)
            };
            let (a, b) = (secret(5), secret(9));
            let public = |d: &Secret| EcKey::new(curve, d, None).unwrap().public().to_vec();
            let one = agree(curve, &a, &public(&b)).unwrap();
            let other = agree(curve, &b, &public(&a)).unwrap();
            assert_eq!(one.expose(), other.expose(), "{}", curve.name);
            assert!(agree(curve, &secret(0), &public(&b)).is_none());
        }
    }
}
