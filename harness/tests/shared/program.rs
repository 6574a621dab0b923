//! The program as a process, and cards that it reaches through vpcd's protocol.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use hsm2_emulator::transport::{Endpoint, Stopper, Timing, VirtualCard, serve};

/// The program with these words, at no terminal.
pub(crate) fn harness(words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hsm2-harness"));
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

/// Runs a command that waits for a card at `vpcd:127.0.0.1:0`, once one was put in at that address.
/// What puts it in is kept until the command has ended.
pub(crate) fn run_at<T>(mut command: Command, put_in: impl FnOnce(SocketAddr) -> T) -> (Said, T) {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut err = String::new();
    lines.read_line(&mut err).unwrap();
    let address = address_in(&err).unwrap_or_else(|| panic!("no address in {err:?}"));
    let card = put_in(address);
    // Standard output waits in its pipe meanwhile: reports are shorter than that.
    lines.read_to_string(&mut err).unwrap();
    let mut said = said(&child.wait_with_output().unwrap());
    said.err = err;
    (said, card)
}

/// As [`run_at`], with a card of this process, made with a way to take it out of its reader.
pub(crate) fn run_on_card<C: VirtualCard + Send + 'static>(
    command: Command,
    make: impl FnOnce(Arc<Stopper>) -> C,
) -> Said {
    let (said, (stopper, served)) = run_at(command, |address| {
        let (stopper, stop) = Stopper::new();
        let stopper = Arc::new(stopper);
        let mut card = make(Arc::clone(&stopper));
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
