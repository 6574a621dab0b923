//! Powers modulo two primes at once, with the vector instructions of AVX-512 IFMA.
//!
//! A number is a row of 52-bit digits, eight to a vector, as these instructions multiply them.
//! Products are "almost" reduced: below twice the prime instead of below it, which saves a
//! subtraction each time (S. Gueron and V. Krasnov, "Software implementation of modular
//! exponentiation, using advanced vector instructions architectures", 2012). The steps of one
//! product wait for each other, so the two primes of a key take turns.
//!
//! Time and memory accesses depend on the length of the primes alone.
//!
//! [`super::montgomery`] does the same for any processor and is what this is tested against.

use std::arch::x86_64::__m512i;

use pulp::{NullaryFnOnce, cast, cast_lossy};
use zeroize::{Zeroize, Zeroizing};

use super::montgomery::{self, WINDOW, Words, window};
use crate::words::split;

pulp::simd_type! {
    /// Proof that this processor has the instructions.
    struct Instructions {
        foundation: "avx512f",
        products: "avx512ifma",
        _scalar: "bmi2",
    }
}

const DIGIT_BITS: usize = 52;
const DIGIT: u64 = (1 << DIGIT_BITS) - 1;

/// A number of up to 8·L digits, least significant first.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Number<const L: usize>([[u64; 8]; L]);

impl<const L: usize> Number<L> {
    const ZERO: Self = Self([[0; 8]; L]);

    fn from_words(words: &[u64]) -> Self {
        let mut number = Self::ZERO;
        let word = |index: usize| u128::from(words.get(index).copied().unwrap_or(0));
        for (digit, bit) in number.digits_mut().zip((0..).step_by(DIGIT_BITS)) {
            let pair = word(bit / 64) | word(bit / 64 + 1) << 64;
            *digit = split(pair >> (bit % 64)).0 & DIGIT;
        }
        number
    }

    /// The number in N words and the word above.
    fn words<const N: usize>(&self) -> (Words<N>, u64) {
        let mut words = [0; N];
        let mut top = 0;
        let mut places = words.iter_mut().chain(std::iter::once(&mut top));
        // Bits that are not yet a whole word, and their count.
        let (mut waiting, mut count) = (0u128, 0);
        for &digit in self.0.as_flattened() {
            waiting |= u128::from(digit) << count;
            count += DIGIT_BITS;
            if count >= 64 {
                let (low, high) = split(waiting);
                if let Some(place) = places.next() {
                    *place = low;
                }
                (waiting, count) = (u128::from(high), count - 64);
            }
        }
        if let Some(place) = places.next() {
            *place = split(waiting).0;
        }
        (words, top)
    }

    fn digits_mut(&mut self) -> impl Iterator<Item = &mut u64> {
        self.0.as_flattened_mut().iter_mut()
    }

    #[inline(always)]
    fn lowest(&self) -> u64 {
        self.0.first().map_or(0, |digits| digits[0])
    }

    #[inline(always)]
    fn load(&self) -> [__m512i; L] {
        self.0.map(cast)
    }

    #[inline(always)]
    fn store(&mut self, vectors: [__m512i; L]) {
        for (place, vector) in self.0.iter_mut().zip(vectors) {
            *place = cast(vector);
        }
    }
}

impl<const L: usize> Default for Number<L> {
    fn default() -> Self {
        Self::ZERO
    }
}

impl<const L: usize> Zeroize for Number<L> {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

/// A prime of N words as these instructions want it; R is 2^52D, for D digits.
struct Modulus<const L: usize> {
    prime: Number<L>,
    /// -1/prime modulo 2^52.
    inverse: u64,
    /// R² / 2^64N modulo the prime: leads from the Montgomery form of N words to ours.
    entry: Number<L>,
    /// 2^64N modulo the prime: leads back; and is 1 in the form of N words.
    exit: Number<L>,
}

impl<const L: usize> Modulus<L> {
    fn new<const N: usize>(modulus: &montgomery::Modulus<N>) -> Self {
        let mut power = Zeroizing::new(modulus.one());
        let exit = Number::from_words(power.as_slice());
        // From 2^64N to R² / 2^64N.
        for _ in 0..2 * DIGIT_BITS * digits::<N>() - 128 * N {
            *power = modulus.add(&power, &power);
        }
        Self {
            prime: Number::from_words(&modulus.prime),
            inverse: modulus.inverse & DIGIT,
            entry: Number::from_words(power.as_slice()),
            exit,
        }
    }
}

impl<const L: usize> Drop for Modulus<L> {
    fn drop(&mut self) {
        self.prime.zeroize();
        self.inverse.zeroize();
        self.entry.zeroize();
        self.exit.zeroize();
    }
}

/// Digits of a prime of N words. R has to exceed four times the prime: then products of numbers
/// below twice the prime are below twice the prime.
const fn digits<const N: usize>() -> usize {
    (64 * N + 2).div_ceil(DIGIT_BITS)
}

/// The two primes of a key, of N words each; L vectors hold one.
pub(super) struct Pair<const N: usize, const L: usize> {
    instructions: Instructions,
    moduli: [Modulus<L>; 2],
}

impl<const N: usize, const L: usize> Pair<N, L> {
    const FITS: () = assert!(digits::<N>() <= 8 * L && 8 * L <= 64);

