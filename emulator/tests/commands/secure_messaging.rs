//! Commands through the secure channel.

use hsm2_emulator::command::COMMANDS;

use crate::channel::{
    Host, SET_PROTOCOL, device_point, general_authenticate, object, own_point, padded,
};
use crate::state::{QUERY_USER, generate_ec, update};
use crate::support::{Reader, SO_PIN, USER_PIN, bytes, lc_data};

const VERIFY: &str = "00 20 00 81";

/// A card with a file, nobody logged in, and a host with a channel to it.
fn connected() -> (Reader, Host) {
    let mut reader = Reader::initialised();
    reader.put(0xCA01, b"content of a file");
    reader.log_out();
    let host = Host::open(&mut reader);
    (reader, host)
}

/// As [`connected`], with the user logged in through the channel.
fn logged_in() -> (Reader, Host) {
    let (mut reader, mut host) = connected();
    host.ok(&mut reader, VERIFY, USER_PIN, "00");
    assert_eq!(host.send(&mut reader, VERIFY, &[], "00").status, 0x9000);
    (reader, host)
}

/// Nothing is left of the channel: its next command is not understood, and who logged in through
/// it is logged out.
#[track_caller]
fn assert_closed(reader: &mut Reader, mut host: Host, name: &str) {
    for skipped in 0..2 {
        host.counter += skipped;
        let command = host.clone().protect([0, 0x84, 0, 0], &[], &[8]).apdu();
        let answer = reader.send_bytes(&command);
        assert_eq!((answer.status, answer.data.len()), (0x6882, 0), "{name}");
    }
    reader.run(&[(name, QUERY_USER, 0x63C3)]);
}

#[test]
fn every_command_answers_as_without_protection() {
    for entry in COMMANDS {
        let mut plain = Reader::initialised();
        Host::open(&mut plain);
        let expected = plain.send_bytes(&[entry.cla, entry.ins, 0x01, 0x00, 0x00]);
        let mut reader = Reader::initialised();
        let mut host = Host::open(&mut reader);
        let header = format!("{:02X}{:02X}0100", entry.cla, entry.ins);
        let answer = host.send(&mut reader, &header, &[], "00");
        assert_eq!(
            format!("{:04X}", answer.status),
            format!("{:04X}", expected.status),
            "{entry:?}"
        );
        host.ok(&mut reader, "00840000", &[], "08");
    }
}

#[test]
fn a_session_of_all_four_cases_short_and_extended() {
    let (mut reader, mut host) = logged_in();
    let reader = &mut reader;
    let template = bytes(&generate_ec(1, b"UTCA00001", ""));
    let request = host.ok(reader, "00460100", &template[7..template.len() - 2], "0000");
    assert_eq!(request[0], 0x67);
    let signature = host.ok(reader, "80680170", &[0x5A; 32], "0200");
    assert_eq!(signature[0], 0x30);

    let content: Vec<u8> = (0..=255).cycle().take(900).collect();
    let write = bytes(&update(0xCA02, 0, &content));
    // Case 3: no Le, and 85, as the instruction is odd.
    let data = &write[write.len() - 908..];
    assert_eq!(host.ok(reader, "00D7CA02", data, ""), [0; 0]);
    let read = host.send(reader, "00B1CA02", &bytes("54020000"), "0000");
    assert_eq!((read.status, read.data), (0x6282, content.clone()));
    let read = host.ok(reader, "00B1CA02", &bytes("54020010"), "20");
    assert_eq!(read, content[0x10..0x30]);
    // Case 1.
    assert_eq!(host.send(reader, VERIFY, &[], "").status, 0x9000);
    // Case 2, with and without data in the answer.
    let list = host.ok(reader, "80580000", &[], "0000");
    assert!(list.chunks(2).any(|id| id == [0xCC, 0x01]), "{list:02X?}");
    assert_eq!(host.ok(reader, "00840000", &[], "0400").len(), 1024);
    // Without Le there is no data in the answer, as without protection.
    assert_eq!(host.ok(reader, "80580000", &[], ""), [0; 0]);
    // Every length around whole blocks.
    for length in 1..=50 {
        let data = lc_data(&content[..length]);
        let write = bytes(&format!("54020000 53 {data}"));
        host.ok(reader, &format!("00D7CA{length:02X}"), &write, "");
        let read = host.ok(
            reader,
            &format!("00B1CA{length:02X}"),
            &bytes("54020000"),
            &format!("{length:02X}"),
        );
        assert_eq!(read, content[..length]);
    }
}

