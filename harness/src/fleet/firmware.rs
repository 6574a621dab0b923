use serde::Serialize;

/// Something known of some versions of the firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Issue {
    /// First version.
    pub from: (u8, u8),
    /// Last version.
    pub to: (u8, u8),
    /// What happens.
    pub what: &'static str,
    /// Who told.
    pub source: &'static str,
    /// How far it can be relied on.
    pub tag: Tag,
}

/// How far an issue can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tag {
    /// The vendor says so, or a host of the vendor's acts on it.
    Vendor,
    /// The bytes of a genuine device show it.
    Recorded,
    /// Somebody reported it; nobody else showed it.
    Reported,
    /// It follows from what hosts do, or the versions are not known exactly.
    Inferred,
}

impl Tag {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Vendor => "vendor",
            Self::Recorded => "recorded",
            Self::Reported => "reported",
            Self::Inferred => "inferred",
        }
    }
}

const fn issue(
    from: (u8, u8),
    to: (u8, u8),
    tag: Tag,
    what: &'static str,
    source: &'static str,
) -> Issue {
    Issue {
        from,
        to,
        what,
        source,
        tag,
    }
}

/// Last of a row of versions with this first number.
const LAST: u8 = u8::MAX;

/// In the order of their first version.
const ISSUES: [Issue; 26] = [
    issue(
        (0, 0),
        (0, LAST),
        Tag::Inferred,
        "no RESET RETRY COUNTER (6D00); the first PIN is the first six bytes of the SO-PIN",
        "OpenSC, card-sc-hsm.c; OpenSC issue 204",
    ),
    issue(
        (0, 0),
        (1, LAST),
        Tag::Vendor,
        "RSA-PSS takes no hash made on the host (algorithm 40)",
        "vendor in OpenSC issue 529",
    ),
    issue(
        (0, 0),
        (1, LAST),
        Tag::Inferred,
        "a device that was never initialised answers 6984, as one with a transport PIN does",
        "OpenSC, sc-hsm-tool.c",
    ),
    issue(
        (0, 0),
        (1, LAST),
        Tag::Vendor,
        "key generation needs an authority (42) in its template, which later versions do without",
        "sc-hsm-embedded",
    ),
    issue(
        (0, 0),
        (2, 3),
        Tag::Vendor,
        "no query of free memory",
        "vendor's Java card service",
    ),
    issue(
        (0, 0),
        (2, LAST),
        Tag::Vendor,
        "no RSA keys of 3072 and 4096 bits: the chip cannot",
        "vendor in OpenSC issue 1463",
    ),
    issue(
        (0, 0),
        (2, LAST),
        Tag::Inferred,
        "no key domains and no AES keys; one DKEK, fixed when the device is initialised",
        "OpenSC pull request 3786",
    ),
    issue(
        (0, 0),
        (3, 3),
        Tag::Vendor,
        "the end of a file shows only when reading on: the vendor's host reads until 6282 without data",
        "vendor's Java card service",
    ),
    issue(
        (2, 5),
        (2, 5),
        Tag::Reported,
        "a key on secp521r1 could be made, although the vendor names 521 bits from 3.0 on only",
        "OpenSC issue 1824",
    ),
    issue(
        (2, 5),
        (4, LAST),
        Tag::Reported,
        "a custodian's key on P-384 can be registered, but its signatures are refused (6300): use brainpoolP256r1",
        "Nitrokey forum, thread 6543",
    ),
    issue(
        (3, 0),
        (3, LAST),
        Tag::Inferred,
        "some firmware 3.x made weak AES keys; the notice's versions are not recorded here, so ask the vendor \
         before relying on AES keys that the device made",
        "vendor's notice of 17 September 2019",
    ),
    issue(
        (3, 0),
        (3, 2),
        Tag::Vendor,
        "wrapped AES keys carry a wrongly coded default algorithm; other versions still take them",
        "vendor's DKEK script",
    ),
    issue(
        (3, 0),
        (4, LAST),
        Tag::Reported,
        "a wrapped RSA-4096 key in one command is lost in readers that cut at 1014 bytes (6F00, and the card had \
         to be inserted anew, seen with 3.4 and 3.5): bring it in through EF 2F10, in blocks",
        "OpenSC issue 2514",
    ),
    issue(
        (3, 0),
        (4, LAST),
        Tag::Reported,
        "blocks that are too long for the chip's buffer end in an RSA-4096 key that cannot be used, although the \
         tool reports success: keep whole commands below 1232 bytes",
        "OpenSC issue 3567",
    ),
    issue(
        (3, 0),
        (4, LAST),
        Tag::Reported,
        "an RSA-4096 key with primes (CRT) cannot be unwrapped (6A80); with the private exponent it can",
        "CardContact scsh-scripts issue 5",
    ),
    issue(
        (3, 0),
        (3, LAST),
        Tag::Reported,
        "importing an EC key from PKCS#12 ended in 6D00",
        "Nitrokey forum, thread 1783; CardContact scsh-scripts issue 6",
    ),
    issue(
        (3, 1),
        (3, 1),
        Tag::Reported,
        "a key with a list of algorithms cannot be unwrapped (6F00); fixed in 3.2",
        "Nitrokey forum, thread 1783",
    ),
    issue(
        (3, 1),
        (3, LAST),
        Tag::Inferred,
        "whole commands above 1232 bytes do not fit on JCOP 3",
        "OpenSC, card-sc-hsm.c",
    ),
    issue(
        (3, 2),
        (3, 2),
        Tag::Recorded,
        "initialised without shares, it has no key domain at all (6D00), and nothing can be wrapped",
        "OpenSC issue 1790",
    ),
    issue(
        (3, 3),
        (3, 3),
        Tag::Reported,
        "an RSA-4096 key with a private exponent of 513 bytes cannot be unwrapped (6A80)",
        "CardContact scsh-scripts issue 7",
    ),
    issue(
        (3, 4),
        (3, 4),
        Tag::Reported,
        "an RSA key cannot be registered as a custodian's; only EC keys can",
        "Nitrokey forum",
    ),
    issue(
        (3, 5),
        (3, 5),
        Tag::Reported,
        "public key authentication together with a DKEK and an XKEK domain ends in 6F00",
        "Nitrokey forum, thread 6689",
    ),
    issue(
        (4, 1),
        (4, 1),
        Tag::Recorded,
        "the issuer's certificate ends with an empty extension (65 00), over which strict parsers stumble",
        "regalia-ceremony, bench notes on DENK0404144",
    ),
    issue(
        (4, 1),
        (4, 1),
        Tag::Recorded,
        "initialised with options 0000, nobody can reset the user PIN: the host shows a general error, and the \
         old PIN stays",
        "regalia-ceremony, bench notes on DENK0404144",
    ),
    issue(
        (4, 1),
        (4, 1),
        Tag::Recorded,
        "INITIALIZE of a full device can answer 6A84; sent again, it succeeds",
        "regalia-ceremony, bench notes on DENK0404144",
    ),
    issue(
        (4, 1),
        (4, 1),
        Tag::Recorded,
        "EF 2F03 can be written without the PIN only in the session of INITIALIZE (6982 later)",
        "regalia-ceremony, bench notes on DENK0404144",
    ),
];

