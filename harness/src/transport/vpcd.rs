//! A virtual card on the other end of a TCP connection, in the protocol of vpcd.
//!
//! The harness is the reader: it listens, cards connect. Each message in either direction has a
//! length of two bytes, big endian. From the reader a message of one byte controls the card: 00 power
//! off, 01 power on, 02 reset, 04 asks for the ATR, the only one of these with an answer. All other
//! messages are APDUs.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::{Target, TransportError};

const POWER_OFF: &[u8] = &[0];
const POWER_ON: &[u8] = &[1];
const RESET: &[u8] = &[2];
const ATR: &[u8] = &[4];

/// Longest wait for an answer: a card may take a minute to make an RSA key of 4096 bits.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(180);

/// A connected card.
#[derive(Debug)]
pub struct Vpcd {
    stream: TcpStream,
    atr: Vec<u8>,
}

impl Vpcd {
    /// Waits for the next card to connect and powers it.
    ///
    /// # Errors
    /// [`TransportError`] when the connection fails or what connected gives no ATR.
    pub fn accept(listener: &TcpListener) -> Result<Self, TransportError> {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        let mut card = Self {
            stream,
            atr: Vec::new(),
        };
        card.send(POWER_ON)?;
        card.send(ATR)?;
        card.atr = card.receive()?;
        Ok(card)
    }

    fn send(&mut self, message: &[u8]) -> Result<(), TransportError> {
        let length = u16::try_from(message.len()).map_err(|_| {
            TransportError::Protocol(format!("{} bytes do not fit a message", message.len()))
        })?;
        let framed = zeroize::Zeroizing::new([&length.to_be_bytes(), message].concat());
        Ok(self.stream.write_all(&framed)?)
    }

    fn receive(&mut self) -> Result<Vec<u8>, TransportError> {
        let mut length = [0; 2];
        self.stream.read_exact(&mut length)?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        self.stream.read_exact(&mut message)?;
        Ok(message)
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

    fn reset(&mut self) -> Result<(), TransportError> {
        self.send(RESET)
    }
}

impl Drop for Vpcd {
    fn drop(&mut self) {
        // A card that has gone needs no power any more.
        let _ = self.send(POWER_OFF);
    }
}
