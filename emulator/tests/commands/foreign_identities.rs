//! Cards with the device keys of the vectors, and the vectors' own commands sent to them.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use hsm2_emulator::blob::Envelope;
use hsm2_emulator::card::Card;
use hsm2_emulator::crypto::{CardRng, Curve, EcPrivateKey, symmetric};
use hsm2_emulator::cvc::{self, CertificateFields, Parameters, Role, SignedBody};
use hsm2_emulator::domain::Kek;
use hsm2_emulator::identity::{self, Device, PartsError};
use hsm2_emulator::profile::{NITROKEY_HSM2, SharedPointKek};
use hsm2_emulator::store::EphemeralStore;
use hsm2_emulator::tlv::{Reader as Tlv, Writer};
use hsm2_emulator::trust::{Anchor, AnchorError, NameTaken};
use rand_core::{Rng as _, TryCryptoRng, TryRng};
use serde_json::Value;

use crate::keys::{ec_public_key, ec_template, extended, generate_command, unwrap_command};
use crate::support::{Answer, Reader, SELECT_APPLET, bytes, lc_data};
use crate::vectors::{self, hex, text};

const CURVE: Curve = Curve::BrainpoolP256r1;

/// Random numbers that a test can choose: what stands in line is drawn first, where its length is
/// the one that is asked for.
#[derive(Clone)]
pub(crate) struct ChosenRng {
    line: Arc<Mutex<VecDeque<Vec<u8>>>>,
    rest: Arc<Mutex<CardRng>>,
}

impl ChosenRng {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self {
            line: Arc::default(),
            rest: Arc::new(Mutex::new(CardRng::from_seed(seed))),
        }
    }

    /// Puts bytes in line.
    pub(crate) fn next(&self, bytes: Vec<u8>) {
        self.line.lock().unwrap().push_back(bytes);
    }
}

impl TryRng for ChosenRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.rest.lock().unwrap().next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.rest.lock().unwrap().next_u64())
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Infallible> {
        let mut line = self.line.lock().unwrap();
        match line.front() {
            Some(chosen) if chosen.len() == destination.len() => {
                destination.copy_from_slice(chosen);
                line.pop_front();
            }
            _ => self.rest.lock().unwrap().fill_bytes(destination),
        }
        Ok(())
    }
}

impl TryCryptoRng for ChosenRng {}

/// A card with a device key and certificates of the vectors, initialised and logged in.
struct Foreign {
    reader: Reader,
    rng: ChosenRng,
}

impl Foreign {
    fn new(private_key: &Value, certificates: &[u8], objects: &str) -> Self {
        let rng = ChosenRng::new([9; 32]);
        let key = EcPrivateKey::from_bytes(CURVE, &hex(private_key)).unwrap();
        let device = Device::from_parts(NITROKEY_HSM2.name, certificates, key).unwrap();
        let store = Box::new(EphemeralStore::default());
        let mut card = Card::with_identity(device, store, Box::new(rng.clone())).unwrap();
        card.power_on();
        let mut reader = Reader { card };
        reader.ok(SELECT_APPLET);
        assert_eq!(reader.initialise(objects), 0x9000);
        Self { reader, rng }
    }

    /// Device A or B of the exchange.
    fn of_exchange(name: &str) -> Self {
        let xkek = vectors::xkek();
        let key = &xkek["private_keys"][format!("device_{name}")];
        Self::new(key, &hex(&xkek[format!("ef_2F02_{name}")]), "97 01 02")
    }

    fn answer(&mut self, command: &Value) -> Answer {
        self.reader.send(text(command))
    }

    #[track_caller]
    fn ok(&mut self, command: &Value) -> Vec<u8> {
        self.reader.ok(text(command))
    }

    #[track_caller]
    fn trust_root(&mut self, certificate: &[u8]) {
        let root = Anchor::parse(certificate).unwrap();
        self.reader.card.trust(&root).unwrap();
    }

    /// Verifies a chain down from a root, and selects its last key.
    #[track_caller]
    fn trust(&mut self, root: &[u8], certificates: &[&[u8]]) {
        self.select(root).unwrap();
        for certificate in certificates {
            let content = Tlv::new(certificate).expect(0x7F21).unwrap().value;
            self.reader.ok(&format!("00 2A 00 BE {}", lc_data(content)));
            let body = SignedBody::parse(content).unwrap();
            self.select(body.holder).unwrap();
        }
    }

    fn select(&mut self, name: &[u8]) -> Result<(), u16> {
        let object = Writer::new().element(0x83, name).into_vec();
        let answer = self
            .reader
            .send(&format!("00 22 81 B6 {}", lc_data(&object)));
        match answer.status {
            0x9000 => Ok(()),
            other => Err(other),
        }
    }

