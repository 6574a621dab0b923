//! The fence around pcscd: a network namespace with nothing but loopback, and an empty `/run`.
//!
//! A process cannot move itself there without unsafe code, so the test binary starts itself anew
//! under `unshare`. An ordinary user gets the same through a user namespace or, where the system
//! forbids those, through a `sudo` that asks for no password.

use std::process::{Command, ExitCode, Stdio};

const MARK: &str = "HSM2_PCSC_NAMESPACE";

/// Set to `required`, a missing prerequisite is a failure; see the crate's documentation.
const MODE: &str = "HSM2_PCSC_TESTS";

/// An empty `/run` hides the socket of a pcscd on the machine and the agents of GnuPG.
const PREPARE: &str = "PATH=$PATH:/usr/sbin:/sbin && ip link set lo up && \
                       mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/pcscd";

/// Whether this process already runs behind the fence.
pub(crate) fn entered() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Whether the tests must run, so that something missing is a failure.
pub(crate) fn tests_are_required() -> bool {
    std::env::var_os(MODE).is_some_and(|value| value == "required")
}

/// A way to build the fence on this machine: program and arguments that precede a command.
#[derive(Clone)]
pub(crate) struct Fence(&'static [&'static str]);

const AS_ROOT: &[&str] = &["unshare", "--net", "--mount"];
const AS_USER: &[&str] = &["unshare", "--net", "--mount", "--map-root-user"];
const WITH_SUDO: &[&str] = &["sudo", "-n", "unshare", "--net", "--mount"];

impl Fence {
    /// Tries the ways that this user has, in order; an error says why each of them fails.
    pub(crate) fn find() -> Result<Self, String> {
        let ways: &[&[&str]] = if is_root() {
            &[AS_ROOT]
        } else {
            &[AS_USER, WITH_SUDO]
        };
        let mut reasons = Vec::new();
        for way in ways {
            let fence = Self(way);
            let attempt = fence
                .command()
                .args(["sh", "-c", PREPARE])
                .stdin(Stdio::null())
                .output();
            match attempt {
                Ok(output) if output.status.success() => return Ok(fence),
                Ok(output) => {
                    let said = String::from_utf8_lossy(&output.stderr);
                    reasons.push(format!("`{}`: {}", way.join(" "), said.trim()));
                }
                Err(error) => reasons.push(format!("`{}`: {error}", way.join(" "))),
            }
        }
        Err(format!(
            "no private network and mount namespace ({})",
            reasons.join("; ")
        ))
    }

    /// Runs this very program with the same arguments behind the fence and returns its exit code.
    pub(crate) fn enter(&self) -> ExitCode {
        let program = std::env::current_exe().expect("the path of the test binary");
        let mode = std::env::var(MODE).unwrap_or_default();
        // By `env`, because sudo hands no variables on.
        let script = format!("{PREPARE} && exec env {MARK}=entered {MODE}=\"$0\" \"$@\"");
        let status = self
            .command()
            .args(["sh", "-c", &script, &mode])
            .arg(program)
            .args(std::env::args_os().skip(1))
            .status();
        match status {
            Ok(status) => u8::try_from(status.code().unwrap_or(1)).unwrap_or(1).into(),
            Err(error) => {
                eprintln!("cannot start unshare: {error}");
                ExitCode::FAILURE
            }
        }
    }

    fn command(&self) -> Command {
        let mut words = self.0.iter();
        let mut command = Command::new(words.next().expect("a way names its program"));
        command.args(words);
        command
    }
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout == b"0\n")
}
