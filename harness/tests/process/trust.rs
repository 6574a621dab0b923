//! Cards of two manufacturers: each below a root of its own, which the other is given by
//! `serve --trust`.

use std::path::Path;

use hsm2_emulator::card::{Card as Virtual, CardError as VirtualError};
use hsm2_emulator::crypto::{CardRng, Curve, EcPrivateKey};
use hsm2_emulator::cvc::{self, CertificateFields, Parameters, Role};
use hsm2_emulator::identity::Device;
use hsm2_emulator::profile::NITROKEY_HSM2;
use hsm2_emulator::store::FileStore;
use hsm2_harness::card::command::StatusWord;
use hsm2_harness::card::cvc::{Chain, Kind, Request, object};
use hsm2_harness::card::domain::DomainKind;
use hsm2_harness::card::{Attributes, Card, CardError, DERIVE_XKEK, ECDSA_SHA_256, Setup};
use hsm2_harness::transport::place::Opener;

use crate::program::address_in;
use crate::programs::{Served, serve_at};

const CURVE: Curve = Curve::BrainpoolP256r1;
/// Keys on the cards.
const SIGNER: u8 = 1;
const EXCHANGE: u8 = 2;
const TRAVELLER: u8 = 3;
/// The slot of the group.
const SLOT: u8 = 0;

/// A card that a process serves.
struct Seat {
    card: Card,
    chain: Chain,
    _served: Served,
}

impl Seat {
    /// Serves a card, initialises it and leaves its user logged in.
    fn of(words: &str) -> Self {
        let mut served = None;
        let place = "vpcd:127.0.0.1:0".parse().unwrap();
        let target = Opener::default().open(&place, "", &mut |line| {
            if let (None, Some(address)) = (&served, address_in(line)) {
                served = Some(serve_at(address, words));
            }
        });
        let mut card = Card::new(target.unwrap());
        card.select().unwrap();
        let setup = Setup {
            pin: b"648219",
            so_pin: b"57621880",
            slots: 1,
        };
        card.initialize(&setup).unwrap();
        let chain = card.chain().unwrap();
        let _served = served.unwrap();
        Self {
            card,
            chain,
            _served,
        }
    }

    fn generate(&mut self, key: u8, domain: Option<u8>, algorithms: &[u8]) -> Request {
        let attributes = Attributes { domain, algorithms };
        let kind = Kind::BrainpoolP256r1;
        let made = self.card.generate(key, kind, &attributes, &self.chain);
        made.unwrap()
    }

    /// The signer's word that another card belongs to its group.
    fn membership(&mut self, signer: &Request, member: &Chain) -> Vec<u8> {
        let point = member.device.key.point().unwrap();
        let vouched = [&[0x54], point.get(1..33).unwrap()].concat();
        let key = &signer.request.key;
        let signature = self.card.sign(SIGNER, key, &vouched).unwrap();
        [signer.content.clone(), object(0x54, &[&signature])].concat()
    }
}

/// Writes a card file with this device, and the root above it.
fn write_card(folder: &Path, name: &str, device: Device, root: &[u8]) {
    std::fs::write(folder.join(format!("{name}.root")), root).unwrap();
    FileStore::create(&folder.join(format!("{name}.hsm2")), |store| {
        let rng = CardRng::from_seed([3; 32]);
        Virtual::with_identity(device, Box::new(store), Box::new(rng))?;
        Ok::<_, VirtualError>(())
    })
    .unwrap();
}

