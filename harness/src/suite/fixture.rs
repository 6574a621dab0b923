//! What cards hold when a scenario begins: PINs, a DKEK and keys that everybody can know.
//!
//! Keys come onto a card wrapped under the fixture's DKEK, so that no scenario has to make an RSA
//! key unless it is about making one, and so that the judge knows every private key.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use super::bench::Stop;
use super::hand::{Hand, Secrets, select};
use crate::apdu::apdu;
use crate::blob::seal::seal;
use crate::card::cvc::object;
use crate::dkek::Dkek;
use crate::key::curves::CURVES;
use crate::key::file::KeyFile;
use crate::key::{EcKey, Key};
use crate::scenario::Start;
use crate::secret::Secret;

/// User PIN.
pub const PIN: &[u8] = b"648219";
/// SO-PIN.
pub const SO_PIN: [u8; 8] = *b"57621880";
/// Slots for key domains of [`Start::Domains`] and [`Start::Keys`].
pub const SLOTS: u8 = 4;

/// What it means for the owner of a device to get it as the fixture left it.
pub const LEFT: &str = "What is on it are test keys that everybody has, and its user PIN is that of this \
     program's scenarios; its SO-PIN is its owner's still. To give it back, erase it: with any host and \
     that SO-PIN, or with a run that may wipe it and comes to its end";

/// What opens the fixture's cards.
#[must_use]
pub fn secrets() -> Secrets {
    Secrets {
        pin: Some(Secret::new(PIN.to_vec())),
        so_pin: Some(SO_PIN),
    }
}

/// The two shares of the DKEK in slot 0.
#[must_use]
pub fn shares() -> [Dkek; 2] {
    ["one", "two"].map(|name| {
        Dkek::new(Sha256::digest(format!("hsm2 harness fixture, DKEK share {name}")).into())
    })
}

/// The DKEK in slot 0.
#[must_use]
pub fn dkek() -> Dkek {
    Dkek::assemble(&shares())
}

/// A key that [`Start::Keys`] puts on a card, with its private part on the host.
#[derive(Debug)]
pub struct FixtureKey {
    /// Number of the key on the card.
    pub id: u8,
    /// `rsa-2048`, `aes-256`, or the name of a curve.
    pub name: String,
    /// The key itself.
    pub key: Key,
    /// The key wrapped under [`dkek`], for every use.
    pub blob: Vec<u8>,
}

impl FixtureKey {
    /// The EC key, when it is one.
    ///
    /// # Errors
    /// [`Stop::Harness`] for another kind.
    pub fn ec(&self) -> Result<&EcKey, Stop> {
        match &self.key {
            Key::Ec(key) => Ok(key),
            _ => Err(Stop::Harness(format!("{} is no EC key", self.name))),
        }
    }

    /// The AES key, when it is one.
    ///
    /// # Errors
    /// [`Stop::Harness`] for another kind.
    pub fn aes(&self) -> Result<&Secret, Stop> {
        match &self.key {
            Key::Aes(key) => Ok(key),
            _ => Err(Stop::Harness(format!("{} is no AES key", self.name))),
        }
    }

    /// Modulus and public exponent of the RSA key, when it is one.
    ///
    /// # Errors
    /// [`Stop::Harness`] for another kind.
    pub fn rsa(&self) -> Result<(Vec<u8>, Vec<u8>), Stop> {
        match &self.key {
            Key::Rsa(key) => Ok((key.modulus(), key.public_exponent())),
            _ => Err(Stop::Harness(format!("{} is no RSA key", self.name))),
        }
    }
}

/// Sizes of the fixture's RSA keys in bits.
pub const RSA_BITS: [u16; 5] = [1024, 1536, 2048, 3072, 4096];
/// Sizes of the fixture's AES keys in bits.
pub const AES_BITS: [u16; 3] = [128, 192, 256];

