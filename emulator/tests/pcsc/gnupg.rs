//! GnuPG's scdaemon, which has its own driver for this card.

use crate::openssl;
use crate::pkcs11::Module;
use crate::rig::{Rig, USER_PIN};
use crate::tool::{Outcome, Tool};
use crate::{Body, add};
use std::path::PathBuf;

pub(crate) fn tests(all: &mut Vec<(String, Body)>) {
    add(
        all,
        "gnupg::scdaemon_finds_the_application",
        finds_the_application,
    );
    add(
        all,
        "gnupg::gpgsm_learns_the_card_signs_and_decrypts",
        learns_signs_and_decrypts,
    );
}

/// A GnuPG home of its own, with its agent; both end with it.
struct Home {
    path: PathBuf,
}

impl Home {
    fn new(rig: &Rig) -> Self {
        let path = rig.path("gnupg");
        std::fs::create_dir(&path).expect("the temporary directory is writable");
        Tool::new("chmod").arg("700").arg(&path).ok();
        // The driver for USB readers would find a real token; pcscd is the only way in here.
        rig.file("gnupg/scdaemon.conf", "disable-ccid\n");
        rig.file("gnupg/gpg-agent.conf", "allow-loopback-pinentry\n");
        rig.file("gnupg/gpgsm.conf", "disable-crl-checks\n");
        Self { path }
    }

    fn tool(&self, program: &str) -> Tool {
        Tool::new(program).env("GNUPGHOME", &self.path)
    }

    /// One command to scdaemon, through the agent.
    fn scd(&self, command: &str) -> Outcome {
        self.tool("gpg-connect-agent")
            .args([&format!("scd {command}"), "/bye"])
            .ok()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.tool("gpgconf").words("--kill all").run();
    }
}

fn finds_the_application() {
    let rig = Rig::with_initialized_card();
    let serial = Module::reader(0).serial();
    let home = Home::new(&rig);
    home.scd("serialno sc-hsm").has("S SERIALNO ").lacks("ERR");
    home.scd("getattr APPTYPE")
        .has("S APPTYPE sc-hsm")
        .lacks("ERR");
    // The serial number is the characters of the device's, in hexadecimal.
    let hexadecimal = hex::encode_upper(serial.as_bytes());
    home.scd("getattr SERIALNO").has(&hexadecimal);
    home.tool("gpg")
        .words("--batch --card-status")
        .ok()
        .has("Virtual PCD 00 00")
        .has(&hexadecimal);
}

/// A key with a certificate: scdaemon lists it, gpgsm learns it, signs and decrypts with it.
fn learns_signs_and_decrypts() {
    let rig = Rig::with_initialized_card();
    certify_a_key(&rig);
    learn_sign_and_decrypt(&rig);
}

/// An RSA key with a certificate on the card in the first reader, by OpenSC.
pub(crate) fn certify_a_key(rig: &Rig) {
    let module = Module::reader(0);
    module.generate("rsa:2048", 1);
    let public = module.public_key(rig, 1);
    let certificate = openssl::certificate(rig, Some(&public), "/CN=Card holder");
    module
        .login()
        .arg("--write-object")
        .arg(&certificate)
        .args(["--type", "cert", "--id", "01", "--label", "card holder"])
        .ok();
}

/// What GnuPG does with [`certify_a_key`]'s.
pub(crate) fn learn_sign_and_decrypt(rig: &Rig) {
    let home = Home::new(rig);
    let authority = rig.path("authority.pem");
    let fingerprint = openssl::fingerprint(&authority);
    rig.file("gnupg/trustlist.txt", format!("{fingerprint} S relax\n"));
    home.scd("learn --force")
        .has("S KEYPAIRINFO ")
        .has("S CERTINFO ")
        .lacks("ERR");
    home.tool("gpgsm")
        .words("--batch --import")
        .arg(&authority)
        .ok();
    home.tool("gpgsm").words("--batch --learn-card").ok();
    home.tool("gpgsm")
        .words("--batch --list-keys")
        .ok()
        .has("Card holder");
    let message = rig.file("message", b"signed by GnuPG");
    home.tool("gpgsm")
        .words("--batch --pinentry-mode loopback --passphrase-fd 0")
        .args(["--local-user", "Card holder", "--detach-sign", "--output"])
        .arg(rig.path("signature"))
        .arg(&message)
        .input(format!("{USER_PIN}\n"))
        .ok();
    // Not by OpenSSL: GnuPG puts 00 before a signature whose first bit is set, which OpenSSL
    // refuses. Verification has no use for the card: libgcrypt does it with the certificate.
    home.tool("gpgsm")
        .words("--batch --verify")
        .arg(rig.path("signature"))
        .arg(&message)
        .ok()
        .has("Good signature from \"/CN=Card holder\"");
    let other = rig.file("message", b"signed by somebody");
    home.tool("gpgsm")
        .words("--batch --verify")
        .arg(rig.path("signature"))
        .arg(&other)
        .fails();

    home.tool("gpgsm")
        .words("--batch --encrypt --recipient")
        .args(["Card holder", "--output"])
        .arg(rig.path("encrypted"))
        .arg(&message)
        .ok();
    home.tool("gpgsm")
        .words("--batch --pinentry-mode loopback --passphrase-fd 0 --decrypt")
        .arg(rig.path("encrypted"))
        .input(format!("{USER_PIN}\n"))
        .ok()
        .has("signed by somebody");
}
