//! Secure messaging: commands and responses that are encrypted and authenticated with AES-128.
//!
//! It lies between the transport and the commands: a command is unprotected, run like any other,
//! and its response protected. The keys come from chip authentication, see [`agreement`].
//!
//! ```text
//! command    CLA|0C INS P1 P2 Lc { [87 01‖cryptogram | 85 cryptogram] [97 Le] 8E 08 MAC } Le
//! response   { [87 01‖cryptogram | 85 cryptogram] 99 02 SW 8E 08 MAC } SW
//! ```
//!
//! 87 goes with even instructions and 85 with odd ones, in both directions; it is absent without
//! data. 97 has one byte, or two for an extended Le. Data are padded with 80 00… to whole blocks,
//! always, and encrypted in CBC mode; the initial vector is the encrypted counter.
//!
//! The counter begins at zero and is incremented before each command and before each response, so
//! that nothing can be replayed, left out or reordered. The MAC is the first half of the CMAC of
//!
//! ```text
//! counter(16) ‖ [header(4) 80 00…] ‖ objects ‖ [80 00…]
//! ```
//!
//! with the header for commands only, and the last padding for all but a command without 85, 87
//! and 97. Source: the vendor's host, whose steps are computed in `vectors/sm.json`.

use zeroize::Zeroizing;

use crate::apdu::{CommandApdu, Response};
use crate::crypto::symmetric::{self, BLOCK};
use crate::secret::Secret;
use crate::status::StatusWord;
use crate::tlv::{Element, Reader, Writer};

pub(crate) mod agreement;

/// Bits of CLA that ask for secure messaging with an authenticated header.
const PROTECTED: u8 = 0x0C;

/// Bytes of a MAC on the wire: the first half of the CMAC.
const MAC: usize = 8;

/// First byte of the value of 87: padding 80 00….
const PADDING_INDICATOR: u8 = 0x01;

/// Data objects.
mod tag {
    /// Cryptogram behind a padding indicator.
    pub(super) const CRYPTOGRAM_INDICATED: u16 = 0x87;
    /// Cryptogram alone.
    pub(super) const CRYPTOGRAM: u16 = 0x85;
    pub(super) const LE: u16 = 0x97;
    pub(super) const STATUS: u16 = 0x99;
    pub(super) const MAC: u16 = 0x8E;
}

/// Whether a command asks for what this module gives.
pub(crate) fn is_protected(cla: u8) -> bool {
    cla & !0x80 == PROTECTED
}

/// Which object holds the cryptogram of a command with this instruction, and of its response.
fn cryptogram_tag(ins: u8) -> u16 {
    match ins % 2 {
        0 => tag::CRYPTOGRAM_INDICATED,
        _ => tag::CRYPTOGRAM,
    }
}

/// Keys of one channel; wiped when the channel and its last [`Reply`] are gone.
#[derive(Clone, Debug)]
struct Keys {
    encryption: Secret,
    mac: Secret,
}

impl Keys {
    fn initial_vector(&self, counter: u128) -> Result<[u8; BLOCK], StatusWord> {
        let block = symmetric::aes_cbc_encrypt(
            self.encryption.expose(),
            &[0; BLOCK],
            &counter.to_be_bytes(),
        )?;
        block.try_into().map_err(|_| StatusWord::InternalError)
    }

    fn encrypt(&self, counter: u128, data: &[u8]) -> Result<Vec<u8>, StatusWord> {
        let mut padded = Zeroizing::new(Vec::with_capacity(padded_length(data.len())));
        padded.extend_from_slice(data);
        pad(&mut padded);
        let iv = self.initial_vector(counter)?;
        Ok(symmetric::aes_cbc_encrypt(
            self.encryption.expose(),
            &iv,
            &padded,
        )?)
    }

    /// Decrypts and takes the padding off; `None` when it is no padding.
    fn decrypt(&self, counter: u128, cryptogram: &[u8]) -> Result<Option<Secret>, StatusWord> {
        let iv = self.initial_vector(counter)?;
        let padded = symmetric::aes_cbc_decrypt(self.encryption.expose(), &iv, cryptogram)?;
        let padded = Zeroizing::new(padded);
        Ok(unpadded(&padded).map(Secret::from))
    }
}

/// An open channel.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    keys: Keys,
    /// Send sequence counter, of the last command or response.
    counter: u128,
}

