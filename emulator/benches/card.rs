//! Times whole commands through `Card::transmit`: no reader, no socket, memory that is not durable.
//!
//! `cargo bench -p hsm2-emulator --bench card`
//!
//! Each figure is the median of many runs on one thread. For the cryptography alone, beside
//! OpenSSL, see `--bench crypto`; for the reader's part, `--bench transport`.

#![allow(clippy::indexing_slicing, reason = "a benchmark fails by panicking")]

use std::time::{Duration, Instant};

use hsm2_emulator::card::Card;
use hsm2_emulator::crypto::{CardRng, Curve, EcPrivateKey, EcdsaSignature, Hash, symmetric};
use hsm2_emulator::cvc::SignedBody;
use hsm2_emulator::identity::{ISSUER_NAME, ROOT_NAME, Serial};
use hsm2_emulator::profile::NITROKEY_HSM2;
use hsm2_emulator::store::EphemeralStore;
use hsm2_emulator::tlv::{Reader, Writer};

#[path = "support/commands.rs"]
mod commands;
use commands::{GET_CHALLENGE, SELECT, apdu};

/// The exchange key's number on both cards.
const EXCHANGE_KEY: u8 = 4;

fn main() {
    println!("| command | median | target | |");
    println!("|---|---|---|---|");
    let micros = Duration::from_micros;
    let mut card = Host::new("BENCH0001");
    card.initialise(&[0x92, 1, 1]);
    card.ok(&apdu(0x80, 0x52, 0, 0, &[0x11; 32]));
    card.generate_rsa(1, 2048);
    card.generate_ec(2, Curve::Secp256r1, &[]);

    row("GET CHALLENGE, 8 bytes", Some(micros(2)), 20_000, || {
        card.ok(&GET_CHALLENGE)
    });
    row("SELECT the applet", None, 2_000, || card.ok(&SELECT));
    let verify = apdu(0x00, 0x20, 0x00, 0x81, b"648219");
    row("VERIFY", None, 2_000, || card.ok(&verify));
    let sign = apdu(0x80, 0x68, 2, 0x70, &[0x5A; 32]);
    row("SIGN, P-256", None, 500, || card.ok(&sign));
    let sign = apdu(0x80, 0x68, 1, 0x33, b"message");
    row("SIGN, RSA-2048", None, 100, || card.ok(&sign));
    card.ok(&[0x00, 0x48, 5, 0xB2]);
    let encipher = apdu(0x80, 0x78, 5, 0x10, &[0x5A; 1024]);
    row(
        "ENCIPHER, AES-256-CBC, 1 KiB",
        Some(micros(10)),
        5_000,
        || card.ok(&encipher),
    );

    let wrap = [0x80, 0x72, 1, 0x92, 0, 0, 0];
    row("WRAP KEY, RSA-2048", Some(micros(1000)), 200, || {
        card.ok(&wrap)
    });
    let blob = card.ok(&wrap);
    let unwrap = apdu(0x80, 0x74, 3, 0x93, &blob);
    let times = (0..100)
        .map(|_| {
            let start = Instant::now();
            card.ok(&unwrap);
            let elapsed = start.elapsed();
            card.ok(&commands::delete_key(3));
            elapsed
        })
        .collect();
    print_row("UNWRAP KEY, RSA-2048", Some(micros(1000)), times);
    secure_messaging();
    verify_certificate();
    derive_xkek();
}

/// GET CHALLENGE through the secure channel: what it takes more than without is the channel's.
fn secure_messaging() {
    const RUNS: usize = 5_000;
    let mut card = Host::new("CHANNEL01");
    card.ok(&SELECT);
    let device = card.device_point();
    let protocol = [4, 0, 0x7F, 0, 7, 2, 2, 3, 2, 2];
    let object = Writer::new().element(0x80, &protocol).into_vec();
    card.ok(&apdu(0x00, 0x22, 0x41, 0xA4, &object));
    let host = EcPrivateKey::generate(Curve::BrainpoolP256r1, &mut CardRng::from_seed([5; 32]));
    let point = host.public_point();
    let object = Writer::new()
        .nested(0x7C, |content| content.element(0x80, &point))
        .into_vec();
    let answer = card.ok(&apdu(0x00, 0x86, 0x00, 0x00, &object));
    let shared = host.ecdh(&device).expect("a point");
    let digest = Hash::Sha1.digest_parts(&[&shared[1..33], &answer[4..12], &[0, 0, 0, 2]]);

    let commands: Vec<_> = (0..RUNS as u128)
        .map(|index| {
            let header = [0x0C, 0x84, 0x00, 0x00];
            let le = [0x97, 1, 8];
            let mut input = (2 * index + 1).to_be_bytes().to_vec();
            for part in [&header[..], &le] {
                input.extend_from_slice(part);
                input.push(0x80);
                input.resize(input.len().next_multiple_of(16), 0);
            }
            let mac = symmetric::aes_cmac(&digest[..16], &input).expect("a key");
            let objects = Writer::new().raw(&le).element(0x8E, &mac[..8]).into_vec();
            [&header[..], &[13], &objects, &[0]].concat()
        })
        .collect();
    let mut commands = commands.iter();
    row(
        "GET CHALLENGE, 8 bytes, secure messaging",
        Some(Duration::from_micros(20)),
        RUNS,
        || card.ok(commands.next().expect("one for each run")),
    );
}

