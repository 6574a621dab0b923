//! The card's non-volatile memory: typed records over a [`Store`], changed in transactions.
//!
//! A command changes records freely; [`Memory::commit`] makes all its changes durable together
//! and [`Memory::rollback`] undoes them, so that a command that fails has changed nothing.

mod contents;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::domain::{DomainLayout, KeyDomain};
use crate::id::{DomainId, FileId, FileKind, KeyId};
use crate::identity::Device;
use crate::key::Key;
use crate::pin::{Pin, PinReference};
use crate::pka::{Custodian, Quorum};
use crate::profile::Footprint;
use crate::secret::Secret;
use crate::status::StatusWord;
use crate::store::{Change, RecordName, Store, StoreError};

pub(crate) use contents::Contents;

/// The option bits of INITIALIZE DEVICE, tag 80.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options(u16);

impl Options {
    /// 0001: RESET RETRY COUNTER is enabled.
    pub const RESET_RETRY_COUNTER: Self = Self(0x0001);
    /// 0002: the user PIN is a transport PIN.
    pub const TRANSPORT_PIN: Self = Self(0x0002);
    /// 0004: there may be a session PIN, which a reset clears.
    pub const SESSION_PIN: Self = Self(0x0004);
    /// 000C: there may be a session PIN, which stays until it is cleared.
    pub const LASTING_SESSION_PIN: Self = Self(0x000C);
    /// 0008, without 0004: registered keys may be replaced.
    pub const REPLACEABLE_KEYS: Self = Self(0x0008);
    /// 0010: user PIN and registered keys are both needed.
    pub const PIN_AND_KEYS: Self = Self(0x0010);
    /// 0020: RESET RETRY COUNTER unblocks only and sets no new PIN.
    pub const RESET_ONLY: Self = Self(0x0020);

    /// Bits that a host may set.
    const KNOWN: u16 = Self::RESET_RETRY_COUNTER.0
        | Self::TRANSPORT_PIN.0
        | Self::LASTING_SESSION_PIN.0
        | Self::PIN_AND_KEYS.0
        | Self::RESET_ONLY.0;

    /// These bits.
    #[must_use]
    pub fn all_of(bits: u16) -> Self {
        Self(bits)
    }

    /// Decodes the value of tag 80: 2 bytes; `None` for another length or an unknown bit.
    #[must_use]
    pub fn from_bytes(value: &[u8]) -> Option<Self> {
        let bits = u16::from_be_bytes(value.try_into().ok()?);
        (bits & !Self::KNOWN == 0).then_some(Self(bits))
    }

    /// True when all bits of `other` are set.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// True when registered keys may be replaced: with 0004, 0008 is about the session PIN.
    /// (inferred: the values 0004, 000C and 0008 are named, and no other)
    #[must_use]
    pub fn let_keys_be_replaced(self) -> bool {
        self.has(Self::REPLACEABLE_KEYS) && !self.has(Self::SESSION_PIN)
    }

    /// The two bytes of tag 80.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }
}

/// RESET RETRY COUNTER enabled, nothing else: what hosts send normally.
impl Default for Options {
    fn default() -> Self {
        Self::RESET_RETRY_COUNTER
    }
}

/// What INITIALIZE DEVICE fixed until the next INITIALIZE DEVICE.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Setup {
    /// The options of tag 80.
    pub options: Options,
    /// How key domains were allotted.
    pub domains: DomainLayout,
    /// Public key authentication, when it was set up.
    pub quorum: Option<Quorum>,
}

/// An elementary file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct File {
    /// Order of creation among all files of the card.
    pub sequence: u32,
    /// The content; a data object may be as secret as a key.
    pub content: Secret,
}

/// One record; its serialised form is what the store keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Record {
    Device(Arc<Device>),
    Setup(Arc<Setup>),
    Pin(Arc<Pin>),
    Domain(Arc<KeyDomain>),
    Key(Arc<Key>),
    File(Arc<File>),
    Custodian(Arc<Custodian>),
    SessionPin(Arc<Secret>),
}

/// Names of records. The first byte is the kind and is never given to another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Device,
    Setup,
    UserPin,
    SecurityOfficerPin,
    Domain(DomainId),
    Key(KeyId),
    File(FileId),
    Custodian(u8),
    SessionPin,
}

