//! Point arithmetic in Jacobian coordinates: (X, Y, Z) stands for x = X/Z², y = Y/Z³.
//!
//! Faster by a third to a half than the complete formulas of the curve crates, and incomplete:
//! adding a point to itself or to its negative gives Z = 0. Every formula hands Z = 0 on, so one
//! look at the end tells whether that happened anywhere; see [`Jacobian::to_affine`].
//!
//! Source: Explicit-Formulas Database, short Weierstrass curves, Jacobian coordinates (addition
//! and mixed addition of Cohen, Miyaji and Ono 1998; doubling of Bernstein 2001).

use elliptic_curve::ff::Field;
use subtle::{Choice, ConditionallySelectable};

/// What the coefficient a of the curve is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Coefficient {
    Zero,
    MinusThree,
}

/// A point other than infinity.
#[derive(Clone, Copy, Debug)]
pub(super) struct Affine<F> {
    pub(super) x: F,
    pub(super) y: F,
}

impl<F: Field> Affine<F> {
    /// The negative of the point on request.
    pub(super) fn negate_if(self, choice: Choice) -> Self {
        Self {
            x: self.x,
            y: F::conditional_select(&self.y, &-self.y, choice),
        }
    }
}

impl<F: Field> ConditionallySelectable for Affine<F> {
    #[inline]
    fn conditional_select(a: &Self, b: &Self, choice: Choice) -> Self {
        Self {
            x: F::conditional_select(&a.x, &b.x, choice),
            y: F::conditional_select(&a.y, &b.y, choice),
        }
    }
}

/// A point, or with Z = 0 the result of an addition the formulas do not cover.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jacobian<F> {
    x: F,
    y: F,
    z: F,
}

impl<F: Field> From<Affine<F>> for Jacobian<F> {
    fn from(point: Affine<F>) -> Self {
        Self {
            x: point.x,
            y: point.y,
            z: F::ONE,
        }
    }
}

impl<F: Field> Jacobian<F> {
    /// 2·self, with 8 multiplications, or 7 on curves with a = 0.
    #[inline]
    pub(super) fn double(&self, a: Coefficient) -> Self {
        let yy = self.y.square();
        let beta = self.x * yy;
        let alpha = match a {
            Coefficient::Zero => triple(self.x.square()),
            Coefficient::MinusThree => {
                let zz = self.z.square();
                triple((self.x - zz) * (self.x + zz))
            }
        };
        let beta4 = beta.double().double();
        let x = alpha.square() - beta4.double();
        let y = alpha * (beta4 - x) - yy.square().double().double().double();
        let z = (self.y * self.z).double();
        Self { x, y, z }
    }

    /// self + other, with 16 multiplications.
    #[inline]
    pub(super) fn add(&self, other: &Self) -> Self {
        let z1z1 = self.z.square();
        let z2z2 = other.z.square();
        let u1 = self.x * z2z2;
        let s1 = self.y * other.z * z2z2;
        let h = other.x * z1z1 - u1;
        let r = other.y * self.z * z1z1 - s1;
        Self::finish(u1, s1, h, r, self.z * other.z)
    }

    /// self + other, with 11 multiplications.
    #[inline]
    pub(super) fn add_affine(&self, other: &Affine<F>) -> Self {
        let z1z1 = self.z.square();
        let h = other.x * z1z1 - self.x;
        let r = other.y * self.z * z1z1 - self.y;
        Self::finish(self.x, self.y, h, r, self.z)
    }

    #[inline(always)]
    fn finish(u1: F, s1: F, h: F, r: F, z: F) -> Self {
        let hh = h.square();
        let hhh = h * hh;
        let v = u1 * hh;
        let x = r.square() - hhh - v.double();
        let y = r * (v - x) - s1 * hhh;
        Self { x, y, z: z * h }
    }

    /// The negative of the point on request.
    pub(super) fn negate_if(self, choice: Choice) -> Self {
        Self {
            y: F::conditional_select(&self.y, &-self.y, choice),
            ..self
        }
    }

    /// The coordinates, or `None` when an addition on the way had no formula.
    pub(super) fn to_affine(self) -> Option<Affine<F>> {
        let inverse = Option::<F>::from(self.z.invert())?;
        Some(self.scale(inverse))
    }

    /// The coordinates of many points for the price of one inversion; for public points.
    pub(super) fn to_affine_all(points: &[Self]) -> Option<Vec<Affine<F>>> {
        // products[i] is the product of all Z before i.
        let mut product = F::ONE;
        let mut products = Vec::with_capacity(points.len());
        for point in points {
            products.push(product);
            product *= point.z;
        }
        let mut inverse = Option::<F>::from(product.invert())?;
        let mut affine: Vec<_> = points
            .iter()
            .zip(products)
            .rev()
            .map(|(point, before)| {
                let own = inverse * before;
                inverse *= point.z;
                point.scale(own)
            })
            .collect();
        affine.reverse();
        Some(affine)
    }

    fn scale(&self, inverse: F) -> Affine<F> {
        let square = inverse.square();
        Affine {
            x: self.x * square,
            y: self.y * square * inverse,
        }
    }
}

impl<F: Field> ConditionallySelectable for Jacobian<F> {
    #[inline]
    fn conditional_select(a: &Self, b: &Self, choice: Choice) -> Self {
        Self {
            x: F::conditional_select(&a.x, &b.x, choice),
            y: F::conditional_select(&a.y, &b.y, choice),
            z: F::conditional_select(&a.z, &b.z, choice),
        }
    }
}

#[inline(always)]
fn triple<F: Field>(number: F) -> F {
    number.double() + number
}
