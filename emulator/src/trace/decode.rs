//! What a command asks for, in words. Knows headers only, so that no bytes can confuse it.

/// A command in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Name of the command.
    pub name: &'static str,
    /// The key it names.
    pub key: Option<u8>,
    /// The algorithm it names.
    pub algorithm: Option<String>,
    /// What else its parameters say.
    pub about: Option<String>,
}

impl Decoded {
    fn named(name: &'static str) -> Self {
        Self {
            name,
            key: None,
            algorithm: None,
            about: None,
        }
    }

    fn key(self, key: u8) -> Self {
        Self {
            key: Some(key),
            ..self
        }
    }

    fn algorithm(self, algorithm: u8) -> Self {
        let words = algorithm_name(algorithm);
        Self {
            algorithm: Some(format!("{algorithm:02X} {words}")),
            ..self
        }
    }

    fn about(self, about: impl Into<String>) -> Self {
        Self {
            about: Some(about.into()),
            ..self
        }
    }
}

/// Puts a command into words; bytes that are no command are `malformed` or `unknown`.
///
/// ```
/// use hsm2_emulator::trace::decode::decode;
///
/// let sign = decode(&[0x80, 0x68, 0x01, 0x70]);
/// assert_eq!((sign.name, sign.key), ("SIGN", Some(1)));
/// assert_eq!(decode(&[0x80]).name, "malformed");
/// ```
#[must_use]
pub fn decode(command: &[u8]) -> Decoded {
    let Some((&[cla, ins, p1, p2], body)) = command.split_first_chunk() else {
        return Decoded::named("malformed");
    };
    if cla & SECURE_MESSAGING != 0 {
        // The header is in the clear, whatever the body is.
        let decoded = in_words(ins, p1, p2, None);
        let about = decoded.about.map(|about| about + ", ").unwrap_or_default();
        return Decoded {
            about: Some(about + "secure messaging"),
            ..decoded
        };
    }
    in_words(ins, p1, p2, Some(body))
}

/// Bits of CLA that announce secure messaging.
pub(super) const SECURE_MESSAGING: u8 = 0x0C;

/// A command in words, by its header and what is readable of the rest.
fn in_words(ins: u8, p1: u8, p2: u8, body: Option<&[u8]>) -> Decoded {
    let file = u16::from_be_bytes([p1, p2]);
    match ins {
        0x20 => Decoded::named("VERIFY").about(pin(p2)),
        0x22 => Decoded::named("MANAGE SECURITY ENVIRONMENT"),
        0x24 => Decoded::named("CHANGE REFERENCE DATA").about(pin(p2)),
        0x2A => Decoded::named("PSO VERIFY CERTIFICATE"),
        0x2C => Decoded::named("RESET RETRY COUNTER").about(pin(p2)),
        0x46 => Decoded::named("GENERATE ASYMMETRIC KEY PAIR").key(p1),
        0x48 => Decoded::named("GENERATE SYMMETRIC KEY")
            .key(p1)
            .algorithm(p2),
        0x50 => Decoded::named("INITIALIZE DEVICE"),
        0x52 => Decoded::named("MANAGE KEY DOMAIN").about(domain_action(p1, p2)),
        0x54 => Decoded::named("MANAGE PUBLIC KEY AUTHENTICATION"),
        0x58 => Decoded::named("ENUMERATE OBJECTS"),
        0x5A => Decoded::named("GENERATE SESSION PIN").about(pin(p2)),
        0x62 => Decoded::named("DECIPHER").key(p1).algorithm(p2),
        0x68 => Decoded::named("SIGN").key(p1).algorithm(p2),
        0x72 => Decoded::named("WRAP KEY").key(p1),
        0x74 => Decoded::named("UNWRAP KEY").key(p1),
        0x76 => Decoded::named("DERIVE EC KEY")
            .key(p1)
            .about(format!("to key {p2}")),
        0x78 => Decoded::named("CIPHER").key(p1).algorithm(p2),
        0x82 => Decoded::named("EXTERNAL AUTHENTICATE"),
        0x84 => Decoded::named("GET CHALLENGE"),
        0x86 => Decoded::named("GENERAL AUTHENTICATE"),
        0xA4 => Decoded::named("SELECT").about(selected(p1, body)),
        0xB0 => Decoded::named("READ BINARY").about(at_offset(p1, p2)),
        0xB1 => Decoded::named("READ BINARY").about(addressed(file)),
        0xD6 => Decoded::named("UPDATE BINARY").about(at_offset(p1, p2)),
        0xD7 => Decoded::named("UPDATE BINARY").about(addressed(file)),
        0xE4 => Decoded::named("DELETE FILE").about(file_in(body)),
        _ => Decoded::named("unknown"),
    }
}

fn pin(reference: u8) -> String {
    match reference {
        0x81 => "user PIN".into(),
        0x88 => "SO-PIN".into(),
        other => format!("reference {other:02X}"),
    }
}

fn domain_action(action: u8, slot: u8) -> String {
    let words = match action {
        0 => "share or status",
        1 => "create DKEK",
        2 => "create XKEK",
        3 => "delete domain",
        4 => "clear KEK",
        _ => "unknown action",
    };
    format!("{words}, slot {slot}")
}

fn selected(p1: u8, body: Option<&[u8]>) -> String {
    if p1 == 0x04 {
        "application".into()
    } else {
        file_in(body)
    }
}

/// The file identifier at the start of a short data field.
fn file_in(body: Option<&[u8]>) -> String {
    match body {
        None => "a file".into(),
        Some([2, high, low, ..]) => addressed(u16::from_be_bytes([*high, *low])),
        _ => "no file identifier".into(),
    }
}

