//! Factoring a modulus whose private exponent is known.

use crypto_bigint::{BoxedUint, ConcatenatingMul, Gcd, NonZero, Resize};
use zeroize::{Zeroize, Zeroizing};

use super::{Error, MODULUS_BITS};

/// The secret numbers of a key, found from its exponents.
pub(super) struct Recovered {
    /// The larger prime.
    pub(super) p: BoxedUint,
    /// The smaller prime.
    pub(super) q: BoxedUint,
    /// The private exponent, modulo the least common multiple of p-1 and q-1.
    pub(super) d: BoxedUint,
}

/// Finds p and q from n, e and d, and reduces d.
///
/// Method: e·d - 1 is K·(p-1)(q-1)/g for a common divisor g of p-1 and q-1. As (p-1)(q-1) is n less
/// some half-length number, K/g is so close to (e·d - 1)/n that it is one of the convergents of its
/// continued fraction (Legendre). That holds for g of up to some 230 bits with the smallest n and the
/// largest e; those of 64 bits are tried. The convergent that is K/g divides exactly and gives
/// (p-1)(q-1), with it p+q, and both from the quadratic equation. No exponentiation is needed, and
/// five steps on average.
///
/// # Errors
/// [`Error::Key`] when the numbers do not belong together.
pub(super) fn primes(n: &BoxedUint, e: u64, d: &BoxedUint) -> Result<Recovered, Error> {
    let bits = n.bit_width_vartime();
    if !MODULUS_BITS.contains(&(bits as usize)) || d.is_zero().into() || d >= n {
        return Err(Error::Key);
    }
    // Room for g·(e·d - 1): e has 33 bits, g has 64.
    let wide = n.bits_precision() + 128;
    let modulus = n.resize(wide);
    let multiple = Zeroizing::new(
        Zeroizing::new(d.concatenating_mul(BoxedUint::from(e)))
            .wrapping_sub(BoxedUint::one())
            .resize(wide),
    );
    let (totient, p, q) = Convergents::of(&multiple, &modulus)
        .find_map(|(numerator, denominator)| {
            let numerator = NonZero::new(BoxedUint::from(numerator)).into_option()?;
            let multiple = Zeroizing::new(multiple.wrapping_mul(BoxedUint::from(denominator)));
            let (totient, rest) = multiple.div_rem_vartime(&numerator);
            let totient = Zeroizing::new(totient);
            if !bool::from(rest.is_zero()) {
                return None;
            }
            let (p, q) = solve(&modulus, &totient)?;
            Some((totient, p, q))
        })
        .ok_or(Error::Key)?;
    let half = bits.div_ceil(2);
    let resize = |prime: BoxedUint| prime.try_resize(half).ok_or(Error::Key);
    let (p, q) = (resize(p)?, resize(q)?);
    let one = BoxedUint::one();
    let [p_order, q_order] = [&p, &q].map(|prime| Zeroizing::new(prime.wrapping_sub(&one)));
    let shared = p_order.gcd_vartime(&*q_order);
    let order = Zeroizing::new(totient.div_rem(&nonzero(shared)?).0);
    let d = Zeroizing::new(d.resize(wide))
        .rem(order.as_nz_vartime().ok_or(Error::Key)?)
        .resize(n.bits_precision());
    Ok(Recovered { p, q, d })
}

fn nonzero(number: BoxedUint) -> Result<NonZero<BoxedUint>, Error> {
    NonZero::new(number).into_option().ok_or(Error::Key)
}

/// The convergents of a fraction, as numerator and denominator, while the latter has 64 bits.
struct Convergents {
    dividend: BoxedUint,
    divisor: BoxedUint,
    numerators: [u128; 2],
    denominators: [u64; 2],
}

impl Convergents {
    fn of(dividend: &BoxedUint, divisor: &BoxedUint) -> Self {
        Self {
            dividend: dividend.clone(),
            divisor: divisor.clone(),
            numerators: [0, 1],
            denominators: [1, 0],
        }
    }
}

impl Drop for Convergents {
    fn drop(&mut self) {
        self.dividend.zeroize();
        self.divisor.zeroize();
    }
}

impl Iterator for Convergents {
    type Item = (u128, u64);

    fn next(&mut self) -> Option<Self::Item> {
        let divisor = NonZero::new(self.divisor.clone()).into_option()?;
        let (quotient, rest) = self.dividend.div_rem_vartime(&divisor);
        (self.dividend, self.divisor) = (divisor.get(), rest);
        if quotient.bit_width_vartime() > u64::BITS {
            return None;
        }
        let quotient = quotient.as_words().first().copied()?;
        let [before, last] = self.numerators;
        let numerator = last.checked_mul(quotient.into())?.checked_add(before)?;
        self.numerators = [last, numerator];
        let [before, last] = self.denominators;
        let denominator = last.checked_mul(quotient)?.checked_add(before)?;
        self.denominators = [last, denominator];
        Some((numerator, denominator))
    }
}

/// Solves x² - (p+q)·x + p·q = 0, where p+q is n - (p-1)(q-1) + 1.
fn solve(n: &BoxedUint, totient: &BoxedUint) -> Option<(BoxedUint, BoxedUint)> {
    if totient >= n {
        return None;
    }
    let sum = Zeroizing::new(n.wrapping_sub(totient).wrapping_add(BoxedUint::one()));
    // The sum of two primes of half the length each.
    if sum.bit_width_vartime() > n.bit_width_vartime() / 2 + 2 {
        return None;
    }
    let square = Zeroizing::new(sum.wrapping_mul(&*sum));
    let four_n = n.shl_vartime(2)?;
    if *square < four_n {
        return None;
    }
    let square = Zeroizing::new(square.wrapping_sub(&four_n));
    let difference = Zeroizing::new(square.checked_sqrt().into_option()?);
    let p = sum.wrapping_add(&*difference).shr_vartime(1)?;
    let q = sum.wrapping_sub(&*difference).shr_vartime(1)?;
    (p.wrapping_mul(&q) == *n).then_some((p, q))
}

#[cfg(test)]
mod tests;