impl Name {
    fn to_bytes(self) -> RecordName {
        match self {
            Self::Device => vec![0x01],
            Self::Setup => vec![0x02],
            Self::UserPin => vec![0x03],
            Self::SecurityOfficerPin => vec![0x04],
            Self::Domain(DomainId(slot)) => vec![0x05, slot],
            Self::Key(KeyId(id)) => vec![0x06, id],
            Self::File(FileId(id)) => {
                let [high, low] = id.to_be_bytes();
                vec![0x07, high, low]
            }
            Self::Custodian(index) => vec![0x08, index],
            Self::SessionPin => vec![0x09],
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(match *bytes {
            [0x01] => Self::Device,
            [0x02] => Self::Setup,
            [0x03] => Self::UserPin,
            [0x04] => Self::SecurityOfficerPin,
            [0x05, slot] => Self::Domain(DomainId(slot)),
            [0x06, id] => Self::Key(KeyId(id)),
            [0x08, index] => Self::Custodian(index),
            [0x09] => Self::SessionPin,
            [0x07, high, low] => Self::File(FileId(u16::from_be_bytes([high, low]))),
            _ => return None,
        })
    }

    fn of_pin(reference: PinReference) -> Self {
        match reference {
            PinReference::User => Self::UserPin,
            PinReference::SecurityOfficer => Self::SecurityOfficerPin,
        }
    }

    fn fits(self, record: &Record) -> bool {
        matches!(
            (self, record),
            (Self::Device, Record::Device(_))
                | (Self::Setup, Record::Setup(_))
                | (Self::UserPin | Self::SecurityOfficerPin, Record::Pin(_))
                | (Self::Domain(_), Record::Domain(_))
                | (Self::Key(_), Record::Key(_))
                | (Self::File(_), Record::File(_))
                | (Self::Custodian(_), Record::Custodian(_))
                | (Self::SessionPin, Record::SessionPin(_))
        )
    }
}

/// Why a card's memory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store itself failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record is not what this version writes.
    #[error("record {0} is damaged or was written by another version of this program")]
    Record(String),
    /// There is no device identity: the store was never personalised.
    #[error("the store holds no device identity; it was never personalised as a card")]
    NotPersonalised,
}

/// Bytes that a file takes of the card's memory besides its content. (inferred)
const FILE_OVERHEAD: usize = 16;

/// The memory of one card.
pub struct Memory {
    store: Box<dyn Store>,
    records: BTreeMap<Name, Record>,
    /// Records as they were before the command, in order of change.
    undo: Vec<(Name, Option<Record>)>,
    /// Why the last failed commit failed, until somebody asks.
    fault: Option<StoreError>,
}

/// Reading.
impl Memory {
    /// Opens the memory that a store keeps.
    ///
    /// # Errors
    ///
    /// When the store fails, a record does not decode, or there is no device identity.
    pub fn open(mut store: Box<dyn Store>) -> Result<Self, OpenError> {
        let mut records = BTreeMap::new();
        for (name, value) in store.load()? {
            let damaged = || OpenError::Record(hex::encode(&name));
            let parsed = Name::from_bytes(&name).ok_or_else(damaged)?;
            let record: Record = postcard::from_bytes(&value).map_err(|_| damaged())?;
            if !parsed.fits(&record) {
                return Err(damaged());
            }
            records.insert(parsed, record);
        }
        if !records.contains_key(&Name::Device) {
            return Err(OpenError::NotPersonalised);
        }
        Ok(Self {
            store,
            records,
            undo: Vec::new(),
            fault: None,
        })
    }

