//! GENERATE ASYMMETRIC KEY PAIR: requests parsed and verified, and every refusal.

use hsm2_emulator::crypto::Curve;
use hsm2_emulator::cvc::{EcPublicKey, SignedBody};
use hsm2_emulator::tlv::{Reader as Tlv, Writer};
use rsa::traits::PublicKeyParts;
use rsa::{BoxedUint, Pkcs1v15Sign};
use sha2::{Digest, Sha256};

use crate::keys::{
    Bench, ec_template, generate_command, parse_request, rsa_public_key, rsa_template, template,
};
use crate::support::bytes;

/// The public key in the card's own certificate, and its CHR.
fn device(card: &mut Bench) -> (EcPublicKey, Vec<u8>) {
    let certificates = card.read(0x2F02);
    let own = Tlv::new(&certificates).expect(0x7F21).unwrap().value;
    let own = SignedBody::parse(own).unwrap();
    let key = own.ec_public_key(Some(Curve::BrainpoolP256r1)).unwrap();
    (key, own.holder.to_vec())
}

/// Checks all of a request but the key and the inner signature, which it returns.
#[track_caller]
fn check_request<'a>(card: &mut Bench, key: u8, response: &'a [u8]) -> SignedBody<'a> {
    let (device_key, device_name) = device(card);
    let request = parse_request(response);
    assert_eq!(request.outer_authority, device_name);
    device_key
        .verify(request.covered, request.outer_signature)
        .unwrap();
    assert_eq!(request.request.authority, Some(&b"UTCA00001"[..]));
    assert_eq!(request.request.holder, b"DENK040414400001");
    assert_eq!(request.request.extensions, None);
    assert_eq!(request.request.role, None);
    let stored = card.read(0xCE00 | u16::from(key));
    assert_eq!(stored, response, "EF CE is the request");
    request.request
}

#[test]
fn makes_a_key_on_every_curve_with_a_request_that_verifies() {
    let mut card = Bench::new(1, "");
    for (key, curve) in (1..).zip(Curve::ALL) {
        let response = card.generate(key, &ec_template(curve, ""));
        let request = check_request(&mut card, key, &response);
        let public = request.ec_public_key(None).unwrap();
        assert_eq!(public.curve, curve);
        public.verify(request.body, request.signature).unwrap();
        let tags = public_key_tags(request.public_key);
        assert_eq!(tags, [0x06, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87]);
        assert!(response.len() <= 1200, "hosts' buffer");
    }
}

#[test]
fn a_256_bit_key_has_a_request_of_the_length_of_a_genuine_one() {
    let mut card = Bench::new(1, "");
    let response = card.generate(1, &ec_template(Curve::Secp256r1, ""));
    // 490 bytes with names of 16 characters: this card's own is one shorter.
    let (_, device_name) = device(&mut card);
    assert_eq!(response.len() + 16 - device_name.len(), 490);
    let response = card.generate(2, &rsa_template(2048, ""));
    assert_eq!(response.len() + 16 - device_name.len(), 676);
}

#[test]
fn makes_rsa_keys_with_a_request_that_verifies() {
    let mut card = Bench::new(1, "");
    for (key, bits) in [(1, 1024), (2, 1536), (3, 2048)] {
        let response = card.generate(key, &rsa_template(bits, ""));
        let request = check_request(&mut card, key, &response);
        let public = rsa_public_key(&response);
        assert_eq!(public.size(), usize::from(bits / 8));
        let scheme = Pkcs1v15Sign {
            hash_len: None,
            prefix: bytes("3031300d060960864801650304020105000420").into(),
        };
        let hash = Sha256::digest(request.body);
        public.verify(scheme, &hash, request.signature).unwrap();
        assert_eq!(public_key_tags(request.public_key), [0x06, 0x81, 0x82]);
    }
}

fn public_key_tags(content: &[u8]) -> Vec<u16> {
    let mut reader = Tlv::new(content);
    let mut tags = Vec::new();
    while !reader.is_empty() {
        tags.push(reader.next_element().unwrap().tag);
    }
    tags
}

