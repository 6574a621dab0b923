//! Cards that are worth attacking: initialised, with keys of every kind, in domains of both kinds,
//! trusting each other.

use hsm2_emulator::crypto::{Curve, EcdsaSignature};
use hsm2_emulator::cvc::SignedBody;
use hsm2_emulator::identity::{ISSUER_NAME, ROOT_NAME};
use hsm2_emulator::tlv::{Reader, Writer};

use crate::apdu::{
    delete, extended, generate_ec, generate_rsa, initialize, read, select_key, short, update,
};
use crate::bench::Bench;

/// Curve of device keys, custodians and exchange keys.
pub const CURVE: Curve = Curve::BrainpoolP256r1;

/// Slot of the domain whose DKEK both cards have.
pub const DKEK: u8 = 0;
/// Slot of the domain whose KEK both cards agreed on.
pub const XKEK: u8 = 1;
/// Slot of a domain that waits for its second share.
pub const WAITING: u8 = 2;
/// A slot that is absent.
pub const ABSENT: u8 = 3;

/// EC key, P-256, exportable in [`DKEK`].
pub const EC_KEY: u8 = 1;
/// EC key with [`USES`] uses.
pub const COUNTED_KEY: u8 = 2;
/// AES key with [`USES`] uses.
pub const AES_KEY: u8 = 3;
/// RSA key of 1024 bits, with [`USES`] uses.
pub const RSA_KEY: u8 = 4;
/// Exchange key of [`XKEK`].
pub const EXCHANGE_KEY: u8 = 5;
/// Key of the group signer, on the first card.
pub const SIGNER_KEY: u8 = 6;

/// Uses of the keys that have a counter.
pub const USES: u32 = 3;

/// A public file.
pub const FILE: u16 = 0xCA01;
/// A file that only the authenticated user may read.
pub const PRIVATE_FILE: u16 = 0xCD01;

/// What the fixture's cards made on the way, for a fuzzer to send.
#[derive(Clone, Debug, Default)]
pub struct Papers {
    /// Certificate of the cards' issuer, content of 7F21.
    pub issuer: Vec<u8>,
    /// Certificate of each card, content of 7F21.
    pub devices: [Vec<u8>; 2],
    /// CHR of each card.
    pub names: [Vec<u8>; 2],
    /// [`EC_KEY`] of the first card under the DKEK.
    pub blob: Vec<u8>,
    /// Membership of each card in the group.
    pub memberships: [Vec<u8>; 2],
    /// Request of each card's exchange key, content of 67.
    pub exchange: [Vec<u8>; 2],
    /// Request of the custodian's key, content of 67; it is a key of the second card.
    pub custodian: Vec<u8>,
}

/// CHR of the custodian's key.
pub const CUSTODIAN: &[u8] = b"ZZCUSTOD100001";

/// Two cards with everything, logged in, and their papers.
#[must_use]
pub fn furnished() -> ([Bench; 2], Papers) {
    let mut cards = [1, 2].map(Bench::virgin);
    let mut papers = Papers::default();
    for (index, card) in cards.iter_mut().enumerate() {
        card.ok(&initialize(0x0001, &[0x97, 1, 4]));
        let chain = card.ok(&read(0x2F02));
        let mut chain = Reader::new(&chain);
        papers.devices[index] = chain.expect(0x7F21).unwrap().value.to_vec();
        papers.issuer = chain.expect(0x7F21).unwrap().value.to_vec();
        papers.names[index] = card.card.memory().device().unwrap().holder.clone();
    }
    exchange(&mut cards, &mut papers);
    for card in &mut cards {
        card.ok(&create_domain(DKEK, 1));
        card.ok(&share(DKEK, 0x5A));
        card.ok(&create_domain(WAITING, 2));
        card.ok(&share(WAITING, 0xA5));
        card.ok(&update(FILE, 0, &[0x11; 20]));
        card.ok(&update(PRIVATE_FILE, 0, &[0x22; 20]));
    }
    let [first, second] = &mut cards;
    let uses = [&[0x90, 4][..], &USES.to_be_bytes()].concat();
    first.ok(&generate_ec(
        EC_KEY,
        Curve::Secp256r1,
        b"ZZKEY00001",
        &[0x92, 1, DKEK],
    ));
    first.ok(&generate_ec(
        COUNTED_KEY,
        Curve::Secp256r1,
        b"ZZKEY00002",
        &[&uses[..], &[0x92, 1, DKEK]].concat(),
    ));
    first.ok(&extended(
        0x00,
        0x48,
        AES_KEY,
        0xB2,
        &[&[0x91, 4, 0x10, 0x11, 0x18, 0x92], &uses[..]].concat(),
    ));
    first.ok(&generate_rsa(RSA_KEY, 1024, &uses));
    papers.blob = first.ok(&wrap(EC_KEY));
    second.ok(&generate_ec(1, CURVE, CUSTODIAN, &[]));
    let request = second.ok(&read(0xCE01));
    papers.custodian = content(&request, 0x67);
    (cards, papers)
}

