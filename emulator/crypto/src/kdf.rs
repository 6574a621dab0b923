//! Derivation of a secret from a key and a parameter (SP 800-56C, extraction-then-expansion).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Error;

/// Length of a derived secret in bytes.
pub const DERIVED: usize = 32;

/// Derives 32 bytes: HKDF with SHA-256 (RFC 5869), without salt, and with the parameter as its
/// `info`.
///
/// Hosts name SP 800-56C and take 32 bytes. Which of its ways a genuine token goes is not
/// published, and no host computes it: this one is decided here, in one place. (inferred)
///
/// # Errors
/// None that HMAC can cause: it takes keys of any length.
pub fn derive(key: &[u8], parameter: &[u8]) -> Result<Zeroizing<[u8; DERIVED]>, Error> {
    let extracted = hmac_sha256(&[0; DERIVED], &[key])?;
    hmac_sha256(&extracted[..], &[parameter, &[1]])
}

fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> Result<Zeroizing<[u8; DERIVED]>, Error> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| Error::Length)?;
    for part in parts {
        mac.update(part);
    }
    Ok(Zeroizing::new(mac.finalize().into_bytes().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_block_of_the_standards_example() {
        // RFC 5869, appendix A.3: no salt, no info; the first 32 of 42 bytes.
        let derived = derive(&[0x0B; 22], &[]).unwrap();
        assert_eq!(
            hex::encode(&derived[..]),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
        );
    }

    #[test]
    fn what_openssl_derives() {
        // openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt hexkey:404142..4F
        //             -kdfopt hexinfo:0102030405 HKDF
        let key: Vec<u8> = (0x40..0x50).collect();
        let derived = derive(&key, &[1, 2, 3, 4, 5]).unwrap();
        assert_eq!(
            hex::encode(&derived[..]),
            "a8fa959fe4b5468bf4ab7a5e8ffe3f26c62b4d231ceb05beb240f231abf51788"
        );
    }
}
