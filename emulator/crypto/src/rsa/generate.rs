//! The search for primes.

use chacha20::ChaCha20Rng;
use crypto_bigint::{BoxedUint, Encoding, U512, U768, U1024, U1536, U2048};
use crypto_bigint::{RandomBits, RandomMod, UnsignedWithMontyForm};
use crypto_primes::hazmat::{SetBits, SmallFactorsSieveFactory};
use crypto_primes::{Flavor, is_prime, sieve_and_find};
use rand_core::{CryptoRng, SeedableRng as _};
use zeroize::Zeroizing;

use super::Error;
use super::private::both;

/// Finds p and q, p the larger one, whose product has exactly `bits` bits and with which `e` makes
/// a key. They differ within their first 100 bits (FIPS 186-5, appendix A.1.3).
pub(super) fn primes(
    bits: usize,
    e: u64,
    rng: &mut dyn CryptoRng,
) -> Result<(BoxedUint, BoxedUint), Error> {
    let bits = u32::try_from(bits / 2).map_err(|_| Error::Key)?;
    loop {
        let mut seeds = [Zeroizing::new([0u8; 32]), Zeroizing::new([0u8; 32])];
        for seed in &mut seeds {
            rng.fill_bytes(seed.as_mut_slice());
        }
        let [first, second] = &seeds;
        let (first, second) = both(true, || prime(bits, e, first), || prime(bits, e, second))?;
        let (first, second) = (first?, second?);
        let (p, q) = if first > second {
            (first, second)
        } else {
            (second, first)
        };
        if (&p - &q).bit_width_vartime() > bits - 100 {
            return Ok((p, q));
        }
    }
}

/// Finds one prime of `bits` bits, the two topmost set; the seed determines it.
///
/// The usual sizes take integers of fixed width, about a quarter faster than those on the heap.
fn prime(bits: u32, e: u64, seed: &[u8; 32]) -> Result<BoxedUint, Error> {
    match bits {
        512 => search::<U512>(bits, e, seed).map(|found| BoxedUint::from(&found)),
        768 => search::<U768>(bits, e, seed).map(|found| BoxedUint::from(&found)),
        1024 => search::<U1024>(bits, e, seed).map(|found| BoxedUint::from(&found)),
        1536 => search::<U1536>(bits, e, seed).map(|found| BoxedUint::from(&found)),
        2048 => search::<U2048>(bits, e, seed).map(|found| BoxedUint::from(&found)),
        _ => search::<BoxedUint>(bits, e, seed),
    }
}

fn search<T>(bits: u32, e: u64, seed: &[u8; 32]) -> Result<T, Error>
where
    T: UnsignedWithMontyForm + RandomBits + RandomMod + Encoding,
{
    let mut rng = ChaCha20Rng::from_seed(*seed);
    let sieve = SmallFactorsSieveFactory::new(Flavor::Any, bits, SetBits::TwoMsb)
        .map_err(|_| Error::Key)?;
    sieve_and_find(&mut rng, sieve, |_, candidate: &T| {
        suits(candidate, e) && is_prime(Flavor::Any, candidate)
    })
    .map_err(|_| Error::Key)?
    .ok_or(Error::Key)
}

/// True when the exponent has an inverse modulo the candidate minus one.
fn suits<T: Encoding>(candidate: &T, e: u64) -> bool {
    let bytes = candidate.to_be_bytes();
    let remainder = bytes.as_ref().iter().fold(0u64, |remainder, &byte| {
        // Below 2^33 · 2^8.
        (remainder << 8 | u64::from(byte)) % e
    });
    let (mut a, mut b) = (e, (remainder + e - 1) % e);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a == 1
}
