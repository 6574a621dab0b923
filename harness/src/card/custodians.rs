//! Public-key authentication: custodians' cards in place of the user PIN.

use super::command::{Command, Expect, StatusWord};
use super::cvc::{self, Request};
use super::{Card, CardError, Outcome};

/// State of public-key authentication.
///
/// ```text
/// total, still to register, required, authenticated in this session
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quorum {
    /// Custodians.
    pub total: u8,
    /// How many of them are not registered yet.
    pub missing: u8,
    /// How many must authenticate.
    pub required: u8,
    /// How many have, since the applet was selected.
    pub authenticated: u8,
}

/// Public-key authentication: custodians' cards in place of the user PIN.
impl Card {
    /// Erases the card and sets it up for custodians instead of a PIN; their keys can be replaced
    /// later.
    ///
    /// # Errors
    /// As [`Card::initialize`].
    pub fn initialize_for_custodians(
        &mut self,
        so_pin: &[u8; 8],
        total: u8,
        required: u8,
    ) -> Result<(), CardError> {
        let data = zeroize::Zeroizing::new(
            [
                cvc::object(0x80, &[&[0x00, 0x09]]),
                cvc::object(0x82, &[so_pin]),
                cvc::object(0x93, &[&[total, required]]),
            ]
            .concat(),
        );
        let command = Command::new("INITIALIZE DEVICE", [0x80, 0x50, 0x00, 0x00]);
        self.run(&command.data(&data)).map(|_| ())
    }

    fn custodians(
        &mut self,
        name: &'static str,
        [p1, p2]: [u8; 2],
        request: &[u8],
    ) -> Result<Quorum, CardError> {
        let command = Command::new(name, [0x80, 0x54, p1, p2]).data(request);
        let answer = self.run(&command.expect(Expect::Short))?;
        match *answer.as_slice() {
            [total, missing, required, authenticated] => Ok(Quorum {
                total,
                missing,
                required,
                authenticated,
            }),
            _ => Err(CardError::Answer {
                command: name,
                what: format!("{} bytes are no state of custodians", answer.len()),
            }),
        }
    }

    /// How many custodians there are, and how many have authenticated.
    ///
    /// # Errors
    /// [`CardError::Refused`]: 6D00 when the card was not set up for custodians.
    pub fn quorum(&mut self) -> Result<Quorum, CardError> {
        self.custodians("PKA status", [0x00, 0x00], &[])
    }

    /// Registers the next custodian's key; the device that made it must be selected, see
    /// [`Card::trust`].
    ///
    /// # Errors
    /// [`CardError::Refused`]: 6985 when the key is registered, or all are.
    pub fn register_custodian(&mut self, key: &Request) -> Result<Quorum, CardError> {
        self.custodians("PKA register", [0x00, 0x00], &key.content)
    }

    /// Puts another key in a custodian's place, numbered from 0.
    ///
    /// # Errors
    /// [`CardError::Refused`]: 6982 when the custodians have not authenticated.
    pub fn replace_custodian(&mut self, index: u8, key: &Request) -> Result<Quorum, CardError> {
        self.custodians("PKA replace", [0x01, index], &key.content)
    }

    /// Draws what a custodian has to sign: 8 bytes.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn custodian_challenge(&mut self) -> Outcome {
        let command = Command::new("GET CHALLENGE", [0x00, 0x84, 0x00, 0x00]);
        self.run(&command.expect(Expect::Bytes(8)))
    }

    /// Selects a custodian's key by its name.
    ///
    /// # Errors
    /// [`CardError::Refused`]: 6A88 when no custodian has this name.
    pub fn select_custodian(&mut self, name: &[u8]) -> Result<(), CardError> {
        let command = Command::new("MSE SET AT", [0x00, 0x22, 0x81, 0xa4]);
        self.run(&command.data(&cvc::object(0x83, &[name])))
            .map(|_| ())
    }

    /// Presents the selected custodian's signature, r || s.
    ///
    /// # Errors
    /// [`CardError::Refused`]: 6300 when it does not verify.
    pub fn authenticate_custodian(&mut self, signature: &[u8]) -> Result<(), CardError> {
        let command = Command::new("EXTERNAL AUTHENTICATE", [0x00, 0x82, 0x00, 0x00]);
        self.run(&command.data(signature)).map(|_| ())
    }

    /// Asks whether the user counts as authenticated, without presenting a PIN.
    ///
    /// # Errors
    /// [`CardError::Transport`].
    pub fn user_state(&mut self) -> Result<StatusWord, CardError> {
        let command = Command::new("VERIFY status", [0x00, 0x20, 0x00, 0x81]);
        Ok(self.exchange(&command)?.1)
    }
}
