//! A virtual card on the other end of a TCP connection, in the protocol of vpcd.
//!
//! The harness is the reader: it listens, cards connect. Each message in either direction has a
//! length of two bytes, big endian. From the reader a message of one byte controls the card: 00 power
//! off, 01 power on, 02 reset, 04 asks for the ATR, the only one of these with an answer. All other
//! messages are APDUs.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::{Target, TransportError};

const POWER_OFF: &[u8] = &[0];
const POWER_ON: &[u8] = &[1];
const RESET: &[u8] = &[2];
const ATR: &[u8] = &[4];

/// Longest wait for an answer: a card may take a minute to make an RSA key of 4096 bits.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(180);

/// Longest wait for the ATR of what has connected.
const ATR_TIMEOUT: Duration = Duration::from_secs(5);
/// How often somebody who waits is told so.
const REMINDER: Duration = Duration::from_secs(10);
/// Pause between two looks for a connection.
const LOOK: Duration = Duration::from_millis(10);

/// A connected card.
#[derive(Debug)]
pub struct Vpcd {
    stream: TcpStream,
    atr: Vec<u8>,
}

impl Vpcd {
    /// Waits for the next card to connect, at most so long, and powers it. `tell` hears now and then
    /// that nobody has come yet.
    ///
    /// # Errors
    /// [`TransportError`] when nobody connects, the connection fails or what connected gives no ATR.
    pub fn accept(
        listener: &TcpListener,
        patience: Duration,
        tell: &mut dyn FnMut(&str),
    ) -> Result<Self, TransportError> {
        let stream = connection(listener, patience, tell)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ATR_TIMEOUT))?;
        let mut card = Self {
            stream,
            atr: Vec::new(),
        };
        card.send(POWER_ON)?;
        card.atr = card.ask_for_atr().map_err(|error| {
            TransportError::Protocol(format!(
                "what connected is no virtual card, it gave no ATR: {error}"
            ))
        })?;
        card.stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        Ok(card)
    }

    fn ask_for_atr(&mut self) -> Result<Vec<u8>, TransportError> {
        self.send(ATR)?;
        self.receive()
    }

    fn send(&mut self, message: &[u8]) -> Result<(), TransportError> {
        let length = u16::try_from(message.len()).map_err(|_| {
            TransportError::Protocol(format!("{} bytes do not fit a message", message.len()))
        })?;
        let framed = zeroize::Zeroizing::new([&length.to_be_bytes(), message].concat());
        self.stream.write_all(&framed).map_err(gone)
    }

    fn receive(&mut self) -> Result<Vec<u8>, TransportError> {
        let mut length = [0; 2];
        self.stream.read_exact(&mut length).map_err(gone)?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        self.stream.read_exact(&mut message).map_err(gone)?;
        Ok(message)
    }
}

/// Waits for a connection.
fn connection(
    listener: &TcpListener,
    patience: Duration,
    tell: &mut dyn FnMut(&str),
) -> Result<TcpStream, TransportError> {
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let start = Instant::now();
    let mut told = Duration::ZERO;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        let waited = start.elapsed();
        let left = patience.saturating_sub(waited);
        if left.is_zero() {
            let seconds = patience.as_secs();
            return Err(TransportError::Timeout(format!(
                "no card connected to {address} within {seconds} s"
            )));
        }
        if waited >= told + REMINDER {
            told = waited;
            tell(&format!(
                "no card at {address} yet, waiting another {} s",
                left.as_secs()
            ));
        }
        std::thread::sleep(LOOK.min(left));
    }
}

/// Says of a broken connection that the card is no longer there.
fn gone(error: std::io::Error) -> TransportError {
    match error.kind() {
        ErrorKind::UnexpectedEof
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe => TransportError::Removed("its virtual reader".into()),
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            TransportError::Timeout("the card does not answer".into())
        }
        _ => error.into(),
    }
}

impl Target for Vpcd {
    fn describe(&self) -> String {
        let peer = self.stream.peer_addr();
        let peer = peer.map_or_else(|_| "a closed connection".into(), |peer| peer.to_string());
        format!(
            "card at {peer}, ATR {}",
            hex::encode_upper(self.atr.as_slice())
        )
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        if command.len() < 4 {
            // One byte would control the card instead of reaching it.
            return Err(TransportError::Protocol(
                "a command has at least four bytes".into(),
            ));
        }
        self.send(command)?;
        self.receive()
    }

    fn atr(&self) -> Vec<u8> {
        self.atr.clone()
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.send(RESET)
    }

    fn power_cycle(&mut self) -> Result<(), TransportError> {
        self.send(POWER_OFF)?;
        self.send(POWER_ON)
    }
}

impl Drop for Vpcd {
    fn drop(&mut self) {
        // A card that has gone needs no power any more.
        let _ = self.send(POWER_OFF);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").unwrap()
    }

    #[test]
    fn nobody_connects() {
        let outcome = Vpcd::accept(&listener(), Duration::from_millis(30), &mut |_| {});
        let error = outcome.unwrap_err();
        assert!(matches!(error, TransportError::Timeout(_)), "{error}");
    }

    #[test]
    fn what_hangs_up_is_no_card() {
        let listener = listener();
        drop(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        let outcome = Vpcd::accept(&listener, Duration::from_secs(5), &mut |_| {});
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains("no ATR"), "{error}");
    }
}
