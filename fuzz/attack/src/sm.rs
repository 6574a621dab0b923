//! Secure messaging as the host does it, and as somebody sees it who has the host's key.
//!
//! Written for itself from the protocol, so that no mistake of the card can agree with itself here:
//!
//! ```text
//! command    CLA|0C INS P1 P2 Lc { [87 01‖cryptogram | 85 cryptogram] [97 Le] 8E 08 MAC } Le
//! response   { [87 01‖cryptogram | 85 cryptogram] 99 02 SW 8E 08 MAC } SW
//! ```

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use hsm2_emulator::apdu::CommandApdu;
use hsm2_emulator::crypto::symmetric::{aes_cbc_decrypt, aes_cbc_encrypt, aes_cmac};
use hsm2_emulator::crypto::{EcPrivateKey, Hash};
use hsm2_emulator::cvc::SignedBody;
use hsm2_emulator::identity::Device;
use hsm2_emulator::tlv::{Reader, Writer};

use crate::apdu::{Answer, extended, short};
use crate::fixture::CURVE;

const BLOCK: usize = 16;

/// Chip authentication with AES-128.
const PROTOCOL: [u8; 10] = [4, 0, 0x7F, 0, 7, 2, 2, 3, 2, 2];

/// The host's ephemeral key, always the same one: agreeing takes long and is done once for a card.
fn host_key() -> &'static EcPrivateKey {
    static KEY: OnceLock<EcPrivateKey> = OnceLock::new();
    KEY.get_or_init(|| EcPrivateKey::from_bytes(CURVE, &[0x31; 32]).unwrap())
}

/// MANAGE SECURITY ENVIRONMENT and GENERAL AUTHENTICATE: what opens a channel.
#[must_use]
pub fn opening() -> [Vec<u8>; 2] {
    let protocol = Writer::new().element(0x80, &PROTOCOL).into_vec();
    let point = Writer::new()
        .nested(0x7C, |content| {
            content.element(0x80, &host_key().public_point())
        })
        .into_vec();
    [
        short(0x00, 0x22, 0x41, 0xA4, &protocol),
        extended(0x00, 0x86, 0, 0, &point),
    ]
}

/// An open channel between exchanges.
#[derive(Clone, Debug)]
pub struct Channel {
    encryption: Vec<u8>,
    mac: Vec<u8>,
    /// Of the last response.
    counter: u128,
}

/// A protected command without its protection.
#[derive(Clone, Debug)]
pub struct Inner {
    /// CLA, INS, P1, P2, as if it had come plainly.
    pub header: [u8; 4],
    /// The data field.
    pub data: Vec<u8>,
}

impl Channel {
    /// The channel that a GENERAL AUTHENTICATE of [`opening`] opened; `None` when another host's
    /// key was sent.
    ///
    /// # Panics
    ///
    /// When the response is not what a card with this device key gives: the token is wrong.
    #[must_use]
    pub fn agreed(device: &Device, command: &[u8], response: &[u8]) -> Option<Self> {
        let point = host_key().public_point();
        let sent = Writer::new()
            .nested(0x7C, |content| content.element(0x80, &point))
            .into_vec();
        if command != sent {
            return None;
        }
        let mut response = Reader::new(response);
        let mut content = Reader::new(response.expect(0x7C).unwrap().value);
        let nonce = content.expect(0x81).unwrap().value;
        let token = content.expect(0x82).unwrap().value;
        let secret = shared(device);
        let derive = |number: u8| {
            let input = [&secret[..], nonce, &[0, 0, 0, number]].concat();
            Hash::Sha1.digest(&input)[..BLOCK].to_vec()
        };
        let channel = Self {
            encryption: derive(1),
            mac: derive(2),
            counter: 0,
        };
        let covered = Writer::new()
            .nested(0x7F49, |key| {
                key.element(0x06, &PROTOCOL).element(0x86, &point)
            })
            .into_vec();
        let expected = aes_cmac(&channel.mac, &covered).unwrap();
        assert!(
            token == &expected[..8],
            "channel: the card's token is wrong"
        );
        Some(channel)
    }

    /// Both session keys.
    #[must_use]
    pub fn keys(&self) -> [&[u8]; 2] {
        [&self.encryption, &self.mac]
    }

