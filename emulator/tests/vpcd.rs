//! The vpcd protocol over real sockets, with a card that answers what it was asked.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hsm2_emulator::store::StoreError;
use hsm2_emulator::transport::{Endpoint, Event, Stopper, Timing, VirtualCard, serve};

/// Longest wait for anything that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

const ATR: [u8; 4] = [0x3B, 0x82, 0x01, 0x02];

/// The command that the card below cannot store.
const FAILING: [u8; 2] = [0xFE, 0x00];

/// Answers a command with its own bytes and 9000, `FF FF n` after n × 10 ms; reports the rest.
/// `FE` makes it fail to write its memory.
struct Echo {
    seen: Sender<&'static str>,
    fault: Option<StoreError>,
}

impl VirtualCard for Echo {
    fn atr(&self) -> &[u8] {
        &ATR
    }
    fn power_on(&mut self) {
        self.seen.send("on").unwrap();
    }
    fn power_off(&mut self) {
        self.seen.send("off").unwrap();
    }
    fn reset(&mut self) {
        self.seen.send("reset").unwrap();
    }
    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        if let [0xFF, 0xFF, tens] = command {
            std::thread::sleep(Duration::from_millis(u64::from(*tens) * 10));
        }
        if command == FAILING {
            self.fault = Some(StoreError::Encoding("no room".into()));
        }
        let mut response = command[..command.len().min(60_000)].to_vec();
        response.extend_from_slice(&[0x90, 0x00]);
        response
    }
    fn take_fault(&mut self) -> Option<StoreError> {
        self.fault.take()
    }
}

/// A card that is being served on its own thread.
struct Served {
    seen: Receiver<&'static str>,
    events: Receiver<String>,
    stopper: Stopper,
    thread: JoinHandle<std::io::Result<()>>,
}

impl Served {
    fn start(endpoint: Endpoint) -> Self {
        let timing = Timing {
            stall: Duration::from_millis(150),
            shortest_pause: Duration::from_millis(5),
            longest_pause: Duration::from_millis(20),
        };
        let (seen_by_card, seen) = channel();
        let (happened, events) = channel();
        let (stopper, stop) = Stopper::new();
        let thread = std::thread::spawn(move || {
            let mut card = Echo {
                seen: seen_by_card,
                fault: None,
            };
            serve(&mut card, endpoint, timing, stop, &|event| {
                let text = match event {
                    Event::Waiting(_) => "waiting".into(),
                    Event::Connected(_) => "connected".into(),
                    Event::Ended(_, reason) => format!("ended: {reason}"),
                    Event::Fault(cause) => format!("fault: {cause}"),
                };
                happened.send(text).unwrap();
            })
        });
        Self {
            seen,
            events,
            stopper,
            thread,
        }
    }

    fn listening() -> (Self, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (Self::start(Endpoint::Listen(listener)), address)
    }

    fn event(&self) -> String {
        self.events.recv_timeout(PATIENCE).unwrap()
    }

    fn saw(&self) -> &'static str {
        self.seen.recv_timeout(PATIENCE).unwrap()
    }

    /// Stops the card; fails when it does not come to an end.
    fn stop(self) {
        self.stopper.stop();
        let deadline = Instant::now() + PATIENCE;
        while !self.thread.is_finished() {
            assert!(Instant::now() < deadline, "the card does not stop");
            std::thread::yield_now();
        }
        self.thread.join().unwrap().unwrap();
    }
}

/// The reader's side of a connection.
struct Reader(TcpStream);

