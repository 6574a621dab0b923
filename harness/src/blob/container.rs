//! The file that sc-hsm-tool and the vendor's key manager keep a wrapped key in.
//!
//! ```text
//! 30 L { 04 L wrapped key,
//!        key description (30 RSA, A0 EC, A8 AES), optional
//!        certificate (30 X.509, 7F21 or 67 card verifiable), optional }
//! ```
//!
//! Readers go by position: a certificate can only follow a description. The card never sees this.

use sha1::{Digest, Sha1};

use super::layout::Blob;
use crate::der::{self, Element, Malformed, Reader};
use crate::key::Key;

const SEQUENCE: u16 = 0x30;
const OCTET_STRING: u16 = 0x04;
const UTF8_STRING: u16 = 0x0c;

/// A file with a wrapped key, bare or in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile<'a> {
    /// The wrapped key.
    pub blob: &'a [u8],
    /// Where it begins in the file: 0 when it is bare.
    pub blob_offset: usize,
    /// The key description.
    pub description: Option<Element<'a>>,
    /// The certificate or request.
    pub certificate: Option<Element<'a>>,
}

impl<'a> KeyFile<'a> {
    /// Tells a container from a bare wrapped key and takes it apart.
    ///
    /// Both begin with any byte, so what looks like a container but does not read as one is taken
    /// as bare if it reads as that.
    ///
    /// # Errors
    /// [`Malformed`] when it begins like a container and is neither.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let bare = Self {
            blob: bytes,
            blob_offset: 0,
            description: None,
            certificate: None,
        };
        if !begins_like_container(bytes) {
            return Ok(bare);
        }
        Self::parse_container(bytes).or_else(|error| match Blob::parse(bytes) {
            Ok(_) => Ok(bare),
            Err(_) => Err(error),
        })
    }

    fn parse_container(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut file = Reader::new(bytes);
        let outer = file.expect(SEQUENCE, "the container")?;
        file.finish("the container")?;
        let mut parts = outer.reader();
        let blob = parts.expect(OCTET_STRING, "the wrapped key")?;
        let mut next = || (!parts.is_empty()).then(|| parts.element()).transpose();
        let (description, certificate) = (next()?, next()?);
        parts.finish("the certificate")?;
        Ok(Self {
            blob: blob.content,
            blob_offset: blob.content_offset,
            description,
            certificate,
        })
    }

    /// The label in the key description.
    #[must_use]
    pub fn label(&self) -> Option<&'a str> {
        let common = self
            .description?
            .reader()
            .expect(SEQUENCE, "attributes")
            .ok()?;
        let label = common.reader().expect(UTF8_STRING, "the label").ok()?;
        std::str::from_utf8(label.content).ok()
    }
}

fn begins_like_container(bytes: &[u8]) -> bool {
    match bytes {
        [0x30, 0x81, _, 0x04, ..] | [0x30, 0x82, _, _, 0x04, ..] => true,
        [0x30, short, 0x04, ..] => *short < 0x80,
        _ => false,
    }
}

/// Writes a container.
#[must_use]
pub fn write(blob: &[u8], description: Option<&[u8]>, certificate: Option<&[u8]>) -> Vec<u8> {
    let blob = der::element(0x04, &[blob]);
    // Readers take the second element as description whatever it is.
    let certificate = description.and(certificate);
    der::element(
        0x30,
        &[
            &blob,
            description.unwrap_or_default(),
            certificate.unwrap_or_default(),
        ],
    )
}

/// Writes the PKCS#15 description of a key: label, id and what it may be used for.
///
/// The id of a key pair is the SHA-1 of its modulus or public point, the usual choice of PKCS#11
/// tools, so that a certificate stored later is found; a secret key gets the SHA-1 of its label.
#[must_use]
pub fn description(key: &Key, label: &str) -> Vec<u8> {
    let element = |tag, parts: &[&[u8]]| der::element(tag, parts);
    let common = element(0x30, &[&element(0x0c, &[label.as_bytes()])]);
    // Bits from the left: encipher, decipher, sign, sign-recover, wrap, unwrap, ..., derive (8).
    let (tag, id, usage, bits): (u8, [u8; 20], &[u8], usize) = match key {
        Key::Rsa(key) => {
            let n = key.modulus();
            (0x30, Sha1::digest(&n).into(), &[2, 0x74], n.len() * 8)
        }
        Key::Ec(key) => {
            let bits = usize::from(key.curve().bits);
            (
                0xa0,
                Sha1::digest(key.public()).into(),
                &[7, 0x20, 0x80],
                bits,
            )
        }
        Key::Aes(key) => (0xa8, Sha1::digest(label).into(), &[6, 0xc0], key.len() * 8),
    };
    let key_attributes = element(0x30, &[&element(0x04, &[&id]), &element(0x03, &[usage])]);
    let bits = der::integer(&bits.to_be_bytes());
    let specific = if tag == 0xa8 {
        element(0xa0, &[&element(0x30, &[&bits])])
    } else {
        let path = element(0x30, &[&element(0x04, &[])]);
        element(0xa1, &[&element(0x30, &[&path, &bits])])
    };
    element(tag, &[&common, &key_attributes, &specific])
}
