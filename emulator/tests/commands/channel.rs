//! A host's end of secure messaging, written from its description and not from the card's code:
//! its own CBC, CMAC and key derivation over one AES block.

use aes::Aes128;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use bp256::BrainpoolP256r1 as CurveOfDevice;
use elliptic_curve::ff::PrimeField;
use elliptic_curve::point::AffineCoordinates;
use elliptic_curve::{AffinePoint, FieldBytes, ProjectivePoint, Scalar};
use sha1::{Digest, Sha1};

use crate::support::{Answer, Reader, bytes, lc_data};

/// MANAGE SECURITY ENVIRONMENT for chip authentication with AES-128.
pub(crate) const SET_PROTOCOL: &str = "00 22 41 A4 0C 80 0A 04007F00070202030202";

/// The value of 06 in the token's input.
const PROTOCOL: &str = "04007F00070202030202";

type Block = [u8; 16];

/// A host with an open channel.
#[derive(Clone)]
pub(crate) struct Host {
    encryption: Block,
    mac: Block,
    pub(crate) counter: u128,
}

/// What to change in a command on its way.
pub(crate) struct Parts {
    pub(crate) header: [u8; 4],
    /// The complete object 85 or 87.
    pub(crate) cryptogram: Vec<u8>,
    /// The complete object 97.
    pub(crate) le: Vec<u8>,
    /// The complete object 8E.
    pub(crate) mac: Vec<u8>,
}

impl Parts {
    /// The command, short if it fits.
    pub(crate) fn apdu(&self) -> Vec<u8> {
        self.with_objects(&[&self.cryptogram[..], &self.le, &self.mac].concat())
    }

    /// The command with another data field.
    pub(crate) fn with_objects(&self, objects: &[u8]) -> Vec<u8> {
        let mut apdu = self.header.to_vec();
        match u8::try_from(objects.len()) {
            Ok(lc) if self.le.len() < 4 => {
                apdu.push(lc);
                apdu.extend_from_slice(objects);
                apdu.push(0);
            }
            _ => {
                apdu.push(0);
                apdu.extend_from_slice(&u16::try_from(objects.len()).unwrap().to_be_bytes());
                apdu.extend_from_slice(objects);
                apdu.extend_from_slice(&[0, 0]);
            }
        }
        apdu
    }
}

impl Host {
    /// Authenticates the chip and opens a channel.
    #[track_caller]
    pub(crate) fn open(reader: &mut Reader) -> Self {
        // A plain command after the agreement would end the channel.
        let device_point = device_point(reader);
        reader.ok(SET_PROTOCOL);
        let answer = reader.ok(&general_authenticate(&own_point()));
        Self::from_answer(&device_point, &answer)
    }

    /// Checks the card's token and derives the keys.
    #[track_caller]
    pub(crate) fn from_answer(device_point: &[u8], answer: &[u8]) -> Self {
        assert_eq!(
            (answer.len(), &answer[..4]),
            (22, &[0x7C, 0x14, 0x81, 8][..])
        );
        assert_eq!(answer[12..14], [0x82, 8]);
        let (nonce, token) = (&answer[4..12], &answer[14..]);
        let shared = shared_x(device_point);
        let key = |number: u8| -> Block {
            let digest = Sha1::digest([&shared[..], nonce, &[0, 0, 0, number]].concat());
            digest[..16].try_into().unwrap()
        };
        let (encryption, mac) = (key(1), key(2));
        let mut input = bytes("7F49 4F 06 0A");
        input.extend(bytes(PROTOCOL));
        input.extend([0x86, 65]);
        input.extend(own_point());
        assert_eq!(token, &cmac(&mac, &input)[..8], "the card's token");
        Self {
            encryption,
            mac,
            counter: 0,
        }
    }

