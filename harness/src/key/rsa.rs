//! RSA private keys.
//!
//! Arithmetic on the private parts here may take time that depends on them: it runs once, on the
//! machine where the key lies open anyway.

use ::rsa::traits::{PrivateKeyParts, PublicKeyParts};
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, ConcatenatingMul, Gcd, NonZero, Odd, Resize};
use zeroize::Zeroizing;

use super::KeyError;
use crate::der;
use crate::secret::Secret;

const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 128..=512;
const MAX_EXPONENT_BYTES: usize = 4;

/// A two-prime RSA key whose parts were checked against each other.
#[derive(Debug)]
pub struct RsaKey {
    inner: Box<::rsa::PrivateKey>,
    width: usize,
}

/// The parts of the CRT form (type 06 of a wrapped key), unsigned big endian.
#[derive(Debug)]
pub struct CrtParts {
    /// d mod (p-1)
    pub dp: Secret,
    /// d mod (q-1)
    pub dq: Secret,
    /// First prime
    pub p: Secret,
    /// q^-1 mod p
    pub qinv: Secret,
    /// Second prime
    pub q: Secret,
}

impl RsaKey {
    /// Takes modulus, public and private exponent and finds the primes from them.
    ///
    /// # Errors
    /// When the modulus has not 1024 to 4096 bits in whole bytes or the parts do not belong together.
    pub fn from_exponents(n: &[u8], e: &[u8], d: &Secret) -> Result<Self, KeyError> {
        let (n, e, width) = public(n, e)?;
        let d = number(d, width, "private exponent")?;
        let (p, q) = factor(&n, &e, &d).ok_or_else(mismatch)?;
        Self::assemble(n, e, d, p, q, width)
    }

    /// Takes the public key, the private exponent and both primes.
    ///
    /// # Errors
    /// As [`RsaKey::from_exponents`].
    pub fn from_primes(
        n: &[u8],
        e: &[u8],
        d: &Secret,
        primes: [&Secret; 2],
    ) -> Result<Self, KeyError> {
        let (n, e, width) = public(n, e)?;
        let d = number(d, width, "private exponent")?;
        let [p, q] = primes;
        let (p, q) = (number(p, width, "prime p")?, number(q, width, "prime q")?);
        Self::assemble(n, e, d, p, q, width)
    }

    /// Takes the public key and the five CRT parts and computes the private exponent.
    ///
    /// # Errors
    /// As [`RsaKey::from_exponents`].
    pub fn from_crt(n: &[u8], e: &[u8], parts: &CrtParts) -> Result<Self, KeyError> {
        let (n, e, width) = public(n, e)?;
        let half = |part, what| number(part, width.div_ceil(2), what);
        let (p, q) = (half(&parts.p, "prime p")?, half(&parts.q, "prime q")?);
        let inner = ::rsa::PrivateKey::from_p_q(p, q, e).map_err(|_| mismatch())?;
        let key = Self {
            inner: Box::new(inner),
            width,
        };
        let own = key.crt()?;
        let agree = [
            (&own.dp, &parts.dp),
            (&own.dq, &parts.dq),
            (&own.qinv, &parts.qinv),
        ];
        let agree = agree
            .iter()
            .all(|(own, given)| given.fitted(own.len()).as_ref() == Some(*own));
        if !agree || key.modulus() != to_bytes(&n, width).expose() {
            return Err(mismatch());
        }
        Ok(key)
    }

    fn assemble(
        n: BoxedUint,
        e: BoxedUint,
        d: BoxedUint,
        p: BoxedUint,
        q: BoxedUint,
        width: usize,
    ) -> Result<Self, KeyError> {
        let inner = ::rsa::PrivateKey::from_components(n, e, d, vec![p, q]);
        Ok(Self {
            inner: Box::new(inner.map_err(|_| mismatch())?),
            width,
        })
    }

    /// The modulus; its length is the size of the key in bytes.
    #[must_use]
    pub fn modulus(&self) -> Vec<u8> {
        to_bytes(self.inner.n(), self.width).expose().to_vec()
    }

    /// The public exponent without leading zeros.
    #[must_use]
    pub fn public_exponent(&self) -> Vec<u8> {
        self.inner.e().to_be_bytes_trimmed_vartime().to_vec()
    }

    /// The private exponent at the width of the modulus.
    #[must_use]
    pub fn private_exponent(&self) -> Secret {
        to_bytes(self.inner.d(), self.width)
    }