#[test]
fn errors_of_the_command_are_protected_and_leave_the_channel_open() {
    let (mut reader, mut host) = connected();
    let rows: &[(&str, &str, &[u8], &str, u16)] = &[
        ("wrong PIN", VERIFY, b"000000", "00", 0x63C2),
        ("not logged in", "00480500", &[], "", 0x6A86),
        ("without right", "004805B0", &[], "", 0x6982),
        ("no such file", "00B1CAFF", &[0x54, 2, 0, 0], "00", 0x6A82),
        ("unknown instruction", "00FE0000", &[], "00", 0x6D00),
        ("the wrong class", "80200081", &[], "00", 0x6E00),
        (
            "SELECT of another applet",
            "00A40400",
            &[0xA0],
            "00",
            0x6A82,
        ),
        (
            "a malformed data field",
            "00B1CA01",
            &[0x54, 3],
            "00",
            0x6A80,
        ),
        ("an answer above Le", "80500000", &[], "06", 0x6700),
        (
            "protocol not set",
            "00860000",
            &object(0x7C, &object(0x80, &own_point())),
            "00",
            0x6985,
        ),
        ("right PIN", VERIFY, USER_PIN, "00", 0x9000),
    ];
    for (name, header, data, le, status) in rows {
        let answer = host.send(&mut reader, header, data, le);
        let (got, wanted) = (answer.status, status);
        assert_eq!(format!("{got:04X}"), format!("{wanted:04X}"), "{name}");
        assert_eq!(answer.data, [0; 0], "{name}");
    }
    assert_eq!(host.send(&mut reader, VERIFY, &[], "00").status, 0x9000);
}

