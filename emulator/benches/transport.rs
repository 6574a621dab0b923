//! What the transport and the process cost: a command over vpcd beside the same command without a
//! socket, the time from start to the first answer, and resident memory.
//!
//! `cargo bench -p hsm2-emulator --bench transport`

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hsm2_emulator::card::Card;
use hsm2_emulator::crypto::CardRng;
use hsm2_emulator::identity::Serial;
use hsm2_emulator::profile::NITROKEY_HSM2;
use hsm2_emulator::store::EphemeralStore;

const SELECT: &[u8] = &[
    0x00, 0xA4, 0x04, 0x00, 0x0B, 0xE8, 0x2B, 0x06, 0x01, 0x04, 0x01, 0x81, 0xC3, 0x1F, 0x02, 0x01,
    0x00,
];
const GET_CHALLENGE: &[u8] = &[0x00, 0x84, 0x00, 0x00, 0x08];
const ROUNDS: usize = 20_000;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["one.hsm2", "two.hsm2"].map(|name| folder.path().join(name));
    for file in &files {
        create(file);
    }
    println!("{:<44} {:>12}   target", "", "measured");

    let direct = direct();
    row("GET CHALLENGE 8, Card::transmit", direct, None);
    let served = Served::start(&[&files[0], &files[1]]);
    let mut reader = served.reader(0);
    let through = median(ROUNDS, || assert_eq!(reader.ask(GET_CHALLENGE).len(), 10));
    row("GET CHALLENGE 8, over the vpcd socket", through, None);
    let echo = echo();
    row("  the same bytes to a thread that echoes", echo, None);
    let added = through.saturating_sub(direct);
    row(
        "  added to transmit",
        added,
        Some(Duration::from_micros(30)),
    );

    let mut second = served.reader(1);
    let _ = second.ask(GET_CHALLENGE);
    println!(
        "{:<44} {:>8} KiB   20480 KiB",
        "resident memory, two cards",
        served.resident_kib()
    );
    drop(served);

    let start_up = median(20, || {
        let served = Served::start(&[&files[0]]);
        assert_eq!(served.reader(0).ask(GET_CHALLENGE).len(), 10);
    });
    row(
        "start, select, first answered command",
        start_up,
        Some(Duration::from_millis(50)),
    );
}

fn row(name: &str, time: Duration, target: Option<Duration>) {
    let target = target.map_or_else(String::new, |target| {
        let verdict = if time <= target { "met" } else { "MISSED" };
        format!("{target:?} {verdict}")
    });
    println!("{name:<44} {:>9.1} µs   {target}", time.as_secs_f64() * 1e6);
}

fn median(rounds: usize, mut run: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[rounds / 2]
}

fn direct() -> Duration {
    let serial = Serial::new("BENCH0001").unwrap();
    let store = Box::new(EphemeralStore::default());
    let rng = Box::new(CardRng::from_system().unwrap());
    let mut card = Card::personalise(&NITROKEY_HSM2, &serial, store, rng).unwrap();
    card.power_on();
    assert!(card.transmit(SELECT).ends_with(&[0x90, 0x00]));
    median(ROUNDS, || {
        assert_eq!(card.transmit(GET_CHALLENGE).len(), 10)
    })
}

/// What two sockets and a blocking thread cost on this machine, without any card.
fn echo() -> Duration {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = Reader::over(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
    let (mut server, _) = listener.accept().unwrap();
    server.set_nodelay(true).unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        while let Ok(count @ 1..) = server.read(&mut buffer) {
            if server.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
    });
    median(ROUNDS, || {
        assert_eq!(client.ask(GET_CHALLENGE).len(), GET_CHALLENGE.len())
    })
}

fn create(file: &Path) {
    let status = Command::new(env!("CARGO_BIN_EXE_hsm2-emulator"))
        .args(["card", "create"])
        .arg(file)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}

/// A process that serves card files; killed when dropped.
struct Served {
    child: Child,
    ports: Vec<String>,
}

impl Served {
    fn start(cards: &[&Path]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hsm2-emulator"));
        command
            .arg("serve")
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        for card in cards {
            command
                .arg("--card")
                .arg(card)
                .args(["--listen", "127.0.0.1:0"]);
        }
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let port = |line: String| line.rsplit(' ').next().unwrap().to_string();
        let ports = output
            .lines()
            .take(cards.len())
            .map(|line| port(line.unwrap()))
            .collect();
        Self { child, ports }
    }

    fn reader(&self, card: usize) -> Reader {
        let mut reader = Reader::over(TcpStream::connect(&self.ports[card]).unwrap());
        reader.0.write_all(&[0, 1, 1]).unwrap();
        assert!(reader.ask(SELECT).ends_with(&[0x90, 0x00]));
        reader
    }

    fn resident_kib(&self) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let line = status.unwrap_or_default();
        let found = line.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        found.map_or_else(
            || "?".into(),
            |size| size.trim().trim_end_matches(" kB").into(),
        )
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Reader(TcpStream);

impl Reader {
    fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    fn ask(&mut self, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        self.0.write_all(&[&length[..], payload].concat()).unwrap();
        let mut length = [0; 2];
        self.0.read_exact(&mut length).unwrap();
        let mut response = vec![0; usize::from(u16::from_be_bytes(length))];
        self.0.read_exact(&mut response).unwrap();
        response
    }
}
