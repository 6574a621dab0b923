//! What genuine tokens were recorded to answer: this card answers the same, or the test says why not.

use hsm2_emulator::crypto::Curve;
use hsm2_emulator::cvc::{AuthenticatedRequest, EcPublicKey, SignedBody};
use hsm2_emulator::profile::{self, NITROKEY_HSM2, NITROKEY_HSM2_4_1, SMARTCARD_HSM_1_2};
use hsm2_emulator::tlv;
use hsm2_emulator::trust::Anchor;
use serde_json::Value;

use crate::keys::{ec_template, extended, generate_command, unwrap_command};
use crate::public_key_authentication::select_key;
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
fn the_session_of_firmware_1_2_to_the_byte() {
    let mut reader = Reader::of(&SMARTCARD_HSM_1_2);
    reader.ok("80 50 00 00 12 81 06 313233343536 82 08 3537363231383830");
    reader.card.reset();
    for id in ["sel12-1", "sel12-2", "sel12-3", "sel12-4", "sel12-5"] {
        replay(&mut reader, id);
    }
}

#[test]
fn the_recorded_forms_of_select_and_verify() {
    let mut reader = Reader::of(&NITROKEY_HSM2_4_1);
    replay(&mut reader, "sel-0c");
    let mut reader = Reader::virgin();
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
    let mut reader = Reader::of(&NITROKEY_HSM2_4_1);
    assert_eq!(reader.initialise(""), 0x9000);
    reader.ok(write);
    reader.log_out();
    let response = reader.card.transmit(&bytes(write));
    assert_eq!(response, field("write-2f03-no-auth", "response_hex"));
}