#[test]
fn whatever_is_wrong_with_the_objects_closes_the_channel() {
    type Change = fn(&mut Host) -> Vec<u8>;
    const READ: [u8; 4] = [0x00, 0xB1, 0xCA, 0x01];
    const PIN: [u8; 4] = [0x00, 0x20, 0x00, 0x81];
    /// A command whose MAC is right for objects that are wrong.
    fn authentic(host: &mut Host, header: [u8; 4], objects: &[u8]) -> Vec<u8> {
        let mut parts = host.protect(header, &[], &[0]);
        parts.mac = host.command_mac(parts.header, objects);
        parts.with_objects(&[objects, &parts.mac].concat())
    }
    let rows: &[(&str, Change, u16)] = &[
        ("no objects", |_| vec![0x0C, 0x20, 0x00, 0x81], 0x6987),
        (
            "no objects but Le",
            |_| vec![0x0C, 0x20, 0x00, 0x81, 0x00],
            0x6987,
        ),
        (
            "no MAC",
            |host| {
                let parts = host.protect(PIN, USER_PIN, &[0]);
                parts.with_objects(&[&parts.cryptogram[..], &parts.le].concat())
            },
            0x6987,
        ),
        (
            "the MAC alone, of other objects",
            |host| {
                let parts = host.protect(PIN, USER_PIN, &[0]);
                parts.with_objects(&parts.mac)
            },
            0x6988,
        ),
        (
            "a wrong MAC",
            |host| {
                let mut parts = host.protect(PIN, USER_PIN, &[0]);
                parts.mac[9] ^= 1;
                parts.apdu()
            },
            0x6988,
        ),
        (
            "a MAC of 7 bytes",
            |host| {
                let mut parts = host.protect(PIN, USER_PIN, &[0]);
                parts.mac = object(0x8E, &parts.mac[2..9]);
                parts.apdu()
            },
            0x6988,
        ),
        (
            "no MAC in 8E",
            |host| {
                let mut parts = host.protect(PIN, USER_PIN, &[0]);
                parts.mac = object(0x8E, &[]);
                parts.apdu()
            },
            0x6988,
        ),
        (
            "Le before the cryptogram",
            |host| {
                let parts = host.protect(PIN, USER_PIN, &[0]);
                let objects = [&parts.le[..], &parts.cryptogram].concat();
                authentic_again(host, &parts.header, &objects)
            },
            0x6988,
        ),
        (
            "the MAC first",
            |host| {
                let parts = host.protect(PIN, USER_PIN, &[0]);
                parts.with_objects(&[&parts.mac[..], &parts.cryptogram, &parts.le].concat())
            },
            0x6988,
        ),
        (
            "two cryptograms",
            |host| {
                let parts = host.protect(PIN, USER_PIN, &[0]);
                let objects = [&parts.cryptogram[..], &parts.cryptogram].concat();
                authentic_again(host, &parts.header, &objects)
            },
            0x6988,
        ),
        (
            "two Le",
            |host| authentic(host, PIN, &[0x97, 1, 0, 0x97, 1, 0]),
            0x6988,
        ),
        (
            "Le of three bytes",
            |host| authentic(host, PIN, &[0x97, 3, 0, 0, 0]),
            0x6988,
        ),
        (
            "an empty Le",
            |host| authentic(host, PIN, &[0x97, 0]),
            0x6988,
        ),
        (
            "an unknown object",
            |host| authentic(host, PIN, &[0x81, 1, 0]),
            0x6988,
        ),
        (
            "an object cut short",
            |host| authentic(host, PIN, &[0x97, 0x50]),
            0x6988,
        ),
        (
            "something behind the MAC",
            |host| {
                let mut parts = host.protect(PIN, USER_PIN, &[0]);
                parts.mac.push(0);
                parts.apdu()
            },
            0x6988,
        ),
        (
            "87 with an odd instruction",
            |host| {
                let objects = object(0x87, &[&[1], &[0xAA; 16][..]].concat());
                authentic(host, READ, &objects)
            },
            0x6988,
        ),
        (
            "85 with an even instruction",
            |host| authentic(host, PIN, &object(0x85, &[0xAA; 16])),
            0x6988,
        ),
        (
            "another padding indicator",
            |host| {
                let objects = object(0x87, &[&[2], &[0xAA; 16][..]].concat());
                authentic(host, PIN, &objects)
            },
            0x6988,
        ),
        (
            "no cryptogram in 87",
            |host| authentic(host, PIN, &object(0x87, &[1])),
            0x6988,
        ),
        (
            "an empty 87",
            |host| authentic(host, PIN, &object(0x87, &[])),
            0x6988,
        ),
        (
            "an empty 85",
            |host| authentic(host, READ, &object(0x85, &[])),
            0x6988,
        ),
        (
            "half a block",
            |host| authentic(host, PIN, &object(0x87, &[1, 2, 3, 4, 5, 6, 7, 8, 9])),
            0x6988,
        ),
        (
            "no padding",
            |host| {
                // The counter must be that of the command that follows.
                host.counter += 1;
                let blocks = host.encrypt(b"sixteen bytes: a");
                host.counter -= 1;
                authentic(host, READ, &object(0x85, &blocks))
            },
            0x6988,
        ),
        (
            "a whole block of zeros behind the padding",
            |host| {
                host.counter += 1;
                let blocks = host.encrypt(&[padded(b"54"), vec![0; 16]].concat());
                host.counter -= 1;
                authentic(host, READ, &object(0x85, &blocks))
            },
            0x6988,
        ),
        (
            "another header",
            |host| {
                let mut parts = host.protect(PIN, USER_PIN, &[0]);
                parts.header[3] = 0x88;
                parts.apdu()
            },
            0x6988,
        ),
        (
            "another class",
            |host| {
                let mut parts = host.protect([0x80, 0x58, 0, 0], &[], &[0]);
                parts.header[0] = 0x0C;
                parts.apdu()
            },
            0x6988,
        ),
        (
            "another cryptogram",
            |host| {
                let mut parts = host.protect(PIN, USER_PIN, &[0]);
                parts.cryptogram[5] ^= 1;
                parts.apdu()
            },
            0x6988,
        ),
        (
            "another Le",
            |host| {
                let mut parts = host.protect(PIN, USER_PIN, &[0]);
                parts.le[2] = 1;
                parts.apdu()
            },
            0x6988,
        ),
        (
            "Le left out",
            |host| {
                let mut parts = host.protect(PIN, USER_PIN, &[0]);
                parts.le.clear();
                parts.apdu()
            },
            0x6988,
        ),
        (
            "a command left out",
            |host| {
                host.counter += 2;
                host.protect(PIN, USER_PIN, &[0]).apdu()
            },
            0x6988,
        ),
        (
            "the counter of the response",
            |host| {
                host.counter += 1;
                host.protect(PIN, USER_PIN, &[0]).apdu()
            },
            0x6988,
        ),
        (
            "no outer Le",
            |host| {
                let mut command = host.protect(PIN, USER_PIN, &[0]).apdu();
                command.pop();
                command
            },
            0x6700,
        ),
        (
            "no command at all",
            |host| {
                let mut command = host.protect(PIN, USER_PIN, &[0]).apdu();
                command.truncate(20);
                command
            },
            0x6700,
        ),
        (
            "longer than the buffer",
            |host| {
                let mut parts = host.protect(READ, &[0; 1300], &[0, 0]);
                parts.le = vec![0; 4];
                parts.apdu()
            },
            0x6700,
        ),
        (
            "without an authentic header",
            |host| {
                let mut parts = host.protect(PIN, USER_PIN, &[0]);
                parts.header[0] = 0x04;
                parts.apdu()
            },
            0x6882,
        ),
        (
            "a header that is no object",
            |host| {
                let mut parts = host.protect(PIN, USER_PIN, &[0]);
                parts.header[0] = 0x08;
                parts.apdu()
            },
            0x6882,
        ),
        (
            "on a logical channel",
            |host| {
                let mut parts = host.protect(PIN, USER_PIN, &[0]);
                parts.header[0] = 0x0D;
                parts.apdu()
            },
            0x6882,
        ),
        (
            "an unknown class, plain",
            |_| vec![0x40, 0x20, 0x00, 0x81],
            0x6E00,
        ),
        ("no command", |_| vec![0x00], 0x6700),
    ];
    for (name, change, status) in rows {
        let (mut reader, mut host) = logged_in();
        let command = change(&mut host.clone());
        let answer = reader.send_bytes(&command);
        let (got, wanted) = (answer.status, status);
        assert_eq!(format!("{got:04X}"), format!("{wanted:04X}"), "{name}");
        assert_eq!(answer.data, [0; 0], "{name}: a bare word");
        host.counter += 1;
        assert_closed(&mut reader, host, name);
    }
}

