//! AES-CBC without padding (FIPS 197, SP 800-38A) and AES-CMAC (SP 800-38B).

use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt};
use aes::cipher::{KeyInit, KeyIvInit};
use aes::{Aes128, Aes192, Aes256};
use cmac::{Cmac, Mac};
use subtle::ConstantTimeEq;

use super::Error;

/// Block length of AES in bytes.
pub const BLOCK: usize = 16;

/// Runs `$body` with `$cipher` naming the AES variant that goes with the length of `$key`.
macro_rules! with_aes {
    ($key:expr, $cipher:ident => $body:expr) => {
        match $key.len() {
            16 => {
                type $cipher = Aes128;
                $body
            }
            24 => {
                type $cipher = Aes192;
                $body
            }
            32 => {
                type $cipher = Aes256;
                $body
            }
            _ => Err(Error::Length),
        }
    };
}

/// Encrypts whole blocks in CBC mode; the output is as long as the input.
///
/// # Errors
/// [`Error::Length`] unless the key has 16, 24 or 32 bytes and the data a multiple of 16.
pub fn aes_cbc_encrypt(key: &[u8], iv: &[u8; BLOCK], data: &[u8]) -> Result<Vec<u8>, Error> {
    fn run<C: BlockCipherEncrypt + KeyInit>(
        key: &[u8],
        iv: &[u8; BLOCK],
        data: &[u8],
    ) -> Result<Vec<u8>, Error>
    where
        cbc::Encryptor<C>: KeyIvInit + BlockModeEncrypt,
    {
        let mut buffer = data.to_vec();
        cbc::Encryptor::<C>::new_from_slices(key, iv)
            .map_err(|_| Error::Length)?
            .encrypt_padded::<NoPadding>(&mut buffer, data.len())
            .map_err(|_| Error::Length)?;
        Ok(buffer)
    }
    with_aes!(key, Cipher => run::<Cipher>(key, iv, data))
}

/// Decrypts whole blocks in CBC mode; the output is as long as the input.
///
/// # Errors
/// [`Error::Length`] unless the key has 16, 24 or 32 bytes and the data a multiple of 16.
pub fn aes_cbc_decrypt(key: &[u8], iv: &[u8; BLOCK], data: &[u8]) -> Result<Vec<u8>, Error> {
    fn run<C: BlockCipherDecrypt + KeyInit>(
        key: &[u8],
        iv: &[u8; BLOCK],
        data: &[u8],
    ) -> Result<Vec<u8>, Error>
    where
        cbc::Decryptor<C>: KeyIvInit + BlockModeDecrypt,
    {
        let mut buffer = data.to_vec();
        cbc::Decryptor::<C>::new_from_slices(key, iv)
            .map_err(|_| Error::Length)?
            .decrypt_padded::<NoPadding>(&mut buffer)
            .map_err(|_| Error::Length)?;
        Ok(buffer)
    }
    with_aes!(key, Cipher => run::<Cipher>(key, iv, data))
}

/// AES-CMAC over data of any length, not truncated.
///
/// # Errors
/// [`Error::Length`] unless the key has 16, 24 or 32 bytes.
pub fn aes_cmac(key: &[u8], data: &[u8]) -> Result<[u8; BLOCK], Error> {
    with_aes!(key, Cipher => {
        let mut mac = Cmac::<Cipher>::new_from_slice(key).map_err(|_| Error::Length)?;
        mac.update(data);
        Ok(mac.finalize().into_bytes().into())
    })
}

/// Compares `tag` with the CMAC of `data` in constant time.
///
/// `tag` may be the leftmost bytes of the CMAC (secure messaging sends 8), at least 4 of them.
///
/// # Errors
/// [`Error::Length`] for a wrong key or tag length, [`Error::Signature`] when the tag is not that
/// of the data.
pub fn aes_cmac_verify(key: &[u8], data: &[u8], tag: &[u8]) -> Result<(), Error> {
    let expected = aes_cmac(key, data)?;
    let expected = expected.get(..tag.len()).ok_or(Error::Length)?;
    if tag.len() < 4 {
        return Err(Error::Length);
    }
    if bool::from(expected.ct_eq(tag)) {
        Ok(())
    } else {
        Err(Error::Signature)
    }
}

#[cfg(test)]
mod tests;
