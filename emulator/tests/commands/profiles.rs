//! The generations of the device: what each of them is expected to be, written down a second time
//! and apart from the tables of the card.

use hsm2_emulator::command::COMMANDS;
use hsm2_emulator::crypto::{CardRng, Curve, RsaPrivateKey};
use hsm2_emulator::cvc::SignedBody;
use hsm2_emulator::identity::{ISSUER_NAME, ROOT_NAME};
use hsm2_emulator::profile::{PROFILES, Profile};
use hsm2_emulator::tlv::{Reader as Tlv, Writer};

use crate::channel::Host;
use crate::keys::{ec_template, generate_command, rsa_template, scratch_commands, unwrap_command};
use crate::sealed::{ZERO_SHARE, crt, fields, sealed};
use crate::support::{Reader, SELECT_APPLET, SO_PIN, USER_PIN, bytes, lc_data};
use crate::vectors::{self, hex};

/// What a generation is expected to be.
struct Expected {
    name: &'static str,
    atr: &'static str,
    /// The applet's template on a card that was never initialised.
    fci: &'static str,
    /// Longest command in bytes.
    longest: usize,
    /// Answer of the information query, when there is one.
    information: Option<&'static str>,
    /// VERIFY of the user PIN of a card that was never initialised.
    virgin: u16,
    /// Instructions that are unknown.
    unknown: &'static [u8],
    rsa: &'static [u16],
    /// Largest field of a curve in bytes.
    field: usize,
    /// Signature algorithms that are unknown, of 20 to 45.
    no_signature: &'static [u8],
    /// UNWRAP of an AES key without and with an algorithm list.
    aes: [u16; 2],
    /// Keys of RSA-2048 and of 256 bits that fit; 0 for more than there are numbers of keys.
    capacity: [usize; 2],
    /// Length of EF 2F02.
    certificates: usize,
    /// Whether a login made through the secure channel ends with it.
    bound: bool,
}

const JCOP_2: &str = "3BFE1800008131FE458031815448534D31738021408107FA";
const JCOP_3: &str = "3BDE96FF8191FE1FC38031815448534D3173802140810792";

const EXPECTED: [Expected; 6] = [
    Expected {
        name: "smartcard-hsm-1.2",
        atr: JCOP_2,
        fci: "6F 07 82 01 78 85 02 01 02",
        longest: 1462,
        information: None,
        virgin: 0x6984,
        unknown: &[0x2A, 0x48, 0x54, 0x5A, 0x76, 0x78, 0x82],
        rsa: &[1024, 1536, 2048],
        field: 40,
        no_signature: &[0x40, 0x44, 0x45],
        aes: [0x6A80, 0x6A80],
        capacity: [20, 31],
        certificates: 467,
        bound: false,
    },
    Expected {
        name: "nitrokey-hsm",
        atr: JCOP_2,
        fci: "6F 0A 82 01 78 85 05 00 00 00 02 06",
        longest: 1462,
        information: Some("0000AA50 00 0206"),
        virgin: 0x6A88,
        unknown: &[0x48, 0x76, 0x78],
        rsa: &[1024, 1536, 2048],
        field: 40,
        no_signature: &[],
        aes: [0x6A80, 0x6A80],
        capacity: [20, 31],
        certificates: 467,
        bound: true,
    },
    Expected {
        name: "nitrokey-hsm2-3.1",
        atr: JCOP_3,
        fci: "6F 0A 82 01 78 85 05 00 00 00 03 01",
        longest: 1232,
        information: Some("00013DCC 00 0301"),
        virgin: 0x6A88,
        unknown: &[],
        rsa: &[1024, 1536, 2048, 3072, 4096],
        field: 66,
        no_signature: &[],
        aes: [0x9000, 0x6F00],
        capacity: [38, 0],
        certificates: 467,
        bound: true,
    },
    Expected {
        name: "nitrokey-hsm2-3.5",
        atr: JCOP_3,
        fci: "6F 0A 82 01 78 85 05 00 00 00 03 05",
        longest: 1232,
        information: Some("00013DCC 00 0305"),
        virgin: 0x6A88,
        unknown: &[],
        rsa: &[1024, 1536, 2048, 3072, 4096],
        field: 66,
        no_signature: &[],
        aes: [0x9000, 0x9000],
        capacity: [38, 0],
        certificates: 467,
        bound: true,
    },
    Expected {
        name: "nitrokey-hsm2",
        atr: JCOP_3,
        fci: "6F 0A 82 01 78 85 05 00 00 00 03 06",
        longest: 1232,
        information: Some("00013DCC 00 0306"),
        virgin: 0x6A88,
        unknown: &[],
        rsa: &[1024, 1536, 2048, 3072, 4096],
        field: 66,
        no_signature: &[],
        aes: [0x9000, 0x9000],
        capacity: [38, 0],
        certificates: 467,
        bound: true,
    },
    Expected {
        name: "nitrokey-hsm2-4.1",
        atr: JCOP_3,
        fci: "6F 0A 82 01 78 85 05 00 00 00 04 01",
        longest: 1454,
        information: Some("00013DCC 00 0401"),
        virgin: 0x6A88,
        unknown: &[],
        rsa: &[1024, 1536, 2048, 3072, 4096],
        field: 66,
        no_signature: &[],
        aes: [0x9000, 0x9000],
        capacity: [38, 0],
        certificates: 469,
        bound: true,
    },
];