/// What is known of a version.
pub(super) fn issues(version: &str) -> Vec<Issue> {
    let parts = version.split_once('.');
    let number = parts.and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    let Some(number) = number else {
        return Vec::new();
    };
    let fits = |issue: &&Issue| issue.from <= number && number <= issue.to;
    ISSUES.iter().filter(fits).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether some issue of this version speaks of this.
    fn knows(version: &str, word: &str) -> bool {
        issues(version)
            .iter()
            .any(|issue| issue.what.contains(word))
    }

    #[test]
    fn every_version_has_its_own() {
        for (word, first, last) in [
            ("algorithm 40", "1.2", "2.0"),
            ("weak AES", "3.0", "4.0"),
            ("cut at 1014", "3.0", "5.0"),
            ("list of algorithms", "3.1", "3.2"),
            ("513 bytes", "3.3", "3.4"),
            ("free memory", "2.3", "2.4"),
            ("reads until 6282", "3.3", "3.4"),
            ("65 00", "4.1", "4.2"),
        ] {
            assert!(knows(first, word), "{word} in {first}");
            assert!(!knows(last, word), "{word} in {last}");
        }
        for other in ["x", "", "3", "3.x"] {
            assert!(issues(other).is_empty(), "{other}");
        }
    }

    #[test]
    fn every_row_of_versions_is_one() {
        for issue in ISSUES {
            assert!(issue.from <= issue.to, "{issue:?}");
            assert!(!issue.source.is_empty());
        }
    }
}
