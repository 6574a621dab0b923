//! Card-verifiable certificates and requests (BSI TR-03110 part 3, in the applet's own profile).
//!
//! ```text
//! certificate            7F21 { 7F4E { 5F29 00, 42 CAR, 7F49 public key, 5F20 CHR,
//!                                      7F4C { 06 oid, 53 role }, 5F25 from, 5F24 to, [65 ext] },
//!                               5F37 signature over the whole 7F4E }
//! request                7F21 { 7F4E { 5F29 00, [42 CAR], 7F49, 5F20 CHR, [65 ext] },
//!                               5F37 signature by the key itself }
//! authenticated request  67 { 7F21 request, 42 outer CAR, 5F37 signature over 7F21 ‖ 42 }
//! ```
//!
//! EC signatures are plain r‖s, each as long as the order; dates are YYMMDD, one digit a byte.

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use crate::crypto::rsa::padding;
use crate::crypto::{self, Curve, EcPrivateKey, EcdsaSignature, Hash, RsaPrivateKey};
use crate::status::StatusWord;
use crate::tlv::{self, Element, Reader, Tag, Writer};

/// Tags of certificates and requests.
pub mod tag {
    use crate::tlv::Tag;

    /// CV certificate or request.
    pub const CERTIFICATE: Tag = 0x7F21;
    /// Body, the signed part.
    pub const BODY: Tag = 0x7F4E;
    /// Profile identifier.
    pub const PROFILE: Tag = 0x5F29;
    /// CAR: name of the key that signed.
    pub const AUTHORITY: Tag = 0x42;
    /// Public key.
    pub const PUBLIC_KEY: Tag = 0x7F49;
    /// CHR: name of the certified key.
    pub const HOLDER: Tag = 0x5F20;
    /// Role of the holder.
    pub const ROLE_TEMPLATE: Tag = 0x7F4C;
    /// First day of validity.
    pub const EFFECTIVE: Tag = 0x5F25;
    /// Last day of validity.
    pub const EXPIRATION: Tag = 0x5F24;
    /// Extensions.
    pub const EXTENSIONS: Tag = 0x65;
    /// Signature.
    pub const SIGNATURE: Tag = 0x5F37;
    /// Authenticated request.
    pub const AUTHENTICATED: Tag = 0x67;
    /// Object identifier.
    pub const OID: Tag = 0x06;
}

/// id-TA-ECDSA-SHA-256, 0.4.0.127.0.7.2.2.2.2.3.
pub const OID_ECDSA_SHA256: [u8; 10] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x02, 0x02, 0x03];
/// id-TA-RSA-v1-5-SHA-256, 0.4.0.127.0.7.2.2.2.1.2.
pub const OID_RSA_SHA256: [u8; 10] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x02, 0x01, 0x02];
/// The vendor's object identifier of the role, 1.3.6.1.4.1.24991.3.1.1.
const OID_ROLE: [u8; 11] = [
    0x2B, 0x06, 0x01, 0x04, 0x01, 0x81, 0xC3, 0x1F, 0x03, 0x01, 0x01,
];
/// What the identifiers of all terminal-authentication algorithms begin with.
const OID_TERMINAL_AUTHENTICATION: [u8; 8] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x02];

/// How a public key's signatures are made, by the object identifier in its 7F49.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// ECDSA over this hash.
    Ecdsa(Hash),
    /// RSA PKCS#1 v1.5 over this hash.
    RsaPkcs1(Hash),
}

impl Scheme {
    /// Decodes the value of an object identifier (BSI TR-03110 part 3, A.6.4).
    #[must_use]
    pub fn from_oid(oid: &[u8]) -> Option<Self> {
        match oid.strip_prefix(&OID_TERMINAL_AUTHENTICATION)? {
            [2, 1] => Some(Self::Ecdsa(Hash::Sha1)),
            [2, 2] => Some(Self::Ecdsa(Hash::Sha224)),
            [2, 3] => Some(Self::Ecdsa(Hash::Sha256)),
            [2, 4] => Some(Self::Ecdsa(Hash::Sha384)),
            [2, 5] => Some(Self::Ecdsa(Hash::Sha512)),
            [1, 1] => Some(Self::RsaPkcs1(Hash::Sha1)),
            [1, 2] => Some(Self::RsaPkcs1(Hash::Sha256)),
            [1, 5] => Some(Self::RsaPkcs1(Hash::Sha512)),
            _ => None,
        }
    }
}

