//! Trust in other devices, and who this one is.

use super::command::{Command, Expect, StatusWord};
use super::cvc::{self, Certificate, Chain};
use super::{Card, CardError, read};
use crate::der::{Malformed, Reader};

/// Device certificate and its issuer's.
const DEVICE_CERTIFICATES: u16 = 0x2f02;

impl Card {
    /// The card's own device certificate and its issuer's, EF 2F02.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn chain(&mut self) -> Result<Chain, CardError> {
        let chain = self.certificates().map(Chain::of)?;
        read("READ BINARY", chain.map_err(Malformed::from))
    }

    /// The card's own device certificate, which every device has, and those above it.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn certificates(&mut self) -> Result<(Certificate, Vec<Certificate>), CardError> {
        let file = self.read(DEVICE_CERTIFICATES)?;
        let certificates = Certificate::of_device(&file);
        read("READ BINARY", certificates.map_err(Malformed::from))
    }

    /// Makes the card verify another device's certificates and selects that device's key.
    ///
    /// Goes up until the card knows a name, then down with the certificates it lacks.
    ///
    /// # Errors
    /// [`CardError::Refused`] when it does not even know the root of the chain.
    pub fn trust(&mut self, chain: &Chain) -> Result<(), CardError> {
        let mut missing = Vec::new();
        for certificate in [&chain.device, &chain.issuer] {
            match self.select_key(&certificate.holder) {
                Ok(()) => break,
                Err(error) if error.status() == Some(StatusWord::NOT_FOUND) => {
                    missing.push(certificate);
                }
                Err(error) => return Err(error),
            }
        }
        for certificate in missing.into_iter().rev() {
            self.select_key(&certificate.authority)?;
            let verify = Command::new("VERIFY CERTIFICATE", [0x00, 0x2a, 0x00, 0xbe]);
            self.run(&verify.data(&certificate.content))?;
        }
        self.select_key(&chain.device.holder)
    }

    /// Asks for the card's half of chip authentication with this terminal's public point; returns
    /// its nonce and token. The channel that this opens ends with the next plain command.
    ///
    /// # Errors
    /// [`CardError::Refused`] when the card has no chip authentication.
    pub fn authenticate_chip(
        &mut self,
        oid: &[u8],
        point: &[u8],
    ) -> Result<[Vec<u8>; 2], CardError> {
        const NAME: &str = "GENERAL AUTHENTICATE";
        let environment = Command::new("MSE SET AT", [0x00, 0x22, 0x41, 0xa4]);
        self.run(&environment.data(&cvc::object(0x80, &[oid])))?;
        let data = cvc::object(0x7c, &[&cvc::object(0x80, &[point])]);
        let command = Command::new(NAME, [0x00, 0x86, 0x00, 0x00]);
        let answer = self.run(&command.data(&data).expect(Expect::Short))?;
        let parts = || {
            let mut outer = Reader::new(&answer);
            let mut fields = outer.expect(0x7c, "the answer")?.reader();
            let nonce = fields.expect(0x81, "the nonce")?.content.to_vec();
            let token = fields.expect(0x82, "the token")?.content.to_vec();
            Ok([nonce, token])
        };
        read(NAME, parts())
    }

    fn select_key(&mut self, name: &[u8]) -> Result<(), CardError> {
        let command = Command::new("MSE SET DST", [0x00, 0x22, 0x81, 0xb6]);
        self.run(&command.data(&cvc::object(0x83, &[name])))
            .map(|_| ())
    }
}
