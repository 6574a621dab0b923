//! What a card keeps, to compare before and after, and quick ways to put objects on it.

use std::collections::BTreeMap;

use hsm2_emulator::crypto::Curve;
use hsm2_emulator::cvc::{OID_ECDSA_SHA256, tag};
use hsm2_emulator::id::DomainId;
use hsm2_emulator::memory::Memory;
use hsm2_emulator::pin::PinReference;
use hsm2_emulator::tlv::Writer;
use serde::Serialize;

use crate::support::{Reader, bytes, lc_data};

/// Query of the user PIN's state; spends no try.
pub(crate) const QUERY_USER: &str = "00 20 00 81";
/// Query of the SO-PIN's state; spends no try.
pub(crate) const QUERY_SO: &str = "00 20 00 88";
/// Reads the current file; says which one it is by its content.
const READ_CURRENT: &str = "00 B1 00 00 00 0004 54020000 0000";

/// Every record of a card's memory, in the form in which it is stored.
pub(crate) type Image = BTreeMap<String, Vec<u8>>;

/// Takes the image of a memory.
pub(crate) fn image(memory: &Memory) -> Image {
    let mut image = Image::new();
    let mut add = |name: String, value: Vec<u8>| image.insert(name, value);
    add("device".into(), encoded(memory.device().unwrap()));
    if let Some(setup) = memory.setup() {
        add("setup".into(), encoded(setup));
    }
    for reference in [PinReference::User, PinReference::SecurityOfficer] {
        if let Ok(pin) = memory.pin(reference) {
            add(format!("PIN {reference:?}"), encoded(pin));
        }
    }
    if let Some(pin) = memory.session_pin() {
        add("session PIN".into(), pin.expose().to_vec());
    }
    for index in 0..=u8::MAX {
        if let Some(domain) = memory.domain(DomainId(index)) {
            add(format!("domain {index}"), encoded(domain));
        }
        if let Ok(custodian) = memory.custodian(index) {
            add(format!("custodian {index}"), encoded(custodian));
        }
    }
    for (id, key) in memory.keys() {
        add(format!("key {id}"), encoded(key));
    }
    for (id, file) in memory.files() {
        add(format!("file {id}"), encoded(file));
    }
    image
}

fn encoded(record: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(record).unwrap()
}

/// Names of the records that differ.
pub(crate) fn difference(before: &Image, after: &Image) -> Vec<String> {
    let names = before.keys().chain(after.keys());
    let mut changed: Vec<_> = names
        .filter(|name| before.get(*name) != after.get(*name))
        .cloned()
        .collect();
    changed.sort_unstable();
    changed.dedup();
    changed
}

impl Reader {
    /// Every command of a table is refused with its word, and changes neither memory, nor who is
    /// authenticated, nor the current file.
    #[track_caller]
    pub(crate) fn refuses(&mut self, rows: &[(&str, &str, u16)]) {
        for (name, command, status) in rows {
            let memory = image(self.card.memory());
            let session = self.session();
            let answer = self.send(command);
            let (got, wanted) = (answer.status, status);
            assert_eq!(format!("{got:04X}"), format!("{wanted:04X}"), "{name}");
            assert_eq!(answer.data, Vec::<u8>::new(), "{name}");
            let changed = difference(&memory, &image(self.card.memory()));
            assert_eq!(changed, Vec::<String>::new(), "{name}");
            assert_eq!(self.session(), session, "{name}");
        }
    }

    /// What can be seen of the session without changing it.
    fn session(&mut self) -> [String; 3] {
        [QUERY_USER, QUERY_SO, READ_CURRENT].map(|query| {
            let answer = self.send(query);
            format!("{} {:04X}", hex::encode(answer.data), answer.status)
        })
    }

    /// Writes a whole file of at most a few hundred bytes.
    #[track_caller]
    pub(crate) fn put(&mut self, id: u16, content: &[u8]) {
        self.ok(&update(id, 0, content));
    }

    /// Content of a file, as READ BINARY gives it.
    pub(crate) fn content(&mut self, id: u16) -> Vec<u8> {
        let answer = self.send(&format!("00 B1 {id:04X} 00 0004 54020000 0000"));
        assert_eq!(answer.status, 0x6282, "the file ends before 65536 bytes");
        answer.data
    }

    /// What ENUMERATE OBJECTS lists.
    #[track_caller]
    pub(crate) fn list(&mut self) -> Vec<u16> {
        let list = self.ok("80 58 00 00 00 00 00");
        list.chunks(2)
            .map(|id| u16::from_be_bytes(id.try_into().unwrap()))
            .collect()
    }

    /// Takes the card out and puts it back, applet selected.
    #[track_caller]
    pub(crate) fn power_cycle(&mut self) {
        self.card.power_off();
        self.card.power_on();
        self.log_out();
    }
}

/// UPDATE BINARY with odd instruction.
pub(crate) fn update(id: u16, offset: u16, content: &[u8]) -> String {
    let objects = Writer::new()
        .element(0x54, &offset.to_be_bytes())
        .element(0x53, content)
        .into_vec();
    format!("00 D7 {id:04X} {}", lc_data(&objects))
}

/// GENERATE ASYMMETRIC KEY PAIR on secp256r1 with a request below `authority`; `conditions` are
/// objects 90 to 93 in hexadecimal.
pub(crate) fn generate_ec(key: u8, authority: &[u8], conditions: &str) -> String {
    let domain = Curve::Secp256r1.parameters();
    let template = Writer::new()
        .element(tag::PROFILE, &[0])
        .element(tag::AUTHORITY, authority)
        .nested(tag::PUBLIC_KEY, |key| {
            key.element(tag::OID, &OID_ECDSA_SHA256)
                .element(0x81, domain.p)
                .element(0x82, domain.a)
                .element(0x83, domain.b)
                .element(0x84, domain.g)
                .element(0x85, domain.n)
        })
        .element(tag::HOLDER, b"ZZVT000000100001")
        .raw(&bytes(conditions))
        .into_vec();
    let length = template.len();
    format!(
        "00 46 {key:02X} 00 00 {length:04X} {} 0000",
        hex::encode(template)
    )
}