    /// Protects a command, given without class bits; `le` are the bytes of Le.
    pub(crate) fn protect(&mut self, header: [u8; 4], data: &[u8], le: &[u8]) -> Parts {
        self.counter += 1;
        let [cla, ins, p1, p2] = header;
        let header = [cla | 0x0C, ins, p1, p2];
        let mut cryptogram = Vec::new();
        if !data.is_empty() {
            let blocks = self.encrypt(&padded(data));
            let value = match ins & 1 {
                0 => [&[1], &blocks[..]].concat(),
                _ => blocks,
            };
            cryptogram = object(if ins & 1 == 0 { 0x87 } else { 0x85 }, &value);
        }
        let le = match le {
            [] => Vec::new(),
            le => object(0x97, le),
        };
        let mac = self.command_mac(header, &[&cryptogram[..], &le].concat());
        Parts {
            header,
            cryptogram,
            le,
            mac,
        }
    }

    /// The object 8E of a command with these objects.
    pub(crate) fn command_mac(&self, header: [u8; 4], objects: &[u8]) -> Vec<u8> {
        let mut input = self.counter.to_be_bytes().to_vec();
        input.extend(padded(&header));
        if !objects.is_empty() {
            input.extend(padded(objects));
        }
        object(0x8E, &cmac(&self.mac, &input)[..8])
    }

    /// Checks a response's MAC and takes its protection off.
    #[track_caller]
    pub(crate) fn unprotect(&mut self, ins: u8, answer: &Answer) -> Answer {
        self.counter += 1;
        let (objects, mac) = answer.data.split_at(answer.data.len() - 10);
        let mut input = self.counter.to_be_bytes().to_vec();
        input.extend(padded(objects));
        assert_eq!(mac, object(0x8E, &cmac(&self.mac, &input)[..8]), "the MAC");
        let (cryptogram, status) = objects.split_at(objects.len() - 4);
        assert_eq!(status[..2], [0x99, 2]);
        assert_eq!(status[2..], answer.status.to_be_bytes(), "both words");
        let data = if cryptogram.is_empty() {
            Vec::new()
        } else {
            let (tag, skip) = if ins & 1 == 0 { (0x87, 1) } else { (0x85, 0) };
            assert_eq!(cryptogram[0], tag);
            let length_bytes = match cryptogram[1] {
                0x82 => 3,
                0x81 => 2,
                _ => 1,
            };
            let value = &cryptogram[1 + length_bytes..];
            assert_eq!(object(tag, value), cryptogram, "one object");
            unpadded(&self.decrypt(&value[skip..]))
        };
        Answer {
            data,
            status: answer.status,
        }
    }

    /// Sends a command through the channel.
    #[track_caller]
    pub(crate) fn send(
        &mut self,
        reader: &mut Reader,
        header: &str,
        data: &[u8],
        le: &str,
    ) -> Answer {
        let header = <[u8; 4]>::try_from(bytes(header)).unwrap();
        let command = self.protect(header, data, &bytes(le)).apdu();
        let answer = reader.send_bytes(&command);
        self.unprotect(header[1], &answer)
    }

    /// Sends a command through the channel that must answer 9000.
    #[track_caller]
    pub(crate) fn ok(
        &mut self,
        reader: &mut Reader,
        header: &str,
        data: &[u8],
        le: &str,
    ) -> Vec<u8> {
        let answer = self.send(reader, header, data, le);
        assert_eq!(format!("{:04X}", answer.status), "9000", "{header}");
        answer.data
    }

    fn initial_vector(&self) -> Block {
        block(&self.encryption, self.counter.to_be_bytes())
    }

    /// CBC over whole blocks, with the counter's initial vector.
    pub(crate) fn encrypt(&self, data: &[u8]) -> Vec<u8> {
        let mut last = self.initial_vector();
        let mut out = Vec::new();
        for chunk in data.chunks(16) {
            last = block(&self.encryption, xor(last, chunk));
            out.extend(last);
        }
        out
    }

    fn decrypt(&self, data: &[u8]) -> Vec<u8> {
        let cipher = Aes128::new(&self.encryption.into());
        let mut last = self.initial_vector();
        let mut out = Vec::new();
        for chunk in data.chunks(16) {
            let mut plain = Block::try_from(chunk).unwrap().into();
            cipher.decrypt_block(&mut plain);
            out.extend(xor(last, &plain));
            last = chunk.try_into().unwrap();
        }
        out
    }
}

