//! A wrapped key in words. Nothing secret is in here: with the DKEK the public parts are shown.

use std::fmt;

use serde::Serialize;

use super::container::KeyFile;
use super::layout::Blob;
use super::open::{self, OpenError};
use crate::dkek::Dkek;
use crate::key::Key;

/// What a wrapped key says about itself.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `bare` or `container`.
    pub form: &'static str,
    /// Length of the wrapped key itself in bytes.
    pub length: usize,
    /// Check value of its DKEK.
    pub key_check_value: String,
    /// Kind of the key.
    pub key_type: &'static str,
    /// The type byte.
    pub key_type_byte: String,
    /// Default algorithm, dotted and named where known.
    pub default_algorithm: String,
    /// Allowed algorithms in words; empty: no restriction.
    pub allowed_algorithms: Vec<String>,
    /// Access conditions in hexadecimal; normally empty.
    pub access_conditions: String,
    /// Key object identifier in hexadecimal; normally empty.
    pub key_object_identifier: String,
    /// Length of the encrypted key in bytes.
    pub cryptogram_length: usize,
    /// The MAC, which is no secret.
    pub mac: String,
    /// Label in the key description of a container.
    pub label: Option<String>,
    /// Length of the key description of a container.
    pub description_length: Option<usize>,
    /// Kind and length of the certificate of a container.
    pub certificate: Option<String>,
    /// What the DKEK opened; absent without one.
    pub opened: Option<Opened>,
}

/// The public part of an opened key.
#[derive(Debug, Serialize)]
pub struct Opened {
    /// Kind and size: `RSA-2048`, `EC secp256r1`, `AES-128`.
    pub key: String,
    /// EC: the public point.
    pub public_point: Option<String>,
    /// RSA: the modulus.
    pub modulus: Option<String>,
    /// RSA: the public exponent.
    pub public_exponent: Option<String>,
}

/// Reads a file and, with a DKEK, authenticates and opens the key in it.
///
/// # Errors
/// [`OpenError`]; offsets count from the start of the wrapped key, or of the file for a container.
pub fn report(file: &KeyFile<'_>, dkek: Option<&Dkek>) -> Result<Report, OpenError> {
    let blob = Blob::parse(file.blob)?;
    let opened = dkek.map(|dkek| open::open(file.blob, dkek)).transpose()?;
    Ok(Report {
        form: if file.blob_offset == 0 {
            "bare"
        } else {
            "container"
        },
        length: file.blob.len(),
        key_check_value: blob.check_value.to_string(),
        key_type: blob.key_type.name(),
        key_type_byte: format!("{:02X}", blob.key_type.byte()),
        default_algorithm: object_identifier(blob.default_algorithm),
        allowed_algorithms: blob.algorithms.iter().map(|id| algorithm(*id)).collect(),
        access_conditions: hex::encode_upper(blob.access),
        key_object_identifier: hex::encode_upper(blob.key_oid),
        cryptogram_length: blob.cryptogram.len(),
        mac: hex::encode_upper(blob.mac),
        label: file.label().map(|label| label.escape_debug().to_string()),
        description_length: file.description.map(|description| description.raw.len()),
        certificate: file.certificate.map(|element| {
            let kind = match element.tag {
                0x30 => "X.509 certificate",
                0x67 => "card verifiable request, authenticated",
                0x7f21 => "card verifiable certificate or request",
                _ => "unknown kind",
            };
            format!("{kind}, {} bytes", element.raw.len())
        }),
        opened: opened.as_ref().map(Opened::new),
    })
}

