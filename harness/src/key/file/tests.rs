use super::*;

const PASSWORD: &[u8] = b"fixture password";

fn fixture(name: &str) -> Secret {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/keys/");
    Secret::new(std::fs::read(format!("{path}{name}")).unwrap())
}

fn open(name: &str) -> Result<Key, KeyError> {
    match KeyFile::parse(&fixture(name))? {
        KeyFile::Open(key) => Ok(key),
        KeyFile::Locked(locked) => locked.unlock(&Secret::from(PASSWORD)),
    }
}

fn text(key: &Key) -> Secret {
    write(key).unwrap()
}

/// What OpenSSL wrote as PKCS#8 is what is written here: the writer is right to the byte.
#[test]
fn every_form_of_a_key_reads_as_the_same_key() {
    let families = [
        (
            "rsa-2048.pem",
            &[
                "rsa-2048.der",
                "rsa-2048-pkcs1.der",
                "rsa-2048-encrypted.der",
                "rsa-2048-encrypted.pem",
                "rsa-2048.p12",
            ][..],
            "RSA-2048",
        ),
        (
            "ec-secp256r1.pem",
            &[
                "ec-secp256r1-sec1.pem",
                "ec-secp256r1-no-public.der",
                "ec-secp256r1-compressed.pem",
                "ec-secp256r1.p12",
                "ec-secp256r1-scrypt.der",
            ],
            "EC secp256r1",
        ),
        ("rsa-1024-e3.pem", &[], "RSA-1024"),
    ];
    for (plain, others, described) in families {
        let key = open(plain).unwrap();
        assert_eq!(key.describe(), described);
        assert_eq!(text(&key), fixture(plain), "{plain}");
        for other in others {
            assert_eq!(text(&open(other).unwrap()), fixture(plain), "{other}");
        }
    }
}

#[test]
fn sec1_files_of_other_curves_read_and_their_points_are_d_times_g() {
    for name in ["secp521r1", "secp192k1", "brainpoolP320r1"] {
        let key = open(&format!("ec-{name}.pem")).unwrap();
        assert_eq!(key.describe(), format!("EC {name}"));
    }
}

#[test]
fn a_small_exponent_does_not_stop_the_search_for_the_primes() {
    let Key::Rsa(key) = open("rsa-1024-e3.pem").unwrap() else {
        panic!()
    };
    let (n, e) = (key.modulus(), key.public_exponent());
    let found = RsaKey::from_exponents(&n, &e, &key.private_exponent()).unwrap();
    let (found, own) = (found.crt().unwrap(), key.crt().unwrap());
    assert!(found.p == own.p || found.p == own.q);
    let crt = RsaKey::from_crt(&n, &e, &own).unwrap();
    assert_eq!(crt.modulus(), n);
}

#[test]
fn a_wrong_password_is_told_from_other_faults() {
    for name in [
        "rsa-2048-encrypted.der",
        "rsa-2048-encrypted.pem",
        "rsa-2048.p12",
        "ec-secp256r1.p12",
    ] {
        let KeyFile::Locked(locked) = KeyFile::parse(&fixture(name)).unwrap() else {
            panic!()
        };
        let result = locked.unlock(&Secret::from(&b"other"[..]));
        assert_eq!(result.err(), Some(KeyError::WrongPassword), "{name}");
    }
}

/// An encrypted key with this function that makes a key of a password.
fn derived_by(function: &[&[u8]]) -> Locked {
    let aes_256_cbc = der::element(0x06, &[&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 0x2a]]);
    let iv = der::element(0x04, &[&[0; 16]]);
    let parameters = der::element(
        0x30,
        &[
            &der::element(0x30, function),
            &der::element(0x30, &[&aes_256_cbc, &iv]),
        ],
    );
    let pbes2 = der::element(0x06, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 0x0d]]);
    let algorithm = der::element(0x30, &[&pbes2, &parameters]);
    let encrypted = der::element(0x04, &[&[0; 32]]);
    let file = Secret::new(der::element(0x30, &[&algorithm, &encrypted]));
    match KeyFile::parse(&file).unwrap() {
        KeyFile::Locked(locked) => locked,
        KeyFile::Open(key) => panic!("{key:?}"),
    }
}

#[test]
fn a_file_decides_neither_time_nor_memory() {
    let salt = der::element(0x04, &[&[0; 8]]);
    let scrypt = |n: u64, r: u8, p: u8| {
        let oid = der::element(0x06, &[&[0x2b, 6, 1, 4, 1, 0xda, 0x47, 4, 0x0b]]);
        let [n, r, p] = [&n.to_be_bytes()[..], &[r], &[p]].map(der::integer);
        derived_by(&[&oid, &der::element(0x30, &[&salt, &n, &r, &p])])
    };
    let pbkdf2 = |rounds: u32| {
        let oid = der::element(0x06, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 0x0c]]);
        let rounds = der::integer(&rounds.to_be_bytes());
        derived_by(&[&oid, &der::element(0x30, &[&salt, &rounds])])
    };
    let refused = [
        scrypt(0, 8, 1),
        scrypt(16, 0, 1),
        scrypt(1 << 14, 8, 100),
        scrypt(1 << 50, 1, 1),
        scrypt(1 << 63, 255, 255),
        pbkdf2(0),
        pbkdf2(10_000_001),
        pbkdf2(u32::MAX),
    ];
    for locked in refused {
        let Err(KeyError::Unusable(message)) = locked.unlock(&Secret::from(PASSWORD)) else {
            panic!("{locked:?}")
        };
        assert!(message.contains("rounds of hashing"), "{message}");
    }
    for locked in [scrypt(16, 8, 1), pbkdf2(1)] {
        let result = locked.unlock(&Secret::from(PASSWORD));
        assert_eq!(result.err(), Some(KeyError::WrongPassword));
    }
    // N is no power of two.
    let result = scrypt(17, 8, 1).unlock(&Secret::from(PASSWORD));
    assert!(matches!(result, Err(KeyError::Unusable(_))));
}

