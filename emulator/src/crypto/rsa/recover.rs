//! Factoring a modulus whose private exponent is known.

use crypto_bigint::{BoxedUint, ConcatenatingMul, NonZero, Resize};

use super::{Error, MODULUS_BITS};

/// Largest common divisor of p-1 and q-1 that a private exponent may leave out.
///
/// An exponent modulo (p-1)(q-1) leaves out nothing, one modulo their least common multiple leaves
/// out their greatest common divisor: an even number, which for random primes is above 64 once in
/// some fifty keys and above 4096 once in some three thousand. Keys beyond that are refused.
const LARGEST_DIVISOR: u64 = 4096;

/// Finds p and q, p the larger one, from n, e and d.
///
/// Method: e·d - 1 is k·(p-1)(q-1)/g with g a divisor of p-1 and q-1. As (p-1)(q-1) is n less some
/// half-length number, k is g·(e·d - 1)/n rounded up; an exact quotient then gives (p-1)(q-1), with
/// it p+q, and both from the quadratic equation. No exponentiation is needed.
pub(super) fn primes(
    n: &BoxedUint,
    e: u64,
    d: &BoxedUint,
) -> Result<(BoxedUint, BoxedUint), Error> {
    let bits = n.bit_width_vartime();
    if !MODULUS_BITS.contains(&(bits as usize)) || d.is_zero().into() || d >= n {
        return Err(Error::Key);
    }
    // Room for g·(e·d - 1): e has 33 bits, g has 13.
    let wide = n.bits_precision() + 128;
    let order = d
        .concatenating_mul(BoxedUint::from(e))
        .wrapping_sub(BoxedUint::one())
        .resize(wide);
    let modulus = n.resize(wide);
    let divisor = NonZero::new(modulus.clone())
        .into_option()
        .ok_or(Error::Key)?;
    std::iter::once(1)
        .chain((2..=LARGEST_DIVISOR).step_by(2))
        .find_map(|g| {
            let multiple = order.wrapping_mul(BoxedUint::from(g));
            let k = multiple.div_rem(&divisor).0.wrapping_add(BoxedUint::one());
            let (totient, rest) = multiple.div_rem(&NonZero::new(k).into_option()?);
            if !bool::from(rest.is_zero()) {
                return None;
            }
            solve(&modulus, &totient)
        })
        .map(|(p, q)| {
            let half = bits.div_ceil(2);
            Some((p.try_resize(half)?, q.try_resize(half)?))
        })
        .ok_or(Error::Key)?
        .ok_or(Error::Key)
}

/// Solves x² - (p+q)·x + p·q = 0, where p+q is n - (p-1)(q-1) + 1.
fn solve(n: &BoxedUint, totient: &BoxedUint) -> Option<(BoxedUint, BoxedUint)> {
    if totient >= n {
        return None;
    }
    let sum = n.wrapping_sub(totient).wrapping_add(BoxedUint::one());
    // The sum of two primes of half the length each.
    if sum.bit_width_vartime() > n.bit_width_vartime() / 2 + 2 {
        return None;
    }
    let square = sum.wrapping_mul(&sum);
    let four_n = n.shl_vartime(2)?;
    if square < four_n {
        return None;
    }
    let difference = square.wrapping_sub(&four_n).checked_sqrt().into_option()?;
    let p = sum.wrapping_add(&difference).shr_vartime(1)?;
    let q = sum.wrapping_sub(&difference).shr_vartime(1)?;
    (p.wrapping_mul(&q) == *n).then_some((p, q))
}
