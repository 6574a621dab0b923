//! `reproduce TARGET FILE...`: runs a fuzz target on inputs without any fuzzer, and shows what a
//! session sends. A folder stands for all files in it, which are run without a word.

use std::process::ExitCode;

use arbitrary::{Arbitrary, Unstructured};
use hsm2_attack::session::Session;
use hsm2_attack::targets::{TARGETS, keep_quiet_about_damaged_files};

fn main() -> ExitCode {
    keep_quiet_about_damaged_files();
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let Some((_, target)) = TARGETS.iter().find(|(known, _)| *known == name) else {
        let known: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
        eprintln!("reproduce TARGET FILE...\ntargets: {}", known.join(", "));
        return ExitCode::from(2);
    };
    for path in arguments {
        if let Ok(folder) = std::fs::read_dir(&path) {
            for entry in folder.flatten() {
                if let Ok(input) = std::fs::read(entry.path()) {
                    target(&input);
                }
            }
            continue;
        }
        let input = match std::fs::read(&path) {
            Ok(input) => input,
            Err(error) => {
                eprintln!("{path}: {error}");
                return ExitCode::from(3);
            }
        };
        println!("{path}: {} bytes", input.len());
        if name == "session"
            && let Ok(session) = Session::arbitrary(&mut Unstructured::new(&input))
        {
            println!("{session:#?}");
        }
        target(&input);
    }
    ExitCode::SUCCESS
}
