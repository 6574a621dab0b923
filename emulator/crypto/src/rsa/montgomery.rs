//! Powers modulo one prime, over numbers of a fixed count of 64-bit words, least significant first.
//!
//! Time and memory accesses depend on the count alone, never on a value.

use subtle::{ConditionallySelectable, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

use crate::words::{add, mac, split, sub};

/// Bits of the exponent taken at once.
pub(super) const WINDOW: usize = 5;

/// A number.
pub(super) type Words<const N: usize> = [u64; N];

/// A prime whose topmost bit is set, with what Montgomery multiplication wants to know about it.
///
/// R is 2^64N.
pub(super) struct Modulus<const N: usize> {
    pub(super) prime: Words<N>,
    /// -1/prime modulo 2^64.
    pub(super) inverse: u64,
    /// R² modulo the prime.
    r2: Words<N>,
    /// R³ modulo the prime.
    r3: Words<N>,
}

impl<const N: usize> Modulus<N> {
    /// `None` when the number is even or its topmost bit is clear.
    pub(super) fn new(prime: Words<N>) -> Option<Self> {
        let lowest = *prime.first()?;
        if lowest.is_multiple_of(2) || prime.last()? >> 63 == 0 {
            return None;
        }
        // Newton's iteration doubles the correct bits, from the three that lowest² = 1 (mod 8)
        // gives.
        let inverse = (0..5).fold(lowest, |inverse, _| {
            inverse.wrapping_mul(2u64.wrapping_sub(lowest.wrapping_mul(inverse)))
        });
        let mut modulus = Self {
            prime,
            inverse: inverse.wrapping_neg(),
            r2: [0; N],
            r3: [0; N],
        };
        // R doubled 64N times is R².
        let mut power = modulus.one();
        for _ in 0..64 * N {
            power = modulus.add(&power, &power);
        }
        modulus.r2 = power;
        modulus.r3 = modulus.multiply(&power, &power);
        power.zeroize();
        Some(modulus)
    }

    /// 1 in Montgomery form: R modulo the prime, which is R - prime.
    pub(super) fn one(&self) -> Words<N> {
        subtract([0; N], &self.prime).0
    }

    /// (low + high·R)·R modulo the prime, for any two numbers.
    pub(super) fn enter(&self, low: &Words<N>, high: &Words<N>) -> Words<N> {
        self.add(
            &self.multiply(low, &self.r2),
            &self.multiply(high, &self.r3),
        )
    }

    /// number / R modulo the prime: out of Montgomery form.
    pub(super) fn leave(&self, number: &Words<N>) -> Words<N> {
        let mut one = [0; N];
        if let Some(lowest) = one.first_mut() {
            *lowest = 1;
        }
        self.multiply(number, &one)
    }

    /// a + b modulo the prime, for numbers below it.
    pub(super) fn add(&self, a: &Words<N>, b: &Words<N>) -> Words<N> {
        let mut sum = *a;
        let carry = add_to(&mut sum, b);
        self.reduce_once(sum, carry)
    }

    /// a - b modulo the prime, for numbers below it.
    pub(super) fn subtract(&self, a: &Words<N>, b: &Words<N>) -> Words<N> {
        let (mut difference, borrow) = subtract(*a, b);
        let mask = 0u64.wrapping_sub(borrow);
        let correction = self.prime.map(|word| word & mask);
        add_to(&mut difference, &correction);
        difference
    }

    /// a·b / R modulo the prime; one of the two has to be below it.
    #[expect(
        clippy::indexing_slicing,
        reason = "all indices are below N, and iterators take a third more time here"
    )]
    #[inline(always)]
    pub(super) fn multiply(&self, a: &Words<N>, b: &Words<N>) -> Words<N> {
        let mut sum = [0u64; N];
        let mut top = 0u64;
        for &word in b {
            // Adds a·word ..
            let mut carry = 0;
            for j in 0..N {
                (sum[j], carry) = mac(sum[j], a[j], word, carry);
            }
            let (above, overflow) = top.overflowing_add(carry);
            // .. and the multiple of the prime that clears the lowest word, which then goes.
            let multiple = sum[0].wrapping_mul(self.inverse);
            (_, carry) = mac(sum[0], self.prime[0], multiple, 0);
            for j in 1..N {
                (sum[j - 1], carry) = mac(sum[j], self.prime[j], multiple, carry);
            }
            let (above, second) = above.overflowing_add(carry);
            sum[N - 1] = above;
            top = u64::from(overflow) + u64::from(second);
        }
        self.reduce_once(sum, top)
    }

    /// base^exponent in Montgomery form, of a base in Montgomery form.
    pub(super) fn power(&self, base: &Words<N>, exponent: &Words<N>) -> Words<N> {
        let mut table = Zeroizing::new([[0u64; N]; 1 << WINDOW]);
        let mut entry = self.one();
        for place in table.iter_mut() {
            *place = entry;
            entry = self.multiply(&entry, base);
        }
        let bits = 64 * N;
        let mut result = Zeroizing::new(self.one());
        for position in (0..bits.div_ceil(WINDOW)).rev() {
            for _ in 0..WINDOW {
                *result = self.multiply(&result, &result);
            }
            let digit = window(exponent, position * WINDOW);
            let mut chosen = [0u64; N];
            for (number, entry) in (0u64..).zip(table.iter()) {
                let mask = u64::conditional_select(&0, &u64::MAX, number.ct_eq(&digit));
                for (place, word) in chosen.iter_mut().zip(entry) {
                    *place |= word & mask;
                }
            }
            *result = self.multiply(&result, &chosen);
        }
        *result
    }

    /// number - prime if that is not negative; the number has a word `top` above and is below
    /// twice the prime.
    #[inline(always)]
    pub(super) fn reduce_once(&self, number: Words<N>, top: u64) -> Words<N> {
        let (mut reduced, borrow) = subtract(number, &self.prime);
        let keep = 0u64.wrapping_sub(borrow & (top ^ 1));
        for (place, word) in reduced.iter_mut().zip(number) {
            *place = *place & !keep | word & keep;
        }
        reduced
    }
}

