//! `soak [SECONDS [REQUESTS]]`: many rude clients on many cards over loopback, for 60 seconds and
//! five million requests at most, or as asked.
//!
//! Each client owns a file on its card and writes a growing number into it. It hangs up at random:
//! in order, in the middle of a frame, or without reading the response; it reads byte by byte, sends
//! rubbish, stops in the middle of a frame or takes no response for longer than the card waits.
//! Whenever it is back it finds the last number that was acknowledged, or the one after it. In the
//! end the process has no more memory than soon after the start, and no more open files and threads
//! than before.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that runs as a program: it fails by panicking"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hsm2_attack::apdu::{SELECT, initialize, log_in, read, update};
use hsm2_attack::bench::Bench;
use hsm2_emulator::crypto::CardRng;
use hsm2_emulator::transport::{Endpoint, Stopper, Timing, serve};
use rand_core::Rng;

const CARDS: u8 = 8;
const CLIENTS: u8 = 4;
/// A client that hears nothing for so long has lost its card.
const PATIENCE: Duration = Duration::from_secs(20);
/// Growth of resident memory that allocators explain, in KiB.
const SLACK: u64 = 8 * 1024;

/// How long a card waits for the rest of a frame, and for a response to be taken.
const STALL: Duration = Duration::from_millis(100);

/// What all clients add up; none of it grows.
struct Totals {
    requests: AtomicU64,
    most_requests: u64,
    hang_ups: AtomicU64,
    stalls: AtomicU64,
    latencies: Histogram,
    over: AtomicBool,
}

impl Totals {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
            || self.requests.load(Ordering::Relaxed) >= self.most_requests
    }
}

/// Counts of microseconds: eight classes for each power of two.
struct Histogram([AtomicU64; 256]);

impl Histogram {
    fn note(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap().max(1);
        let power = micros.ilog2();
        let eighth = ((micros << 3) >> power) & 7;
        let class = usize::try_from(u64::from(power) * 8 + eighth).unwrap();
        self.0[class.min(255)].fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0
            .iter()
            .map(|class| class.load(Ordering::Relaxed))
            .sum()
    }

    /// Microseconds that so many of a hundred did not exceed, to an eighth.
    fn percentile(&self, percent: u64) -> u64 {
        let wanted = self.count() * percent / 100;
        let mut seen = 0;
        for (class, count) in (0_u64..).zip(&self.0) {
            seen += count.load(Ordering::Relaxed);
            if seen > wanted {
                return ((9 + class % 8) << (class / 8)) >> 3;
            }
        }
        u64::MAX
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |or| arguments.next().map_or(or, |text| text.parse().unwrap());
    let (seconds, most_requests) = (number(60), number(5_000_000));
    serve_nobody();
    let before = held();
    let totals = Arc::new(Totals {
        requests: AtomicU64::new(0),
        most_requests,
        hang_ups: AtomicU64::new(0),
        stalls: AtomicU64::new(0),
        latencies: Histogram([const { AtomicU64::new(0) }; 256]),
        over: AtomicBool::new(false),
    });
    let (stopper, stop) = Stopper::new();
    let mut cards = Vec::new();
    let mut clients: Vec<JoinHandle<()>> = Vec::new();
    for number in 0..CARDS {
        let mut bench = Bench::virgin(number);
        bench.ok(&initialize(1, &[]));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = stop.clone();
        cards.push(std::thread::spawn(move || {
            // The store's diary would grow: the card alone is what is soaked.
            let snapshot = bench.card.snapshot().powered_off();
            let store = Box::new(hsm2_emulator::store::EphemeralStore::default());
            let rng = Box::new(CardRng::from_seed([number; 32]));
            let mut card = hsm2_emulator::card::Card::from_snapshot(&snapshot, store, rng).unwrap();
            let timing = Timing {
                stall: STALL,
                ..Timing::default()
            };
            serve(&mut card, Endpoint::Listen(listener), timing, stop, &|_| {}).unwrap();
        }));
        for client in 0..CLIENTS {
            let totals = totals.clone();
            clients.push(std::thread::spawn(move || {
                Client::new(address, number, client, &totals).run();
            }));
        }
    }

    let start = Instant::now();
    let span = Duration::from_secs(seconds);
    while start.elapsed() < span / 5 && !totals.is_over() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let early = resident();
    while start.elapsed() < span && !totals.is_over() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let late = resident();
    totals.over.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().expect("a client found a rule broken");
    }
    stopper.stop();
    for card in cards {
        card.join().expect("a card ended with a panic");
    }

    // Sockets of the kernel and threads need a moment to be gone.
    let patience = Instant::now();
    while held() != before && patience.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(10));
    }
    let after = held();

    let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
    println!(
        "{} requests in {:.0} s on {CARDS} cards by {} clients, {} hang-ups, {} stalls",
        count(&totals.requests),
        start.elapsed().as_secs_f64(),
        u32::from(CARDS) * u32::from(CLIENTS),
        count(&totals.hang_ups),
        count(&totals.stalls),
    );
    println!(
        "latency: p50 {} us, p99 {} us",
        totals.latencies.percentile(50),
        totals.latencies.percentile(99)
    );
    println!("resident memory: {early} KiB early, {late} KiB in the end");
    println!("open files and threads: {before:?} before, {after:?} in the end");
    assert!(totals.latencies.count() > 100, "hardly anything was asked");
    assert!(late <= early + SLACK, "the process has grown");
    assert_eq!(before, after, "open files or threads are left");
}

