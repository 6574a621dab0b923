//! What the owner of many devices wants to know of each: identity, state, contents, speed, health.
//!
//! Only looks, unless test keys may be made: then speed and sizes are measured and signatures are
//! checked with keys and a file that are deleted again.

mod firmware;
mod health;
mod inventory;
mod keys;
mod limits;
mod measure;
mod text;
mod work;

#[cfg(test)]
mod tests;

use std::time::SystemTime;

use serde::Serialize;

use self::work::Work;
use crate::apdu::apdu;
use crate::attest::{self, Attestation, Certified, Date, Possession, Verdict, Worth};
use crate::device::{self, Identity};
use crate::interrupt::Interrupt;
use crate::report::survey::{CardMap, left_before, survey};
use crate::suite::bench::Stop;
use crate::suite::hand::Hand;
use crate::transport::TransportError;

pub use firmware::{Issue, Tag};
pub use health::Check;
pub use inventory::{Inventory, Item};
pub use keys::KeyFacts;
pub use limits::Limit;
pub use measure::Measure;
pub use text::markdown;

/// Version of the JSON form.
pub const SCHEMA_VERSION: &str = "2.0";

/// All that is known of a device.
#[derive(Debug, Serialize)]
pub struct DeviceReport {
    /// [`SCHEMA_VERSION`].
    pub schema_version: &'static str,
    /// Name and version of this program.
    pub tool: &'static str,
    /// When it was made: UTC, RFC 3339.
    pub made: String,
    /// Who it is.
    pub device: Identity,
    /// Who vouches for it.
    pub vouched: Vouched,
    /// The options it was initialised with.
    pub options: Vec<&'static str>,
    /// State of the user PIN.
    pub user_pin: String,
    /// State of the SO-PIN.
    pub so_pin: String,
    /// Free memory in bytes, where the firmware tells.
    pub free_memory: Option<u32>,
    /// State of public key authentication.
    pub public_key_authentication: String,
    /// That a run of scenarios was cut off and left the device so, when it shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_before: Option<String>,
    /// Key domains, and which key belongs to which.
    pub map: CardMap,
    /// Objects, and those that miss their counterpart.
    pub inventory: Inventory,
    /// Speed.
    pub measured: Vec<Measure>,
    /// What the device did not do when it was to be measured, with its status word.
    pub refused: Vec<String>,
    /// How much of something goes.
    pub limits: Vec<Limit>,
    /// Test objects that the device did not delete again, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// Smoke tests. They find gross faults; that they find none proves little.
    pub checks: Vec<Check>,
    /// What is known of this firmware.
    pub issues: Vec<Issue>,
}

/// Who vouches for a device, and what that is worth; its keys are in the [`Inventory`].
#[derive(Debug, Serialize)]
pub struct Vouched {
    /// Its certificates, its own first.
    pub certificates: Vec<Certified>,
    /// The root that they end at, when every signature verifies and the root is known.
    pub root: Option<Worth>,
    /// Whether the device has the private key of its certificate.
    pub possession: Possession,
    /// What is wrong or worth knowing, in sentences: an expired certificate is one.
    pub findings: Vec<String>,
    /// What all of this comes to.
    pub verdict: Verdict,
}

impl From<Attestation> for Vouched {
    fn from(attestation: Attestation) -> Self {
        Self {
            certificates: attestation.certificates,
            root: attestation.root,
            possession: attestation.possession,
            findings: attestation.findings,
            verdict: attestation.verdict,
        }
    }
}

/// What may be done for a report.
#[derive(Debug, Clone, Copy, Default)]
pub struct Depth {
    /// Make test keys and a test file and delete them again.
    pub test_keys: bool,
    /// With RSA keys up to so many bits among them, which take a while.
    pub rsa: Option<u16>,
    /// Use an empty slot for key domains and empty it again.
    pub key_domain: bool,
}

/// A report that was cut off.
#[derive(Debug)]
pub struct CutOff {
    /// What cut it off.
    pub stop: Stop,
    /// Test objects that may still be on the device, in words.
    pub left: Vec<String>,
}

/// Asks a card.
///
/// # Errors
/// [`CutOff`] when it cannot be asked.
pub fn report(
    hand: &mut Hand,
    identity: &Identity,
    depth: Depth,
    tell: &mut dyn FnMut(&str),
    interrupt: &Interrupt,
) -> Result<DeviceReport, CutOff> {
    let mut left = Vec::new();
    whole(hand, identity, depth, tell, interrupt, &mut left).map_err(|stop| CutOff { stop, left })
}