impl Reader {
    fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).unwrap())
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    fn send(&mut self, payload: &[u8]) {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        self.raw(&[&length[..], payload].concat());
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut length = [0; 2];
        self.0.read_exact(&mut length).unwrap();
        let mut payload = vec![0; usize::from(u16::from_be_bytes(length))];
        self.0.read_exact(&mut payload).unwrap();
        payload
    }

    fn ask(&mut self, payload: &[u8]) -> Vec<u8> {
        self.send(payload);
        self.receive()
    }

    /// True when the card has hung up without another byte.
    fn is_closed(&mut self) -> bool {
        let mut byte = [0; 1];
        match self.0.read(&mut byte) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

#[test]
fn why_memory_could_not_be_written_is_told_once() {
    let (card, address) = Served::listening();
    let mut reader = Reader::connect(address);
    assert_eq!(card.event(), "connected");
    reader.ask(&FAILING);
    reader.ask(&[0xB0, 0x01]);
    drop(reader);
    assert_eq!(
        card.event(),
        "fault: a record of the card could not be encoded: no room"
    );
    assert_eq!(card.event(), "ended: the reader closed the connection");
    card.stop();
}

/// vpcd writes the length and the payload by themselves on a socket that waits for
/// acknowledgements; each one that is put off costs 40 ms.
#[test]
#[cfg(target_os = "linux")]
fn a_frame_in_two_writes_is_not_held_back() {
    let (card, address) = Served::listening();
    let mut reader = Reader::connect(address);
    let start = Instant::now();
    for _ in 0..50 {
        reader.raw(&[0, 2]);
        reader.raw(&[0xB0, 0x01]);
        assert_eq!(reader.receive(), [0xB0, 0x01, 0x90, 0x00]);
    }
    let elapsed = start.elapsed();
    assert!(elapsed < Duration::from_secs(1), "50 commands: {elapsed:?}");
    card.stop();
}

#[test]
fn control_codes_reach_the_card_and_only_the_atr_is_answered() {
    let (card, address) = Served::listening();
    let mut reader = Reader::connect(address);
    reader.send(&[0x01]);
    reader.send(&[0x02]);
    reader.send(&[0x00]);
    reader.send(&[0x7E]);
    assert_eq!(reader.ask(&[0x04]), ATR);
    assert_eq!([card.saw(), card.saw(), card.saw()], ["on", "reset", "off"]);
    assert_eq!(
        reader.ask(&[0x00, 0x84, 0x00, 0x00]),
        [0x00, 0x84, 0x00, 0x00, 0x90, 0x00]
    );
    card.stop();
}

#[test]
fn frames_of_any_size_and_fragmentation_are_answered() {
    let (card, address) = Served::listening();
    let mut reader = Reader::connect(address);
    reader.raw(&[0, 0]);
    assert_eq!(reader.ask(&[1, 2]), [1, 2, 0x90, 0x00]);
    let largest = vec![0xA5; 0xFFFF];
    assert_eq!(reader.ask(&largest).len(), 60_002);
    for byte in [0x00, 0x03, 0x0A, 0x0B, 0x0C] {
        reader.raw(&[byte]);
    }
    assert_eq!(reader.receive(), [0x0A, 0x0B, 0x0C, 0x90, 0x00]);
    // Two commands in one segment have two answers.
    reader.raw(&[0, 2, 1, 1, 0, 2, 2, 2]);
    assert_eq!(reader.receive(), [1, 1, 0x90, 0x00]);
    assert_eq!(reader.receive(), [2, 2, 0x90, 0x00]);
    card.stop();
}

#[test]
fn a_reader_that_falls_silent_in_a_frame_loses_its_place() {
    let (card, address) = Served::listening();
    let mut silent = Reader::connect(address);
    silent.raw(&[0x00, 0x10, 0x01]);
    // Waits its turn in the meantime.
    let mut next = Reader::connect(address);
    assert_eq!(next.ask(&[1, 2]), [1, 2, 0x90, 0x00]);
    assert!(silent.is_closed());
    assert_eq!(card.event(), "connected");
    assert_eq!(
        card.event(),
        "ended: the reader stopped in the middle of a message"
    );
    assert_eq!(card.saw(), "off");
    card.stop();
}

#[test]
fn a_reader_that_drips_bytes_loses_its_place_too() {
    let (card, address) = Served::listening();
    let mut dripping = Reader::connect(address);
    dripping.raw(&[0xFF, 0xFF]);
    let stream = dripping.0.try_clone().unwrap();
    let drip = std::thread::spawn(move || {
        let mut stream = stream;
        while stream.write_all(&[0]).is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    assert!(
        Reader::connect(address)
            .ask(&[1, 2])
            .ends_with(&[0x90, 0x00])
    );
    drip.join().unwrap();
    card.stop();
}

#[test]
fn a_reader_that_takes_no_responses_loses_its_place() {
    let (card, address) = Served::listening();
    let mut deaf = Reader::connect(address);
    deaf.0
        .set_write_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let frame = [&[0xFF, 0xFF][..], &[0x5A; 0xFFFF]].concat();
    while deaf.0.write_all(&frame).is_ok() {}
    assert!(
        Reader::connect(address)
            .ask(&[1, 2])
            .ends_with(&[0x90, 0x00])
    );
    card.stop();
}

#[test]
fn an_idle_reader_keeps_its_place() {
    let (card, address) = Served::listening();
    let mut reader = Reader::connect(address);
    assert_eq!(reader.ask(&[0x04]), ATR);
    // Longer than the longest pause within a frame.
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(reader.ask(&[0x04]), ATR);
    card.stop();
}

#[test]
fn the_card_calls_again_when_the_reader_comes_back() {
    let reserved = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let card = Served::start(Endpoint::Connect(vec![address]));
    assert_eq!(card.event(), "waiting");
    for _ in 0..3 {
        let vpcd = TcpListener::bind(address).unwrap();
        let mut reader = Reader::over(vpcd.accept().unwrap().0);
        assert_eq!(card.event(), "connected");
        assert_eq!(reader.ask(&[0x04]), ATR);
        drop(vpcd);
        drop(reader);
        assert_eq!(card.event(), "ended: the reader closed the connection");
        assert_eq!(card.saw(), "off");
        // Told once for each time of waiting.
        assert_eq!(card.event(), "waiting");
    }
    card.stop();
}

#[test]
fn a_waiting_card_stops_at_once() {
    let reserved = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let waiting = Served::start(Endpoint::Connect(vec![address]));
    assert_eq!(waiting.event(), "waiting");
    waiting.stop();

    let (listening, address) = Served::listening();
    let mut half = Reader::connect(address);
    half.raw(&[0x00]);
    assert_eq!(listening.event(), "connected");
    listening.stop();
    assert!(half.is_closed());
}

#[test]
fn a_command_that_has_begun_is_answered_before_the_card_stops() {
    let (card, address) = Served::listening();
    let mut reader = Reader::connect(address);
    assert_eq!(reader.ask(&[0x04]), ATR);
    reader.send(&[0x01]);
    reader.send(&[0xFF, 0xFF, 20]);
    // The power-on has been seen, so the command behind it is being worked on or about to be.
    assert_eq!(card.saw(), "on");
    std::thread::sleep(Duration::from_millis(50));
    card.stop();
    assert_eq!(reader.receive(), [0xFF, 0xFF, 20, 0x90, 0x00]);
    assert!(reader.is_closed());
}

#[test]
fn a_busy_card_delays_no_other() {
    let (busy, busy_address) = Served::listening();
    let (other, other_address) = Served::listening();
    let mut slow = Reader::connect(busy_address);
    let mut quick = Reader::connect(other_address);
    slow.send(&[0xFF, 0xFF, 100]);
    let begin = Instant::now();
    for _ in 0..100 {
        assert!(quick.ask(&[1, 2]).ends_with(&[0x90, 0x00]));
    }
    assert!(
        begin.elapsed() < Duration::from_millis(800),
        "{:?}",
        begin.elapsed()
    );
    assert!(slow.receive().ends_with(&[0x90, 0x00]));
    busy.stop();
    other.stop();
}

#[test]
fn garbage_harms_nobody() {
    let (card, address) = Served::listening();
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    for _ in 0..60 {
        let mut reader = Reader::connect(address);
        let mut bytes = vec![0; 3000];
        for byte in &mut bytes {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = state.to_le_bytes()[3];
        }
        reader.raw(&bytes);
    }
    assert_eq!(Reader::connect(address).ask(&[0x04]), ATR);
    card.stop();
}
