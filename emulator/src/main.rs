//! Command line of the virtual card.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    hsm2_emulator::store::keep_quiet_about_damaged_files();
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("hsm2-emulator: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