    /// An exchange key in slot 0 with the private key of the vectors.
    #[track_caller]
    fn exchange_key(&mut self, private_key: &Value, request: &Value) {
        self.rng.next(hex(private_key));
        let template = ec_template(CURVE, "91 01 84 92 01 00");
        let made = self.reader.ok(&generate_command(1, &template));
        assert_eq!(ec_public_key(&made), ec_public_key(&hex(request)));
    }
}

#[test]
fn the_exchange_of_the_vectors_goes_through_two_cards() {
    let xkek = vectors::xkek();
    let apdus = &xkek["apdus"];
    let certificates = &xkek["certificates"];
    let root = hex(&certificates["root"]);
    let dica = hex(&certificates["dica"]);
    let status = |kcv: &[u8]| [&[0, 0], kcv, &hex(&xkek["key_domain_uid_xy"])[..]].concat();
    let mut cards = ["A", "B"].map(Foreign::of_exchange);
    let memberships = &vectors::kdm()["computed"];
    for (card, name) in cards.iter_mut().zip(["A", "B"]) {
        assert_eq!(card.answer(&apdus["select_root_on_A"]).status, 0x6A88);
        card.trust_root(&root);
        // The group signer's device first: its word is what the membership rests on.
        let signer = hex(&certificates["device_G"]);
        card.trust(b"ZZTSTROOT00001", &[&dica, &signer]);
        let data = hex(&memberships[format!("member_{name}")]["command_data"]);
        let join = format!("80 52 02 00 {} 00 00", extended(&data));
        if name == "A" {
            assert_eq!(bytes(&join), hex(&apdus["create_xkek_on_A"]));
        }
        assert_eq!(card.reader.ok(&join), status(&[0; 8]));
        let private_key = &xkek["private_keys"][format!("exchange_{name}")];
        card.exchange_key(private_key, &xkek[format!("exchange_request_{name}")]);
    }
    let [a, b] = &mut cards;

    // Upwards until a name is known, downwards with what was missing, as hosts do.
    assert_eq!(a.answer(&apdus["select_outer_car_on_A"]).status, 0x6A88);
    a.ok(&apdus["select_dica_car_on_A"]);
    a.ok(&apdus["select_root_on_A"]);
    a.ok(&apdus["verify_dica_on_A"]);
    a.ok(&apdus["select_dica_car_on_A"]);
    a.ok(&apdus["verify_device_B_on_A"]);
    assert_eq!(
        a.answer(&apdus["derive_on_A_key_01"]).status,
        0x6A88,
        "not selected"
    );
    a.ok(&apdus["select_outer_car_on_A"]);
    assert!(a.ok(&apdus["derive_on_A_key_01"]).is_empty());
    b.trust(b"ZZTSTROOT00001", &[&dica, &hex(&certificates["device_A"])]);
    assert!(b.ok(&apdus["derive_on_B_key_01"]).is_empty());
    let kcv = hex(&xkek["kcv"]);
    for card in [&mut *a, &mut *b] {
        assert_eq!(card.reader.ok("80 52 00 00 00"), status(&kcv));
    }

    // The wrapped key of the vectors goes in on both sides; its list does not let it out again.
    let blob = hex(&xkek["wrapped_aes128_example"]);
    let point = [&[0x04], &hex(&xkek["kek"])[..], &[0; 32]].concat();
    let unsealed = Envelope::parse(&blob)
        .unwrap()
        .open(
            &Kek::from_shared_point(&point, SharedPointKek::X).unwrap(),
            &NITROKEY_HSM2,
        )
        .unwrap();
    let key = unsealed.material.aes().unwrap().expose();
    let enciphered = symmetric::aes_cbc_encrypt(key, &[0; 16], &[0x5A; 16]).unwrap();
    let block = lc_data(&[0x5A; 16]);
    for card in [&mut *a, &mut *b] {
        card.reader.ok(&unwrap_command(2, &blob));
        let answer = card.reader.ok(&format!("80 78 02 10 {block} 00"));
        assert_eq!(answer, *enciphered);
        card.reader.refused("80 72 02 92 00 00 00", 0x6985);
    }

    // A key made inside goes from one to the other. Drawn again with the same prefix, its blob is
    // the same byte for byte.
    a.reader.ok("00 48 03 B0 09 91 04 10111892 92 01 00");
    let wrapped = [0; 2].map(|_| {
        a.rng.next(vec![0xA5; 8]);
        a.reader.ok("80 72 03 92 00 00 00")
    });
    assert_eq!(wrapped[0], wrapped[1]);
    b.reader.ok(&unwrap_command(3, &wrapped[0]));
    b.rng.next(vec![0xA5; 8]);
    assert_eq!(b.reader.ok("80 72 03 92 00 00 00"), wrapped[0]);

    assert_eq!(a.ok(&apdus["clear_kek"]), status(&[0; 8]));
    assert_eq!(
        a.answer(&apdus["delete_domain"]).status,
        0x6A89,
        "keys are bound"
    );
    for key in [1, 2, 3] {
        a.reader.ok(&format!("00 E4 02 00 02 CC{key:02X}"));
    }
    assert!(a.ok(&apdus["delete_domain"]).is_empty());
}

