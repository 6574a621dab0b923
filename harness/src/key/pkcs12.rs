//! PKCS#12 files (RFC 7292), as far as one private key needs it.
//!
//! ```text
//! PFX { 3, { data, [0] OCTET STRING AuthenticatedSafe }, MacData }
//! AuthenticatedSafe = SEQUENCE OF { data, [0] OCTET STRING SEQUENCE OF SafeBag }
//! SafeBag = { pkcs8ShroudedKeyBag, [0] EncryptedPrivateKeyInfo, attributes }
//! ```
//!
//! The MAC is checked with SHA-1, SHA-256, SHA-384 or SHA-512; the key bag must be PBES2, as
//! OpenSSL 3 and Java 17 write it. Older files (RC2, 3DES in the PKCS#12 manner) are named and
//! refused. Encrypted safes hold certificates and are passed over.

use hmac::{EagerHash, Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::file::{check_rounds, decrypt_pkcs8, parse_pkcs8};
use super::{Key, KeyError};
use crate::der::{Element, Malformed, Reader};
use crate::secret::Secret;

const PKCS7_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
/// Prefix of the bag types 1.2.840.113549.1.12.10.1; key bag 1, shrouded key bag 2.
const BAG_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01];
const SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
/// Prefix of NIST hash functions; SHA-256 is 1, SHA-384 2, SHA-512 3.
const NIST_HASH: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];

/// A PKCS#12 file with exactly one private key.
#[derive(Debug)]
pub struct Pkcs12 {
    authenticated: Vec<u8>,
    key: Bag,
    mac: MacData,
}

#[derive(Debug)]
enum Bag {
    Shrouded(Vec<u8>),
    Open(Secret),
}

#[derive(Debug)]
struct MacData {
    hash: Vec<u8>,
    digest: Vec<u8>,
    salt: Vec<u8>,
    rounds: u32,
}

impl Pkcs12 {
    /// Takes the file apart.
    ///
    /// # Errors
    /// [`KeyError`]: not DER, no MAC, no key or several.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyError> {
        let mut pfx = Reader::new(bytes)
            .expect(0x30, "the PKCS#12 file")?
            .reader();
        if pfx.expect(0x02, "the version")?.content != [3] {
            return Err(KeyError::new("neither PKCS#8 nor PKCS#12 of version 3"));
        }
        let safe = data(pfx.expect(0x30, "the safe")?)?.ok_or_else(|| {
            KeyError::new("a PKCS#12 file protected by a certificate, not by a password")
        })?;
        if pfx.is_empty() {
            return Err(KeyError::new(
                "a PKCS#12 file without a MAC: nothing proves it unchanged",
            ));
        }
        let mac = MacData::parse(pfx.expect(0x30, "the MAC")?)?;

        let mut keys = Vec::new();
        let mut contents = safe.reader().expect(0x30, "the safe's contents")?.reader();
        while !contents.is_empty() {
            let Some(bags) = data(contents.expect(0x30, "a safe")?)? else {
                continue;
            };
            let mut bags = bags.reader().expect(0x30, "the bags")?.reader();
            while !bags.is_empty() {
                let mut bag = bags.expect(0x30, "a bag")?.reader();
                let kind = bag.expect(0x06, "the kind of bag")?.content;
                let value = bag.expect(0xa0, "the bag's value")?.content;
                match kind.strip_prefix(BAG_TYPE) {
                    Some([1]) => keys.push(Bag::Open(Secret::from(value))),
                    Some([2]) => keys.push(Bag::Shrouded(value.to_vec())),
                    _ => {}
                }
            }
        }
        let count = keys.len();
        match (keys.pop(), count) {
            (Some(key), 1) => Ok(Self {
                authenticated: safe.content.to_vec(),
                key,
                mac,
            }),
            _ => Err(KeyError::new(format!(
                "a PKCS#12 file with {count} private keys, one is needed; \
                 take it out with: openssl pkcs12 -nocerts"
            ))),
        }
    }

    /// Checks the MAC and opens the key; each of them may ask for so many rounds of hashing.
    ///
    /// # Errors
    /// [`KeyError`]: the password is wrong, an encryption that is not read here, or more rounds.
    pub fn unlock(&self, password: &Secret, rounds: u64) -> Result<Key, KeyError> {
        check_rounds(self.mac.rounds.into(), rounds)?;
        if !self.mac.fits(password, &self.authenticated)? {
            return Err(KeyError::WrongPassword);
        }
        match &self.key {
            Bag::Shrouded(der) => decrypt_pkcs8(der, password, rounds),
            Bag::Open(der) => parse_pkcs8(der.expose()),
        }
    }
}

