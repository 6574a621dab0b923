//! Multiplication of points by secret scalars, in time independent of the scalar.
//!
//! The scalar is cut into digits of five bits that are all odd: ±1, ±3 .. ±31. No digit is zero
//! and the sum never passes infinity on the way, so every digit costs the same work: one addition
//! of an entry that is chosen by reading all sixteen.

use std::sync::OnceLock;

use elliptic_curve::ff::{Field, PrimeField};
use elliptic_curve::group::{CurveAffine, Group};
use elliptic_curve::hazmat::FieldArithmetic;
use elliptic_curve::point::AffineCoordinates;
use elliptic_curve::{CurveArithmetic, FieldBytes};
use primeorder::PrimeCurveParams;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use super::custom;
use super::field256;
use super::jacobian::{Affine, Coefficient, Jacobian};

/// Bits of a digit.
const WINDOW: usize = 5;
/// The odd multiples 1, 3 .. 31 of a point.
const ENTRIES: usize = 1 << (WINDOW - 1);

/// The multiplications that keys need.
pub(super) trait Multiply: CurveArithmetic {
    /// scalar·G for a scalar other than zero.
    fn generator_times(scalar: &Self::Scalar) -> Self::AffinePoint;

    /// scalar·point for a scalar other than zero and a point other than infinity.
    fn point_times(point: &Self::AffinePoint, scalar: &Self::Scalar) -> Self::AffinePoint;

    /// times·G + scalar·point, for a scalar other than zero and a point other than infinity; what
    /// a signature is verified with.
    fn generator_and_point_times(
        times: &Self::Scalar,
        point: &Self::AffinePoint,
        scalar: &Self::Scalar,
    ) -> Self::AffinePoint {
        let of_generator: Self::ProjectivePoint = Self::generator_times(times).into();
        (of_generator + Self::point_times(point, scalar)).into()
    }
}

/// The crate of this curve has fast formulas and tables of its own.
impl Multiply for k256::Secp256k1 {
    fn generator_times(scalar: &Self::Scalar) -> Self::AffinePoint {
        Self::ProjectivePoint::mul_by_generator(scalar).into()
    }

    fn point_times(point: &Self::AffinePoint, scalar: &Self::Scalar) -> Self::AffinePoint {
        (Self::ProjectivePoint::from(*point) * scalar).into()
    }
}

/// A curve whose points this module multiplies itself.
trait Model: PrimeCurveParams {
    /// The field to compute in; that of the crate, or a faster one with the same encoding.
    type Field: PrimeField<Repr = FieldBytes<Self>>;

    /// The coefficient a of the curve to compute on.
    const COEFFICIENT: Coefficient;

    /// The table of the curve to compute on; the first call builds it.
    fn table() -> &'static Table<Self::Field>;

    /// The way to the curve to compute on, when that is another.
    fn isomorphism() -> Option<&'static Isomorphism<Self::Field>> {
        None
    }
}

/// The way from a curve to its twist with a = -3, on which doubling is cheaper by a fifth:
/// (x, y) becomes (x·Z², y·Z³). Source: RFC 5639, section 2.3.
#[derive(Debug)]
struct Isomorphism<F> {
    there: Factors<F>,
    back: Factors<F>,
}

/// What the coordinates are multiplied with.
#[derive(Debug)]
struct Factors<F> {
    x: F,
    y: F,
}

impl<F: Field> Isomorphism<F> {
    /// The way that takes one point to the other.
    fn new(from: Affine<F>, to: Affine<F>) -> Option<Self> {
        let quotient = |a: F, b: F| Option::<F>::from(b.invert()).map(|inverse| a * inverse);
        Some(Self {
            there: Factors {
                x: quotient(to.x, from.x)?,
                y: quotient(to.y, from.y)?,
            },
            back: Factors {
                x: quotient(from.x, to.x)?,
                y: quotient(from.y, to.y)?,
            },
        })
    }
}

impl<F: Field> Factors<F> {
    fn apply(&self, point: Affine<F>) -> Affine<F> {
        Affine {
            x: point.x * self.x,
            y: point.y * self.y,
        }
    }
}

/// Row i holds the odd multiples 1·32ⁱ·G to 31·32ⁱ·G: one addition and no doubling for five bits.
///
/// Size: 52 KiB for a 256-bit curve, 240 KiB for the one of 521 bits; only curves in use have one.
#[derive(Debug)]
struct Table<F> {
    rows: Vec<[Affine<F>; ENTRIES]>,
}