#[test]
fn the_membership_of_one_card_is_no_membership_of_the_other() {
    let xkek = vectors::xkek();
    let mut b = Foreign::of_exchange("B");
    b.trust_root(&hex(&xkek["certificates"]["root"]));
    let dica = hex(&xkek["certificates"]["dica"]);
    b.trust(
        b"ZZTSTROOT00001",
        &[&dica, &hex(&xkek["certificates"]["device_G"])],
    );
    let of_a = b.answer(&xkek["apdus"]["create_xkek_on_A"]);
    assert_eq!(of_a.status, 0x6985);
    b.reader.refused("80 52 00 00 00", 0x6A88);
}

#[test]
fn a_virtual_card_judges_the_published_membership_once_it_trusts_its_root() {
    let published = &vectors::kdm()["published"];
    let file = hex(&published["file"]);
    let mut fields = Tlv::new(Tlv::new(&file).expect(0x30).unwrap().value);
    fields.expect(0x06).unwrap();
    let [issuer, device, request] =
        [0x61, 0x62, 0x63].map(|tag| fields.expect(tag).unwrap().value.to_vec());
    let signature = fields.expect(0x54).unwrap().raw;
    let data = [crate::keys::request_content(&request), signature].concat();

    let mut card = Foreign::of_exchange("A");
    let root = hex(&published["root_certificate_public"]);
    card.trust_root(&root);
    card.trust(b"ESPICOHSMCA00002", &[&issuer, &device]);
    // Every signature verifies, and the member it names is another card.
    let join = format!("80 52 02 00 {} 00 00", extended(&data));
    card.reader.refused(&join, 0x6985);
    // With the signer's request changed, its attestation is what fails first, or its form.
    let holder = data.windows(2).position(|tag| tag == [0x5F, 0x20]).unwrap();
    for (at, word) in [(holder + 5, 0x6985), (300, 0x6A80)] {
        let mut changed = data.clone();
        changed[at] ^= 1;
        let join = format!("80 52 02 00 {} 00 00", extended(&changed));
        card.reader.refused(&join, word);
    }
}

#[test]
fn a_custodian_of_the_vectors_authenticates_on_the_device_of_the_vectors() {
    let file = vectors::cvc();
    let computed = &file["computed"];
    let custodian = &computed["public_key_authentication"];
    let own = [hex(&computed["device_A"]), hex(&computed["dica"])].concat();
    let mut card = Foreign::new(&computed["private_device_A"], &own, "93 02 01 01");
    card.trust_root(&hex(&computed["root"]));
    let dica = hex(&computed["dica"]);
    // The custodian's key was made on device B, whose certificate stands with the exchange.
    let device = hex(&vectors::xkek()["certificates"]["device_B"]);
    card.trust(b"ZZTSTROOT00001", &[&dica, &device]);
    let register = hex(&custodian["registration_command_data"]);
    let status = card
        .reader
        .ok(&format!("80 54 00 00 {} 00 00", extended(&register)));
    assert_eq!(status, [1, 0, 1, 0]);

    card.reader.log_out();
    card.rng.next(hex(&custodian["challenge"]));
    assert_eq!(
        card.reader.ok("00 84 00 00 08"),
        hex(&custodian["challenge"])
    );
    card.ok(&custodian["mse_at_apdu"]);
    assert!(!card.reader.is_logged_in());
    card.ok(&custodian["external_authenticate_apdu"]);
    assert!(card.reader.is_logged_in());
    // The signature is bound to the challenge.
    card.reader.log_out();
    card.reader.ok("00 84 00 00 08");
    card.ok(&custodian["mse_at_apdu"]);
    let again = card.answer(&custodian["external_authenticate_apdu"]);
    assert_eq!(again.status, 0x6300);
}

#[test]
fn the_published_roots_can_be_trust_anchors() {
    let mut card = Reader::virgin().card;
    let file = vectors::cvc();
    let published = file["published"].as_array().unwrap();
    let roots: Vec<_> = published
        .iter()
        .filter(|entry| entry["verified_with"] == "itself")
        .collect();
    assert_eq!(roots.len(), 4);
    for root in roots {
        let anchor = Anchor::parse(&hex(&root["hex"]));
        let anchor = anchor.unwrap_or_else(|error| panic!("{}: {error}", root["name"]));
        assert!(text(&root["name"]).starts_with(&anchor.name()));
        card.trust(&anchor).unwrap();
        card.trust(&anchor).unwrap();
    }
    card.power_on();
    let mut reader = Reader { card };
    reader.ok(SELECT_APPLET);
    for name in ["DESRCACC100001", "UTSRCACC100001", "ESPICOHSMCA00001"] {
        let object = Writer::new().element(0x83, name.as_bytes()).into_vec();
        reader.ok(&format!("00 22 81 B6 {}", lc_data(&object)));
    }
}

