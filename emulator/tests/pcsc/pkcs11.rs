//! `pkcs11-tool` on OpenSC's PKCS#11 module.

mod keys;
mod objects;
mod pins;

use crate::Body;
use crate::prerequisites::pkcs11_module;
use crate::rig::{Rig, USER_PIN};
use crate::tool::{Outcome, Tool};
use std::path::{Path, PathBuf};

pub(crate) fn tests(all: &mut Vec<(String, Body)>) {
    keys::tests(all);
    objects::tests(all);
    pins::tests(all);
}

/// The module, looking at the card in one reader.
#[derive(Clone, Copy)]
pub(crate) struct Module {
    reader: usize,
}

impl Module {
    pub(crate) fn reader(reader: usize) -> Self {
        Self { reader }
    }

    /// `pkcs11-tool` without a login.
    pub(crate) fn tool(self) -> Tool {
        Tool::new("pkcs11-tool")
            .arg("--module")
            .arg(pkcs11_module().expect("a prerequisite"))
            .args(["--slot-index", &self.reader.to_string()])
    }

    /// `pkcs11-tool` with the user logged in.
    pub(crate) fn login(self) -> Tool {
        self.tool().words(&format!("--login --pin {USER_PIN}"))
    }

    pub(crate) fn serial(self) -> String {
        let slots = self.tool().arg("--list-slots").ok();
        let serials: Vec<&str> = slots
            .text
            .lines()
            .filter(|line| line.contains("serial num"))
            .collect();
        let line = serials
            .get(self.reader)
            .unwrap_or_else(|| panic!("no serial from {slots}"));
        line.rsplit(':')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    }

    /// Generates a key pair under an id and checks that the tool shows both halves.
    pub(crate) fn generate(self, kind: &str, id: u8) -> Outcome {
        let id = format!("{id:02x}");
        self.login()
            .words(&format!("--keypairgen --key-type {kind} --id {id}"))
            .args(["--label", &format!("{kind} key")])
            .ok()
            .has("Key pair generated")
            .has("Private Key Object")
            .has("Public Key Object")
    }

    /// The public key as PEM, as the card gives it. By `pkcs15-tool`, because `pkcs11-tool` of
    /// OpenSC 0.23 cannot read those of 192 and 384 bits.
    pub(crate) fn public_key(self, rig: &Rig, id: u8) -> PathBuf {
        let reader = self.reader.to_string();
        let read = Tool::new("pkcs15-tool")
            .words(&format!("--reader {reader} --read-public-key {id:02x}"))
            .ok();
        rig.file(&format!("public-{id}.pem"), read.stdout)
    }

    /// Signs a file; ECDSA signatures come as DER.
    pub(crate) fn sign(
        self,
        rig: &Rig,
        id: u8,
        mechanism: &str,
        input: &Path,
        options: &[&str],
    ) -> PathBuf {
        let signature = rig.path("signature");
        drop(std::fs::remove_file(&signature));
        let mut tool = self
            .login()
            .words(&format!("--sign --mechanism {mechanism}"));
        if mechanism.starts_with("ECDSA") {
            tool = tool.words("--signature-format openssl");
        }
        tool.words(&format!("--id {id:02x}"))
            .args(options)
            .arg("--input-file")
            .arg(input)
            .arg("--output-file")
            .arg(&signature)
            .ok();
        signature
    }
}