/// The device of the vectors, below the vectors' root.
fn card_of_the_vectors(folder: &Path) {
    let vectors = include_str!("../../../vectors/xkek.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
    let hex = |path: &str| hex::decode(vectors.pointer(path).unwrap().as_str().unwrap()).unwrap();
    let key = EcPrivateKey::from_bytes(CURVE, &hex("/private_keys/device_A")).unwrap();
    let device = Device::from_parts(NITROKEY_HSM2.name, &hex("/ef_2F02_A"), key).unwrap();
    write_card(folder, "vectors", device, &hex("/certificates/root"));
}

/// A device below a root that nobody else has.
fn card_of_its_own(folder: &Path) {
    const ROOT: &[u8] = b"ZZOWNROOT00001";
    const ISSUER: &[u8] = b"ZZOWNISSU00001";
    let [root, issuer, device] =
        [5, 6, 7].map(|number| EcPrivateKey::from_bytes(CURVE, &[number; 32]).unwrap());
    let issue = |holder, role, key, (authority, above)| {
        let fields = CertificateFields {
            authority,
            holder,
            role,
            effective: [2, 4, 0, 1, 0, 1],
            expiration: [4, 9, 1, 2, 3, 1],
            extensions: None,
        };
        let parameters = match role {
            Role::Root => Parameters::Explicit,
            Role::Issuer | Role::Device => Parameters::Inherited,
        };
        let mut rng = CardRng::from_seed([4; 32]);
        cvc::issue(&fields, key, parameters, above, &mut rng).unwrap()
    };
    let top = issue(ROOT, Role::Root, &root, (ROOT, &root));
    let certificates = [
        issue(b"ZZOWNCARD00000", Role::Device, &device, (ISSUER, &issuer)),
        issue(ISSUER, Role::Issuer, &issuer, (ROOT, &root)),
    ];
    let device = Device::from_parts(NITROKEY_HSM2.name, &certificates.concat(), device);
    write_card(folder, "own", device.unwrap(), &top);
}

#[track_caller]
fn refused<T>(outcome: Result<T, CardError>, status: StatusWord) {
    match outcome {
        Err(error) => assert_eq!(error.status(), Some(status), "{error}"),
        Ok(_) => panic!("taken, and not refused with {status}"),
    }
}

/// Two cards below roots of which neither is the virtual one, the only one that cards have from the
/// start. Each is given its own, those named the other's too.
fn pair(folder: &Path, trusting: &[&str]) -> [Seat; 2] {
    card_of_its_own(folder);
    card_of_the_vectors(folder);
    [("own", "vectors"), ("vectors", "own")].map(|(name, other)| {
        let folder = folder.display();
        let mut words = format!("--card {folder}/{name}.hsm2 --trust {folder}/{name}.root");
        if trusting.contains(&name) {
            words += &format!(" --trust {folder}/{other}.root");
        }
        Seat::of(&words)
    })
}

#[test]
fn cards_below_different_roots_that_trust_each_other_agree_on_an_xkek() {
    let folder = tempfile::tempdir().unwrap();
    let [mut a, mut b] = pair(folder.path(), &["own", "vectors"]);
    assert_eq!(a.chain.issuer.authority, b"ZZOWNROOT00001");
    assert_eq!(b.chain.issuer.authority, b"ZZTSTROOT00001");

    // The group signer is on A: B joins on the word of a device below the other root.
    let signer = a.generate(SIGNER, None, &[ECDSA_SHA_256]);
    let [for_a, for_b] = [a.chain.clone(), b.chain.clone()].map(|of| a.membership(&signer, &of));
    a.card.trust(&a.chain).unwrap();
    a.card.join(SLOT, &for_a).unwrap();
    b.card.trust(&a.chain).unwrap();
    refused(b.card.join(SLOT, &for_a), StatusWord::NOT_SATISFIED);
    b.card.join(SLOT, &for_b).unwrap();

    let of_a = a.generate(EXCHANGE, Some(SLOT), &[DERIVE_XKEK]);
    let of_b = b.generate(EXCHANGE, Some(SLOT), &[DERIVE_XKEK]);
    a.card.trust(&b.chain).unwrap();
    a.card.derive_xkek(EXCHANGE, &of_b).unwrap();
    b.card.trust(&a.chain).unwrap();
    b.card.derive_xkek(EXCHANGE, &of_a).unwrap();
    let [one, other] = [&mut a, &mut b].map(|seat| seat.card.domain(SLOT).unwrap());
    assert!(one.check_value.is_some(), "{one:?}");
    assert!(matches!(one.kind, DomainKind::Xkek { .. }), "{one:?}");
    assert_eq!(one, other);

    // And the KEK is one that carries keys.
    let made = a.generate(TRAVELLER, Some(SLOT), &[]);
    let blob = a.card.wrap(TRAVELLER).unwrap();
    b.card.unwrap_key(TRAVELLER, &blob).unwrap();
    let key = &made.request.key;
    let signature = b.card.sign(TRAVELLER, key, b"from the other root").unwrap();
    key.verify(b"from the other root", &signature).unwrap();
}

#[test]
fn without_the_others_root_nothing_is_agreed_on() {
    let folder = tempfile::tempdir().unwrap();
    // A knows the root of B, but B not that of A.
    let [mut a, mut b] = pair(folder.path(), &["own"]);
    let signer = a.generate(SIGNER, None, &[ECDSA_SHA_256]);
    let for_b = a.membership(&signer, &b.chain);
    a.card.trust(&b.chain).unwrap();
    refused(b.card.trust(&a.chain), StatusWord::NOT_FOUND);
    refused(b.card.join(SLOT, &for_b), StatusWord::NOT_FOUND);
    refused(b.card.domain(SLOT), StatusWord::NOT_FOUND);
    drop((a, b));

    // Now A is the one that lacks the root: both are in the group, and A takes no exchange key of B.
    let folder = tempfile::tempdir().unwrap();
    let [mut a, mut b] = pair(folder.path(), &["vectors"]);
    let signer = a.generate(SIGNER, None, &[ECDSA_SHA_256]);
    let [for_a, for_b] = [a.chain.clone(), b.chain.clone()].map(|of| a.membership(&signer, &of));
    a.card.trust(&a.chain).unwrap();
    a.card.join(SLOT, &for_a).unwrap();
    b.card.trust(&a.chain).unwrap();
    b.card.join(SLOT, &for_b).unwrap();
    a.generate(EXCHANGE, Some(SLOT), &[DERIVE_XKEK]);
    let of_b = b.generate(EXCHANGE, Some(SLOT), &[DERIVE_XKEK]);
    refused(a.card.trust(&b.chain), StatusWord::NOT_FOUND);
    refused(a.card.derive_xkek(EXCHANGE, &of_b), StatusWord::NOT_FOUND);
    assert_eq!(a.card.domain(SLOT).unwrap().check_value, None);
}
