//! The secure channel: chip authentication, protected commands of every kind, and what breaks it.

mod broken;
mod session_pin;

use crate::apdu::apdu;
use crate::card::cvc::object;
use crate::der::Reader;
use crate::judge::{CHANNEL_PROTOCOL, Channel, channel_point};
use crate::scenario::{Effect, List, Start};
use crate::suite::bench::{Bench, Stop};
use crate::suite::fixture;

const VENDOR: &str = "the vendor's host; BSI TR-03110; OpenSC card-sc-hsm.c";
const INFERRED: &str = "the form that the vendor's host sends, violated (inferred)";

/// MANAGE SECURITY ENVIRONMENT with the protocol of chip authentication.
fn protocol(oid: &[u8]) -> crate::apdu::Apdu {
    apdu(0x0022_41a4).data(object(0x80, &[oid]))
}

/// GENERAL AUTHENTICATE with a point.
fn authenticate(point: &[u8]) -> crate::apdu::Apdu {
    apdu(0x0086_0000)
        .data(object(0x7c, &[&object(0x80, &[point])]))
        .le(256)
}

/// Opens a channel; the card's token must be right. Gives the channel and the card's nonce.
fn agree(t: &mut Bench) -> Result<(Channel, Vec<u8>), Stop> {
    let certificate = t.device()?;
    let device = certificate.key.point().unwrap_or_default();
    let private = t.dice.bytes(31);
    t.refused(protocol(&CHANNEL_PROTOCOL), 0x9000)?;
    let answer = t.ok(authenticate(&channel_point(&private)?))?;
    let mut outer = Reader::new(&answer);
    let mut fields = outer.expect(0x7c, "the answer")?.reader();
    outer.finish("the answer")?;
    let nonce = fields.expect(0x81, "the nonce")?.content.to_vec();
    let token = fields.expect(0x82, "the token")?.content;
    fields.finish("the token")?;
    let (channel, expected) = Channel::agree(&private, device, &nonce)?;
    t.same("the token", expected, token)?;
    Ok((channel, nonce))
}

fn open(t: &mut Bench) -> Result<Channel, Stop> {
    agree(t).map(|(channel, _)| channel)
}

/// Sends a command through the channel; the judge looks at the response. Gives data and status.
fn say(
    t: &mut Bench,
    channel: &mut Channel,
    header: u32,
    data: &[u8],
    le: Option<usize>,
) -> Result<(Vec<u8>, u16), Stop> {
    let header = header.to_be_bytes();
    let answer = t.send(channel.protect(header, data, le)?)?;
    let plain = channel.open(header[1], &answer.data, answer.status)?;
    Ok((plain, answer.status))
}

/// Sends what must be answered with this status word; gives the data.
fn says(
    t: &mut Bench,
    channel: &mut Channel,
    (header, data, le): (u32, &[u8], Option<usize>),
    status: u16,
) -> Result<Vec<u8>, Stop> {
    let (plain, found) = say(t, channel, header, data, le)?;
    t.check(
        found == status,
        &format!("{status:04X} inside the channel"),
        || format!("{found:04X}"),
    )?;
    Ok(plain)
}

/// A scenario on any card.
fn looks(list: &mut List, id: &str, title: &str, body: fn(&mut Bench) -> Result<(), Stop>) {
    list.add(format!("channel.{id}"), title)
        .source(VENDOR)
        .needs("secure-messaging")
        .needs("extended-length")
        .run(body);
}

/// A scenario whose protected commands present a PIN or change the card, which no guard can look
/// into: for cards that can be lost.
fn changes(
    list: &mut List,
    id: &str,
    title: &str,
    start: Start,
    body: fn(&mut Bench) -> Result<(), Stop>,
) {
    list.add(format!("channel.{id}"), title)
        .source(VENDOR)
        .needs("secure-messaging")
        .needs("expendable-pin")
        .effect(Effect::Wipes)
        .start(start)
        .run(body);
}

