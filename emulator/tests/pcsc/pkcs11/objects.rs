//! Certificates, data objects, deletion, random numbers.

use super::Module;
use crate::openssl;
use crate::rig::{Rig, USER_PIN};
use crate::tool::Tool;
use crate::{Body, add};

pub(super) fn tests(all: &mut Vec<(String, Body)>) {
    add(
        all,
        "pkcs11::certificate_of_a_key_is_kept",
        certificate_of_a_key,
    );
    add(
        all,
        "pkcs11::certificate_without_a_key_is_kept",
        certificate_without_a_key,
    );
    add(all, "pkcs11::public_data_is_readable_by_all", public_data);
    add(all, "pkcs11::private_data_needs_the_pin", private_data);
    add(all, "pkcs11::large_data_is_kept_whole", large_data);
    add(all, "pkcs11::deleted_keys_are_gone", deleted_keys);
    add(
        all,
        "pkcs11::objects_survive_the_card_process",
        objects_survive,
    );
    add(all, "pkcs11::random_bytes_differ", random_bytes);
    add(
        all,
        "pkcs11::aes_keys_leave_the_others_usable",
        aes_beside_others,
    );
}

/// Description of an AES-128 key with id 02, in the form of the vendor's key generator.
const AES_DESCRIPTION: &str = "A82F 3013 0C11 4469736B456E6372797074696F6E4B6579 \
    3008 040102 030307C010 A006 300402020080 A106 300430020400";

/// OpenSC 0.23 has no mechanism for AES keys of this card. One that has must use the key here.
fn aes_beside_others() {
    let rig = Rig::with_initialized_card();
    let module = Module::reader(0);
    module.generate("EC:secp256r1", 1);
    let description: String = AES_DESCRIPTION.split_whitespace().collect();
    let pin = hex::encode(USER_PIN);
    let sent = Tool::new("opensc-tool")
        .words("--send-apdu 00A404000BE82B0601040181C31F020100")
        .words(&format!("--send-apdu 0020008106{pin}"))
        .words("--send-apdu 004802B006910410111899")
        .words(&format!("--send-apdu 00D7C40237540200005331{description}"))
        .ok();
    assert_eq!(sent.text.matches("SW1=0x90, SW2=0x00").count(), 4, "{sent}");

    let message = rig.file("message", b"signed beside an AES key");
    let public = module.public_key(&rig, 1);
    let signature = module.sign(&rig, 1, "ECDSA-SHA256", &message, &[]);
    openssl::verify_message(&public, openssl::Hash::Sha256, &[], &message, &signature);
    module
        .login()
        .arg("--list-objects")
        .ok()
        .has("EC:secp256r1 key");
    module.tool().arg("--list-mechanisms").ok().lacks("AES");
}

fn certificate_of_a_key() {
    let rig = Rig::with_initialized_card();
    let module = Module::reader(0);
    module.generate("rsa:2048", 1);
    let public = module.public_key(&rig, 1);
    write_and_read_certificate(&rig, module, Some(&public));
    // The key still works with the certificate in the place of the request.
    let message = rig.file("message", b"signed under a certificate");
    let signature = module.sign(&rig, 1, "SHA256-RSA-PKCS", &message, &[]);
    openssl::verify_message(&public, openssl::Hash::Sha256, &[], &message, &signature);
    module
        .login()
        .words("--delete-object --type cert --id 01")
        .ok();
    module
        .tool()
        .words("--list-objects --type cert")
        .ok()
        .lacks("subject:");
}

fn certificate_without_a_key() {
    let rig = Rig::with_initialized_card();
    write_and_read_certificate(&rig, Module::reader(0), None);
}

fn write_and_read_certificate(rig: &Rig, module: Module, public: Option<&std::path::Path>) {
    let certificate = openssl::certificate(rig, public, "/CN=On the card");
    module
        .login()
        .args(["--write-object"])
        .arg(&certificate)
        .args(["--type", "cert", "--id", "01", "--label", "a certificate"])
        .ok();
    let subject = if public.is_some() {
        "On the card"
    } else {
        "Test CA"
    };
    module
        .tool()
        .words("--list-objects --type cert")
        .ok()
        .has(subject);
    module
        .tool()
        .words("--read-object --type cert --id 01 --output-file")
        .arg(rig.path("read.der"))
        .ok();
    assert_eq!(rig.read("read.der"), rig.read("certificate.der"));
}

