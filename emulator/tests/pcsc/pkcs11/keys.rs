//! Every key type with every mechanism, against OpenSSL.

use super::Module;
use crate::openssl::{self, Hash, PSS};
use crate::rig::Rig;
use crate::{Body, add};
use std::collections::BTreeSet;
use std::path::Path;

const RSA_BITS: &[usize] = &[1024, 1536, 2048, 3072, 4096];

/// The curves that `pkcs11-tool` can ask this card for, and the names OpenSSL has for them.
const CURVES: &[(&str, &str)] = &[
    ("secp192r1", "prime192v1"),
    ("secp256r1", "prime256v1"),
    ("secp384r1", "secp384r1"),
    ("secp521r1", "secp521r1"),
    ("brainpoolP192r1", "brainpoolP192r1"),
    ("brainpoolP224r1", "brainpoolP224r1"),
    ("brainpoolP256r1", "brainpoolP256r1"),
    ("brainpoolP320r1", "brainpoolP320r1"),
    ("brainpoolP384r1", "brainpoolP384r1"),
    ("brainpoolP512r1", "brainpoolP512r1"),
    ("secp192k1", "secp192k1"),
    ("secp256k1", "secp256k1"),
];

pub(super) fn tests(all: &mut Vec<(String, Body)>) {
    for &bits in RSA_BITS {
        add(
            all,
            format!("pkcs11::rsa_{bits}_signs_and_decrypts"),
            move || rsa(bits),
        );
    }
    for &(curve, name) in CURVES {
        add(
            all,
            format!("pkcs11::{curve}_signs_and_derives"),
            move || ec(curve, name),
        );
    }
    add(
        all,
        "pkcs11::offers_exactly_the_tested_mechanisms",
        offers_the_tested_mechanisms,
    );
    add(
        all,
        "pkcs11::own_test_of_the_tool_passes",
        own_test_of_the_tool,
    );
}

/// Mechanisms that take a message and hash it, with OpenSSL's way to verify the result.
const RSA_MESSAGE: &[(&str, Hash, &[&str])] = &[
    ("SHA1-RSA-PKCS", Hash::Sha1, &[]),
    ("SHA224-RSA-PKCS", Hash::Sha224, &[]),
    ("SHA256-RSA-PKCS", Hash::Sha256, &[]),
    ("SHA384-RSA-PKCS", Hash::Sha384, &[]),
    ("SHA512-RSA-PKCS", Hash::Sha512, &[]),
    ("MD5-RSA-PKCS", Hash::Md5, &[]),
    ("RIPEMD160-RSA-PKCS", Hash::Ripemd160, &[]),
    ("SHA1-RSA-PKCS-PSS", Hash::Sha1, PSS),
    ("SHA224-RSA-PKCS-PSS", Hash::Sha224, PSS),
    ("SHA256-RSA-PKCS-PSS", Hash::Sha256, PSS),
    ("SHA384-RSA-PKCS-PSS", Hash::Sha384, PSS),
    ("SHA512-RSA-PKCS-PSS", Hash::Sha512, PSS),
];

const EC_MESSAGE: &[(&str, Hash)] = &[
    ("ECDSA-SHA1", Hash::Sha1),
    ("ECDSA-SHA224", Hash::Sha224),
    ("ECDSA-SHA256", Hash::Sha256),
    ("ECDSA-SHA384", Hash::Sha384),
    ("ECDSA-SHA512", Hash::Sha512),
];

/// The same on curves of prime order, where the cofactor is 1.
const EC_AGREEMENT: &[&str] = &["ECDH1-DERIVE", "ECDH1-COFACTOR-DERIVE"];

/// Old hashes that some versions of OpenSC do not offer.
const OPTIONAL: &[&str] = &["MD5-RSA-PKCS", "RIPEMD160-RSA-PKCS"];

/// Mechanisms whose input is used as it is.
const BARE: &[&str] = &["RSA-PKCS", "RSA-PKCS-PSS", "RSA-X-509", "ECDSA"];

fn rsa(bits: usize) {
    let rig = Rig::with_initialized_card();
    let module = Module::reader(0);
    module.generate(&format!("rsa:{bits}"), 1);
    let public = module.public_key(&rig, 1);
    let description = openssl::describe(&public);
    assert!(
        description.contains(&format!("({bits} bit)")),
        "{description}"
    );
    assert!(description.contains("Exponent: 65537"), "{description}");

    let message = rig.file("message", b"The quick brown fox jumps over the lazy dog");
    let offered = offered_mechanisms(module);
    for &(mechanism, hash, options) in RSA_MESSAGE {
        if OPTIONAL.contains(&mechanism) && !offered.contains(mechanism) {
            continue;
        }
        // A 1024-bit key has no room for a 512-bit hash and a salt of the same length.
        if bits == 1024 && hash == Hash::Sha512 && options == PSS {
            continue;
        }
        let signature = module.sign(&rig, 1, mechanism, &message, &[]);
        openssl::verify_message(&public, hash, options, &message, &signature);
    }
    rsa_bare_signatures(&rig, module, &public, bits, &message);
    rsa_decryption(&rig, module, &public, bits);
}

