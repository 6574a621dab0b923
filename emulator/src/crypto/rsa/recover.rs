//! Factoring a modulus whose private exponent is known.

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, ConcatenatingMul, Gcd, NonZero, Odd, Resize};

use super::{Error, MODULUS_BITS};

/// Bases tried before giving up. Each fails with probability 1/2 at most, so that 40 failures mean
/// that the modulus is not a product of two primes.
const BASES: [u64; 40] = [
    2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167, 173,
];

/// Finds p and q, p the larger one, from n, e and d.
///
/// Method: e·d - 1 is a multiple of the order of every number modulo n, so a random base to the
/// power of its odd part, squared repeatedly, passes a square root of 1 other than 1 and -1, which
/// differs from 1 by a multiple of one prime (SP 800-56B revision 2, appendix C.1).
pub(super) fn primes(
    n: &BoxedUint,
    e: u64,
    d: &BoxedUint,
) -> Result<(BoxedUint, BoxedUint), Error> {
    if !MODULUS_BITS.contains(&(n.bit_width_vartime() as usize)) || d.is_zero().into() || d >= n {
        return Err(Error::Key);
    }
    let modulus = Odd::new(n.clone()).into_option().ok_or(Error::Key)?;
    let params = BoxedMontyParams::new(modulus);

    let mut exponent = d.concatenating_mul(BoxedUint::from(e));
    exponent = exponent.wrapping_sub(BoxedUint::one());
    let halvings = exponent.trailing_zeros_vartime();
    if halvings == 0 {
        return Err(Error::Key);
    }
    let odd_part = exponent.shr_vartime(halvings).ok_or(Error::Key)?;

    let one = BoxedMontyForm::one(&params);
    let minus_one = -&one;
    for base in BASES {
        let base = BoxedUint::from(base).resize(n.bits_precision());
        let mut power = BoxedMontyForm::new(base, &params).pow(&odd_part);
        for _ in 0..halvings {
            if power == one || power == minus_one {
                break;
            }
            let square = power.square();
            if square == one {
                return split(n, &(power - &one).retrieve());
            }
            power = square;
        }
        // The power ends at 1 unless e·d - 1 is no multiple of the order.
        if power != one && power != minus_one {
            return Err(Error::Key);
        }
    }
    Err(Error::Key)
}

/// Splits n by a number that shares one prime with it.
fn split(n: &BoxedUint, multiple: &BoxedUint) -> Result<(BoxedUint, BoxedUint), Error> {
    let first = multiple.gcd(n);
    let divisor = NonZero::new(first.clone())
        .into_option()
        .ok_or(Error::Key)?;
    let second = n / divisor;
    // A factor of more than half the length makes no balanced key; the width fits both.
    let half = n.bit_width_vartime().div_ceil(2);
    let first = first.try_resize(half).ok_or(Error::Key)?;
    let second = second.try_resize(half).ok_or(Error::Key)?;
    if first > second {
        Ok((first, second))
    } else {
        Ok((second, first))
    }
}
