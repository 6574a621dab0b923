//! Trust anchors: root certificates that whoever runs a card gives it.

use super::TrustedKey;
use crate::cvc::{self, Role, SignedBody, tag};
use crate::tlv::{self, Reader};

/// Why a certificate cannot be a trust anchor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnchorError {
    /// The bytes are not one card-verifiable certificate.
    #[error("not one card-verifiable certificate: {0}")]
    Malformed(#[from] cvc::Error),
    /// It is a request, or another certificate than a self-signed root's.
    #[error("not a root certificate: a root names itself as its issuer and has the role C0")]
    NotARoot,
    /// Its signature does not verify with its own key.
    #[error("the signature does not verify: the certificate was changed or damaged")]
    Signature,
}

/// The card already trusts another key of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the card trusts another key of the name {0} already")]
pub struct NameTaken(pub String);

impl From<tlv::Error> for AnchorError {
    fn from(error: tlv::Error) -> Self {
        Self::Malformed(error.into())
    }
}

/// A root's public key, taken from its certificate.
///
/// ```
/// use hsm2_emulator::{identity, trust::{Anchor, AnchorError}};
///
/// let root = Anchor::parse(&identity::root_certificate()?)?;
/// assert_eq!(root.name(), "ZZVIRTROOT00001");
/// assert!(matches!(Anchor::parse(&[]), Err(AnchorError::Malformed(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Anchor(pub(crate) TrustedKey);

impl Anchor {
    /// Takes the key out of a self-signed root certificate.
    ///
    /// ```text
    /// 7F21 { 7F4E, 5F37 }      role C0, an EC key with all domain parameters
    /// ```
    ///
    /// Its dates are not looked at: the roots in use outlive what they state.
    ///
    /// # Errors
    ///
    /// [`AnchorError`] for anything else.
    pub fn parse(certificate: &[u8]) -> Result<Self, AnchorError> {
        let mut file = Reader::new(certificate);
        let content = file.expect(tag::CERTIFICATE)?.value;
        file.finish()?;
        let root = SignedBody::parse(content)?;
        if root.role != Some(Role::Root) || root.authority != Some(root.holder) {
            return Err(AnchorError::NotARoot);
        }
        let key = root.ec_public_key(None)?;
        key.verify(root.body, root.signature)
            .map_err(|_| AnchorError::Signature)?;
        Ok(Self(TrustedKey {
            name: root.holder.to_vec(),
            key,
            role: Role::Root,
        }))
    }

    /// The root's name, the CHR of its certificate.
    #[must_use]
    pub fn name(&self) -> String {
        String::from_utf8_lossy(&self.0.name).into_owned()
    }
}
