//! The two programs.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::program::{Said, harness, run_at};

const HARNESS: &str = env!("CARGO_BIN_EXE_hsm2-harness");

/// The emulator that was built beside the harness.
fn emulator() -> PathBuf {
    let name = format!("hsm2-emulator{}", std::env::consts::EXE_SUFFIX);
    let path = Path::new(HARNESS).with_file_name(name);
    assert!(
        path.is_file(),
        "{} is missing: build the workspace",
        path.display()
    );
    path
}

/// Ends its process when dropped.
pub(crate) struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        // Both fail when the process has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Said {
    #[track_caller]
    pub(crate) fn is(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn has(&self, words: &str) -> &Self {
        assert!(self.out.contains(words), "{words:?} in {}", self.out);
        self
    }
}

/// Starts `serve` and waits until its card is in the reader at this address.
pub(crate) fn serve_at(address: SocketAddr, words: &str) -> Served {
    let mut child = Command::new(emulator())
        .args(["serve", "--vpcd", &address.to_string()])
        .args(words.split_whitespace())
        .env_remove("XDG_DATA_HOME")
        .env_remove("HOME")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut complaints = BufReader::new(child.stderr.take().unwrap());
    let served = Served(child);
    let mut said = String::new();
    while !said.contains("in the reader at") {
        let more = complaints.read_line(&mut said).unwrap();
        assert!(more > 0, "no card comes: {said}");
    }
    // A process whose complaints nobody reads would stop at the end of the pipe.
    std::thread::spawn(move || std::io::copy(&mut complaints, &mut std::io::sink()));
    served
}

/// Runs the harness on the card that `serve` puts into its reader.
pub(crate) fn run(words: &str, serve: &str) -> Said {
    let command = harness(&format!("{words} --target vpcd:127.0.0.1:0"));
    let (said, _served) = run_at(command, |address, _| serve_at(address, serve));
    said
}