impl<F: Field> Table<F> {
    /// Computes the table: half a millisecond for a 256-bit curve.
    fn new(generator: Affine<F>, digits: usize, a: Coefficient) -> Self {
        let mut points = Vec::with_capacity(digits * ENTRIES);
        let mut base = Jacobian::from(generator);
        for _ in 0..digits {
            points.extend(odd_multiples(base, a));
            for _ in 0..WINDOW {
                base = base.double(a);
            }
        }
        // No multiple of a point of prime order below that order is infinity, or equal to another.
        let affine = Jacobian::to_affine_all(&points).unwrap_or_default();
        let (rows, _) = affine.as_chunks::<ENTRIES>();
        Self {
            rows: rows.to_vec(),
        }
    }
}

impl<C: Model> Multiply for C {
    fn generator_times(scalar: &C::Scalar) -> C::AffinePoint {
        add_generator_times::<C>(None, scalar)
            .and_then(to_point::<C>)
            .unwrap_or_else(|| C::ProjectivePoint::mul_by_generator(scalar).into())
    }

    fn point_times(point: &C::AffinePoint, scalar: &C::Scalar) -> C::AffinePoint {
        // An addition without formula happens for a handful of scalars only, tiny ones and those
        // near the order. What it takes to serve them tells nothing about any other.
        multiple::<C>(point, scalar)
            .and_then(to_point::<C>)
            .unwrap_or_else(|| (C::ProjectivePoint::from(*point) * scalar).into())
    }

    /// With one inversion of the field for both.
    fn generator_and_point_times(
        times: &C::Scalar,
        point: &C::AffinePoint,
        scalar: &C::Scalar,
    ) -> C::AffinePoint {
        multiple::<C>(point, scalar)
            .and_then(|sum| add_generator_times::<C>(Some(sum), times))
            .and_then(to_point::<C>)
            .unwrap_or_else(|| {
                let of_point = C::ProjectivePoint::from(*point) * scalar;
                (C::ProjectivePoint::mul_by_generator(times) + of_point).into()
            })
    }
}

/// sum + scalar·G, without a sum scalar·G. Nothing when there are no tables.
fn add_generator_times<C: Model>(
    mut sum: Option<Jacobian<C::Field>>,
    scalar: &C::Scalar,
) -> Option<Jacobian<C::Field>> {
    let digits = Digits::new::<C>(scalar);
    for (position, row) in C::table().rows.iter().enumerate() {
        let (index, negative) = digits.at(position);
        let entry = select(row, index).negate_if(negative ^ digits.negated);
        sum = Some(match sum {
            None => entry.into(),
            Some(sum) => sum.add_affine(&entry),
        });
    }
    sum
}

/// scalar·point; nothing for infinity.
fn multiple<C: Model>(point: &C::AffinePoint, scalar: &C::Scalar) -> Option<Jacobian<C::Field>> {
    let a = C::COEFFICIENT;
    let multiples = odd_multiples(from_point::<C>(point)?.into(), a);
    let digits = Digits::new::<C>(scalar);
    let mut sum: Option<Jacobian<C::Field>> = None;
    // From the top digit down, which is always positive.
    for position in (0..digits.count).rev() {
        let (index, negative) = digits.at(position);
        let entry = select(&multiples, index).negate_if(negative);
        sum = Some(match sum {
            None => entry,
            Some(mut sum) => {
                for _ in 0..WINDOW {
                    sum = sum.double(a);
                }
                sum.add(&entry)
            }
        });
    }
    sum.map(|sum| sum.negate_if(digits.negated))
}

/// The multiples 1, 3 .. 31 of a point.
fn odd_multiples<F: Field>(point: Jacobian<F>, a: Coefficient) -> [Jacobian<F>; ENTRIES] {
    let twice = point.double(a);
    let mut multiple = point;
    std::array::from_fn(|index| {
        if index > 0 {
            multiple = multiple.add(&twice);
        }
        multiple
    })
}

/// Picks one of the entries, reading all of them.
fn select<P: ConditionallySelectable>(entries: &[P; ENTRIES], index: u8) -> P {
    let [mut chosen, others @ ..] = *entries;
    for (other, number) in others.iter().zip(1u8..) {
        chosen.conditional_assign(other, number.ct_eq(&index));
    }
    chosen
}

/// Converts a point of the crate to one of the curve to compute on; `None` for infinity.
fn from_point<C: Model>(point: &C::AffinePoint) -> Option<Affine<C::Field>> {
    let point = coordinates::<C>(point)?;
    Some(match C::isomorphism() {
        Some(isomorphism) => isomorphism.there.apply(point),
        None => point,
    })
}

/// The coordinates of a point; `None` for infinity.
fn coordinates<C: Model>(point: &C::AffinePoint) -> Option<Affine<C::Field>> {
    if bool::from(point.is_identity()) {
        return None;
    }
    Some(Affine {
        x: Option::from(C::Field::from_repr(point.x()))?,
        y: Option::from(C::Field::from_repr(point.y()))?,
    })
}

