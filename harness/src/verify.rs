//! Public keys of devices and requests; the signatures are judged by OpenSSL, see [`crate::judge`].

use crate::der::{Malformed, Reader};
use crate::judge::{Hash, Public};

/// A public key as a card's certificate or request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// The key itself.
    pub numbers: Public,
    /// Hash of the signatures that it makes, as its object identifier says.
    pub hash: Hash,
}

/// The signature is not one of this key over this message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify: {0}")]
pub struct Invalid(String);

impl PublicKey {
    /// A device's or a root's key: brainpoolP256r1, the point as 04 || x || y, ECDSA with SHA-256.
    #[must_use]
    pub fn device(point: Vec<u8>) -> Self {
        Self {
            numbers: Public::Ec("brainpoolP256r1", point),
            hash: Hash::Sha256,
        }
    }

    /// The point of an EC key, 04 || x || y.
    #[must_use]
    pub fn point(&self) -> Option<&[u8]> {
        match &self.numbers {
            Public::Ec(_, point) => Some(point),
            Public::Rsa(..) => None,
        }
    }

    /// Kind and size in words: `EC secp256r1`, `RSA-2048`.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.numbers {
            Public::Ec(curve, _) => format!("EC {curve}"),
            Public::Rsa(n, _) => format!("RSA-{}", 8 * n.len()),
        }
    }

    /// Verifies over the key's hash of the message: ECDSA as r || s at the width of the order, RSA
    /// as PKCS#1 v1.5.
    ///
    /// # Errors
    /// [`Invalid`], also for a key or signature of a wrong form.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Invalid> {
        match self.numbers.verify(self.hash, message, signature) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Invalid("it is another key's, or over other bytes".into())),
            Err(stop) => Err(Invalid(format!("{stop:?}"))),
        }
    }
}

/// Rewrites an ECDSA signature from SEQUENCE { INTEGER r, INTEGER s } to r || s.
///
/// # Errors
/// [`Malformed`] for anything else, or numbers above `width` bytes.
pub fn plain_signature(der: &[u8], width: usize) -> Result<Vec<u8>, Malformed> {
    let mut outer = Reader::new(der);
    let sequence = outer.expect(0x30, "the signature")?;
    outer.finish("the signature")?;
    let mut numbers = sequence.reader();
    let mut plain = Vec::with_capacity(2 * width);
    for what in ["r", "s"] {
        let number = numbers.expect(0x02, what)?;
        let zeros = number.content.iter().take_while(|byte| **byte == 0).count();
        let digits = number.content.get(zeros..).unwrap_or_default();
        let padding = width.checked_sub(digits.len()).ok_or_else(|| {
            Malformed::new(number.offset, format!("{what} has more than {width} bytes"))
        })?;
        plain.resize(plain.len() + padding, 0);
        plain.extend_from_slice(digits);
    }
    numbers.finish("s")?;
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_lose_their_sign_bytes_and_gain_their_width() {
        let plain = plain_signature(&[0x30, 7, 2, 2, 0, 0x80, 2, 1, 5], 3).unwrap();
        assert_eq!(plain, [0, 0, 0x80, 0, 0, 5]);
        assert!(plain_signature(&[0x30, 6, 2, 1, 1, 2, 1, 5, 0], 3).is_err());
        assert!(plain_signature(&[0x30, 8, 2, 3, 1, 1, 1, 2, 1, 5], 2).is_err());
    }

    #[test]
    fn garbage_verifies_under_no_key() {
        for numbers in [
            Public::Ec("secp256r1", vec![4; 65]),
            Public::Ec("brainpoolP256r1", vec![4; 65]),
            Public::Rsa(vec![0x81; 256], vec![1, 0, 1]),
            Public::Rsa(vec![], vec![]),
        ] {
            let hash = Hash::Sha256;
            let key = PublicKey { numbers, hash };
            assert!(key.verify(b"message", &[1; 64]).is_err());
        }
    }
}