    /// The CRT parts, each at half the width of the modulus.
    ///
    /// # Errors
    /// Never for a key that passed its checks.
    pub fn crt(&self) -> Result<CrtParts, KeyError> {
        let half = self.width.div_ceil(2);
        let [p, q] = self.inner.primes() else {
            return Err(mismatch());
        };
        let (Some(dp), Some(dq)) = (self.inner.dp(), self.inner.dq()) else {
            return Err(mismatch());
        };
        let qinv = self.inner.crt_coefficient().ok_or_else(mismatch)?;
        Ok(CrtParts {
            dp: to_bytes(dp, half),
            dq: to_bytes(dq, half),
            p: to_bytes(p, half),
            qinv: to_bytes(&qinv, half),
            q: to_bytes(q, half),
        })
    }

    /// The key as PKCS#1 `RSAPrivateKey`.
    ///
    /// # Errors
    /// As [`RsaKey::crt`].
    pub fn to_pkcs1(&self) -> Result<Secret, KeyError> {
        let crt = self.crt()?;
        let secret = |part: &Secret| Zeroizing::new(der::integer(part.expose()));
        Ok(Secret::new(der::element(
            0x30,
            &[
                &der::integer(&[0]),
                &der::integer(&self.modulus()),
                &der::integer(&self.public_exponent()),
                &secret(&self.private_exponent()),
                &secret(&crt.p),
                &secret(&crt.q),
                &secret(&crt.dp),
                &secret(&crt.dq),
                &secret(&crt.qinv),
            ],
        )))
    }
}

fn mismatch() -> KeyError {
    KeyError::new("the parts of the RSA key do not belong together")
}

fn public(n: &[u8], e: &[u8]) -> Result<(BoxedUint, BoxedUint, usize), KeyError> {
    let (n, e) = (trimmed(n), trimmed(e));
    let whole_bytes = n.first().is_some_and(|byte| *byte >= 0x80);
    if !MODULUS_BYTES.contains(&n.len()) || !whole_bytes {
        let what = "the modulus must have 1024 to 4096 bits, a multiple of eight";
        return Err(KeyError::new(what));
    }
    if n.last().is_none_or(|byte| byte % 2 == 0) {
        return Err(KeyError::new("the modulus is even"));
    }
    if e.len() > MAX_EXPONENT_BYTES || e.last().is_none_or(|byte| byte % 2 == 0) || e == [1] {
        return Err(KeyError::new(
            "the public exponent must be odd, from 3 to FFFFFFFF",
        ));
    }
    Ok((
        BoxedUint::from_be_slice_vartime(n),
        BoxedUint::from_be_slice_vartime(e),
        n.len(),
    ))
}

fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn number(part: &Secret, width: usize, what: &str) -> Result<BoxedUint, KeyError> {
    let part = part
        .fitted(width)
        .filter(|part| part.expose().iter().any(|byte| *byte != 0));
    let part = part.ok_or_else(|| KeyError::new(format!("the {what} is zero or too long")))?;
    let bits = u32::try_from(width * 8).map_err(|_| mismatch())?;
    BoxedUint::from_be_slice(part.expose(), bits).map_err(|_| mismatch())
}

fn to_bytes(number: &BoxedUint, width: usize) -> Secret {
    let bytes = Secret::new(number.to_be_bytes().into_vec());
    // Parts are at most as long as the width they are asked for at.
    bytes.fitted(width).unwrap_or(bytes)
}

/// Factors n with both exponents: e d - 1 is a multiple of the order of every unit, so halving it
/// leads to a square root of 1 that is not 1 or -1 for at least every second base.
fn factor(n: &BoxedUint, e: &BoxedUint, d: &BoxedUint) -> Option<(BoxedUint, BoxedUint)> {
    const BASES: [u32; 48] = [
        2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89,
        97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167, 173, 179, 181,
        191, 193, 197, 199, 211, 223,
    ];
    let precision = n.bits_precision();
    let multiple = d.concatenating_mul(e);
    let multiple = &multiple - &BoxedUint::one_with_precision(multiple.bits_precision());
    let twos = multiple.trailing_zeros_vartime();
    if twos == 0 || multiple.is_zero().into() {
        return None;
    }
    let odd = multiple.shr(twos);
    let params = BoxedMontyParams::new(Odd::new(n.clone()).into_option()?);
    let one = BoxedMontyForm::one(&params);
    let minus_one = one.neg();
    for base in BASES {
        let base = BoxedUint::from(base).resize_unchecked(precision);
        let mut x = BoxedMontyForm::new(base, &params).pow(&odd);
        for _ in 0..twos {
            let square = x.square();
            if square == one && x != one && x != minus_one {
                let root = (&x - &one).retrieve();
                let p = root.gcd(n);
                let q = n / NonZero::new(p.clone()).into_option()?;
                return Some((p, q));
            }
            x = square;
        }
        if x != one {
            return None;
        }
    }
    None
}