/// A command with the MAC that goes with these objects.
fn authentic_again(host: &Host, header: &[u8; 4], objects: &[u8]) -> Vec<u8> {
    let mac = host.command_mac(*header, objects);
    let data = [objects, &mac].concat();
    [
        &header[..],
        &[u8::try_from(data.len()).unwrap()],
        &data,
        &[0],
    ]
    .concat()
}

#[test]
fn nothing_can_be_replayed() {
    let (mut reader, mut host) = connected();
    let command = host.protect([0, 0x20, 0, 0x81], USER_PIN, &[0]).apdu();
    let answer = reader.send_bytes(&command);
    assert_eq!(host.unprotect(0x20, &answer).status, 0x9000);
    assert_eq!(reader.send_bytes(&command).status, 0x6988);
    assert_closed(&mut reader, host, "replayed");
    // Nor in a later channel of the same host.
    Host::open(&mut reader);
    assert_eq!(reader.send_bytes(&command).status, 0x6988);
    reader.refused(QUERY_USER, 0x63C3);
}

#[test]
fn a_plain_command_ends_the_channel_and_the_login_made_in_it() {
    for plain in [QUERY_USER, "00 84 00 00 08", "00 FE 00 00", SET_PROTOCOL] {
        let (mut reader, host) = logged_in();
        reader.send(plain);
        assert_closed(&mut reader, host, plain);
    }
}

#[test]
fn a_plain_command_does_what_it_says_without_that_login() {
    let (mut reader, _host) = logged_in();
    reader.refused("00 48 05 B0", 0x6982);
}

#[test]
fn a_login_made_before_the_channel_outlasts_it() {
    let (mut reader, _) = connected();
    reader.log_in();
    let mut host = Host::open(&mut reader);
    assert_eq!(host.send(&mut reader, VERIFY, &[], "00").status, 0x9000);
    assert!(reader.is_logged_in());

    // Logging in again through the channel binds the login to it.
    let mut host = Host::open(&mut reader);
    host.ok(&mut reader, VERIFY, USER_PIN, "00");
    assert!(!reader.is_logged_in());

    // A wrong PIN in the channel ends the login made before it.
    reader.log_in();
    let mut host = Host::open(&mut reader);
    assert_eq!(
        host.send(&mut reader, VERIFY, b"000000", "00").status,
        0x63C2
    );
    assert!(!reader.is_logged_in());
}

#[test]
fn the_security_officer_is_bound_to_the_channel_too() {
    let (mut reader, mut host) = connected();
    host.ok(&mut reader, "00200088", SO_PIN, "00");
    assert_eq!(host.send(&mut reader, "00200088", &[], "00").status, 0x9000);
    reader.refused("00 2C 03 81", 0x6982);
}

#[test]
fn selection_and_reset_end_the_channel() {
    let (mut reader, mut host) = logged_in();
    let aid = bytes("E82B0601040181C31F0201");
    let template = host.ok(&mut reader, "00A40400", &aid, "00");
    assert_eq!(template[0], 0x6F, "protected, although the channel ends");
    assert_closed(&mut reader, host, "selected in the channel");

    let (mut reader, host) = logged_in();
    reader.log_out();
    assert_closed(&mut reader, host, "selected plainly");

    let (mut reader, host) = logged_in();
    reader.power_cycle();
    assert_closed(&mut reader, host, "power cycle");
}

