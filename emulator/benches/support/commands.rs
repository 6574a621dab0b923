//! Commands that more than one benchmark sends.

use hsm2_emulator::crypto::Curve;
use hsm2_emulator::tlv::Writer;

/// SELECT of the applet.
pub(crate) const SELECT: [u8; 17] = [
    0x00, 0xA4, 0x04, 0x00, 0x0B, 0xE8, 0x2B, 0x06, 0x01, 0x04, 0x01, 0x81, 0xC3, 0x1F, 0x02, 0x01,
    0x00,
];

/// GET CHALLENGE, 8 bytes.
pub(crate) const GET_CHALLENGE: [u8; 5] = [0x00, 0x84, 0x00, 0x00, 0x08];

/// INITIALIZE DEVICE with PINs and these objects for key domains.
pub(crate) fn initialise(domains: &[u8]) -> Vec<u8> {
    let objects = Writer::new()
        .element(0x80, &[0, 1])
        .element(0x81, b"648219")
        .element(0x82, b"57621880")
        .raw(domains)
        .into_vec();
    apdu(0x80, 0x50, 0, 0, &objects)
}

/// GENERATE ASYMMETRIC KEY PAIR on a curve.
pub(crate) fn generate_ec(id: u8, curve: Curve, conditions: &[u8]) -> Vec<u8> {
    let domain = curve.parameters();
    let key = Writer::new()
        .element(0x06, &[4, 0, 0x7F, 0, 7, 2, 2, 2, 2, 3])
        .element(0x81, domain.p)
        .element(0x82, domain.a)
        .element(0x83, domain.b)
        .element(0x84, domain.g)
        .element(0x85, domain.n)
        .into_vec();
    generate(id, &key, conditions)
}

/// GENERATE ASYMMETRIC KEY PAIR of RSA.
pub(crate) fn generate_rsa(id: u8, bits: u16) -> Vec<u8> {
    let key = Writer::new()
        .element(0x06, &[4, 0, 0x7F, 0, 7, 2, 2, 2, 1, 2])
        .element(0x02, &bits.to_be_bytes())
        .into_vec();
    generate(id, &key, &[])
}

fn generate(id: u8, key: &[u8], conditions: &[u8]) -> Vec<u8> {
    let template = Writer::new()
        .element(0x5F29, &[0])
        .element(0x42, b"UTCA00001")
        .element(0x7F49, key)
        .element(0x5F20, b"UTDUMMY00000")
        .raw(conditions)
        .into_vec();
    apdu(0x00, 0x46, id, 0x00, &template)
}

/// DELETE FILE of a key.
pub(crate) fn delete_key(id: u8) -> Vec<u8> {
    vec![0x00, 0xE4, 0x02, 0x00, 0x02, 0xCC, id]
}

/// A command with an extended data field and all of the answer wanted.
pub(crate) fn apdu(cla: u8, ins: u8, p1: u8, p2: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("a short data field");
    [
        &[cla, ins, p1, p2, 0],
        &length.to_be_bytes()[..],
        data,
        &[0, 0],
    ]
    .concat()
}
