//! What each generation of the device is expected to do, as data: its capabilities, and where it is
//! known to depart from what a scenario says.
//!
//! Files are TOML, see `harness/profiles/`. A departure names scenarios by a glob, a part of what
//! they find, the reason, and where that was seen. One that matches no scenario is an error of the
//! file; one that no longer holds fails the run.

#[cfg(test)]
mod tests;

use serde::Deserialize;
use toml::Spanned;

use crate::device::Identity;
use crate::key::curves::CURVES;
use crate::scenario::Scenario;
use crate::suite::bench::Finding;
use crate::suite::fixture::Equipment;

/// Profiles that come with the program.
const BUILT_IN: [(&str, &str); 10] = [
    ("virtual-1.2", include_str!("../profiles/virtual-1.2.toml")),
    ("virtual-2.6", include_str!("../profiles/virtual-2.6.toml")),
    ("virtual-3.1", include_str!("../profiles/virtual-3.1.toml")),
    ("virtual-3.5", include_str!("../profiles/virtual-3.5.toml")),
    ("virtual-3.6", include_str!("../profiles/virtual-3.6.toml")),
    ("virtual-4.1", include_str!("../profiles/virtual-4.1.toml")),
    (
        "smartcard-hsm-1",
        include_str!("../profiles/smartcard-hsm-1.toml"),
    ),
    (
        "smartcard-hsm-2",
        include_str!("../profiles/smartcard-hsm-2.toml"),
    ),
    (
        "nitrokey-hsm2-3",
        include_str!("../profiles/nitrokey-hsm2-3.toml"),
    ),
    (
        "nitrokey-hsm2-4",
        include_str!("../profiles/nitrokey-hsm2-4.toml"),
    ),
];

/// A mistake in a profile's file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}, column {column}: {what}")]
pub struct Mistake {
    /// Name of the file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
}

/// What one generation is expected to do.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Short name.
    pub name: String,
    /// One line for people.
    pub title: String,
    applies: Applies,
    has: Has,
    #[serde(default, rename = "departure")]
    departures: Vec<Spanned<Departure>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Applies {
    r#virtual: bool,
    versions: Vec<String>,
}

/// The part of a profile that says for which devices it is.
#[derive(Debug, Deserialize)]
struct Heading {
    applies: Applies,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Has {
    capabilities: Vec<Spanned<String>>,
}

/// A known difference.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Departure {
    /// Which scenarios, as a glob.
    pub scenario: String,
    /// A part of what the scenario finds; `*` where nobody recorded what it is.
    pub found: String,
    /// Why it is so.
    pub reason: String,
    /// Which device, which firmware, when.
    pub seen: String,
    /// The versions that depart, of those of the profile; nothing: all.
    #[serde(default)]
    pub versions: Vec<String>,
}

