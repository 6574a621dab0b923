//! The program on a terminal of its own, made by `script`: what it asks, what is typed, what shows.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// No answer takes so long; it turns a hang into a failure.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(20);

/// A running program and the person in front of it.
pub(crate) struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    screen: Receiver<Vec<u8>>,
    /// Process of the program behind the terminal.
    program: String,
    shown: String,
    /// How much of it was waited for.
    read: usize,
}

impl Terminal {
    /// Starts the harness with these words, in a directory.
    pub(crate) fn start(directory: &Path, words: &str) -> Self {
        // The shell says its process and then becomes the program.
        let line = format!(
            "echo \"process $$.\"; exec '{}' {words}",
            env!("CARGO_BIN_EXE_hsm2-harness")
        );
        // Without --echo always nothing typed would show, and no echo would prove nothing.
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--echo", "always", "--command"])
            .args([&line, "/dev/null"])
            .current_dir(directory)
            .env("TERM", "dumb")
            .env("SHELL", "/bin/sh")
            .env_remove("HSM2_DKEK_PASSWORD")
            .env_remove("HSM2_DKEK_NEW_PASSWORD")
            .env_remove("HSM2_KEY_PASSWORD")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`script`, of util-linux (in Debian: bsdutils)");
        let (keyboard, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        let mut terminal = Self {
            child,
            keyboard,
            screen,
            program: String::new(),
            shown: String::new(),
            read: 0,
        };
        let process = terminal.wait_for(".");
        let digits = process.chars().filter(char::is_ascii_digit);
        terminal.program = digits.collect();
        terminal
    }

    /// Waits until this shows after what was waited for before; returns all between.
    pub(crate) fn wait_for(&mut self, words: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.shown[self.read..].find(words) {
                let from = self.read;
                self.read += at + words.len();
                return self.shown[from..self.read].to_owned();
            }
            let left = end.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(more) => self.shown += &String::from_utf8_lossy(&more),
                Err(_) => panic!("no {words:?} on the screen:\n{}", self.shown),
            }
        }
    }

    /// Types a line that shows.
    pub(crate) fn type_line(&mut self, line: &str) {
        writeln!(self.keyboard, "{line}").unwrap();
        self.keyboard.flush().unwrap();
        if !line.is_empty() {
            self.wait_for(line);
        }
    }

    /// Waits until the terminal shows nothing of what is typed, and types a line.
    pub(crate) fn type_hidden(&mut self, line: &str) {
        let terminal = format!("/proc/{}/fd/0", self.program);
        let end = Instant::now() + PATIENCE;
        loop {
            let stty = Command::new("stty").args(["-a", "-F", &terminal]).output();
            let state = String::from_utf8(stty.unwrap().stdout).unwrap();
            if state.split_whitespace().any(|flag| flag == "-echo") {
                break;
            }
            assert!(
                Instant::now() < end,
                "the terminal goes on showing: {state}"
            );
            std::thread::sleep(LOOK);
        }
        writeln!(self.keyboard, "{line}").unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Waits for the end; returns the exit code and all that showed.
    pub(crate) fn end(mut self) -> (i32, String) {
        while let Ok(more) = self.screen.recv_timeout(PATIENCE) {
            self.shown += &String::from_utf8_lossy(&more);
        }
        let status = self.child.wait().unwrap();
        (status.code().unwrap(), std::mem::take(&mut self.shown))
    }
}