fn profile(expected: &Expected) -> &'static Profile {
    Profile::by_name(expected.name).unwrap()
}

/// A card with one DKEK of this share, and the user authenticated.
fn with_dkek(expected: &Expected, share: &str) -> Reader {
    let mut reader = Reader::of(profile(expected));
    assert_eq!(reader.initialise("92 01 01"), 0x9000, "{}", expected.name);
    reader.ok(&format!("80 52 00 00 20 {share} 00"));
    reader
}

#[test]
fn every_profile_is_expected_and_has_a_name_of_its_own() {
    let mut known: Vec<_> = PROFILES.iter().map(|profile| profile.name).collect();
    let mut expected = EXPECTED.map(|expected| expected.name).to_vec();
    assert_eq!(known.first(), Some(&"nitrokey-hsm2"), "the default");
    known.sort_unstable();
    expected.sort_unstable();
    assert_eq!(known, expected);
}

#[test]
fn each_generation_shows_who_it_is() {
    for expected in &EXPECTED {
        let name = expected.name;
        let mut reader = Reader::of(profile(expected));
        assert_eq!(reader.card.atr(), bytes(expected.atr), "{name}");
        assert_eq!(reader.ok(SELECT_APPLET), bytes(expected.fci), "{name}");
        match expected.information {
            Some(information) => {
                assert_eq!(reader.ok("80 50 00 00 00"), bytes(information), "{name}");
            }
            None => reader.refused("80 50 00 00 00", 0x6700),
        }
        let pin = lc_data(USER_PIN);
        reader.run(&[
            (name, "00 20 00 81", expected.virgin),
            (name, &format!("00 20 00 81 {pin}"), expected.virgin),
            (name, "00 20 00 88", 0x6A88),
        ]);
        assert_eq!(reader.initialise(""), 0x9000, "{name}");
        reader.log_out();
        reader.refused("00 20 00 81", 0x63C3);
    }
}

#[test]
fn each_generation_takes_commands_up_to_its_buffer() {
    for expected in &EXPECTED {
        let mut reader = Reader::of(profile(expected));
        reader.initialise("");
        // 00 D7 FID 00 Lc(2), 54 02 offset, 53 82 length(2): 15 bytes before the content.
        let mut send = |total: usize| {
            let data = [&bytes("54020000 5382")[..], &[0, 0], &vec![7; total - 15]].concat();
            let mut data = data;
            let length = u16::try_from(total - 15).unwrap().to_be_bytes();
            data[6..8].copy_from_slice(&length);
            let lc = u16::try_from(data.len()).unwrap().to_be_bytes();
            let command = [&bytes("00 D7 CA01 00")[..], &lc, &data].concat();
            assert_eq!(command.len(), total);
            reader.send_bytes(&command).status
        };
        assert_eq!(send(expected.longest), 0x9000, "{}", expected.name);
        assert_eq!(send(expected.longest + 1), 0x6700, "{}", expected.name);
    }
}

