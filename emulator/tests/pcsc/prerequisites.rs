//! What a machine must have before these tests can run, and how to get it.

use std::path::{Path, PathBuf};

const PROGRAMS: &[(&str, &str)] = &[
    ("pcscd", "pcscd"),
    ("opensc-tool", "opensc"),
    ("sc-hsm-tool", "opensc"),
    ("pkcs11-tool", "opensc"),
    ("pkcs15-tool", "opensc"),
    ("pkcs15-init", "opensc"),
    ("openssl", "openssl"),
    ("gpg", "gnupg"),
    ("gpgsm", "gpgsm"),
    ("gpg-connect-agent", "gnupg"),
    ("ip", "iproute2"),
    ("unshare", "util-linux"),
    ("setpriv", "util-linux"),
    ("timeout", "coreutils"),
];

/// One sentence for each thing that is missing; empty when the tests can run.
pub(crate) fn missing() -> Vec<String> {
    let mut missing: Vec<String> = PROGRAMS
        .iter()
        .filter(|(program, _)| find_program(program).is_none())
        .map(|(program, package)| format!("no {program} (Debian package {package})"))
        .collect();
    if vpcd_driver().is_none() {
        missing.push("no libifdvpcd.so (Debian package vsmartcard-vpcd)".into());
    }
    if pkcs11_module().is_none() {
        missing.push("no opensc-pkcs11.so (Debian package opensc-pkcs11)".into());
    }
    if scdaemon().is_none() {
        missing.push("no scdaemon (Debian package scdaemon)".into());
    }
    missing
}

/// Looks in `PATH` and in the directories of system programs, which an ordinary user's `PATH` lacks.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
}

/// The reader driver that pcscd loads.
pub(crate) fn vpcd_driver() -> Option<PathBuf> {
    in_library_directories("pcsc/drivers/serial/libifdvpcd.so")
}

/// OpenSC's PKCS#11 module.
pub(crate) fn pkcs11_module() -> Option<PathBuf> {
    in_library_directories("opensc-pkcs11.so")
}

fn scdaemon() -> Option<PathBuf> {
    [
        "/usr/lib/gnupg/scdaemon",
        "/usr/libexec/scdaemon",
        "/usr/lib/gnupg2/scdaemon",
    ]
    .into_iter()
    .map(PathBuf::from)
    .find(|candidate| candidate.is_file())
}

/// `/usr/lib`, `/usr/lib64`, and the one directory per architecture that Debian has below them.
fn in_library_directories(file: &str) -> Option<PathBuf> {
    let roots = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(Path::new);
    let below = std::fs::read_dir("/usr/lib")
        .ok()?
        .flatten()
        .map(|entry| entry.path());
    roots
        .into_iter()
        .map(Path::to_owned)
        .chain(below.filter(|path| path.to_string_lossy().contains("-linux-gnu")))
        .map(|directory| directory.join(file))
        .find(|candidate| candidate.is_file())
}