/// A command as it was before its protection.
#[derive(Debug)]
pub(crate) struct Unprotected {
    cla: u8,
    ins: u8,
    p1: u8,
    p2: u8,
    data: Option<Secret>,
    ne: Option<usize>,
}

impl Unprotected {
    pub(crate) fn apdu(&self) -> CommandApdu<'_> {
        CommandApdu {
            cla: self.cla,
            ins: self.ins,
            p1: self.p1,
            p2: self.p2,
            data: self.data.as_ref().map(Secret::expose).unwrap_or_default(),
            ne: self.ne,
        }
    }
}

/// The objects of a protected command's data field.
struct Objects<'a> {
    cryptogram: Option<Element<'a>>,
    le: Option<Element<'a>>,
    mac: &'a [u8],
    /// The complete 85 or 87, then 97.
    authenticated: &'a [u8],
}

impl<'a> Objects<'a> {
    /// Reads the objects in their order.
    fn parse(ins: u8, data: &'a [u8]) -> Result<Self, StatusWord> {
        const WRONG: StatusWord = StatusWord::SecureMessagingObjectWrong;
        let mut reader = Reader::new(data);
        let cryptogram = reader.optional(cryptogram_tag(ins)).map_err(|_| WRONG)?;
        let le = reader.optional(tag::LE).map_err(|_| WRONG)?;
        let authenticated = data.len() - reader.remaining().len();
        if reader.is_empty() {
            return Err(StatusWord::SecureMessagingObjectMissing);
        }
        let mac = reader.expect(tag::MAC).map_err(|_| WRONG)?.value;
        reader.finish().map_err(|_| WRONG)?;
        Ok(Self {
            cryptogram,
            le,
            mac,
            authenticated: data.get(..authenticated).unwrap_or_default(),
        })
    }

    /// The cryptogram itself, whole blocks; `None` when there is no object.
    fn cryptogram(&self) -> Result<Option<&'a [u8]>, StatusWord> {
        let Some(object) = self.cryptogram else {
            return Ok(None);
        };
        let blocks = match (object.tag, object.value) {
            (tag::CRYPTOGRAM, blocks) => blocks,
            (_, [PADDING_INDICATOR, blocks @ ..]) => blocks,
            _ => return Err(StatusWord::SecureMessagingObjectWrong),
        };
        if blocks.is_empty() || blocks.len() % BLOCK != 0 {
            return Err(StatusWord::SecureMessagingObjectWrong);
        }
        Ok(Some(blocks))
    }

    fn ne(&self) -> Result<Option<usize>, StatusWord> {
        match self.le.map(|object| object.value) {
            None => Ok(None),
            Some([le]) => Ok(Some(CommandApdu::short_ne(*le))),
            Some([high, low]) => Ok(Some(CommandApdu::extended_ne(*high, *low))),
            Some(_) => Err(StatusWord::SecureMessagingObjectWrong),
        }
    }
}

impl Channel {
    /// A new channel with these keys.
    fn new(encryption: Secret, mac: Secret) -> Self {
        Self {
            keys: Keys { encryption, mac },
            counter: 0,
        }
    }

    /// Takes the protection off a command, and gives what protects its response.
    ///
    /// The inner Le is lowered to what the protected response has room for, in the outer Le and
    /// in a response buffer of `buffer` bytes, status word included. (inferred)
    ///
    /// # Errors
    ///
    /// The caller answers them without protection and drops the channel.
    ///
    /// | word | when |
    /// |---|---|
    /// | 6987 | 8E is missing |
    /// | 6988 | an object is malformed, unknown, doubled or out of order; the MAC or the padding is wrong |
    /// | 6700 | there is no outer Le: the response would have no room |
    ///
    /// Source: the vendor's host knows 6987 and 6988; which goes with what is inferred.
    pub(crate) fn unprotect(
        &mut self,
        apdu: &CommandApdu<'_>,
        buffer: usize,
    ) -> Result<(Unprotected, Reply), StatusWord> {
        self.counter = self.counter.wrapping_add(1);
        let objects = Objects::parse(apdu.ins, apdu.data)?;
        self.check_mac(apdu, &objects)?;
        let data = match objects.cryptogram()? {
            None => None,
            Some(blocks) => Some(
                self.keys
                    .decrypt(self.counter, blocks)?
                    .ok_or(StatusWord::SecureMessagingObjectWrong)?,
            ),
        };
        let outer_ne = apdu.ne.ok_or(StatusWord::WrongLength)?;
        let room = most_data(outer_ne.min(buffer.saturating_sub(2)));
        let command = Unprotected {
            cla: apdu.cla & !PROTECTED,
            ins: apdu.ins,
            p1: apdu.p1,
            p2: apdu.p2,
            data,
            ne: objects.ne()?.map(|ne| ne.min(room)),
        };
        self.counter = self.counter.wrapping_add(1);
        let reply = Reply {
            keys: self.keys.clone(),
            counter: self.counter,
            cryptogram_tag: cryptogram_tag(apdu.ins),
        };
        Ok((command, reply))
    }