/// Role of a certificate's holder, the byte in tag 53.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// C0: root.
    Root,
    /// 80: device issuer.
    Issuer,
    /// 00: device.
    Device,
}

impl Role {
    fn byte(self) -> u8 {
        match self {
            Self::Root => 0xC0,
            Self::Issuer => 0x80,
            Self::Device => 0x00,
        }
    }

    /// Whether a holder of this role may certify one of the other: each certifies what is below
    /// it, and a device nothing.
    pub(crate) fn may_certify(self, other: Self) -> bool {
        match self {
            Self::Root => other != Self::Root,
            Self::Issuer => other == Self::Device,
            Self::Device => false,
        }
    }

    /// The two top bits of the role byte; the others are rights that this card does not read.
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Root, Self::Issuer, Self::Device]
            .into_iter()
            .find(|role| role.byte() == byte & 0xC0)
    }
}

/// What a certificate states besides the key.
#[derive(Debug)]
pub struct CertificateFields<'a> {
    /// CAR, the issuer's name.
    pub authority: &'a [u8],
    /// CHR, the holder's name.
    pub holder: &'a [u8],
    /// Role of the holder.
    pub role: Role,
    /// First day of validity, YYMMDD, one digit a byte.
    pub effective: [u8; 6],
    /// Last day of validity.
    pub expiration: [u8; 6],
    /// The content of an extension element 65, when there is one.
    pub extensions: Option<&'a [u8]>,
}

/// Which domain parameters an EC public key carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameters {
    /// All of them: roots and requests.
    Explicit,
    /// None, they are inherited from the issuer: device and issuer certificates.
    Inherited,
}

/// Appends 7F49 of an EC key: `06 [81 82 83 84 85] 86 [87]`.
#[must_use]
pub fn ec_public_key(
    writer: Writer,
    oid: &[u8],
    key: &EcPrivateKey,
    parameters: Parameters,
) -> Writer {
    let domain = key.curve().parameters();
    let point = key.public_point();
    writer.nested(tag::PUBLIC_KEY, |key| {
        let key = key.element(tag::OID, oid);
        match parameters {
            Parameters::Inherited => key.element(0x86, &point),
            Parameters::Explicit => key
                .element(0x81, domain.p)
                .element(0x82, domain.a)
                .element(0x83, domain.b)
                .element(0x84, domain.g)
                .element(0x85, domain.n)
                .element(0x86, &point)
                .element(0x87, &[domain.cofactor]),
        }
    })
}

/// Appends 7F49 of an RSA key: `06 81 82` and nothing else.
#[must_use]
pub fn rsa_public_key(writer: Writer, oid: &[u8], key: &RsaPrivateKey) -> Writer {
    writer.nested(tag::PUBLIC_KEY, |inner| {
        inner
            .element(tag::OID, oid)
            .element(0x81, &key.n())
            .element(0x82, &key.e())
    })
}