#[test]
fn takes_other_exponents_hashes_and_templates_of_other_hosts() {
    let mut card = Bench::new(1, "");
    let no_exponent = bytes("06 0A 04007F00070202020102 02 02 0400");
    let response = card.generate(1, &template(&no_exponent, ""));
    assert_eq!(*rsa_public_key(&response).e(), BoxedUint::from(65537u32));
    let three = bytes("06 0A 04007F00070202020101 82 01 03 02 02 0400");
    let response = card.generate(2, &template(&three, ""));
    assert_eq!(*rsa_public_key(&response).e(), BoxedUint::from(3u32));

    // An outer CAR in either form has no effect; the CAR and the cofactor may be absent.
    for (key, outer) in [
        (3, "45 09 5554434130303030 31"),
        (4, "42 09 555443413030303031"),
    ] {
        let response = card.generate(key, &ec_template(Curve::Secp256r1, outer));
        check_request(&mut card, key, &response);
    }
    let domain = Curve::Secp384r1.parameters();
    let bare = Writer::new()
        .element(0x5F29, &[0])
        .nested(0x7F49, |key| {
            key.raw(&bytes("06 0A 04007F00070202020204"))
                .element(0x81, domain.p)
                .element(0x82, domain.a)
                .element(0x83, domain.b)
                .element(0x84, domain.g)
                .element(0x85, domain.n)
        })
        .element(0x5F20, b"UTDUMMY00000")
        .into_vec();
    let response = card.generate(5, &bare);
    let request = parse_request(&response).request;
    assert_eq!(
        (request.authority, request.holder),
        (None, &b"UTDUMMY00000"[..])
    );
    let public = request.ec_public_key(None).unwrap();
    public.verify(request.body, request.signature).unwrap();
}

#[test]
fn without_le_the_request_is_in_its_file_only() {
    let mut card = Bench::new(1, "");
    let command = generate_command(1, &ec_template(Curve::Secp256r1, ""));
    let without_le = command.strip_suffix(" 00 00").unwrap();
    assert!(card.ok(without_le).is_empty());
    let stored = card.read(0xCE01);
    check_request(&mut card, 1, &stored);
}

#[test]
fn keys_outlast_the_process() {
    let mut card = Bench::new(1, "92 01 00");
    card.generate_ec(1, Curve::Secp521r1, "");
    card.generate_rsa(2, 1024, "90 04 00000005");
    let digest_info = [7; 40];
    let before = card.sign(2, 0x30, &digest_info);
    let point = Curve::Secp521r1.parameters().g;
    let agreed = card.decipher(1, 0x80, point);
    let state = card.state();
    let mut card = card.reopened();
    assert!(card.state() == state);
    assert_eq!(card.sign(2, 0x30, &digest_info), before);
    assert_eq!(card.decipher(1, 0x80, point), agreed);
    assert_eq!(card.attributes(2), "9004000000039201 00".replace(' ', ""));
}

#[test]
fn domain_parameters_are_all_of_one_curve_each_once_and_in_order() {
    let mut card = Bench::new(1, "97 01 02");
    let other = Curve::Secp256r1.parameters();
    let domain = Curve::BrainpoolP256r1.parameters();
    let good: Vec<(u16, Vec<u8>)> = vec![
        (0x06, bytes("04007F00070202020203")),
        (0x81, domain.p.to_vec()),
        (0x82, domain.a.to_vec()),
        (0x83, domain.b.to_vec()),
        (0x84, domain.g.to_vec()),
        (0x85, domain.n.to_vec()),
        (0x87, vec![1]),
    ];
    let command = |fields: &[(u16, Vec<u8>)]| {
        let key = fields.iter();
        let key = key.fold(Writer::new(), |key, (tag, value)| key.element(*tag, value));
        generate_command(2, &template(&key.into_vec(), ""))
    };
    let mut rows = Vec::new();
    for (at, foreign) in [other.p, other.a, other.b, other.g, other.n]
        .into_iter()
        .enumerate()
    {
        let tag = 0x81 + at;
        let mut one = good.clone();
        one[1 + at].1 = foreign.to_vec();
        rows.push((format!("{tag:02X} of another curve"), one));
        let mut all_but_one = good.clone();
        for (field, value) in all_but_one[1..]
            .iter_mut()
            .zip([other.p, other.a, other.b, other.g, other.n])
        {
            field.1 = value.to_vec();
        }
        all_but_one[1 + at] = good[1 + at].clone();
        rows.push((format!("all but {tag:02X} of another curve"), all_but_one));
        let mut flipped = good.clone();
        *flipped[1 + at].1.last_mut().unwrap() ^= 1;
        rows.push((format!("a bit of {tag:02X}"), flipped));
        let mut missing = good.clone();
        missing.remove(1 + at);
        rows.push((format!("no {tag:02X}"), missing));
        let mut doubled = good.clone();
        doubled.insert(1 + at, good[1 + at].clone());
        rows.push((format!("{tag:02X} twice"), doubled));
        let mut swapped = good.clone();
        swapped.swap(1 + at, 2 + at);
        rows.push((format!("{tag:02X} too late"), swapped));
    }
    for cofactor in [&[][..], &[0], &[2], &[0, 1]] {
        let mut changed = good.clone();
        changed[6].1 = cofactor.to_vec();
        rows.push((format!("cofactor {cofactor:?}"), changed));
    }
    rows.push((
        "a cofactor alone".into(),
        vec![good[0].clone(), good[6].clone()],
    ));
    rows.push(("no parameters".into(), vec![good[0].clone()]));
    for (name, fields) in &rows {
        card.refuses(&[(name, &command(fields), 0x6A80)]);
    }
    card.ok(&command(&good));
}

