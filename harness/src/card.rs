//! A card as a host uses it: one method for each command, and a record of what was sent.

pub mod command;
pub mod conditions;
pub mod cvc;
pub mod domain;

use self::command::{Command, Expect, StatusWord};
use self::conditions::Conditions;
use self::cvc::{Certificate, Chain, Kind, Request};
use self::domain::DomainStatus;
use crate::der::{Malformed, Reader};
use crate::dkek::Dkek;
use crate::judge::Public;
use crate::key::curves::Curve;
use crate::transport::{Target, TransportError};
use crate::verify::{PublicKey, plain_signature};

/// Application identifier of the SmartCard-HSM.
const AID: [u8; 11] = [
    0xe8, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x81, 0xc3, 0x1f, 0x02, 0x01,
];

/// Algorithm identifier: ECDSA over SHA-256 of the message.
pub const ECDSA_SHA_256: u8 = 0x73;
/// Algorithm identifier: RSA PKCS#1 v1.5 over SHA-256 of the message.
pub const RSA_SHA_256: u8 = 0x33;
/// Algorithm identifier: derive an XKEK.
pub const DERIVE_XKEK: u8 = 0x84;

/// Scratch file for what is too long for one command.
const SCRATCH: u16 = 0x2f10;
/// Device certificate and its issuer's.
const DEVICE_CERTIFICATES: u16 = 0x2f02;

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

/// Attributes of a new key.
#[derive(Debug, Clone, Copy, Default)]
pub struct Attributes<'a> {
    /// Slot of the key domain it belongs to.
    pub domain: Option<u8>,
    /// What it may be used for; empty: everything.
    pub algorithms: &'a [u8],
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

/// Key domains.
impl Card {
    fn manage(&mut self, name: &'static str, p1: u8, slot: u8, data: &[u8]) -> Outcome {
        let command = Command::new(name, [0x80, 0x52, p1, slot]).data(data);
        self.run(&command.expect(Expect::Short))
    }

    fn manage_and_read(
        &mut self,
        name: &'static str,
        p1: u8,
        slot: u8,
        data: &[u8],
    ) -> Result<DomainStatus, CardError> {
        let status = self.manage(name, p1, slot, data)?;
        DomainStatus::parse(&status).ok_or_else(|| CardError::Answer {
            command: name,
            what: format!("{} bytes are no status of a key domain", status.len()),
        })
    }

    /// State of a slot.
    ///
    /// # Errors
    /// [`CardError::Refused`]: 6A88 for an absent domain, 6A86 for a slot that the card has not.
    pub fn domain(&mut self, slot: u8) -> Result<DomainStatus, CardError> {
        self.manage_and_read("KEY DOMAIN status", 0x00, slot, &[])
    }

    /// Creates a DKEK domain that waits for this many shares.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn create_dkek(&mut self, slot: u8, shares: u8) -> Result<DomainStatus, CardError> {
        self.manage_and_read("KEY DOMAIN create", 0x01, slot, &[shares])
    }

    /// Imports one DKEK share.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn import_share(&mut self, slot: u8, share: &Dkek) -> Result<DomainStatus, CardError> {
        self.manage_and_read("IMPORT DKEK SHARE", 0x00, slot, share.expose())
    }

    /// Joins an XKEK domain; the device that holds the group signer must be selected, see
    /// [`Card::trust`].
    ///
    /// # Errors
    /// [`CardError::Refused`]: 6985 when the membership is another card's.
    pub fn join(&mut self, slot: u8, membership: &[u8]) -> Result<DomainStatus, CardError> {
        self.manage_and_read("KEY DOMAIN join", 0x02, slot, membership)
    }

    /// Forgets the KEK of a domain; its keys stay and go on working.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn clear_kek(&mut self, slot: u8) -> Result<DomainStatus, CardError> {
        self.manage_and_read("KEY DOMAIN clear KEK", 0x04, slot, &[])
    }

    /// Agrees on the KEK of the exchange key's domain with the sender of a request.
    ///
    /// # Errors
    /// [`CardError::Refused`]: 6A88 when the request is of another group.
    pub fn derive_xkek(&mut self, key: u8, peer: &Request) -> Result<(), CardError> {
        let command = Command::new("DERIVE XKEK", [0x80, 0x62, key, DERIVE_XKEK]);
        self.run(&command.data(&peer.content).expect(Expect::All))
            .map(|_| ())
    }

    /// As [`Card::derive_xkek`], with the request written to EF 2F10 in blocks before.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn derive_xkek_in_blocks(&mut self, key: u8, peer: &Request) -> Result<(), CardError> {
        self.write(SCRATCH, &peer.content)?;
        let command = Command::new("DERIVE XKEK", [0x80, 0x62, key, DERIVE_XKEK]);
        self.run(&command.expect(Expect::Short)).map(|_| ())
    }
}

