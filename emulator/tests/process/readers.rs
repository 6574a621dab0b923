//! `serve --reader`: what reaches the card, over the vpcd protocol.

use crate::cli::{expect, folder};
use crate::support::{Reader, Served};

/// INITIALIZE DEVICE as `sc-hsm-tool` sends it.
const INITIALIZE: &str = "805000001C 80020001 8106363438323139 82083537363231383830 910103 920101";

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

/// An initialised card behind a reader, logged in.
fn behind(persona: &str) -> (Served, Reader) {
    let served = Served::start(&[
        "--ephemeral",
        "--listen",
        "127.0.0.1:0",
        "--reader",
        persona,
    ]);
    let mut reader = served.reader(0);
    reader.select();
    assert_eq!(reader.ask(&bytes(INITIALIZE)), [0x90, 0x00]);
    (served, reader)
}

/// UPDATE BINARY that is this long in all, and its content.
fn update(total: usize) -> Vec<u8> {
    let length = |length: usize| u16::try_from(length).unwrap().to_be_bytes();
    let content = vec![0xA5; total - 15];
    [
        &bytes("00 D7 CA01 00")[..],
        &length(total - 7),
        &bytes("54020000 5382"),
        &length(total - 15),
        &content,
    ]
    .concat()
}

#[test]
fn each_reader_passes_what_it_can() {
    // GET CHALLENGE of 16 bytes with short and extended Le, writes of 1014 and 1015 bytes.
    let rows: [(&str, [u16; 4]); 4] = [
        ("full", [0x9000, 0x9000, 0x9000, 0x9000]),
        ("t1-chaining", [0x9000, 0x9000, 0x9000, 0x9000]),
        ("cut-1014", [0x9000, 0x9000, 0x9000, 0x6700]),
        ("short-apdu", [0x9000, 0x6700, 0x6700, 0x6700]),
    ];
    for (persona, expected) in rows {
        let (served, mut reader) = behind(persona);
        let commands = [
            bytes("00 84 00 00 10"),
            bytes("00 84 00 00 00 00 10"),
            update(1014),
            update(1015),
        ];
        let got = commands.map(|command| {
            let answer = reader.ask(&command);
            u16::from_be_bytes(*answer.last_chunk().unwrap())
        });
        assert_eq!(got, expected, "{persona}");
        drop(reader);
        served.stop();
    }
}

#[test]
fn a_cutting_reader_loses_the_status_word_of_a_long_response() {
    let (served, mut reader) = behind("cut-1014");
    let ask = bytes("00 84 00 00 00 04 00");
    assert_eq!(reader.ask(&ask).len(), 1014);
    let fits = reader.ask(&bytes("00 84 00 00 00 03 F4"));
    assert_eq!((fits.len(), &fits[1012..]), (1014, &[0x90, 0x00][..]));
    drop(reader);
    served.stop();
}

#[test]
fn an_unknown_reader_is_refused_with_the_names_of_those_there_are() {
    let (_, complained) = expect(&folder(), &["serve", "--ephemeral", "--reader", "x"], 2);
    assert!(
        complained.contains("full, short-apdu, cut-1014, t1-chaining"),
        "{complained}"
    );
}
