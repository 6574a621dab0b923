//! The host's side of the secure channel: chip authentication by ECDH, AES-128 and CMAC, all of it by
//! OpenSSL.
//!
//! ```text
//! K       = X of the host's ephemeral key · device key
//! Kenc    = first 16 bytes of SHA-1(K || nonce || 00000001), Kmac with 00000002
//! token   = first 8 bytes of CMAC(Kmac, 7F49 { 06 oid, 86 the host's point })
//! command   CLA|0C INS P1 P2 Lc { [87 01 || cryptogram | 85 cryptogram] [97 Le] 8E 08 MAC } Le
//! response  { [87 01 || cryptogram | 85 cryptogram] 99 02 SW 8E 08 MAC } SW
//! ```
//!
//! Source: BSI TR-03110 as the vendor's host computes it.

use super::{Hash, aes_cbc, cmac, multiply};
use crate::card::cvc::object;
use crate::der::Reader;
use crate::suite::bench::Stop;

/// id-CA-ECDH-AES-CBC-CMAC-128, 0.4.0.127.0.7.2.2.3.2.2.
pub const CHANNEL_PROTOCOL: [u8; 10] = [4, 0, 0x7f, 0, 7, 2, 2, 3, 2, 2];

const CURVE: &str = "brainpoolP256r1";
const BLOCK: usize = 16;
const MAC: usize = 8;

/// An open channel as the host has it.
#[derive(Clone)]
pub struct Channel {
    encryption: Vec<u8>,
    mac: Vec<u8>,
    counter: u128,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel")
            .field("counter", &self.counter)
            .finish_non_exhaustive()
    }
}

/// The host's ephemeral point for a private number: what GENERAL AUTHENTICATE carries in 80.
///
/// # Errors
/// [`Stop::Harness`] when OpenSSL cannot.
pub fn channel_point(private: &[u8]) -> Result<Vec<u8>, Stop> {
    multiply(CURVE, private, None)
}

impl Channel {
    /// Agrees with a device key; gives the channel and the token that the card must show.
    ///
    /// # Errors
    /// [`Stop::Harness`] when OpenSSL cannot.
    pub fn agree(private: &[u8], device: &[u8], nonce: &[u8]) -> Result<(Self, Vec<u8>), Stop> {
        let shared = multiply(CURVE, private, Some(device))?;
        let x = shared.get(1..33).unwrap_or_default();
        let derive = |number: u8| -> Result<Vec<u8>, Stop> {
            let mut key = Hash::Sha1.of(&[x, nonce, &[0, 0, 0, number]].concat())?;
            key.truncate(BLOCK);
            Ok(key)
        };
        let channel = Self {
            encryption: derive(1)?,
            mac: derive(2)?,
            counter: 0,
        };
        let point = channel_point(private)?;
        let public = object(
            0x7f49,
            &[
                &object(0x06, &[&CHANNEL_PROTOCOL]),
                &object(0x86, &[&point]),
            ],
        );
        let mut token = cmac(&channel.mac, &public)?;
        token.truncate(MAC);
        Ok((channel, token))
    }

    /// Protects a command. With `le` above 256 the lengths are extended; there always is an outer Le.
    ///
    /// # Errors
    /// [`Stop::Harness`] when OpenSSL cannot.
    pub fn protect(
        &mut self,
        header: [u8; 4],
        data: &[u8],
        le: Option<usize>,
    ) -> Result<Vec<u8>, Stop> {
        let mut objects = Vec::new();
        self.counter += 1;
        if !data.is_empty() {
            objects.extend(self.cryptogram(header[1], data)?);
        }
        if let Some(le) = le {
            let [high, low] = u16::try_from(le & 0xffff).unwrap_or_default().to_be_bytes();
            let short = le <= 256;
            let number: &[u8] = if short { &[low] } else { &[high, low] };
            objects.extend(object(0x97, &[number]));
        }
        self.seal(header, &objects, le.is_some_and(|le| le > 256))
    }

    /// The object 87, or 85 for an odd instruction, of the next command.
    ///
    /// # Errors
    /// [`Stop::Harness`] when OpenSSL cannot.
    fn cryptogram(&self, instruction: u8, data: &[u8]) -> Result<Vec<u8>, Stop> {
        let mut padded = data.to_vec();
        pad(&mut padded);
        self.cryptogram_of(instruction, padded)
    }