type Outcome = Result<Vec<u8>, CardError>;

/// Trust in other devices.
impl Card {
    /// The card's own device certificate and its issuer's, EF 2F02.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn chain(&mut self) -> Result<Chain, CardError> {
        let chain = self.certificates().map(Chain::of)?;
        read("READ BINARY", chain.map_err(Malformed::from))
    }

    /// The card's own device certificate, which every device has, and those above it.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn certificates(&mut self) -> Result<(Certificate, Vec<Certificate>), CardError> {
        let file = self.read(DEVICE_CERTIFICATES)?;
        let certificates = Certificate::of_device(&file);
        read("READ BINARY", certificates.map_err(Malformed::from))
    }

    /// Makes the card verify another device's certificates and selects that device's key.
    ///
    /// Goes up until the card knows a name, then down with the certificates it lacks.
    ///
    /// # Errors
    /// [`CardError::Refused`] when it does not even know the root of the chain.
    pub fn trust(&mut self, chain: &Chain) -> Result<(), CardError> {
        let mut missing = Vec::new();
        for certificate in [&chain.device, &chain.issuer] {
            match self.select_key(&certificate.holder) {
                Ok(()) => break,
                Err(error) if error.status() == Some(StatusWord::NOT_FOUND) => {
                    missing.push(certificate);
                }
                Err(error) => return Err(error),
            }
        }
        for certificate in missing.into_iter().rev() {
            self.select_key(&certificate.authority)?;
            let verify = Command::new("VERIFY CERTIFICATE", [0x00, 0x2a, 0x00, 0xbe]);
            self.run(&verify.data(&certificate.content))?;
        }
        self.select_key(&chain.device.holder)
    }

    /// Asks for the card's half of chip authentication with this terminal's public point; returns
    /// its nonce and token. The channel that this opens ends with the next plain command.
    ///
    /// # Errors
    /// [`CardError::Refused`] when the card has no chip authentication.
    pub fn authenticate_chip(
        &mut self,
        oid: &[u8],
        point: &[u8],
    ) -> Result<[Vec<u8>; 2], CardError> {
        const NAME: &str = "GENERAL AUTHENTICATE";
        let environment = Command::new("MSE SET AT", [0x00, 0x22, 0x41, 0xa4]);
        self.run(&environment.data(&cvc::object(0x80, &[oid])))?;
        let data = cvc::object(0x7c, &[&cvc::object(0x80, &[point])]);
        let command = Command::new(NAME, [0x00, 0x86, 0x00, 0x00]);
        let answer = self.run(&command.data(&data).expect(Expect::Short))?;
        let parts = || {
            let mut outer = Reader::new(&answer);
            let mut fields = outer.expect(0x7c, "the answer")?.reader();
            let nonce = fields.expect(0x81, "the nonce")?.content.to_vec();
            let token = fields.expect(0x82, "the token")?.content.to_vec();
            Ok([nonce, token])
        };
        read(NAME, parts())
    }

    fn select_key(&mut self, name: &[u8]) -> Result<(), CardError> {
        let command = Command::new("MSE SET DST", [0x00, 0x22, 0x81, 0xb6]);
        self.run(&command.data(&cvc::object(0x83, &[name])))
            .map(|_| ())
    }
}

/// State of public-key authentication.
///
/// ```text
/// total, still to register, required, authenticated in this session
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quorum {
    /// Custodians.
    pub total: u8,
    /// How many of them are not registered yet.
    pub missing: u8,
    /// How many must authenticate.
    pub required: u8,
    /// How many have, since the applet was selected.
    pub authenticated: u8,
}

