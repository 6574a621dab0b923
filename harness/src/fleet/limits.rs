//! How much of something goes. Sizes are tried upwards and only until the first refusal: some readers
//! and firmwares lose the card over a command that is too long.

use serde::Serialize;

use super::work::Work;
use crate::apdu::{Apdu, apdu};
use crate::card::command::StatusWord;
use crate::card::cvc::{Certificate, Kind, Request, object};
use crate::judge::{self, Hash, Public};
use crate::suite::bench::Stop;
use crate::suite::hand::Hand;
use crate::transport::TransportError;

/// How much of something goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// Of what.
    pub what: &'static str,
    /// The most bytes that went; nothing: none did.
    pub most_bytes: Option<usize>,
    /// What was tried, and what ended it.
    pub tried: String,
}

/// Sizes to try: far apart where every device and reader takes them, close around the known ends at
/// 1014, 1232, 1454 and 1462 bytes, and beyond.
fn sizes(step: usize) -> impl Iterator<Item = usize> {
    [240, 256, 512, 768]
        .into_iter()
        .chain((992..=1536).step_by(step))
        .chain([2048, 4096])
}

/// The most that is ever written to the test file, in bytes: memory of this kind wears out.
const FILE_MOST: usize = 8 * 1024;
/// The same where the device does not tell how much memory is free.
const FILE_MOST_BLIND: usize = 2 * 1024;
/// Bytes in one write.
const BLOCK: usize = 200;

/// Tries sizes until one is refused; `go` answers with nothing, or with what was wrong. Some readers and
/// cards do not answer at all to what is too long: whoever calls this resets the card afterwards.
fn climb(
    what: &'static str,
    step: usize,
    mut go: impl FnMut(usize) -> Result<Option<String>, Stop>,
) -> Result<Limit, Stop> {
    let mut most = None;
    let mut end = "nothing longer was tried".to_string();
    for size in sizes(step) {
        let wrong = match go(size) {
            Ok(None) => {
                most = Some(size);
                continue;
            }
            Ok(Some(wrong)) => wrong,
            Err(Stop::Transport(
                error @ (TransportError::Io(_)
                | TransportError::Protocol(_)
                | TransportError::Timeout(_)
                | TransportError::Removed(_)),
            )) => format!("no answer: {error}"),
            Err(stop) => return Err(stop),
        };
        end = format!("{size} bytes: {wrong}");
        break;
    }
    let tried = format!("from 240 bytes upwards, above 992 in steps of {step}; {end}");
    Ok(Limit {
        what,
        most_bytes: most,
        tried,
    })
}

/// What is wrong with an answer that must have so many bytes.
fn wrong(answer: &crate::suite::bench::Answer, length: usize) -> Option<String> {
    match (answer.status, answer.data.len()) {
        (0x9000, got) if got == length => None,
        (0x9000 | 0x6282, got) => Some(format!("{got} came")),
        (status, _) => Some(StatusWord(status).to_string()),
    }
}

/// The longest challenge.
pub(super) fn challenge(hand: &mut Hand) -> Result<Limit, Stop> {
    let limit = climb("random bytes in one answer", 8, |size| {
        let answer = hand.send(apdu(0x0084_0000).le(size))?;
        Ok(wrong(&answer, size))
    })?;
    hand.reset()?;
    hand.select()?;
    Ok(limit)
}

/// What needs test keys and a test file.
pub(super) fn with_keys(
    work: &mut Work<'_>,
    device: &Certificate,
    free_memory: Option<u32>,
) -> Result<Vec<Limit>, Stop> {
    let mut limits = file(work, free_memory)?;
    limits.extend(cipher(work)?);
    limits.extend(message(work, device)?);
    Ok(limits)
}

/// The longest message that is signed with a hash made on the card. The signature must verify over
/// the whole of it: a reader that cuts commands shortens the message in silence.
fn message(work: &mut Work<'_>, device: &Certificate) -> Result<Option<Limit>, Stop> {
    work.with_test_key(|work, key| {
        let answer = work.generate(key, Kind::P256)?;
        if answer.status != 0x9000 {
            return Ok(None);
        }
        let request = Request::parse(&answer.data, device).map_err(crate::der::Malformed::from)?;
        let Public::Ec(curve, public) = &request.request.key.numbers else {
            return Ok(None);
        };
        let limit = climb("data in one command (SIGN of a message)", 8, |size| {
            let message = vec![0x5a; size];
            let sign = apdu(0x8068_0073).p1(key).data(&message);
            let answer = work.hand.send(sign.le(256))?;
            if answer.status != 0x9000 {
                return Ok(Some(StatusWord(answer.status).to_string()));
            }
            let hash = Hash::Sha256.of(&message)?;
            let good = judge::ecdsa_by(curve, public, &hash, &answer.data)?;
            Ok((!good).then(|| "the signature is over something else".into()))
        })?;
        work.recover()?;
        Ok(Some(limit))
    })
}

