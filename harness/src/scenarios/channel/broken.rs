//! Agreements that fail, and protected commands that are not as they must be.

use super::{INFERRED, VENDOR, authenticate, open, protocol, says};
use crate::apdu::apdu;
use crate::card::cvc::object;
use crate::judge::{CHANNEL_PROTOCOL, Channel, channel_point};
use crate::scenario::List;
use crate::suite::bench::Stop;

/// GET CHALLENGE, the command that is broken.
const CHALLENGE: [u8; 4] = [0x00, 0x84, 0x00, 0x00];
/// Its Le object: 8 bytes.
const LE: [u8; 3] = [0x97, 1, 8];

/// Makes a command that the card must refuse.
type Break = fn(&mut Channel) -> Result<Vec<u8>, Stop>;

/// The command with one bit changed.
fn flipped(mut command: Vec<u8>, at: usize) -> Vec<u8> {
    if let Some(byte) = command.get_mut(at) {
        *byte ^= 1;
    }
    command
}

/// Changes one bit of the MAC: before it stand the data, behind it the outer Le.
fn with_mac_changed(channel: &mut Channel) -> Result<Vec<u8>, Stop> {
    let command = channel.protect(CHALLENGE, &[], Some(8))?;
    let at = command.len() - 2;
    Ok(flipped(command, at))
}

const BROKEN: [(&str, Break, u16); 14] = [
    ("wrong_mac", with_mac_changed, 0x6988),
    (
        "changed_header",
        |channel| {
            let command = channel.protect(CHALLENGE, &[], Some(8))?;
            Ok(flipped(command, 3))
        },
        0x6988,
    ),
    (
        "changed_le",
        |channel| {
            let command = channel.protect(CHALLENGE, &[], Some(8))?;
            // 0C 84 00 00 0D 97 01 08
            Ok(flipped(command, 7))
        },
        0x6988,
    ),
    (
        "changed_cryptogram",
        |channel| {
            let command = channel.protect([0, 0xa4, 0, 0], &[0x2f, 2], Some(256))?;
            // 0C A4 00 00 1D 87 11 01, then the blocks.
            Ok(flipped(command, 8))
        },
        0x6988,
    ),
    ("no_objects", |_| Ok(vec![0x0c, 0x84, 0, 0, 0]), 0x6987),
    (
        "missing_mac",
        |_| Ok([&[0x0c, 0x84, 0, 0, 3][..], &LE, &[0]].concat()),
        0x6987,
    ),
    (
        "short_mac",
        |channel| {
            let command = channel.protect(CHALLENGE, &[], Some(8))?;
            let mac = command.get(10..17).unwrap_or_default();
            Ok([&[0x0c, 0x84, 0, 0, 12][..], &LE, &[0x8e, 7], mac, &[0]].concat())
        },
        0x6988,
    ),
    (
        "objects_out_of_order",
        |channel| {
            let cryptogram = channel.protect([0, 0xa4, 0, 0], &[0x2f, 2], None)?;
            let object = cryptogram.get(5..24).unwrap_or_default().to_vec();
            let mut again = channel.clone();
            again.back();
            again.protect_objects([0, 0xa4, 0, 0], &[&LE, object.as_slice()].concat())
        },
        0x6988,
    ),
    (
        "doubled_le",
        |channel| channel.protect_objects(CHALLENGE, &[LE, LE].concat()),
        0x6988,
    ),
    (
        "unknown_object",
        |channel| channel.protect_objects(CHALLENGE, &[&LE[..], &[0x80, 1, 0]].concat()),
        0x6988,
    ),
    (
        "cryptogram_object_of_the_other_kind",
        |channel| {
            // 85 goes with odd instructions; SELECT is even.
            channel.protect_objects([0, 0xa4, 0, 0], &object(0x85, &[&[7; 16]]))
        },
        0x6988,
    ),
    (
        "cryptogram_of_no_whole_blocks",
        |channel| channel.protect_objects([0, 0xa4, 0, 0], &object(0x87, &[&[1], &[7; 15]])),
        0x6988,
    ),
    (
        "wrong_padding",
        |channel| channel.protect_blocks([0, 0xa4, 0, 0], &[0; 16]),
        0x6988,
    ),
    (
        "no_outer_le",
        |channel| {
            let mut command = channel.protect(CHALLENGE, &[], Some(8))?;
            command.pop();
            Ok(command)
        },
        0x6700,
    ),
];