#[test]
fn a_pkcs12_may_ask_for_as_many_rounds_as_another_file() {
    let KeyFile::Locked(locked) = KeyFile::parse(&fixture("ec-secp256r1.p12")).unwrap() else {
        panic!()
    };
    // OpenSSL's 2048 for the MAC, and as many for the key.
    assert!(locked.unlock_within(&Secret::from(PASSWORD), 2048).is_ok());
    let result = locked.unlock_within(&Secret::from(PASSWORD), 2047);
    assert!(matches!(result, Err(KeyError::Unusable(_))));
}

#[test]
fn what_is_not_read_says_what_to_do() {
    let message = |name| match open(name) {
        Err(KeyError::Unusable(message)) => message,
        other => panic!("{name}: {other:?}"),
    };
    assert!(message("rsa-2048-old-pem.pem").contains("openssl pkcs8 -topk8"));
    assert!(message("rsa-2048-old-encryption.pem").contains("openssl pkcs8 -topk8"));
    assert!(message("ec-secp256r1-legacy.p12").contains("not read here"));
    assert!(message("ec-explicit.pem").contains("-param_enc named_curve"));
    assert!(message("ed25519.pem").contains("neither RSA nor EC"));
    assert!(message("certificate.der").contains("not a key file"));
    assert!(message("README.md").contains("not a key file"));
}

#[test]
fn a_changed_pkcs12_is_refused() {
    let file = fixture("ec-secp256r1.p12");
    for at in (0..file.len()).step_by(7) {
        let mut changed = file.expose().to_vec();
        changed[at] ^= 1;
        let result = KeyFile::parse(&Secret::new(changed)).and_then(|file| match file {
            KeyFile::Open(key) => Ok(key),
            KeyFile::Locked(locked) => locked.unlock(&Secret::from(PASSWORD)),
        });
        assert!(result.is_err(), "offset {at}");
    }
}

#[test]
fn a_truncated_file_is_refused_and_never_panics() {
    for name in [
        "rsa-2048.der",
        "rsa-2048-pkcs1.der",
        "rsa-2048-encrypted.der",
        "ec-secp256r1.p12",
        "ec-secp256r1-no-public.der",
    ] {
        let file = fixture(name);
        for len in (0..file.len()).filter(|len| ![16, 24, 32].contains(len)) {
            let cut = Secret::from(&file.expose()[..len]);
            assert!(KeyFile::parse(&cut).is_err(), "{name} at {len}");
        }
    }
}

/// DER of the last block in the PEM file with this name.
fn der_of(name: &str) -> Vec<u8> {
    let pem = String::from_utf8(fixture(name).expose().to_vec()).unwrap();
    let (_, block) = pem.rsplit_once("-----BEGIN ").unwrap();
    let lines = block.lines().skip(1);
    let digits: String = lines.take_while(|line| !line.starts_with('-')).collect();
    Base64::decode_vec(&digits).unwrap()
}

/// Flips one bit in every `step`th byte and returns how many of the files were refused; the others
/// must give the same key, as what is not read may be anything.
fn flip(der: &[u8], key: &str, bytes: std::ops::Range<usize>, step: usize) -> usize {
    let refused = |at: &usize| {
        let mut changed = der.to_vec();
        changed[*at] ^= 4;
        match KeyFile::parse(&Secret::new(changed)) {
            Ok(KeyFile::Open(other)) => {
                assert_eq!(text(&other), fixture(key), "{key}, offset {at}");
                false
            }
            _ => true,
        }
    };
    bytes.step_by(step).filter(refused).count()
}

#[test]
fn flipped_bits_in_a_private_key_never_give_another_key() {
    for name in ["ec-secp256r1.pem", "ec-secp256r1-sec1.pem"] {
        let der = der_of(name);
        let refused = flip(&der, "ec-secp256r1.pem", 0..der.len(), 1);
        // The private key and the coordinates of its point, at the least.
        assert!(refused >= 96, "{name}: {refused}");
    }
    // From n to q: what a key is made of. The CRT parts after q are computed, not read.
    let der = fixture("rsa-2048-pkcs1.der");
    let every = (12..800).step_by(37).count();
    assert_eq!(flip(der.expose(), "rsa-2048.pem", 12..800, 37), every);
}

#[test]
fn aes_keys_are_told_by_their_length() {
    let kind = |bytes: &[u8]| match KeyFile::parse(&Secret::from(bytes)) {
        Ok(KeyFile::Open(key)) => key.describe(),
        other => panic!("{other:?}"),
    };
    assert_eq!(kind(&[0x30; 16]), "AES-128");
    assert_eq!(kind(&[0xfe; 24]), "AES-192");
    assert_eq!(kind(&[0xfe; 32]), "AES-256");
    assert_eq!(kind(b"000102030405060708090a0b0c0d0e0f\n"), "AES-128");
    assert_eq!(kind(&[b'a'; 64]), "AES-256");
    assert!(KeyFile::parse(&Secret::from(&[0xfe; 31][..])).is_err());
    for (file, described) in [("aes-256.bin", "AES-256"), ("aes-128.hex", "AES-128")] {
        assert_eq!(open(file).unwrap().describe(), described);
    }
    // What is written is what was read.
    let digits = fixture("aes-128.hex");
    assert_eq!(text(&open("aes-128.hex").unwrap()), digits);
}
