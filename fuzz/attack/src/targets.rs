//! The body of every fuzz target: bytes in, a panic if a rule is broken.
//!
//! The targets in `fuzz/` call these, and so do the tests that keep what was found from coming
//! back.

mod certificates;
mod device;
mod files;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use arbitrary::{Arbitrary, Unstructured};
use hsm2_emulator::apdu::CommandApdu;
use hsm2_emulator::blob::Envelope;
use hsm2_emulator::card::Card;
use hsm2_emulator::crypto::{CardRng, symmetric};
use hsm2_emulator::domain::Kek;
use hsm2_emulator::profile::NITROKEY_HSM2;
use hsm2_emulator::store::{EphemeralStore, FileStore, StoreError};
use hsm2_emulator::tlv::{Reader, Writer};
use hsm2_emulator::trace::{blank, decode};
use hsm2_emulator::transport::frame::{Inbox, Message, framed};
use hsm2_harness::blob::container::KeyFile;
use hsm2_harness::der;
use hsm2_harness::dkek::Dkek;
use hsm2_harness::dkek::shamir::{Share, combine, parse_shares};
use hsm2_harness::dkek::share_file::ShareFile;

use crate::apdu::{SELECT, extended};
use crate::fixture;
use crate::session::{Session, Stage, run};
use crate::store::Records;

/// For [`store_file`] under a fuzzer, whose panic hook ends the process.
pub use hsm2_emulator::store::keep_quiet_about_damaged_files;

pub use certificates::{Readers, cvc, cvc_by};
pub use device::{Heard, ask, device, device_by};
pub use files::{key_file, key_file_by, report, script, script_by, spoiled};

/// A target.
pub type Target = fn(&[u8]);

/// Every target by its name in `fuzz/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("apdu", apdu),
    ("apdu_bytes", apdu_bytes),
    ("blob", blob),
    ("cvc", cvc),
    ("device", device),
    ("key_file", key_file),
    ("membership", membership),
    ("records", records),
    ("report", report),
    ("script", script),
    ("session", session),
    ("share_file", share_file),
    ("store_file", store_file),
    ("tlv", tlv),
    ("trace", trace),
    ("vpcd", vpcd),
];

/// One command: what is parsed is what was there.
pub fn apdu(input: &[u8]) {
    let Ok(apdu) = CommandApdu::parse(input) else {
        return;
    };
    assert_eq!([apdu.cla, apdu.ins, apdu.p1, apdu.p2], input[..4]);
    assert!(apdu.ne.is_none_or(|ne| (1..=65_536).contains(&ne)));
    assert!(apdu.data.len() + 4 <= input.len());
    let overhead = input.len() - 4 - apdu.data.len();
    assert!(overhead <= 5, "{overhead} bytes for Lc and Le");
}

/// Commands, each behind its length in two bytes, to a card that is set up and logged in.
pub fn apdu_bytes(input: &[u8]) {
    let [mut bench, _] = Stage::get().cards();
    let mut watch = Stage::get().watch(0, &bench, bench.store.clone());
    let mut rest = input;
    while let Some(([high, low], tail)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (command, tail) = tail.split_at(length.min(tail.len()));
        if !asks_for_rsa(command) {
            watch.send(&mut bench, command);
        }
        rest = tail;
    }
    watch.finish(&bench);
}

/// True when the command may make an RSA key: there may be object 02, the size of one. Making one
/// of 4096 bits takes seconds, and the card would only look hung.
pub(crate) fn asks_for_rsa(command: &[u8]) -> bool {
    command.get(1) == Some(&0x46) && command.windows(2).any(|two| two == [0x02, 0x02])
}

/// Meaningful commands to two cards, see [`crate::session`].
pub fn session(input: &[u8]) {
    if let Ok(session) = Session::arbitrary(&mut Unstructured::new(input)) {
        run(&session);
    }
}

/// TLV: what was read can be written again, nothing is read twice or past the end, and the harness
/// reads what the card reads.
pub fn tlv(input: &[u8]) {
    let card = |tag, value: &[u8]| Writer::new().element(tag, value).into_vec();
    tlv_by(input, &card, &|reader| reader.element().ok());
}

/// Writes an element.
pub type WriteElement<'f> = &'f dyn Fn(u16, &[u8]) -> Vec<u8>;
/// Reads an element as the harness does.
pub type ReadElement<'f> = &'f dyn for<'a> Fn(&mut der::Reader<'a>) -> Option<der::Element<'a>>;

