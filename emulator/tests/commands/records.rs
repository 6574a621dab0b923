//! What genuine tokens were recorded to answer: this card answers the same, or the test says why not.

use hsm2_emulator::crypto::Curve;
use hsm2_emulator::cvc::{AuthenticatedRequest, EcPublicKey, SignedBody};
use hsm2_emulator::tlv;
use serde_json::Value;

use crate::support::{Reader, bytes, lc_data};

fn records() -> Value {
    serde_json::from_str(include_str!("../../../vectors/real-tokens.json")).unwrap()
}

/// A field of a record, decoded from hexadecimal.
fn field(id: &str, name: &str) -> Vec<u8> {
    let all = records();
    let list = all["records"].as_array().unwrap();
    let record = list.iter().find(|record| record["id"] == id).unwrap();
    hex::decode(record[name].as_str().unwrap()).unwrap()
}

/// Sends the recorded command; the whole response must be the recorded one.
#[track_caller]
fn replay(reader: &mut Reader, id: &str) {
    let response = reader.card.transmit(&field(id, "command_hex"));
    assert_eq!(
        hex::encode_upper(response),
        hex::encode_upper(field(id, "response_hex")),
        "{id}"
    );
}

#[test]
fn selection_ends_the_login() {
    let mut reader = Reader::virgin();
    reader.ok("80 50 00 00 12 81 06 313233343536 82 08 3537363231383830");
    reader.log_out();
    for id in ["sel12-2", "sel12-3"] {
        replay(&mut reader, id);
    }
    // The record is of firmware 1.2, whose tag 85 has the version only; the frame is the same.
    let recorded = field("sel12-4", "response_hex");
    let ours = reader.card.transmit(&field("sel12-4", "command_hex"));
    assert_eq!((recorded[0], &recorded[2..6]), (ours[0], &ours[2..6]));
    assert_eq!((recorded[6], &recorded[7..8]), (0x02, &[0x01][..]));
    assert_eq!(ours[6..9], [0x05, 0x00, 0x01]);
    replay(&mut reader, "sel12-5");
}

#[test]
fn the_recorded_forms_of_select_and_verify() {
    let mut reader = Reader::virgin();
    replay(&mut reader, "sel-0c");
    replay(&mut reader, "sel-ce02-absent");
    reader.ok("80 50 00 00 12 81 06 393831353637 82 08 3537363231383830");
    reader.log_out();
    replay(&mut reader, "verify-p1-01");
    // The template of EF 2F02; only the size is the device's own.
    let mut recorded = field("sel2f02-462", "response_hex");
    let ours = reader.card.transmit(&bytes("00 A4 00 00 02 2F02 00"));
    recorded[4..6].copy_from_slice(&ours[4..6]);
    assert_eq!(ours, recorded);
    reader.card.reset();
    let response = reader.card.transmit(&bytes("00 20 00 81 06 363438323139"));
    assert_eq!(response, field("not-selected", "response_hex"));
}

#[test]
fn a_transport_pin_shows_after_reselection() {
    let mut reader = Reader::virgin();
    reader.ok("80 50 00 00 16 80 02 0003 81 06 363438323139 82 08 3537363231383830");
    reader.log_out();
    replay(&mut reader, "transport-status");
}

#[test]
fn the_label_is_written_after_initialize_and_not_in_a_new_session() {
    let write = "00 D7 2F03 0B 54 02 0000 53 05 3003020100";
    let mut reader = Reader::initialised();
    reader.ok(write);
    reader.log_out();
    let response = reader.card.transmit(&bytes(write));
    assert_eq!(response, field("write-2f03-no-auth", "response_hex"));
}

#[test]
fn reading_past_the_end_returns_the_rest_and_6282() {
    let mut reader = Reader::virgin();
    let all = reader.send("00 B1 2F02 00 0004 54 02 0000 0000");
    assert_eq!(all.status, 0x6282);
    let offset = all.data.len() - 10;
    let tail = reader.send(&format!("00 B1 2F02 04 54 02 {offset:04X} 40"));
    assert_eq!(
        (tail.status, tail.data),
        (0x6282, all.data[offset..].to_vec())
    );
}

#[test]
fn enumeration_has_the_recorded_order() {
    let all = records();
    let list = all["records"].as_array().unwrap();
    let order = list.iter().find(|record| record["id"] == "ls-34").unwrap()["order"].clone();
    let recorded: Vec<String> = order
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap().into())
        .collect();

    // The files in the order in which the recorded card lists them; its keys, as AES keys, which
    // bring no file of their own.
    let mut reader = Reader::initialised();
    for id in recorded
        .iter()
        .filter(|id| id.starts_with("C4") || id.starts_with("CE"))
    {
        reader.ok(&format!("00 D7 {id} 06 54 02 0000 53 00"));
    }
    for id in 1..=5 {
        reader.ok(&format!("00 48 {id:02X} B0"));
    }
    let ours: Vec<String> = reader
        .ok("80 58 00 00 00 00 00")
        .chunks(2)
        .map(hex::encode_upper)
        .collect();
    assert_eq!(ours, recorded);
}