/// Public-key authentication: custodians' cards in place of the user PIN.
impl Card {
    /// Erases the card and sets it up for custodians instead of a PIN; their keys can be replaced
    /// later.
    ///
    /// # Errors
    /// As [`Card::initialize`].
    pub fn initialize_for_custodians(
        &mut self,
        so_pin: &[u8; 8],
        total: u8,
        required: u8,
    ) -> Result<(), CardError> {
        let data = zeroize::Zeroizing::new(
            [
                cvc::object(0x80, &[&[0x00, 0x09]]),
                cvc::object(0x82, &[so_pin]),
                cvc::object(0x93, &[&[total, required]]),
            ]
            .concat(),
        );
        let command = Command::new("INITIALIZE DEVICE", [0x80, 0x50, 0x00, 0x00]);
        self.run(&command.data(&data)).map(|_| ())
    }

    fn custodians(
        &mut self,
        name: &'static str,
        [p1, p2]: [u8; 2],
        request: &[u8],
    ) -> Result<Quorum, CardError> {
        let command = Command::new(name, [0x80, 0x54, p1, p2]).data(request);
        let answer = self.run(&command.expect(Expect::Short))?;
        match *answer.as_slice() {
            [total, missing, required, authenticated] => Ok(Quorum {
                total,
                missing,
                required,
                authenticated,
            }),
            _ => Err(CardError::Answer {
                command: name,
                what: format!("{} bytes are no state of custodians", answer.len()),
            }),
        }
    }

    /// How many custodians there are, and how many have authenticated.
    ///
    /// # Errors
    /// [`CardError::Refused`]: 6D00 when the card was not set up for custodians.
    pub fn quorum(&mut self) -> Result<Quorum, CardError> {
        self.custodians("PKA status", [0x00, 0x00], &[])
    }

    /// Registers the next custodian's key; the device that made it must be selected, see
    /// [`Card::trust`].
    ///
    /// # Errors
    /// [`CardError::Refused`]: 6985 when the key is registered, or all are.
    pub fn register_custodian(&mut self, key: &Request) -> Result<Quorum, CardError> {
        self.custodians("PKA register", [0x00, 0x00], &key.content)
    }

    /// Puts another key in a custodian's place, numbered from 0.
    ///
    /// # Errors
    /// [`CardError::Refused`]: 6982 when the custodians have not authenticated.
    pub fn replace_custodian(&mut self, index: u8, key: &Request) -> Result<Quorum, CardError> {
        self.custodians("PKA replace", [0x01, index], &key.content)
    }

    /// Draws what a custodian has to sign: 8 bytes.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn custodian_challenge(&mut self) -> Outcome {
        let command = Command::new("GET CHALLENGE", [0x00, 0x84, 0x00, 0x00]);
        self.run(&command.expect(Expect::Bytes(8)))
    }

    /// Selects a custodian's key by its name.
    ///
    /// # Errors
    /// [`CardError::Refused`]: 6A88 when no custodian has this name.
    pub fn select_custodian(&mut self, name: &[u8]) -> Result<(), CardError> {
        let command = Command::new("MSE SET AT", [0x00, 0x22, 0x81, 0xa4]);
        self.run(&command.data(&cvc::object(0x83, &[name])))
            .map(|_| ())
    }

    /// Presents the selected custodian's signature, r || s.
    ///
    /// # Errors
    /// [`CardError::Refused`]: 6300 when it does not verify.
    pub fn authenticate_custodian(&mut self, signature: &[u8]) -> Result<(), CardError> {
        let command = Command::new("EXTERNAL AUTHENTICATE", [0x00, 0x82, 0x00, 0x00]);
        self.run(&command.data(signature)).map(|_| ())
    }

    /// Asks whether the user counts as authenticated, without presenting a PIN.
    ///
    /// # Errors
    /// [`CardError::Transport`].
    pub fn user_state(&mut self) -> Result<StatusWord, CardError> {
        let command = Command::new("VERIFY status", [0x00, 0x20, 0x00, 0x81]);
        Ok(self.exchange(&command)?.1)
    }
}

