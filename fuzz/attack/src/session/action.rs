use arbitrary::Arbitrary;

use crate::apdu::{SO_PIN, USER_PIN};

/// One command.
#[derive(Arbitrary, Clone, Debug)]
pub struct Turn {
    /// Sent to the second card.
    pub second: bool,
    /// What the command does.
    pub action: Action,
    /// A change to its bytes.
    pub twist: Option<Twist>,
    /// Sent through the secure channel, when one is open.
    pub protected: bool,
    /// A change to the bytes of the protected command.
    pub tamper: Option<Twist>,
}

/// A change to the bytes of a command.
#[derive(Arbitrary, Clone, Debug)]
pub enum Twist {
    /// Another byte in the header.
    Header(u8, u8),
    /// A flipped bit.
    Flip(u16, u8),
    /// Fewer bytes.
    Cut(u16),
    /// More bytes.
    Append(Vec<u8>),
    /// Another byte anywhere.
    Put(u16, u8),
}

/// Which PIN, and whether it is right.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Code {
    /// The user PIN of the fixture.
    User,
    /// The SO-PIN of the fixture.
    So,
    /// Another user PIN, for changing to and for presenting wrongly.
    OtherUser,
    /// Another SO-PIN.
    OtherSo,
    /// Nothing.
    Empty,
}

impl Code {
    pub(super) fn bytes(self) -> &'static [u8] {
        match self {
            Self::User => USER_PIN,
            Self::So => SO_PIN,
            Self::OtherUser => b"970531",
            Self::OtherSo => b"19283746",
            Self::Empty => &[],
        }
    }
}

/// What a command does.
#[derive(Arbitrary, Clone, Debug)]
#[expect(missing_docs, reason = "the names are those of the commands")]
pub enum Action {
    Select,
    SelectFile {
        kind: u8,
        number: u8,
        p2: u8,
    },
    Reset,
    PowerCycle,
    Verify {
        so: bool,
        code: Code,
    },
    Change {
        so: bool,
        old: Code,
        new: Code,
    },
    ResetCounter {
        p1: u8,
        so: Code,
        new: Code,
    },
    Initialize {
        options: u8,
        pin: Code,
        so: Code,
        tries: Option<u8>,
        dkek: Option<u8>,
        quorum: Option<(u8, u8)>,
        slots: Option<u8>,
    },
    Share {
        slot: u8,
        byte: u8,
    },
    Domain {
        action: u8,
        slot: u8,
        shares: Option<u8>,
    },
    Join {
        slot: u8,
        card: bool,
    },
    GenerateEc {
        key: u8,
        curve: u8,
        uses: Option<u8>,
        algorithms: Option<Vec<u8>>,
        domain: Option<u8>,
    },
    GenerateAes {
        key: u8,
        size: u8,
        uses: Option<u8>,
        algorithms: Option<Vec<u8>>,
        domain: Option<u8>,
    },
    Sign {
        key: u8,
        algorithm: u8,
        data: Vec<u8>,
    },
    Decipher {
        key: u8,
        algorithm: u8,
        data: Operand,
    },
    Cipher {
        key: u8,
        algorithm: u8,
        blocks: u8,
        data: u8,
    },
    Wrap {
        key: u8,
    },
    Unwrap {
        key: u8,
        blob: u8,
    },
    UnwrapScratch {
        key: u8,
    },
    Write {
        kind: u8,
        number: u8,
        offset: u8,
        content: Vec<u8>,
    },
    WriteCurrent {
        offset: u8,
        content: Vec<u8>,
    },
    Scratch {
        paper: Operand,
    },
    Read {
        kind: u8,
        number: u8,
        offset: u8,
        le: u8,
    },
    ReadCurrent {
        offset: u8,
        le: u8,
    },
    Delete {
        kind: u8,
        number: u8,
    },
    Enumerate,
    Challenge {
        length: u8,
    },
    SelectKey {
        authentication: bool,
        name: u8,
    },
    VerifyCertificate {
        certificate: u8,
    },
    Trust {
        peer: bool,
    },
    Register {
        index: u8,
    },
    Derive {
        key: u8,
        new: u8,
        parameter: u8,
    },
    SessionPin {
        p1: u8,
    },
    Custodians {
        p1: u8,
        p2: u8,
    },
    Authenticate {
        right: bool,
    },
    OpenChannel,
    VerifySessionPin,
    Enrol {
        required: u8,
        options: u8,
    },
    Raw(Vec<u8>),
}

/// Input of a key operation.
#[derive(Arbitrary, Clone, Debug)]
pub enum Operand {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The base point of P-256 or of the device's curve.
    Point(bool),
    /// So many equal bytes.
    Block(u8),
    /// The exchange request of a card.
    Exchange(bool),
    /// The membership of a card.
    Membership(bool),
    /// The custodian's request.
    Custodian,
    /// The blob of the fixture.
    Blob,
}

impl Twist {
    /// Makes the change.
    pub(super) fn apply(&self, command: &mut Vec<u8>) {
        let at = |position: u16, length: usize| usize::from(position) % length.max(1);
        let length = command.len();
        match self {
            Self::Header(position, value) => {
                if let Some(byte) = command.get_mut(at(u16::from(*position), length.min(4))) {
                    *byte = *value;
                }
            }
            Self::Flip(position, bit) => {
                if let Some(byte) = command.get_mut(at(*position, length)) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Self::Cut(position) => command.truncate(at(*position, length)),
            Self::Append(more) => command.extend_from_slice(&more[..more.len().min(2048)]),
            Self::Put(position, value) => {
                if let Some(byte) = command.get_mut(at(*position, length)) {
                    *byte = *value;
                }
            }
        }
    }
}