pub(super) fn add(list: &mut List) {
    for (what, make, word) in BROKEN {
        list.add(
            format!("channel.broken.{what}_is_{word:04x}"),
            format!("A protected command that is broken ({what}) answers {word:04X} in the clear and closes the channel"),
        )
        .source("the vendor's host knows 6987 and 6988; which goes with what is (inferred)")
        .needs("secure-messaging")
        .run(move |t| {
            let mut channel = open(t)?;
            says(t, &mut channel, (0x0084_0000, &[], Some(8)), 0x9000)?;
            let command = make(&mut channel)?;
            t.refused(command, word)?;
            t.refused(channel.protect(CHALLENGE, &[], Some(8))?, 0x6882)
        });
    }
    let looks = |list: &mut List, id: &str, title: &str, body: fn(&mut _) -> _| {
        list.add(format!("channel.{id}"), title)
            .source(INFERRED)
            .needs("secure-messaging")
            .run(body);
    };
    looks(
        list,
        "broken.replayed_command_is_6988",
        "A command that was recorded is refused when it comes again",
        |t| {
            let mut channel = open(t)?;
            let command = channel.protect(CHALLENGE, &[], Some(8))?;
            let answer = t.send(command.as_slice())?;
            channel.open(0x84, &answer.data, answer.status)?;
            t.refused(command, 0x6988)
        },
    );
    looks(
        list,
        "broken.left_out_command_is_6988",
        "A command is refused when the one before it never came",
        |t| {
            let mut channel = open(t)?;
            channel.protect(CHALLENGE, &[], Some(8))?;
            let command = channel.protect(CHALLENGE, &[], Some(8))?;
            t.refused(command, 0x6988)
        },
    );
    looks(
        list,
        "none.protected_command_is_6882",
        "Without a channel protected commands of both classes, and other forms of protection, answer 6882",
        |t| {
            for command in ["0C84000000", "8C58000000", "0484000008", "0884000008"] {
                t.refused(command, 0x6882)?;
            }
            t.ok(apdu(0x0084_0000).le(8)).map(|_| ())
        },
    );
    looks(
        list,
        "none.other_form_of_protection_is_6882",
        "Class 04 is refused with 6882 while a channel is open, too, and closes it",
        |t| {
            let mut channel = open(t)?;
            t.refused("0484000008", 0x6882)?;
            t.refused(channel.protect(CHALLENGE, &[], Some(8))?, 0x6882)
        },
    );
    add_agreement(list);
}

fn add_agreement(list: &mut List) {
    // 3DES, AES-192 and AES-256 in place of AES-128, and something else.
    for (what, oid) in [
        ("3des", &[4, 0, 0x7f, 0, 7, 2, 2, 3, 2, 1][..]),
        ("aes_192", &[4, 0, 0x7f, 0, 7, 2, 2, 3, 2, 3]),
        ("aes_256", &[4, 0, 0x7f, 0, 7, 2, 2, 3, 2, 4]),
        ("unknown", &[0x2a, 3, 4]),
    ] {
        list.add(
            format!("channel.protocol.{what}_is_6a80"),
            format!(
                "A protocol of chip authentication that the card has not ({what}) answers 6A80"
            ),
        )
        .source("the vendor's host falls back at 6A80")
        .needs("secure-messaging")
        .run(move |t| {
            t.refused(protocol(oid), 0x6a80)?;
            t.refused(authenticate(&channel_point(&[7; 31])?), 0x6985)
        });
    }
    let point = |first: u8, length: usize| [vec![first], vec![0; length]].concat();
    for (what, bytes) in [
        ("infinity", vec![0]),
        ("zeros", point(4, 64)),
        ("short", point(4, 63)),
        ("long", point(4, 65)),
        ("compressed", point(2, 32)),
        ("of_another_curve", vec![]),
    ] {
        list.add(
            format!("channel.point.{what}_is_6a80"),
            format!("A point that is none of the device key's curve ({what}) answers 6A80"),
        )
        .source("SEC 1, 3.2.2: public keys are validated; the word is (inferred)")
        .needs("secure-messaging")
        .run(move |t| {
            let bytes = match bytes.as_slice() {
                [] => crate::judge::multiply("secp256r1", &[7; 31], None)?,
                bytes => bytes.to_vec(),
            };
            t.refused(protocol(&CHANNEL_PROTOCOL), 0x9000)?;
            t.refused(authenticate(&bytes), 0x6a80)?;
            t.refused("0C84000000", 0x6882)
        });
    }
    list.add(
        "channel.agreement.needs_the_protocol_each_time",
        "GENERAL AUTHENTICATE answers 6985 when the protocol was not set, and it serves once",
    )
    .source(VENDOR)
    .needs("secure-messaging")
    .run(|t| {
        let point = channel_point(&[7; 31])?;
        t.refused(authenticate(&point), 0x6985)?;
        t.refused(protocol(&CHANNEL_PROTOCOL), 0x9000)?;
        t.ok(authenticate(&point))?;
        t.refused(authenticate(&point), 0x6985)
    });
    list.add(
        "channel.agreement.form_violated",
        "GENERAL AUTHENTICATE in another form answers 6700, 6A86 or 6A80 and opens nothing",
    )
    .source(INFERRED)
    .needs("secure-messaging")
    .run(|t| {
        let point = channel_point(&[7; 31])?;
        let data = object(0x7c, &[&object(0x80, &[&point])]);
        t.refused(protocol(&CHANNEL_PROTOCOL), 0x9000)?;
        t.refused("00860000 00", 0x6700)?;
        t.refused(apdu(0x0086_0000).data(&data), 0x6700)?;
        t.refused(apdu(0x0086_0000).data(&data).le(10), 0x6700)?;
        t.refused(apdu(0x0086_0100).data(&data).le(256), 0x6a86)?;
        for wrong in [
            object(0x7c, &[]),
            object(0x7c, &[&object(0x81, &[&point])]),
            [data.as_slice(), &[0]].concat(),
            object(0x80, &[&point]),
        ] {
            t.refused(apdu(0x0086_0000).data(wrong).le(256), 0x6a80)?;
        }
        t.refused("0C84000000", 0x6882)
    });
}
