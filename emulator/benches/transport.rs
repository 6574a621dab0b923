//! What a program behind a reader sees: a command over vpcd beside the same command without a
//! socket, the time from start to the first answer, resident memory; and what users wait for, over
//! vpcd from a card file, beside the figures published of another emulator of this card.
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
use hsm2_emulator::crypto::{CardRng, Curve, EcPrivateKey};
use hsm2_emulator::identity::Serial;
use hsm2_emulator::profile::NITROKEY_HSM2;
use hsm2_emulator::store::EphemeralStore;

#[path = "support/commands.rs"]
mod commands;
use commands::{GET_CHALLENGE, SELECT, apdu};

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
    let through = median(ROUNDS, || assert_eq!(reader.ask(&GET_CHALLENGE).len(), 10));
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
    let two = median(ROUNDS, || {
        assert_eq!(reader.ask(&GET_CHALLENGE).len(), 10);
        assert_eq!(second.ask(&GET_CHALLENGE).len(), 10);
    });
    row("  two cards in turn, for each", two / 2, None);
    let busy = served.processor_ticks();
    std::thread::sleep(Duration::from_secs(2));
    println!(
        "{:<44} {:>9} ticks 0",
        "processor time of two idle seconds",
        served.processor_ticks() - busy
    );
    println!(
        "{:<44} {:>8} KiB   20480 KiB",
        "resident memory, two cards",
        served.resident_kib()
    );
    drop(served);

    let start_up = median_of((0..20).map(|_| {
        let start = Instant::now();
        let served = Served::start(&[&files[0]]);
        assert_eq!(served.reader(0).ask(&GET_CHALLENGE).len(), 10);
        start.elapsed()
    }));
    row(
        "start, select, first answered command",
        start_up,
        Some(Duration::from_millis(50)),
    );

    println!("\nbeside the published figures of another emulator");
    let micros = Duration::from_micros;
    row("GET CHALLENGE 8", through, Some(micros(28)));
    let served = Served::start(&[&files[0]]);
    users_operations(&mut served.reader(0));
    row(
        "start, select, first answered command",
        start_up,
        Some(micros(7_000)),
    );
    println!(
        "{:<44} {:>8} KiB   2560 KiB",
        "resident memory, one card",
        served.resident_kib()
    );
}

/// What users wait for, each with the published figure of the other emulator as its target.
fn users_operations(reader: &mut Reader) {
    let micros = Duration::from_micros;
    reader.ok(&commands::initialise(&[0x92, 1, 1]));
    reader.ok(&apdu(0x80, 0x52, 0, 0, &[0x11; 32]));
    let generate_ec = |id| commands::generate_ec(id, Curve::Secp256r1, &[]);
    for (id, bits) in [(1, 2048), (2, 4096)] {
        reader.ok(&commands::generate_rsa(id, bits));
    }
    reader.ok(&generate_ec(3));
    reader.ok(&[0x00, 0x48, 4, 0xB2]);

    let mut rng = CardRng::from_system().unwrap();
    let peer = EcPrivateKey::generate(Curve::Secp256r1, &mut rng).public_point();
    let wrap = [0x80, 0x72, 3, 0x92, 0, 0, 0];
    let blob = reader.ok(&wrap);
    for (name, runs, command, published) in [
        (
            "P-256 sign",
            1_000,
            apdu(0x80, 0x68, 3, 0x70, &[0x5A; 32]),
            540,
        ),
        ("P-256 ECDH", 1_000, apdu(0x80, 0x62, 3, 0x80, &peer), 310),
        (
            "RSA-2048 sign",
            300,
            apdu(0x80, 0x68, 1, 0x33, b"message"),
            3_500,
        ),
        (
            "RSA-4096 sign",
            100,
            apdu(0x80, 0x68, 2, 0x33, b"message"),
            18_300,
        ),
        (
            "AES-256-CBC, 1 KiB",
            2_000,
            apdu(0x80, 0x78, 4, 0x10, &[0x5A; 1024]),
            160,
        ),
        ("wrap a P-256 key", 1_000, wrap.to_vec(), 360),
    ] {
        let time = median(runs, || drop(reader.ok(&command)));
        row(name, time, Some(micros(published)));
    }
    for (name, runs, command, published) in [
        (
            "unwrap a P-256 key",
            100,
            apdu(0x80, 0x74, 5, 0x93, &blob),
            5_600,
        ),
        ("P-256 key generation", 100, generate_ec(5), 4_800),
        (
            "RSA-2048 key generation",
            40,
            commands::generate_rsa(5, 2048),
            358_000,
        ),
    ] {
        let time = median_of((0..runs).map(|_| {
            let start = Instant::now();
            reader.ok(&command);
            let elapsed = start.elapsed();
            reader.ok(&commands::delete_key(5));
            elapsed
        }));
        row(name, time, Some(micros(published)));
    }
}

fn row(name: &str, time: Duration, target: Option<Duration>) {
    let target = target.map_or_else(String::new, |target| {
        let verdict = if time <= target { "met" } else { "MISSED" };
        format!("{target:?} {verdict}")
    });
    println!("{name:<44} {:>9.1} µs   {target}", time.as_secs_f64() * 1e6);
}

fn median(rounds: usize, mut run: impl FnMut()) -> Duration {
    median_of((0..rounds).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed()
    }))
}

fn median_of(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn direct() -> Duration {
    let serial = Serial::new("BENCH0001").unwrap();
    let store = Box::new(EphemeralStore::default());
    let rng = Box::new(CardRng::from_system().unwrap());
    let mut card = Card::personalise(&NITROKEY_HSM2, &serial, store, rng).unwrap();
    card.power_on();
    assert!(card.transmit(&SELECT).ends_with(&[0x90, 0x00]));
    median(ROUNDS, || {
        assert_eq!(card.transmit(&GET_CHALLENGE).len(), 10)
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
        assert_eq!(client.ask(&GET_CHALLENGE).len(), GET_CHALLENGE.len())
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

/// A process that serves card files; told to stop when dropped, so that it closes them.
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
        assert!(reader.ask(&SELECT).ends_with(&[0x90, 0x00]));
        reader
    }

    /// Processor time so far; Linux counts 100 ticks in a second.
    fn processor_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.unwrap_or_default();
        // Fields 14 and 15; the second, in brackets, may hold anything.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let ticks = fields.split_whitespace().skip(11).take(2);
        ticks.filter_map(|field| field.parse::<u64>().ok()).sum()
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
        let asked = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

struct Reader(TcpStream);

impl Reader {
    fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    fn ok(&mut self, command: &[u8]) -> Vec<u8> {
        let mut data = self.ask(command);
        let status = data.split_off(data.len() - 2);
        assert_eq!(status, [0x90, 0x00], "{}", hex::encode(command));
        data
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
