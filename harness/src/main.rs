//! Command line of the harness.

use std::process::ExitCode;

fn main() -> ExitCode {
    hsm2_harness::cli::run()
}