#[test]
fn each_generation_knows_its_commands() {
    for expected in &EXPECTED {
        let objects = if expected.unknown.contains(&0x54) {
            "92 01 01"
        } else {
            "92 01 01 93 02 01 01"
        };
        let mut reader = Reader::of(profile(expected));
        assert_eq!(reader.initialise(objects), 0x9000, "{}", expected.name);
        for entry in COMMANDS {
            let answer = reader.send_bytes(&[entry.cla, entry.ins, 0x00, 0x00]);
            let unknown = expected.unknown.contains(&entry.ins);
            assert_eq!(
                answer.status == 0x6D00,
                unknown,
                "{} {entry:?}",
                expected.name
            );
            // The class does not matter for a command that is not there.
            let other = reader.send_bytes(&[entry.cla ^ 0x80, entry.ins, 0x00, 0x00]);
            assert_eq!(
                other.status == 0x6D00,
                unknown,
                "{} {entry:?}",
                expected.name
            );
        }
    }
}

#[test]
fn a_login_made_through_the_channel_ends_with_it_from_2_0_on() {
    for expected in &EXPECTED {
        let name = expected.name;
        let after = |objects: &[(&str, &[u8])], plain: &str| {
            let mut reader = Reader::of(profile(expected));
            assert_eq!(reader.initialise(""), 0x9000, "{name}");
            reader.log_out();
            let mut host = Host::open(&mut reader);
            for (header, data) in objects {
                host.ok(&mut reader, header, data, "00");
            }
            (reader.send(plain).status, reader, host)
        };
        let word = |bound: u16, unbound: u16| if expected.bound { bound } else { unbound };
        let user = ("00200081", USER_PIN);

        let (status, mut reader, mut host) = after(&[user], "00 20 00 81");
        assert_eq!(status, word(0x63C3, 0x9000), "{name}: user");
        // The channel itself is closed in every generation.
        let command = host.protect([0, 0x84, 0, 0], &[], &[8]).apdu();
        assert_eq!(reader.send_bytes(&command).status, 0x6882, "{name}");
        let deleted = reader.send("00 E4 02 00 02 CA01").status;
        assert_eq!(deleted, word(0x6982, 0x6A82), "{name}: access");

        let so_pin = ("00200088", SO_PIN);
        let (status, ..) = after(&[so_pin], "00 20 00 88");
        assert_eq!(status, word(0x63CF, 0x9000), "{name}: security officer");

        let objects = bytes("80 02 0001 81 06 363438323139 82 08 3537363231383830 91 01 03");
        let (status, ..) = after(&[("80500000", &objects)], "00 20 00 81");
        assert_eq!(status, word(0x63C3, 0x9000), "{name}: initialised");

        // A second channel in the place of the first ends what was bound to that.
        let (_, mut reader, _) = after(&[], "00 20 00 81");
        Host::open(&mut reader).ok(&mut reader, user.0, user.1, "00");
        let mut host = Host::open(&mut reader);
        let query = host.send(&mut reader, user.0, &[], "00");
        assert_eq!(query.status, word(0x63C3, 0x9000), "{name}: replaced");
        // A selection ends every login.
        reader.log_out();
        reader.refused("00 20 00 81", 0x63C3);
    }
}

#[test]
fn each_generation_makes_keys_of_its_own_sizes() {
    for expected in &EXPECTED {
        let mut reader = Reader::of(profile(expected));
        reader.initialise("");
        for bits in [512, 1024, 1536, 2000, 2048, 3072, 4096, 8192] {
            // Large keys take long to make: those are only asked for where they are refused.
            if !expected.rsa.contains(&bits) {
                reader.refused(&generate_command(1, &rsa_template(bits, "")), 0x6A80);
            }
        }
        reader.ok(&generate_command(1, &rsa_template(1024, "")));
        assert_eq!(
            profile(expected).rsa_bits,
            expected.rsa,
            "{}",
            expected.name
        );
        for (key, curve) in (2..).zip(Curve::ALL) {
            let answer = reader.send(&generate_command(key, &ec_template(curve, "")));
            let wanted = if curve.field_len() <= expected.field {
                0x9000
            } else {
                0x6A80
            };
            assert_eq!(answer.status, wanted, "{} {}", expected.name, curve.name());
        }
    }
}