impl Profile {
    /// Reads a profile and holds it against all scenarios.
    ///
    /// # Errors
    /// [`Mistake`] with its place in the file.
    pub fn parse(file: &str, text: &str, scenarios: &[Scenario]) -> Result<Self, Mistake> {
        let mistake = |at: usize, what: String| {
            let (line, column) = position(text, at);
            Mistake {
                file: file.into(),
                line,
                column,
                what,
            }
        };
        let profile: Self = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            mistake(at, error.message().into())
        })?;
        for capability in &profile.has.capabilities {
            let name = capability.get_ref();
            if !is_capability(name) {
                let what = format!("there is no capability {name:?}");
                return Err(mistake(capability.span().start, what));
            }
        }
        for departure in &profile.departures {
            let at = departure.span().start;
            let entry = departure.get_ref();
            let glob = &entry.scenario;
            if !scenarios.iter().any(|one| matches(glob, &one.id)) {
                return Err(mistake(at, format!("no scenario is called {glob:?}")));
            }
            for (name, value) in [
                ("found", &entry.found),
                ("reason", &entry.reason),
                ("seen", &entry.seen),
            ] {
                if value.trim().is_empty() {
                    return Err(mistake(at, format!("{name} is empty")));
                }
            }
            let known = &profile.applies.versions;
            if let Some(version) = entry.versions.iter().find(|one| !known.contains(one)) {
                let what = format!("the profile is not for version {version:?}");
                return Err(mistake(at, what));
            }
        }
        Ok(profile)
    }

    /// The profile that comes with the program for this device.
    ///
    /// # Errors
    /// A sentence when there is none, or [`Mistake`] as a sentence.
    pub fn for_device(identity: &Identity, scenarios: &[Scenario]) -> Result<Self, String> {
        for (name, text) in BUILT_IN {
            let file = format!("harness/profiles/{name}.toml");
            // Only the one that applies is held against the scenarios.
            let Ok(Heading { applies }) = toml::from_str(text) else {
                return Err(format!("{file} does not read"));
            };
            if applies.r#virtual == identity.is_virtual
                && applies.versions.contains(&identity.version)
            {
                let profile =
                    Self::parse(&file, text, scenarios).map_err(|mistake| mistake.to_string())?;
                return Ok(profile.narrowed(&identity.version));
            }
        }
        Err(format!(
            "there is no profile for device {} with firmware {}; write one and give it with --profile",
            identity.serial, identity.version
        ))
    }

    /// The first capability that a scenario needs and this generation lacks.
    #[must_use]
    pub fn lacks<'s>(&self, scenario: &'s Scenario) -> Option<&'s str> {
        let has = |need: &str| {
            let mut all = self.has.capabilities.iter();
            all.any(|capability| capability.get_ref() == need)
        };
        let mut needs = scenario.needs.iter().map(String::as_str);
        needs.find(|need| !TARGET_CAPABILITIES.contains(need) && !has(need))
    }

    /// The profile for one version: without departures of others.
    #[must_use]
    pub fn narrowed(mut self, version: &str) -> Self {
        self.departures.retain(|departure| {
            let versions = &departure.get_ref().versions;
            versions.is_empty() || versions.iter().any(|one| one == version)
        });
        self
    }

    /// What the fixture can put on a device of this generation.
    #[must_use]
    pub fn equipment(&self) -> Equipment {
        let all = self.has.capabilities.iter();
        Equipment::new(all.map(|capability| capability.get_ref().clone()))
    }

    /// All departures in the order of the file.
    pub fn departures(&self) -> impl Iterator<Item = &Departure> {
        self.departures.iter().map(Spanned::get_ref)
    }

    /// The first departure that a scenario is known for and that explains what it found; without a
    /// finding, the first that names it.
    #[must_use]
    pub fn departure(&self, id: &str, finding: Option<&Finding>) -> Option<&Departure> {
        self.departures().find(|departure| {
            matches(&departure.scenario, id)
                && finding.is_none_or(|finding| departure.explains(finding))
        })
    }

    /// Place in the file of the departure that explains a finding, from 0.
    #[must_use]
    pub fn position(&self, id: &str, finding: &Finding) -> Option<usize> {
        self.departures()
            .position(|departure| matches(&departure.scenario, id) && departure.explains(finding))
    }
}

impl Departure {
    /// True when this is what was found.
    #[must_use]
    pub fn explains(&self, finding: &Finding) -> bool {
        self.found == "*" || finding.found.contains(&self.found)
    }
}

/// Capabilities that some generations lack, besides `rsa-BITS` and `curve-NAME`.
pub const CAPABILITIES: [&str; 12] = [
    // AES keys, and deriving keys from them.
    "aes",
    "aes-derive",
    // Deriving an EC key from another.
    "ec-derive",
    // Wrapping under a DKEK; several slots for key domains; domains of cards that agree.
    "dkek",
    "key-domains",
    "xkek",
    // Authentication by public keys.
    "pka",
    // Chip authentication and secure messaging; the session PIN that it can fetch.
    "secure-messaging",
    "session-pin",
    // Commands and answers above 255 bytes.
    "extended-length",
    // PSS with a hash made on the host.
    "pss-hash",
    // The information query of INITIALIZE DEVICE.
    "information-query",
];

/// True for the name of a capability.
#[must_use]
pub fn is_capability(name: &str) -> bool {
    let rsa = name
        .strip_prefix("rsa-")
        .and_then(|bits| bits.parse::<u16>().ok());
    let curve = name.strip_prefix("curve-");
    CAPABILITIES.contains(&name)
        || TARGET_CAPABILITIES.contains(&name)
        || rsa.is_some()
        || curve.is_some_and(|curve| CURVES.iter().any(|known| known.name == curve))
}

/// Capabilities of the place a card is in, or of its owner, which no profile can know.
pub const TARGET_CAPABILITIES: [&str; 1] = ["expendable-pin"];

/// Glob with `*` for any number of characters, dots too.
#[must_use]
pub fn matches(glob: &str, id: &str) -> bool {
    match glob.split_once('*') {
        None => glob == id,
        Some((head, rest)) => id.strip_prefix(head).is_some_and(|tail| {
            let mut starts = tail
                .char_indices()
                .map(|(at, _)| at)
                .chain([tail.len()])
                .filter_map(|at| tail.get(at..));
            starts.any(|tail| matches(rest, tail))
        }),
    }
}

/// Line and column of a byte offset, both from 1.
pub(crate) fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line, column)
}