/// [`tlv`] with this writer and this reader beside the card's.
pub fn tlv_by(input: &[u8], write: WriteElement<'_>, read: ReadElement<'_>) {
    walk(input, 0, write, read);
}

fn walk(input: &[u8], depth: usize, write: WriteElement<'_>, read: ReadElement<'_>) {
    let mut reader = Reader::new(input);
    let mut host = der::Reader::new(input);
    let mut position = 0;
    while !reader.is_empty() {
        let Ok(element) = reader.next_element() else {
            return;
        };
        let same = read(&mut host).is_some_and(|read| {
            (read.tag, read.content, read.raw) == (element.tag, element.value, element.raw)
        });
        assert!(same, "tlv: the harness reads another element than the card");
        let end = position + element.raw.len();
        assert_eq!(element.raw, &input[position..end]);
        assert!(element.raw.ends_with(element.value));
        // Lengths are minimal, so the writer makes the same bytes.
        assert!(
            write(element.tag, element.value) == element.raw,
            "tlv: {:X} is written in another way than it was read",
            element.tag
        );
        position = end;
        if depth < 8 {
            walk(element.value, depth + 1, write, read);
        }
    }
    assert_eq!(position, input.len());
}

/// The KEK of the blob target.
fn kek() -> &'static Kek {
    static KEK: OnceLock<Kek> = OnceLock::new();
    KEK.get_or_init(|| Kek::new(&[0x5A; 32]))
}

/// A wrapped key. An even first byte: the rest is the blob. An odd one: the rest is what stands
/// before the MAC, the last part of it in the clear; it is enciphered and given its MAC, so that
/// the parser behind the MAC is reached. The second byte is the key type, the third the length of
/// the algorithm list.
pub fn blob(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else {
        return;
    };
    let sealed = if first & 1 == 0 {
        rest.to_vec()
    } else {
        sealed(rest)
    };
    let whole = Envelope::parse(&sealed).and_then(|envelope| envelope.open(kek(), &NITROKEY_HSM2));
    if let Ok(unsealed) = whole {
        // A key that was taken works, and can leave again.
        let mut rng = CardRng::from_seed([1; 32]);
        let again =
            hsm2_emulator::blob::seal(kek(), &unsealed.material, None, &NITROKEY_HSM2, &mut rng)
                .unwrap();
        let envelope = Envelope::parse(&again).unwrap();
        envelope.open(kek(), &NITROKEY_HSM2).unwrap();
    }
    // The tool that custodians use reads the same bytes.
    if let Ok(file) = KeyFile::parse(&sealed) {
        let _ = hsm2_harness::blob::show::report(&file, None);
    }
    let _ = hsm2_harness::blob::open::open(&sealed, &Dkek::new([0x5A; 32]));
}

fn sealed(rest: &[u8]) -> Vec<u8> {
    let (head, body) = rest.split_at(rest.len().min(2));
    let kind = head.first().copied().unwrap_or(0x0C);
    let listed = usize::from(head.get(1).copied().unwrap_or(0) % 20).min(body.len());
    let (algorithms, plain) = body.split_at(listed);
    let mut blob = [&kek().kcv()[..], &[kind, 0, 0, 0]].concat();
    blob.push(u8::try_from(listed).unwrap_or(0));
    blob.extend_from_slice(algorithms);
    blob.extend_from_slice(&[0; 4]);
    let mut plain = plain[..plain.len().min(4000)].to_vec();
    plain.resize(plain.len().next_multiple_of(16).max(32), 0);
    let cryptogram =
        symmetric::aes_cbc_encrypt(&kek().encryption_key()[..], &[0; 16], &plain).unwrap();
    blob.extend_from_slice(&cryptogram);
    let mac = symmetric::aes_cmac(&kek().mac_key()[..], &blob).unwrap();
    blob.extend_from_slice(&mac);
    blob
}

/// Membership of a group, exchange request and custodian's request, given to a card that trusts
/// the device they come from.
pub fn membership(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else {
        return;
    };
    if rest.is_empty() || rest.len() > 1200 {
        return;
    }
    let bench = trusting(usize::from(first >> 7));
    let store = bench.store.clone();
    let mut bench = bench;
    let mut watch = Stage::get().watch(0, &bench, store);
    let command = match first % 3 {
        0 => extended(0x80, 0x52, 0x02, fixture::ABSENT, rest),
        1 => fixture::derive(rest),
        _ => extended(0x80, 0x54, 0x00, 0x00, rest),
    };
    watch.send(&mut bench, &command);
    watch.finish(&bench);
}