    /// Personalises an empty store: writes the device identity and nothing else.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn personalise(store: Box<dyn Store>, device: Device) -> Result<Self, StoreError> {
        let mut memory = Self {
            store,
            records: BTreeMap::new(),
            undo: Vec::new(),
            fault: None,
        };
        memory.set(Name::Device, Some(Record::Device(Arc::new(device))));
        memory.flush()?;
        Ok(memory)
    }

    /// The device identity.
    ///
    /// # Errors
    ///
    /// [`StatusWord::InternalError`] (6F00) if there is none, which [`Memory::open`] rules out.
    pub fn device(&self) -> Result<&Arc<Device>, StatusWord> {
        match self.records.get(&Name::Device) {
            Some(Record::Device(device)) => Ok(device),
            _ => Err(StatusWord::InternalError),
        }
    }

    /// What INITIALIZE DEVICE fixed; `None` on a virgin card.
    #[must_use]
    pub fn setup(&self) -> Option<&Setup> {
        match self.records.get(&Name::Setup) {
            Some(Record::Setup(setup)) => Some(setup),
            _ => None,
        }
    }

    /// The options of INITIALIZE DEVICE; none on a virgin card.
    #[must_use]
    pub fn options(&self) -> Options {
        self.setup().map_or(Options(0), |setup| setup.options)
    }

    /// How key domains were allotted; none on a virgin card.
    #[must_use]
    pub fn layout(&self) -> DomainLayout {
        self.setup()
            .map_or(DomainLayout::None, |setup| setup.domains)
    }

    /// A PIN.
    ///
    /// # Errors
    ///
    /// [`StatusWord::ReferencedDataNotFound`] (6A88) when it was never set.
    pub fn pin(&self, reference: PinReference) -> Result<&Arc<Pin>, StatusWord> {
        match self.records.get(&Name::of_pin(reference)) {
            Some(Record::Pin(pin)) => Ok(pin),
            _ => Err(StatusWord::ReferencedDataNotFound),
        }
    }

    /// The session PIN that outlasts a reset; one that does not is no record.
    #[must_use]
    pub fn session_pin(&self) -> Option<&Secret> {
        match self.records.get(&Name::SessionPin) {
            Some(Record::SessionPin(pin)) => Some(pin),
            _ => None,
        }
    }

    /// The state of a key-domain slot; absent slots have no record.
    #[must_use]
    pub fn domain(&self, slot: DomainId) -> Option<&Arc<KeyDomain>> {
        match self.records.get(&Name::Domain(slot)) {
            Some(Record::Domain(domain)) => Some(domain),
            _ => None,
        }
    }

    /// A registered key of public key authentication.
    ///
    /// # Errors
    ///
    /// [`StatusWord::ReferencedDataNotFound`] (6A88) when none has this number.
    pub fn custodian(&self, index: u8) -> Result<&Arc<Custodian>, StatusWord> {
        match self.records.get(&Name::Custodian(index)) {
            Some(Record::Custodian(custodian)) => Ok(custodian),
            _ => Err(StatusWord::ReferencedDataNotFound),
        }
    }

    /// A key that hosts may use; the device key is not among them.
    ///
    /// # Errors
    ///
    /// [`StatusWord::ReferencedDataNotFound`] (6A88) when there is none. Source: the answer of a
    /// genuine token to WRAP with a wrong key reference.
    pub fn key(&self, id: KeyId) -> Result<&Arc<Key>, StatusWord> {
        match self.records.get(&Name::Key(id)) {
            Some(Record::Key(key)) => Ok(key),
            _ => Err(StatusWord::ReferencedDataNotFound),
        }
    }

    /// All keys but the device key, in order of their numbers.
    pub fn keys(&self) -> impl Iterator<Item = (KeyId, &Key)> {
        self.records
            .iter()
            .filter_map(|(name, record)| match (name, record) {
                (Name::Key(id), Record::Key(key)) => Some((*id, key.as_ref())),
                _ => None,
            })
    }

    /// An elementary file.
    ///
    /// # Errors
    ///
    /// [`StatusWord::FileNotFound`] (6A82) when there is none.
    pub fn file(&self, id: FileId) -> Result<&Arc<File>, StatusWord> {
        match self.records.get(&Name::File(id)) {
            Some(Record::File(file)) => Ok(file),
            _ => Err(StatusWord::FileNotFound),
        }
    }

    /// All elementary files in order of their creation.
    #[must_use]
    pub fn files(&self) -> Vec<(FileId, &File)> {
        let mut files: Vec<_> = self
            .records
            .iter()
            .filter_map(|(name, record)| match (name, record) {
                (Name::File(id), Record::File(file)) => Some((*id, file.as_ref())),
                _ => None,
            })
            .collect();
        files.sort_by_key(|(_, file)| file.sequence);
        files
    }

    /// Bytes that keys and files take, when keys take this much.
    #[must_use]
    pub fn used(&self, keys: &Footprint) -> usize {
        self.records
            .values()
            .map(|record| match record {
                Record::Key(key) => key.material.footprint(keys),
                Record::File(file) => FILE_OVERHEAD + file.content.len(),
                _ => 0,
            })
            .sum()
    }
}

/// Changing. Nothing is durable before [`Memory::commit`].
impl Memory {
    /// Replaces what INITIALIZE DEVICE fixed.
    pub fn set_setup(&mut self, setup: Setup) {
        self.set(Name::Setup, Some(Record::Setup(Arc::new(setup))));
    }

    /// Replaces or, with `None`, removes a PIN.
    pub fn set_pin(&mut self, reference: PinReference, pin: Option<Pin>) {
        self.set(
            Name::of_pin(reference),
            pin.map(|pin| Record::Pin(Arc::new(pin))),
        );
    }

