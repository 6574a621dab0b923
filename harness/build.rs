//! Tells a release build of which commit it is made: `HSM2_COMMIT`, which reports name.
//!
//! Other builds carry none: they change with every edit, and would be compiled anew for each commit.
//! Whoever builds a release without a checkout sets `HSM2_COMMIT` in the environment.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=HSM2_COMMIT");
    let given = std::env::var("HSM2_COMMIT").ok();
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    // An unpacked archive may lie in somebody else's checkout.
    let is_ours = || git(&["ls-files", "--error-unmatch", "build.rs"]).is_some();
    if given.is_none() && is_release && is_ours() {
        // These change when HEAD moves or its branch does; the sources, when the checkout is edited.
        for file in ["HEAD", "logs/HEAD", "packed-refs"] {
            if let Some(path) = git(&["rev-parse", "--git-path", file]) {
                watch(&path);
            }
        }
        for source in ["build.rs", "src", "../emulator/src", "../Cargo.lock"] {
            watch(source);
        }
        if let Some(commit) = git(&[
            "describe",
            "--always",
            "--dirty",
            "--abbrev=40",
            "--exclude=*",
        ]) {
            println!("cargo::rustc-env=HSM2_COMMIT={commit}");
        }
    } else {
        // Without this Cargo would watch every file of the package.
        watch("build.rs");
    }
}

/// Makes a change of this file run the script again. One that is not there would run it every time.
fn watch(path: &str) {
    if Path::new(path).exists() {
        println!("cargo::rerun-if-changed={path}");
    }
}

/// First line of what git says; nothing without git or outside of a checkout.
fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?.trim();
    (output.status.success() && !line.is_empty()).then(|| line.to_owned())
}
