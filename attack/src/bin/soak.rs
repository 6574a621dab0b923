//! `soak [SECONDS]`: many rude clients on many cards over loopback, for 60 seconds or as long as
//! asked.
//!
//! Each client owns a file on its card and writes a growing number into it. It hangs up at random:
//! in order, in the middle of a frame, or without reading the response; it reads slowly, and it
//! sends rubbish. Whenever it is back it finds the last number that was acknowledged, or the one
//! after it. In the end the process must hold no more memory than soon after the start.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that runs as a program: it fails by panicking"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
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

/// What all clients add up.
#[derive(Default)]
struct Totals {
    requests: AtomicU64,
    hang_ups: AtomicU64,
    micros: Mutex<Vec<u64>>,
    over: AtomicBool,
}

fn main() {
    let seconds = std::env::args()
        .nth(1)
        .map_or(60, |text| text.parse().unwrap());
    let totals = Arc::new(Totals::default());
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
                stall: Duration::from_millis(200),
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
    while start.elapsed() < span / 5 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let early = resident();
    while start.elapsed() < span {
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

    let mut micros = totals.micros.lock().unwrap();
    micros.sort_unstable();
    let at = |percent: usize| micros[(micros.len() - 1) * percent / 100];
    println!(
        "{} requests in {seconds} s on {CARDS} cards by {} clients, {} hang-ups",
        totals.requests.load(Ordering::Relaxed),
        u32::from(CARDS) * u32::from(CLIENTS),
        totals.hang_ups.load(Ordering::Relaxed),
    );
    println!("latency: median {} us, p99 {} us", at(50), at(99));
    println!("resident memory: {early} KiB early, {late} KiB in the end");
    assert!(micros.len() > 100, "hardly anything was asked");
    assert!(late <= early + SLACK, "the process has grown");
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
    latencies: Vec<u64>,
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
            latencies: Vec::new(),
        }
    }

    fn run(&mut self) {
        while !self.totals.over.load(Ordering::Relaxed) {
            self.visit();
            self.totals.hang_ups.fetch_add(1, Ordering::Relaxed);
        }
        self.totals
            .micros
            .lock()
            .unwrap()
            .append(&mut self.latencies);
    }

    /// One connection, ended in some rude way; none when the card hung up first.
    fn visit(&mut self) -> Option<()> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        frame(&mut stream, &[1])?;
        assert!(self.ask(&mut stream, SELECT)?.ends_with(&[0x90, 0x00]));
        assert!(self.ask(&mut stream, &log_in())?.ends_with(&[0x90, 0x00]));
        self.check(&mut stream)?;
        for _ in 0..self.dice.next_u32() % 40 {
            self.attempted = self.acknowledged + 1;
            let command = update(self.file, 0, &self.attempted.to_be_bytes());
            match self.dice.next_u32() % 20 {
                // Hangs up in the middle of a frame.
                0 => {
                    let half = command.len() / 2;
                    let length = u16::try_from(command.len()).unwrap().to_be_bytes();
                    let _ = stream.write_all(&[&length[..], &command[..half]].concat());
                    return None;
                }
                // Does not wait for the response.
                1 => {
                    frame(&mut stream, &command)?;
                    return None;
                }
                // Rubbish.
                2 => {
                    let mut rubbish = vec![0; 2 + (self.dice.next_u32() % 300) as usize];
                    self.dice.fill_bytes(&mut rubbish);
                    // No rubbish of this kind can be a command that does something.
                    rubbish[0] = 0xFF;
                    assert!(self.ask(&mut stream, &rubbish)?.len() >= 2);
                }
                // Reads slowly.
                3 => {
                    frame(&mut stream, &read(0x2F02))?;
                    std::thread::sleep(Duration::from_millis(5));
                    answer(&mut stream)?;
                }
                _ => {
                    assert_eq!(self.ask(&mut stream, &command)?, [0x90, 0x00]);
                    self.acknowledged = self.attempted;
                }
            }
        }
        self.check(&mut stream)
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
        if command != SELECT && self.latencies.len() < 200_000 {
            self.latencies
                .push(u64::try_from(start.elapsed().as_micros()).unwrap());
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
