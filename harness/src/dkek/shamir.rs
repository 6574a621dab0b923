//! Shares of the password of a share file: any n of m custodians rebuild it.
//!
//! ```text
//! p     a 64-bit safe prime, fresh for each password
//! f(x)  = password + c1 x + c2 x^2 + ... mod p, n coefficients in all
//! share = (p, i, f(i)) for i = 1..m
//! ```
//!
//! It is the password that is shared, not the DKEK. The text form is the one sc-hsm-tool shows:
//!
//! ```text
//! Prime       : c5:13:...
//! Share ID    : 2
//! Share value : 3a:07:...
//! ```
//!
//! sc-hsm-tool prints the id in decimal and reads it back as hexadecimal, and drops leading zero
//! bytes of the password it rebuilds. Passwords drawn here therefore never begin with a zero byte;
//! for one that does, both readings are offered.
//!
//! The arithmetic takes time that depends on the values. It runs once, on the custodian's own
//! machine, where an observer of its timing would see the password itself.

mod text;

use std::collections::BTreeSet;
use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::secret::Secret;

pub use text::parse_shares;

/// Fewest shares that a password can be cut into, as in sc-hsm-tool.
pub const MIN_TOTAL: u8 = 3;
/// Fewest custodians that open a file.
pub const MIN_THRESHOLD: u8 = 2;