/// Converts to a point of the crate, which checks once more that it lies on the curve.
fn to_point<C: Model>(point: Jacobian<C::Field>) -> Option<C::AffinePoint> {
    let point = point.to_affine()?;
    let Affine { x, y } = match C::isomorphism() {
        Some(isomorphism) => isomorphism.back.apply(point),
        None => point,
    };
    Option::from(C::AffinePoint::from_coordinates(&x.to_repr(), &y.to_repr()))
}

/// A scalar as odd digits: scalar = ±Σ digit(i)·32ⁱ.
struct Digits {
    /// (k - 1)/2 for the odd one k of the scalar and its negative, little endian, and a zero byte
    /// that the topmost digit may read.
    half: Zeroizing<Vec<u8>>,
    /// Whether k is the negative.
    negated: Choice,
    count: usize,
}

impl Digits {
    fn new<C: CurveArithmetic>(scalar: &C::Scalar) -> Self {
        let negated = !scalar.is_odd();
        let odd = Zeroizing::new(C::Scalar::conditional_select(scalar, &-*scalar, negated));
        let bytes = Zeroizing::new(odd.to_repr());
        let mut half = Zeroizing::new(Vec::with_capacity(bytes.len() + 1));
        let mut above = 0;
        let mut halved = Zeroizing::new(Vec::with_capacity(bytes.len()));
        for byte in bytes.iter() {
            halved.push(byte >> 1 | above << 7);
            above = byte & 1;
        }
        half.extend(halved.iter().rev());
        half.push(0);
        Self {
            half,
            negated,
            count: digit_count::<C>(),
        }
    }

    /// Digit i as position of its multiple among the entries, and its sign.
    ///
    /// With v the i-th group of five bits of (k - 1)/2 the digit is 2v - 31, and 2v + 1 for the
    /// topmost: the sum of 2v·32ⁱ is k - 1, and the constants add up to 1.
    fn at(&self, position: usize) -> (u8, Choice) {
        let bit = position * WINDOW;
        let byte = |index: usize| self.half.get(index).copied().unwrap_or(0);
        let pair = u16::from_le_bytes([byte(bit / 8), byte(bit / 8 + 1)]);
        let [low, _] = (pair >> (bit % 8)).to_le_bytes();
        let group = low & 0x1F;
        if position + 1 == self.count {
            // At most four bits are left up here.
            return (group & 0x0F, Choice::from(0));
        }
        let positive = group >> 4;
        // v - 16 for the upper half, 15 - v for the lower.
        let index = (group ^ positive.wrapping_sub(1)) & 0x0F;
        (index, Choice::from(1 - positive))
    }
}

/// Digits of a scalar, so many that the topmost has four bits or less.
fn digit_count<C: CurveArithmetic>() -> usize {
    (C::Scalar::NUM_BITS as usize - 1) / WINDOW + 1
}

/// Says for each curve which field it is computed in and which form its equation has, or on which
/// isomorphic curve it is computed.
macro_rules! models {
    ($(
        $curve:ty: $(in $field:ty, $coefficient:ident)? $(as $twist:ty)?;
    )*) => {
        $(impl Model for $curve {
            $(
                type Field = $field;

                const COEFFICIENT: Coefficient = Coefficient::$coefficient;

                fn table() -> &'static Table<$field> {
                    static TABLE: OnceLock<Table<$field>> = OnceLock::new();
                    TABLE.get_or_init(|| {
                        let generator = <$curve as CurveArithmetic>::AffinePoint::generator();
                        match from_point::<$curve>(&generator) {
                            Some(generator) => Table::new(
                                generator,
                                digit_count::<$curve>(),
                                Self::COEFFICIENT,
                            ),
                            // Unreachable; an empty table sends every scalar the complete way.
                            None => Table { rows: Vec::new() },
                        }
                    })
                }
            )?
            $(
                type Field = <$twist as Model>::Field;

                const COEFFICIENT: Coefficient = <$twist as Model>::COEFFICIENT;

                fn table() -> &'static Table<Self::Field> {
                    <$twist as Model>::table()
                }

                /// The one that takes the generator to that of the twist.
                fn isomorphism() -> Option<&'static Isomorphism<Self::Field>> {
                    static ISOMORPHISM: OnceLock<
                        Option<Isomorphism<<$twist as Model>::Field>>,
                    > = OnceLock::new();
                    ISOMORPHISM
                        .get_or_init(|| {
                            let from = <$curve as CurveArithmetic>::AffinePoint::generator();
                            let to = <$twist as CurveArithmetic>::AffinePoint::generator();
                            Isomorphism::new(
                                coordinates::<$curve>(&from)?,
                                coordinates::<$twist>(&to)?,
                            )
                        })
                        .as_ref()
                }
            )?
        })*
    };
}

