use std::collections::BTreeSet;

use serde::Serialize;

use super::keys::{self, KeyFacts};
use crate::apdu::apdu;
use crate::der::Reader;
use crate::suite::bench::Stop;
use crate::suite::hand::Hand;

/// Objects of a card.
#[derive(Debug, Clone, Serialize)]
pub struct Inventory {
    /// All of them in the card's order.
    pub items: Vec<Item>,
    /// Those that miss their counterpart, in words.
    pub orphans: Vec<String>,
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// File identifier in hexadecimal digits.
    pub file: String,
    /// What it is.
    pub kind: &'static str,
    /// Size in bytes, as SELECT shows it.
    pub size: Option<u16>,
    /// More of it, when it is a key but the device's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyFacts>,
}

pub(super) fn take(hand: &mut Hand) -> Result<Inventory, Stop> {
    let device = hand.device()?;
    let files = hand.objects()?;
    let mut items = Vec::new();
    for file in &files {
        let select = apdu(0x00a4_0000).data(file.to_be_bytes()).le(256);
        let answer = hand.send(select)?;
        let size = (answer.status == 0x9000)
            .then(|| size(&answer.data))
            .flatten();
        let key = match file.to_be_bytes() {
            [0xcc, number] if number > 0 => Some(keys::facts(hand, number, &device)?),
            _ => None,
        };
        items.push(Item {
            file: format!("{file:04X}"),
            kind: kind(*file),
            size,
            key,
        });
    }
    // Files are selected now; the applet shall be as it was.
    hand.select()?;
    let mut orphans = orphans(&files);
    let tests = items
        .iter()
        .filter(|item| item.key.as_ref().is_some_and(|key| key.is_test));
    orphans.extend(tests.map(|item| {
        format!(
            "{}: a test key that a report left which was cut off",
            item.file
        )
    }));
    Ok(Inventory { items, orphans })
}

fn size(template: &[u8]) -> Option<u16> {
    let mut fields = Reader::new(template).element().ok()?.reader();
    while !fields.is_empty() {
        let field = fields.element().ok()?;
        if field.tag == 0x80 {
            return field.content.try_into().ok().map(u16::from_be_bytes);
        }
    }
    None
}

fn kind(file: u16) -> &'static str {
    match file.to_be_bytes() {
        [0x2f, 0x02] => "device certificates",
        [0x2f, 0x03] => "label and information",
        [0x2f, 0x10] => "scratch file",
        [0xcc, 0] => "device key",
        [0xcc, _] => "key",
        [0xc4, _] => "description of a key",
        [0xc8, _] => "description of a certificate",
        [0xc9, _] => "description of data",
        [0xca, _] => "certificate without key",
        [0xcd, _] => "data, behind the PIN",
        [0xce, _] => "certificate or request of a key",
        [0xcf, _] => "data, readable by all",
        _ => "unknown",
    }
}

pub(super) fn orphans(files: &[u16]) -> Vec<String> {
    let files: BTreeSet<[u8; 2]> = files.iter().map(|file| file.to_be_bytes()).collect();
    let has = |kinds: &[u8], number: u8| kinds.iter().any(|kind| files.contains(&[*kind, number]));
    let mut orphans = Vec::new();
    for &[kind, number] in &files {
        let missing = match kind {
            0xcc if number > 0 && !has(&[0xc4], number) => {
                "a key without description: hosts may not show it"
            }
            0xc4 if !has(&[0xcc], number) => "a description of a key that is not there",
            0xce if !has(&[0xcc], number) => "a certificate of a key that is not there",
            0xca if !has(&[0xc8], number) => "a certificate without description",
            0xc8 if !has(&[0xca], number) => "a description of a certificate that is not there",
            0xcd | 0xcf if !has(&[0xc9], number) => "data without description",
            0xc9 if !has(&[0xcd, 0xcf], number) => "a description of data that are not there",
            _ => continue,
        };
        orphans.push(format!("{kind:02X}{number:02X}: {missing}"));
    }
    orphans
}
