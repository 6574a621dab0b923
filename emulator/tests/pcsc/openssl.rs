//! OpenSSL as the judge: it verifies, encrypts and agrees on keys without the card's help.

use crate::rig::Rig;
use crate::tool::Tool;
use std::path::{Path, PathBuf};

/// Hash functions of the mechanisms; for some of them OpenSC hashes, not the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Md5,
    Ripemd160,
}

impl Hash {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha224 => "sha224",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
            Self::Md5 => "md5",
            Self::Ripemd160 => "ripemd160",
        }
    }
}

/// How OpenSSL is told that an RSA signature is PSS with a salt as long as the hash.
pub(crate) const PSS: &[&str] = &["rsa_padding_mode:pss", "rsa_pss_saltlen:digest"];

fn openssl() -> Tool {
    Tool::new("openssl")
}

/// Turns the DER form of a public key into the PEM form that the other functions take.
pub(crate) fn public_key_from_der(rig: &Rig, name: &str, der: &Path) -> PathBuf {
    let pem = rig.path(name);
    openssl()
        .words("pkey -pubin -inform DER -pubout")
        .arg("-in")
        .arg(der)
        .arg("-out")
        .arg(&pem)
        .ok();
    pem
}

/// What OpenSSL says of a public key.
pub(crate) fn describe(public: &Path) -> String {
    openssl()
        .words("pkey -pubin -noout -text -in")
        .arg(public)
        .ok()
        .text
}

/// Hash of a file, as bytes.
pub(crate) fn digest(rig: &Rig, hash: Hash, message: &Path) -> PathBuf {
    let path = rig.path(&format!("digest-{}", hash.name()));
    openssl()
        .words("dgst -binary")
        .arg(format!("-{}", hash.name()))
        .arg("-out")
        .arg(&path)
        .arg(message)
        .ok();
    path
}

/// Fails the test unless the signature over the message verifies, and unless the same signature
/// over another message does not.
pub(crate) fn verify_message(
    public: &Path,
    hash: Hash,
    options: &[&str],
    message: &Path,
    signature: &Path,
) {
    let verify = |message: &Path| {
        let mut tool = openssl().arg("dgst").arg(format!("-{}", hash.name()));
        for option in options {
            tool = tool.words(&format!("-sigopt {option}"));
        }
        tool.arg("-verify")
            .arg(public)
            .arg("-signature")
            .arg(signature)
            .arg(message)
    };
    verify(message).ok().has("Verified OK");
    let other = message.with_extension("other");
    std::fs::write(&other, b"another message").expect("the temporary directory is writable");
    verify(&other).fails().has("Verification failure");
}

/// Fails the test unless the signature over these very bytes (a hash, or anything that PKCS #1
/// pads without naming a hash) verifies.
pub(crate) fn verify_bytes(public: &Path, options: &[&str], input: &Path, signature: &Path) {
    let mut tool = openssl().words("pkeyutl -verify -pubin -inkey").arg(public);
    for option in options {
        tool = tool.words(&format!("-pkeyopt {option}"));
    }
    tool.arg("-in")
        .arg(input)
        .arg("-sigfile")
        .arg(signature)
        .ok()
        .has("Verified Successfully");
}

/// The result of the public RSA operation on a signature, no padding removed.
pub(crate) fn recover(public: &Path, signature: &Path) -> Vec<u8> {
    openssl()
        .words("pkeyutl -verifyrecover -pubin -pkeyopt rsa_padding_mode:none")
        .arg("-inkey")
        .arg(public)
        .arg("-in")
        .arg(signature)
        .ok()
        .stdout
}

/// Encrypts to a file under an RSA public key.
pub(crate) fn encrypt(rig: &Rig, public: &Path, options: &[&str], plain: &Path) -> PathBuf {
    let path = rig.path("cipher");
    let mut tool = openssl()
        .words("pkeyutl -encrypt -pubin -inkey")
        .arg(public);
    for option in options {
        tool = tool.words(&format!("-pkeyopt {option}"));
    }
    tool.arg("-in").arg(plain).arg("-out").arg(&path).ok();
    path
}

/// A key pair on the same curve as the given public key: private PEM, public DER.
pub(crate) fn peer_on_the_same_curve(rig: &Rig, public: &Path) -> (PathBuf, PathBuf) {
    let parameters = rig.path("parameters.pem");
    let (private, peer) = (rig.path("peer.pem"), rig.path("peer.der"));
    openssl().words("pkey -pubin -in").arg(public).ok();
    openssl()
        .words("ec -pubin -param_out -in")
        .arg(public)
        .arg("-out")
        .arg(&parameters)
        .ok();
    openssl()
        .words("genpkey -paramfile")
        .arg(&parameters)
        .arg("-out")
        .arg(&private)
        .ok();
    openssl()
        .words("pkey -pubout -outform DER -in")
        .arg(&private)
        .arg("-out")
        .arg(&peer)
        .ok();
    (private, peer)
}

/// The shared secret of a private key of OpenSSL's and the card's public key.
pub(crate) fn agree(private: &Path, public: &Path) -> Vec<u8> {
    openssl()
        .words("pkeyutl -derive -inkey")
        .arg(private)
        .arg("-peerkey")
        .arg(public)
        .ok()
        .stdout
}

/// SHA-1 fingerprint of a certificate, as GnuPG's list of trusted authorities wants it.
pub(crate) fn fingerprint(certificate: &Path) -> String {
    let printed = openssl()
        .words("x509 -noout -fingerprint -sha1 -in")
        .arg(certificate)
        .ok();
    let (_, value) = printed.text.split_once('=').expect("name=value");
    value.trim().to_owned()
}

/// A certificate for any public key, issued by a throw-away authority; DER.
pub(crate) fn certificate(rig: &Rig, public: Option<&Path>, subject: &str) -> PathBuf {
    let (key, authority) = (rig.path("authority.key"), rig.path("authority.pem"));
    if !authority.exists() {
        openssl()
            .args([
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-subj",
                "/CN=Test CA",
            ])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&authority)
            .ok();
    }
    let der = rig.path("certificate.der");
    let mut tool = match public {
        Some(public) => {
            let request = rig.path("request.pem");
            openssl()
                .args(["req", "-new", "-subj", subject, "-key"])
                .arg(&key)
                .arg("-out")
                .arg(&request)
                .ok();
            openssl()
                .words("x509 -req -CAcreateserial -in")
                .arg(request)
                .arg("-CA")
                .arg(&authority)
                .arg("-CAkey")
                .arg(&key)
                .arg("-force_pubkey")
                .arg(public)
        }
        None => openssl().words("x509 -in").arg(&authority),
    };
    tool = tool.words("-outform DER -out").arg(&der);
    tool.ok();
    der
}