/// Issues a certificate for `subject`, signed by `issuer` with ECDSA and SHA-256.
///
/// # Errors
///
/// When the issuer's key cannot sign.
pub fn issue(
    fields: &CertificateFields<'_>,
    subject: &EcPrivateKey,
    parameters: Parameters,
    issuer: &EcPrivateKey,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, crypto::Error> {
    let body = Writer::new()
        .nested(tag::BODY, |body| {
            let body = body
                .element(tag::PROFILE, &[0])
                .element(tag::AUTHORITY, fields.authority);
            let body = ec_public_key(body, &OID_ECDSA_SHA256, subject, parameters)
                .element(tag::HOLDER, fields.holder)
                .nested(tag::ROLE_TEMPLATE, |role| {
                    role.element(tag::OID, &OID_ROLE)
                        .element(0x53, &[fields.role.byte()])
                })
                .element(tag::EFFECTIVE, &fields.effective)
                .element(tag::EXPIRATION, &fields.expiration);
            optional(body, tag::EXTENSIONS, fields.extensions)
        })
        .into_vec();
    let signature = issuer
        .sign_prehash(&Hash::Sha256.digest(&body), rng)?
        .to_plain();
    Ok(signed(&body, &signature))
}

/// Wraps body and signature: `7F21 { body, 5F37 signature }`.
fn signed(body: &[u8], signature: &[u8]) -> Vec<u8> {
    Writer::new()
        .nested(tag::CERTIFICATE, |whole| {
            whole.raw(body).element(tag::SIGNATURE, signature)
        })
        .into_vec()
}

/// The key a request is made for, which signs it as proof of possession.
#[derive(Debug)]
pub enum RequestKey<'a> {
    /// An EC key.
    Ec(&'a EcPrivateKey),
    /// An RSA key.
    Rsa(&'a RsaPrivateKey),
}

/// What a request states besides the key.
#[derive(Debug)]
pub struct RequestFields<'a> {
    /// Inner CAR, as the host sent it.
    pub authority: Option<&'a [u8]>,
    /// CHR, as the host sent it.
    pub holder: &'a [u8],
    /// Object identifier of the key's algorithm, as the host sent it.
    pub oid: &'a [u8],
    /// The content of an extension element 65, when there is one.
    pub extensions: Option<&'a [u8]>,
}

/// Makes a request: `7F21 { 7F4E, 5F37 }`, signed by its own key.
///
/// # Errors
///
/// [`crypto::Error`] when the algorithm does not go with the key.
pub fn request(
    fields: &RequestFields<'_>,
    key: &RequestKey<'_>,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, crypto::Error> {
    let body = Writer::new()
        .nested(tag::BODY, |body| {
            let body = optional(
                body.element(tag::PROFILE, &[0]),
                tag::AUTHORITY,
                fields.authority,
            );
            let body = match key {
                RequestKey::Ec(key) => ec_public_key(body, fields.oid, key, Parameters::Explicit),
                RequestKey::Rsa(key) => rsa_public_key(body, fields.oid, key),
            };
            let body = body.element(tag::HOLDER, fields.holder);
            optional(body, tag::EXTENSIONS, fields.extensions)
        })
        .into_vec();
    let signature = match (key, Scheme::from_oid(fields.oid)) {
        (RequestKey::Ec(key), Some(Scheme::Ecdsa(hash))) => {
            key.sign_prehash(&hash.digest(&body), rng)?.to_plain()
        }
        (RequestKey::Rsa(key), Some(Scheme::RsaPkcs1(hash))) => {
            let block = padding::pkcs1v15_sign_block(key.modulus_len(), hash, &hash.digest(&body))?;
            key.raw(&block, rng)?.to_vec()
        }
        _ => return Err(crypto::Error::Key),
    };
    Ok(signed(&body, &signature))
}

fn optional(writer: Writer, tag: Tag, value: Option<&[u8]>) -> Writer {
    match value {
        Some(value) => writer.element(tag, value),
        None => writer,
    }
}

/// Authenticates a request with the device key: `67 { request, 42 device CHR, 5F37 }`.
///
/// # Errors
///
/// When the device key cannot sign.
pub fn authenticate(
    request: &[u8],
    device_name: &[u8],
    device_key: &EcPrivateKey,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, crypto::Error> {
    let covered = Writer::new()
        .raw(request)
        .element(tag::AUTHORITY, device_name)
        .into_vec();
    let signature = device_key
        .sign_prehash(&Hash::Sha256.digest(&covered), rng)?
        .to_plain();
    Ok(Writer::new()
        .nested(tag::AUTHENTICATED, |whole| {
            whole.raw(&covered).element(tag::SIGNATURE, &signature)
        })
        .into_vec())
}

/// An EC public key whose curve is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EcPublicKey {
    /// The curve.
    pub curve: Curve,
    /// Uncompressed point, 04‖x‖y.
    pub point: Vec<u8>,
    /// Hash of the signatures that this key makes.
    pub hash: Hash,
}

impl EcPublicKey {
    /// Verifies a plain r‖s signature over these bytes.
    ///
    /// # Errors
    ///
    /// When the signature is malformed or does not verify.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), crypto::Error> {
        let signature = EcdsaSignature::from_plain(self.curve, signature)?;
        crypto::verify_prehash(
            self.curve,
            &self.point,
            &self.hash.digest(message),
            &signature,
        )
    }

    /// The X coordinate of the point.
    #[must_use]
    pub fn x(&self) -> &[u8] {
        self.point
            .get(1..=self.curve.field_len())
            .unwrap_or_default()
    }
}

