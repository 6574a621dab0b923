//! RSA keys of 1024 to 4096 bits and their raw private operation (RFC 8017).
//!
//! The `rsa` crate makes and validates keys; paddings are in [`padding`].

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crypto_bigint::modular::BoxedMontyForm;
use crypto_bigint::{BoxedUint, Resize};
use rand_core::CryptoRng;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use zeroize::Zeroizing;

mod blinding;
mod generate;
#[cfg_attr(not(target_arch = "x86_64"), path = "rsa/no_ifma.rs")]
mod ifma;
mod montgomery;
pub mod padding;
mod private;
mod recover;

use super::Error;
use blinding::{Blinding, public_power};
use private::{Instructions, Private};
use recover::Recovered;

/// Smallest and largest modulus, in bits.
pub const MODULUS_BITS: std::ops::RangeInclusive<usize> = 1024..=4096;
/// A modulus is a multiple of this many bits long.
pub const MODULUS_STEP: usize = 256;

/// A private key with two primes.
///
/// Cloning shares the key. The numbers are wiped when the last clone goes; `Debug` shows the size
/// only.
#[derive(Clone)]
pub struct RsaPrivateKey(Arc<Inner>);

struct Inner {
    key: rsa::PrivateKey,
    bits: usize,
    e: u64,
    private: Box<dyn Private>,
    blinding: Mutex<Blinding>,
}

impl RsaPrivateKey {
    /// Makes a new key whose modulus has exactly `bits` bits.
    ///
    /// Both primes have half the length and their two top bits set; they are searched at the same
    /// time on two threads, each with its own generator seeded from `rng`, so that the key depends
    /// on the state of `rng` alone.
    ///
    /// # Errors
    /// [`Error::Key`] when the size is not one of 1024, 1280 .. 4096 bits, or the exponent (big
    /// endian) is even, below 3 or above 2^33 - 1.
    pub fn generate(bits: usize, exponent: &[u8], rng: &mut dyn CryptoRng) -> Result<Self, Error> {
        if !MODULUS_BITS.contains(&bits) || !bits.is_multiple_of(MODULUS_STEP) {
            return Err(Error::Key);
        }
        let e = read_exponent(exponent)?;
        let (p, q) = generate::primes(bits, e, rng)?;
        Self::from_numbers(p, q, e)
    }

    /// Builds the key of two primes; everything else is computed.
    ///
    /// Trusts that they are primes: for keys this module made or imported before.
    ///
    /// # Errors
    /// [`Error::Key`] when the product has no supported size, or the numbers make no key.
    pub fn from_primes(p: &[u8], q: &[u8], e: &[u8]) -> Result<Self, Error> {
        let e = read_exponent(e)?;
        Self::from_numbers(read(p)?, read(q)?, e)
    }

    /// Builds the key of modulus, public and private exponent, as key blobs of type 05 carry it.
    ///
    /// The primes are recovered from the exponents and tested. [`Self::d`] is equal to the given
    /// exponent modulo the least common multiple of p-1 and q-1, and below it.
    ///
    /// # Errors
    /// [`Error::Key`] when the modulus has no supported size, an exponent is out of range, or the
    /// three numbers do not belong together.
    pub fn from_exponent(n: &[u8], e: &[u8], d: &[u8]) -> Result<Self, Error> {
        let (n, e) = (read(n)?, read_exponent(e)?);
        let d = Zeroizing::new(read(d)?);
        let Recovered { p, q, d } = recover::primes(&n, e, &d)?;
        let primes = vec![p, q];
        // Checks that p·q is n, and that e·d is 1 modulo p-1 and modulo q-1.
        rsa::PrivateKey::from_components(n, BoxedUint::from(e), d, primes)
            .map_err(|_| Error::Key)
            .and_then(|key| Self::prepare(key, e)?.tested())
    }

    /// Builds the key of the parts that key blobs of type 06 carry, all of which must agree.
    ///
    /// `dp` is d mod (p-1), `dq` is d mod (q-1), `qinv` is the inverse of q modulo p.
    ///
    /// # Errors
    /// [`Error::Key`] when the modulus has no supported size or a part does not fit the others.
    pub fn from_crt(
        dp: &[u8],
        dq: &[u8],
        p: &[u8],
        qinv: &[u8],
        q: &[u8],
        n: &[u8],
        e: &[u8],
    ) -> Result<Self, Error> {
        let key = Self::from_numbers(read(p)?, read(q)?, read_exponent(e)?)?.tested()?;
        let inner = &key.0.key;
        let equal = |part: Option<&BoxedUint>, given: &[u8]| {
            part.is_some_and(|part| *strip_zeros(&part.to_be_bytes()) == *strip_zeros(given))
        };
        let coefficient = inner.qinv().map(BoxedMontyForm::retrieve);
        let agrees = key.n() == strip_zeros(n)
            && equal(inner.dp(), dp)
            && equal(inner.dq(), dq)
            && equal(coefficient.as_ref(), qinv);
        if agrees { Ok(key) } else { Err(Error::Key) }
    }