pub(super) fn add(list: &mut List) {
    looks(
        list,
        "agreement.card_proves_its_device_key",
        "The token of chip authentication follows from the device key, and nonces differ",
        |t| {
            let (_, one) = agree(t)?;
            let (_, two) = agree(t)?;
            t.check(
                one.len() == 8 && one != two,
                "two nonces of 8 bytes",
                || hex::encode_upper(&two),
            )
        },
    );
    looks(
        list,
        "protected.challenge",
        "A command without data works through the channel, GET CHALLENGE of every length",
        |t| {
            let mut channel = open(t)?;
            for length in [1, 8, 15, 16, 17, 200] {
                let random = says(t, &mut channel, (0x0084_0000, &[], Some(length)), 0x9000)?;
                t.check(random.len() == length, &format!("{length} bytes"), || {
                    format!("{} bytes", random.len())
                })?;
            }
            Ok(())
        },
    );
    looks(
        list,
        "protected.files",
        "SELECT and READ BINARY, an odd instruction, give through the channel what they give without",
        |t| {
            let template = t.ok("00A40000 02 2F02 00")?;
            let read: (u32, &[u8], _) = (0x00b1_2f02, &[0x54, 2, 0, 0], Some(65_536));
            let file = t
                .send(apdu(read.0).data(read.1).all())?
                .is_any(&[0x9000, 0x6282])?;
            let mut channel = open(t)?;
            let select: (u32, &[u8], _) = (0x00a4_0000, &[0x2f, 0x02], Some(256));
            let inside = says(t, &mut channel, select, 0x9000)?;
            t.same("the template", template, inside)?;
            let (inside, _) = say(t, &mut channel, read.0, read.1, read.2)?;
            t.same("the file", file, inside)?;
            let (part, _) = say(t, &mut channel, read.0, &[0x54, 2, 0, 2], Some(7))?;
            t.check(part.len() == 7, "7 bytes", || {
                format!("{} bytes", part.len())
            })
        },
    );
    looks(
        list,
        "protected.proprietary_class",
        "A command of class 80 becomes 8C: ENUMERATE OBJECTS gives the same list",
        |t| {
            let list = t.ok(apdu(0x8058_0000).all())?;
            let mut channel = open(t)?;
            let inside = says(t, &mut channel, (0x8058_0000, &[], Some(65_536)), 0x9000)?;
            t.same("the list", list, inside)
        },
    );
    changes(
        list,
        "protected.refusals",
        "What a command refuses comes protected, and the channel stays open",
        Start::AsFound,
        |t| {
            let mut channel = open(t)?;
            says(
                t,
                &mut channel,
                (0x00a4_0000, &[0xcf, 0xfe], Some(256)),
                0x6a82,
            )?;
            let absent: (u32, &[u8], _) = (0x00b1_cffe, &[0x54, 2, 0, 0], Some(256));
            says(t, &mut channel, absent, 0x6a82)?;
            says(t, &mut channel, (0x0084_0001, &[], Some(8)), 0x6a86)?;
            says(t, &mut channel, (0x0084_0000, &[], Some(8)), 0x9000).map(|_| ())
        },
    );
    add_work(list);
    add_ends(list);
    broken::add(list);
    session_pin::add(list);
}

