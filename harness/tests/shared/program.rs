//! The program as a process, and cards that it reaches through vpcd's protocol.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use hsm2_emulator::transport::{Endpoint, Stopper, Timing, VirtualCard, serve};

/// The program with these words, at no terminal.
pub(crate) fn harness(words: &str) -> Command {
    // A process is born with the signals that whoever started the tests ignores.
    let mut command = Command::new("env");
    command.args(["--default-signal", env!("CARGO_BIN_EXE_hsm2-harness")]);
    command.args(words.split_whitespace());
    command.stdin(Stdio::null());
    command
}

/// What a process left.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn said(output: &Output) -> Said {
    Said {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub(crate) fn run(words: &str) -> Said {
    said(&harness(words).output().unwrap())
}

/// The address at which the harness says that it waits for a card.
pub(crate) fn address_in(text: &str) -> Option<SocketAddr> {
    text.split(' ').find_map(|word| {
        let word = word.trim_end().trim_end_matches(';');
        word.parse().ok()
    })
}

/// Runs a command that waits for a card at `vpcd:127.0.0.1:0`, once one was put in at that address;
/// the process is told, too. What puts it in is kept until the command has ended.
pub(crate) fn run_at<T>(
    mut command: Command,
    put_in: impl FnOnce(SocketAddr, u32) -> T,
) -> (Said, T) {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut err = String::new();
    lines.read_line(&mut err).unwrap();
    let address = address_in(&err).unwrap_or_else(|| panic!("no address in {err:?}"));
    let card = put_in(address, child.id());
    // Standard output waits in its pipe meanwhile: reports are shorter than that.
    lines.read_to_string(&mut err).unwrap();
    let mut said = said(&child.wait_with_output().unwrap());
    said.err = err;
    (said, card)
}

/// What a card of this process can do to the program that uses it.
#[derive(Clone)]
pub(crate) struct Disturber {
    stopper: Arc<Stopper>,
    program: u32,
}

impl Disturber {
    /// Takes the card out of its reader.
    pub(crate) fn pull(&self) {
        self.stopper.stop();
    }

    /// Sends the program this signal, as Ctrl-C sends INT.
    pub(crate) fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        kill.args(["-s", name, &self.program.to_string()]);
        assert!(kill.status().unwrap().success());
    }
}

/// As [`run_at`], with a card of this process, made with a hand on its reader and on the program.
pub(crate) fn run_on_card<C: VirtualCard + Send + 'static>(
    command: Command,
    make: impl FnOnce(Disturber) -> C,
) -> Said {
    let (said, (stopper, served)) = run_at(command, |address, program| {
        let (stopper, stop) = Stopper::new();
        let stopper = Arc::new(stopper);
        let mut card = make(Disturber {
            stopper: Arc::clone(&stopper),
            program,
        });
        let served = std::thread::spawn(move || {
            let endpoint = Endpoint::Connect(vec![address]);
            serve(&mut card, endpoint, Timing::default(), stop, &|_| {}).unwrap();
        });
        (stopper, served)
    });
    stopper.stop();
    served.join().unwrap();
    said
}