/// RSA keys for tests, known to everybody; they protect nothing.
const RSA_KEYS: [&str; 5] = [
    include_str!("../../fixtures/rsa-1024.pem"),
    include_str!("../../fixtures/rsa-1536.pem"),
    include_str!("../../fixtures/rsa-2048.pem"),
    include_str!("../../fixtures/rsa-3072.pem"),
    include_str!("../../fixtures/rsa-4096.pem"),
];

/// All keys of the fixture: EC keys from 1, RSA keys from 33, AES keys from 49.
///
/// # Errors
/// [`Stop::Harness`] when one cannot be made.
pub fn keys() -> Result<&'static [FixtureKey], Stop> {
    static KEYS: OnceLock<Result<Vec<FixtureKey>, String>> = OnceLock::new();
    let keys = KEYS.get_or_init(|| make().map_err(|error| error.to_string()));
    match keys {
        Ok(keys) => Ok(keys),
        Err(error) => Err(Stop::Harness(format!("the fixture's keys: {error}"))),
    }
}

/// One key of the fixture by its name.
///
/// # Errors
/// [`Stop::Harness`] when there is none of that name.
pub fn key(name: &str) -> Result<&'static FixtureKey, Stop> {
    let found = keys()?.iter().find(|key| key.name == name);
    found.ok_or_else(|| Stop::Harness(format!("the fixture has no key {name}")))
}

/// The capability that a device needs for the key of this name.
#[must_use]
pub fn capability(name: &str) -> String {
    match name.split_once('-') {
        Some(("aes", _)) => "aes".into(),
        Some(("rsa", _)) => name.into(),
        _ => format!("curve-{name}"),
    }
}

fn make() -> Result<Vec<FixtureKey>, crate::key::KeyError> {
    let sentence = |name: &str| Sha256::digest(format!("hsm2 harness fixture, key {name}"));
    let dkek = dkek();
    let mut keys = Vec::new();
    let mut add = |id: u8, name: String, key: Key| {
        let blob = seal(&key, &dkek, &[])?;
        keys.push(FixtureKey {
            id,
            name,
            key,
            blob,
        });
        Ok::<_, crate::key::KeyError>(())
    };
    for (id, curve) in (1..).zip(&CURVES) {
        // One byte shorter than the order, so below it.
        let d = Secret::new(
            sentence(curve.name)
                .iter()
                .copied()
                .take(curve.width().min(33) - 1)
                .collect(),
        );
        add(id, curve.name.into(), Key::Ec(EcKey::new(curve, &d, None)?))?;
    }
    for ((id, bits), pem) in (33..).zip(RSA_BITS).zip(RSA_KEYS) {
        let KeyFile::Open(key) = KeyFile::parse(&Secret::new(pem.into()))? else {
            continue;
        };
        add(id, format!("rsa-{bits}"), key)?;
    }
    for (id, bits) in (49..).zip(AES_BITS) {
        let name = format!("aes-{bits}");
        let bytes = sentence(&name);
        let bytes = bytes.iter().copied().take(usize::from(bits) / 8).collect();
        add(id, name, Key::aes(Secret::new(bytes))?)?;
    }
    Ok(keys)
}

/// What a generation has of what the fixture puts on a card.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Equipment(Option<BTreeSet<String>>);

impl Equipment {
    /// What a device with these capabilities has; [`Equipment::default`] has everything.
    #[must_use]
    pub fn new(capabilities: impl IntoIterator<Item = String>) -> Self {
        Self(Some(capabilities.into_iter().collect()))
    }

    fn has(&self, capability: &str) -> bool {
        self.0.as_ref().is_none_or(|all| all.contains(capability))
    }

    /// Whether the generation takes this key.
    #[must_use]
    pub fn takes(&self, key: &FixtureKey) -> bool {
        self.has(&capability(&key.name))
    }

