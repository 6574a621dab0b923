//! Who the card is: its device key and the chain of certificates above it.
//!
//! Every virtual card hangs below one virtual root, so that any two virtual cards trust each
//! other. The keys of that root and of the issuer below it are derived from public sentences:
//! everybody has them, and a chain that ends there proves nothing but "a virtual card".

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use crate::crypto::{self, CardRng, Curve, EcPrivateKey, Hash};
use crate::cvc::{self, CertificateFields, EcPublicKey, Parameters, Role, SignedBody, tag};
use crate::key::EcMaterial;
use crate::profile::Profile;
use crate::tlv::{self, Reader};

/// Name of the virtual root's key.
pub const ROOT_NAME: &[u8] = b"ZZVIRTROOT00001";
/// Name of the virtual issuer's key.
pub const ISSUER_NAME: &[u8] = b"ZZVIRTISSU00001";

/// The root's private key is the SHA-256 of this sentence.
const ROOT_SENTENCE: &str = "virtual HSM2 root, a key that everybody has";
/// The issuer's private key is the SHA-256 of this sentence.
const ISSUER_SENTENCE: &str = "virtual HSM2 device issuer, a key that everybody has";

/// Validity of all virtual certificates: a card has no clock to take today's date from.
const EFFECTIVE: [u8; 6] = [2, 4, 0, 1, 0, 1];
/// Last day of validity.
const EXPIRATION: [u8; 6] = [4, 9, 1, 2, 3, 1];

/// Curve of device keys and of the keys above them; hosts' chip authentication knows no other.
const CURVE: Curve = Curve::BrainpoolP256r1;

/// Country code of virtual devices: user-assigned in ISO 3166, so that no genuine one has it.
const COUNTRY: &str = "ZZ";
/// Sequence number that ends the name of a device key.
const SEQUENCE: &str = "00000";

/// A serial that cannot be part of a certificate's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a serial has 1 to 9 characters out of A-Z and 0-9, not {0:?}")]
pub struct SerialError(pub String);

/// Why a key and certificates are no identity of a device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartsError {
    /// The certificates are not one or two card-verifiable certificates.
    #[error("not the certificates of a device: {0}")]
    Malformed(#[from] cvc::Error),
    /// The first certificate is not a device's, or is another key's.
    #[error("the first certificate is not that of a device with this key")]
    OtherKey,
}

impl From<tlv::Error> for PartsError {
    fn from(error: tlv::Error) -> Self {
        Self::Malformed(error.into())
    }
}

/// Serial of a virtual device, the part of its name that people see after `ZZ`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serial(String);

impl Serial {
    /// Takes 1 to 9 characters out of A-Z and 0-9.
    ///
    /// # Errors
    ///
    /// [`SerialError`] for anything else.
    pub fn new(text: &str) -> Result<Self, SerialError> {
        let valid = (1..=9).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(SerialError(text.into()))
        }
    }

    /// Draws `VT` and seven digits.
    pub fn random(rng: &mut dyn CryptoRng) -> Self {
        Self(format!("VT{:07}", rng.next_u32() % 10_000_000))
    }

    /// CHR of the device key: country, serial, sequence number.
    fn holder(&self) -> Vec<u8> {
        format!("{COUNTRY}{}{SEQUENCE}", self.0).into_bytes()
    }
}

/// Identity of one device, made when the card is personalised and never changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Device {
    /// Name of the profile the card was made with.
    pub profile: String,
    /// CHR of the device certificate: country, serial and five digits.
    pub holder: Vec<u8>,
    /// Content of EF 2F02: device certificate ‖ issuer certificate.
    pub certificates: Vec<u8>,
    key: EcMaterial,
}

