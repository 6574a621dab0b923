//! A full card: every command that makes something refuses, and room that is given back serves.

use super::generate::{generate, is_absent, on_curve, p256, request_for};
use crate::apdu::{Apdu, apdu};
use crate::blob::seal::seal;
use crate::card::cvc::object;
use crate::scenario::{Effect, List, Start};
use crate::suite::bench::{Bench, Stop};
use crate::suite::fixture;

/// Bytes of one write: with its frame it goes into one command on every known generation.
const BLOCK: usize = 1000;
/// Bytes of a file that fills the card.
const FILE: usize = 16_000;
/// Number of the key that has no room.
const KEY: u8 = 0x64;

fn write(file: u16, offset: usize, length: usize) -> Result<Apdu, Stop> {
    let offset =
        u16::try_from(offset).map_err(|_| Stop::Harness("an offset above all files".into()))?;
    let data = [
        object(0x54, &[&offset.to_be_bytes()]),
        object(0x53, &[&vec![0xaa; length]]),
    ];
    Ok(apdu(0x00d7_0000 | u32::from(file)).data(data.concat()))
}

/// Fills the card up to the last byte that it takes; gives the files.
fn fill(t: &mut Bench) -> Result<Vec<u16>, Stop> {
    let mut files = Vec::new();
    // Enough for a megabyte.
    for file in 0xcf10..0xcf60 {
        let (mut at, mut block) = (0, BLOCK);
        while block > 0 && at < FILE {
            let answer = t.send(write(file, at, block.min(FILE - at))?)?;
            match answer.status {
                0x9000 => at += block.min(FILE - at),
                0x6a84 => block /= 2,
                _ => return answer.is_any(&[0x9000, 0x6a84]).map(|_| files),
            }
        }
        if at > 0 {
            files.push(file);
        }
        if block == 0 {
            return Ok(files);
        }
    }
    t.skip("a megabyte does not fill the card")
}

/// What makes something, and whether it is there.
struct Making {
    name: &'static str,
    title: &'static str,
    need: &'static str,
    make: fn(&mut Bench) -> Result<Apdu, Stop>,
    file: u16,
}

const MAKING: [Making; 5] = [
    Making {
        name: "update",
        title: "UPDATE BINARY of a new file",
        need: "dkek",
        make: |_| write(0xcf01, 0, 100),
        file: 0xcf01,
    },
    Making {
        name: "generate_ec",
        title: "GENERATE ASYMMETRIC KEY PAIR of an EC key",
        need: "curve-secp256r1",
        make: |_| Ok(generate(KEY, &request_for(&on_curve(p256()?), &[]))),
        file: 0xcc00 | KEY as u16,
    },
    Making {
        name: "generate_rsa",
        title: "GENERATE ASYMMETRIC KEY PAIR of an RSA key",
        need: "rsa-1024",
        make: |_| {
            let template = super::generate::of_size(&1024_u16.to_be_bytes());
            Ok(generate(KEY, &request_for(&template, &[])))
        },
        file: 0xcc00 | KEY as u16,
    },
    Making {
        name: "generate_symmetric",
        title: "GENERATE SYMMETRIC KEY",
        need: "aes",
        make: |_| Ok(apdu(0x0048_00b2).p1(KEY)),
        file: 0xcc00 | KEY as u16,
    },
    Making {
        name: "unwrap",
        title: "UNWRAP KEY",
        need: "dkek",
        make: |_| {
            let blob = &fixture::key("rsa-2048")?.blob;
            Ok(apdu(0x8074_0093).p1(KEY).data(blob))
        },
        file: 0xcc00 | KEY as u16,
    },
];

fn scenario(
    list: &mut List,
    id: &str,
    title: String,
    need: &str,
    body: impl Fn(&mut Bench) -> Result<(), Stop> + Send + Sync + 'static,
) {
    list.add(format!("capacity.{id}"), title)
        .source("ISO 7816-4, table 6; the vendor's figures of keys that fit (the word inferred)")
        .needs("dkek")
        .needs(need)
        .effect(Effect::Wipes)
        .start(Start::Domains)
        .run(body);
}

