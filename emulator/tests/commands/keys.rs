//! Cards with keys: templates, a store to look into, independent checks of what comes out.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};

use hsm2_emulator::card::Card;
use hsm2_emulator::crypto::{CardRng, Curve};
use hsm2_emulator::cvc::{AuthenticatedRequest, EcPublicKey};
use hsm2_emulator::identity::Serial;
use hsm2_emulator::profile::{NITROKEY_HSM2, Profile};
use hsm2_emulator::store::{Change, RecordName, RecordValue, Store, StoreError};
use hsm2_emulator::tlv::{Reader as Tlv, Writer};
use rand_core::CryptoRng;
use rsa::BoxedUint;

use crate::support::{Reader, SELECT_APPLET, bytes, lc_data};

/// CAR and CHR that OpenSC sends.
const CAR: &[u8] = b"UTCA00001";
const CHR: &[u8] = b"DENK040414400001";

/// A reader whose card's memory the test can see.
pub(crate) struct Bench {
    reader: Reader,
    records: SharedRecords,
}

type Records = BTreeMap<RecordName, RecordValue>;

#[derive(Clone, Default)]
struct SharedRecords(Arc<Mutex<Records>>);

impl Store for SharedRecords {
    fn load(&mut self) -> Result<Records, StoreError> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let mut records = self.0.lock().unwrap();
        for change in changes {
            match change {
                Change::Put(name, value) => records.insert(name.clone(), value.clone()),
                Change::Delete(name) => records.remove(name),
            };
        }
        Ok(())
    }
}

/// Everything of a card that outlasts a command: its records, and what it shows of them.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct State {
    records: Records,
    shown: Vec<(String, u16, Vec<u8>)>,
}

impl Deref for Bench {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl DerefMut for Bench {
    fn deref_mut(&mut self) -> &mut Reader {
        &mut self.reader
    }
}

impl Bench {
    /// An initialised card with the user authenticated; serial, device key and everything that it
    /// draws depend on `number`.
    pub(crate) fn new(number: u8, objects: &str) -> Self {
        let rng = Box::new(CardRng::from_seed([number; 32]));
        Self::of(&NITROKEY_HSM2, number, objects, rng)
    }

    /// As [`Bench::new`], of this generation and with these random numbers.
    pub(crate) fn of(
        profile: &'static Profile,
        number: u8,
        objects: &str,
        rng: Box<dyn CryptoRng + Send>,
    ) -> Self {
        let records = SharedRecords::default();
        let serial = Serial::new(&format!("VT{number:07}")).unwrap();
        let store = Box::new(records.clone());
        let mut card = Card::personalise(profile, &serial, store, rng).unwrap();
        card.power_on();
        let mut bench = Self {
            reader: Reader { card },
            records,
        };
        bench.ok(SELECT_APPLET);
        assert_eq!(bench.initialise(objects), 0x9000);
        bench
    }

    /// A card whose keys all belong to the DKEK that is these shares.
    pub(crate) fn with_dkek(shares: &[&str]) -> Self {
        let mut bench = Self::new(1, &format!("92 01 {:02X}", shares.len()));
        for share in shares {
            bench.import_share(0, share);
        }
        bench
    }

    /// The same card after its process ended: opened from its records, with the user
    /// authenticated.
    pub(crate) fn reopened(self) -> Self {
        self.reopened_with([0xEE; 32])
    }

    /// As [`Bench::reopened`]; what the card draws from then on depends on the seed.
    pub(crate) fn reopened_with(self, seed: [u8; 32]) -> Self {
        let records = self.records;
        let rng = Box::new(CardRng::from_seed(seed));
        let mut card = Card::open(Box::new(records.clone()), rng).unwrap();
        card.power_on();
        let mut bench = Self {
            reader: Reader { card },
            records,
        };
        bench.ok(SELECT_APPLET);
        bench.log_in();
        bench
    }

    /// What the card keeps and shows.
    pub(crate) fn state(&mut self) -> State {
        let records = self.records.0.lock().unwrap().clone();
        let mut shown = Vec::new();
        let mut show = |reader: &mut Reader, command: String| {
            let answer = reader.send(&command);
            shown.push((command, answer.status, answer.data.clone()));
            answer.data
        };
        let objects = show(self, "80 58 00 00 00 00 00".into());
        for id in objects.chunks(2) {
            show(self, format!("00 A4 00 00 02 {} 00", hex::encode(id)));
        }
        for slot in 0..4 {
            show(self, format!("80 52 00 {slot:02X} 00"));
        }
        show(self, "80 50 00 00 00".into());
        State { records, shown }
    }