/// A card verifies another one's device certificate with the issuer's key.
fn verify_certificate() {
    let mut card = Host::new("VERIFY001");
    card.ok(&SELECT);
    let chain = Host::new("VERIFY002").certificates();
    card.trust(&chain);
    card.select_key(ISSUER_NAME);
    let device = Reader::new(&chain).expect(0x7F21).expect("a certificate");
    let verify = apdu(0x00, 0x2A, 0x00, 0xBE, device.value);
    row(
        "PSO VERIFY CERTIFICATE",
        Some(Duration::from_millis(2)),
        300,
        || card.ok(&verify),
    );
}

/// Two members of one group agree on a KEK, again and again.
fn derive_xkek() {
    let mut members = [Host::new("MEMBER001"), Host::new("MEMBER002")];
    for member in &mut members {
        member.initialise(&[0x97, 1, 1]);
    }
    let [one, two] = &mut members;
    let signer = content_of_request(&one.generate_ec(1, Curve::BrainpoolP256r1, &[]));
    let signer_chain = one.certificates();
    let memberships = [one.device_x(), two.device_x()].map(|x| {
        let der = one.ok(&apdu(0x80, 0x68, 1, 0x73, &[&[0x54], &x[..]].concat()));
        let signature = EcdsaSignature::from_der(Curve::BrainpoolP256r1, &der).expect("DER");
        Writer::new()
            .raw(&signer)
            .element(0x54, &signature.to_plain())
            .into_vec()
    });
    let conditions = [0x91, 1, 0x84, 0x92, 1, 0];
    let [_, request] =
        [(&mut *one, 0), (&mut *two, 1)].map(|(member, index): (&mut Host, usize)| {
            member.trust(&signer_chain);
            member.ok(&apdu(0x80, 0x52, 0x02, 0x00, &memberships[index]));
            member.generate_ec(EXCHANGE_KEY, Curve::BrainpoolP256r1, &conditions)
        });
    let peer_chain = two.certificates();
    one.trust(&peer_chain);
    let derive = apdu(
        0x80,
        0x62,
        EXCHANGE_KEY,
        0x84,
        &content_of_request(&request),
    );
    row("derive XKEK", Some(Duration::from_millis(5)), 200, || {
        one.ok(&derive)
    });
}

/// An authenticated request without its frame 67.
fn content_of_request(request: &[u8]) -> Vec<u8> {
    let mut reader = Reader::new(request);
    reader.expect(0x67).expect("a request").value.to_vec()
}

/// A card and what a host does with it.
struct Host {
    card: Card,
}

impl Host {
    fn new(serial: &str) -> Self {
        let mut seed = [0; 32];
        for (to, from) in seed.iter_mut().zip(serial.bytes()) {
            *to = from;
        }
        let mut card = Card::personalise(
            &NITROKEY_HSM2,
            &Serial::new(serial).expect("a serial"),
            Box::new(EphemeralStore::default()),
            Box::new(CardRng::from_seed(seed)),
        )
        .expect("a new card");
        card.power_on();
        Self { card }
    }

    fn initialise(&mut self, domains: &[u8]) {
        self.ok(&SELECT);
        self.ok(&commands::initialise(domains));
    }

    fn generate_ec(&mut self, id: u8, curve: Curve, conditions: &[u8]) -> Vec<u8> {
        self.ok(&commands::generate_ec(id, curve, conditions))
    }

    fn generate_rsa(&mut self, id: u8, bits: u16) -> Vec<u8> {
        self.ok(&commands::generate_rsa(id, bits))
    }

    fn certificates(&self) -> Vec<u8> {
        let device = self.card.memory().device().expect("a device");
        device.certificates.clone()
    }

    /// X of the device key: the card's default key domain.
    fn device_x(&self) -> Vec<u8> {
        self.device_point()[1..33].to_vec()
    }

    /// The device key's public point.
    fn device_point(&self) -> Vec<u8> {
        let device = self.card.memory().device().expect("a device");
        device.key().expect("a device key").public_point()
    }

    /// Verifies another card's chain and selects its device key.
    fn trust(&mut self, chain: &[u8]) {
        let mut reader = Reader::new(chain);
        let device = reader.expect(0x7F21).expect("a certificate").value;
        let issuer = reader.expect(0x7F21).expect("a certificate").value;
        for (authority, certificate) in [(ROOT_NAME, issuer), (ISSUER_NAME, device)] {
            self.select_key(authority);
            self.ok(&apdu(0x00, 0x2A, 0x00, 0xBE, certificate));
        }
        self.select_key(SignedBody::parse(device).expect("a certificate").holder);
    }

    fn select_key(&mut self, name: &[u8]) {
        let object = Writer::new().element(0x83, name).into_vec();
        self.ok(&apdu(0x00, 0x22, 0x81, 0xB6, &object));
    }

    fn ok(&mut self, command: &[u8]) -> Vec<u8> {
        let mut data = self.card.transmit(command);
        let status = data.split_off(data.len() - 2);
        assert_eq!(status, [0x90, 0x00], "{}", hex::encode(command));
        data
    }
}

fn row<T>(name: &str, target: Option<Duration>, runs: usize, mut run: impl FnMut() -> T) {
    let times = (0..runs)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(run());
            start.elapsed()
        })
        .collect();
    print_row(name, target, times);
}

fn print_row(name: &str, target: Option<Duration>, mut times: Vec<Duration>) {
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    let (target, verdict) = match target {
        Some(target) if median <= target => (format!("{target:.1?}"), "met"),
        Some(target) => (format!("{target:.1?}"), "MISSED"),
        None => (String::new(), ""),
    };
    println!("| {name} | {median:.1?} | {target} | {verdict} |");
}