/// Keys.
impl Card {
    /// Makes a key pair; the answer carries the public key and the device's word for it.
    ///
    /// # Errors
    /// [`CardError`], also when a signature in the answer does not verify.
    pub fn generate(
        &mut self,
        key: u8,
        kind: Kind,
        attributes: &Attributes<'_>,
        chain: &Chain,
    ) -> Result<Request, CardError> {
        const NAME: &str = "GENERATE KEY PAIR";
        let mut objects = Vec::new();
        if !attributes.algorithms.is_empty() {
            objects.extend(cvc::object(0x91, &[attributes.algorithms]));
        }
        if let Some(slot) = attributes.domain {
            objects.extend(cvc::object(0x92, &[&[slot]]));
        }
        // The host chooses the name of a key: the device's own with the key number as its serial.
        let holder = format!("{}{key:05}", chain.serial());
        let command = Command::new(NAME, [0x00, 0x46, key, 0x00])
            .data(&cvc::generation(kind, holder.as_bytes(), &objects))
            .expect(Expect::All);
        let answer = self.run(&command)?;
        let request = Request::parse(&answer, &chain.device);
        read(NAME, request.map_err(Malformed::from))
    }

    /// Signs a message; the signature comes as r || s for EC keys.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn sign(&mut self, key: u8, public: &PublicKey, message: &[u8]) -> Outcome {
        const NAME: &str = "SIGN";
        let algorithm = match &public.numbers {
            Public::Rsa(..) => RSA_SHA_256,
            Public::Ec(..) => ECDSA_SHA_256,
        };
        let command = Command::new(NAME, [0x80, 0x68, key, algorithm]);
        let signature = self.run(&command.data(message).expect(Expect::All))?;
        match &public.numbers {
            Public::Rsa(..) => Ok(signature),
            Public::Ec(curve, _) => {
                let width = Curve::by_name(curve).map_or(0, Curve::width);
                read(NAME, plain_signature(&signature, width))
            }
        }
    }

    /// Exports a key encrypted under the KEK of its domain.
    ///
    /// # Errors
    /// [`CardError::Refused`]: 6A88 when there is no such key, it is in no domain, or the domain has
    /// no KEK.
    pub fn wrap(&mut self, key: u8) -> Outcome {
        let command = Command::new("WRAP KEY", [0x80, 0x72, key, 0x92]);
        self.run(&command.expect(Expect::All))
    }

    /// Imports a wrapped key in one command.
    ///
    /// # Errors
    /// [`CardError::Refused`]: 6A80 when it is wrapped under a KEK that the card has not.
    pub fn unwrap_key(&mut self, key: u8, blob: &[u8]) -> Result<(), CardError> {
        let command = Command::new("UNWRAP KEY", [0x80, 0x74, key, 0x93]);
        self.run(&command.data(blob)).map(|_| ())
    }

    /// Imports a wrapped key through EF 2F10, in blocks that every reader passes on.
    ///
    /// # Errors
    /// As [`Card::unwrap_key`].
    pub fn unwrap_key_in_blocks(&mut self, key: u8, blob: &[u8]) -> Result<(), CardError> {
        self.write(SCRATCH, blob)?;
        let command = Command::new("UNWRAP KEY", [0x80, 0x74, key, 0x93]);
        self.run(&command).map(|_| ())
    }

    /// Deletes a key.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn delete_key(&mut self, key: u8) -> Result<(), CardError> {
        let command = Command::new("DELETE FILE", [0x00, 0xe4, 0x02, 0x00]);
        self.run(&command.data(&[0xcc, key])).map(|_| ())
    }

    /// Numbers of all keys but the device key, in ascending order.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn keys(&mut self) -> Outcome {
        let command = Command::new("ENUMERATE OBJECTS", [0x80, 0x58, 0x00, 0x00]);
        let list = self.run(&command.expect(Expect::All))?;
        let keys = list.chunks_exact(2).filter_map(|file| match file {
            [0xcc, key] if *key != 0 => Some(*key),
            _ => None,
        });
        let mut keys: Vec<u8> = keys.collect();
        keys.sort_unstable();
        Ok(keys)
    }

    /// Conditions of use of a key.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn conditions(&mut self, key: u8) -> Result<Conditions, CardError> {
        const NAME: &str = "SELECT key";
        let command = Command::new(NAME, [0x00, 0xa4, 0x02, 0x04]);
        let answer = self.run(&command.data(&[0xcc, key]).expect(Expect::Short))?;
        read(NAME, Conditions::parse(&answer))
    }

    /// Slot of the key domain that a key belongs to.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn domain_of(&mut self, key: u8) -> Result<Option<u8>, CardError> {
        Ok(self.conditions(key)?.domain)
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
