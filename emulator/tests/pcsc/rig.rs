//! One pcscd with the two slots of vpcd, and the cards in them.

use crate::prerequisites::vpcd_driver;
use crate::tool::Tool;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const EMULATOR: &str = env!("CARGO_BIN_EXE_hsm2-emulator");
const PCSCD_SOCKET: &str = "/run/pcscd/pcscd.comm";
const PATIENCE: Duration = Duration::from_secs(20);

/// The security officer's PIN of every card that a test initialises.
pub(crate) const SO_PIN: &str = "3537363231383830";
/// The user's PIN of every card that a test initialises.
pub(crate) const USER_PIN: &str = "648219";

/// Running readers and cards; ends what it started when dropped.
pub(crate) struct Rig {
    // Field order is drop order: the cards leave before the readers, the files go last.
    cards: Option<Daemon>,
    _readers: Daemon,
    card_files: Vec<PathBuf>,
    directory: TempDir,
}

impl Rig {
    /// Readers with `count` new cards, as they leave the factory: never initialised.
    pub(crate) fn with_cards(count: usize) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let readers = start_pcscd(directory.path());
        let mut rig = Self {
            cards: None,
            _readers: readers,
            card_files: Vec::new(),
            directory,
        };
        for number in 0..count {
            let file = rig.path(&format!("card-{number}"));
            Tool::new(EMULATOR).words("card create").arg(&file).ok();
            rig.card_files.push(file);
        }
        rig.insert_cards();
        rig
    }

    /// Readers with one card that is initialised and has no DKEK.
    pub(crate) fn with_initialized_card() -> Self {
        let rig = Self::with_cards(1);
        rig.initialize(0, &[]);
        rig
    }

    /// Starts the cards' process and waits until each reader reports its card.
    pub(crate) fn insert_cards(&mut self) {
        let mut command = Command::new(EMULATOR);
        command.arg("serve");
        for file in &self.card_files {
            command.arg("--card").arg(file);
        }
        self.cards = Some(Daemon::start("the cards", command, self.path("cards.log")));
        let count = self.card_files.len();
        await_condition("the cards to be in their readers", || {
            cards_present() == count
        });
    }

    /// Ends the cards' process as an administrator would and waits until the readers are empty.
    pub(crate) fn remove_cards(&mut self) {
        let cards = self.cards.take().expect("the cards are inserted");
        cards.terminate();
        await_condition("the readers to be empty", || cards_present() == 0);
    }

    /// A file of this rig, gone when the rig is dropped.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file of this rig and returns its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("the temporary directory is writable");
        path
    }

    /// Reads a file of this rig.
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        let path = self.path(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// `sc-hsm-tool` on the card in the given reader, in the rig's directory.
    pub(crate) fn sc_hsm_tool(&self, reader: usize) -> Tool {
        Tool::new("sc-hsm-tool")
            .words(&format!("--reader {reader}"))
            .directory(self.directory.path())
    }

    /// Initialises a card and checks that it took it: the tool's exit code does not tell.
    pub(crate) fn initialize(&self, reader: usize, more: &[&str]) {
        self.sc_hsm_tool(reader)
            .words(&format!("--initialize --so-pin {SO_PIN} --pin {USER_PIN}"))
            .args(more)
            .ok()
            .lacks("failed");
        self.sc_hsm_tool(reader)
            .ok()
            .has("User PIN tries left")
            .lacks("never been initialized");
    }
}

fn start_pcscd(directory: &Path) -> Daemon {
    let configuration = directory.join("reader.conf.d");
    fs::create_dir(&configuration).expect("the temporary directory is writable");
    let driver = vpcd_driver().expect("a prerequisite");
    // What Debian's package installs: two slots, ports 35963 and 35964.
    let reader = format!(
        "FRIENDLYNAME \"Virtual PCD\"\nDEVICENAME /dev/null:0x8C7B\nLIBPATH {}\nCHANNELID 0x8C7B\n",
        driver.display()
    );
    fs::write(configuration.join("vpcd"), reader).expect("the temporary directory is writable");

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
    await_condition("pcscd to offer both slots", || {
        Path::new(PCSCD_SOCKET).exists() && reader_lines().len() == 2
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

fn cards_present() -> usize {
    reader_lines()
        .iter()
        .filter(|line| line.split_whitespace().nth(1) == Some("Yes"))
        .count()
}

fn await_condition(what: &str, mut holds: impl FnMut() -> bool) {
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
struct Daemon {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    fn start(name: &'static str, command: Command, log: PathBuf) -> Self {
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
    fn terminate(mut self) {
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