#[test]
fn refuses_each_fault_with_its_word() {
    let mut card = Bench::new(1, "97 01 02");
    card.generate_ec(1, Curve::Secp256r1, "");
    let ec = ec_template(Curve::Secp256r1, "");
    let p2 = generate_command(2, &ec).replacen("02 00", "02 01", 1);
    let le_too_small = format!(
        "{}00 20",
        generate_command(2, &ec).trim_end_matches("00 00")
    );
    let exists = generate_command(1, &ec);
    let device = generate_command(0, &ec);
    card.refuses(&[
        ("P2", &p2, 0x6A86),
        ("no data field", "00 46 02 00", 0x6700),
        ("no data field, Le", "00 46 02 00 00", 0x6700),
        ("Le too small", &le_too_small, 0x6700),
        ("key exists", &exists, 0x6A89),
        ("the device key's number", &device, 0x6A89),
    ]);
    let with = |attributes: &str| generate_command(2, &ec_template(Curve::Secp256r1, attributes));
    let rsa = |content: &str| generate_command(2, &template(&bytes(content), ""));
    let rsa_oid = "06 0A 04007F00070202020102";
    let mut cut = ec.clone();
    cut.pop();
    let mut other_curve = ec.clone();
    let b = Curve::Secp256r1.parameters().b;
    let at = other_curve.windows(b.len()).position(|part| part == b);
    other_curve[at.unwrap()] ^= 1;
    let mut profile = ec.clone();
    profile[3] = 1;
    let long_name = Writer::new()
        .element(0x5F29, &[0])
        .element(0x42, &[b'A'; 21])
        .raw(&ec[4 + 11..])
        .into_vec();
    let rows = [
        ("absent slot", with("92 01 00"), 0x6A88),
        ("no such slot", with("92 01 05"), 0x6A88),
        ("counter of zero", with("90 04 00000000"), 0x6A80),
        ("counter of 2 bytes", with("90 02 0001"), 0x6A80),
        ("empty list", with("91 00"), 0x6A80),
        (
            "list of 17",
            with(&format!("91 11 {}", "73".repeat(17))),
            0x6A80,
        ),
        ("slot of 2 bytes", with("92 02 0000"), 0x6A80),
        (
            "two counters",
            with("90 04 00000001 90 04 00000001"),
            0x6A80,
        ),
        ("unknown object", with("94 01 00"), 0x6A80),
        ("template cut", generate_command(2, &cut), 0x6A80),
        (
            "parameters of no curve",
            generate_command(2, &other_curve),
            0x6A80,
        ),
        ("profile identifier", generate_command(2, &profile), 0x6A80),
        ("name of 21 bytes", generate_command(2, &long_name), 0x6A80),
        (
            "empty template",
            generate_command(2, &bytes("5F29 01 00")),
            0x6A80,
        ),
        (
            "unknown algorithm",
            rsa("06 0A 04007F00070202020199 02 02 0400"),
            0x6A80,
        ),
        ("512 bits", rsa(&format!("{rsa_oid} 02 02 0200")), 0x6A80),
        ("1280 bits", rsa(&format!("{rsa_oid} 02 02 0500")), 0x6A80),
        ("8192 bits", rsa(&format!("{rsa_oid} 02 02 2000")), 0x6A80),
        (
            "size of 3 bytes",
            rsa(&format!("{rsa_oid} 02 03 000400")),
            0x6A80,
        ),
        (
            "even exponent",
            rsa(&format!("{rsa_oid} 82 01 04 02 02 0400")),
            0x6A80,
        ),
        (
            "exponent 1",
            rsa(&format!("{rsa_oid} 82 01 01 02 02 0400")),
            0x6A80,
        ),
        ("no size", rsa(rsa_oid), 0x6A80),
        (
            "more after the size",
            rsa(&format!("{rsa_oid} 02 02 0400 87 01 01")),
            0x6A80,
        ),
    ];
    let rows: Vec<_> = rows
        .iter()
        .map(|(name, command, word)| (*name, command.as_str(), *word))
        .collect();
    card.refuses(&rows);
    card.log_out();
    card.refuses(&[
        ("no PIN", &generate_command(2, &ec), 0x6982),
        ("form before PIN", &with("91 00"), 0x6A80),
        (
            "PIN before the key's existence",
            &generate_command(1, &ec),
            0x6982,
        ),
    ]);
    card.log_in();
    let order = [
        ("P2 before data", "00 46 01 01".to_owned(), 0x6A86),
        (
            "form before existence",
            generate_command(1, &bytes("5F29 01 00")),
            0x6A80,
        ),
        (
            "existence before slot",
            generate_command(1, &ec_template(Curve::Secp256r1, "92 01 05")),
            0x6A89,
        ),
    ];
    let order: Vec<_> = order
        .iter()
        .map(|(name, command, word)| (*name, command.as_str(), *word))
        .collect();
    card.refuses(&order);
}
