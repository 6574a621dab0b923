//! A pcscd of the test's own with readers of vpcd, and processes that end with the test.

use crate::prerequisites::vpcd_driver;
use crate::tool::Tool;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const PCSCD_SOCKET: &str = "/run/pcscd/pcscd.comm";
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts pcscd with one pair of readers or two, at ports 35963 and following.
pub(crate) fn start_pcscd(directory: &Path, pairs: u16) -> Daemon {
    let configuration = directory.join("reader.conf.d");
    fs::create_dir(&configuration).expect("the temporary directory is writable");
    let driver = vpcd_driver().expect("a prerequisite");
    // What Debian's package installs is the first pair: two slots, ports 35963 and 35964.
    let names = ["Virtual PCD", "Virtual PCD B"];
    for (pair, (port, name)) in (0..pairs).zip((0x8C7B..).step_by(2).zip(names)) {
        // The driver keeps its slots in one table per loaded file: each pair needs a file.
        let copy = directory.join(format!("vpcd-{pair}.so"));
        fs::copy(&driver, &copy).expect("the temporary directory is writable");
        let reader = format!(
            "FRIENDLYNAME \"{name}\"\nDEVICENAME /dev/null:{port:#X}\nLIBPATH {}\nCHANNELID {port:#X}\n",
            copy.display()
        );
        fs::write(configuration.join(format!("vpcd-{pair}")), reader)
            .expect("the temporary directory is writable");
    }

    let mut command = Command::new("pcscd");
    command
        .args(["--foreground", "--config"])
        .arg(&configuration);
    // No session bus exists behind the fence; versions that ask polkit can be told not to.
    if Tool::new("pcscd")
        .arg("--help")
        .run()
        .text
        .contains("--disable-polkit")
    {
        command.arg("--disable-polkit");
    }
    let daemon = Daemon::start("pcscd", command, directory.join("pcscd.log"));
    let slots = usize::from(pairs) * 2;
    await_condition("pcscd to offer all slots", || {
        Path::new(PCSCD_SOCKET).exists() && reader_lines().len() == slots
    });
    daemon
}

/// The lines of `opensc-tool -l` that name a reader of vpcd.
fn reader_lines() -> Vec<String> {
    let listing = Tool::new("opensc-tool").arg("--list-readers").run().text;
    listing
        .lines()
        .filter(|line| line.contains("Virtual PCD"))
        .map(str::to_owned)
        .collect()
}

/// How many readers report a card.
pub(crate) fn cards_present() -> usize {
    reader_lines()
        .iter()
        .filter(|line| line.split_whitespace().nth(1) == Some("Yes"))
        .count()
}

/// Waits until it holds; fails the test when it does not within the time for anything.
pub(crate) fn await_condition(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(
            start.elapsed() < PATIENCE,
            "waited {PATIENCE:?} in vain for {what}"
        );
        thread::sleep(Duration::from_millis(10));
    }
}

/// A process that runs until it is told to end. Its output goes to a log, shown if the test fails.
pub(crate) struct Daemon {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts it.
    pub(crate) fn start(name: &'static str, command: Command, log: PathBuf) -> Self {
        let output = File::create(&log).expect("the temporary directory is writable");
        // If this process is killed there is no drop: then the kernel ends the child.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle on the log"))
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self { name, child, log }
    }

    /// SIGTERM, then a bounded wait. The process must end by itself and with success.
    pub(crate) fn terminate(mut self) {
        self.signal_term();
        let status = self
            .wait()
            .unwrap_or_else(|| panic!("{} ignores SIGTERM", self.name));
        assert!(
            status.success(),
            "{} ended with {status} on SIGTERM",
            self.name
        );
    }

    fn signal_term(&self) {
        let sent = Command::new("kill")
            .arg(self.child.id().to_string())
            .output();
        drop(sent);
    }

    fn wait(&mut self) -> Option<std::process::ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(5) {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(5));
        }
        None
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.signal_term();
            if self.wait().is_none() {
                drop(self.child.kill());
                drop(self.child.wait());
            }
        }
        if thread::panicking() {
            let log = fs::read(&self.log).unwrap_or_default();
            eprintln!(
                "--- log of {} ---\n{}",
                self.name,
                String::from_utf8_lossy(&log)
            );
        }
    }
}
