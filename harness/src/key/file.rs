//! Key files: PKCS#8, PKCS#1 and SEC 1 as PEM or DER, PKCS#12, and AES keys raw or in hexadecimal.
//!
//! The kind is told from the content:
//!
//! | content | taken as |
//! |---|---|
//! | `-----BEGIN ...` | PEM; blocks that hold no private key are skipped |
//! | 32, 48 or 64 hexadecimal digits | AES key in hexadecimal |
//! | 16, 24 or 32 bytes | AES key, raw |
//! | a SEQUENCE | PKCS#8, encrypted PKCS#8, PKCS#1, SEC 1 or PKCS#12 by its elements |

use base64ct::{Base64, Encoding};
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::pkcs5::{self, EncryptionScheme, pbes2::Kdf};
use zeroize::Zeroizing;

use super::curves::Curve;
use super::pkcs12::Pkcs12;
use super::{EcKey, Key, KeyError, RsaKey};
use crate::der::{self, Malformed, Reader};
use crate::secret::Secret;

const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

const SEQUENCE: u16 = 0x30;
const INTEGER: u16 = 0x02;
const OCTET_STRING: u16 = 0x04;
const OID: u16 = 0x06;

/// Most rounds of hashing that a file may ask for: more would keep the reader busy for minutes.
/// Those of scrypt are N * r * p, and take up to 128 bytes of memory each.
const MAX_ROUNDS: u64 = 10_000_000;

impl From<Malformed> for KeyError {
    fn from(error: Malformed) -> Self {
        Self::new(error.to_string())
    }
}

/// A key file after the first look.
#[derive(Debug)]
pub enum KeyFile {
    /// The key was open.
    Open(Key),
    /// The key is under a password.
    Locked(Locked),
}

/// A key file that needs a password.
#[derive(Debug)]
pub struct Locked(LockedForm);

#[derive(Debug)]
enum LockedForm {
    Pkcs8(Secret),
    Pkcs12(Pkcs12),
}

impl KeyFile {
    /// Reads the content of a key file.
    ///
    /// # Errors
    /// [`KeyError`] that says what the file is and what is wrong with it.
    pub fn parse(bytes: &Secret) -> Result<Self, KeyError> {
        let content = bytes.expose();
        if let Some(text) = std::str::from_utf8(content)
            .ok()
            .filter(|t| t.contains("-----BEGIN "))
        {
            return parse_pem(text);
        }
        if let Some(key) = aes_digits(content) {
            return Ok(Self::Open(Key::aes(key)?));
        }
        if matches!(content.len(), 16 | 24 | 32) {
            return Ok(Self::Open(Key::aes(bytes.clone())?));
        }
        parse_der(content)
    }
}

impl Locked {
    /// Opens the key. Takes as long as the file asks for, which is at most ten million rounds of
    /// hashing, some seconds.
    ///
    /// # Errors
    /// [`KeyError`]: the password is wrong, the encryption is one that is not read here, or the file
    /// asks for more rounds.
    pub fn unlock(&self, password: &Secret) -> Result<Key, KeyError> {
        self.unlock_within(password, MAX_ROUNDS)
    }

    /// As [`Locked::unlock`], for whoever has less time: the MAC of a PKCS#12 file and the encryption
    /// of a key may ask for so many rounds each.
    ///
    /// # Errors
    /// As [`Locked::unlock`].
    pub fn unlock_within(&self, password: &Secret, rounds: u64) -> Result<Key, KeyError> {
        match &self.0 {
            LockedForm::Pkcs8(der) => decrypt_pkcs8(der.expose(), password, rounds),
            LockedForm::Pkcs12(file) => file.unlock(password, rounds),
        }
    }
}

/// Refuses a file that asks for more rounds than `most`, or for none.
pub(super) fn check_rounds(asked: u64, most: u64) -> Result<(), KeyError> {
    if (1..=most).contains(&asked) {
        return Ok(());
    }
    Err(KeyError::new(format!(
        "the file asks for {asked} rounds of hashing, 1 to {most} are done here; \
         encrypt the key anew with: openssl pkcs8 -topk8 -v2 aes-256-cbc"
    )))
}