    /// The key, if its primes are, which nobody has tested yet.
    ///
    /// The key must undo its own public operation, which is a Fermat test of both numbers at the
    /// price of one private operation. Whoever could seal a key blob with a pseudoprime in it knows
    /// the key anyhow, and every result is checked before it is released.
    fn tested(self) -> Result<Self, Error> {
        // A constant tells nobody anything, so that this one operation needs no blinding.
        let two = self.number(&[2])?;
        let power = self
            .0
            .private
            .power(&full_width(&two.retrieve(), self.modulus_len()))?;
        if public_power(&self.number(&power)?, self.0.e) == two {
            Ok(self)
        } else {
            Err(Error::Key)
        }
    }

    fn from_numbers(p: BoxedUint, q: BoxedUint, e: u64) -> Result<Self, Error> {
        let key = rsa::PrivateKey::from_p_q(p, q, BoxedUint::from(e)).map_err(|_| Error::Key)?;
        Self::prepare(key, e)
    }

    fn prepare(key: rsa::PrivateKey, e: u64) -> Result<Self, Error> {
        let bits = key.n().bit_width_vartime() as usize;
        if !MODULUS_BITS.contains(&bits) || !bits.is_multiple_of(MODULUS_STEP) {
            return Err(Error::Key);
        }
        let [Some(p), Some(q)] = [0, 1].map(|index| key.primes().get(index)) else {
            return Err(Error::Key);
        };
        let (Some(dp), Some(dq), Some(qinv)) = (key.dp(), key.dq(), key.qinv()) else {
            return Err(Error::Key);
        };
        let parts = [p.as_ref(), q.as_ref(), dp, dq, &qinv.retrieve()]
            .map(|part| full_width(part, bits / 16));
        let parts = parts.each_ref().map(|part| part.as_slice());
        let private = private::prepare(bits, parts, Instructions::Fastest)?;
        Ok(Self(Arc::new(Inner {
            key,
            bits,
            e,
            private,
            blinding: Mutex::default(),
        })))
    }

    /// Length of the modulus in bits.
    #[must_use]
    pub fn bits(&self) -> usize {
        self.0.bits
    }

    /// Length of the modulus, of every input and of every output in bytes.
    #[must_use]
    pub fn modulus_len(&self) -> usize {
        self.bits() / 8
    }

    /// The modulus, big endian, [`Self::modulus_len`] bytes.
    #[must_use]
    pub fn n(&self) -> Vec<u8> {
        full_width(self.0.key.n().as_ref(), self.modulus_len()).to_vec()
    }

    /// The public exponent, big endian, no leading zero: `010001`.
    #[must_use]
    pub fn e(&self) -> Vec<u8> {
        strip_zeros(&self.0.key.e().to_be_bytes()).to_vec()
    }

    /// The private exponent modulo the least common multiple of p-1 and q-1, big endian, padded
    /// to [`Self::modulus_len`] bytes.
    #[must_use]
    pub fn d(&self) -> Zeroizing<Vec<u8>> {
        full_width(self.0.key.d(), self.modulus_len())
    }

    /// The first prime, big endian, half of [`Self::modulus_len`].
    #[must_use]
    pub fn p(&self) -> Zeroizing<Vec<u8>> {
        self.prime(0)
    }

    /// The second prime, big endian, half of [`Self::modulus_len`].
    #[must_use]
    pub fn q(&self) -> Zeroizing<Vec<u8>> {
        self.prime(1)
    }

    /// d mod (p-1), d mod (q-1) and the inverse of q modulo p, big endian, half of
    /// [`Self::modulus_len`] each.
    ///
    /// # Errors
    /// [`Error::Key`] when the key was not prepared, which every way to make one rules out.
    pub fn crt(&self) -> Result<[Zeroizing<Vec<u8>>; 3], Error> {
        let key = &self.0.key;
        let coefficient = key.qinv().map(BoxedMontyForm::retrieve).map(Zeroizing::new);
        match (key.dp(), key.dq(), &coefficient) {
            (Some(dp), Some(dq), Some(coefficient)) => {
                Ok([dp, dq, coefficient].map(|part| full_width(part, self.modulus_len() / 2)))
            }
            _ => Err(Error::Key),
        }
    }