pub(super) fn add(list: &mut List) {
    for Making {
        name,
        title,
        need,
        make,
        file,
    } in MAKING
    {
        scenario(
            list,
            &format!("full.{name}_is_6a84"),
            format!(
                "{title} on a full card answers 6A84 and makes nothing; after a deletion it succeeds"
            ),
            need,
            move |t| {
                let files = fill(t)?;
                let before = t.objects()?;
                let command = make(t)?;
                t.refused(&command, 0x6a84)?;
                is_absent(t, KEY)?;
                let after = t.objects()?;
                t.check(before == after, "the objects from before", || {
                    format!("{after:04X?}")
                })?;
                let first = files.first().copied();
                let first = first.ok_or_else(|| Stop::fail("room for a file", "none"))?;
                t.delete(first)?;
                t.ok(command)?;
                let objects = t.objects()?;
                t.check(objects.contains(&file), &format!("{file:04X}"), || {
                    format!("{objects:04X?}")
                })
            },
        );
    }
    list.add(
        "capacity.full.derive_ec_is_6a84",
        "DERIVE EC KEY on a full card answers 6A84 and makes nothing; after a deletion it succeeds",
    )
    .source("ISO 7816-4, table 6 (inferred)")
    .needs("dkek")
    .needs("ec-derive")
    .needs("curve-secp256r1")
    .effect(Effect::Wipes)
    .start(Start::Domains)
    .run(|t| {
        let blob = seal(&fixture::key("secp256r1")?.key, &fixture::dkek(), &[0x98])?;
        t.card().unwrap_key(1, &blob)?;
        let files = fill(t)?;
        let derive = apdu(0x8076_0100).p2(KEY).data([0x98, 7]);
        t.refused(&derive, 0x6a84)?;
        is_absent(t, KEY)?;
        if let Some(file) = files.first() {
            t.delete(*file)?;
        }
        t.refused(derive, 0x9000)
    });
    scenario(
        list,
        "full.keys_and_files_still_work",
        "A full card still lists, reads, overwrites and signs".into(),
        "curve-secp256r1",
        |t| {
            t.card().unwrap_key(1, &fixture::key("secp256r1")?.blob)?;
            let files = fill(t)?;
            let Some(file) = files.first().copied() else {
                return Err(Stop::fail("room for a file", "none"));
            };
            t.refused(write(file, 0, BLOCK)?, 0x9000)?;
            let read = apdu(0x00b1_0000 | u32::from(file)).data([0x54, 2, 0, 0]);
            let content = t.ok(read.le(16))?;
            t.same("the content", [0xaa; 16], content)?;
            t.ok(apdu(0x8068_0170).data([7; 32]).le(256)).map(|_| ())
        },
    );
    scenario(
        list,
        "refused.write_leaves_the_file_as_it_was",
        "A write that does not fit leaves the file with the content and the size it had".into(),
        "dkek",
        |t| {
            t.refused(write(0xcf01, 0, 10)?, 0x9000)?;
            fill(t)?;
            t.refused(write(0xcf01, 5, BLOCK)?, 0x6a84)?;
            let read = apdu(0x00b1_cf01).data([0x54, 2, 0, 0]).all();
            let content = t.send(read)?.is_any(&[0x9000, 0x6282])?;
            t.same("the content", [0xaa; 10], content)
        },
    );
    scenario(
        list,
        "longest.file_is_read_back",
        "A file grows until the card refuses with 6A84 or 6B00, and is read back whole".into(),
        "extended-length",
        |t| {
            let (mut length, mut block) = (0, BLOCK);
            while block > 0 && length + block <= 0x1_0000 {
                let answer = t.send(write(0xcf01, length, block)?)?;
                match answer.status {
                    0x9000 => length += block,
                    0x6a84 | 0x6b00 => block /= 2,
                    _ => return answer.is_any(&[0x9000, 0x6a84, 0x6b00]).map(|_| ()),
                }
            }
            let mut content = Vec::new();
            while content.len() < length {
                let offset = u16::try_from(content.len()).unwrap_or(u16::MAX);
                let data = object(0x54, &[&offset.to_be_bytes()]);
                let part = t.send(apdu(0x00b1_cf01).data(data).le(BLOCK))?;
                let part = part.is_any(&[0x9000, 0x6282])?;
                if part.is_empty() {
                    break;
                }
                content.extend(part);
            }
            t.same("the content", vec![0xaa; length], content)?;
            t.observe(format!("the longest file has {length} bytes"));
            Ok(())
        },
    );
}