    /// `None` when the processor lacks the instructions.
    pub(super) fn new(moduli: [&montgomery::Modulus<N>; 2]) -> Option<Self> {
        let () = Self::FITS;
        Some(Self {
            instructions: Instructions::try_new()?,
            moduli: moduli.map(Modulus::new),
        })
    }

    /// base^exponent modulo either prime: [`montgomery::Modulus::power`] twice.
    pub(super) fn power(
        &self,
        moduli: [&montgomery::Modulus<N>; 2],
        bases: [&Words<N>; 2],
        exponents: [&Words<N>; 2],
    ) -> Zeroizing<[Words<N>; 2]> {
        let numbers = self.almost_power(bases, exponents);
        let mut results = Zeroizing::new([[0; N]; 2]);
        for ((result, number), modulus) in results.iter_mut().zip(numbers.iter()).zip(moduli) {
            let (words, top) = number.words();
            *result = modulus.reduce_once(words, top);
        }
        results
    }

    /// The powers below twice the prime.
    fn almost_power(
        &self,
        bases: [&Words<N>; 2],
        exponents: [&Words<N>; 2],
    ) -> Zeroizing<[Number<L>; 2]> {
        let entry = self.moduli.each_ref().map(|modulus| modulus.entry);
        let exit = self.moduli.each_ref().map(|modulus| modulus.exit);
        let base = Zeroizing::new(bases.map(|words| Number::from_words(words)));
        let base = Zeroizing::new(self.multiply(&base, &entry));

        let mut table = Zeroizing::new([[Number::ZERO; 2]; 1 << WINDOW]);
        let mut next = Zeroizing::new(self.multiply(&exit, &entry));
        let mut result = Zeroizing::new(*next);
        for place in table.iter_mut() {
            *place = *next;
            *next = self.multiply(&next, &base);
        }
        for position in (0..(64 * N).div_ceil(WINDOW)).rev() {
            for _ in 0..WINDOW {
                *result = self.multiply(&result, &result);
            }
            let chosen = self.instructions.vectorize(Select {
                simd: self.instructions,
                table: &table,
                indices: exponents.map(|exponent| window(exponent, position * WINDOW)),
            });
            *result = self.multiply(&result, &chosen);
        }
        *result = self.multiply(&result, &exit);
        result
    }

    /// a·b / R modulo either prime, below twice the prime if the factors are.
    fn multiply(&self, a: &[Number<L>; 2], b: &[Number<L>; 2]) -> [Number<L>; 2] {
        self.instructions.vectorize(Multiply {
            simd: self.instructions,
            digits: digits::<N>(),
            moduli: &self.moduli,
            a,
            b,
        })
    }
}

/// The arguments of [`Pair::multiply`].
///
/// A shape like this, with everything it calls inlined, is how the instructions can be used.
struct Multiply<'a, const L: usize> {
    simd: Instructions,
    digits: usize,
    moduli: &'a [Modulus<L>; 2],
    a: &'a [Number<L>; 2],
    b: &'a [Number<L>; 2],
}

impl<const L: usize> NullaryFnOnce for Multiply<'_, L> {
    type Output = [Number<L>; 2];

    #[inline(always)]
    fn call(self) -> Self::Output {
        let simd = self.simd;
        let ([p, q], [ap, aq], [bp, bq]) = (self.moduli, self.a, self.b);
        let (mut sum_p, mut sum_q) = (Sum::new(simd), Sum::new(simd));
        let digits_p = bp.0.as_flattened().iter();
        let digits_q = bq.0.as_flattened().iter();
        for (&digit_p, &digit_q) in digits_p.zip(digits_q).take(self.digits) {
            sum_p.step(simd, p, ap, digit_p);
            sum_q.step(simd, q, aq, digit_q);
        }
        [sum_p.carry(simd), sum_q.carry(simd)]
    }
}

/// The entry of either prime with its index; reads the whole table.
struct Select<'a, const L: usize> {
    simd: Instructions,
    table: &'a [[Number<L>; 2]; 1 << WINDOW],
    indices: [u64; 2],
}