    /// Protects the next command; `None` when it is none.
    #[must_use]
    pub fn seal_command(&self, command: &[u8]) -> Option<Vec<u8>> {
        /// With its objects around it, it still has a length.
        const LONGEST: usize = 60_000;
        let apdu = CommandApdu::parse(command).ok()?;
        if apdu.data.len() > LONGEST {
            return None;
        }
        let mut objects = Writer::new();
        if !apdu.data.is_empty() {
            objects = objects.raw(&self.cryptogram(self.counter + 1, apdu.ins, apdu.data));
        }
        if let Some(ne) = apdu.ne {
            let [.., high, low] = ne.to_be_bytes();
            objects = match ne {
                ..=256 => objects.element(0x97, &[low]),
                _ => objects.element(0x97, &[high, low]),
            };
        }
        let objects = objects.into_vec();
        let header = [apdu.cla | 0x0C, apdu.ins, apdu.p1, apdu.p2];
        let mac = self.command_mac(header, &objects);
        let data = Writer::new().raw(&objects).element(0x8E, &mac).into_vec();
        let [cla, ins, p1, p2] = header;
        Some(extended(cla, ins, p1, p2, &data))
    }

    /// Takes the protection off a command; `None` when its MAC or its form is wrong.
    #[must_use]
    pub fn open_command(&self, apdu: &CommandApdu<'_>) -> Option<Inner> {
        let header = [apdu.cla, apdu.ins, apdu.p1, apdu.p2];
        let mut reader = Reader::new(apdu.data);
        let cryptogram = reader.optional(tag(apdu.ins)).ok()?;
        let le = reader.optional(0x97).ok()?;
        let covered = apdu.data.len() - reader.remaining().len();
        let mac = reader.expect(0x8E).ok()?.value;
        let whole = reader.is_empty() && le.is_none_or(|le| matches!(le.value.len(), 1 | 2));
        if !whole || mac != self.command_mac(header, &apdu.data[..covered]) {
            return None;
        }
        let data = match cryptogram {
            Some(object) => self.plain(self.counter + 1, apdu.ins, object.value)?,
            None => Vec::new(),
        };
        Some(Inner {
            header: [header[0] & !0x0C, header[1], header[2], header[3]],
            data,
        })
    }

    /// Protects the response to the command that [`Channel::open_command`] opened.
    #[must_use]
    pub fn seal_response(&self, ins: u8, answer: &Answer) -> Vec<u8> {
        let mut objects = Writer::new();
        if !answer.data.is_empty() {
            objects = objects.raw(&self.cryptogram(self.counter + 2, ins, &answer.data));
        }
        let status = answer.status.to_be_bytes();
        let objects = objects.element(0x99, &status).into_vec();
        let mac = self.response_mac(&objects);
        let data = Writer::new().raw(&objects).element(0x8E, &mac).into_vec();
        [data, status.to_vec()].concat()
    }

    /// Takes the protection off the response to a command, and goes on to the next exchange;
    /// `None` when it is not protected as it must be.
    pub fn open_response(&mut self, ins: u8, response: &Answer) -> Option<Answer> {
        let mut reader = Reader::new(&response.data);
        let cryptogram = reader.optional(tag(ins)).ok()?;
        let status = reader.expect(0x99).ok()?.value;
        let covered = response.data.len() - reader.remaining().len();
        let mac = reader.expect(0x8E).ok()?.value;
        if !reader.is_empty()
            || status != response.status.to_be_bytes()
            || mac != self.response_mac(&response.data[..covered])
        {
            return None;
        }
        let data = match cryptogram {
            Some(object) => self.plain(self.counter + 2, ins, object.value)?,
            None => Vec::new(),
        };
        self.counter += 2;
        Some(Answer {
            data,
            status: response.status,
        })
    }

    /// Object 87 or 85.
    fn cryptogram(&self, counter: u128, ins: u8, data: &[u8]) -> Vec<u8> {
        let mut padded = data.to_vec();
        pad(&mut padded);
        let blocks = aes_cbc_encrypt(&self.encryption, &self.iv(counter), &padded).unwrap();
        let indicator: &[u8] = if ins.is_multiple_of(2) { &[0x01] } else { &[] };
        let value = [indicator, &blocks].concat();
        Writer::new().element(tag(ins), &value).into_vec()
    }