/// Why a certificate or request was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are not a certificate or request.
    #[error("malformed certificate or request: {0}")]
    Malformed(#[from] tlv::Error),
    /// The public key is of a kind, curve or algorithm that this card does not verify.
    #[error("unsupported public key")]
    PublicKey,
    /// A name or date has an impossible length or content.
    #[error("impossible name or date")]
    Field,
}

/// Whatever is wrong with a certificate or request, the data field is: 6A80.
impl From<Error> for StatusWord {
    fn from(_: Error) -> Self {
        Self::WrongData
    }
}

/// A parsed body with its signature: certificate or request, borrowed from the input.
#[derive(Clone, Debug)]
pub struct SignedBody<'a> {
    /// The complete 7F4E element, as the signature covers it.
    pub body: &'a [u8],
    /// CAR; absent in some requests.
    pub authority: Option<&'a [u8]>,
    /// Content of 7F49.
    pub public_key: &'a [u8],
    /// CHR.
    pub holder: &'a [u8],
    /// Content of 65, when there is one that is not empty.
    pub extensions: Option<&'a [u8]>,
    /// Role of the holder; `None` for a request.
    pub role: Option<Role>,
    /// Content of 5F37.
    pub signature: &'a [u8],
}

impl<'a> SignedBody<'a> {
    /// Parses the content of a 7F21: `7F4E, 5F37`.
    ///
    /// # Errors
    ///
    /// [`Error`] for anything but the elements of the module's description, in their order.
    pub fn parse(content: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(content);
        let body = reader.expect(tag::BODY)?;
        let signature = reader.expect(tag::SIGNATURE)?.value;
        reader.finish()?;
        Self::parse_body(&body, signature)
    }

    fn parse_body(body: &Element<'a>, signature: &'a [u8]) -> Result<Self, Error> {
        let mut fields = Reader::new(body.value);
        if fields.expect(tag::PROFILE)?.value != [0] {
            return Err(Error::Field);
        }
        let authority = fields
            .optional(tag::AUTHORITY)?
            .map(|element| element.value);
        let public_key = fields.expect(tag::PUBLIC_KEY)?.value;
        let holder = fields.expect(tag::HOLDER)?.value;
        let role = match fields.optional(tag::ROLE_TEMPLATE)? {
            None => None,
            Some(template) => {
                for date in [tag::EFFECTIVE, tag::EXPIRATION] {
                    check_date(fields.expect(date)?.value)?;
                }
                Some(parse_role(template.value)?)
            }
        };
        let extensions = fields
            .optional(tag::EXTENSIONS)?
            .map(|element| element.value);
        fields.finish()?;
        if !is_name(holder) || authority.is_some_and(|name| !is_name(name)) {
            return Err(Error::Field);
        }
        Ok(Self {
            body: body.raw,
            authority,
            public_key,
            holder,
            extensions: extensions.filter(|content| !content.is_empty()),
            role,
            signature,
        })
    }