impl<const N: usize> Drop for Modulus<N> {
    fn drop(&mut self) {
        self.prime.zeroize();
        self.inverse.zeroize();
        self.r2.zeroize();
        self.r3.zeroize();
    }
}

/// Adds a·b to a number of up to 2N words that has room for it.
pub(super) fn add_product(number: &mut [u64], a: &[u64], b: &[u64]) {
    for (position, &word) in b.iter().enumerate() {
        let Some(places) = number.get_mut(position..) else {
            return;
        };
        let mut carry = 0;
        let factors = a.iter().copied().chain(std::iter::repeat(0));
        for (place, factor) in places.iter_mut().zip(factors) {
            (*place, carry) = mac(*place, factor, word, carry);
        }
    }
}

/// Five bits of a number, from `bit` on.
pub(super) fn window(number: &[u64], bit: usize) -> u64 {
    let word = |index: usize| u128::from(number.get(index).copied().unwrap_or(0));
    let pair = word(bit / 64) | word(bit / 64 + 1) << 64;
    split(pair >> (bit % 64)).0 & 0x1F
}

/// a - b: words and borrow.
#[inline(always)]
fn subtract<const N: usize>(a: Words<N>, b: &Words<N>) -> (Words<N>, u64) {
    let mut difference = a;
    let mut borrow = 0;
    for (place, &word) in difference.iter_mut().zip(b) {
        (*place, borrow) = sub(*place, word, borrow);
    }
    (difference, borrow)
}

/// a + b in place: carry.
#[inline(always)]
fn add_to<const N: usize>(a: &mut Words<N>, b: &Words<N>) -> u64 {
    let mut carry = 0;
    for (place, &word) in a.iter_mut().zip(b) {
        (*place, carry) = add(*place, word, carry);
    }
    carry
}

#[cfg(test)]
mod tests {
    use crypto_bigint::{
        BoxedUint, NonZero, Odd, modular::BoxedMontyForm, modular::BoxedMontyParams,
    };
    use proptest::prelude::*;

    use super::*;

    fn number(words: &[u64]) -> BoxedUint {
        let bytes: Vec<u8> = words
            .iter()
            .rev()
            .flat_map(|word| word.to_be_bytes())
            .collect();
        BoxedUint::from_be_slice_vartime(&bytes)
    }

    fn words() -> impl Strategy<Value = [u64; 8]> {
        let word = prop_oneof![Just(0u64), Just(u64::MAX), any::<u64>()];
        proptest::collection::vec(word, 8).prop_map(|words| words.try_into().unwrap())
    }

    /// Odd, topmost bit set; need not be a prime for the arithmetic.
    fn moduli() -> impl Strategy<Value = [u64; 8]> {
        words().prop_map(|mut words| {
            words[0] |= 1;
            words[7] |= 1 << 63;
            words
        })
    }

    proptest! {
        #[test]
        fn powers_agree_with_crypto_bigint(
            prime in moduli(), low in words(), high in words(), exponent in words(),
        ) {
            let modulus = Modulus::new(prime).unwrap();
            let reference = Odd::new(number(&prime)).unwrap();
            let nonzero = NonZero::new(number(&prime)).unwrap();
            let base = number(&[low, high].concat()) % &nonzero;

            let entered = modulus.enter(&low, &high);
            prop_assert_eq!(number(&modulus.leave(&entered)), base.clone());

            let params = BoxedMontyParams::new(reference);
            let expected = BoxedMontyForm::new(base, &params).pow(&number(&exponent)).retrieve();
            let power = modulus.leave(&modulus.power(&entered, &exponent));
            prop_assert_eq!(number(&power), expected);
        }

        #[test]
        fn sums_and_differences_undo_each_other(prime in moduli(), a in words(), b in words()) {
            let modulus = Modulus::new(prime).unwrap();
            let (a, b) = (modulus.enter(&a, &[0; 8]), modulus.enter(&b, &[0; 8]));
            let sum = modulus.add(&a, &b);
            prop_assert!(number(&sum) < number(&prime));
            prop_assert_eq!(modulus.subtract(&sum, &b), a);
            prop_assert_eq!(modulus.subtract(&sum, &a), b);
        }

        #[test]
        fn products_agree_with_crypto_bigint(a in words(), b in words(), start in words()) {
            let mut product = [0u64; 16];
            product[..8].copy_from_slice(&start);
            add_product(&mut product, &a, &b);
            let wide = |words: &[u64]| number(words).resize_unchecked(1024);
            use crypto_bigint::Resize as _;
            let expected = wide(&a).wrapping_mul(wide(&b)).wrapping_add(wide(&start));
            prop_assert_eq!(number(&product), expected);
        }
    }

    #[test]
    fn even_and_short_numbers_are_no_moduli() {
        assert!(Modulus::new([2, 1 << 63]).is_none());
        assert!(Modulus::new([1, 1 << 62]).is_none());
        assert!(Modulus::new([1, 1 << 63]).is_some());
    }
}