/// A furnished card, logged in, that has verified the chain of card `peer`.
fn trusting(peer: usize) -> crate::bench::Bench {
    use hsm2_emulator::snapshot::Snapshot;
    static CARDS: OnceLock<[Snapshot; 2]> = OnceLock::new();
    let cards = CARDS.get_or_init(|| {
        [0, 1].map(|peer| {
            let [mut bench, _] = Stage::get().cards();
            fixture::trust(&mut bench, Stage::get().papers(), peer);
            bench.card.snapshot()
        })
    });
    crate::bench::Bench::from_snapshot(&cards[peer], [0x55; 32])
}

/// Frames of the vpcd protocol: however the bytes are cut into pieces, the same messages come.
/// The first byte is the size of the pieces.
pub fn vpcd(input: &[u8]) {
    vpcd_by(input, messages);
}

/// [`vpcd`] with this receiver of a stream in pieces of a size.
pub fn vpcd_by(input: &[u8], messages: impl Fn(&[u8], usize) -> Vec<Vec<u8>>) {
    let Some((piece, stream)) = input.split_first() else {
        return;
    };
    let whole = messages(stream, stream.len().max(1));
    let cut = messages(stream, usize::from(*piece).max(1));
    assert!(
        whole == cut,
        "vpcd: other messages when the bytes come in pieces"
    );
    for message in whole {
        if let Message::Command(command) = Message::of(&message) {
            assert_eq!(command, message);
        }
        assert_eq!(framed(&message)[2..], message);
    }
}

/// What a reader's bytes say, however they are cut.
#[must_use]
pub fn messages(stream: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let mut inbox = Inbox::new();
    let mut found = Vec::new();
    for mut bytes in stream.chunks(piece) {
        while !bytes.is_empty() {
            let room = inbox.room();
            assert!(!room.is_empty(), "no room, and no frame is complete");
            let count = room.len().min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
            inbox.received(count);
            bytes = &bytes[count..];
            while let Some(payload) = inbox.payload() {
                found.push(payload.to_vec());
                inbox.consume();
            }
        }
    }
    found
}

/// A card file: refused, or a card that answers. A refused file keeps every byte.
pub fn store_file(input: &[u8]) {
    store_file_by(input, FileStore::open);
}

/// [`store_file`] with this way of opening a file.
pub fn store_file_by(input: &[u8], open: impl Fn(&Path) -> Result<FileStore, StoreError>) {
    thread_local! {
        static FILE: Scratch = Scratch::new();
    }
    FILE.with(|Scratch { path, folder: _ }| {
        std::fs::write(path, input).unwrap();
        match open(path) {
            Ok(store) => try_card(Card::open(Box::new(store), rng())),
            Err(_) => assert!(
                std::fs::read(path).unwrap() == input,
                "store_file: a refused file was changed"
            ),
        }
    });
}

/// A file for this thread alone, in memory where there is such a place.
struct Scratch {
    path: PathBuf,
    folder: PathBuf,
}

impl Scratch {
    fn new() -> Self {
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() {
            memory
        } else {
            std::env::temp_dir()
        };
        sweep(&folder);
        let thread = format!("{:?}", std::thread::current().id());
        let number: String = thread.chars().filter(char::is_ascii_digit).collect();
        let path = folder.join(format!("{SCRATCH}{}-{number}", std::process::id()));
        Self { path, folder }
    }
}

/// A fuzzer ends without this; then the next one sweeps.
impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        sweep(&self.folder);
    }
}

/// How names of scratch files begin; behind it stand process and thread.
const SCRATCH: &str = "hsm2-fuzz-";