    /// What a card is prepared as: what may be any card is best the fullest that there is.
    #[must_use]
    pub fn start(&self, start: Start) -> Start {
        match start {
            Start::AsFound | Start::LoggedIn if self.has("dkek") => Start::Keys,
            Start::AsFound | Start::LoggedIn => Start::Fresh,
            other => other,
        }
    }
}

/// Longest wrapped key that goes into one command through every reader.
const ONE_COMMAND: usize = 1000;

/// Brings a card to where a scenario begins, whatever it was before. Erases it, unless the scenario
/// takes any card as it is. Its user PIN is the fixture's afterwards.
///
/// # Errors
/// [`Stop::Skip`] for what the generation has not; [`Stop::Harness`] when the card does not do what
/// the fixture needs, which no scenario is to blame for.
pub fn prepare(hand: &mut Hand, start: Start, equipment: &Equipment) -> Result<(), Stop> {
    prepared(hand, start, equipment).map_err(|stop| match stop {
        Stop::Fail(finding) => Stop::Harness(format!(
            "the card cannot be brought to its start, {}: expected {}, found {}",
            start.word(),
            finding.expected,
            finding.found
        )),
        other => other,
    })
}

fn prepared(hand: &mut Hand, start: Start, equipment: &Equipment) -> Result<(), Stop> {
    hand.ok(select())?;
    if start.effect() < crate::scenario::Effect::Wipes {
        return Ok(());
    }
    if start != Start::Fresh && !equipment.has("dkek") {
        return Err(Stop::Skip(
            "begins with keys under a DKEK, which this generation has not".into(),
        ));
    }
    let so_pin = hand.so_pin()?;
    let shares = shares();
    let count = u8::try_from(shares.len()).unwrap_or(u8::MAX);
    let mut data = vec![
        object(0x80, &[&[0x00, 0x01]]),
        object(0x81, &[PIN]),
        object(0x82, &[&so_pin]),
        object(0x91, &[&[3]]),
    ];
    let slots = equipment.has("key-domains");
    if start != Start::Fresh {
        // Without slots there is one domain, which INITIALIZE makes.
        data.push(if slots {
            object(0x97, &[&[SLOTS]])
        } else {
            object(0x92, &[&[count]])
        });
    }
    hand.ok(apdu(0x8050_0000).data(data.concat()))?;
    hand.know_pin(PIN);
    if start == Start::Fresh {
        return Ok(());
    }
    hand.login()?;
    if slots {
        hand.card().create_dkek(0, count)?;
    }
    for share in &shares {
        hand.card().import_share(0, share)?;
    }
    if start == Start::Keys {
        for key in keys()?.iter().filter(|key| equipment.takes(key)) {
            if key.blob.len() <= ONE_COMMAND {
                hand.card().unwrap_key(key.id, &key.blob)?;
            } else {
                hand.card().unwrap_key_in_blocks(key.id, &key.blob)?;
            }
        }
    }
    Ok(())
}

/// Erases a card that the fixture had, and gives it the user PIN of its owner back.
///
/// # Errors
/// [`Stop`].
pub fn give_back(hand: &mut Hand, pin: &[u8]) -> Result<(), Stop> {
    hand.reset()?;
    hand.select()?;
    let so_pin = hand.so_pin()?;
    let data = [
        object(0x80, &[&[0x00, 0x01]]),
        object(0x81, &[pin]),
        object(0x82, &[&so_pin]),
        object(0x91, &[&[3]]),
    ];
    hand.ok(apdu(0x8050_0000).data(data.concat()))?;
    hand.know_pin(pin);
    Ok(())
}

/// Selects the applet, and logs in where the scenario begins so.
///
/// # Errors
/// [`Stop`].
pub fn begin(hand: &mut Hand, start: Start) -> Result<(), Stop> {
    hand.reset()?;
    hand.select()?;
    match start {
        Start::LoggedIn | Start::Domains | Start::Keys => hand.login(),
        Start::AsFound | Start::Fresh | Start::Virgin => Ok(()),
    }
}
