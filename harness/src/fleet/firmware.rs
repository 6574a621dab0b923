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
}

const ISSUES: [Issue; 7] = [
    Issue {
        from: (1, 0),
        to: (1, 99),
        what: "RSA-PSS takes no hash made on the host (algorithm 40)",
        source: "vendor, OpenSC issue 529",
    },
    Issue {
        from: (0, 0),
        to: (2, 99),
        what: "no RSA keys of 3072 and 4096 bits",
        source: "vendor, OpenSC issue 1463",
    },
    Issue {
        from: (3, 0),
        to: (3, 2),
        what: "wrapped AES keys carry a wrongly coded default algorithm; other versions still take them",
        source: "vendor's DKEK script",
    },
    Issue {
        from: (3, 1),
        to: (3, 1),
        what: "a key with a list of algorithms cannot be unwrapped (6F00); fixed in 3.2",
        source: "Nitrokey forum, thread 1783",
    },
    Issue {
        from: (3, 3),
        to: (3, 3),
        what: "an RSA-4096 key with a private exponent of 513 bytes cannot be unwrapped (6A80)",
        source: "CardContact scsh-scripts issue 7",
    },
    Issue {
        from: (3, 5),
        to: (3, 5),
        what: "public key authentication together with a DKEK and an XKEK domain ends in 6F00",
        source: "Nitrokey forum, thread 6689",
    },
    Issue {
        from: (0, 0),
        to: (3, 3),
        what: "the end of a file shows only when reading on: the vendor's host reads until 6282 without data",
        source: "vendor's Java card service",
    },
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