    /// Sends the commands of a table, name, command and word; none may change anything.
    #[track_caller]
    pub(crate) fn refuses(&mut self, rows: &[(&str, &str, u16)]) {
        let before = self.state();
        for (name, command, status) in rows {
            let answer = self.send(command);
            let (got, wanted) = (answer.status, status);
            assert_eq!(format!("{got:04X}"), format!("{wanted:04X}"), "{name}");
            assert!(answer.data.is_empty(), "{name}");
            assert!(self.state() == before, "{name}: changed the card");
        }
    }

    /// GENERATE ASYMMETRIC KEY PAIR; returns the response, 67 and all.
    #[track_caller]
    pub(crate) fn generate(&mut self, key: u8, template: &[u8]) -> Vec<u8> {
        self.ok(&generate_command(key, template))
    }

    /// An EC key with these attributes.
    #[track_caller]
    pub(crate) fn generate_ec(&mut self, key: u8, curve: Curve, attributes: &str) -> EcPublicKey {
        let request = self.generate(key, &ec_template(curve, attributes));
        ec_public_key(&request)
    }

    /// An RSA key with these attributes.
    #[track_caller]
    pub(crate) fn generate_rsa(&mut self, key: u8, bits: u16, attributes: &str) -> rsa::PublicKey {
        let request = self.generate(key, &rsa_template(bits, attributes));
        rsa_public_key(&request)
    }

    /// SIGN.
    #[track_caller]
    pub(crate) fn sign(&mut self, key: u8, algorithm: u8, data: &[u8]) -> Vec<u8> {
        self.ok(&crypto_command(0x68, key, algorithm, data))
    }

    /// DECIPHER.
    #[track_caller]
    pub(crate) fn decipher(&mut self, key: u8, algorithm: u8, data: &[u8]) -> Vec<u8> {
        self.ok(&crypto_command(0x62, key, algorithm, data))
    }

    /// Imports a DKEK share and returns the status.
    #[track_caller]
    pub(crate) fn import_share(&mut self, slot: u8, share: &str) -> Vec<u8> {
        self.ok(&format!("80 52 00 {slot:02X} 20 {share} 00"))
    }

    /// Status of a key domain.
    #[track_caller]
    pub(crate) fn domain(&mut self, slot: u8) -> Vec<u8> {
        self.ok(&format!("80 52 00 {slot:02X} 00"))
    }

    /// KCV of a key domain.
    #[track_caller]
    pub(crate) fn kcv(&mut self, slot: u8) -> Vec<u8> {
        self.domain(slot)[2..10].to_vec()
    }

    /// WRAP KEY.
    #[track_caller]
    pub(crate) fn wrap(&mut self, key: u8) -> Vec<u8> {
        self.ok(&format!("80 72 {key:02X} 92 00 00 00"))
    }

    /// UNWRAP KEY with the blob in the command; returns the word.
    #[track_caller]
    pub(crate) fn unwrap_key(&mut self, key: u8, blob: &[u8]) -> u16 {
        let answer = self.send(&unwrap_command(key, blob));
        assert!(answer.data.is_empty());
        answer.status
    }

    /// DELETE FILE of a key.
    #[track_caller]
    pub(crate) fn delete_key(&mut self, key: u8) {
        self.ok(&format!("00 E4 02 00 02 CC{key:02X}"));
    }

    /// Content of A5 in the template of a key; empty when there is none.
    #[track_caller]
    pub(crate) fn attributes(&mut self, key: u8) -> String {
        let template = self.ok(&format!("00 A4 00 04 02 CC{key:02X} 00"));
        let mut fcp = Tlv::new(Tlv::new(&template).expect(0x62).unwrap().value);
        for tag in [0x80, 0x82, 0x83] {
            fcp.expect(tag).unwrap();
        }
        let attributes = fcp.optional(0xA5).unwrap();
        fcp.finish().unwrap();
        hex::encode_upper(attributes.map_or(&[][..], |element| element.value))
    }

    /// Content of an elementary file.
    #[track_caller]
    pub(crate) fn read(&mut self, file: u16) -> Vec<u8> {
        let answer = self.send(&format!("00 B1 {file:04X} 00 0004 54 02 0000 00 00"));
        assert_eq!(answer.status, 0x6282, "the file ends before Le");
        answer.data
    }