/// GENERAL AUTHENTICATE with this point.
pub(crate) fn general_authenticate(point: &[u8]) -> String {
    let content = object(0x7C, &object(0x80, point));
    format!("00 86 00 00 {} 00", lc_data(&content))
}

/// The host's ephemeral secret; a test has no need of another.
fn own_secret() -> Scalar<CurveOfDevice> {
    let secret = FieldBytes::<CurveOfDevice>::from([0x5E; 32]);
    Scalar::<CurveOfDevice>::from_repr(secret).unwrap()
}

/// The host's ephemeral point, 04‖x‖y.
pub(crate) fn own_point() -> Vec<u8> {
    let point = (ProjectivePoint::<CurveOfDevice>::GENERATOR * own_secret()).to_affine();
    [&[4], &point.x()[..], &point.y()[..]].concat()
}

/// X of the host's secret times the card's point.
fn shared_x(point: &[u8]) -> Vec<u8> {
    let x = FieldBytes::<CurveOfDevice>::try_from(&point[1..33]).unwrap();
    let y = FieldBytes::<CurveOfDevice>::try_from(&point[33..]).unwrap();
    let point = AffinePoint::<CurveOfDevice>::from_coordinates(&x, &y).unwrap();
    let shared = (ProjectivePoint::<CurveOfDevice>::from(point) * own_secret()).to_affine();
    shared.x().to_vec()
}

/// The public point in the first certificate of EF 2F02.
pub(crate) fn device_point(reader: &mut Reader) -> Vec<u8> {
    let certificates = reader.content(0x2F02);
    let tag = certificates.windows(3).position(|at| at == [0x86, 65, 4]);
    certificates[tag.unwrap() + 2..][..65].to_vec()
}

/// One BER element with a one-byte tag.
pub(crate) fn object(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match value.len() {
        length @ 0..=0x7F => bytes.push(u8::try_from(length).unwrap()),
        length @ 0x80..=0xFF => bytes.extend([0x81, u8::try_from(length).unwrap()]),
        length => {
            bytes.push(0x82);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    bytes.extend_from_slice(value);
    bytes
}

/// 80, then zeros to a whole block.
pub(crate) fn padded(data: &[u8]) -> Vec<u8> {
    let mut padded = [data, &[0x80]].concat();
    while padded.len() % 16 != 0 {
        padded.push(0);
    }
    padded
}

#[track_caller]
fn unpadded(padded: &[u8]) -> Vec<u8> {
    let end = padded.iter().rposition(|byte| *byte != 0).unwrap();
    assert_eq!(padded[end], 0x80);
    padded[..end].to_vec()
}

fn xor(mut left: Block, right: &[u8]) -> Block {
    left.iter_mut().zip(right).for_each(|(l, r)| *l ^= r);
    left
}

fn block(key: &Block, input: Block) -> Block {
    let mut block = input.into();
    Aes128::new(&(*key).into()).encrypt_block(&mut block);
    block.into()
}

/// CMAC as SP 800-38B describes it.
fn cmac(key: &Block, data: &[u8]) -> Block {
    let double = |value: u128| (value << 1) ^ if value >> 127 == 1 { 0x87 } else { 0 };
    let first = double(u128::from_be_bytes(block(key, [0; 16])));
    let whole = !data.is_empty() && data.len().is_multiple_of(16);
    let (last_key, data) = match whole {
        true => (first, data.to_vec()),
        false => (double(first), padded(data)),
    };
    let (head, last) = data.split_at(data.len() - 16);
    let mut state = [0; 16];
    for chunk in head.chunks(16) {
        state = block(key, xor(state, chunk));
    }
    block(key, xor(xor(state, last), &last_key.to_be_bytes()))
}

#[test]
fn this_cmac_is_that_of_the_standard() {
    // SP 800-38B, examples 1 to 3 for AES-128.
    let key = bytes("2b7e151628aed2a6abf7158809cf4f3c")
        .try_into()
        .unwrap();
    let message =
        bytes("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411");
    for (length, expected) in [
        (0, "bb1d6929e95937287fa37d129b756746"),
        (16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (40, "dfa66747de9ae63030ca32611497c827"),
    ] {
        assert_eq!(cmac(&key, &message[..length]).to_vec(), bytes(expected));
    }
}