pub(super) fn decrypt_pkcs8(der: &[u8], password: &Secret, rounds: u64) -> Result<Key, KeyError> {
    let unknown = || {
        KeyError::new(
            "the key is encrypted in a way that is not read here (PBES2 with AES or 3DES is); \
             convert it with: openssl pkcs8 -topk8 -v2 aes-256-cbc",
        )
    };
    let info = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_| unknown())?;
    let EncryptionScheme::Pbes2(parameters) = &info.encryption_algorithm else {
        return Err(unknown());
    };
    check_rounds(
        match &parameters.kdf {
            Kdf::Pbkdf2(pbkdf2) => pbkdf2.iteration_count.into(),
            Kdf::Scrypt(scrypt) => scrypt
                .cost_parameter
                .saturating_mul(u64::from(scrypt.block_size) * u64::from(scrypt.parallelization)),
            _ => return Err(unknown()),
        },
        rounds,
    )?;
    let plain = info
        .decrypt(password.expose())
        .map_err(|error| match error {
            pkcs8::Error::EncryptedPrivateKey(
                pkcs5::Error::AlgorithmParametersInvalid { .. }
                | pkcs5::Error::UnsupportedAlgorithm { .. },
            ) => unknown(),
            // What the wrong key deciphers has no padding, or is no DER.
            _ => KeyError::WrongPassword,
        })?;
    parse_pkcs8(plain.as_bytes())
}

fn aes_digits(content: &[u8]) -> Option<Secret> {
    let digits = content.trim_ascii();
    matches!(digits.len(), 32 | 48 | 64).then(|| hex::decode(digits).ok().map(Secret::new))?
}

fn parse_pem(text: &str) -> Result<KeyFile, KeyError> {
    for block in text.split("-----BEGIN ").skip(1) {
        let Some((label, body)) = block.split_once("-----") else {
            continue;
        };
        if !label.ends_with("PRIVATE KEY") {
            continue;
        }
        let end = format!("-----END {label}-----");
        let (body, _) = body.split_once(&end).ok_or_else(|| {
            KeyError::new(format!(
                "the PEM block {label} has no end; is the file cut off?"
            ))
        })?;
        if body.contains("Proc-Type:") {
            let what = "the key has the old PEM encryption; convert it with: openssl pkcs8 -topk8";
            return Err(KeyError::new(what));
        }
        let mut digits = Zeroizing::new(String::with_capacity(body.len()));
        digits.extend(body.chars().filter(|c| !c.is_ascii_whitespace()));
        let der = Base64::decode_vec(&digits)
            .map_err(|_| KeyError::new(format!("the PEM block {label} is not base64")))?;
        return parse_der(&Zeroizing::new(der));
    }
    Err(KeyError::new(
        "the file has PEM blocks, but none with a private key",
    ))
}

fn parse_der(bytes: &[u8]) -> Result<KeyFile, KeyError> {
    let unknown = || {
        KeyError::new(
            "not a key file: expected PEM, PKCS#8, PKCS#1, SEC 1, PKCS#12, or an AES key of \
             16, 24 or 32 bytes or twice as many hexadecimal digits",
        )
    };
    if bytes.first() != Some(&0x30) {
        return Err(unknown());
    }
    let mut file = Reader::new(bytes);
    let mut parts = file.element()?.reader();
    file.finish("the key")?;
    let mut tags = [0; 2];
    for tag in &mut tags {
        *tag = parts.element()?.tag;
    }
    let third = (!parts.is_empty())
        .then(|| parts.element())
        .transpose()?
        .map(|part| part.tag);
    match (tags, third) {
        ([SEQUENCE, OCTET_STRING], None) => Ok(KeyFile::Locked(Locked(LockedForm::Pkcs8(
            Secret::from(bytes),
        )))),
        ([INTEGER, SEQUENCE], Some(OCTET_STRING)) => parse_pkcs8(bytes).map(KeyFile::Open),
        ([INTEGER, SEQUENCE], _) => Ok(KeyFile::Locked(Locked(LockedForm::Pkcs12(Pkcs12::parse(
            bytes,
        )?)))),
        ([INTEGER, INTEGER], Some(INTEGER)) => parse_pkcs1(bytes).map(KeyFile::Open),
        ([INTEGER, OCTET_STRING], _) => parse_sec1(bytes, None).map(KeyFile::Open),
        _ => Err(unknown()),
    }
}

/// `SEQUENCE { version, SEQUENCE { algorithm, parameters }, OCTET STRING key, ... }`
pub(super) fn parse_pkcs8(bytes: &[u8]) -> Result<Key, KeyError> {
    let mut parts = Reader::new(bytes).expect(SEQUENCE, "the key")?.reader();
    parts.expect(INTEGER, "the version")?;
    let mut algorithm = parts.expect(SEQUENCE, "the algorithm")?.reader();
    let key = parts.expect(OCTET_STRING, "the private key")?.content;
    match algorithm.expect(OID, "the algorithm")?.content {
        RSA_ENCRYPTION => parse_pkcs1(key),
        EC_PUBLIC_KEY => parse_sec1(key, Some(named_curve(&mut algorithm)?)),
        _ => Err(KeyError::new(
            "a private key that is neither RSA nor EC: the card has no others",
        )),
    }
}

