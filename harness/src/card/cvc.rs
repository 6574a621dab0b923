//! Card verifiable certificates and requests, read and written on the host's side.
//!
//! ```text
//! certificate            7F21 { 7F4E body, 5F37 signature over the 7F4E object }
//! authenticated request  67 { 7F21 request, 42 outer CAR, 5F37 signature over 7F21 and 42 }
//! body                   5F29 00, 42 CAR, 7F49 public key, 5F20 CHR, ..., [65 extensions]
//! ```
//!
//! Signatures are r || s, or PKCS#1 v1.5 for an RSA key. Commands carry the content of 7F21 and 67
//! without these outer tags.

use crate::der::{self, Malformed, Reader};
use crate::judge::{Public, Scheme};
use crate::key::curves::Curve;
use crate::verify::PublicKey;

const CERTIFICATE: u16 = 0x7f21;
const BODY: u16 = 0x7f4e;
const SIGNATURE: u16 = 0x5f37;
const PROFILE: u16 = 0x5f29;
const AUTHORITY: u16 = 0x42;
const PUBLIC_KEY: u16 = 0x7f49;
const HOLDER: u16 = 0x5f20;
const ROLE_TEMPLATE: u16 = 0x7f4c;
const ROLE: u16 = 0x53;
const EFFECTIVE: u16 = 0x5f25;
const EXPIRATION: u16 = 0x5f24;
const REQUEST: u16 = 0x67;

/// id-TA-ECDSA-SHA-256.
const ECDSA_SHA_256: [u8; 10] = [4, 0, 0x7f, 0, 7, 2, 2, 2, 2, 3];
/// id-TA-RSA-v1-5-SHA-256.
const RSA_SHA_256: [u8; 10] = [4, 0, 0x7f, 0, 7, 2, 2, 2, 1, 2];

/// Writes an object with a tag of one or two bytes.
#[must_use]
pub fn object(tag: u16, parts: &[&[u8]]) -> Vec<u8> {
    let [high, low] = tag.to_be_bytes();
    let mut out = Vec::new();
    if high != 0 {
        out.push(high);
    }
    out.extend_from_slice(&der::element(low, parts));
    out
}

/// Why a certificate or request cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is not one.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is of a kind that this program does not know, and may be good all the same.
    #[error("offset {}: {}", .0.offset, .0.what)]
    Unknown(Malformed),
}

impl Flaw {
    fn malformed(offset: usize, what: impl Into<String>) -> Self {
        Self::Malformed(Malformed::new(offset, what))
    }
}

impl From<Flaw> for Malformed {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::Malformed(what) | Flaw::Unknown(what) => what,
        }
    }
}

/// What a certificate's holder may do, by the two top bits of the byte in 7F4C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// C0: certifies issuers.
    Root,
    /// 80: certifies devices.
    Issuer,
    /// 00: certifies nobody.
    Device,
}

impl Role {
    /// In words.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Issuer => "issuer",
            Self::Device => "device",
        }
    }

    fn by_byte(byte: u8) -> Option<Self> {
        match byte & 0xc0 {
            0xc0 => Some(Self::Root),
            0x80 => Some(Self::Issuer),
            0x00 => Some(Self::Device),
            _ => None,
        }
    }
}

/// A certificate, or the request inside an authenticated request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Who signed it: name of a key. Empty in a request that names nobody.
    pub authority: Vec<u8>,
    /// Whose key it is: name of that key.
    pub holder: Vec<u8>,
    /// The public key.
    pub key: PublicKey,
    /// First and last day of validity, YYMMDD with one digit in each byte; a request has none.
    pub validity: Option<[[u8; 6]; 2]>,
    /// What the holder may do; a request does not say, and neither does an unknown byte.
    pub role: Option<Role>,
    /// Content of 7F21: body and signature, as PSO VERIFY CERTIFICATE takes it.
    pub content: Vec<u8>,
    body: Vec<u8>,
    signature: Vec<u8>,
}

impl Certificate {
    /// Reads the content of 7F21.
    ///
    /// # Errors
    /// [`Flaw`], [`Flaw::Unknown`] for a curve or an algorithm that is not known here.
    pub fn parse(content: &[u8]) -> Result<Self, Flaw> {
        let mut reader = Reader::new(content);
        let body = reader.expect(BODY, "the body")?;
        let signature = reader.expect(SIGNATURE, "the signature")?;
        reader.finish("the signature")?;
        let mut fields = body.reader();
        fields.expect(PROFILE, "the profile")?;
        let mut key = fields.element()?;
        let mut authority = Vec::new();
        if key.tag == AUTHORITY {
            authority = key.content.to_vec();
            key = fields.element()?;
        }
        if key.tag != PUBLIC_KEY {
            return Err(Flaw::malformed(key.offset, "there is no public key"));
        }
        let holder = fields.expect(HOLDER, "the holder's name")?;
        let (role, validity) = role_and_validity(fields)?;
        Ok(Self {
            authority,
            validity,
            role,
            holder: holder.content.to_vec(),
            key: public_key(key.reader())?,
            content: content.to_vec(),
            body: body.raw.to_vec(),
            signature: signature.content.to_vec(),
        })
    }

