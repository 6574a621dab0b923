//! A serving process, and the reader's side of a connection to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Longest wait for anything that must happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// SELECT of the applet.
pub(crate) const SELECT: &[u8] = &[
    0x00, 0xA4, 0x04, 0x00, 0x0B, 0xE8, 0x2B, 0x06, 0x01, 0x04, 0x01, 0x81, 0xC3, 0x1F, 0x02, 0x01,
    0x00,
];

/// The program, away from the user's own cards.
pub(crate) fn command() -> Command {
    // A process is born with the signals that whoever started the tests ignores.
    let mut command = Command::new("env");
    command
        .args(["--default-signal", env!("CARGO_BIN_EXE_hsm2-emulator")])
        .env_remove("XDG_DATA_HOME")
        .env_remove("HOME")
        .stdin(Stdio::null());
    command
}

/// A process that serves cards; killed when dropped.
pub(crate) struct Served {
    child: Child,
    ports: Vec<SocketAddr>,
    complaints: Receiver<String>,
}

impl Served {
    /// Starts `serve` with these arguments and waits until every `--listen` has its port.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::run(command(), arguments)
    }

    /// Starts `serve` without waiting for anything.
    pub(crate) fn without_port(arguments: &[&str]) -> Self {
        let (served, _) = Self::spawn(command(), arguments);
        served
    }

    pub(crate) fn run(command: Command, arguments: &[&str]) -> Self {
        let (mut served, mut output) = Self::spawn(command, arguments);
        let listeners = arguments
            .iter()
            .filter(|argument| **argument == "--listen")
            .count();
        for number in 1..=listeners {
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            let start = format!("card {number} listening on ");
            let port = line
                .trim_end()
                .strip_prefix(&start)
                .unwrap_or_else(|| panic!("{line:?} instead of a port: {}", served.complaints()));
            served.ports.push(port.parse().unwrap());
        }
        served
    }

    fn spawn(mut command: Command, arguments: &[&str]) -> (Self, impl BufRead + use<>) {
        let mut child = command
            .arg("serve")
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (line, complaints) = channel();
        std::thread::spawn(move || {
            for text in errors.lines().map_while(Result::ok) {
                if line.send(text).is_err() {
                    break;
                }
            }
        });
        (
            Self {
                child,
                ports: Vec::new(),
                complaints,
            },
            output,
        )
    }

    /// A connection to the card of this number, from 0.
    pub(crate) fn reader(&self, card: usize) -> Reader {
        Reader::over(TcpStream::connect(self.ports[card]).unwrap())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until standard error holds this text.
    pub(crate) fn wait_for(&self, text: &str) {
        while !self
            .complaints
            .recv_timeout(PATIENCE)
            .unwrap()
            .contains(text)
        {}
    }

    /// Everything on standard error that was not read yet, once the process has ended.
    fn complaints(&self) -> String {
        self.complaints.iter().collect::<Vec<_>>().join("\n")
    }

    /// Ends the process in order; it must succeed.
    pub(crate) fn stop(self) -> (ExitStatus, String) {
        let (status, said) = self.stop_with("TERM");
        assert!(status.success(), "{status}: {said}");
        (status, said)
    }

    /// Sends a signal.
    pub(crate) fn send(&self, signal: &str) {
        let sent = Command::new("kill")
            .args(["-s", signal, &self.pid().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn stop_with(mut self, signal: &str) -> (ExitStatus, String) {
        self.send(signal);
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the process does not end");
            std::thread::sleep(Duration::from_millis(2));
        };
        (status, self.complaints())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Both fail when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The reader's side of a connection.
pub(crate) struct Reader(TcpStream);

impl Reader {
    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    /// Power on and SELECT.
    pub(crate) fn select(&mut self) {
        self.send(&[0x01]);
        assert!(self.ask(SELECT).ends_with(&[0x90, 0x00]));
    }

    pub(crate) fn ask(&mut self, payload: &[u8]) -> Vec<u8> {
        self.send(payload);
        self.try_receive().expect("an answer")
    }

    /// The answer, or `None` when the process ended first.
    pub(crate) fn try_ask(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        self.0.write_all(&[&length[..], payload].concat()).ok()?;
        self.try_receive()
    }

    pub(crate) fn send(&mut self, payload: &[u8]) {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        self.raw(&[&length[..], payload].concat());
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// The next frame; `None` when the connection ends before it is complete.
    pub(crate) fn try_receive(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 2];
        self.0.read_exact(&mut length).ok()?;
        let mut payload = vec![0; usize::from(u16::from_be_bytes(length))];
        self.0.read_exact(&mut payload).ok()?;
        Some(payload)
    }
}