#[test]
fn what_is_no_root_certificate_is_no_trust_anchor() {
    let file = vectors::cvc();
    let root = hex(&file["computed"]["root"]);
    let refused = |certificate: &[u8]| Anchor::parse(certificate).unwrap_err();
    assert_eq!(
        refused(&hex(&file["computed"]["dica"])),
        AnchorError::NotARoot
    );
    assert_eq!(
        refused(&hex(&file["computed"]["device_A"])),
        AnchorError::NotARoot
    );
    let mut forged = root.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(refused(&forged), AnchorError::Signature);
    for length in 0..root.len() {
        let cut = refused(&root[..length]);
        assert!(
            matches!(cut, AnchorError::Malformed(_)),
            "cut to {length}: {cut}"
        );
    }
    let twice = refused(&[&root[..], &root].concat());
    assert!(matches!(twice, AnchorError::Malformed(_)), "{twice}");
    let impostor = Anchor::parse(&impostor()).unwrap();
    let taken = Reader::virgin().card.trust(&impostor);
    assert_eq!(taken, Err(NameTaken("ZZVIRTROOT00001".into())));
}

/// A root with the virtual root's name and a key of its own.
fn impostor() -> Vec<u8> {
    let key = EcPrivateKey::from_bytes(CURVE, &[7]).unwrap();
    let fields = CertificateFields {
        authority: identity::ROOT_NAME,
        holder: identity::ROOT_NAME,
        role: Role::Root,
        effective: [2, 4, 0, 1, 0, 1],
        expiration: [4, 9, 1, 2, 3, 1],
        extensions: None,
    };
    let mut rng = CardRng::from_seed([0; 32]);
    cvc::issue(&fields, &key, Parameters::Explicit, &key, &mut rng).unwrap()
}

#[test]
fn an_identity_needs_the_certificate_of_its_own_key() {
    let xkek = vectors::xkek();
    let key =
        |name: &str| EcPrivateKey::from_bytes(CURVE, &hex(&xkek["private_keys"][name])).unwrap();
    let file = hex(&xkek["ef_2F02_A"]);
    let parts = |certificates: &[u8], name| {
        Device::from_parts("nitrokey-hsm2", certificates, key(name)).map(|device| device.serial())
    };
    assert_eq!(parts(&file, "device_A"), Ok("ZZTSTAAAA".into()));
    let own = hex(&xkek["certificates"]["device_A"]);
    assert_eq!(
        parts(&own, "device_A"),
        Ok("ZZTSTAAAA".into()),
        "an old device"
    );
    assert_eq!(parts(&file, "device_B"), Err(PartsError::OtherKey));
    let dica = hex(&xkek["certificates"]["dica"]);
    assert_eq!(parts(&dica, "dica"), Err(PartsError::OtherKey), "an issuer");
    for wrong in [
        &file[..file.len() - 1],
        &[&file[..], &own].concat(),
        &[][..],
    ] {
        assert!(matches!(
            parts(wrong, "device_A"),
            Err(PartsError::Malformed(_))
        ));
    }
    let unknown = Device::from_parts("no-such", &file, key("device_A")).unwrap();
    let store = Box::new(EphemeralStore::default());
    let card = Card::with_identity(unknown, store, Box::new(ChosenRng::new([9; 32])));
    assert!(card.is_err());
}

#[test]
fn the_published_channel_byte_by_byte() {
    let vector = vectors::sm();
    let mut card = Foreign::of_exchange("A");
    card.reader.log_out();
    card.ok(&vector["mse_at"]);
    card.rng.next(hex(&vector["nonce"]));
    let answer = card
        .reader
        .card
        .transmit(&hex(&vector["general_authenticate"]));
    assert_eq!(answer, hex(&vector["response"]));
    for step in vector["steps"].as_array().unwrap() {
        if text(&step["name"]).starts_with("GET CHALLENGE") {
            card.rng.next(hex(&step["response_data"]));
        }
        let answer = card.reader.card.transmit(&hex(&step["apdu"]));
        if text(&step["name"]).starts_with("READ BINARY") {
            // The vector's file is another; the counter of what follows is not.
            assert!(answer.ends_with(&[0x62, 0x82]));
        } else {
            assert_eq!(answer, hex(&step["response"]), "{}", step["name"]);
        }
    }
}
