//! EC private keys, and Q = d G on any of the curves.
//!
//! Points are projective, addition is the complete formula of Renes, Costello and Batina (2016,
//! algorithm 1), which holds for every pair of points of a curve of odd order. The ladder adds in
//! every step and selects without branching, on constant-time field arithmetic.

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Choice, CtAssign, Odd};
use zeroize::{Zeroize, Zeroizing};

use super::KeyError;
use super::curves::Curve;
use crate::der;
use crate::secret::Secret;

/// A private key with its public point; Q = d G was checked or computed.
#[derive(Debug)]
pub struct EcKey {
    curve: &'static Curve,
    private: Secret,
    public: Vec<u8>,
}

impl EcKey {
    /// Takes a private key of any width and, when known, the public point 04 || x || y.
    ///
    /// # Errors
    /// When d is not from 1 to n - 1, or the point is not d G.
    pub fn new(curve: &'static Curve, d: &Secret, q: Option<&[u8]>) -> Result<Self, KeyError> {
        let out_of_range = || {
            KeyError::new(format!(
                "the private key is not a number from 1 to n - 1 of {}",
                curve.name
            ))
        };
        let private = d.fitted(curve.width()).ok_or_else(out_of_range)?;
        let public = multiply_generator(curve, &private).ok_or_else(out_of_range)?;
        if q.is_some_and(|q| q != public) {
            return Err(KeyError::new(
                "the public key does not belong to the private key",
            ));
        }
        Ok(Self {
            curve,
            private,
            public,
        })
    }

    /// Draws a key from the operating system's randomness.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn random(curve: &'static Curve) -> Result<Self, KeyError> {
        // The top byte of secp521r1 holds one bit.
        let surplus = 8 * curve.width() - usize::from(curve.bits);
        let mask = u8::MAX.checked_shr(u32::try_from(surplus).unwrap_or(0));
        // Of orders just above a power of two only every second draw fits.
        for _ in 0..128 {
            let mut bytes = Zeroizing::new(vec![0; curve.width()]);
            getrandom::fill(&mut bytes).map_err(|error| {
                KeyError::new(format!("the system gives no randomness: {error}"))
            })?;
            if let (Some(top), Some(mask)) = (bytes.first_mut(), mask) {
                *top &= mask;
            }
            if let Ok(key) = Self::new(curve, &Secret::new(bytes.to_vec()), None) {
                return Ok(key);
            }
        }
        Err(KeyError::new("the system's randomness gives no key"))
    }

    /// The curve.
    #[must_use]
    pub fn curve(&self) -> &'static Curve {
        self.curve
    }

    /// The private key d at the width of the curve.
    #[must_use]
    pub fn private(&self) -> &Secret {
        &self.private
    }

    /// The public point as 04 || x || y.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// The key as SEC 1 `ECPrivateKey` without parameters, as PKCS#8 carries it.
    #[must_use]
    pub fn to_sec1(&self) -> Secret {
        let private = Zeroizing::new(der::element(0x04, &[self.private.expose()]));
        let point = der::element(0xa1, &[&der::element(0x03, &[&[0], &self.public])]);
        Secret::new(der::element(0x30, &[&der::integer(&[1]), &private, &point]))
    }
}

struct Field {
    params: BoxedMontyParams,
    bits: u32,
    a: BoxedMontyForm,
    b3: BoxedMontyForm,
}

impl Field {
    fn new(curve: &Curve) -> Option<Self> {
        let [a, b, p, _, _] = curve.parameters();
        let bits = u32::try_from(curve.width() * 8).ok()?;
        let p = BoxedUint::from_be_slice(&p, bits).ok()?;
        let params = BoxedMontyParams::new(Odd::new(p).into_option()?);
        let element = |bytes: &[u8]| {
            Some(BoxedMontyForm::new(
                BoxedUint::from_be_slice(bytes, bits).ok()?,
                &params,
            ))
        };
        let (a, b) = (element(&a)?, element(&b)?);
        let b3 = &(&b + &b) + &b;
        Some(Self {
            params,
            bits,
            a,
            b3,
        })
    }
}