    /// Reads certificates one after the other, as EF 2F02 has them: the device's, its issuer's.
    ///
    /// # Errors
    /// [`Flaw`].
    pub fn parse_all(bytes: &[u8]) -> Result<Vec<Self>, Flaw> {
        let mut reader = Reader::new(bytes);
        let mut certificates = Vec::new();
        while !reader.is_empty() {
            let certificate = reader.expect(CERTIFICATE, "a certificate")?;
            certificates.push(Self::parse(certificate.content)?);
        }
        Ok(certificates)
    }

    /// Reads the content of EF 2F02: the device's certificate, then its issuer's. Old devices hold
    /// their own alone (vendor's Java card service and script library).
    ///
    /// # Errors
    /// [`Flaw`], also when a certificate is not signed by the next one's key.
    pub fn of_device(file: &[u8]) -> Result<(Self, Vec<Self>), Flaw> {
        let mut all = Self::parse_all(file)?.into_iter();
        let device = all
            .next()
            .ok_or_else(|| Flaw::malformed(0, "it holds no certificate"))?;
        let above: Vec<_> = all.collect();
        for (one, issuer) in std::iter::once(&device).chain(&above).zip(&above) {
            if !one.is_signed_by(&issuer.key) {
                return Err(Flaw::malformed(0, "the issuer did not sign the device's"));
            }
        }
        Ok((device, above))
    }

    /// Serial of a device as people see it: its name without the five-digit sequence number.
    /// Control characters are shown, not sent to the terminal.
    #[must_use]
    pub fn serial(&self) -> String {
        let (serial, _number) = self.holder.split_at(self.holder.len().saturating_sub(5));
        serial.escape_ascii().to_string()
    }

    /// True when the key made the signature of this certificate.
    #[must_use]
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        key.verify(&self.body, &self.signature).is_ok()
    }
}

/// First and last day, YYMMDD.
type Validity = [[u8; 6]; 2];

/// Reads the role and the dates among what follows the holder's name.
fn role_and_validity(
    mut fields: Reader<'_>,
) -> Result<(Option<Role>, Option<Validity>), Malformed> {
    let (mut role, mut from, mut to) = (None, None, None);
    while !fields.is_empty() {
        let field = fields.element()?;
        if field.tag == ROLE_TEMPLATE {
            let mut template = field.reader();
            template.expect(0x06, "the role's identifier")?;
            let byte = template.expect(ROLE, "the role")?.content.first().copied();
            role = byte.and_then(Role::by_byte);
        }
        let date = <[u8; 6]>::try_from(field.content);
        let place = match field.tag {
            EFFECTIVE => &mut from,
            EXPIRATION => &mut to,
            _ => continue,
        };
        let date = date.map_err(|_| Malformed::new(field.offset, "a date has six digits"))?;
        *place = Some(date);
    }
    Ok((role, from.zip(to).map(|(from, to)| [from, to])))
}

/// A device key and the certificates above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// C.DevAut.
    pub device: Certificate,
    /// C.DICA.
    pub issuer: Certificate,
}

impl Chain {
    /// Reads the content of EF 2F02.
    ///
    /// # Errors
    /// [`Flaw`], also when it does not hold two certificates of which the second's key signed the
    /// first.
    pub fn parse(file: &[u8]) -> Result<Self, Flaw> {
        Self::of(Certificate::of_device(file)?)
    }

    /// Makes sure that there is one certificate above the device's.
    ///
    /// # Errors
    /// [`Flaw`].
    pub fn of((device, above): (Certificate, Vec<Certificate>)) -> Result<Self, Flaw> {
        let [issuer] = <[Certificate; 1]>::try_from(above).map_err(|above| {
            Flaw::malformed(0, format!("{} certificates, not two", 1 + above.len()))
        })?;
        Ok(Self { device, issuer })
    }

    /// Serial as people see it.
    #[must_use]
    pub fn serial(&self) -> String {
        self.device.serial()
    }
}

/// A public key with a device's word that the private key was made in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The request itself.
    pub request: Certificate,
    /// Name of the device key that signed it.
    pub device: Vec<u8>,
    /// Content of 67, as commands take it.
    pub content: Vec<u8>,
}

