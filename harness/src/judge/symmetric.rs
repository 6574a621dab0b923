use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::symm::{Cipher, Crypter, Mode};

use crate::suite::bench::Stop;

fn cipher(key: &[u8]) -> Result<Cipher, Stop> {
    match key.len() {
        16 => Ok(Cipher::aes_128_cbc()),
        24 => Ok(Cipher::aes_192_cbc()),
        32 => Ok(Cipher::aes_256_cbc()),
        length => Err(Stop::Harness(format!("no AES key has {length} bytes"))),
    }
}

/// AES-CBC with a zero IV and no padding, as the card does it.
///
/// # Errors
/// [`Stop::Harness`] when OpenSSL cannot, or the data are no whole blocks.
pub fn aes_cbc(key: &[u8], encrypt: bool, data: &[u8]) -> Result<Vec<u8>, Stop> {
    let mode = if encrypt {
        Mode::Encrypt
    } else {
        Mode::Decrypt
    };
    let mut crypter = Crypter::new(cipher(key)?, mode, key, Some(&[0; 16]))?;
    crypter.pad(false);
    let mut out = vec![0; data.len() + 16];
    let written = crypter.update(data, &mut out)?;
    let rest = out.get_mut(written..).unwrap_or_default();
    let more = crypter.finalize(rest)?;
    out.truncate(written + more);
    Ok(out)
}

/// AES-CMAC, 16 bytes.
///
/// # Errors
/// [`Stop::Harness`] when OpenSSL cannot.
pub fn cmac(key: &[u8], data: &[u8]) -> Result<Vec<u8>, Stop> {
    let key = PKey::cmac(&cipher(key)?, key)?;
    let mut signer = Signer::new_without_digest(&key)?;
    signer.update(data)?;
    Ok(signer.sign_to_vec()?)
}