fn addressed(file: u16) -> String {
    match file {
        0 => "current file".into(),
        file => format!("file {file:04X}"),
    }
}

/// What P1P2 of the even forms of READ and UPDATE BINARY say.
fn at_offset(p1: u8, p2: u8) -> String {
    match p1 {
        0x80.. => format!("short file identifier {}, offset {p2}", p1 & 0x1F),
        _ => format!("current file, offset {}", u16::from_be_bytes([p1, p2])),
    }
}

fn algorithm_name(algorithm: u8) -> &'static str {
    match algorithm {
        0x10 => "AES-CBC encrypt",
        0x11 => "AES-CBC decrypt",
        0x18 => "AES-CMAC",
        0x20 => "RSA raw signature",
        0x21 => "RSA raw decryption",
        0x22 => "RSA decryption, PKCS#1 v1.5",
        0x23 => "RSA decryption, OAEP",
        0x30 => "RSA PKCS#1 v1.5",
        0x31 => "RSA PKCS#1 v1.5 with SHA-1",
        0x33 => "RSA PKCS#1 v1.5 with SHA-256",
        0x34 => "RSA PKCS#1 v1.5 with SHA-384",
        0x35 => "RSA PKCS#1 v1.5 with SHA-512",
        0x40 => "RSA PSS",
        0x41 => "RSA PSS with SHA-1",
        0x43 => "RSA PSS with SHA-256",
        0x44 => "RSA PSS with SHA-384",
        0x45 => "RSA PSS with SHA-512",
        0x70 => "ECDSA",
        0x71 => "ECDSA with SHA-1",
        0x72 => "ECDSA with SHA-224",
        0x73 => "ECDSA with SHA-256",
        0x74 => "ECDSA with SHA-384",
        0x75 => "ECDSA with SHA-512",
        0x80 => "ECDH",
        0x83 => "ECDH with an authenticated key",
        0x84 => "XKEK derivation",
        0x92 => "wrap",
        0x93 => "unwrap",
        0x98 => "EC key derivation",
        0x99 => "key derivation, SP 800-56C",
        0xA0 => "the key's default algorithm",
        0xB0 => "AES-128",
        0xB1 => "AES-192",
        0xB2 => "AES-256",
        _ => "unknown algorithm",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commands_in_words() {
        let about = |command: &[u8]| decode(command).about.unwrap_or_default();
        assert_eq!(about(&[0x00, 0x20, 0x00, 0x81]), "user PIN");
        assert_eq!(about(&[0x00, 0xA4, 0x04, 0x00, 0x01, 0xE8]), "application");
        assert_eq!(
            about(&[0x00, 0xA4, 0x00, 0x00, 0x02, 0x2F, 0x02, 0x00]),
            "file 2F02"
        );
        assert_eq!(about(&[0x00, 0xB1, 0x00, 0x00]), "current file");
        assert_eq!(about(&[0x00, 0xD7, 0xCD, 0x01]), "file CD01");
        assert_eq!(
            about(&[0x00, 0xB0, 0x01, 0x02, 0x03]),
            "current file, offset 258"
        );
        assert_eq!(about(&[0x00, 0xD6, 0, 0, 0]), "current file, offset 0");
        assert_eq!(
            about(&[0x00, 0xB0, 0x83, 0x02]),
            "short file identifier 3, offset 2"
        );
        assert_eq!(about(&[0x80, 0x52, 0x04, 0x01]), "clear KEK, slot 1");
        let cipher = decode(&[0x80, 0x78, 0x09, 0x10]);
        assert_eq!(cipher.algorithm.as_deref(), Some("10 AES-CBC encrypt"));
        assert_eq!(cipher.key, Some(9));
        assert_eq!(decode(&[0x00, 0xFE, 0x00, 0x00]).name, "unknown");
        assert_eq!(decode(&[]).name, "malformed");
    }

    #[test]
    fn secure_messaging_hides_the_body_and_not_the_header() {
        let words = |command: &[u8]| {
            let decoded = decode(command);
            (decoded.name, decoded.about.unwrap_or_default())
        };
        // Bytes that would be a file identifier, were they not a cryptogram's.
        let body = [2, 0xCD, 0x01, 0x00];
        let rows: [(u8, [u8; 3], &str, &str); 5] = [
            (
                0x0C,
                [0x20, 0x00, 0x81],
                "VERIFY",
                "user PIN, secure messaging",
            ),
            (
                0x0C,
                [0xA4, 0x00, 0x00],
                "SELECT",
                "a file, secure messaging",
            ),
            (
                0x0C,
                [0xE4, 0x02, 0x00],
                "DELETE FILE",
                "a file, secure messaging",
            ),
            (
                0x0C,
                [0xB1, 0xCE, 0x01],
                "READ BINARY",
                "file CE01, secure messaging",
            ),
            (
                0x8C,
                [0x58, 0x00, 0x00],
                "ENUMERATE OBJECTS",
                "secure messaging",
            ),
        ];
        for (cla, [ins, p1, p2], name, about) in rows {
            let command = [&[cla, ins, p1, p2], &body[..]].concat();
            assert_eq!(words(&command), (name, about.into()));
        }
        assert_eq!(decode(&[0x8C, 0x68, 0x01, 0x70]).key, Some(1));
    }

    proptest! {
        #[test]
        fn any_bytes_have_words(command in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(!decode(&command).name.is_empty());
        }
    }
}