fn add_work(list: &mut List) {
    changes(
        list,
        "protected.login_file_and_signature",
        "The user logs in through the channel, writes, reads and deletes a file, and signs",
        Start::Keys,
        |t| {
            t.select()?;
            let pin = t.pin()?;
            let key = fixture::key("secp256r1")?;
            let mut channel = open(t)?;
            says(
                t,
                &mut channel,
                (0x0020_0081, pin.expose(), Some(256)),
                0x9000,
            )?;
            let write = [&[0x54, 2, 0, 0][..], &object(0x53, &[&[0xab; 300]])].concat();
            says(t, &mut channel, (0x00d7_cf01, &write, None), 0x9000)?;
            let read: (u32, &[u8], _) = (0x00b1_cf01, &[0x54, 2, 0, 0], Some(300));
            let content = says(t, &mut channel, read, 0x9000)?;
            t.same("the content", [0xab; 300], content)?;
            says(t, &mut channel, (0x00e4_0200, &[0xcf, 0x01], None), 0x9000)?;
            let hash = t.dice.bytes(32);
            let sign = 0x8068_0070 | u32::from(key.id) << 8;
            let signature = says(t, &mut channel, (sign, &hash, Some(256)), 0x9000)?;
            let good = crate::judge::ecdsa(key.ec()?, &hash, &signature)?;
            t.check(good, "a signature that verifies", || {
                hex::encode_upper(&signature)
            })
        },
    );
    changes(
        list,
        "protected.query_and_unknown_instruction",
        "The status of the PIN comes through the channel, with and without Le, and 6D00 for no command",
        Start::Fresh,
        |t| {
            let mut channel = open(t)?;
            says(t, &mut channel, (0x0020_0081, &[], Some(256)), 0x63c3)?;
            says(t, &mut channel, (0x0020_0081, &[], None), 0x63c3)?;
            says(t, &mut channel, (0x0001_0000, &[], Some(256)), 0x6d00)?;
            says(t, &mut channel, (0x0084_0000, &[], Some(8)), 0x9000).map(|_| ())
        },
    );
    changes(
        list,
        "protected.wrong_pin_spends_a_try",
        "A wrong PIN through the channel spends a try, and the channel stays open",
        Start::Fresh,
        |t| {
            let mut channel = open(t)?;
            says(t, &mut channel, (0x0020_0081, b"000000", Some(256)), 0x63c2)?;
            let pin = t.pin()?;
            says(
                t,
                &mut channel,
                (0x0020_0081, pin.expose(), Some(256)),
                0x9000,
            )
            .map(|_| ())
        },
    );
    changes(
        list,
        "protected.initialize_keeps_the_channel",
        "INITIALIZE through the channel leaves the user logged in and the channel open",
        Start::Fresh,
        |t| {
            let pin = t.pin()?;
            let data = [
                object(0x80, &[&[0, 1]]),
                object(0x81, &[pin.expose()]),
                object(0x82, &[&t.so_pin()?]),
                object(0x91, &[&[3]]),
            ]
            .concat();
            let mut channel = open(t)?;
            says(t, &mut channel, (0x8050_0000, &data, None), 0x9000)?;
            says(t, &mut channel, (0x0020_0081, &[], None), 0x9000)?;
            t.refused("00200081", 0x63c3)
        },
    );
}

fn add_ends(list: &mut List) {
    changes(
        list,
        "end.plain_command_closes_it_and_ends_its_login",
        "A command without protection closes the channel and ends the login made through it",
        Start::Fresh,
        |t| {
            let pin = t.pin()?;
            let mut channel = open(t)?;
            says(t, &mut channel, (0x0020_0081, pin.expose(), None), 0x9000)?;
            says(t, &mut channel, (0x0020_0081, &[], None), 0x9000)?;
            t.refused("00200081", 0x63c3)?;
            t.refused(channel.protect([0, 0x20, 0, 0x81], &[], None)?, 0x6882)
        },
    );
    changes(
        list,
        "end.login_from_before_stays",
        "A login made without a channel holds inside it and behind it",
        Start::Fresh,
        |t| {
            t.login()?;
            let mut channel = open(t)?;
            says(t, &mut channel, (0x0020_0081, &[], None), 0x9000)?;
            t.refused("00200081", 0x9000)
        },
    );
    changes(
        list,
        "end.new_agreement_replaces_it",
        "Another chip authentication replaces the channel and ends the login made through it",
        Start::Fresh,
        |t| {
            let pin = t.pin()?;
            let mut old = open(t)?;
            says(t, &mut old, (0x0020_0081, pin.expose(), None), 0x9000)?;
            let mut new = open(t)?;
            says(t, &mut new, (0x0020_0081, &[], None), 0x63c3)?;
            t.refused(old.protect([0, 0x20, 0, 0x81], &[], None)?, 0x6988)
        },
    );
    for (what, reset) in [("select", false), ("reset", true)] {
        list.add(
            format!("channel.end.{what}_closes_it"),
            format!("A {what} closes the channel"),
        )
        .source(VENDOR)
        .needs("secure-messaging")
        .run(move |t| {
            let mut channel = open(t)?;
            if reset {
                t.reset()?;
            }
            t.select()?;
            t.refused(channel.protect([0, 0x84, 0, 0], &[], Some(8))?, 0x6882)
        });
    }
}