/// Why shares cannot be made, read or combined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShamirError {
    /// Threshold or number of shares out of range.
    #[error("{threshold} of {total} is not possible: shares 3 to 255, threshold 2 to that number")]
    Scheme {
        /// Custodians needed.
        threshold: u8,
        /// Custodians in all.
        total: u8,
    },
    /// The system gave no randomness.
    #[error("the system gives no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// A line of a share is not readable.
    #[error("line {line}: {what}")]
    Text {
        /// Line of the text, from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Shares that do not belong together or cannot be right.
    #[error("the shares do not fit: {0}")]
    Mismatch(&'static str),
}

/// One custodian's share.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Share {
    prime: u64,
    id: u8,
    value: u64,
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Share {
    /// Number of the share, from 1.
    #[must_use]
    pub fn id(&self) -> u8 {
        self.id
    }

    /// Prime of the scheme; the same in all shares of one password. Not secret.
    #[must_use]
    pub fn prime(&self) -> u64 {
        self.prime
    }
}

/// Draws a password of 8 bytes that survives the round trip through shares.
///
/// The first byte is 01 to 7F: sc-hsm-tool clears the top bit, and loses a leading zero.
///
/// # Errors
/// [`ShamirError::Randomness`].
pub fn random_password() -> Result<Secret, ShamirError> {
    let password = random_u64(|word| {
        let word = word & (u64::MAX >> 1);
        (word >> 56 != 0).then_some(word)
    })?;
    Ok(Secret::new(password.to_be_bytes().to_vec()))
}

/// Cuts a password of 8 bytes into `total` shares of which `threshold` rebuild it.
///
/// # Errors
/// [`ShamirError::Scheme`] outside 2 <= threshold <= total, 3 <= total;
/// [`ShamirError::Mismatch`] when the password is not of the form of [`random_password`].
pub fn split(password: &Secret, threshold: u8, total: u8) -> Result<Vec<Share>, ShamirError> {
    if total < MIN_TOTAL || threshold < MIN_THRESHOLD || threshold > total {
        return Err(ShamirError::Scheme { threshold, total });
    }
    let secret = <[u8; 8]>::try_from(password.expose())
        .ok()
        .map(u64::from_be_bytes)
        .filter(|word| (1 << 56..1 << 63).contains(word))
        .ok_or(ShamirError::Mismatch(
            "the password must be 8 bytes, the first 01 to 7F",
        ))?;

    // A safe prime with its top bit set is above every such password.
    let prime = random_u64(|word| {
        let prime = word | (1 << 63) | 1;
        is_safe_prime(prime).then_some(prime)
    })?;
    let mut polynomial = vec![secret];
    for _ in 1..threshold {
        polynomial.push(random_u64(|word| (word < prime).then_some(word))?);
    }
    let shares = (1..=total).map(|id| Share {
        prime,
        id,
        value: evaluate(&polynomial, id, prime),
    });
    let shares = shares.collect();
    polynomial.zeroize();
    Ok(shares)
}

/// Rebuilds the password, most likely reading first.
///
/// With too few shares the result is some other password: only the share file can tell.
/// A value of 8 bytes has one reading. A shorter one has two: the 8 bytes that were drawn, and the
/// same without leading zeros, which is what sc-hsm-tool tries.
///
/// # Errors
/// [`ShamirError::Mismatch`] for fewer than two shares, several primes, a number that is not a
/// prime, ids that repeat or are 0, values not below the prime.
pub fn combine(shares: &[Share]) -> Result<Vec<Secret>, ShamirError> {
    let [first, _, ..] = shares else {
        return Err(ShamirError::Mismatch("at least two are needed"));
    };
    let prime = first.prime;
    if shares.iter().any(|share| share.prime != prime) {
        return Err(ShamirError::Mismatch("they have different primes"));
    }
    if !is_prime(prime) || prime <= u64::from(u8::MAX) {
        return Err(ShamirError::Mismatch(
            "what is given as prime is not one; a typing error?",
        ));
    }
    if shares.iter().any(|share| share.value >= prime) {
        return Err(ShamirError::Mismatch(
            "a value is not below the prime; a typing error?",
        ));
    }
    let ids: BTreeSet<u8> = shares.iter().map(|share| share.id).collect();
    if ids.len() != shares.len() || ids.contains(&0) {
        return Err(ShamirError::Mismatch("a share id is 0 or given twice"));
    }

    let mut secret = 0;
    for share in shares {
        let (mut numerator, mut denominator) = (1, 1);
        for other in shares.iter().filter(|other| other.id != share.id) {
            let (x, own) = (u64::from(other.id), u64::from(share.id));
            numerator = mul(numerator, x, prime);
            denominator = mul(denominator, sub(x, own, prime), prime);
        }
        // Fermat: the inverse modulo a prime is the power p - 2.
        let weight = mul(numerator, pow(denominator, prime - 2, prime), prime);
        secret = add(secret, mul(share.value, weight, prime), prime);
    }

    let bytes = zeroize::Zeroizing::new(secret.to_be_bytes());
    secret.zeroize();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let mut readings = vec![Secret::from(bytes.as_slice())];
    if zeros > 0 {
        readings.push(Secret::from(bytes.get(zeros..).unwrap_or_default()));
    }
    Ok(readings)
}

fn evaluate(polynomial: &[u64], x: u8, p: u64) -> u64 {
    let horner = |sum, coefficient: &u64| add(mul(sum, u64::from(x), p), *coefficient, p);
    polynomial.iter().rev().fold(0, horner)
}

fn reduced(wide: u128, p: u64) -> u64 {
    // The remainder is below p, so it fits.
    u64::try_from(wide % u128::from(p)).unwrap_or_default()
}

fn add(a: u64, b: u64, p: u64) -> u64 {
    reduced(u128::from(a) + u128::from(b), p)
}

fn sub(a: u64, b: u64, p: u64) -> u64 {
    reduced(u128::from(a) + u128::from(p) - u128::from(b), p)
}

fn mul(a: u64, b: u64, p: u64) -> u64 {
    reduced(u128::from(a) * u128::from(b), p)
}

fn pow(base: u64, mut exponent: u64, p: u64) -> u64 {
    let (mut result, mut square) = (1, base);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = mul(result, square, p);
        }
        square = mul(square, square, p);
        exponent >>= 1;
    }
    result
}

/// Miller-Rabin with the first twelve primes as bases, which is exact below 2^64.
fn is_prime(n: u64) -> bool {
    const BASES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    if n < 2 || BASES.iter().any(|base| n.is_multiple_of(*base)) {
        return BASES.contains(&n);
    }
    let twos = (n - 1).trailing_zeros();
    let odd = (n - 1) >> twos;
    BASES.iter().all(|base| {
        let mut x = pow(*base, odd, n);
        let mut passes = x == 1 || x == n - 1;
        for _ in 1..twos {
            x = mul(x, x, n);
            passes |= x == n - 1;
        }
        passes
    })
}

fn is_safe_prime(n: u64) -> bool {
    is_prime(n) && is_prime(n / 2)
}

/// Draws words until `accept` takes one.
fn random_u64(accept: impl Fn(u64) -> Option<u64>) -> Result<u64, getrandom::Error> {
    loop {
        if let Some(word) = accept(getrandom::u64()?) {
            return Ok(word);
        }
    }
}

#[cfg(test)]
mod tests;