    fn cryptogram_of(&self, instruction: u8, mut blocks: Vec<u8>) -> Result<Vec<u8>, Stop> {
        xor(&mut blocks, &self.initial_vector()?);
        let encrypted = aes_cbc(&self.encryption, true, &blocks)?;
        Ok(match instruction % 2 {
            0 => object(0x87, &[&[1], &encrypted]),
            _ => object(0x85, &[&encrypted]),
        })
    }

    /// Protects a command whose data were padded by the caller, or not at all: whole blocks.
    ///
    /// # Errors
    /// [`Stop::Harness`] when OpenSSL cannot, or there are no whole blocks.
    pub fn protect_blocks(&mut self, header: [u8; 4], blocks: &[u8]) -> Result<Vec<u8>, Stop> {
        self.counter += 1;
        let objects = self.cryptogram_of(header[1], blocks.to_vec())?;
        self.seal(header, &objects, false)
    }

    /// Authenticates objects of any kind and order as the next command.
    ///
    /// # Errors
    /// [`Stop::Harness`] when OpenSSL cannot.
    pub fn protect_objects(&mut self, header: [u8; 4], objects: &[u8]) -> Result<Vec<u8>, Stop> {
        self.counter += 1;
        self.seal(header, objects, false)
    }

    /// Goes back to before the last command, to protect another one in its place.
    pub fn back(&mut self) {
        self.counter -= 1;
    }

    fn seal(
        &self,
        [class, ins, p1, p2]: [u8; 4],
        objects: &[u8],
        long: bool,
    ) -> Result<Vec<u8>, Stop> {
        let header = [class | 0x0c, ins, p1, p2];
        let mut input = self.counter.to_be_bytes().to_vec();
        input.extend_from_slice(&header);
        pad(&mut input);
        if !objects.is_empty() {
            input.extend_from_slice(objects);
            pad(&mut input);
        }
        let mut mac = cmac(&self.mac, &input)?;
        mac.truncate(MAC);
        let body = [objects, &object(0x8e, &[&mac])].concat();
        let mut command = header.to_vec();
        match u8::try_from(body.len()) {
            Ok(length) if !long => {
                command.push(length);
                command.extend_from_slice(&body);
                command.push(0);
            }
            _ => {
                let [high, low] = u16::try_from(body.len()).unwrap_or_default().to_be_bytes();
                command.extend_from_slice(&[0, high, low]);
                command.extend_from_slice(&body);
                command.extend_from_slice(&[0, 0]);
            }
        }
        Ok(command)
    }

    /// Judges a protected response to a command with this instruction and takes the protection off.
    /// `status` is the outer status word, which must be the inner one.
    ///
    /// # Errors
    /// [`Stop::Fail`] when it is not as a host wants it.
    pub fn open(&mut self, instruction: u8, data: &[u8], status: u16) -> Result<Vec<u8>, Stop> {
        self.counter += 1;
        let mut reader = Reader::new(data);
        let mut next = reader.element()?;
        let mut cryptogram = None;
        if next.tag != 0x99 {
            let wanted = if instruction.is_multiple_of(2) {
                0x87
            } else {
                0x85
            };
            if next.tag != wanted {
                return Err(Stop::fail(
                    format!("a cryptogram in object {wanted:02X}"),
                    format!("object {:02X}", next.tag),
                ));
            }
            cryptogram = Some(next.content);
            next = reader.element()?;
        }
        if (next.tag, next.content) != (0x99, &status.to_be_bytes()) {
            return Err(Stop::fail(
                format!("the status word {status:04X} in object 99"),
                format!("{:02X} {}", next.tag, hex::encode_upper(next.content)),
            ));
        }
        let covered = data.len() - reader.rest().len();
        let mac = reader.expect(0x8e, "the MAC")?.content;
        reader.finish("the MAC")?;
        let mut input = self.counter.to_be_bytes().to_vec();
        input.extend_from_slice(data.get(..covered).unwrap_or_default());
        pad(&mut input);
        let mut expected = cmac(&self.mac, &input)?;
        expected.truncate(MAC);
        if expected != mac {
            return Err(Stop::fail(
                "the MAC of the response",
                hex::encode_upper(mac),
            ));
        }
        match cryptogram {
            None => Ok(Vec::new()),
            Some(content) => self.decrypt(instruction, content),
        }
    }

