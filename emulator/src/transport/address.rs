//! Network addresses as people write them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// An address from the command line: `HOST:PORT`, `[IPV6]:PORT`, or a port on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    text: String,
}

/// What is wrong with an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address; write HOST:PORT, [IPV6]:PORT, or a port on this machine")]
pub struct AddressError(String);

/// An address that does not resolve.
#[derive(Debug, thiserror::Error)]
#[error("{address}: {cause}")]
pub struct ResolveError {
    address: String,
    cause: io::Error,
}

impl Address {
    /// A port on this machine.
    #[must_use]
    pub fn local(port: u16) -> Self {
        Self {
            text: format!("{}:{port}", Ipv4Addr::LOCALHOST),
        }
    }

    /// The socket addresses it stands for, at least one; a host name may ask a name server.
    ///
    /// # Errors
    ///
    /// [`ResolveError`] when the host name is not known.
    pub fn resolve(&self) -> Result<Vec<SocketAddr>, ResolveError> {
        let failed = |cause| ResolveError {
            address: self.text.clone(),
            cause,
        };
        let found: Vec<_> = self.text.to_socket_addrs().map_err(failed)?.collect();
        if found.is_empty() {
            return Err(failed(io::Error::new(
                io::ErrorKind::NotFound,
                "has no address",
            )));
        }
        Ok(found)
    }
}

/// True when none but this machine's own processes can be at the other end.
#[must_use]
pub fn is_local(addresses: &[SocketAddr]) -> bool {
    addresses
        .iter()
        .all(|address| address.ip().to_canonical().is_loopback())
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let refused = || AddressError(text.into());
        if let Ok(port) = text.parse() {
            return Ok(Self::local(port));
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(refused)?;
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let host_fits = !host.is_empty() && (bracketed || !host.contains(':'));
        if !host_fits || port.parse::<u16>().is_err() {
            return Err(refused());
        }
        Ok(Self { text: text.into() })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_that_people_write() {
        let rows = [
            ("35963", "127.0.0.1:35963"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("localhost:1", "localhost:1"),
            ("[::1]:7", "[::1]:7"),
        ];
        for (text, expected) in rows {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), expected);
        }
        for text in [
            "",
            ":",
            "host",
            "host:",
            ":1",
            "host:65536",
            "::1:7",
            "70000",
            "a:b:1",
        ] {
            assert_eq!(text.parse::<Address>(), Err(AddressError(text.into())));
        }
    }

    #[test]
    fn only_loopback_is_local() {
        let rows = [
            ("127.0.0.1:1", true),
            ("127.9.9.9:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("localhost:1", true),
            ("0.0.0.0:1", false),
            ("[::]:1", false),
            ("192.0.2.7:1", false),
        ];
        for (text, local) in rows {
            let addresses = text.parse::<Address>().unwrap().resolve().unwrap();
            assert_eq!(is_local(&addresses), local, "{text}");
        }
    }
}