/// The field of the crate.
type Of<C> = <C as FieldArithmetic>::FieldElement;

models! {
    p192::NistP192: in Of<p192::NistP192>, MinusThree;
    p224::NistP224: in Of<p224::NistP224>, MinusThree;
    p256::NistP256: in field256::Secp256r1, MinusThree;
    p384::NistP384: in Of<p384::NistP384>, MinusThree;
    p521::NistP521: in Of<p521::NistP521>, MinusThree;
    custom::secp192k1::Secp192k1: in Of<custom::secp192k1::Secp192k1>, Zero;
    custom::brainpoolp192r1::BrainpoolP192r1: as custom::brainpoolp192t1::BrainpoolP192t1;
    custom::brainpoolp224r1::BrainpoolP224r1: as custom::brainpoolp224t1::BrainpoolP224t1;
    bp256::BrainpoolP256r1: as bp256::BrainpoolP256t1;
    custom::brainpoolp320r1::BrainpoolP320r1: as custom::brainpoolp320t1::BrainpoolP320t1;
    bp384::BrainpoolP384r1: as bp384::BrainpoolP384t1;
    custom::brainpoolp512r1::BrainpoolP512r1: as custom::brainpoolp512t1::BrainpoolP512t1;
    custom::brainpoolp192t1::BrainpoolP192t1: in Of<custom::brainpoolp192t1::BrainpoolP192t1>, MinusThree;
    custom::brainpoolp224t1::BrainpoolP224t1: in Of<custom::brainpoolp224t1::BrainpoolP224t1>, MinusThree;
    bp256::BrainpoolP256t1: in field256::BrainpoolP256, MinusThree;
    custom::brainpoolp320t1::BrainpoolP320t1: in Of<custom::brainpoolp320t1::BrainpoolP320t1>, MinusThree;
    bp384::BrainpoolP384t1: in Of<bp384::BrainpoolP384t1>, MinusThree;
    custom::brainpoolp512t1::BrainpoolP512t1: in Of<custom::brainpoolp512t1::BrainpoolP512t1>, MinusThree;
}

#[cfg(test)]
mod tests {
    use elliptic_curve::Field as _;
    use elliptic_curve::group::Group as _;
    use rand_core::SeedableRng as _;

    use super::*;

    /// A wrong table or isomorphism would only be slow: every result is checked, and then computed
    /// in the complete way.
    fn takes_the_fast_way<C: Model>() {
        let mut rng = chacha20::ChaCha20Rng::from_seed([3; 32]);
        let (scalar, other) = (C::Scalar::random(&mut rng), C::Scalar::random(&mut rng));
        let expected = C::ProjectivePoint::generator() * scalar;
        let by_table = add_generator_times::<C>(None, &scalar);
        assert_eq!(by_table.and_then(to_point::<C>), Some(expected.into()));
        let product = multiple::<C>(&expected.into(), &other);
        assert_eq!(
            product.and_then(to_point::<C>),
            Some((expected * other).into())
        );
    }

    #[test]
    fn every_curve_takes_the_fast_way() {
        takes_the_fast_way::<p192::NistP192>();
        takes_the_fast_way::<p224::NistP224>();
        takes_the_fast_way::<p256::NistP256>();
        takes_the_fast_way::<p384::NistP384>();
        takes_the_fast_way::<p521::NistP521>();
        takes_the_fast_way::<custom::secp192k1::Secp192k1>();
        takes_the_fast_way::<custom::brainpoolp192r1::BrainpoolP192r1>();
        takes_the_fast_way::<custom::brainpoolp224r1::BrainpoolP224r1>();
        takes_the_fast_way::<bp256::BrainpoolP256r1>();
        takes_the_fast_way::<custom::brainpoolp320r1::BrainpoolP320r1>();
        takes_the_fast_way::<bp384::BrainpoolP384r1>();
        takes_the_fast_way::<custom::brainpoolp512r1::BrainpoolP512r1>();
        takes_the_fast_way::<custom::brainpoolp192t1::BrainpoolP192t1>();
        takes_the_fast_way::<custom::brainpoolp224t1::BrainpoolP224t1>();
        takes_the_fast_way::<bp256::BrainpoolP256t1>();
        takes_the_fast_way::<custom::brainpoolp320t1::BrainpoolP320t1>();
        takes_the_fast_way::<bp384::BrainpoolP384t1>();
        takes_the_fast_way::<custom::brainpoolp512t1::BrainpoolP512t1>();
    }
}