    /// The EC public key, with the curve of its own parameters or else `inherited`.
    ///
    /// # Errors
    ///
    /// [`Error::PublicKey`] for RSA keys, unknown parameters, a missing curve or a point off it.
    pub fn ec_public_key(&self, inherited: Option<Curve>) -> Result<EcPublicKey, Error> {
        parse_ec_public_key(self.public_key, inherited)
    }
}

/// Parses the content of 7F49 of an EC key.
fn parse_ec_public_key(content: &[u8], inherited: Option<Curve>) -> Result<EcPublicKey, Error> {
    let mut reader = Reader::new(content);
    let oid = reader.expect(tag::OID)?.value;
    let Some(Scheme::Ecdsa(hash)) = Scheme::from_oid(oid) else {
        return Err(Error::PublicKey);
    };
    let curve = match reader.optional(0x81)? {
        None => None,
        Some(p) => {
            let [a, b, g, n] = [0x82, 0x83, 0x84, 0x85].map(|tag| reader.expect(tag));
            Some((p.value, a?.value, b?.value, g?.value, n?.value))
        }
    };
    let point = reader.expect(0x86)?.value;
    let cofactor = reader.optional(0x87)?.map(|element| element.value);
    reader.finish()?;
    let curve = match (curve, cofactor) {
        (None, None) => inherited,
        // A cofactor belongs to parameters; it cannot be inherited in part.
        (None, Some(_)) => None,
        (Some((p, a, b, g, n)), cofactor) => Curve::from_parameters(p, a, b, g, n, cofactor),
    }
    .ok_or(Error::PublicKey)?;
    crypto::ec::check_point(curve, point).map_err(|_| Error::PublicKey)?;
    Ok(EcPublicKey {
        curve,
        point: point.to_vec(),
        hash,
    })
}

fn parse_role(template: &[u8]) -> Result<Role, Error> {
    let mut reader = Reader::new(template);
    reader.expect(tag::OID)?;
    let role = reader.expect(0x53)?.value;
    reader.finish()?;
    role.first()
        .copied()
        .and_then(Role::from_byte)
        .ok_or(Error::Field)
}

fn check_date(date: &[u8]) -> Result<(), Error> {
    if date.len() == 6 && date.iter().all(|digit| *digit <= 9) {
        Ok(())
    } else {
        Err(Error::Field)
    }
}

/// A name has at most 20 bytes: the longest that hosts take.
fn is_name(name: &[u8]) -> bool {
    (1..=20).contains(&name.len())
}

/// An authenticated request, borrowed from the input.
#[derive(Clone, Debug)]
pub struct AuthenticatedRequest<'a> {
    /// The request inside.
    pub request: SignedBody<'a>,
    /// Name of the device key that signed the whole.
    pub outer_authority: &'a [u8],
    /// The bytes that the outer signature covers: 7F21 ‖ 42.
    pub covered: &'a [u8],
    /// The outer signature.
    pub outer_signature: &'a [u8],
    /// What follows the outer signature; a key-domain membership puts tag 54 there.
    pub rest: &'a [u8],
}

impl<'a> AuthenticatedRequest<'a> {
    /// Parses the content of a 67: `7F21, 42, 5F37` and whatever follows.
    ///
    /// # Errors
    ///
    /// [`Error`] when the elements are not these, in this order.
    pub fn parse(content: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(content);
        let request = reader.expect(tag::CERTIFICATE)?;
        let outer_authority = reader.expect(tag::AUTHORITY)?.value;
        let covered_len = content.len() - reader.remaining().len();
        let outer_signature = reader.expect(tag::SIGNATURE)?.value;
        if !is_name(outer_authority) {
            return Err(Error::Field);
        }
        Ok(Self {
            request: SignedBody::parse(request.value)?,
            outer_authority,
            covered: content.get(..covered_len).unwrap_or_default(),
            outer_signature,
            rest: reader.remaining(),
        })
    }
}
