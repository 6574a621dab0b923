//! A card as a host uses it: one method for each command, and a record of what was sent.

pub mod command;
pub mod conditions;
mod custodians;
pub mod cvc;
pub mod domain;
mod keys;
mod trust;

pub use self::custodians::Quorum;
pub use self::keys::{Attributes, DERIVE_XKEK, ECDSA_SHA_256, RSA_SHA_256};

use self::command::{Command, Expect, StatusWord};
use crate::der::Malformed;
use crate::transport::{Target, TransportError};

/// Application identifier of the SmartCard-HSM.
const AID: [u8; 11] = [
    0xe8, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x81, 0xc3, 0x1f, 0x02, 0x01,
];

/// Scratch file for what is too long for one command.
const SCRATCH: u16 = 0x2f10;

/// Data bytes in one write to the scratch file: small enough for every known reader.
pub const BLOCK: usize = 240;

/// Why a command of a card came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// The card answered with another status word than 9000.
    #[error("{command} answered {status}")]
    Refused {
        /// Name of the command.
        command: &'static str,
        /// The status word.
        status: StatusWord,
    },
    /// No answer came.
    #[error("{command} got no answer: {source}")]
    Transport {
        /// Name of the command.
        command: &'static str,
        /// What happened.
        source: TransportError,
    },
    /// The answer does not read as it should.
    #[error("the answer to {command} is not understood: {what}")]
    Answer {
        /// Name of the command.
        command: &'static str,
        /// What is wrong with it.
        what: String,
    },
}

impl CardError {
    /// The status word, when the card gave one.
    #[must_use]
    pub fn status(&self) -> Option<StatusWord> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// Reads an answer, or says which answer does not read.
fn read<T>(command: &'static str, read: Result<T, Malformed>) -> Result<T, CardError> {
    read.map_err(|what| CardError::Answer {
        command,
        what: what.to_string(),
    })
}

type Outcome = Result<Vec<u8>, CardError>;

/// One command that was sent, without its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// Name of the command.
    pub name: &'static str,
    /// CLA, INS, P1, P2.
    pub header: [u8; 4],
    /// Length of the data field in bytes.
    pub sent: usize,
    /// What the card answered.
    pub status: StatusWord,
}

/// How a card is set up by INITIALIZE DEVICE.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    /// User PIN, 6 to 16 bytes.
    pub pin: &'a [u8],
    /// SO-PIN.
    pub so_pin: &'a [u8; 8],
    /// Slots for key domains.
    pub slots: u8,
}

/// A card and what was said to it.
pub struct Card {
    target: Box<dyn Target>,
    exchanges: Vec<Exchange>,
}

impl std::fmt::Debug for Card {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Card")
            .field("target", &self.target.describe())
            .finish_non_exhaustive()
    }
}

impl Card {
    /// Takes a card over; nothing is sent yet.
    #[must_use]
    pub fn new(target: Box<dyn Target>) -> Self {
        Self {
            target,
            exchanges: Vec::new(),
        }
    }

    /// Where the card is.
    #[must_use]
    pub fn describe(&self) -> String {
        self.target.describe()
    }

    /// Hands out the commands sent since the last call.
    pub fn take_exchanges(&mut self) -> Vec<Exchange> {
        std::mem::take(&mut self.exchanges)
    }

    /// Puts something between host and card, such as a reader that cuts long commands.
    #[must_use]
    pub fn through(mut self, wrap: impl FnOnce(Box<dyn Target>) -> Box<dyn Target>) -> Self {
        self.target = wrap(self.target);
        self
    }