    fn decrypt(&self, instruction: u8, content: &[u8]) -> Result<Vec<u8>, Stop> {
        let wrong = |what: &str| Stop::fail(what, hex::encode_upper(content));
        let blocks = match (instruction % 2, content) {
            (0, [1, blocks @ ..]) => blocks,
            (0, _) => return Err(wrong("a padding indicator of 01")),
            (_, blocks) => blocks,
        };
        if blocks.is_empty() || blocks.len() % BLOCK != 0 {
            return Err(wrong("whole blocks"));
        }
        let mut plain = aes_cbc(&self.encryption, false, blocks)?;
        xor(&mut plain, &self.initial_vector()?);
        let zeros = plain.iter().rev().take_while(|byte| **byte == 0).count();
        plain.truncate(plain.len() - zeros);
        match plain.pop() {
            Some(0x80) if zeros < BLOCK => Ok(plain),
            _ => Err(wrong("data that were padded with 80 00")),
        }
    }

    /// The encrypted counter.
    fn initial_vector(&self) -> Result<Vec<u8>, Stop> {
        aes_cbc(&self.encryption, true, &self.counter.to_be_bytes())
    }
}

/// Appends 80 00 up to whole blocks, at least one byte.
fn pad(bytes: &mut Vec<u8>) {
    bytes.push(0x80);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
}

/// What an initial vector other than zero does to the first block.
fn xor(blocks: &mut [u8], vector: &[u8]) {
    for (byte, mask) in blocks.iter_mut().zip(vector) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn bytes(value: &Value) -> Vec<u8> {
        hex::decode(value.as_str().unwrap()).unwrap()
    }

    /// The vector and the channel that it agrees on.
    fn agreed() -> (Value, Channel) {
        let vector: Value = serde_json::from_str(include_str!("../../../vectors/sm.json")).unwrap();
        let device = multiply(CURVE, &bytes(&vector["device_private"]), None).unwrap();
        let private = bytes(&vector["terminal_ephemeral_private"]);
        let point = channel_point(&private).unwrap();
        assert_eq!(point, bytes(&vector["terminal_ephemeral_public"]));
        let nonce = bytes(&vector["nonce"]);
        let (channel, token) = Channel::agree(&private, &device, &nonce).unwrap();
        assert_eq!(token, bytes(&vector["token"]));
        (vector, channel)
    }

    #[test]
    fn commands_and_responses_are_those_of_the_vectors() {
        let (vector, mut channel) = agreed();
        assert_eq!(channel.encryption, bytes(&vector["ksenc"]));
        assert_eq!(channel.mac, bytes(&vector["ksmac"]));
        for step in vector["steps"].as_array().unwrap() {
            let name = step["name"].as_str().unwrap();
            let apdu = bytes(&step["apdu"]);
            let [class, ins, p1, p2, ..] = apdu[..] else {
                panic!("{name}")
            };
            let le = match name {
                _ if name.contains("extended") => 65_536,
                _ if name.contains("CHALLENGE 8") => 8,
                _ => 256,
            };
            let header = [class & !0x0c, ins, p1, p2];
            let data = bytes(&step["command_data"]);
            let protected = channel.protect(header, &data, Some(le)).unwrap();
            assert_eq!(hex::encode(protected), hex::encode(apdu), "{name}");
            let response = bytes(&step["response"]);
            let (data, status) = response.split_last_chunk::<2>().unwrap();
            let opened = channel
                .open(ins, data, u16::from_be_bytes(*status))
                .unwrap();
            assert_eq!(opened, bytes(&step["response_data"]), "{name}");
        }
    }

    #[test]
    fn any_change_of_a_response_is_noticed() {
        let (vector, mut channel) = agreed();
        let response = bytes(&vector["steps"][0]["response"]);
        let (data, _) = response.split_last_chunk::<2>().unwrap();
        channel.counter = 1;
        for at in 0..data.len() {
            let mut changed = data.to_vec();
            changed[at] ^= 1;
            assert!(
                channel.clone().open(0x20, &changed, 0x9000).is_err(),
                "{at}"
            );
        }
        assert!(channel.clone().open(0x20, data, 0x6982).is_err());
        assert!(channel.clone().open(0x20, data, 0x9000).is_ok());
        // The counter moved: the same response does not come twice.
        channel.open(0x20, data, 0x9000).unwrap();
        assert!(channel.open(0x20, data, 0x9000).is_err());
    }
}
