//! Command line of the virtual card.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    keep_quiet_about_damaged_files();
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("hsm2-emulator: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

/// A panic while a card file is being verified becomes an error message that names the file; the
/// panic's own words would only stand beside it.
fn keep_quiet_about_damaged_files() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        if thread.name() != Some(hsm2_emulator::store::CHECKING_THREAD) {
            usual(panic);
        }
    }));
}