fn rsa_bare_signatures(rig: &Rig, module: Module, public: &Path, bits: usize, message: &Path) {
    let signature = module.sign(rig, 1, "RSA-PKCS", message, &[]);
    openssl::verify_bytes(public, &["rsa_padding_mode:pkcs1"], message, &signature);

    let digest = openssl::digest(rig, Hash::Sha256, message);
    let signature = module.sign(
        rig,
        1,
        "RSA-PKCS-PSS",
        &digest,
        &["--hash-algorithm", "SHA256"],
    );
    let options = [
        "digest:sha256",
        "rsa_padding_mode:pss",
        "rsa_pss_saltlen:digest",
    ];
    openssl::verify_bytes(public, &options, &digest, &signature);

    let number = rig.file("number", below_any_modulus(bits / 8));
    let signature = module.sign(rig, 1, "RSA-X-509", &number, &[]);
    assert_eq!(
        openssl::recover(public, &signature),
        below_any_modulus(bits / 8)
    );
}

fn rsa_decryption(rig: &Rig, module: Module, public: &Path, bits: usize) {
    let secret = b"attack at dawn".to_vec();
    let cases: [(&str, &[&str], &[&str], Vec<u8>); 4] = [
        ("RSA-PKCS", &["rsa_padding_mode:pkcs1"], &[], secret.clone()),
        (
            "RSA-PKCS-OAEP",
            &[
                "rsa_padding_mode:oaep",
                "rsa_oaep_md:sha1",
                "rsa_mgf1_md:sha1",
            ],
            &["--hash-algorithm", "SHA-1"],
            secret.clone(),
        ),
        (
            "RSA-PKCS-OAEP",
            &[
                "rsa_padding_mode:oaep",
                "rsa_oaep_md:sha256",
                "rsa_mgf1_md:sha256",
            ],
            &["--hash-algorithm", "SHA256"],
            secret,
        ),
        (
            "RSA-X-509",
            &["rsa_padding_mode:none"],
            &[],
            below_any_modulus(bits / 8),
        ),
    ];
    for (mechanism, padding, options, plain) in cases {
        let plain_file = rig.file("plain", &plain);
        let cipher = openssl::encrypt(rig, public, padding, &plain_file);
        module
            .login()
            .words(&format!("--decrypt --mechanism {mechanism} --id 01"))
            .args(options)
            .arg("--input-file")
            .arg(cipher)
            .arg("--output-file")
            .arg(rig.path("decrypted"))
            .ok();
        assert_eq!(rig.read("decrypted"), plain, "{mechanism} {padding:?}");
    }
}

/// As many bytes as the modulus and certainly less: its first byte is at least 80.
fn below_any_modulus(length: usize) -> Vec<u8> {
    (0..length)
        .map(|position| u8::try_from(position % 128).unwrap_or(0))
        .collect()
}

fn ec(curve: &str, openssl_name: &str) {
    let rig = Rig::with_initialized_card();
    let module = Module::reader(0);
    module.generate(&format!("EC:{curve}"), 1);
    let public = module.public_key(&rig, 1);
    let description = openssl::describe(&public);
    assert!(
        description.contains(&format!("ASN1 OID: {openssl_name}")),
        "{description}"
    );

    let message = rig.file("message", b"The quick brown fox jumps over the lazy dog");
    for &(mechanism, hash) in EC_MESSAGE {
        let signature = module.sign(&rig, 1, mechanism, &message, &[]);
        openssl::verify_message(&public, hash, &[], &message, &signature);
    }
    let digest = openssl::digest(&rig, Hash::Sha256, &message);
    let signature = module.sign(&rig, 1, "ECDSA", &digest, &[]);
    openssl::verify_bytes(&public, &[], &digest, &signature);

    let (peer_private, peer_public) = openssl::peer_on_the_same_curve(&rig, &public);
    for mechanism in EC_AGREEMENT {
        module
            .login()
            .words(&format!(
                "--derive --mechanism {mechanism} --id 01 --input-file"
            ))
            .arg(&peer_public)
            .arg("--output-file")
            .arg(rig.path("shared"))
            .ok();
        let agreed = openssl::agree(&peer_private, &public);
        assert_eq!(rig.read("shared"), agreed, "{mechanism}");
    }
}

/// Each mechanism that signs, decrypts or derives is in one of the tables above; a new one would
/// otherwise go untested in silence.
fn offers_the_tested_mechanisms() {
    let _rig = Rig::with_initialized_card();
    let offered = offered_mechanisms(Module::reader(0));
    let tested: BTreeSet<&str> = RSA_MESSAGE
        .iter()
        .map(|(mechanism, ..)| *mechanism)
        .chain(EC_MESSAGE.iter().map(|(mechanism, _)| *mechanism))
        .chain(BARE.iter().chain(EC_AGREEMENT).copied())
        .chain(["RSA-PKCS-OAEP"])
        .filter(|mechanism| !OPTIONAL.contains(mechanism) || offered.contains(*mechanism))
        .collect();
    let offered: BTreeSet<&str> = offered.iter().map(String::as_str).collect();
    assert_eq!(offered, tested);
}

/// What the module can do with a private key of this card.
fn offered_mechanisms(module: Module) -> BTreeSet<String> {
    let listing = module.tool().arg("--list-mechanisms").ok();
    listing
        .text
        .lines()
        .filter(|line| {
            [" sign", " decrypt", " derive"]
                .iter()
                .any(|word| line.contains(word))
        })
        .filter_map(|line| line.trim().split(',').next())
        .map(str::to_owned)
        .collect()
}

fn own_test_of_the_tool() {
    let _rig = Rig::with_initialized_card();
    let module = Module::reader(0);
    module.generate("rsa:2048", 1);
    module.generate("EC:secp256r1", 2);
    module.login().arg("--test").ok().has("No errors");
}