/// The octets of a `ContentInfo` of type data; `None` for an encrypted or signed one.
fn data(info: Element<'_>) -> Result<Option<Element<'_>>, Malformed> {
    let mut info = info.reader();
    if info.expect(0x06, "the content type")?.content != PKCS7_DATA {
        return Ok(None);
    }
    let octets = info
        .expect(0xa0, "the content")?
        .reader()
        .expect(0x04, "the content")?;
    Ok(Some(octets))
}

impl MacData {
    /// `{ { { hash }, OCTET STRING digest }, OCTET STRING salt, INTEGER rounds DEFAULT 1 }`
    fn parse(element: Element<'_>) -> Result<Self, KeyError> {
        let mut parts = element.reader();
        let mut digest_info = parts.expect(0x30, "the MAC's digest")?.reader();
        let mut algorithm = digest_info.expect(0x30, "the MAC's hash")?.reader();
        let hash = algorithm.expect(0x06, "the MAC's hash")?.content.to_vec();
        let digest = digest_info
            .expect(0x04, "the MAC's value")?
            .content
            .to_vec();
        let salt = parts.expect(0x04, "the MAC's salt")?.content.to_vec();
        let rounds = match parts.is_empty() {
            true => &[1][..],
            false => parts.expect(0x02, "the MAC's rounds")?.content,
        };
        let rounds = rounds.iter().try_fold(0_u32, |sum, byte| {
            sum.checked_mul(256)?.checked_add(u32::from(*byte))
        });
        let rounds =
            rounds.ok_or_else(|| KeyError::new("the PKCS#12 MAC asks for too many rounds"))?;
        Ok(Self {
            hash,
            digest,
            salt,
            rounds,
        })
    }

    fn fits(&self, password: &Secret, content: &[u8]) -> Result<bool, KeyError> {
        let nist = self.hash.strip_prefix(NIST_HASH);
        match (self.hash.as_slice(), nist) {
            (SHA1, _) => self.fits_with::<Sha1>(password, content, 64),
            (_, Some([1])) => self.fits_with::<Sha256>(password, content, 64),
            (_, Some([2])) => self.fits_with::<Sha384>(password, content, 128),
            (_, Some([3])) => self.fits_with::<Sha512>(password, content, 128),
            _ => Err(KeyError::new(
                "the PKCS#12 MAC uses a hash that is not read here",
            )),
        }
    }

    fn fits_with<H>(
        &self,
        password: &Secret,
        content: &[u8],
        block: usize,
    ) -> Result<bool, KeyError>
    where
        H: Digest + EagerHash,
    {
        let password =
            std::str::from_utf8(password.expose()).map_err(|_| KeyError::WrongPassword)?;
        let key = mac_key::<H>(password, &self.salt, self.rounds, block);
        let mut mac =
            <Hmac<H> as KeyInit>::new_from_slice(&key).map_err(|_| KeyError::WrongPassword)?;
        mac.update(content);
        Ok(mac.verify_slice(&self.digest).is_ok())
    }
}

/// RFC 7292 appendix B.2 with purpose 3, one hash long: no second block is ever needed for a MAC.
fn mac_key<H: Digest>(
    password: &str,
    salt: &[u8],
    rounds: u32,
    block: usize,
) -> Zeroizing<Vec<u8>> {
    const PURPOSE_MAC: u8 = 3;
    let utf16 = password
        .encode_utf16()
        .chain([0])
        .flat_map(u16::to_be_bytes);
    let utf16 = Zeroizing::new(utf16.collect::<Vec<u8>>());
    let stretched = |text: &[u8]| -> Zeroizing<Vec<u8>> {
        let len = text.len().next_multiple_of(block);
        Zeroizing::new(text.iter().copied().cycle().take(len).collect())
    };
    let mut key = Zeroizing::new(
        H::new()
            .chain_update(vec![PURPOSE_MAC; block])
            .chain_update(&*stretched(salt))
            .chain_update(&*stretched(&utf16))
            .finalize()
            .to_vec(),
    );
    for _ in 1..rounds {
        let next = H::digest(&*key);
        key.copy_from_slice(&next);
    }
    key
}