fn write_data(rig: &Rig, module: Module, content: &[u8], more: &[&str]) {
    let file = rig.file("data", content);
    module
        .login()
        .arg("--write-object")
        .arg(file)
        .words("--type data --label note --application-label tests")
        .args(more)
        .ok();
}

fn read_data(rig: &Rig, module: Module, login: bool) -> Tool {
    drop(std::fs::remove_file(rig.path("read")));
    let tool = if login { module.login() } else { module.tool() };
    tool.words("--read-object --type data --label note --output-file")
        .arg(rig.path("read"))
}

fn public_data() {
    let rig = Rig::with_initialized_card();
    let module = Module::reader(0);
    write_data(&rig, module, b"for everybody", &[]);
    read_data(&rig, module, false).ok();
    assert_eq!(rig.read("read"), b"for everybody");
    // Writing needs the PIN.
    let file = rig.file("data", b"by a stranger");
    let write = ["--type", "data", "--label", "other"];
    module
        .tool()
        .arg("--write-object")
        .arg(file)
        .args(write)
        .fails();
    module
        .login()
        .words("--delete-object --type data --label note")
        .ok();
    read_data(&rig, module, true).fails();
}

fn private_data() {
    let rig = Rig::with_initialized_card();
    let module = Module::reader(0);
    write_data(&rig, module, b"for the owner", &["--private"]);
    module
        .tool()
        .words("--list-objects --type data")
        .ok()
        .lacks("note");
    read_data(&rig, module, false).fails();
    read_data(&rig, module, true).ok();
    assert_eq!(rig.read("read"), b"for the owner");
}

/// More than one UPDATE BINARY and more than one READ BINARY.
fn large_data() {
    let rig = Rig::with_initialized_card();
    let module = Module::reader(0);
    let content: Vec<u8> = (0..3500_u32)
        .map(|value| value.to_be_bytes()[3] ^ 0x5A)
        .collect();
    write_data(&rig, module, &content, &[]);
    read_data(&rig, module, false).ok();
    assert_eq!(rig.read("read"), content);
}

fn deleted_keys() {
    let _rig = Rig::with_initialized_card();
    let module = Module::reader(0);
    module.generate("EC:secp256r1", 1);
    module.generate("EC:secp256r1", 2);
    module
        .login()
        .words("--delete-object --type privkey --id 01")
        .ok();
    let left = module.login().words("--list-objects --type privkey").ok();
    assert_eq!(left.text.matches("Private Key Object").count(), 1, "{left}");
    left.has("ID:         02");
}

fn objects_survive() {
    let mut rig = Rig::with_initialized_card();
    let module = Module::reader(0);
    module.generate("EC:secp256r1", 1);
    write_data(&rig, module, b"still here", &["--private"]);
    let public = rig.read(
        &module
            .public_key(&rig, 1)
            .file_name()
            .expect("a file")
            .to_string_lossy(),
    );
    rig.remove_cards();
    rig.insert_cards();
    read_data(&rig, module, true).ok();
    assert_eq!(rig.read("read"), b"still here");
    let again = module.public_key(&rig, 1);
    assert_eq!(
        rig.read(&again.file_name().expect("a file").to_string_lossy()),
        public
    );
    let message = rig.file("message", b"after the restart");
    let signature = module.sign(&rig, 1, "ECDSA-SHA256", &message, &[]);
    openssl::verify_message(&again, openssl::Hash::Sha256, &[], &message, &signature);
}

fn random_bytes() {
    let rig = Rig::with_initialized_card();
    let module = Module::reader(0);
    let take = |name: &str| {
        let file = rig.path(name);
        module
            .tool()
            .words("--generate-random 2000 --output-file")
            .arg(file)
            .ok();
        rig.read(name)
    };
    let (first, second) = (take("first"), take("second"));
    assert_eq!((first.len(), second.len()), (2000, 2000));
    assert_ne!(first, second);
    // 2000 fair bytes miss no more than a few of the 256 values.
    let seen: std::collections::BTreeSet<u8> = first.into_iter().collect();
    assert!(seen.len() > 240, "only {} different values", seen.len());
}
