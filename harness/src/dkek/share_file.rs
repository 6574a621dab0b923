//! The share file of a custodian, as sc-hsm-tool writes and reads it.
//!
//! ```text
//! offset  length  content
//!      0       8  "Salted__"
//!      8       8  salt
//!     16      48  AES-256-CBC of share (32) || 16 x 10h, key and IV from the password
//! ```
//!
//! The file carries no authentication beyond its padding block: a wrong password is noticed because
//! 16 bytes of padding do not come out, a changed share is not noticed at all. The key check value
//! is what tells that a share is the right one.

use aes::cipher::{Block, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use zeroize::{Zeroize, Zeroizing};

use super::kdf::FileKey;
use super::{Dkek, SHARE_LEN};

/// Length of a share file in bytes.
pub const FILE_LEN: usize = 64;
const MAGIC: &[u8; 8] = b"Salted__";
const BLOCK: usize = 16;
const PADDING: [u8; BLOCK] = [0x10; BLOCK];

/// Why a share file did not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShareFileError {
    /// The file has another size.
    #[error("a DKEK share file has 64 bytes, this one has {0}")]
    Length(usize),
    /// The file does not begin as a share file does.
    #[error("offset 0: not a DKEK share file, it does not begin with \"Salted__\"")]
    Magic,
    /// The padding did not come out: another password, or a damaged file.
    #[error("the password does not open it")]
    WrongPassword,
}

/// A share file, still encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareFile {
    salt: [u8; 8],
    encrypted: [u8; SHARE_LEN + BLOCK],
}

impl ShareFile {
    /// Reads the 64 bytes of a file.
    ///
    /// # Errors
    /// [`ShareFileError::Length`] and [`ShareFileError::Magic`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ShareFileError> {
        let bytes: &[u8; FILE_LEN] = bytes
            .try_into()
            .map_err(|_| ShareFileError::Length(bytes.len()))?;
        let (magic, rest) = bytes
            .split_first_chunk::<8>()
            .ok_or(ShareFileError::Magic)?;
        if magic != MAGIC {
            return Err(ShareFileError::Magic);
        }
        let (salt, encrypted) = rest.split_first_chunk::<8>().ok_or(ShareFileError::Magic)?;
        let encrypted = encrypted
            .try_into()
            .map_err(|_| ShareFileError::Length(bytes.len()))?;
        Ok(Self {
            salt: *salt,
            encrypted,
        })
    }

    /// Encrypts a share under a key that was derived with `salt`.
    #[must_use]
    pub fn seal(share: &Dkek, salt: [u8; 8], key: &FileKey) -> Self {
        let mut encrypted = [0; SHARE_LEN + BLOCK];
        let plain = share.expose().iter().chain(&PADDING);
        encrypted
            .iter_mut()
            .zip(plain)
            .for_each(|(to, from)| *to = *from);
        let mut cipher = cbc::Encryptor::<aes::Aes256>::new((&key.key).into(), (&key.iv).into());
        for block in encrypted.chunks_exact_mut(BLOCK) {
            if let Ok(block) = <&mut Block<aes::Aes256>>::try_from(block) {
                cipher.encrypt_block(block);
            }
        }
        Self { salt, encrypted }
    }

    /// The salt that goes into the key derivation.
    #[must_use]
    pub fn salt(&self) -> &[u8; 8] {
        &self.salt
    }

    /// Decrypts the share.
    ///
    /// # Errors
    /// [`ShareFileError::WrongPassword`].
    pub fn open(&self, key: &FileKey) -> Result<Dkek, ShareFileError> {
        let mut plain = Zeroizing::new(self.encrypted);
        let mut cipher = cbc::Decryptor::<aes::Aes256>::new((&key.key).into(), (&key.iv).into());
        for block in plain.chunks_exact_mut(BLOCK) {
            if let Ok(block) = <&mut Block<aes::Aes256>>::try_from(block) {
                cipher.decrypt_block(block);
            }
        }
        let (share, padding) = plain
            .split_first_chunk::<SHARE_LEN>()
            .ok_or(ShareFileError::WrongPassword)?;
        if padding != PADDING {
            return Err(ShareFileError::WrongPassword);
        }
        let mut share = *share;
        let opened = Dkek::new(share);
        share.zeroize();
        Ok(opened)
    }

    /// The 64 bytes of the file.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; FILE_LEN] {
        let mut file = [0; FILE_LEN];
        let content = MAGIC.iter().chain(&self.salt).chain(&self.encrypted);
        file.iter_mut()
            .zip(content)
            .for_each(|(to, from)| *to = *from);
        file
    }
}
