//! Blinding: the private operation never sees an input somebody chose.
//!
//! The input is multiplied by rᵉ and the result by 1/r, which cancel out. Drawing r and inverting
//! it is expensive, so a pair serves several operations, squared after each: whoever does not know
//! one pair cannot tell the next from random.
//!
//! Copies of a card share their keys, and so the pair. What an operation draws from the card's
//! randomness must not tell who used the key before: it is one seed each time, needed or not.

use chacha20::ChaCha20Rng;
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, RandomMod};
use rand_core::{CryptoRng, SeedableRng as _};
use zeroize::{Zeroize, Zeroizing};

/// Operations until a new pair is drawn.
const USES: u32 = 32;

/// rᵉ and 1/r in Montgomery form modulo n.
#[derive(Clone)]
pub(super) struct Pair {
    pub(super) factor: BoxedMontyForm,
    pub(super) inverse: BoxedMontyForm,
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.factor.zeroize();
        self.inverse.zeroize();
    }
}

/// The pair of a key, if one has been drawn.
#[derive(Default)]
pub(super) struct Blinding {
    pair: Option<Pair>,
    left: u32,
}

impl Blinding {
    /// The pair for one operation.
    pub(super) fn next(&mut self, n: &BoxedMontyParams, e: u64, rng: &mut dyn CryptoRng) -> Pair {
        let mut seed = Zeroizing::new([0u8; 32]);
        rng.fill_bytes(seed.as_mut_slice());
        let pair = match self.pair.take() {
            Some(pair) if self.left > 0 => {
                self.left -= 1;
                Pair {
                    factor: pair.factor.square(),
                    inverse: pair.inverse.square(),
                }
            }
            _ => {
                self.left = USES - 1;
                draw(n, e, &mut ChaCha20Rng::from_seed(*seed))
            }
        };
        self.pair = Some(pair.clone());
        pair
    }
}

fn draw(n: &BoxedMontyParams, e: u64, rng: &mut ChaCha20Rng) -> Pair {
    loop {
        let mut number = BoxedUint::random_mod_vartime(rng, n.modulus().as_nz_ref());
        let random = BoxedMontyForm::new(number.clone(), n);
        number.zeroize();
        // Only multiples of a prime of the key have no inverse.
        if let Some(inverse) = random.invert().into_option() {
            let factor = public_power(&random, e);
            return Pair { factor, inverse };
        }
    }
}

/// base^e, in time that depends on the public exponent only.
pub(super) fn public_power(base: &BoxedMontyForm, e: u64) -> BoxedMontyForm {
    let mut power = base.clone();
    let below_top = 63u32.saturating_sub(e.leading_zeros());
    for bit in (0..below_top).rev() {
        power = power.square();
        if e >> bit & 1 == 1 {
            power *= base;
        }
    }
    power
}
