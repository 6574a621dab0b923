//! Identifiers of files, keys and key domains.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Number of a key on the card, 00 to FF; 00 is the device authentication key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyId(pub u8);

impl KeyId {
    /// The device authentication key; it is made when the card is personalised.
    pub const DEVICE: Self = Self(0);
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X}", self.0)
    }
}

/// Number of a key-domain slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DomainId(pub u8);

/// Identifier of an elementary file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId(pub u16);

/// What a file identifier stands for, by its high byte.
///
/// Source: the table of file identifiers in the hosts' common object model; identifiers that
/// have no use of their own are ordinary files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// 2F02: device and issuer certificate; made by the card, never written by a host.
    DeviceCertificates,
    /// 2F10: scratch file for a key blob or a request that does not fit one command.
    Scratch,
    /// CCxx: a key; its content is never readable.
    Key(KeyId),
    /// CDxx: a data object that only the authenticated user may read.
    PrivateData,
    /// Everything else: anyone reads, the authenticated user writes.
    Public,
    /// 0000, 3F00, 3FFF and FFFF: reserved by ISO/IEC 7816-4, never a file.
    Reserved,
}

impl FileId {
    /// EF.C_DevAut: device certificate followed by the device issuer's certificate.
    pub const DEVICE_CERTIFICATES: Self = Self(0x2F02);
    /// EF.TokenInfo: the token's label.
    pub const TOKEN_INFO: Self = Self(0x2F03);
    /// Scratch file, see [`FileKind::Scratch`].
    pub const SCRATCH: Self = Self(0x2F10);

    /// CCxx, the file of a key.
    #[must_use]
    pub fn of_key(key: KeyId) -> Self {
        Self::with_prefix(0xCC, key)
    }

    /// CExx, the request or certificate that belongs to a key.
    #[must_use]
    pub fn of_certificate(key: KeyId) -> Self {
        Self::with_prefix(0xCE, key)
    }

    /// C4xx, the description of a key that hosts write.
    #[must_use]
    pub fn of_description(key: KeyId) -> Self {
        Self::with_prefix(0xC4, key)
    }

    /// What this identifier stands for.
    #[must_use]
    pub fn kind(self) -> FileKind {
        match self.0.to_be_bytes() {
            [0x2F, 0x02] => FileKind::DeviceCertificates,
            [0x2F, 0x10] => FileKind::Scratch,
            [0xCC, id] => FileKind::Key(KeyId(id)),
            [0xCD, _] => FileKind::PrivateData,
            [0, 0] | [0x3F, 0 | 0xFF] | [0xFF, 0xFF] => FileKind::Reserved,
            _ => FileKind::Public,
        }
    }

    fn with_prefix(prefix: u8, key: KeyId) -> Self {
        Self(u16::from_be_bytes([prefix, key.0]))
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

impl fmt::Debug for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileId({self})")
    }
}