#[test]
fn each_generation_signs_with_its_algorithms() {
    for expected in &EXPECTED {
        let mut reader = Reader::of(profile(expected));
        reader.initialise("");
        reader.ok(&generate_command(1, &rsa_template(1024, "")));
        for algorithm in [0x30, 0x31, 0x33, 0x34, 0x40, 0x41, 0x43, 0x44] {
            let answer = reader.send(&format!(
                "80 68 01 {algorithm:02X} 00 0020 {} 0200",
                "5A".repeat(32)
            ));
            let known = !expected.no_signature.contains(&algorithm);
            let wanted = if known { 0x9000 } else { 0x6A81 };
            assert_eq!(answer.status, wanted, "{} {algorithm:02X}", expected.name);
        }
        if expected.no_signature.contains(&0x45) {
            reader.refused("80 68 01 45 01 00 00", 0x6A81);
        }
    }
}

#[test]
fn before_key_domains_there_is_one_dkek_and_nothing_to_manage() {
    for expected in &EXPECTED {
        let slots = expected.name.starts_with("nitrokey-hsm2");
        let mut reader = Reader::of(profile(expected));
        let wanted = if slots { 0x9000 } else { 0x6A80 };
        assert_eq!(reader.initialise("97 01 02"), wanted, "{}", expected.name);
        let mut reader = with_dkek(expected, ZERO_SHARE);
        let status = reader.ok("80 52 00 00 00");
        assert_eq!(status[..2], [1, 0], "{}", expected.name);
        if !slots {
            for action in [
                "01 00 01 02 00",
                "02 00 01 02 00",
                "03 00 00",
                "04 00 00",
                "00 01 00",
            ] {
                reader.refused(&format!("80 52 {action}"), 0x6A86);
            }
            assert_eq!(reader.ok("80 52 00 00 00"), status);
            reader.ok(&generate_command(
                1,
                &ec_template(Curve::BrainpoolP256r1, "91 01 84"),
            ));
            reader.refused("80 62 01 84 01 00 00", 0x6A81);
        }
    }
}

#[test]
fn the_oldest_generation_knows_fewer_options_and_wants_a_name() {
    let [old, rest @ ..] = &EXPECTED;
    let template = rsa_template(1024, "");
    // 5F29 01 00, then 42 09 and nine bytes: the CAR.
    let nameless = [&template[..4], &template[4 + 11..]].concat();
    let mut reader = Reader::of(profile(old));
    let option = "80 50 00 00 16 80 02 0008 81 06 363438323139 82 08 3537363231383830";
    for unknown in ["0004", "0008", "000C", "0010", "0020", "0100"] {
        let one = option.replacen("0008", unknown, 1);
        reader.refuses(&[(unknown, &one, 0x6A80)]);
    }
    assert_eq!(reader.initialise("93 02 01 01"), 0x6A80);
    assert_eq!(reader.initialise(""), 0x9000);
    reader.refused(&generate_command(1, &nameless), 0x6A80);
    reader.ok(&generate_command(1, &template));
    for expected in rest {
        let mut reader = Reader::of(profile(expected));
        reader.ok(option);
        assert_eq!(
            reader.initialise("93 02 01 01"),
            0x9000,
            "{}",
            expected.name
        );
        reader.ok(&generate_command(1, &nameless));
    }
}

#[test]
fn each_generation_unwraps_what_it_was_recorded_to() {
    let blobs = vectors::blobs();
    let aes = hex(&blobs["vectors"][2]["blob"]);
    let mut rng = CardRng::from_seed([5; 32]);
    let mut make = |bits| RsaPrivateKey::generate(bits, &[1, 0, 1], &mut rng).unwrap();
    let (small, large) = (make(2048), make(3072));
    let plain = |key: &RsaPrivateKey| [key.d().to_vec(), key.n(), key.e()];
    let mut long_d = plain(&small);
    long_d[0].insert(0, 0);
    let unlisted = sealed(0x0F, 16, &[7; 16]);
    for expected in &EXPECTED {
        let name = expected.name;
        let knows_large = expected.rsa.contains(&3072);
        let mut reader = with_dkek(expected, ZERO_SHARE);
        let mut unwrap = |key: u8, blob: &[u8]| reader.send(&unwrap_command(key, blob)).status;
        assert_eq!(
            unwrap(1, &sealed(0x05, 2048, &fields(&plain(&small)))),
            0x9000,
            "{name}"
        );
        assert_eq!(
            unwrap(2, &sealed(0x06, 2048, &fields(&crt(&small)))),
            0x9000,
            "{name}"
        );
        assert_eq!(
            unwrap(3, &sealed(0x05, 2048, &fields(&long_d))),
            0x6A80,
            "{name}"
        );
        let wanted = if knows_large { 0x9000 } else { 0x6A80 };
        assert_eq!(
            unwrap(4, &sealed(0x05, 3072, &fields(&plain(&large)))),
            wanted,
            "{name}"
        );
        assert_eq!(unwrap(5, &unlisted), expected.aes[0], "{name}");
        for write in scratch_commands(&sealed(0x06, 3072, &fields(&crt(&large)))) {
            reader.ok(&write);
        }
        assert_eq!(reader.send("80 74 06 93").status, 0x6A80, "{name}");

        let dkek = hex(&blobs["dkek"]);
        let mut reader = with_dkek(expected, &hex::encode(dkek));
        assert_eq!(
            reader.send(&unwrap_command(1, &aes)).status,
            expected.aes[1],
            "{name}"
        );
    }
}

