//! Building commands and reading responses.

use hsm2_emulator::crypto::Curve;
use hsm2_emulator::tlv::Writer;

/// SELECT of the applet, with its control information.
pub const SELECT: &[u8] = &[
    0x00, 0xA4, 0x04, 0x00, 0x0B, 0xE8, 0x2B, 0x06, 0x01, 0x04, 0x01, 0x81, 0xC3, 0x1F, 0x02, 0x01,
    0x00,
];

/// User PIN of every card here.
pub const USER_PIN: &[u8] = b"648219";
/// SO-PIN of every card here.
pub const SO_PIN: &[u8] = b"57621880";

/// What a card answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Everything before the status word.
    pub data: Vec<u8>,
    /// SW1‖SW2.
    pub status: u16,
}

impl Answer {
    /// Splits a response.
    ///
    /// # Panics
    ///
    /// When there is no status word: a card always sends one.
    #[must_use]
    pub fn of(mut response: Vec<u8>) -> Self {
        let low = response.pop().expect("a status word");
        let high = response.pop().expect("a status word");
        Self {
            data: response,
            status: u16::from_be_bytes([high, low]),
        }
    }

    /// 9000, a warning with data (6282), or the custodian's 9001.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self.status, 0x9000 | 0x9001 | 0x6282)
    }
}

/// A command with a data field and room for any response, in extended form.
#[must_use]
pub fn extended(cla: u8, ins: u8, p1: u8, p2: u8, data: &[u8]) -> Vec<u8> {
    let mut command = vec![cla, ins, p1, p2, 0x00];
    if !data.is_empty() {
        let length = u16::try_from(data.len()).expect("a data field of at most 65535 bytes");
        command.extend_from_slice(&length.to_be_bytes());
        command.extend_from_slice(data);
    }
    command.extend_from_slice(&[0x00, 0x00]);
    command
}

/// A command in short form, without Le.
#[must_use]
pub fn short(cla: u8, ins: u8, p1: u8, p2: u8, data: &[u8]) -> Vec<u8> {
    let mut command = vec![cla, ins, p1, p2];
    if !data.is_empty() {
        command.push(u8::try_from(data.len()).expect("a data field of at most 255 bytes"));
        command.extend_from_slice(data);
    }
    command
}

/// Template of INITIALIZE DEVICE with the PINs of this module and more objects.
#[must_use]
pub fn initialize(options: u16, objects: &[u8]) -> Vec<u8> {
    let template = Writer::new()
        .element(0x80, &options.to_be_bytes())
        .element(0x81, USER_PIN)
        .element(0x82, SO_PIN)
        .element(0x91, &[3])
        .raw(objects)
        .into_vec();
    short(0x80, 0x50, 0, 0, &template)
}

/// GENERATE ASYMMETRIC KEY PAIR on a curve; `attributes` are objects 90 to 93.
#[must_use]
pub fn generate_ec(key: u8, curve: Curve, holder: &[u8], attributes: &[u8]) -> Vec<u8> {
    let domain = curve.parameters();
    let public_key = Writer::new()
        .element(0x06, &[4, 0, 0x7F, 0, 7, 2, 2, 2, 2, 3])
        .element(0x81, domain.p)
        .element(0x82, domain.a)
        .element(0x83, domain.b)
        .element(0x84, domain.g)
        .element(0x85, domain.n)
        .into_vec();
    generate(key, &public_key, holder, attributes)
}

/// GENERATE ASYMMETRIC KEY PAIR of RSA.
#[must_use]
pub fn generate_rsa(key: u8, bits: u16, attributes: &[u8]) -> Vec<u8> {
    let public_key = Writer::new()
        .element(0x06, &[4, 0, 0x7F, 0, 7, 2, 2, 2, 1, 2])
        .element(0x02, &bits.to_be_bytes())
        .into_vec();
    generate(key, &public_key, b"ZZATTACK00001", attributes)
}

fn generate(key: u8, public_key: &[u8], holder: &[u8], attributes: &[u8]) -> Vec<u8> {
    let template = Writer::new()
        .element(0x5F29, &[0])
        .element(0x42, b"UTCA00001")
        .element(0x7F49, public_key)
        .element(0x5F20, holder)
        .raw(attributes)
        .into_vec();
    extended(0x00, 0x46, key, 0, &template)
}

/// UPDATE BINARY with odd instruction.
#[must_use]
pub fn update(file: u16, offset: u16, content: &[u8]) -> Vec<u8> {
    let objects = Writer::new()
        .element(0x54, &offset.to_be_bytes())
        .element(0x53, content)
        .into_vec();
    let [high, low] = file.to_be_bytes();
    extended(0x00, 0xD7, high, low, &objects)
}

/// READ BINARY of a whole file.
#[must_use]
pub fn read(file: u16) -> Vec<u8> {
    let [high, low] = file.to_be_bytes();
    extended(0x00, 0xB1, high, low, &[0x54, 2, 0, 0])
}

/// DELETE FILE.
#[must_use]
pub fn delete(file: u16) -> Vec<u8> {
    short(0x00, 0xE4, 0x02, 0x00, &file.to_be_bytes())
}

/// VERIFY of the user PIN.
#[must_use]
pub fn log_in() -> Vec<u8> {
    short(0x00, 0x20, 0x00, 0x81, USER_PIN)
}

/// MANAGE SECURITY ENVIRONMENT: selects the key of this name for verification (B6) or
/// authentication (A4).
#[must_use]
pub fn select_key(purpose: u8, name: &[u8]) -> Vec<u8> {
    let object = Writer::new().element(0x83, name).into_vec();
    short(0x00, 0x22, 0x81, purpose, &object)
}