    /// Writes EF 2F10 in blocks, as hosts do with what does not fit one command.
    #[track_caller]
    pub(crate) fn write_scratch(&mut self, content: &[u8]) {
        for command in scratch_commands(content) {
            self.ok(&command);
        }
    }
}

/// UPDATE BINARY of EF 2F10 in blocks.
pub(crate) fn scratch_commands(content: &[u8]) -> Vec<String> {
    let blocks = content.chunks(200).enumerate().map(|(index, block)| {
        let offset = u16::try_from(200 * index).unwrap();
        let data = Writer::new()
            .element(0x54, &offset.to_be_bytes())
            .element(0x53, block)
            .into_vec();
        format!("00 D7 2F10 {}", lc_data(&data))
    });
    blocks.collect()
}

/// Encodes Lc and a data field in extended form.
pub(crate) fn extended(data: &[u8]) -> String {
    format!("00 {:04X} {}", data.len(), hex::encode(data))
}

/// GENERATE ASYMMETRIC KEY PAIR with room for any request.
pub(crate) fn generate_command(key: u8, template: &[u8]) -> String {
    format!("00 46 {key:02X} 00 {} 00 00", extended(template))
}

/// SIGN (68) or DECIPHER (62) with room for any result.
pub(crate) fn crypto_command(ins: u8, key: u8, algorithm: u8, data: &[u8]) -> String {
    format!(
        "80 {ins:02X} {key:02X} {algorithm:02X} {} 02 00",
        extended(data)
    )
}

/// UNWRAP KEY with the blob in the command.
pub(crate) fn unwrap_command(key: u8, blob: &[u8]) -> String {
    format!("80 74 {key:02X} 93 {}", extended(blob))
}

/// Template of a key pair with this content of 7F49 and these attributes.
pub(crate) fn template(public_key: &[u8], attributes: &str) -> Vec<u8> {
    Writer::new()
        .element(0x5F29, &[0])
        .element(0x42, CAR)
        .element(0x7F49, public_key)
        .element(0x5F20, CHR)
        .raw(&bytes(attributes))
        .into_vec()
}

/// Template of an EC key pair.
pub(crate) fn ec_template(curve: Curve, attributes: &str) -> Vec<u8> {
    let domain = curve.parameters();
    let public_key = Writer::new()
        .raw(&bytes("06 0A 04007F00070202020203"))
        .element(0x81, domain.p)
        .element(0x82, domain.a)
        .element(0x83, domain.b)
        .element(0x84, domain.g)
        .element(0x85, domain.n)
        .element(0x87, &[1]);
    template(&public_key.into_vec(), attributes)
}

/// Template of an RSA key pair with the exponent 65537.
pub(crate) fn rsa_template(bits: u16, attributes: &str) -> Vec<u8> {
    let public_key = bytes(&format!(
        "06 0A 04007F00070202020102 82 03 010001 02 02 {bits:04X}"
    ));
    template(&public_key, attributes)
}

/// Splits the response of key generation.
#[track_caller]
pub(crate) fn parse_request(response: &[u8]) -> AuthenticatedRequest<'_> {
    let mut whole = Tlv::new(response);
    let content = whole.expect(0x67).unwrap().value;
    whole.finish().unwrap();
    let request = AuthenticatedRequest::parse(content).unwrap();
    assert!(request.rest.is_empty());
    request
}

/// What follows the 67 header: the form in which commands take a request.
#[track_caller]
pub(crate) fn request_content(response: &[u8]) -> &[u8] {
    Tlv::new(response).expect(0x67).unwrap().value
}

/// The EC key in the response of key generation.
#[track_caller]
pub(crate) fn ec_public_key(response: &[u8]) -> EcPublicKey {
    parse_request(response).request.ec_public_key(None).unwrap()
}

/// The RSA key in the response of key generation.
#[track_caller]
pub(crate) fn rsa_public_key(response: &[u8]) -> rsa::PublicKey {
    let request = parse_request(response);
    let mut key = Tlv::new(request.request.public_key);
    key.expect(0x06).unwrap();
    let n = BoxedUint::from_be_slice_vartime(key.expect(0x81).unwrap().value);
    let e = BoxedUint::from_be_slice_vartime(key.expect(0x82).unwrap().value);
    key.finish().unwrap();
    rsa::PublicKey::new(n, e).unwrap()
}