    /// What an object 87 or 85 holds.
    fn plain(&self, counter: u128, ins: u8, value: &[u8]) -> Option<Vec<u8>> {
        let blocks = match (ins % 2, value) {
            (0, [0x01, blocks @ ..]) => blocks,
            (1, blocks) => blocks,
            _ => return None,
        };
        if blocks.is_empty() || blocks.len() % BLOCK != 0 {
            return None;
        }
        let mut padded = aes_cbc_decrypt(&self.encryption, &self.iv(counter), blocks).ok()?;
        let end = padded.iter().rposition(|byte| *byte != 0)?;
        if padded[end] != 0x80 || padded.len() - end > BLOCK {
            return None;
        }
        padded.truncate(end);
        Some(padded)
    }

    fn iv(&self, counter: u128) -> [u8; BLOCK] {
        let block = aes_cbc_encrypt(&self.encryption, &[0; BLOCK], &counter.to_be_bytes());
        block.unwrap().try_into().unwrap()
    }

    fn command_mac(&self, header: [u8; 4], objects: &[u8]) -> Vec<u8> {
        let mut input = (self.counter + 1).to_be_bytes().to_vec();
        input.extend_from_slice(&header);
        pad(&mut input);
        if !objects.is_empty() {
            input.extend_from_slice(objects);
            pad(&mut input);
        }
        aes_cmac(&self.mac, &input).unwrap()[..8].to_vec()
    }

    fn response_mac(&self, objects: &[u8]) -> Vec<u8> {
        let mut input = (self.counter + 2).to_be_bytes().to_vec();
        input.extend_from_slice(objects);
        pad(&mut input);
        aes_cmac(&self.mac, &input).unwrap()[..8].to_vec()
    }
}

fn tag(ins: u8) -> u16 {
    if ins.is_multiple_of(2) { 0x87 } else { 0x85 }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.push(0x80);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
}

/// X of the point that the host and this device agree on.
fn shared(device: &Device) -> Vec<u8> {
    static KNOWN: Mutex<BTreeMap<Vec<u8>, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(secret) = known.get(&device.certificates) {
        return secret.clone();
    }
    // The host has the card's public key from its certificate.
    let certificate = Reader::new(&device.certificates).expect(0x7F21).unwrap();
    let body = SignedBody::parse(certificate.value).unwrap();
    let key = body.ec_public_key(Some(CURVE)).unwrap();
    let point = host_key().ecdh(&key.point).unwrap();
    let secret = point[1..=CURVE.field_len()].to_vec();
    known.insert(device.certificates.clone(), secret.clone());
    secret
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Bench;

    /// The exchanges of the vectors, which another program computed.
    #[test]
    fn the_published_exchanges() {
        let vector: serde_json::Value =
            serde_json::from_str(include_str!("../../../vectors/sm.json")).unwrap();
        let bytes = |value: &serde_json::Value| hex::decode(value.as_str().unwrap()).unwrap();
        let mut channel = Channel {
            encryption: bytes(&vector["ksenc"]),
            mac: bytes(&vector["ksmac"]),
            counter: 0,
        };
        for step in vector["steps"].as_array().unwrap() {
            let command = bytes(&step["apdu"]);
            let apdu = CommandApdu::parse(&command).unwrap();
            let inner = channel.open_command(&apdu).unwrap();
            assert_eq!(inner.data, bytes(&step["command_data"]));
            let response = bytes(&step["response"]);
            let mut next = channel.clone();
            let answer = next
                .open_response(inner.header[1], &Answer::of(response.clone()))
                .unwrap();
            assert_eq!(answer.data, bytes(&step["response_data"]));
            assert_eq!(channel.seal_response(inner.header[1], &answer), response);
            channel = next;
        }
    }

    #[test]
    fn a_card_answers_through_the_channel() {
        let mut bench = Bench::virgin(1);
        bench.ok(&crate::apdu::initialize(1, &[]));
        let [set, authenticate] = opening();
        bench.ok(&set);
        let data = CommandApdu::parse(&authenticate).unwrap().data.to_vec();
        let response = bench.ok(&authenticate);
        let device = bench.card.memory().device().unwrap().clone();
        let mut channel = Channel::agreed(&device, &data, &response).unwrap();
        for command in [crate::apdu::log_in(), extended(0x00, 0x84, 0, 0, &[])] {
            let sealed = channel.seal_command(&command).unwrap();
            let mut wrong = channel.clone();
            wrong.counter += 1;
            let heard = bench.send(&sealed);
            assert!(wrong.open_response(command[1], &heard).is_none());
            let answer = channel.open_response(command[1], &heard).unwrap();
            assert_eq!(answer.status, 0x9000);
        }
    }
}