/// Both cards join one group and agree on its KEK.
fn exchange(cards: &mut [Bench; 2], papers: &mut Papers) {
    cards[0].ok(&generate_ec(
        SIGNER_KEY,
        CURVE,
        b"ZZSIGNER00001",
        &[0x91, 1, 0x73],
    ));
    let request = cards[0].ok(&read(0xCE00 | u16::from(SIGNER_KEY)));
    let request = content(&request, 0x67);
    for index in 0..2 {
        let body = SignedBody::parse(&papers.devices[index]).unwrap();
        let device = body.ec_public_key(Some(CURVE)).unwrap();
        let message = [&[0x54], device.x()].concat();
        let der = cards[0].ok(&extended(0x80, 0x68, SIGNER_KEY, 0x73, &message));
        let signature = EcdsaSignature::from_der(CURVE, &der).unwrap().to_plain();
        papers.memberships[index] = Writer::new()
            .raw(&request)
            .element(0x54, &signature)
            .into_vec();
        let (names, membership) = (&papers.names, &papers.memberships[index]);
        trust(&mut cards[index], papers, 0);
        cards[index].ok(&extended(0x80, 0x52, 0x02, XKEK, membership));
        cards[index].ok(&generate_ec(
            EXCHANGE_KEY,
            CURVE,
            &names[index],
            &[0x91, 1, 0x84, 0x92, 1, XKEK],
        ));
        let made = cards[index].ok(&read(0xCE00 | u16::from(EXCHANGE_KEY)));
        papers.exchange[index] = content(&made, 0x67);
    }
    for (index, card) in cards.iter_mut().enumerate() {
        trust(card, papers, 1 - index);
        card.ok(&derive(&papers.exchange[1 - index]));
    }
}

/// Lets a card verify the chain of card `peer`, and selects that device's key.
pub fn trust(card: &mut Bench, papers: &Papers, peer: usize) {
    let verify = |certificate: &[u8]| extended(0x00, 0x2A, 0x00, 0xBE, certificate);
    card.ok(&select_key(0xB6, ROOT_NAME));
    card.ok(&verify(&papers.issuer));
    card.ok(&select_key(0xB6, ISSUER_NAME));
    card.ok(&verify(&papers.devices[peer]));
    card.ok(&select_key(0xB6, &papers.names[peer]));
}

/// Content of the one element that these bytes are.
fn content(bytes: &[u8], tag: u16) -> Vec<u8> {
    Reader::new(bytes).expect(tag).unwrap().value.to_vec()
}

/// MANAGE KEY DOMAIN: create a DKEK domain.
#[must_use]
pub fn create_domain(slot: u8, shares: u8) -> Vec<u8> {
    extended(0x80, 0x52, 0x01, slot, &[shares])
}

/// MANAGE KEY DOMAIN: import a share made of one byte and its index, so that no KEK is all one
/// byte.
#[must_use]
pub fn share(slot: u8, byte: u8) -> Vec<u8> {
    let share: Vec<u8> = (0..32).map(|index| byte ^ (index * 7)).collect();
    extended(0x80, 0x52, 0x00, slot, &share)
}

/// WRAP KEY.
#[must_use]
pub fn wrap(key: u8) -> Vec<u8> {
    extended(0x80, 0x72, key, 0x92, &[])
}

/// UNWRAP KEY.
#[must_use]
pub fn unwrap(key: u8, blob: &[u8]) -> Vec<u8> {
    extended(0x80, 0x74, key, 0x93, blob)
}

/// DECIPHER with algorithm 84: derive the XKEK with a peer.
#[must_use]
pub fn derive(request: &[u8]) -> Vec<u8> {
    extended(0x80, 0x62, EXCHANGE_KEY, 0x84, request)
}

/// A card that waits for its custodian, having verified his card's chain.
#[must_use]
pub fn with_quorum(papers: &Papers) -> Bench {
    let mut card = Bench::virgin(3);
    card.ok(&initialize(0x0001, &[0x93, 2, 2, 1]));
    trust(&mut card, papers, 1);
    card
}

/// MANAGE PUBLIC KEY AUTHENTICATION: register the custodian.
#[must_use]
pub fn register(papers: &Papers) -> Vec<u8> {
    extended(0x80, 0x54, 0x00, 0x00, &papers.custodian)
}

/// Deletes a key and what belongs to it.
#[must_use]
pub fn delete_key(key: u8) -> Vec<u8> {
    delete(0xCC00 | u16::from(key))
}

/// SIGN with ECDSA over a hash.
#[must_use]
pub fn sign(key: u8) -> Vec<u8> {
    short(0x80, 0x68, key, 0x73, b"message")
        .into_iter()
        .chain([0])
        .collect()
}
