//! A card to send hexadecimal commands to.

use hsm2_emulator::card::Card;
use hsm2_emulator::crypto::CardRng;
use hsm2_emulator::identity::Serial;
use hsm2_emulator::profile::{NITROKEY_HSM2, Profile};
use hsm2_emulator::store::{EphemeralStore, Store};
use hsm2_emulator::tlv::Writer;

/// SO-PIN of every test card: 3537363231383830.
pub(crate) const SO_PIN: &[u8] = b"57621880";
/// User PIN of every test card.
pub(crate) const USER_PIN: &[u8] = b"648219";

/// SELECT of the applet as OpenSC sends it.
pub(crate) const SELECT_APPLET: &str = "00 A4 04 00 0B E82B0601040181C31F0201 00";

/// A card in a reader, and what it answers.
pub(crate) struct Reader {
    pub(crate) card: Card,
}

/// What a card answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) data: Vec<u8>,
    pub(crate) status: u16,
}

impl Reader {
    /// A virgin card with the applet selected.
    pub(crate) fn virgin() -> Self {
        Self::with_store(Box::new(EphemeralStore::default()))
    }

    /// As [`Reader::virgin`], with this serial and a device key of its own.
    pub(crate) fn named(serial: &str) -> Self {
        let mut seed = [0; 32];
        seed.iter_mut()
            .zip(serial.bytes())
            .for_each(|(to, from)| *to = from);
        let store = Box::new(EphemeralStore::default());
        Self::personalise(&NITROKEY_HSM2, serial, seed, store)
    }

    /// As [`Reader::virgin`], over this store.
    pub(crate) fn with_store(store: Box<dyn Store>) -> Self {
        Self::personalise(&NITROKEY_HSM2, "VT0000001", [1; 32], store)
    }

    /// As [`Reader::virgin`], of this generation.
    pub(crate) fn of(profile: &'static Profile) -> Self {
        let store = Box::new(EphemeralStore::default());
        Self::personalise(profile, "VT0000001", [1; 32], store)
    }

    fn personalise(
        profile: &'static Profile,
        serial: &str,
        seed: [u8; 32],
        store: Box<dyn Store>,
    ) -> Self {
        let serial = Serial::new(serial).unwrap();
        let rng = Box::new(CardRng::from_seed(seed));
        let mut card = Card::personalise(profile, &serial, store, rng).unwrap();
        card.power_on();
        let mut reader = Self { card };
        reader.ok(SELECT_APPLET);
        reader
    }

    /// A card set up as `sc-hsm-tool --initialize` does, with more objects; the user is
    /// authenticated.
    pub(crate) fn initialised_with(objects: &str) -> Self {
        let mut reader = Self::virgin();
        assert_eq!(reader.initialise(objects), 0x9000);
        reader
    }

    /// A card set up without key domains; the user is authenticated.
    pub(crate) fn initialised() -> Self {
        Self::initialised_with("")
    }

    /// INITIALIZE DEVICE with the test PINs and more objects; returns the status word.
    pub(crate) fn initialise(&mut self, objects: &str) -> u16 {
        let template = Writer::new()
            .element(0x80, &[0x00, 0x01])
            .element(0x81, USER_PIN)
            .element(0x82, SO_PIN)
            .element(0x91, &[3])
            .raw(&bytes(objects))
            .into_vec();
        self.send(&format!("80 50 00 00 {}", lc_data(&template)))
            .status
    }

    /// Sends a command, given in hexadecimal with spaces.
    pub(crate) fn send(&mut self, command: &str) -> Answer {
        self.send_bytes(&bytes(command))
    }

    /// Sends a command.
    pub(crate) fn send_bytes(&mut self, command: &[u8]) -> Answer {
        let mut data = self.card.transmit(command);
        let low = data.pop().unwrap();
        let high = data.pop().unwrap();
        Answer {
            data,
            status: u16::from_be_bytes([high, low]),
        }
    }

    /// Sends a command that must answer 9000, and returns the data.
    #[track_caller]
    pub(crate) fn ok(&mut self, command: &str) -> Vec<u8> {
        let answer = self.send(command);
        assert_eq!(format!("{:04X}", answer.status), "9000", "{command}");
        answer.data
    }

    /// Sends a command that must answer this word without data.
    #[track_caller]
    pub(crate) fn refused(&mut self, command: &str, status: u16) {
        let answer = self.send(command);
        let (got, wanted) = (answer.status, status);
        assert_eq!(format!("{got:04X}"), format!("{wanted:04X}"), "{command}");
        assert!(answer.data.is_empty(), "{command}");
    }

    /// Sends every command of a table, in order: name, command, word.
    #[track_caller]
    pub(crate) fn run(&mut self, rows: &[(&str, &str, u16)]) {
        for (name, command, status) in rows {
            let answer = self.send(command);
            assert_eq!(
                format!("{:04X}", answer.status),
                format!("{status:04X}"),
                "{name}"
            );
        }
    }

    /// VERIFY of the user PIN.
    #[track_caller]
    pub(crate) fn log_in(&mut self) {
        self.ok(&format!("00 20 00 81 {}", lc_data(USER_PIN)));
    }

    /// Selects the applet again, which ends every authentication.
    #[track_caller]
    pub(crate) fn log_out(&mut self) {
        self.ok(SELECT_APPLET);
    }

    /// Whether the user counts as authenticated.
    pub(crate) fn is_logged_in(&mut self) -> bool {
        self.send("00 20 00 81").status == 0x9000
    }
}

/// Decodes hexadecimal with spaces.
#[track_caller]
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

/// Encodes Lc and a data field, short if it fits.
pub(crate) fn lc_data(data: &[u8]) -> String {
    match u8::try_from(data.len()) {
        Ok(lc) => format!("{lc:02X} {}", hex::encode(data)),
        Err(_) => format!("00 {:04X} {}", data.len(), hex::encode(data)),
    }
}