/// The longest data of AES-CBC, which must come back as they were.
fn cipher(work: &mut Work<'_>) -> Result<Option<Limit>, Stop> {
    work.with_test_key(|work, key| {
        if work.hand.send(super::measure::aes(key, 0xb2))?.status != 0x9000 {
            return Ok(None);
        }
        let limit = climb("data of AES-CBC in one command", 16, |size| {
            let plain = vec![0x5a; size];
            let cbc = |algorithm: u8, data: &[u8]| -> Apdu {
                let command = apdu(0x8078_0000).p1(key).p2(algorithm);
                command.data(data).le(size.max(256))
            };
            let encrypted = work.hand.send(cbc(0x10, &plain))?;
            if let Some(wrong) = wrong(&encrypted, size) {
                return Ok(Some(wrong));
            }
            let back = work.hand.send(cbc(0x11, &encrypted.data))?;
            if let Some(wrong) = wrong(&back, size) {
                return Ok(Some(wrong));
            }
            Ok((back.data != plain).then(|| "it comes back as something else".into()))
        })?;
        work.recover()?;
        Ok(Some(limit))
    })
}

/// The largest file, written in blocks and read back, and how much of it comes in one answer.
fn file(work: &mut Work<'_>, free_memory: Option<u32>) -> Result<Vec<Limit>, Stop> {
    let quarter = |free: u32| usize::try_from(free / 4).unwrap_or(FILE_MOST);
    let most = free_memory.map_or(FILE_MOST_BLIND, quarter).min(FILE_MOST);
    let why = match free_memory {
        Some(_) if most == FILE_MOST => "this program never writes more, as memory wears out",
        Some(_) => "a quarter of the free memory",
        None => "this firmware does not tell how much memory is free",
    };
    work.with_test_file(|work, file| {
        let content: Vec<u8> = (0..=250).cycle().take(most).collect();
        let mut written = 0;
        let mut end = format!("nothing larger was tried: {why}");
        for block in content.chunks(BLOCK) {
            let answer = work.hand.send(write(file, written, block)?)?;
            if answer.status != 0x9000 {
                let word = StatusWord(answer.status);
                end = format!("the block at {written} was refused: {word}");
                break;
            }
            written += block.len();
        }
        let mut back = Vec::new();
        while back.len() < written {
            let answer = work.hand.send(read(file, back.len())?.le(BLOCK))?;
            if !matches!(answer.status, 0x9000 | 0x6282) || answer.data.is_empty() {
                break;
            }
            back.extend(answer.data);
        }
        if content.get(..written) != Some(&*back) {
            end = format!("WRONG: of {written} bytes written, others came back; {end}");
        }
        let whole = Limit {
            what: "a file",
            most_bytes: (written > 0).then_some(written),
            tried: format!("in blocks of {BLOCK} bytes, read back afterwards; {end}"),
        };
        let answered = climb("data in one answer (READ BINARY)", 8, |size| {
            if size > written {
                return Ok(Some(format!("the test file has only {written}")));
            }
            let answer = work.hand.send(read(file, 0)?.le(size))?;
            let right = content.get(..size) == Some(&*answer.data);
            Ok(wrong(&answer, size).or_else(|| (!right).then(|| "others came".into())))
        })?;
        work.recover()?;
        Ok(vec![whole, answered])
    })
}

fn offset(at: usize) -> Result<[u8; 2], Stop> {
    let at = u16::try_from(at).map_err(|_| Stop::Harness("an offset above all files".into()))?;
    Ok(at.to_be_bytes())
}

fn write(file: u16, at: usize, block: &[u8]) -> Result<Apdu, Stop> {
    let data = [object(0x54, &[&offset(at)?]), object(0x53, &[block])];
    Ok(apdu(0x00d7_0000 | u32::from(file)).data(data.concat()))
}

fn read(file: u16, at: usize) -> Result<Apdu, Stop> {
    Ok(apdu(0x00b1_0000 | u32::from(file)).data(object(0x54, &[&offset(at)?])))
}
