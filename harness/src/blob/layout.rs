//! The outer layout of a wrapped key: what can be read without the DKEK.

use super::BLOCK;
use crate::der::{Malformed, Reader};
use crate::dkek::CheckValue;

/// Kind of the wrapped key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// 05: RSA as d, n, e.
    Rsa,
    /// 06: RSA with its CRT parts.
    RsaCrt,
    /// 0C: EC.
    Ec,
    /// 0F: AES.
    Aes,
}

impl KeyType {
    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0x05 => Some(Self::Rsa),
            0x06 => Some(Self::RsaCrt),
            0x0c => Some(Self::Ec),
            0x0f => Some(Self::Aes),
            _ => None,
        }
    }

    /// The byte that stands for it.
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            Self::Rsa => 0x05,
            Self::RsaCrt => 0x06,
            Self::Ec => 0x0c,
            Self::Aes => 0x0f,
        }
    }

    /// Content bytes of the default algorithm's object identifier that a writer uses.
    #[must_use]
    pub fn default_algorithm(self) -> &'static [u8] {
        match self {
            // id-TA-RSA-v1-5-SHA-256, id-TA-ECDSA-SHA-256 (BSI TR-03110), NIST aes.
            Self::Rsa | Self::RsaCrt => &[4, 0, 0x7f, 0, 7, 2, 2, 2, 1, 2],
            Self::Ec => &[4, 0, 0x7f, 0, 7, 2, 2, 2, 2, 3],
            Self::Aes => &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1],
        }
    }

    /// The kind in words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rsa => "RSA",
            Self::RsaCrt => "RSA with CRT parts",
            Self::Ec => "EC",
            Self::Aes => "AES",
        }
    }
}

/// A wrapped key cut into its parts; nothing of it is checked against a DKEK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blob<'a> {
    /// Check value of the DKEK it is wrapped under.
    pub check_value: CheckValue,
    /// Kind of the key.
    pub key_type: KeyType,
    /// Default algorithm, content bytes of an object identifier.
    pub default_algorithm: &'a [u8],
    /// Allowed algorithms; empty: no restriction.
    pub algorithms: &'a [u8],
    /// Access conditions: no writer is known to fill them.
    pub access: &'a [u8],
    /// Key object identifier: no writer is known to fill it.
    pub key_oid: &'a [u8],
    /// Length of everything before the cryptogram.
    pub header_len: usize,
    /// The encrypted key, whole blocks.
    pub cryptogram: &'a [u8],
    /// What the MAC covers.
    pub authenticated: &'a [u8],
    /// The MAC, 16 bytes.
    pub mac: &'a [u8],
}

impl<'a> Blob<'a> {
    /// Cuts the bytes of one wrapped key.
    ///
    /// The default algorithm may be any: firmware 3.0 to 3.2 wrote a wrong one for AES keys.
    ///
    /// # Errors
    /// [`Malformed`] with the offset of the first thing that cannot be.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let mut check_value = CheckValue([0; 8]);
        check_value
            .0
            .copy_from_slice(reader.take(8, "the key check value")?);
        let type_offset = reader.offset();
        let type_byte = reader.byte("the key type")?;
        let key_type = KeyType::from_byte(type_byte).ok_or_else(|| {
            let what = format!("key type {type_byte:02X} is none of 05, 06, 0C, 0F");
            Malformed::new(type_offset, what)
        })?;
        let mut field = |what: &str| {
            let len = reader.u16(&format!("the length of {what}"))?;
            reader.take(usize::from(len), what)
        };
        let default_algorithm = field("the default algorithm")?;
        let algorithms = field("the list of allowed algorithms")?;
        let access = field("the access conditions")?;
        let key_oid = field("the key object identifier")?;

        let header_len = reader.offset();
        let rest = reader.rest();
        let cryptogram_len = rest.len().saturating_sub(BLOCK);
        if cryptogram_len < 2 * BLOCK || !cryptogram_len.is_multiple_of(BLOCK) {
            let what = format!(
                "cryptogram and MAC must be at least three whole blocks of 16 bytes, {} bytes follow",
                rest.len()
            );
            return Err(Malformed::new(header_len, what));
        }
        let cryptogram = reader.take(cryptogram_len, "the cryptogram")?;
        let mac = reader.take(BLOCK, "the MAC")?;
        Ok(Self {
            check_value,
            key_type,
            default_algorithm,
            algorithms,
            access,
            key_oid,
            header_len,
            cryptogram,
            authenticated: bytes.get(..header_len + cryptogram_len).unwrap_or_default(),
            mac,
        })
    }
}