    /// Replaces or, with `None`, removes the session PIN that outlasts a reset.
    pub fn set_session_pin(&mut self, pin: Option<Secret>) {
        self.set(
            Name::SessionPin,
            pin.map(|pin| Record::SessionPin(Arc::new(pin))),
        );
    }

    /// Replaces or, with `None`, makes absent a key-domain slot.
    pub fn set_domain(&mut self, slot: DomainId, domain: Option<KeyDomain>) {
        self.set(
            Name::Domain(slot),
            domain.map(|domain| Record::Domain(Arc::new(domain))),
        );
    }

    /// Registers or replaces a key of public key authentication.
    pub fn set_custodian(&mut self, index: u8, custodian: Custodian) {
        self.set(
            Name::Custodian(index),
            Some(Record::Custodian(Arc::new(custodian))),
        );
    }

    /// Stores a key under a number that may be in use.
    pub fn put_key(&mut self, id: KeyId, key: Key) {
        self.set(Name::Key(id), Some(Record::Key(Arc::new(key))));
    }

    /// Stores the content of a file; a new file comes last in the order of creation.
    pub fn put_file(&mut self, id: FileId, content: Secret) {
        let sequence = self.file(id).map_or_else(
            |_| {
                self.files()
                    .last()
                    .map_or(0, |(_, last)| last.sequence.saturating_add(1))
            },
            |file| file.sequence,
        );
        self.set(
            Name::File(id),
            Some(Record::File(Arc::new(File { sequence, content }))),
        );
    }

    /// Removes a file, or the key when `id` is the file of a key.
    ///
    /// # Errors
    ///
    /// [`StatusWord::FileNotFound`] (6A82) when there is none.
    pub fn remove_file(&mut self, id: FileId) -> Result<(), StatusWord> {
        let name = match id.kind() {
            FileKind::Key(key) => Name::Key(key),
            _ => Name::File(id),
        };
        if !self.records.contains_key(&name) {
            return Err(StatusWord::FileNotFound);
        }
        self.set(name, None);
        Ok(())
    }

    /// Removes everything but the device identity.
    pub fn wipe(&mut self) {
        let names: Vec<_> = self
            .records
            .keys()
            .copied()
            .filter(|name| *name != Name::Device)
            .collect();
        for name in names {
            self.set(name, None);
        }
    }

    /// Makes all changes since the last commit durable, together.
    ///
    /// # Errors
    ///
    /// [`StatusWord::MemoryFailure`] (6581) when the store could not; everything is then as it
    /// was after the last commit.
    pub fn commit(&mut self) -> Result<(), StatusWord> {
        self.flush().map_err(|fault| {
            self.fault = Some(fault);
            StatusWord::MemoryFailure
        })
    }

    /// Why a commit failed, once: the status word alone tells a person too little.
    pub fn take_fault(&mut self) -> Option<StoreError> {
        self.fault.take()
    }

    /// Undoes all changes since the last commit.
    pub fn rollback(&mut self) {
        while let Some((name, before)) = self.undo.pop() {
            match before {
                Some(record) => self.records.insert(name, record),
                None => self.records.remove(&name),
            };
        }
    }

    fn set(&mut self, name: Name, record: Option<Record>) {
        let before = match record {
            Some(record) => self.records.insert(name, record),
            None => self.records.remove(&name),
        };
        self.undo.push((name, before));
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        if self.undo.is_empty() {
            return Ok(());
        }
        let result = self
            .changes()
            .and_then(|changes| self.store.commit(&changes));
        match result {
            Ok(()) => self.undo.clear(),
            Err(_) => self.rollback(),
        }
        result
    }

    /// The changes since the last commit, one for each record.
    fn changes(&self) -> Result<Vec<Change>, StoreError> {
        let mut names: Vec<_> = self.undo.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        names
            .into_iter()
            .map(|name| match self.records.get(&name) {
                Some(record) => Ok(Change::Put(name.to_bytes(), encode(record)?)),
                None => Ok(Change::Delete(name.to_bytes())),
            })
            .collect()
    }
}

fn encode(record: &Record) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    // The size is asked for first so that no reallocation leaves a copy of a secret behind.
    let size = postcard::experimental::serialized_size(record).map_err(encoding_failed)?;
    let mut bytes = Zeroizing::new(vec![0; size]);
    postcard::to_slice(record, &mut bytes).map_err(encoding_failed)?;
    Ok(bytes)
}

fn encoding_failed(error: postcard::Error) -> StoreError {
    StoreError::Encoding(error.to_string())
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory")
            .field("records", &self.records.len())
            .finish_non_exhaustive()
    }
}