/// Removes what processes left that are no more.
fn sweep(folder: &Path) {
    let proc = Path::new("/proc");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|_| proc.join("self").exists()) {
        let name = entry.file_name();
        let process = name
            .to_str()
            .and_then(|name| name.strip_prefix(SCRATCH)?.split('-').next());
        if process.is_some_and(|process| !proc.join(process).exists()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn rng() -> Box<CardRng> {
    Box::new(CardRng::from_seed([0; 32]))
}

/// What a damaged card must still do: answer.
fn try_card<E>(card: Result<Card, E>) {
    let Ok(mut card) = card else {
        return;
    };
    card.power_on();
    let commands: [&[u8]; 9] = [
        SELECT,
        &crate::apdu::log_in(),
        &[0x80, 0x58, 0, 0, 0, 0, 0],
        &fixture::sign(fixture::EC_KEY),
        &fixture::wrap(fixture::EC_KEY),
        &extended(0x80, 0x78, fixture::AES_KEY, 0x10, &[0; 16]),
        &extended(0x80, 0x68, fixture::RSA_KEY, 0x20, &[1; 128]),
        &crate::apdu::read(fixture::FILE),
        &[0x80, 0x54, 0, 0, 0],
    ];
    for command in commands {
        assert!(card.transmit(command).len() >= 2);
    }
}

/// Records of a card file behind its checksums. The first byte chooses a record of a furnished
/// card, the next three where the rest of the input is laid over it and how many bytes it
/// replaces.
pub fn records(input: &[u8]) {
    static RECORDS: OnceLock<Records> = OnceLock::new();
    let Some((&[which, high, low, replaced], rest)) = input.split_first_chunk() else {
        return;
    };
    let good = RECORDS.get_or_init(|| Stage::get().cards()[0].store.records());
    let mut records: BTreeMap<_, _> = good.clone();
    let Some(name) = records
        .keys()
        .nth(usize::from(which) % records.len())
        .cloned()
    else {
        return;
    };
    if let Some(value) = records.get_mut(&name) {
        let at = usize::from(u16::from_be_bytes([high, low])) % (value.len() + 1);
        let end = (at + usize::from(replaced)).min(value.len());
        let changed = [&value[..at], rest, &value[end..]].concat();
        *value = changed.into();
    }
    try_card(Card::open(Box::new(EphemeralStore::from(records)), rng()));
}

/// Share files; shares as custodians enter them and as a file of several has them. What is read is
/// shown as it was, and shares that fit give a password.
pub fn share_file(input: &[u8]) {
    share_file_by(input, Share::to_string);
}

/// [`share_file`] with this way of showing a share.
pub fn share_file_by(input: &[u8], show: impl Fn(&Share) -> String) {
    if let Ok(file) = ShareFile::parse(input) {
        assert_eq!(file.to_bytes(), *input);
    }
    let text = String::from_utf8_lossy(input);
    let mut lines = text.lines();
    let mut next = || lines.next().unwrap_or_default();
    if let Ok(share) = Share::from_text(next(), next(), next()) {
        assert_reads_again(&[share], &show);
    }
    if let Ok(shares) = parse_shares(&text) {
        assert_reads_again(&shares, &show);
        if let Ok(passwords) = combine(&shares) {
            let [first, others @ ..] = &passwords[..] else {
                panic!("share_file: shares that fit, and no password")
            };
            assert!(first.len() == 8 && others.iter().all(|other| other.len() < 8));
        }
    }
}

fn assert_reads_again(shares: &[Share], show: impl Fn(&Share) -> String) {
    let lines = |shares: &[Share]| shares.iter().map(Share::to_string).collect::<Vec<_>>();
    let shown: Vec<String> = shares.iter().map(show).collect();
    let again = parse_shares(&shown.join("\n"));
    assert!(
        again.is_ok_and(|again| lines(&again) == lines(shares)),
        "share_file: a share that was read is shown as another"
    );
}

/// What a trace says of commands and responses, each behind its length in one byte: any bytes have
/// words, and stars stand exactly where bytes were.
pub fn trace(input: &[u8]) {
    trace_by(input, blank::starred);
}

/// [`trace`] with this way of putting stars.
pub fn trace_by(input: &[u8], starred: impl Fn(&[u8], &[Range<usize>]) -> String) {
    let mut blanker = blank::Blanker::default();
    let mut rest = input;
    let mut next = || {
        let (length, tail) = rest.split_first()?;
        let (piece, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = tail;
        Some(piece)
    };
    while let (Some(command), Some(response)) = (next(), next()) {
        assert!(!decode::decode(command).name.is_empty());
        let blanks = blanker.blanks(command, response);
        for (bytes, ranges) in [(command, &blanks.command), (response, &blanks.response)] {
            let text = starred(bytes, ranges);
            assert_eq!(text.len(), 2 * bytes.len());
            let clear = text.bytes().filter(|byte| *byte != b'*').count() / 2;
            assert!(clear <= bytes.len());
        }
        let verify = CommandApdu::parse(command).ok().filter(|apdu| {
            (apdu.cla, apdu.ins) == (0x00, 0x20) && !apdu.data.is_empty() && apdu.p1 == 0
        });
        if let Some(apdu) = verify {
            let text = starred(command, &blanks.command);
            let stars = text.bytes().filter(|byte| *byte == b'*').count() / 2;
            assert!(stars >= apdu.data.len(), "trace: a PIN is in it");
        }
    }
}