#[test]
fn a_file_can_be_selected_in_the_channel() {
    let (mut reader, mut host) = logged_in();
    let template = host.ok(&mut reader, "00A40000", &[0xCA, 0x01], "00");
    assert_eq!(template[..2], [0x6F, 0x0B]);
    let read = host.ok(&mut reader, "00B10000", &bytes("54020000"), "11");
    assert_eq!(read, b"content of a file");
}

#[test]
fn initialising_keeps_the_channel_and_binds_its_login() {
    let (mut reader, mut host) = connected();
    let objects = bytes("80 02 0001 81 06 363438323139 82 08 3537363231383830");
    host.ok(&mut reader, "80500000", &objects, "");
    assert_eq!(host.send(&mut reader, VERIFY, &[], "00").status, 0x9000);
    assert!(!reader.is_logged_in());
}

#[test]
fn a_channel_can_be_replaced_through_itself() {
    let (mut reader, mut host) = logged_in();
    let protocol = bytes("80 0A 04007F00070202030202");
    host.ok(&mut reader, "002241A4", &protocol, "");
    let data = object(0x7C, &object(0x80, &own_point()));
    let answer = host.ok(&mut reader, "00860000", &data, "00");
    let device_point = device_point(&mut Reader::virgin());
    let mut new = Host::from_answer(&device_point, &answer);
    let query = new.send(&mut reader, VERIFY, &[], "00");
    assert_eq!(query.status, 0x63C3, "the login was made in the old one");
    let command = host.protect([0, 0x84, 0, 0], &[], &[8]).apdu();
    assert_eq!(reader.send_bytes(&command).status, 0x6988);
}

#[test]
fn a_failed_agreement_leaves_no_channel() {
    let (mut reader, host) = logged_in();
    reader.ok(SET_PROTOCOL);
    reader.refused(&general_authenticate(&[4; 65]), 0x6A80);
    assert_closed(&mut reader, host, "failed agreement");
}

#[test]
fn answers_fill_the_buffer_and_no_more() {
    let (mut reader, _) = connected();
    reader.log_in();
    let content: Vec<u8> = (0..=255).cycle().take(3000).collect();
    for (index, block) in content.chunks(1000).enumerate() {
        reader.ok(&update(0xCA02, u16::try_from(1000 * index).unwrap(), block));
    }
    let mut host = Host::open(&mut reader);
    let mut offset = 0;
    let mut read = Vec::new();
    while read.len() < content.len() {
        let position = [
            &[0x54, 2][..],
            &u16::try_from(offset).unwrap().to_be_bytes(),
        ]
        .concat();
        let command = host
            .protect([0, 0xB1, 0xCA, 0x02], &position, &[0, 0])
            .apdu();
        let raw = reader.send_bytes(&command);
        assert!(raw.data.len() + 2 <= 1232, "{}", raw.data.len());
        let answer = host.unprotect(0xB1, &raw);
        let whole = content.len() - offset > 1199;
        let expected = if whole { (0x9000, 1199) } else { (0x6282, 602) };
        assert_eq!((answer.status, answer.data.len()), expected);
        offset += answer.data.len();
        read.extend(answer.data);
    }
    assert_eq!(read, content);

    // A short outer Le holds less.
    let command = host
        .protect([0, 0xB1, 0xCA, 0x02], &bytes("54020000"), &[0])
        .apdu();
    assert_eq!(command.last(), Some(&0));
    let raw = reader.send_bytes(&command);
    assert!(raw.data.len() <= 256);
    assert_eq!(host.unprotect(0xB1, &raw).data, content[..223]);
    // What cannot be shortened is refused, and the command has done nothing.
    let template = bytes(&generate_ec(1, b"UTCA00001", ""));
    let header = [0, 0x46, 1, 0];
    let mut parts = host.protect(header, &template[7..template.len() - 2], &[0]);
    parts.le = object(0x97, &[0]);
    let long = parts.apdu();
    assert_eq!(long[4], 0, "extended");
    let answer = reader.send_bytes(&long);
    assert_eq!(host.unprotect(0x46, &answer).status, 0x6700);
    assert_eq!(
        host.send(&mut reader, "00A40000", &[0xCC, 1], "00").status,
        0x6A82
    );
}