    fn prime(&self, index: usize) -> Zeroizing<Vec<u8>> {
        match self.0.key.primes().get(index) {
            Some(prime) => full_width(prime.as_ref(), self.modulus_len() / 2),
            None => Zeroizing::default(),
        }
    }

    /// The private operation without padding: input^d mod n, [`Self::modulus_len`] bytes.
    ///
    /// The computation is blinded, and its result is checked with the public exponent before it is
    /// released: a fault would give the primes away. It runs on one thread where the processor has
    /// AVX-512 IFMA; elsewhere keys of 1536 bits and more take two, if there are two processors.
    ///
    /// # Errors
    /// [`Error::Length`] when the input is longer than the modulus, [`Error::Range`] when its
    /// number is not below the modulus, [`Error::Fault`] when the check fails.
    pub fn raw(&self, input: &[u8], rng: &mut dyn CryptoRng) -> Result<Zeroizing<Vec<u8>>, Error> {
        let input = self.number(input)?;
        // A panic while the lock is held leaves no pair, or a whole one.
        let pair = self
            .0
            .blinding
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next(self.0.key.n_params(), self.0.e, rng);

        let blinded = (&input * &pair.factor).retrieve();
        let power = self
            .0
            .private
            .power(&full_width(&blinded, self.modulus_len()))?;
        let power = BoxedUint::from_be_slice_truncated(&power, input.bits_precision());
        let result = BoxedMontyForm::new(power, self.0.key.n_params()) * &pair.inverse;

        if public_power(&result, self.0.e) != input {
            return Err(Error::Fault);
        }
        Ok(full_width(&result.retrieve(), self.modulus_len()))
    }

    /// The public operation without padding: input^e mod n, [`Self::modulus_len`] bytes.
    ///
    /// # Errors
    /// [`Error::Length`] and [`Error::Range`] as [`Self::raw`].
    pub fn raw_public(&self, input: &[u8]) -> Result<Vec<u8>, Error> {
        let result = public_power(&self.number(input)?, self.0.e);
        Ok(full_width(&result.retrieve(), self.modulus_len()).to_vec())
    }

    /// Reads an input below the modulus.
    fn number(&self, input: &[u8]) -> Result<BoxedMontyForm, Error> {
        if input.len() > self.modulus_len() {
            return Err(Error::Length);
        }
        let n = self.0.key.n();
        let number = read(input)?
            .try_resize(n.bits_precision())
            .ok_or(Error::Range)?;
        if number >= *n.as_ref() {
            return Err(Error::Range);
        }
        Ok(BoxedMontyForm::new(number, self.0.key.n_params()))
    }
}

impl fmt::Debug for RsaPrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaPrivateKey({} bits, ..)", self.bits())
    }
}

/// Reads a big endian number; leading zeros do not matter.
fn read(bytes: &[u8]) -> Result<BoxedUint, Error> {
    let digits = strip_zeros(bytes);
    if digits.len() > MODULUS_BITS.end() / 8 {
        return Err(Error::Length);
    }
    Ok(BoxedUint::from_be_slice_vartime(digits))
}

/// Reads a public exponent: odd, from 3 to 2^33 - 1.
fn read_exponent(bytes: &[u8]) -> Result<u64, Error> {
    let digits = strip_zeros(bytes);
    if digits.len() > 5 {
        return Err(Error::Key);
    }
    let e = digits
        .iter()
        .fold(0u64, |number, &byte| number << 8 | u64::from(byte));
    if e % 2 == 1 && (3..1 << 33).contains(&e) {
        Ok(e)
    } else {
        Err(Error::Key)
    }
}

/// Writes a number at a width that holds it.
fn full_width(number: &BoxedUint, length: usize) -> Zeroizing<Vec<u8>> {
    let bytes = Zeroizing::new(number.to_be_bytes());
    let digits = match bytes.len().checked_sub(length) {
        Some(excess) => bytes.get(excess..).unwrap_or_default(),
        None => &bytes,
    };
    let mut out = Zeroizing::new(vec![0; length - digits.len()]);
    out.reserve_exact(digits.len());
    out.extend_from_slice(digits);
    out
}

/// The number without leading zero bytes.
fn strip_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests;