    fn check_mac(&self, apdu: &CommandApdu<'_>, objects: &Objects<'_>) -> Result<(), StatusWord> {
        if objects.mac.len() != MAC {
            return Err(StatusWord::SecureMessagingObjectWrong);
        }
        let mut input = self.counter.to_be_bytes().to_vec();
        input.extend_from_slice(&[apdu.cla, apdu.ins, apdu.p1, apdu.p2]);
        pad(&mut input);
        if !objects.authenticated.is_empty() {
            input.extend_from_slice(objects.authenticated);
            pad(&mut input);
        }
        symmetric::aes_cmac_verify(self.keys.mac.expose(), &input, objects.mac)
            .map_err(|_| StatusWord::SecureMessagingObjectWrong)
    }
}

/// Protects one response. It outlives its channel, for the commands that end or replace that.
#[derive(Debug)]
pub(crate) struct Reply {
    keys: Keys,
    counter: u128,
    cryptogram_tag: u16,
}

impl Reply {
    /// Protects the response to the command that this came with. The outer status word is the
    /// inner one.
    ///
    /// # Errors
    ///
    /// [`StatusWord::InternalError`] (6F00) when the keys are not keys.
    pub(crate) fn protect(self, response: Response) -> Result<Response, StatusWord> {
        let data = Zeroizing::new(response.data);
        let mut objects = Writer::new();
        if !data.is_empty() {
            let mut value = Vec::new();
            if self.cryptogram_tag == tag::CRYPTOGRAM_INDICATED {
                value.push(PADDING_INDICATOR);
            }
            value.extend_from_slice(&self.keys.encrypt(self.counter, &data)?);
            objects = objects.element(self.cryptogram_tag, &value);
        }
        let objects = objects.element(tag::STATUS, &response.status.to_bytes());
        let objects = objects.into_vec();

        let mut input = self.counter.to_be_bytes().to_vec();
        input.extend_from_slice(&objects);
        pad(&mut input);
        let mac = symmetric::aes_cmac(self.keys.mac.expose(), &input)?;
        let mac = mac.get(..MAC).unwrap_or_default();
        Ok(Response {
            data: Writer::new()
                .raw(&objects)
                .element(tag::MAC, mac)
                .into_vec(),
            status: response.status,
        })
    }
}

/// Appends 80 00… up to whole blocks, at least one byte.
fn pad(bytes: &mut Vec<u8>) {
    let length = padded_length(bytes.len());
    bytes.push(0x80);
    bytes.resize(length, 0x00);
}

/// Length of that many bytes after [`pad`].
fn padded_length(length: usize) -> usize {
    (length / BLOCK + 1) * BLOCK
}

/// Bytes without their 80 00… in the last block; `None` when there is none.
fn unpadded(padded: &[u8]) -> Option<&[u8]> {
    let end = padded.iter().rposition(|byte| *byte != 0x00)?;
    let has_padding = padded.get(end) == Some(&0x80) && padded.len() - end <= BLOCK;
    padded.get(..end).filter(|_| has_padding)
}

/// Most data that a protected response of so many bytes, without the status word, has room for.
fn most_data(room: usize) -> usize {
    // 87 82 xx xx 01 before the blocks, 99 02 SW and 8E 08 MAC behind them.
    const AROUND: usize = 5 + 4 + 2 + MAC;
    let blocks = room.saturating_sub(AROUND) / BLOCK;
    (blocks * BLOCK).saturating_sub(1)
}

#[cfg(test)]
mod tests;
