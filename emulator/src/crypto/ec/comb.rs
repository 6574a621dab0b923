//! Multiplication of the base point by a secret scalar, over a table built once per curve.

use std::sync::OnceLock;

use elliptic_curve::CurveArithmetic;
use elliptic_curve::ff::PrimeField;
use elliptic_curve::group::{Curve as _, CurveAffine, Group};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

/// Bits of the scalar that one table row serves.
const WINDOW: usize = 5;
/// Entries of a row: the multiples 1 to 16; the sign of a digit gives the others.
const ENTRIES: usize = 1 << (WINDOW - 1);

/// A curve with a place for its table.
pub(super) trait HasComb: CurveArithmetic {
    /// The table of this curve; the first call builds it.
    fn comb() -> &'static Comb<Self>;
}

/// Row i holds the multiples 1·2^(5i)·G to 16·2^(5i)·G.
///
/// A product then takes one addition for five bits and no doubling. Size: 3.2 KiB for each 5 bits
/// of a 256-bit curve or 60 KiB in all; a 521-bit curve takes about 250 KiB. Only curves in use
/// have a table.
#[derive(Debug)]
pub(super) struct Comb<C: CurveArithmetic> {
    rows: Vec<[C::AffinePoint; ENTRIES]>,
}

impl<C: CurveArithmetic> Comb<C> {
    /// Computes the table: about a millisecond for a 256-bit curve.
    pub(super) fn new() -> Self {
        let bits = C::Scalar::NUM_BITS as usize;
        // One more row than the bits need, for the carry out of the topmost digit.
        let count = bits.div_ceil(WINDOW) + 1;
        let mut points = Vec::with_capacity(count * ENTRIES);
        let mut base = C::ProjectivePoint::generator();
        for _ in 0..count {
            let mut multiple = base;
            for _ in 0..ENTRIES {
                points.push(multiple);
                multiple += base;
            }
            for _ in 0..WINDOW {
                base = base.double();
            }
        }
        let mut affine = vec![C::AffinePoint::default(); points.len()];
        C::ProjectivePoint::batch_normalize(&points, &mut affine);
        let (rows, _) = affine.as_chunks::<ENTRIES>();
        Self {
            rows: rows.to_vec(),
        }
    }

    /// Returns `scalar`·G, in time independent of the scalar.
    pub(super) fn multiply(&self, scalar: &C::Scalar) -> C::ProjectivePoint {
        let bytes = Zeroizing::new(scalar.to_repr());
        let mut product = C::ProjectivePoint::identity();
        let mut carry = 0;
        for (position, row) in self.rows.iter().enumerate() {
            // A digit of 0..32 becomes -15..16: those above 16 borrow 32 from the next digit.
            let digit = window(bytes.as_ref(), position) + carry;
            let negative = Choice::from((16u8.wrapping_sub(digit) >> 7) & 1);
            carry = negative.unwrap_u8();
            let magnitude = u8::conditional_select(&digit, &32u8.wrapping_sub(digit), negative);
            product += select(row, magnitude, negative);
        }
        product
    }
}

/// The five bits of a big endian number that begin at bit 5·`position`.
fn window(bytes: &[u8], position: usize) -> u8 {
    let bit = position * WINDOW;
    let at = |index: usize| {
        bytes
            .len()
            .checked_sub(index + 1)
            .and_then(|place| bytes.get(place))
            .copied()
            .unwrap_or(0)
    };
    let pair = u16::from_be_bytes([at(bit / 8 + 1), at(bit / 8)]);
    (pair >> (bit % 8)).to_le_bytes()[0] & 0x1F
}

/// `magnitude`·row, negated on request; reads the whole row whatever is asked for.
fn select<P: CurveAffine + ConditionallySelectable>(
    row: &[P; ENTRIES],
    magnitude: u8,
    negative: Choice,
) -> P {
    let mut chosen = P::identity();
    for (entry, number) in row.iter().zip(1u8..) {
        chosen.conditional_assign(entry, number.ct_eq(&magnitude));
    }
    let negated = -chosen;
    chosen.conditional_assign(&negated, negative);
    chosen
}

/// Gives each curve type its table.
macro_rules! combs {
    ($($curve:ty),* $(,)?) => {
        $(impl HasComb for $curve {
            fn comb() -> &'static Comb<Self> {
                static COMB: OnceLock<Comb<$curve>> = OnceLock::new();
                COMB.get_or_init(Comb::new)
            }
        })*
    };
}

combs!(
    p192::NistP192,
    p224::NistP224,
    p256::NistP256,
    p384::NistP384,
    p521::NistP521,
    super::custom::secp192k1::Secp192k1,
    k256::Secp256k1,
    super::custom::brainpoolp192r1::BrainpoolP192r1,
    super::custom::brainpoolp224r1::BrainpoolP224r1,
    bp256::BrainpoolP256r1,
    super::custom::brainpoolp320r1::BrainpoolP320r1,
    bp384::BrainpoolP384r1,
    super::custom::brainpoolp512r1::BrainpoolP512r1,
);
