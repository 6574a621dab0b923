//! Authenticated certificate requests, the answer to GENERATE ASYMMETRIC KEY PAIR.

use super::{Hash, ecdsa_plain, rsa_pkcs1};
use crate::card::cvc::Certificate;
use crate::der::Reader;
use crate::key::curves::Curve;
use crate::suite::bench::Stop;

/// A public key of any kind that the card makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Public {
    /// A point `04 || x || y` on a curve.
    Ec(&'static str, Vec<u8>),
    /// Modulus and public exponent.
    Rsa(Vec<u8>, Vec<u8>),
}

impl Public {
    /// Judges a signature as certificates have it: `r || s`, or PKCS#1 v1.5.
    ///
    /// # Errors
    /// [`Stop::Harness`] when OpenSSL cannot.
    pub fn verify(&self, hash: Hash, message: &[u8], signature: &[u8]) -> Result<bool, Stop> {
        let digest = hash.of(message)?;
        match self {
            Self::Ec(curve, point) => ecdsa_plain(curve, point, &digest, signature),
            Self::Rsa(n, e) => rsa_pkcs1(n, e, hash, &digest, signature),
        }
    }
}

/// How a key signs, by the object identifier in its 7F49.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// ECDSA over this hash.
    Ecdsa(Hash),
    /// RSA PKCS#1 v1.5 over this hash.
    Rsa(Hash),
}

impl Scheme {
    /// Decodes the content of an object identifier, id-TA-ECDSA-* or id-TA-RSA-v1-5-* (BSI TR-03110
    /// part 3, A.6.4); `None` for all others.
    #[must_use]
    pub fn by_oid(oid: &[u8]) -> Option<Self> {
        match oid.strip_prefix(&[4, 0, 0x7f, 0, 7, 2, 2, 2])? {
            [2, 1] => Some(Self::Ecdsa(Hash::Sha1)),
            [2, 2] => Some(Self::Ecdsa(Hash::Sha224)),
            [2, 3] => Some(Self::Ecdsa(Hash::Sha256)),
            [2, 4] => Some(Self::Ecdsa(Hash::Sha384)),
            [2, 5] => Some(Self::Ecdsa(Hash::Sha512)),
            [1, 1] => Some(Self::Rsa(Hash::Sha1)),
            [1, 2] => Some(Self::Rsa(Hash::Sha256)),
            [1, 5] => Some(Self::Rsa(Hash::Sha512)),
            _ => None,
        }
    }
}

/// A key that a device says it made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attested {
    /// The key.
    pub public: Public,
    /// The hash of the signatures in certificates and requests that it makes.
    pub hash: Hash,
    /// Its name, CHR.
    pub holder: Vec<u8>,
    /// Name of the key that the request names as authority, when it names one.
    pub authority: Option<Vec<u8>>,
    /// Name of the device key that signed, the outer CAR.
    pub device: Vec<u8>,
}

/// Reads an authenticated request `67 { 7F21, 42, 5F37 }` and makes sure that the new key signed its
/// request and the device both.
///
/// # Errors
/// [`Stop::Fail`] for anything that is not so.
pub fn request(bytes: &[u8], device: &Certificate) -> Result<Attested, Stop> {
    let mut outer = Reader::new(bytes);
    let frame = outer.expect(0x67, "the authenticated request")?;
    outer.finish("the authenticated request")?;
    let mut parts = frame.reader();
    let inner = parts.expect(0x7f21, "the request")?;
    let device_name = parts.expect(0x42, "the device's name")?;
    let device_signature = parts.expect(0x5f37, "the device's signature")?;
    parts.finish("the device's signature")?;

    let mut fields = inner.reader();
    let body = fields.expect(0x7f4e, "the body")?;
    let signature = fields.expect(0x5f37, "the signature")?;
    fields.finish("the signature")?;
    let attested = read_body(body.reader(), device_name.content)?;
    let own = attested
        .public
        .verify(attested.hash, body.raw, signature.content)?;
    if !own {
        return Err(Stop::fail(
            "a request that its own key signed",
            "a signature that does not verify",
        ));
    }
    let signed = [inner.raw, device_name.raw].concat();
    let device = &device.key;
    let vouched = device
        .numbers
        .verify(device.hash, &signed, device_signature.content)?;
    if !vouched {
        return Err(Stop::fail(
            "a request that the device signed",
            "a signature that does not verify",
        ));
    }
    Ok(attested)
}

/// The point of the key in an authenticated request `67 { 7F21 { 7F4E } }`, which must have signed it.
/// For requests of devices whose certificates are not at hand.
///
/// # Errors
/// [`Stop::Fail`] when it is no request of an EC key, or not signed by its own key.
pub fn public_in_request(bytes: &[u8]) -> Result<Vec<u8>, Stop> {
    let mut parts = Reader::new(bytes).expect(0x67, "the request")?.reader();
    let inner = parts.expect(0x7f21, "the request")?;
    let mut fields = inner.reader();
    let body = fields.expect(0x7f4e, "the body")?;
    let signature = fields.expect(0x5f37, "the signature")?;
    let attested = read_body(body.reader(), &[])?;
    let hash = attested.hash;
    match attested.public {
        Public::Ec(_, ref point)
            if attested.public.verify(hash, body.raw, signature.content)? =>
        {
            Ok(point.clone())
        }
        _ => Err(Stop::fail(
            "a request that its own EC key signed",
            "another",
        )),
    }
}

fn read_body(mut fields: Reader<'_>, device: &[u8]) -> Result<Attested, Stop> {
    fields.expect(0x5f29, "the profile")?;
    let mut authority = None;
    let mut next = fields.element()?;
    if next.tag == 0x42 {
        authority = Some(next.content.to_vec());
        next = fields.element()?;
    }
    if next.tag != 0x7f49 {
        return Err(Stop::fail("tag 7F49", format!("tag {:04X}", next.tag)));
    }
    let (public, hash) = read_key(next.reader())?;
    let holder = fields.expect(0x5f20, "the holder's name")?;
    Ok(Attested {
        public,
        hash,
        holder: holder.content.to_vec(),
        authority,
        device: device.to_vec(),
    })
}

/// Hosts read these fields by their place: all of them, in this order.
fn read_key(mut fields: Reader<'_>) -> Result<(Public, Hash), Stop> {
    let oid = fields.expect(0x06, "the algorithm")?;
    let hash = match Scheme::by_oid(oid.content) {
        Some(Scheme::Ecdsa(hash)) => hash,
        Some(Scheme::Rsa(hash)) => {
            let n = fields.expect(0x81, "the modulus")?.content.to_vec();
            let e = fields.expect(0x82, "the exponent")?.content.to_vec();
            fields.finish("the exponent")?;
            return Ok((Public::Rsa(n, e), hash));
        }
        None => {
            let found = hex::encode_upper(oid.content);
            return Err(Stop::fail("an algorithm of terminal authentication", found));
        }
    };
    let p = fields.expect(0x81, "the prime")?.content;
    let a = fields.expect(0x82, "coefficient a")?.content;
    let b = fields.expect(0x83, "coefficient b")?.content;
    fields.expect(0x84, "the generator")?;
    fields.expect(0x85, "the order")?;
    let point = fields.expect(0x86, "the point")?.content.to_vec();
    fields.expect(0x87, "the cofactor")?;
    fields.finish("the cofactor")?;
    let curve = Curve::by_equation(p, a, b)
        .ok_or_else(|| Stop::fail("one of the nineteen curves", "another equation"))?;
    Ok((Public::Ec(curve.name, point), hash))
}