#[test]
fn firmware_3_1_wraps_aes_keys_with_another_identifier_and_later_ones_take_them() {
    let [_, _, old, _, new, _] = &EXPECTED;
    let mut blobs = Vec::new();
    for expected in [old, new] {
        let mut reader = with_dkek(expected, ZERO_SHARE);
        reader.ok("00 48 01 B0");
        blobs.push(reader.ok("80 72 01 92 00 00 00"));
    }
    let oid = |blob: &[u8]| blob[11..11 + usize::from(blob[10])].to_vec();
    assert_eq!(oid(&blobs[1]), bytes("6086480165030401"));
    assert_ne!(oid(&blobs[0])[0], 0x60);
    for (key, blob) in (2..).zip(&blobs) {
        for expected in [old, new] {
            let mut reader = with_dkek(expected, ZERO_SHARE);
            reader.ok(&unwrap_command(key, blob));
        }
    }
}

#[test]
fn each_generation_holds_as_many_keys_as_its_vendor_says() {
    let blobs = vectors::blobs();
    let blob = |name: &str| {
        let vectors = blobs["vectors"].as_array().unwrap();
        let vector = vectors.iter().find(|vector| vector["name"] == name);
        hex(&vector.unwrap()["blob"])
    };
    let kinds = [blob("RSA-2048 non-CRT"), blob("EC secp256r1")];
    let dkek = hex::encode(hex(&blobs["dkek"]));
    for expected in &EXPECTED {
        for (blob, capacity) in kinds.iter().zip(expected.capacity) {
            let mut reader = with_dkek(expected, &dkek);
            let full = (1..=255).find(|key| {
                let status = reader.send(&unwrap_command(*key, blob)).status;
                assert!(matches!(status, 0x9000 | 0x6A84), "{status:04X}");
                status == 0x6A84
            });
            let held = full.map_or(0, |key| usize::from(key) - 1);
            assert_eq!(held, capacity, "{}", expected.name);
        }
    }
}

#[test]
fn the_generations_trust_each_other() {
    for expected in &EXPECTED {
        let file = Reader::of(profile(expected)).content(0x2F02);
        assert_eq!(file.len(), expected.certificates, "{}", expected.name);
        let mut certificates = Tlv::new(&file);
        let [device, issuer] = [(); 2].map(|()| certificates.expect(0x7F21).unwrap().value);
        // Firmware 4.1: an empty extension stands at the end of what the root signed.
        let body = SignedBody::parse(issuer).unwrap().body;
        let extended = body.ends_with(&[0x65, 0x00]);
        assert_eq!(
            extended,
            expected.name.ends_with("4.1"),
            "{}",
            expected.name
        );
        for judge in &EXPECTED {
            // The first generation has no VERIFY CERTIFICATE.
            if judge.unknown.contains(&0x2A) {
                continue;
            }
            let mut reader = Reader::of(profile(judge));
            for (name, certificate) in [(ROOT_NAME, issuer), (ISSUER_NAME, device)] {
                let select = Writer::new().element(0x83, name).into_vec();
                reader.ok(&format!("00 22 81 B6 {}", lc_data(&select)));
                reader.ok(&format!("00 2A 00 BE {}", lc_data(certificate)));
            }
        }
    }
}