/// Serves a card and stops at once. The first event loop of a process opens two sockets, for signals,
/// that stay; what is held afterwards is what cards and clients must not add to.
fn serve_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (stopper, stop) = Stopper::new();
    stopper.stop();
    let mut card = Bench::virgin(0).card;
    let endpoint = Endpoint::Listen(listener);
    serve(&mut card, endpoint, Timing::default(), stop, &|_| {}).unwrap();
}

/// Open files and threads of this process; 0 where the system does not say.
fn held() -> [usize; 2] {
    ["/proc/self/fd", "/proc/self/task"]
        .map(|folder| std::fs::read_dir(folder).map_or(0, Iterator::count))
}

/// Resident memory in KiB; 0 where the system does not say.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

struct Client<'a> {
    address: SocketAddr,
    file: u16,
    dice: CardRng,
    totals: &'a Totals,
    /// The last number that was acknowledged, and the one that may have been written since.
    acknowledged: u32,
    attempted: u32,
}

impl<'a> Client<'a> {
    fn new(address: SocketAddr, card: u8, client: u8, totals: &'a Totals) -> Self {
        let mut seed = [0; 32];
        (seed[0], seed[1]) = (card, client);
        Self {
            address,
            file: 0xCA00 | u16::from(client),
            dice: CardRng::from_seed(seed),
            totals,
            acknowledged: 0,
            attempted: 0,
        }
    }

    fn run(&mut self) {
        while !self.totals.is_over() {
            self.visit();
            self.totals.hang_ups.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One connection, ended in some rude way; none when the card hung up first.
    fn visit(&mut self) -> Option<()> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        frame(&mut stream, &[1])?;
        assert!(self.ask(&mut stream, SELECT)?.ends_with(&[0x90, 0x00]));
        assert!(self.ask(&mut stream, &log_in())?.ends_with(&[0x90, 0x00]));
        self.check(&mut stream)?;
        for _ in 0..self.dice.next_u32() % 40 {
            self.attempted = self.acknowledged + 1;
            let command = update(self.file, 0, &self.attempted.to_be_bytes());
            match self.dice.next_u32() % 1000 {
                // Hangs up in the middle of a frame.
                0..50 => {
                    let half = command.len() / 2;
                    let length = u16::try_from(command.len()).unwrap().to_be_bytes();
                    let _ = stream.write_all(&[&length[..], &command[..half]].concat());
                    return None;
                }
                // Does not wait for the response.
                50..100 => {
                    frame(&mut stream, &command)?;
                    return None;
                }
                // Rubbish.
                100..150 => {
                    let mut rubbish = vec![0; 2 + (self.dice.next_u32() % 300) as usize];
                    self.dice.fill_bytes(&mut rubbish);
                    // No rubbish of this kind can be a command that does something.
                    rubbish[0] = 0xFF;
                    assert!(self.ask(&mut stream, &rubbish)?.len() >= 2);
                }
                // Reads byte by byte.
                150..200 => {
                    frame(&mut stream, &read(0x2F02))?;
                    for byte in 0..self.dice.next_u32() % 200 {
                        stream.read_exact(&mut [0]).ok()?;
                        if byte % 8 == 0 {
                            std::thread::sleep(Duration::from_micros(100));
                        }
                    }
                    return None;
                }
                // Stops in the middle of a frame: the card must hang up.
                200 => {
                    stream.write_all(&[0, 40, 0x00]).ok()?;
                    self.must_be_hung_up_on(&mut stream);
                    return None;
                }
                // Asks and takes nothing, until no buffer holds more: the card must hang up.
                201 => {
                    while frame(&mut stream, &read(0x2F02)).is_some() {}
                    self.totals.stalls.fetch_add(1, Ordering::Relaxed);
                    return None;
                }
                _ => {
                    assert_eq!(self.ask(&mut stream, &command)?, [0x90, 0x00]);
                    self.acknowledged = self.attempted;
                }
            }
        }
        self.check(&mut stream)
    }

    /// The card ends the connection, not at once and not never.
    fn must_be_hung_up_on(&self, stream: &mut TcpStream) {
        let start = Instant::now();
        let heard = stream.read(&mut [0; 1]);
        let hung_up = !matches!(heard, Ok(1)) && start.elapsed() < PATIENCE;
        assert!(hung_up, "{heard:?}");
        assert!(
            start.elapsed() >= STALL / 2,
            "hung up on after {:?}",
            start.elapsed()
        );
        self.totals.stalls.fetch_add(1, Ordering::Relaxed);
    }

    /// The file holds what it must.
    fn check(&mut self, stream: &mut TcpStream) -> Option<()> {
        let found = self.ask(stream, &read(self.file))?;
        let number = match found.len() {
            2 => 0,
            6 => u32::from_be_bytes(found[..4].try_into().unwrap()),
            _ => panic!("file {:04X}: {}", self.file, hex::encode(found)),
        };
        assert!(
            number == self.acknowledged || number == self.attempted,
            "file {:04X} holds {number}, acknowledged {}, attempted {}",
            self.file,
            self.acknowledged,
            self.attempted
        );
        self.acknowledged = number;
        Some(())
    }

    fn ask(&mut self, stream: &mut TcpStream, command: &[u8]) -> Option<Vec<u8>> {
        let start = Instant::now();
        frame(stream, command)?;
        let answer = answer(stream)?;
        self.totals.requests.fetch_add(1, Ordering::Relaxed);
        // The first answer of a connection waits for the other clients of the card.
        if command != SELECT {
            self.totals.latencies.note(start.elapsed());
        }
        Some(answer)
    }
}

fn frame(stream: &mut TcpStream, payload: &[u8]) -> Option<()> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length[..], payload].concat()).ok()
}

fn answer(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut payload = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut payload).ok()?;
    Some(payload)
}