struct Point {
    x: BoxedMontyForm,
    y: BoxedMontyForm,
    z: BoxedMontyForm,
}

impl Point {
    fn identity(field: &Field) -> Self {
        let zero = BoxedMontyForm::zero(&field.params);
        Self {
            x: zero.clone(),
            y: BoxedMontyForm::one(&field.params),
            z: zero,
        }
    }

    fn affine(field: &Field, encoded: &[u8]) -> Option<Self> {
        let (_, coordinates) = encoded.split_first()?;
        let (x, y) = coordinates.split_at_checked(coordinates.len() / 2)?;
        let element = |bytes: &[u8]| {
            let integer = BoxedUint::from_be_slice(bytes, field.bits).ok()?;
            Some(BoxedMontyForm::new(integer, &field.params))
        };
        Some(Self {
            x: element(x)?,
            y: element(y)?,
            z: BoxedMontyForm::one(&field.params),
        })
    }

    fn add(&self, other: &Self, field: &Field) -> Self {
        let xx = &self.x * &other.x;
        let yy = &self.y * &other.y;
        let zz = &self.z * &other.z;
        let xy = &(&(&self.x + &self.y) * &(&other.x + &other.y)) - &(&xx + &yy);
        let xz = &(&(&self.x + &self.z) * &(&other.x + &other.z)) - &(&xx + &zz);
        let yz = &(&(&self.y + &self.z) * &(&other.y + &other.z)) - &(&yy + &zz);

        let s = &(&field.a * &xz) + &(&field.b3 * &zz);
        let minus = &yy - &s;
        let plus = &yy + &s;
        let azz = &field.a * &zz;
        let m = &(&(&xx + &xx) + &xx) + &azz;
        let t = &(&field.b3 * &xz) + &(&field.a * &(&xx - &azz));

        Self {
            x: &(&xy * &minus) - &(&yz * &t),
            y: &(&minus * &plus) + &(&m * &t),
            z: &(&yz * &plus) + &(&xy * &m),
        }
    }

    fn assign(&mut self, other: &Self, choice: Choice) {
        let pairs = [
            (&mut self.x, &other.x),
            (&mut self.y, &other.y),
            (&mut self.z, &other.z),
        ];
        for (own, other) in pairs {
            own.as_montgomery_mut()
                .ct_assign(other.as_montgomery(), choice);
        }
    }

    fn encode(&self, width: usize) -> Option<Vec<u8>> {
        let inverse = self.z.invert().into_option()?;
        let mut point = vec![0x04];
        for coordinate in [&self.x * &inverse, &self.y * &inverse] {
            let bytes = coordinate.retrieve().to_be_bytes();
            point.extend_from_slice(bytes.get(bytes.len().checked_sub(width)?..)?);
        }
        Some(point)
    }
}

impl Drop for Point {
    fn drop(&mut self) {
        for coordinate in [&mut self.x, &mut self.y, &mut self.z] {
            coordinate.as_montgomery_mut().zeroize();
        }
    }
}

/// d G as 04 || x || y; `None` when d is 0 or not below the order.
fn multiply_generator(curve: &Curve, d: &Secret) -> Option<Vec<u8>> {
    let [_, _, _, n, g] = curve.parameters();
    let is_zero = d.expose().iter().all(|byte| *byte == 0);
    if is_zero || d.len() != n.len() || d.expose() >= n.as_slice() {
        return None;
    }
    let field = Field::new(curve)?;
    let generator = Point::affine(&field, &g)?;
    let mut sum = Point::identity(&field);
    for byte in d.expose() {
        for bit in (0..8).rev() {
            sum = sum.add(&sum, &field);
            let added = sum.add(&generator, &field);
            sum.assign(&added, Choice::from_u8_lsb(byte >> bit));
        }
    }
    sum.encode(curve.width())
}

#[cfg(test)]
mod tests;
