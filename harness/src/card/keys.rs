//! Keys: making, using, wrapping and deleting them.

use super::command::{Command, Expect};
use super::conditions::Conditions;
use super::cvc::{self, Chain, Kind, Request};
use super::{Card, CardError, Outcome, SCRATCH, read};
use crate::der::Malformed;
use crate::judge::Public;
use crate::key::curves::Curve;
use crate::verify::{PublicKey, plain_signature};

/// Algorithm identifier: ECDSA over SHA-256 of the message.
pub const ECDSA_SHA_256: u8 = 0x73;
/// Algorithm identifier: RSA PKCS#1 v1.5 over SHA-256 of the message.
pub const RSA_SHA_256: u8 = 0x33;
/// Algorithm identifier: derive an XKEK.
pub const DERIVE_XKEK: u8 = 0x84;

/// Attributes of a new key.
#[derive(Debug, Clone, Copy, Default)]
pub struct Attributes<'a> {
    /// Slot of the key domain it belongs to.
    pub domain: Option<u8>,
    /// What it may be used for; empty: everything.
    pub algorithms: &'a [u8],
}

impl Card {
    /// Makes a key pair; the answer carries the public key and the device's word for it.
    ///
    /// # Errors
    /// [`CardError`], also when a signature in the answer does not verify.
    pub fn generate(
        &mut self,
        key: u8,
        kind: Kind,
        attributes: &Attributes<'_>,
        chain: &Chain,
    ) -> Result<Request, CardError> {
        const NAME: &str = "GENERATE KEY PAIR";
        let mut objects = Vec::new();
        if !attributes.algorithms.is_empty() {
            objects.extend(cvc::object(0x91, &[attributes.algorithms]));
        }
        if let Some(slot) = attributes.domain {
            objects.extend(cvc::object(0x92, &[&[slot]]));
        }
        // The host chooses the name of a key: the device's own with the key number as its serial.
        let holder = format!("{}{key:05}", chain.serial());
        let command = Command::new(NAME, [0x00, 0x46, key, 0x00])
            .data(&cvc::generation(kind, holder.as_bytes(), &objects))
            .expect(Expect::All);
        let answer = self.run(&command)?;
        let request = Request::parse(&answer, &chain.device);
        read(NAME, request.map_err(Malformed::from))
    }

    /// Signs a message; the signature comes as r || s for EC keys.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn sign(&mut self, key: u8, public: &PublicKey, message: &[u8]) -> Outcome {
        const NAME: &str = "SIGN";
        let algorithm = match &public.numbers {
            Public::Rsa(..) => RSA_SHA_256,
            Public::Ec(..) => ECDSA_SHA_256,
        };
        let command = Command::new(NAME, [0x80, 0x68, key, algorithm]);
        let signature = self.run(&command.data(message).expect(Expect::All))?;
        match &public.numbers {
            Public::Rsa(..) => Ok(signature),
            Public::Ec(curve, _) => {
                let width = Curve::by_name(curve).map_or(0, Curve::width);
                read(NAME, plain_signature(&signature, width))
            }
        }
    }

    /// Exports a key encrypted under the KEK of its domain.
    ///
    /// # Errors
    /// [`CardError::Refused`]: 6A88 when there is no such key, it is in no domain, or the domain has
    /// no KEK.
    pub fn wrap(&mut self, key: u8) -> Outcome {
        let command = Command::new("WRAP KEY", [0x80, 0x72, key, 0x92]);
        self.run(&command.expect(Expect::All))
    }

    /// Imports a wrapped key in one command.
    ///
    /// # Errors
    /// [`CardError::Refused`]: 6A80 when it is wrapped under a KEK that the card has not.
    pub fn unwrap_key(&mut self, key: u8, blob: &[u8]) -> Result<(), CardError> {
        let command = Command::new("UNWRAP KEY", [0x80, 0x74, key, 0x93]);
        self.run(&command.data(blob)).map(|_| ())
    }

    /// Imports a wrapped key through EF 2F10, in blocks that every reader passes on.
    ///
    /// # Errors
    /// As [`Card::unwrap_key`].
    pub fn unwrap_key_in_blocks(&mut self, key: u8, blob: &[u8]) -> Result<(), CardError> {
        self.write(SCRATCH, blob)?;
        let command = Command::new("UNWRAP KEY", [0x80, 0x74, key, 0x93]);
        self.run(&command).map(|_| ())
    }

    /// Deletes a key.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn delete_key(&mut self, key: u8) -> Result<(), CardError> {
        let command = Command::new("DELETE FILE", [0x00, 0xe4, 0x02, 0x00]);
        self.run(&command.data(&[0xcc, key])).map(|_| ())
    }

    /// Numbers of all keys but the device key, in ascending order.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn keys(&mut self) -> Outcome {
        let command = Command::new("ENUMERATE OBJECTS", [0x80, 0x58, 0x00, 0x00]);
        let list = self.run(&command.expect(Expect::All))?;
        let keys = list.chunks_exact(2).filter_map(|file| match file {
            [0xcc, key] if *key != 0 => Some(*key),
            _ => None,
        });
        let mut keys: Vec<u8> = keys.collect();
        keys.sort_unstable();
        Ok(keys)
    }

    /// Conditions of use of a key.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn conditions(&mut self, key: u8) -> Result<Conditions, CardError> {
        const NAME: &str = "SELECT key";
        let command = Command::new(NAME, [0x00, 0xa4, 0x02, 0x04]);
        let answer = self.run(&command.data(&[0xcc, key]).expect(Expect::Short))?;
        read(NAME, Conditions::parse(&answer))
    }

    /// Slot of the key domain that a key belongs to.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn domain_of(&mut self, key: u8) -> Result<Option<u8>, CardError> {
        Ok(self.conditions(key)?.domain)
    }
}