impl Device {
    /// Makes a device key and certifies it below the virtual issuer.
    ///
    /// # Errors
    ///
    /// [`crypto::Error`] when a key cannot be made or cannot sign.
    pub fn personalise(
        profile: &Profile,
        serial: &Serial,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, crypto::Error> {
        let key = EcPrivateKey::generate(CURVE, rng);
        let holder = serial.holder();
        let fields = CertificateFields {
            authority: ISSUER_NAME,
            holder: &holder,
            role: Role::Device,
            effective: EFFECTIVE,
            expiration: EXPIRATION,
            extensions: None,
        };
        let issuer = public_knowledge_key(ISSUER_SENTENCE)?;
        let mut certificates = cvc::issue(&fields, &key, Parameters::Inherited, &issuer, rng)?;
        certificates.extend_from_slice(&issuer_certificate(profile)?);
        Ok(Self {
            profile: profile.name.into(),
            holder,
            certificates,
            key: key.into(),
        })
    }

    /// Takes over an identity that was made elsewhere: a device key and the content of EF 2F02 for
    /// it, device certificate ‖ issuer certificate, of which old devices lack the second.
    ///
    /// Who signed the certificates is not checked: whoever has the private key decides.
    ///
    /// # Errors
    ///
    /// [`PartsError`] when the certificates are not one or two, or the first is not that of a
    /// device with this key.
    ///
    /// ```
    /// use hsm2_emulator::crypto::{Curve, EcPrivateKey};
    /// use hsm2_emulator::identity::{Device, PartsError};
    ///
    /// let key = EcPrivateKey::from_bytes(Curve::BrainpoolP256r1, &[1])?;
    /// let nothing = Device::from_parts("nitrokey-hsm2", &[], key);
    /// assert!(matches!(nothing, Err(PartsError::Malformed(_))));
    /// # Ok::<(), hsm2_emulator::crypto::Error>(())
    /// ```
    pub fn from_parts(
        profile: &str,
        certificates: &[u8],
        key: EcPrivateKey,
    ) -> Result<Self, PartsError> {
        let mut file = Reader::new(certificates);
        let own = SignedBody::parse(file.expect(tag::CERTIFICATE)?.value)?;
        if let Some(issuer) = file.optional(tag::CERTIFICATE)? {
            SignedBody::parse(issuer.value)?;
        }
        file.finish()?;
        let certified = own.ec_public_key(Some(key.curve()))?;
        if own.role != Some(Role::Device) || certified.point != key.public_point() {
            return Err(PartsError::OtherKey);
        }
        Ok(Self {
            profile: profile.into(),
            holder: own.holder.to_vec(),
            certificates: certificates.to_vec(),
            key: key.into(),
        })
    }

    /// The device authentication key.
    ///
    /// # Errors
    ///
    /// [`crate::status::StatusWord::InternalError`] (6F00) when the stored key is damaged.
    pub fn key(&self) -> Result<&EcPrivateKey, crate::status::StatusWord> {
        self.key.prepared()
    }

    /// Serial as people see it: the device's name without its five-digit sequence number.
    #[must_use]
    pub fn serial(&self) -> String {
        let shown = self.holder.len().saturating_sub(SEQUENCE.len());
        String::from_utf8_lossy(self.holder.get(..shown).unwrap_or_default()).into_owned()
    }
}

/// The self-signed certificate of the virtual root, the same on every call.
///
/// # Errors
///
/// [`crypto::Error`] when the key cannot sign.
pub fn root_certificate() -> Result<Vec<u8>, crypto::Error> {
    let fields = CertificateFields {
        authority: ROOT_NAME,
        holder: ROOT_NAME,
        role: Role::Root,
        effective: EFFECTIVE,
        expiration: EXPIRATION,
        extensions: None,
    };
    let root = public_knowledge_key(ROOT_SENTENCE)?;
    cvc::issue(
        &fields,
        &root,
        Parameters::Explicit,
        &root,
        &mut repeatable(),
    )
}

/// The virtual root's public key: the trust anchor of every virtual card.
#[must_use]
pub fn root_public_key() -> EcPublicKey {
    EcPublicKey {
        curve: CURVE,
        point: ROOT_POINT.to_vec(),
        hash: Hash::Sha256,
    }
}

/// The virtual root's public point, 04‖x‖y; written down so that opening a card computes nothing.
const ROOT_POINT: [u8; 65] = [
    0x04, 0x7F, 0x4E, 0x84, 0xDE, 0x14, 0x91, 0xBA, 0xBF, 0xC9, 0x1A, 0xB9, 0xB8, 0xDE, 0x90, 0x00,
    0xB2, 0x21, 0xCE, 0x06, 0x4A, 0xF9, 0x4F, 0x07, 0x35, 0x92, 0x0D, 0x81, 0xF7, 0x66, 0xBC, 0xC0,
    0x2B, 0x11, 0x72, 0x71, 0x42, 0xEF, 0x03, 0x07, 0xAC, 0x81, 0x1F, 0xFC, 0x6E, 0xA4, 0xB1, 0x47,
    0x7E, 0xC2, 0x59, 0x48, 0x21, 0x68, 0x92, 0xDC, 0x68, 0x48, 0xE3, 0xCE, 0x86, 0xA4, 0xF9, 0x15,
    0x21,
];

/// The certificate of the virtual issuer, the same on every call for a generation.
fn issuer_certificate(profile: &Profile) -> Result<Vec<u8>, crypto::Error> {
    let fields = CertificateFields {
        authority: ROOT_NAME,
        holder: ISSUER_NAME,
        role: Role::Issuer,
        effective: EFFECTIVE,
        expiration: EXPIRATION,
        extensions: profile.empty_issuer_extension.then_some(&[]),
    };
    let root = public_knowledge_key(ROOT_SENTENCE)?;
    let issuer = public_knowledge_key(ISSUER_SENTENCE)?;
    cvc::issue(
        &fields,
        &issuer,
        Parameters::Inherited,
        &root,
        &mut repeatable(),
    )
}

fn public_knowledge_key(sentence: &str) -> Result<EcPrivateKey, crypto::Error> {
    EcPrivateKey::from_bytes(CURVE, &Hash::Sha256.digest(sentence.as_bytes()))
}

/// Randomness for signatures that shall be the same every time.
fn repeatable() -> CardRng {
    CardRng::from_seed([0; 32])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::NITROKEY_HSM2;

    #[test]
    fn the_chain_verifies_from_the_root_down() {
        let mut rng = CardRng::from_seed([3; 32]);
        let serial = Serial::new("TEST").unwrap();
        let device = Device::personalise(&NITROKEY_HSM2, &serial, &mut rng).unwrap();
        assert_eq!(device.serial(), "ZZTEST");
        let mut chain = Reader::new(&device.certificates);
        let own = SignedBody::parse(chain.expect(0x7F21).unwrap().value).unwrap();
        let issuer = SignedBody::parse(chain.expect(0x7F21).unwrap().value).unwrap();
        chain.finish().unwrap();
        let root = root_certificate().unwrap();
        let root = SignedBody::parse(Reader::new(&root).expect(0x7F21).unwrap().value).unwrap();

        let root_key = root.ec_public_key(None).unwrap();
        assert_eq!(root_key, root_public_key());
        assert_eq!((root.holder, root.role), (ROOT_NAME, Some(Role::Root)));
        root_key.verify(root.body, root.signature).unwrap();
        assert_eq!(
            (issuer.authority, issuer.role),
            (Some(ROOT_NAME), Some(Role::Issuer))
        );
        root_key.verify(issuer.body, issuer.signature).unwrap();
        let issuer_key = issuer.ec_public_key(Some(root_key.curve)).unwrap();
        assert_eq!(
            (own.authority, own.role),
            (Some(ISSUER_NAME), Some(Role::Device))
        );
        issuer_key.verify(own.body, own.signature).unwrap();
        let own_key = own.ec_public_key(Some(issuer_key.curve)).unwrap();
        assert_eq!(own_key.point, device.key().unwrap().public_point());
        assert_eq!(own.holder, b"ZZTEST00000");
    }

    #[test]
    fn a_serial_is_part_of_a_name() {
        assert!(Serial::new("VT1234567").is_ok());
        for text in ["", "VT12345678", "vt1", "VT 1", "VT-1", "\u{c4}"] {
            assert_eq!(Serial::new(text), Err(SerialError(text.into())));
        }
    }
}