fn whole(
    hand: &mut Hand,
    identity: &Identity,
    depth: Depth,
    tell: &mut dyn FnMut(&str),
    interrupt: &Interrupt,
    left: &mut Vec<String>,
) -> Result<DeviceReport, Stop> {
    tell("certificates");
    let vouched = attest::attest_device(hand.card(), Date::today())?.into();
    let options_byte = device::options(&hand.select()?);
    let mut user_pin = pin(hand, 0x81)?;
    let logs_in = depth.test_keys && hand.pin().is_ok();
    if depth.test_keys && !logs_in {
        user_pin += "; not presented, so nothing was measured";
    }
    let so_pin = pin(hand, 0x88)?;
    let free_memory = free_memory(hand)?;
    let public_key_authentication = public_keys(hand)?;
    tell("objects");
    let map = survey('A', &identity.serial, hand)?;
    let inventory = inventory::take(hand)?;
    tell("randomness");
    let mut measured = measure::without_keys(hand)?;
    let mut refused = Vec::new();
    let mut limits = vec![limits::challenge(hand)?];
    let mut checks = vec![health::randomness(hand)?];
    tell("public keys");
    checks.extend(health::rsa_keys(hand, &inventory)?);
    let logged_in = match logs_in.then(|| hand.login()) {
        Some(Err(Stop::Fail(finding))) => {
            let what = format!("the PIN that was given was refused: {}", finding.found);
            checks.push(Check::new("user PIN", false, what));
            false
        }
        Some(Err(Stop::Transport(TransportError::Guard(why) | TransportError::Never(why)))) => {
            let why = format!("the PIN was not presented: {why}");
            checks.push(Check::left_out("user PIN", &why));
            false
        }
        Some(outcome) => outcome.map(|()| true)?,
        None => false,
    };
    if logged_in {
        let device = hand.device()?;
        let mut work = Work {
            hand,
            tell,
            interrupt,
            left,
        };
        let with_keys = measure::with_keys(&mut work, depth.rsa)?;
        measured.extend(with_keys.measures);
        refused.extend(with_keys.refused);
        checks.extend(with_keys.checks);
        (work.tell)("nonces of ECDSA");
        checks.push(health::nonces(&mut work)?);
        checks.push(if depth.key_domain {
            health::known_nonces(&mut work, &map)?
        } else {
            let why = "a key that is known here needs a slot for a key domain, see --allow wipes";
            Check::left_out(health::TOP_BITS, why)
        });
        // Last, since what is too long can upset a reader.
        (work.tell)("sizes");
        limits.extend(limits::with_keys(&mut work, &device, free_memory)?);
    } else {
        let why = if depth.test_keys {
            "test keys need the right user PIN, see --pin-file"
        } else {
            "test keys were not allowed, see --allow creates"
        };
        checks.push(Check::left_out("ECDSA nonces", why));
    }
    Ok(DeviceReport {
        schema_version: SCHEMA_VERSION,
        tool: concat!("hsm2-harness ", env!("CARGO_PKG_VERSION")),
        made: hsm2_emulator::trace::clock::rfc3339(SystemTime::now()),
        device: Identity {
            options: options_byte,
            ..identity.clone()
        },
        vouched,
        options: options_byte.map(options).unwrap_or_default(),
        user_pin,
        so_pin,
        free_memory,
        public_key_authentication,
        // Of a virtual card nobody misses anything.
        left_before: left_before(&map).filter(|_| !identity.is_virtual),
        map,
        inventory,
        measured,
        refused,
        limits,
        left: std::mem::take(left),
        checks,
        issues: firmware::issues(&identity.version),
    })
}

fn pin(hand: &mut Hand, reference: u8) -> Result<String, Stop> {
    let status = hand.send(apdu(0x0020_0000).p2(reference))?.status;
    Ok(match status {
        0x9000 => "presented".into(),
        0x63c0..=0x63cf => format!("{} tries left", status & 0xf),
        0x6983 => "blocked".into(),
        0x6984 => "transport PIN, to be changed".into(),
        0x6a88 => "not set".into(),
        0x6300 => "public key authentication is required".into(),
        other => format!("unknown, status {other:04X}"),
    })
}

fn options(bits: u8) -> Vec<&'static str> {
    let all = [
        (0x01, "the user PIN can be reset with the SO-PIN"),
        (0x02, "transport PIN"),
        (0x04, "session PIN"),
        (0x08, "registered public keys may be replaced"),
        (0x10, "public key authentication and PIN are both required"),
        (0x20, "the SO-PIN unblocks, but sets no new user PIN"),
    ];
    all.into_iter()
        .filter(|(bit, _)| bits & bit != 0)
        .map(|(_, words)| words)
        .collect()
}

/// Memory (4) || 00 || version (2); other forms are not understood.
fn free_memory(hand: &mut Hand) -> Result<Option<u32>, Stop> {
    let answer = hand.send(apdu(0x8050_0000).le(256))?;
    Ok(match (answer.status, answer.data.as_slice()) {
        (0x9000, &[a, b, c, d, _, _, _]) => Some(u32::from_be_bytes([a, b, c, d])),
        _ => None,
    })
}

fn public_keys(hand: &mut Hand) -> Result<String, Stop> {
    let answer = hand.send(apdu(0x8054_0000).le(256))?;
    Ok(match (answer.status, answer.data.as_slice()) {
        (0x9000, &[total, missing, required, authenticated]) => format!(
            "{required} of {total} keys required, {missing} not registered yet, {authenticated} authenticated now"
        ),
        (0x6d00, _) => "not set up".into(),
        (status, _) => format!("unknown, status {status:04X}"),
    })
}