/// The public key of the production root, whose certificate signs itself.
fn root() -> EcPublicKey {
    let certificate = hex::decode(records()["root"]["hex"].as_str().unwrap()).unwrap();
    let mut reader = tlv::Reader::new(&certificate);
    let body = SignedBody::parse(reader.expect(0x7F21).unwrap().value).unwrap();
    let key = body.ec_public_key(None).unwrap();
    key.verify(body.body, body.signature).unwrap();
    assert_eq!(
        (body.holder, key.curve),
        (&b"DESRCACC100001"[..], Curve::BrainpoolP256r1)
    );
    key
}

/// Verifies a device's chain up to the production root; returns the device's key and name.
fn device_of(id: &str) -> (EcPublicKey, Vec<u8>) {
    let file = field(id, "response_hex");
    let mut chain = tlv::Reader::new(&file);
    let device = SignedBody::parse(chain.expect(0x7F21).unwrap().value).unwrap();
    let issuer = SignedBody::parse(chain.expect(0x7F21).unwrap().value).unwrap();
    chain.finish().unwrap();
    let root = root();
    root.verify(issuer.body, issuer.signature).unwrap();
    let issuer_key = issuer.ec_public_key(Some(root.curve)).unwrap();
    issuer_key.verify(device.body, device.signature).unwrap();
    assert_eq!(device.authority, Some(issuer.holder));
    (
        device.ec_public_key(Some(root.curve)).unwrap(),
        device.holder.to_vec(),
    )
}

#[test]
fn genuine_chains_verify_up_to_the_published_root() {
    assert_eq!(device_of("ef2f02-41").1, b"DENK040414400000");
    assert_eq!(device_of("ef2f02-parts-old").1, b"DECM010444800000");
}

#[test]
fn genuine_requests_verify_with_the_device_key() {
    let (device, name) = device_of("ef2f02-41");
    for (id, curve) in [
        ("req-41-ce01", Some(Curve::Secp256k1)),
        ("req-41-ce03", Some(Curve::Secp256r1)),
        ("req-41-ce04", None),
    ] {
        let file = field(id, "response_hex");
        let mut reader = tlv::Reader::new(&file);
        let request = AuthenticatedRequest::parse(reader.expect(0x67).unwrap().value).unwrap();
        assert_eq!(request.outer_authority, name, "{id}");
        device
            .verify(request.covered, request.outer_signature)
            .unwrap();
        let inner = &request.request;
        assert_eq!(inner.authority, Some(&b"UTCA00001"[..]), "{id}");
        match curve {
            Some(curve) => {
                let key = inner.ec_public_key(None).unwrap();
                assert_eq!(key.curve, curve, "{id}");
                key.verify(inner.body, inner.signature).unwrap();
            }
            None => assert!(inner.ec_public_key(None).is_err(), "{id}"),
        }
    }
}

#[test]
fn our_requests_have_the_form_of_genuine_ones() {
    let mut reader = Reader::initialised();
    let domain = Curve::Secp256r1.parameters();
    let template = tlv::Writer::new()
        .element(0x5F29, &[0])
        .element(0x42, b"UTCA00001")
        .nested(0x7F49, |key| {
            key.element(0x06, &bytes("04007F00070202020203"))
                .element(0x81, domain.p)
                .element(0x82, domain.a)
                .element(0x83, domain.b)
                .element(0x84, domain.g)
                .element(0x85, domain.n)
                .element(0x87, &[1])
        })
        .element(0x5F20, b"DENK040414400001")
        .into_vec();
    let ours = reader.ok(&format!("00 46 03 00 {} 00 00", lc_data(&template)));
    let genuine = field("req-41-ce03", "response_hex");
    // Everything before the public point is the same to the byte, but for lengths that follow from
    // the length of the device's name.
    let point = |request: &[u8]| {
        request
            .windows(3)
            .position(|three| three == [0x86, 0x41, 0x04])
    };
    let (at, there) = (point(&ours).unwrap(), point(&genuine).unwrap());
    assert_eq!(at, there);
    assert_eq!(ours[4..at], genuine[4..there]);
}

#[test]
fn a_recorded_challenge_is_answered_over_name_and_challenge() {
    let challenge = field("pka-sign", "response_hex");
    let (challenge, status) = challenge.split_at(8);
    assert_eq!(status, [0x90, 0x00]);
    let signed = field("pka-signed-data", "data_hex");
    assert_eq!(signed, [b"DECC120029100000", challenge].concat());
    let mut reader = Reader::virgin();
    let ours = reader.card.transmit(&field("pka-sign", "command_hex"));
    assert_eq!((ours.len(), ours.ends_with(status)), (10, true));
}