impl<const L: usize> NullaryFnOnce for Select<'_, L> {
    type Output = Zeroizing<[Number<L>; 2]>;

    #[inline(always)]
    fn call(self) -> Self::Output {
        let simd = self.simd.foundation;
        let [index_p, index_q] = self.indices;
        let wanted = [broadcast(self.simd, index_p), broadcast(self.simd, index_q)];
        let mut chosen = [[simd._mm512_setzero_si512(); L]; 2];
        for (index, entry) in (0u64..).zip(self.table) {
            let index = broadcast(self.simd, index);
            for ((chosen, wanted), entry) in chosen.iter_mut().zip(wanted).zip(entry) {
                let mask = simd._mm512_cmpeq_epu64_mask(index, wanted);
                for (place, vector) in chosen.iter_mut().zip(entry.load()) {
                    *place = simd._mm512_mask_or_epi64(*place, mask, *place, vector);
                }
            }
        }
        let mut numbers = Zeroizing::new([Number::ZERO; 2]);
        for (number, vectors) in numbers.iter_mut().zip(chosen) {
            number.store(vectors);
        }
        numbers
    }
}

/// A product in the making, divided by 2^52 at each step.
struct Sum<const L: usize> {
    /// Digits of up to 60 bits; what the lowest holds is void.
    vectors: [__m512i; L],
    /// The lowest digit.
    lowest: u64,
}

impl<const L: usize> Sum<L> {
    #[inline(always)]
    fn new(simd: Instructions) -> Self {
        Self {
            vectors: [simd.foundation._mm512_setzero_si512(); L],
            lowest: 0,
        }
    }

    /// Adds a·digit and the multiple of the prime that clears the lowest digit, which then goes.
    ///
    /// Scalar instructions look after the lowest digit, as the multiple follows from it.
    #[inline(always)]
    fn step(&mut self, simd: Instructions, modulus: &Modulus<L>, a: &Number<L>, digit: u64) {
        let wide = |a: u64, b: u64| u128::from(a) * u128::from(b);
        let lowest = u128::from(self.lowest) + wide(a.lowest(), digit);
        let multiple = split(lowest).0.wrapping_mul(modulus.inverse) & DIGIT;
        let lowest = lowest + wide(modulus.prime.lowest(), multiple);
        let carry = split(lowest >> DIGIT_BITS).0;

        let (a, prime) = (a.load(), modulus.prime.load());
        let (digit, multiple) = (broadcast(simd, digit), broadcast(simd, multiple));
        for (sum, (a, prime)) in self.vectors.iter_mut().zip(a.into_iter().zip(prime)) {
            *sum = simd.products._mm512_madd52lo_epu64(*sum, a, digit);
            *sum = simd.products._mm512_madd52lo_epu64(*sum, prime, multiple);
        }
        let mut above = simd.foundation._mm512_setzero_si512();
        for sum in self.vectors.iter_mut().rev() {
            (*sum, above) = (simd.foundation._mm512_alignr_epi64::<1>(above, *sum), *sum);
        }
        let next = self.vectors.first().map_or(0, |&sum| cast_lossy(sum));
        self.lowest = carry.wrapping_add(next);
        for (sum, (a, prime)) in self.vectors.iter_mut().zip(a.into_iter().zip(prime)) {
            *sum = simd.products._mm512_madd52hi_epu64(*sum, a, digit);
            *sum = simd.products._mm512_madd52hi_epu64(*sum, prime, multiple);
        }
    }

    /// Carries what exceeds 52 bits from each digit to the next.
    #[inline(always)]
    fn carry(self, simd: Instructions) -> Number<L> {
        let simd = simd.foundation;
        let full = simd._mm512_set1_epi64(DIGIT.cast_signed());
        let mut vectors = self.vectors;
        if let Some(first) = vectors.first_mut() {
            *first = simd._mm512_mask_set1_epi64(*first, 1, self.lowest.cast_signed());
        }
        // After this a digit exceeds 52 bits by one at most ..
        let mut below = simd._mm512_setzero_si512();
        for vector in &mut vectors {
            let excess = simd._mm512_srli_epi64::<52>(*vector);
            let from_below = simd._mm512_alignr_epi64::<7>(excess, below);
            *vector = simd._mm512_add_epi64(simd._mm512_and_si512(*vector, full), from_below);
            below = excess;
        }
        // .. which goes to the next one, and through those above that are full.
        let (mut over, mut through) = (0u64, 0u64);
        for (position, &vector) in vectors.iter().enumerate() {
            over |= u64::from(simd._mm512_cmpgt_epu64_mask(vector, full)) << (8 * position);
            through |= u64::from(simd._mm512_cmpeq_epu64_mask(vector, full)) << (8 * position);
        }
        let incremented = (over << 1).wrapping_add(through) ^ through;
        let one = simd._mm512_set1_epi64(1);
        let mut number = Number::ZERO;
        let masks = incremented.to_le_bytes();
        for ((place, vector), mask) in number.0.iter_mut().zip(vectors).zip(masks) {
            let sum = simd._mm512_mask_add_epi64(vector, mask, vector, one);
            *place = cast(simd._mm512_and_si512(sum, full));
        }
        number
    }
}

#[inline(always)]
fn broadcast(simd: Instructions, digit: u64) -> __m512i {
    simd.foundation._mm512_set1_epi64(digit.cast_signed())
}

#[cfg(test)]
mod tests;
