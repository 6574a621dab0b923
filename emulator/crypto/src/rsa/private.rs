//! The private operation over both primes (RFC 8017, section 5.1.2, step 2b), without blinding and
//! without check: those are the business of the caller.

use std::sync::OnceLock;
use std::thread;

use zeroize::{Zeroize, Zeroizing};

use super::Error;
use super::ifma::Pair;
use super::montgomery::{Modulus, Words, add_product};

/// From this size on the two primes are served by two threads, if there are two processors and no
/// vector instructions: below, starting a thread takes as long as it saves.
const PARALLEL_BITS: usize = 1536;

/// A key ready for use, of whichever size.
pub(super) trait Private: Send + Sync {
    /// input^d modulo n, for an input below n; both big endian, as long as n.
    fn power(&self, input: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error>;
}

/// What a prepared key computes with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Instructions {
    /// The fastest this processor has.
    Fastest,
    /// Those of every processor, so that tests reach them on any.
    #[cfg(test)]
    Portable,
}

/// Prepares a key: primes p and q of half the modulus, d mod (p-1), d mod (q-1), 1/q mod p, big
/// endian.
pub(super) fn prepare(
    bits: usize,
    [p, q, dp, dq, qinv]: [&[u8]; 5],
    instructions: Instructions,
) -> Result<Box<dyn Private>, Error> {
    macro_rules! of_size {
        ($($bits:literal: $words:literal, $vectors:literal;)*) => {
            match bits {
                $($bits => {
                    let (p_half, q_half) = (Half::new(p, dp)?, Half::new(q, dq)?);
                    let pair = match instructions {
                        Instructions::Fastest => Pair::new([&p_half.modulus, &q_half.modulus]),
                        #[cfg(test)]
                        Instructions::Portable => None,
                    };
                    Ok(Box::new(Crt::<$words, $vectors> {
                        p: p_half,
                        q: q_half,
                        pair,
                        q_words: read(q)?,
                        coefficient: read(qinv)?,
                    }) as Box<dyn Private>)
                })*
                _ => Err(Error::Key),
            }
        };
    }
    // Words and vectors of a prime.
    of_size!(
        1024: 8, 2;
        1280: 10, 2;
        1536: 12, 2;
        1792: 14, 3;
        2048: 16, 3;
        2304: 18, 3;
        2560: 20, 4;
        2816: 22, 4;
        3072: 24, 4;
        3328: 26, 5;
        3584: 28, 5;
        3840: 30, 5;
        4096: 32, 5;
    )
}

/// What belongs to one prime.
struct Half<const N: usize> {
    modulus: Modulus<N>,
    exponent: Words<N>,
}

impl<const N: usize> Half<N> {
    fn new(prime: &[u8], exponent: &[u8]) -> Result<Self, Error> {
        Ok(Self {
            modulus: Modulus::new(read(prime)?).ok_or(Error::Key)?,
            exponent: read(exponent)?,
        })
    }

    /// low + high·R in Montgomery form.
    fn enter(&self, low: &Words<N>, high: &Words<N>) -> Zeroizing<Words<N>> {
        Zeroizing::new(self.modulus.enter(low, high))
    }

    /// The power of low + high·R, in Montgomery form.
    fn power(&self, low: &Words<N>, high: &Words<N>) -> Zeroizing<Words<N>> {
        Zeroizing::new(self.modulus.power(&self.enter(low, high), &self.exponent))
    }
}

/// A key with primes of N words, which fill L vectors.
struct Crt<const N: usize, const L: usize> {
    p: Half<N>,
    q: Half<N>,
    /// On a processor with vector instructions for this.
    pair: Option<Pair<N, L>>,
    q_words: Words<N>,
    coefficient: Words<N>,
}

impl<const N: usize, const L: usize> Private for Crt<N, L> {
    fn power(&self, input: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (high, low) = input.split_at_checked(8 * N).ok_or(Error::Length)?;
        let (high, low) = (read(high)?, read(low)?);

        let (power_p, power_q) = self.powers(&low, &high)?;
        let power_q = Zeroizing::new(self.q.modulus.leave(&power_q));

        // power_q + q·((power_p - power_q)/q mod p)
        let modulus = &self.p.modulus;
        let entered = Zeroizing::new(modulus.enter(&power_q, &[0; N]));
        let difference = Zeroizing::new(modulus.subtract(&power_p, &entered));
        let quotient = Zeroizing::new(modulus.multiply(&difference, &self.coefficient));
        let mut result = Zeroizing::new(vec![0u64; 2 * N]);
        for (place, word) in result.iter_mut().zip(power_q.iter()) {
            *place = *word;
        }
        add_product(&mut result, quotient.as_slice(), &self.q_words);

        let mut bytes = Zeroizing::new(Vec::with_capacity(16 * N));
        for word in result.iter().rev() {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        Ok(bytes)
    }
}

impl<const N: usize, const L: usize> Crt<N, L> {
    /// The powers of low + high·R modulo p and modulo q, in Montgomery form.
    fn powers(
        &self,
        low: &Words<N>,
        high: &Words<N>,
    ) -> Result<(Zeroizing<Words<N>>, Zeroizing<Words<N>>), Error> {
        let Some(pair) = &self.pair else {
            return both(
                128 * N >= PARALLEL_BITS,
                || self.p.power(low, high),
                || self.q.power(low, high),
            );
        };
        let powers = pair.power(
            [&self.p.modulus, &self.q.modulus],
            [&self.p.enter(low, high), &self.q.enter(low, high)],
            [&self.p.exponent, &self.q.exponent],
        );
        let [power_p, power_q] = powers.map(Zeroizing::new);
        Ok((power_p, power_q))
    }
}

impl<const N: usize> Drop for Half<N> {
    fn drop(&mut self) {
        self.exponent.zeroize();
    }
}

impl<const N: usize, const L: usize> Drop for Crt<N, L> {
    fn drop(&mut self) {
        self.q_words.zeroize();
        self.coefficient.zeroize();
    }
}

/// Runs both, at the same time when asked to and possible.
pub(super) fn both<A: Send, B>(
    parallel: bool,
    first: impl Fn() -> A + Sync,
    second: impl FnOnce() -> B,
) -> Result<(A, B), Error> {
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    let processors = *PROCESSORS
        .get_or_init(|| thread::available_parallelism().map_or(1, std::num::NonZero::get));
    if !parallel || processors < 2 {
        return Ok((first(), second()));
    }
    thread::scope(|scope| {
        // A system that gives no thread costs time, not the result.
        match thread::Builder::new().spawn_scoped(scope, &first) {
            Ok(helper) => {
                let second = second();
                helper
                    .join()
                    .map(|first| (first, second))
                    .map_err(|_| Error::Fault)
            }
            Err(_) => Ok((first(), second())),
        }
    })
}

/// Reads a big endian number of up to 8N bytes.
fn read<const N: usize>(bytes: &[u8]) -> Result<Words<N>, Error> {
    if bytes.len() > 8 * N {
        return Err(Error::Key);
    }
    let mut words = [0u64; N];
    for (place, chunk) in words.iter_mut().zip(bytes.rchunks(8)) {
        *place = chunk
            .iter()
            .fold(0, |word, &byte| word << 8 | u64::from(byte));
    }
    Ok(words)
}