#[test]
fn reading_past_the_end_returns_the_rest_and_6282() {
    let mut reader = Reader::of(&NITROKEY_HSM2_4_1);
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

#[test]
fn algorithms_that_a_key_does_not_list_are_refused_as_recorded() {
    let mut reader = Reader::initialised();
    reader.ok(&generate_command(2, &ec_template(Curve::Secp256r1, "")));
    reader.ok(&generate_command(1, &crate::keys::rsa_template(1024, "")));
    replay(&mut reader, "derive-ec-not-allowed");
    replay(&mut reader, "derive-sym-on-rsa");
}

/// A key of the curve with an algorithm list, wrapped under the DKEK that is one share of zeros.
fn listed_key() -> Vec<u8> {
    let mut reader = Reader::initialised_with("92 01 01");
    reader.ok(&format!("80 52 00 00 20 {} 00", crate::sealed::ZERO_SHARE));
    let template = ec_template(Curve::Secp256r1, "91 02 7092");
    reader.ok(&generate_command(1, &template));
    reader.ok("80 72 01 92 00 00 00")
}

#[test]
fn firmware_3_1_cannot_unwrap_a_key_with_an_algorithm_list() {
    let blob = listed_key();
    for (profile, expected) in [
        (
            &profile::NITROKEY_HSM2_3_1,
            field("unwrap-fw31-alglist", "response_hex"),
        ),
        (&profile::NITROKEY_HSM2_3_5, vec![0x90, 0x00]),
    ] {
        let mut reader = Reader::of(profile);
        assert_eq!(reader.initialise("92 01 01"), 0x9000);
        reader.ok(&format!("80 52 00 00 20 {} 00", crate::sealed::ZERO_SHARE));
        let answer = reader.card.transmit(&bytes(&unwrap_command(2, &blob)));
        assert_eq!(answer, expected, "{}", profile.name);
    }
}

#[test]
fn without_a_dkek_there_is_no_unwrapping() {
    let blob = listed_key();
    let mut reader = Reader::initialised();
    let answer = reader.card.transmit(&bytes(&unwrap_command(2, &blob)));
    assert_eq!(answer, field("unwrap-ec-6d00", "response_hex"));
}

#[test]
fn the_recorded_states_of_cards() {
    let version = |reader: &mut Reader| {
        let fci = reader.ok(crate::support::SELECT_APPLET);
        fci[fci.len() - 2..].to_vec()
    };
    // tool-36: one DKEK share, all tries left.
    let mut reader = Reader::initialised_with("92 01 01");
    reader.ok(&format!("80 52 00 00 20 {} 00", crate::sealed::ZERO_SHARE));
    assert_eq!(version(&mut reader), [3, 6]);
    reader.run(&[
        ("SO-PIN", "00 20 00 88", 0x63CF),
        ("user PIN", "00 20 00 81", 0x63C3),
    ]);
    let status = reader.ok("80 52 00 00 00");
    assert_eq!((status.len(), &status[..2]), (10, &[1, 0][..]));
    // tool-35-virgin.
    let mut reader = Reader::of(&profile::NITROKEY_HSM2_3_5);
    assert_eq!(version(&mut reader), [3, 5]);
    reader.refused("00 20 00 88", 0x6A88);
    // tool-32: initialised without shares; of the generations here 3.1 is the nearest.
    let mut reader = Reader::of(&profile::NITROKEY_HSM2_3_1);
    assert_eq!(reader.initialise(""), 0x9000);
    version(&mut reader);
    reader.run(&[
        ("SO-PIN", "00 20 00 88", 0x63CF),
        ("user PIN", "00 20 00 81", 0x63C3),
        ("no DKEK", "80 52 00 00 00", 0x6D00),
    ]);
    // tool-32-wrong-so: eight wrong SO-PINs and one wrong user PIN.
    let wrong = "80 50 00 00 12 81 06 363438323139 82 08 3030303030303030";
    for left in (0x63C7..=0x63CE).rev() {
        reader.refused(wrong, left);
    }
    reader.run(&[
        ("a wrong user PIN", "00 20 00 81 06 303030303030", 0x63C2),
        ("SO-PIN", "00 20 00 88", 0x63C7),
        ("user PIN", "00 20 00 81", 0x63C2),
    ]);
}

#[test]
fn the_default_profile_has_the_recorded_memory() {
    let all = records();
    let list = all["records"].as_array().unwrap();
    let record = list.iter().find(|record| record["id"] == "mem-34").unwrap();
    let text = format!("Free memory {} byte", NITROKEY_HSM2.memory);
    assert_eq!(record["text"], text);
}

/// The certificates of a recorded EF 2F02, the device's first, as commands take them.
fn recorded_chain(id: &str) -> [Vec<u8>; 2] {
    let file = field(id, "response_hex");
    let mut chain = tlv::Reader::new(&file);
    [(); 2].map(|()| chain.expect(0x7F21).unwrap().value.to_vec())
}

#[test]
fn a_card_that_trusts_the_vendor_judges_genuine_devices_by_command() {
    let root = hex::decode(records()["root"]["hex"].as_str().unwrap()).unwrap();
    for (id, issuer_name) in [
        ("ef2f02-41", &b"DEDINK0400001"[..]),
        ("ef2f02-parts-old", b"DEDICM0100002"),
    ] {
        let (_, device_name) = device_of(id);
        let [device, issuer] = recorded_chain(id);
        let verify = |content: &[u8]| format!("00 2A 00 BE {}", lc_data(content));
        let mut reader = Reader::virgin();
        reader.refuses(&[("not trusted", &select_key("B6", b"DESRCACC100001"), 0x6A88)]);
        reader.card.trust(&Anchor::parse(&root).unwrap()).unwrap();
        reader.log_out();
        reader.ok(&select_key("B6", b"DESRCACC100001"));
        let mut forged = issuer.clone();
        *forged.last_mut().unwrap() ^= 1;
        reader.refuses(&[
            ("the device below the root", &verify(&device), 0x6A88),
            ("another signature", &verify(&forged), 0x6985),
        ]);
        reader.ok(&verify(&issuer));
        reader.ok(&select_key("B6", issuer_name));
        reader.ok(&verify(&device));
        reader.ok(&select_key("B6", &device_name));
    }
}

#[test]
fn the_key_of_a_genuine_device_can_be_a_custodian() {
    let root = hex::decode(records()["root"]["hex"].as_str().unwrap()).unwrap();
    let [device, issuer] = recorded_chain("ef2f02-41");
    let mut reader = Reader::virgin();
    reader.card.trust(&Anchor::parse(&root).unwrap()).unwrap();
    reader.log_out();
    reader.ok("80 50 00 00 0E 82 08 3537363231383830 93 02 0301");
    for (name, certificate) in [
        (&b"DESRCACC100001"[..], &issuer),
        (b"DEDINK0400001", &device),
    ] {
        reader.ok(&select_key("B6", name));
        reader.ok(&format!("00 2A 00 BE {}", lc_data(certificate)));
    }
    reader.ok(&select_key("B6", b"DENK040414400000"));
    let register = |id: &str| {
        let file = field(id, "response_hex");
        let request = tlv::Reader::new(&file).expect(0x67).unwrap().value.to_vec();
        format!("80 54 00 00 {} 0000", extended(&request))
    };
    reader.refuses(&[("an RSA key", &register("req-41-ce04"), 0x6A80)]);
    assert_eq!(reader.ok(&register("req-41-ce01")), [3, 2, 1, 0]);
    // Hosts name all keys of a device alike.
    reader.refuses(&[("the same name", &register("req-41-ce03"), 0x6985)]);
}

/// Where a record is replayed: file and test. Or why it cannot be.
enum Use {
    In(&'static str, &'static str),
    Not(&'static str),
}

const HERE: &str = "emulator/tests/commands/records.rs";

const USES: &[(&str, Use)] = &[
    (
        "sel12-1",
        Use::In(HERE, "the_session_of_firmware_1_2_to_the_byte"),
    ),
    (
        "sel12-2",
        Use::In(HERE, "the_session_of_firmware_1_2_to_the_byte"),
    ),
    (
        "sel12-3",
        Use::In(HERE, "the_session_of_firmware_1_2_to_the_byte"),
    ),
    (
        "sel12-4",
        Use::In(HERE, "the_session_of_firmware_1_2_to_the_byte"),
    ),
    (
        "sel12-5",
        Use::In(HERE, "the_session_of_firmware_1_2_to_the_byte"),
    ),
    (
        "sel2f02-462",
        Use::In(HERE, "the_recorded_forms_of_select_and_verify"),
    ),
    (
        "sel-ce02-absent",
        Use::In(HERE, "the_recorded_forms_of_select_and_verify"),
    ),
    (
        "transport-status",
        Use::In(HERE, "a_transport_pin_shows_after_reselection"),
    ),
    (
        "not-selected",
        Use::In(HERE, "the_recorded_forms_of_select_and_verify"),
    ),
    (
        "derive-ec-not-allowed",
        Use::In(
            HERE,
            "algorithms_that_a_key_does_not_list_are_refused_as_recorded",
        ),
    ),
    (
        "derive-sym-on-rsa",
        Use::In(
            HERE,
            "algorithms_that_a_key_does_not_list_are_refused_as_recorded",
        ),
    ),
    (
        "verify-p1-01",
        Use::In(HERE, "the_recorded_forms_of_select_and_verify"),
    ),
    (
        "pka-sign",
        Use::In(
            HERE,
            "a_recorded_challenge_is_answered_over_name_and_challenge",
        ),
    ),
    (
        "pka-signed-data",
        Use::In(
            HERE,
            "a_recorded_challenge_is_answered_over_name_and_challenge",
        ),
    ),
    (
        "pka-bad-signature",
        Use::In(
            "emulator/tests/commands/public_key_authentication.rs",
            "keys_of_other_curves_register_but_never_authenticate",
        ),
    ),
    (
        "read-eof",
        Use::In(HERE, "reading_past_the_end_returns_the_rest_and_6282"),
    ),
    (
        "sel-0c",
        Use::In(HERE, "the_recorded_forms_of_select_and_verify"),
    ),
    (
        "write-2f03-no-auth",
        Use::In(
            HERE,
            "the_label_is_written_after_initialize_and_not_in_a_new_session",
        ),
    ),
    (
        "unwrap-fw31-alglist",
        Use::In(
            HERE,
            "firmware_3_1_cannot_unwrap_a_key_with_an_algorithm_list",
        ),
    ),
    (
        "unwrap-rsa4096-crt",
        Use::In(
            "emulator/tests/commands/sealed.rs",
            "rsa_4096_leaves_as_the_genuine_1099_bytes_and_d_of_513_is_refused",
        ),
    ),
    (
        "unwrap-rsa4096-d513",
        Use::In(
            "emulator/tests/commands/sealed.rs",
            "rsa_4096_leaves_as_the_genuine_1099_bytes_and_d_of_513_is_refused",
        ),
    ),
    (
        "unwrap-ec-6d00",
        Use::In(HERE, "without_a_dkek_there_is_no_unwrapping"),
    ),
    (
        "unwrap-oneshot-4096",
        Use::In(
            "emulator/tests/commands/sealed.rs",
            "rsa_4096_leaves_as_the_genuine_1099_bytes_and_d_of_513_is_refused",
        ),
    ),
    (
        "ef2f02-41",
        Use::In(
            HERE,
            "a_card_that_trusts_the_vendor_judges_genuine_devices_by_command",
        ),
    ),
    (
        "ef2f02-parts-old",
        Use::In(
            HERE,
            "a_card_that_trusts_the_vendor_judges_genuine_devices_by_command",
        ),
    ),
    (
        "req-41-ce01",
        Use::In(HERE, "the_key_of_a_genuine_device_can_be_a_custodian"),
    ),
    (
        "req-41-ce03",
        Use::In(HERE, "our_requests_have_the_form_of_genuine_ones"),
    ),
    (
        "req-41-ce04",
        Use::In(HERE, "genuine_requests_verify_with_the_device_key"),
    ),
    (
        "wrapped-ec-k1",
        Use::In(
            "emulator/tests/commands/unwrap_key.rs",
            "a_key_of_a_genuine_token_opens_under_its_dkek",
        ),
    ),
    (
        "dkek-share-file",
        Use::In(
            "harness/src/dkek/tests.rs",
            "share_file_of_a_genuine_card_opens",
        ),
    ),
    ("ls-34", Use::In(HERE, "enumeration_has_the_recorded_order")),
    ("tool-36", Use::In(HERE, "the_recorded_states_of_cards")),
    (
        "tool-35-virgin",
        Use::In(HERE, "the_recorded_states_of_cards"),
    ),
    ("tool-32", Use::In(HERE, "the_recorded_states_of_cards")),
    (
        "tool-32-wrong-so",
        Use::In(HERE, "the_recorded_states_of_cards"),
    ),
    (
        "km-34",
        Use::Not("names, dates and domain of one device, whose certificate is not published"),
    ),
    (
        "mem-34",
        Use::In(HERE, "the_default_profile_has_the_recorded_memory"),
    ),
    (
        "kcv-d2f1",
        Use::Not("the share with this check value is not published"),
    ),
];

#[test]
fn every_record_is_replayed_or_says_why_not() {
    let all = records();
    let list = all["records"].as_array().unwrap();
    let mut recorded: Vec<_> = list
        .iter()
        .map(|record| record["id"].as_str().unwrap())
        .collect();
    let mut used: Vec<_> = USES.iter().map(|(id, _)| *id).collect();
    recorded.sort_unstable();
    used.sort_unstable();
    assert_eq!(used, recorded);
    let workspace = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (id, place) in USES {
        match place {
            Use::In(file, test) => {
                let source = std::fs::read_to_string(workspace.join(file)).unwrap();
                let header = format!("#[test]\nfn {test}()");
                assert!(source.contains(&header), "{id}: no test {test} in {file}");
            }
            Use::Not(reason) => assert!(!reason.is_empty(), "{id}"),
        }
    }
}
