use serde_json::Value;

use super::*;
use crate::crypto::{Curve, EcPrivateKey};

/// A response buffer that never is the limit.
const BUFFER: usize = 70_000;

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn vector() -> Value {
    serde_json::from_str(include_str!("../../../vectors/sm.json")).unwrap()
}

/// The channel of the vector, and the token of the agreement.
fn agreed() -> (Channel, Vec<u8>) {
    let vector = vector();
    let secret = bytes(&vector["device_private"]);
    let device = EcPrivateKey::from_bytes(Curve::BrainpoolP256r1, &secret).unwrap();
    let nonce = bytes(&vector["nonce"]).try_into().unwrap();
    let point = bytes(&vector["terminal_ephemeral_public"]);
    agreement::agree(&device, &point, &nonce).unwrap()
}

#[test]
fn agrees_on_the_published_keys_and_token() {
    let vector = vector();
    let (channel, token) = agreed();
    assert_eq!(token, bytes(&vector["token"]));
    assert_eq!(channel.keys.encryption.expose(), bytes(&vector["ksenc"]));
    assert_eq!(channel.keys.mac.expose(), bytes(&vector["ksmac"]));
}

#[test]
fn the_published_exchanges() {
    let vector = vector();
    let (mut channel, _) = agreed();
    for step in vector["steps"].as_array().unwrap() {
        let name = step["name"].as_str().unwrap();
        let command = bytes(&step["apdu"]);
        let apdu = CommandApdu::parse(&command).unwrap();
        let (unprotected, reply) = channel.unprotect(&apdu, BUFFER).unwrap();
        let plain = unprotected.apdu();
        assert_eq!(plain.cla, 0x00, "{name}");
        assert_eq!(
            [plain.ins, plain.p1, plain.p2],
            [apdu.ins, apdu.p1, apdu.p2],
            "{name}"
        );
        assert_eq!(plain.data, bytes(&step["command_data"]), "{name}");
        assert_eq!(
            reply.counter.to_be_bytes(),
            *bytes(&step["ssc_response"]),
            "{name}"
        );

        let expected = bytes(&step["response"]);
        let response = Response {
            data: bytes(&step["response_data"]),
            status: StatusWord::from(u16::from_be_bytes(*expected.last_chunk().unwrap())),
        };
        let protected = reply.protect(response).unwrap().into_bytes();
        assert_eq!(hex::encode(protected), hex::encode(expected), "{name}");
    }
}

#[test]
fn padding_is_one_80_in_the_last_block() {
    let rows: &[(&str, &[u8], Option<usize>)] = &[
        ("nothing but padding", &[0x80, 0, 0, 0], Some(0)),
        ("one byte of padding", &[1, 2, 3, 0x80], Some(3)),
        ("data that look like padding", &[0x80, 0, 0x80, 0], Some(2)),
        ("no padding", &[1, 2, 3, 4], None),
        ("zeros", &[0; 16], None),
    ];
    for (name, padded, length) in rows {
        assert_eq!(unpadded(padded).map(<[u8]>::len), *length, "{name}");
    }
    let mut too_long = vec![0x80];
    too_long.resize(17, 0);
    assert_eq!(unpadded(&too_long), None, "padding of more than a block");
    for length in 0..40 {
        let mut padded = vec![0xAA; length];
        pad(&mut padded);
        assert_eq!(padded.len() % BLOCK, 0);
        assert_eq!(unpadded(&padded), Some(&[0xAA; 40][..length]));
    }
}

#[test]
fn data_fill_the_room_and_never_exceed_it() {
    assert_eq!(most_data(1232 - 2), 1199, "as the vendor's host computes");
    let (channel, _) = agreed();
    for room in [0, 13, 14, 34, 35, 36, 254, 256, 1230, 1280, 1460] {
        let reply = Reply {
            keys: channel.keys.clone(),
            counter: 2,
            cryptogram_tag: tag::CRYPTOGRAM_INDICATED,
        };
        let length = most_data(room);
        let protected = reply.protect(Response::data(vec![0; length])).unwrap();
        let fits = protected.data.len() <= room.max(14);
        assert!(fits, "{} for {room}", protected.data.len());
    }
}

#[test]
fn debug_shows_no_key() {
    let (mut channel, _) = agreed();
    let command = bytes(&vector()["steps"][0]["apdu"]);
    let apdu = CommandApdu::parse(&command).unwrap();
    let opened = channel.unprotect(&apdu, BUFFER).unwrap();
    let shown = format!("{channel:?} {opened:?}");
    assert!(shown.contains("Secret(16 bytes)"), "{shown}");
    for secret in [
        "[0, 208, 26",
        "00d01a",
        "[225, 53",
        "e13556",
        "[54, 52, 56",
        "648219",
    ] {
        assert!(!shown.to_lowercase().contains(secret), "{shown}");
    }
}
