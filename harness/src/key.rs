//! Private and secret keys on the host, and the files they come in.

pub mod curves;
pub mod ec;
pub mod file;
pub mod pkcs12;
pub mod rsa;

pub use ec::EcKey;
pub use rsa::RsaKey;

use crate::secret::Secret;

/// Why key material cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The password of a key file is wrong.
    #[error("the password does not open the key file")]
    WrongPassword,
    /// Anything else, in words.
    #[error("{0}")]
    Unusable(String),
}

impl KeyError {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self::Unusable(what.into())
    }
}

/// A key that a card can hold. Each is consistent with itself: parts that contradict each other
/// never become a `Key`.
#[derive(Debug)]
pub enum Key {
    /// RSA, 1024 to 4096 bits.
    Rsa(RsaKey),
    /// EC on one of the nineteen curves.
    Ec(EcKey),
    /// AES of 128, 192 or 256 bits.
    Aes(Secret),
}

impl Key {
    /// Takes an AES key of 16, 24 or 32 bytes.
    ///
    /// # Errors
    /// For another length.
    pub fn aes(bytes: Secret) -> Result<Self, KeyError> {
        match bytes.len() {
            16 | 24 | 32 => Ok(Self::Aes(bytes)),
            len => Err(KeyError::new(format!(
                "an AES key has 16, 24 or 32 bytes, not {len}"
            ))),
        }
    }

    /// Kind and size in words: `RSA-2048`, `EC secp256r1`, `AES-128`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Rsa(key) => format!("RSA-{}", key.modulus().len() * 8),
            Self::Ec(key) => format!("EC {}", key.curve().name),
            Self::Aes(key) => format!("AES-{}", key.len() * 8),
        }
    }
}