impl Request {
    /// Reads an authenticated request and checks that the key signed its own request and the device
    /// signed both.
    ///
    /// # Errors
    /// [`Flaw`], also for a signature that does not verify.
    pub fn parse(bytes: &[u8], device: &Certificate) -> Result<Self, Flaw> {
        let mut outer = Reader::new(bytes);
        let frame = outer.expect(REQUEST, "the authenticated request")?;
        outer.finish("the authenticated request")?;
        let mut parts = frame.reader();
        let inner = parts.expect(CERTIFICATE, "the request")?;
        let authority = parts.expect(AUTHORITY, "the device's name")?;
        let signature = parts.expect(SIGNATURE, "the device's signature")?;
        parts.finish("the device's signature")?;
        // First what the device vouches for: below its word an unknown kind of key may be good.
        let signed = [inner.raw, authority.raw].concat();
        if let Err(invalid) = device.key.verify(&signed, signature.content) {
            return Err(Flaw::malformed(signature.offset, invalid.to_string()));
        }
        let request = Certificate::parse(inner.content)?;
        if !request.is_signed_by(&request.key) {
            return Err(Flaw::malformed(inner.offset, "not signed by its own key"));
        }
        Ok(Self {
            request,
            device: authority.content.to_vec(),
            content: frame.content.to_vec(),
        })
    }
}

/// Which key pair a card shall make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// EC on secp256r1.
    P256,
    /// EC on brainpoolP256r1, the curve of exchange keys and group signers.
    BrainpoolP256r1,
    /// EC on any curve.
    On(&'static Curve),
    /// RSA with this many bits.
    Rsa(u16),
}

impl Kind {
    /// The curve of an EC key.
    #[must_use]
    pub fn curve(self) -> Option<&'static Curve> {
        match self {
            Self::P256 => Curve::by_name("secp256r1"),
            Self::BrainpoolP256r1 => Curve::by_name("brainpoolP256r1"),
            Self::On(curve) => Some(curve),
            Self::Rsa(_) => None,
        }
    }

    fn template(self) -> Vec<u8> {
        match (self, self.curve()) {
            (Self::Rsa(bits), _) => object(
                PUBLIC_KEY,
                &[
                    &object(0x06, &[&RSA_SHA_256]),
                    &object(0x82, &[&[1, 0, 1]]),
                    &object(0x02, &[&bits.to_be_bytes()]),
                ],
            ),
            (_, curve) => {
                let parameters = curve.map(Curve::parameters).unwrap_or_default();
                let [a, b, p, n, g] = parameters;
                object(
                    PUBLIC_KEY,
                    &[
                        &object(0x06, &[&ECDSA_SHA_256]),
                        &object(0x81, &[&p]),
                        &object(0x82, &[&a]),
                        &object(0x83, &[&b]),
                        &object(0x84, &[&g]),
                        &object(0x85, &[&n]),
                        &object(0x87, &[&[1]]),
                    ],
                )
            }
        }
    }
}

/// Writes the data of GENERATE ASYMMETRIC KEY PAIR: fields of the request, then attributes.
///
/// Both names in the request are `holder`; `attributes` are the objects 90 to 93.
#[must_use]
pub fn generation(kind: Kind, holder: &[u8], attributes: &[u8]) -> Vec<u8> {
    [
        object(PROFILE, &[&[0]]),
        object(AUTHORITY, &[holder]),
        kind.template(),
        object(HOLDER, &[holder]),
        attributes.to_vec(),
    ]
    .concat()
}

/// Reads the content of 7F49. Without parameters the curve is that of all device certificates.
fn public_key(mut fields: Reader<'_>) -> Result<PublicKey, Flaw> {
    let offset = fields.offset();
    let unknown = |what: String| Flaw::Unknown(Malformed::new(offset, what));
    let oid = fields.expect(0x06, "the algorithm")?;
    let scheme = Scheme::by_oid(oid.content).ok_or_else(|| {
        let oid = hex::encode_upper(oid.content);
        unknown(format!("an algorithm that is not known here, {oid}"))
    })?;
    let mut values = std::collections::BTreeMap::new();
    while !fields.is_empty() {
        let field = fields.element()?;
        values.insert(field.tag, field.content);
    }
    let value = |tag: u16| values.get(&tag).copied().unwrap_or_default();
    let (numbers, hash) = match scheme {
        Scheme::Rsa(hash) => {
            let (n, e) = (value(0x81).to_vec(), value(0x82).to_vec());
            (Public::Rsa(n, e), hash)
        }
        Scheme::Ecdsa(hash) => {
            let curve = if values.contains_key(&0x81) {
                Curve::by_equation(value(0x81), value(0x82), value(0x83)).map(|curve| curve.name)
            } else {
                Some("brainpoolP256r1")
            };
            let curve = curve.ok_or_else(|| unknown("a curve that is not known here".into()))?;
            (Public::Ec(curve, value(0x86).to_vec()), hash)
        }
    };
    Ok(PublicKey { numbers, hash })
}

#[cfg(test)]
mod tests;