    /// Sends bytes as they are, of any form.
    ///
    /// # Errors
    /// [`TransportError`] when no answer came.
    pub fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        self.target.transmit(command)
    }

    /// Resets the card.
    ///
    /// # Errors
    /// [`TransportError`] when it does not come back.
    pub fn reset(&mut self) -> Result<(), TransportError> {
        self.target.reset()
    }

    /// Takes the card's power and gives it back.
    ///
    /// # Errors
    /// [`TransportError`] when it does not come back.
    pub fn power_cycle(&mut self) -> Result<(), TransportError> {
        self.target.power_cycle()
    }

    /// Answer to reset.
    #[must_use]
    pub fn atr(&self) -> Vec<u8> {
        self.target.atr()
    }

    /// Sends a command; any status word is an answer.
    ///
    /// # Errors
    /// [`CardError::Transport`], and [`CardError::Answer`] when there is no status word.
    pub fn exchange(&mut self, command: &Command) -> Result<(Vec<u8>, StatusWord), CardError> {
        let name = command.name;
        let sent = self.target.transmit(&command.encode());
        let mut response = sent.map_err(|source| CardError::Transport {
            command: name,
            source,
        })?;
        let (Some(sw2), Some(sw1)) = (response.pop(), response.pop()) else {
            return Err(CardError::Answer {
                command: name,
                what: "it has no status word".into(),
            });
        };
        let status = StatusWord(u16::from_be_bytes([sw1, sw2]));
        self.exchanges.push(Exchange {
            name,
            header: command.header,
            sent: command.data.len(),
            status,
        });
        Ok((response, status))
    }

    fn run(&mut self, command: &Command) -> Result<Vec<u8>, CardError> {
        match self.exchange(command)? {
            (data, StatusWord::OK) => Ok(data),
            (_, status) => Err(CardError::Refused {
                command: command.name,
                status,
            }),
        }
    }
}

/// Session and setup.
impl Card {
    /// Resets the card and selects the applet: nobody is logged in afterwards.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn select(&mut self) -> Result<(), CardError> {
        let command = Command::new("SELECT", [0x00, 0xa4, 0x04, 0x00]);
        self.target.reset().map_err(|source| CardError::Transport {
            command: "reset",
            source,
        })?;
        self.run(&command.data(&AID).expect(Expect::Short))
            .map(|_| ())
    }

    /// Asks for the state of the SO-PIN without presenting one.
    ///
    /// # Errors
    /// [`CardError::Transport`].
    pub fn so_pin_state(&mut self) -> Result<StatusWord, CardError> {
        let command = Command::new("VERIFY status", [0x00, 0x20, 0x00, 0x88]);
        Ok(self.exchange(&command)?.1)
    }

    /// Erases the card and sets it up; the user is logged in afterwards.
    ///
    /// # Errors
    /// [`CardError::Refused`]: 63Cx when the SO-PIN is wrong, and a try is spent.
    pub fn initialize(&mut self, setup: &Setup<'_>) -> Result<(), CardError> {
        let data = zeroize::Zeroizing::new(
            [
                cvc::object(0x80, &[&[0x00, 0x01]]),
                cvc::object(0x81, &[setup.pin]),
                cvc::object(0x82, &[setup.so_pin]),
                cvc::object(0x91, &[&[3]]),
                cvc::object(0x97, &[&[setup.slots]]),
            ]
            .concat(),
        );
        let command = Command::new("INITIALIZE DEVICE", [0x80, 0x50, 0x00, 0x00]);
        self.run(&command.data(&data)).map(|_| ())
    }

    /// Draws random bytes from the card.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn challenge(&mut self) -> Result<Vec<u8>, CardError> {
        let command = Command::new("GET CHALLENGE", [0x00, 0x84, 0x00, 0x00]);
        self.run(&command.expect(Expect::Short))
    }
}

/// Files.
impl Card {
    /// Reads a whole file.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn read(&mut self, file: u16) -> Outcome {
        let [high, low] = file.to_be_bytes();
        let command = Command::new("READ BINARY", [0x00, 0xb1, high, low])
            .data(&[0x54, 2, 0, 0])
            .expect(Expect::All);
        match self.exchange(&command)? {
            (data, StatusWord::OK | StatusWord::END_OF_FILE) => Ok(data),
            (_, status) => Err(CardError::Refused {
                command: command.name,
                status,
            }),
        }
    }

    /// Writes a file in blocks of [`BLOCK`] bytes.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn write(&mut self, file: u16, content: &[u8]) -> Result<(), CardError> {
        let [high, low] = file.to_be_bytes();
        let mut offset: u16 = 0;
        for block in content.chunks(BLOCK) {
            let data = [
                cvc::object(0x54, &[&offset.to_be_bytes()]),
                cvc::object(0x53, &[block]),
            ];
            let command = Command::new("UPDATE BINARY", [0x00, 0xd7, high, low]);
            self.run(&command.data(&data.concat()))?;
            offset = u16::try_from(block.len())
                .ok()
                .and_then(|length| offset.checked_add(length))
                .ok_or(CardError::Answer {
                    command: "UPDATE BINARY",
                    what: "the content is longer than any file".into(),
                })?;
        }
        Ok(())
    }
}