impl Opened {
    fn new(key: &Key) -> Self {
        let mut opened = Self {
            key: key.describe(),
            public_point: None,
            modulus: None,
            public_exponent: None,
        };
        match key {
            Key::Rsa(key) => {
                opened.modulus = Some(hex::encode_upper(key.modulus()));
                opened.public_exponent = Some(hex::encode_upper(key.public_exponent()));
            }
            Key::Ec(key) => opened.public_point = Some(hex::encode_upper(key.public())),
            Key::Aes(_) => {}
        }
        opened
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or = |text: &str, empty: &str| {
            if text.is_empty() {
                empty.to_owned()
            } else {
                text.to_owned()
            }
        };
        writeln!(
            f,
            "Form                 {}, wrapped key of {} bytes",
            self.form, self.length
        )?;
        writeln!(
            f,
            "Key check value      {} (of the DKEK)",
            self.key_check_value
        )?;
        writeln!(
            f,
            "Key type             {}, {}",
            self.key_type_byte, self.key_type
        )?;
        writeln!(f, "Default algorithm    {}", self.default_algorithm)?;
        let algorithms = self.allowed_algorithms.join("\n                     ");
        writeln!(
            f,
            "Allowed algorithms   {}",
            or(&algorithms, "no restriction")
        )?;
        writeln!(
            f,
            "Access conditions    {}",
            or(&self.access_conditions, "none")
        )?;
        writeln!(
            f,
            "Key identifier       {}",
            or(&self.key_object_identifier, "none")
        )?;
        writeln!(f, "Cryptogram           {} bytes", self.cryptogram_length)?;
        writeln!(f, "MAC                  {}", self.mac)?;
        if let Some(length) = self.description_length {
            let label = self.label.as_deref().unwrap_or("none");
            writeln!(f, "Key description      {length} bytes, label {label}")?;
        }
        if let Some(certificate) = &self.certificate {
            writeln!(f, "Certificate          {certificate}")?;
        }
        match &self.opened {
            None => write!(f, "Not verified: give the DKEK shares with --dkek"),
            Some(opened) => {
                writeln!(
                    f,
                    "Verified             the MAC fits, the key is consistent"
                )?;
                write!(f, "Key                  {}", opened.key)?;
                let parts = [
                    ("Public point         ", &opened.public_point),
                    ("Modulus              ", &opened.modulus),
                    ("Public exponent      ", &opened.public_exponent),
                ];
                for (name, part) in parts {
                    if let Some(part) = part {
                        write!(f, "\n{name}{part}")?;
                    }
                }
                Ok(())
            }
        }
    }
}

/// An algorithm id in words, as the card's algorithm list uses it.
#[must_use]
pub fn algorithm(id: u8) -> String {
    let name = match id {
        0x10 => "AES-CBC encrypt",
        0x11 => "AES-CBC decrypt",
        0x18 => "AES-CMAC",
        0x20 => "RSA raw",
        0x21 => "RSA decrypt raw",
        0x22 => "RSA decrypt PKCS#1 v1.5",
        0x23 => "RSA decrypt OAEP",
        0x30 => "RSA PKCS#1 v1.5 of a DigestInfo",
        0x31 => "RSA PKCS#1 v1.5 with SHA-1",
        0x33 => "RSA PKCS#1 v1.5 with SHA-256",
        0x34 => "RSA PKCS#1 v1.5 with SHA-384",
        0x35 => "RSA PKCS#1 v1.5 with SHA-512",
        0x40 => "RSA-PSS of a hash",
        0x41 => "RSA-PSS with SHA-1",
        0x43 => "RSA-PSS with SHA-256",
        0x44 => "RSA-PSS with SHA-384",
        0x45 => "RSA-PSS with SHA-512",
        0x70 => "ECDSA of a hash",
        0x71 => "ECDSA with SHA-1",
        0x72 => "ECDSA with SHA-224",
        0x73 => "ECDSA with SHA-256",
        0x74 => "ECDSA with SHA-384",
        0x75 => "ECDSA with SHA-512",
        0x80 => "ECDH",
        0x84 => "ECDH to an XKEK",
        0x92 => "wrap",
        0x93 => "unwrap",
        0x98 => "derive an EC key",
        0x99 => "derive (SP 800-56C)",
        0xa0 => "the key's default algorithm",
        _ => "no meaning known",
    };
    format!("{id:02X} {name}")
}

fn object_identifier(content: &[u8]) -> String {
    let name = match content {
        [4, 0, 0x7f, 0, 7, 2, 2, 2, 1, 2] => " (RSA PKCS#1 v1.5 with SHA-256)",
        [4, 0, 0x7f, 0, 7, 2, 2, 2, 2, 3] => " (ECDSA with SHA-256)",
        [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1] => " (AES)",
        _ => "",
    };
    match dotted(content) {
        Some(dotted) => format!("{dotted}{name}"),
        None => format!("{} (not an object identifier)", hex::encode_upper(content)),
    }
}

fn dotted(content: &[u8]) -> Option<String> {
    let mut arcs: Vec<u64> = Vec::new();
    let mut arc = 0_u64;
    for byte in content {
        arc = arc.checked_mul(128)? + u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            arcs.push(arc);
            arc = 0;
        }
    }
    let complete = content.last().is_some_and(|byte| byte & 0x80 == 0);
    let (first, rest) = arcs.split_first().filter(|_| complete)?;
    let root = (first / 40).min(2);
    let mut text = format!("{root}.{}", first - 40 * root);
    rest.iter()
        .for_each(|arc| text.push_str(&format!(".{arc}")));
    Some(text)
}