/// `SEQUENCE { 0, n, e, d, p, q, d mod (p-1), d mod (q-1), q^-1 mod p }`
fn parse_pkcs1(bytes: &[u8]) -> Result<Key, KeyError> {
    let mut parts = Reader::new(bytes).expect(SEQUENCE, "the RSA key")?.reader();
    if parts.expect(INTEGER, "the version")?.content != [0] {
        return Err(KeyError::new(
            "an RSA key with more than two primes: the card has none",
        ));
    }
    let mut number = |what| parts.expect(INTEGER, what).map(|part| part.content);
    let (n, e) = (number("the modulus")?, number("the public exponent")?);
    let d = Secret::from(number("the private exponent")?);
    let (p, q) = (
        Secret::from(number("prime p")?),
        Secret::from(number("prime q")?),
    );
    RsaKey::from_primes(n, e, &d, [&p, &q]).map(Key::Rsa)
}

/// `SEQUENCE { 1, OCTET STRING d, [0] { curve } OPTIONAL, [1] { BIT STRING Q } OPTIONAL }`
fn parse_sec1(bytes: &[u8], outer: Option<&'static Curve>) -> Result<Key, KeyError> {
    let mut parts = Reader::new(bytes).expect(SEQUENCE, "the EC key")?.reader();
    parts.expect(INTEGER, "the version")?;
    let d = Secret::from(parts.expect(OCTET_STRING, "the private key")?.content);
    let (mut curve, mut public) = (outer, None);
    while !parts.is_empty() {
        let part = parts.element()?;
        match part.tag {
            0xa0 => curve = Some(named_curve(&mut part.reader())?),
            0xa1 => {
                let bits = part.reader().expect(0x03, "the public key")?.content;
                public = bits
                    .split_first()
                    .filter(|(unused, _)| **unused == 0)
                    .map(|(_, q)| q);
            }
            _ => {}
        }
    }
    let curve = curve.ok_or_else(|| KeyError::new("the EC key does not name its curve"))?;
    EcKey::new(curve, &d, uncompressed(public)).map(Key::Ec)
}

/// A compressed point adds nothing that d does not say: the point is computed then.
fn uncompressed(point: Option<&[u8]>) -> Option<&[u8]> {
    point.filter(|point| point.first() == Some(&0x04))
}

fn named_curve(parameters: &mut Reader<'_>) -> Result<&'static Curve, KeyError> {
    let element = parameters.element()?;
    if element.tag != OID {
        let what = "the curve is given by its parameters, not by name; \
                    convert the key with: openssl ec -param_enc named_curve";
        return Err(KeyError::new(what));
    }
    Curve::by_oid(element.content)
        .ok_or_else(|| KeyError::new("an EC key on a curve that the card does not know"))
}

/// Writes the key for other programs: PKCS#8 in PEM, an AES key as hexadecimal digits.
///
/// # Errors
/// Never for a key that passed its checks.
pub fn write(key: &Key) -> Result<Secret, KeyError> {
    let (algorithm, inner) = match key {
        Key::Aes(key) => {
            let mut digits = hex::encode(key.expose()).into_bytes();
            digits.push(b'\n');
            return Ok(Secret::new(digits));
        }
        Key::Rsa(key) => {
            let null = der::element(0x05, &[]);
            (
                vec![der::element(0x06, &[RSA_ENCRYPTION]), null],
                key.to_pkcs1()?,
            )
        }
        Key::Ec(key) => {
            let curve = der::element(0x06, &[&key.curve().oid()]);
            (
                vec![der::element(0x06, &[EC_PUBLIC_KEY]), curve],
                key.to_sec1(),
            )
        }
    };
    let algorithm = der::element(0x30, &[&algorithm.concat()]);
    let inner = Zeroizing::new(der::element(0x04, &[inner.expose()]));
    let document = Zeroizing::new(der::element(
        0x30,
        &[&der::integer(&[0]), &algorithm, &inner],
    ));
    let base64 = Zeroizing::new(Base64::encode_string(&document));
    let mut pem = Vec::with_capacity(base64.len() + base64.len() / 64 + 80);
    pem.extend_from_slice(b"-----BEGIN PRIVATE KEY-----\n");
    for line in base64.as_bytes().chunks(64) {
        pem.extend_from_slice(line);
        pem.push(b'\n');
    }
    pem.extend_from_slice(b"-----END PRIVATE KEY-----\n");
    Ok(Secret::new(pem))
}

#[cfg(test)]
mod tests;
