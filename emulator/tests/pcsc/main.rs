//! The card as real PC/SC clients see it: pcscd, vpcd, OpenSC's tools and PKCS#11 module, GnuPG.
//!
//! Nothing here is an oracle of our own making: signatures are verified and ciphertexts are made by
//! OpenSSL, and the tools' words are theirs.
//!
//! Each test starts its own pcscd and its own cards. All of them run inside a private network and
//! mount namespace, because vpcd opens its ports on every interface and pcscd has the path of its
//! socket compiled in: a pcscd that already runs on the machine is neither used nor disturbed.
//!
//! Where something is missing (see `prerequisites.rs`) every test is reported as ignored, by name.
//! `HSM2_PCSC_TESTS=required` turns that into failures.

mod clients;
mod gnupg;
mod hostile;
mod namespace;
mod opensc_tool;
mod openssl;
mod pcscd;
mod pkcs11;
mod pkcs15;
mod prerequisites;
mod rig;
mod sc_hsm_tool;
mod tool;

use libtest_mimic::{Arguments, Trial};
use namespace::Fence;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // One pcscd at a time: the socket and the two ports are fixed.
    arguments.test_threads = Some(1);

    let mut missing = prerequisites::missing();
    if missing.is_empty() && !arguments.list && !namespace::entered() {
        match Fence::find() {
            Ok(fence) => return fence.enter(),
            Err(reason) => missing.push(reason),
        }
    }
    let required = namespace::tests_are_required();
    if !missing.is_empty() && !required && !arguments.list {
        eprintln!("PC/SC tests are ignored: {}", missing.join("; "));
    }

    let trials = tests().into_iter().map(|(name, body)| {
        let missing = missing.clone();
        let ignored = !missing.is_empty() && !required;
        Trial::test(name, move || {
            if !missing.is_empty() {
                return Err(format!("cannot run: {}", missing.join("; ")).into());
            }
            body();
            Ok(())
        })
        .with_ignored_flag(ignored)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// A test: panics when it fails.
type Body = Box<dyn FnOnce() + Send>;

fn tests() -> Vec<(String, Body)> {
    let mut all = Vec::new();
    opensc_tool::tests(&mut all);
    sc_hsm_tool::tests(&mut all);
    pkcs11::tests(&mut all);
    pkcs15::tests(&mut all);
    gnupg::tests(&mut all);
    clients::tests(&mut all);
    hostile::tests(&mut all);
    all
}

/// Adds one test under `area::name`.
fn add(
    all: &mut Vec<(String, Body)>,
    name: impl Into<String>,
    body: impl FnOnce() + Send + 'static,
) {
    all.push((name.into(), Box::new(body)));
}
