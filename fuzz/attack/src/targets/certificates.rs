//! Card-verifiable certificates and requests, as the card reads them and as the harness does.

use std::sync::OnceLock;

use hsm2_emulator::crypto::{CardRng, EcPrivateKey, Hash};
use hsm2_emulator::cvc::{
    AuthenticatedRequest, CertificateFields, EcPublicKey, Parameters, Role, SignedBody, issue, tag,
};
use hsm2_emulator::tlv::Writer;
use hsm2_emulator::trust::Anchor;
use hsm2_harness::card::cvc::{Certificate, Flaw, Request, Role as HostRole};

use crate::fixture;

/// Card-verifiable certificates and requests. The first byte says what the rest is, modulo five:
///
/// ```text
/// 0   content of 7F21
/// 1   content of 7F4E, which gets a signature
/// 2   a file of certificates, or a trust anchor
/// 3   content of 67
/// 4   content of the 7F21 in an authenticated request, for which a device vouches
/// ```
pub fn cvc(input: &[u8]) {
    cvc_by(input, &Readers::HARNESS);
}

/// Who reads beside the card.
#[derive(Clone, Copy, Debug)]
pub struct Readers {
    /// Reads the content of 7F21.
    pub certificate: fn(&[u8]) -> Result<Certificate, Flaw>,
    /// Reads 67 and checks it with the certificate of a device.
    pub request: fn(&[u8], &Certificate) -> Result<Request, Flaw>,
    /// Reads a file of certificates.
    pub file: fn(&[u8]) -> Result<Vec<Certificate>, Flaw>,
}

impl Readers {
    /// The harness.
    pub const HARNESS: Self = Self {
        certificate: Certificate::parse,
        request: Request::parse,
        file: Certificate::parse_all,
    };
}

/// [`cvc`] with these readers.
pub fn cvc_by(input: &[u8], readers: &Readers) {
    let Some((first, rest)) = input.split_first() else {
        return;
    };
    match first % 5 {
        0 => certificate(rest, readers),
        1 => certificate(&Device::get().signed(tag::BODY, rest), readers),
        2 => file(rest, readers),
        3 => request(rest, readers),
        _ => {
            let covered = Writer::new()
                .element(tag::CERTIFICATE, rest)
                .element(tag::AUTHORITY, NAME)
                .into_vec();
            request(&Device::get().with_signature(&covered), readers);
        }
    }
}

/// What the card takes the harness takes, and both see the same key and judge the same.
fn certificate(content: &[u8], readers: &Readers) {
    let host = (readers.certificate)(content);
    let Ok(body) = SignedBody::parse(content) else {
        return;
    };
    let Ok(key) = body.ec_public_key(Some(fixture::CURVE)) else {
        return;
    };
    assert_eq!(key.point.len(), key.curve.point_len());
    let host = match host {
        Ok(host) => host,
        Err(flaw) => panic!("cvc: the card takes what the harness refuses: {flaw}"),
    };
    assert!(
        host.holder == body.holder
            && host.authority == body.authority.unwrap_or_default()
            && host.key.point() == Some(&key.point[..]),
        "cvc: the harness reads another certificate than the card"
    );
    assert!(
        host.is_signed_by(&host.key) == key.verify(body.body, body.signature).is_ok(),
        "cvc: card and harness do not agree on a signature"
    );
}

fn file(bytes: &[u8], readers: &Readers) {
    if let Ok((device, _)) = Certificate::of_device(bytes) {
        let shown = device.serial();
        assert!(shown.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    }
    if Anchor::parse(bytes).is_ok() {
        let roots = (readers.file)(bytes);
        assert!(
            matches!(&roots.as_deref(), Ok([root]) if root.is_signed_by(&root.key)
                && root.role == Some(HostRole::Root)),
            "cvc: a trust anchor that is no root"
        );
    }
}

/// Content of 67: the harness believes a device's word just when the device gave it.
fn request(content: &[u8], readers: &Readers) {
    let device = Device::get();
    let host = (readers.request)(
        &Writer::new()
            .element(tag::AUTHENTICATED, content)
            .into_vec(),
        &device.certificate,
    );
    let Ok(request) = AuthenticatedRequest::parse(content) else {
        return;
    };
    assert!(request.covered.len() <= content.len());
    let vouched = device
        .public
        .verify(request.covered, request.outer_signature)
        .is_ok();
    assert!(
        host.is_err() || vouched,
        "cvc: the harness believes what the device did not sign"
    );
    let Ok(key) = request.request.ec_public_key(Some(fixture::CURVE)) else {
        return;
    };
    let signed = key
        .verify(request.request.body, request.request.signature)
        .is_ok();
    assert!(
        host.is_ok() == (vouched && signed && request.rest.is_empty()),
        "cvc: card and harness do not agree on a request: {:?}",
        host.err()
    );
}

/// CHR of the device that vouches for requests.
const NAME: &[u8] = b"ZZVOUCHER00001";

/// A device whose key everybody here has.
struct Device {
    key: EcPrivateKey,
    public: EcPublicKey,
    certificate: Certificate,
}

impl Device {
    fn get() -> &'static Self {
        static DEVICE: OnceLock<Device> = OnceLock::new();
        DEVICE.get_or_init(|| {
            let key = EcPrivateKey::from_bytes(fixture::CURVE, &[0x17; 32]).unwrap();
            let fields = CertificateFields {
                authority: NAME,
                holder: NAME,
                role: Role::Device,
                effective: [2, 4, 0, 1, 0, 1],
                expiration: [3, 4, 0, 1, 0, 1],
                extensions: None,
            };
            let mut rng = CardRng::from_seed([2; 32]);
            let file = issue(&fields, &key, Parameters::Inherited, &key, &mut rng).unwrap();
            Self {
                public: EcPublicKey {
                    curve: fixture::CURVE,
                    point: key.public_point(),
                    hash: Hash::Sha256,
                },
                certificate: Certificate::parse_all(&file).unwrap().remove(0),
                key,
            }
        })
    }

    /// An element with this content, and a signature over it.
    fn signed(&self, tag: u16, content: &[u8]) -> Vec<u8> {
        self.with_signature(&Writer::new().element(tag, content).into_vec())
    }

    fn with_signature(&self, covered: &[u8]) -> Vec<u8> {
        let mut rng = CardRng::from_seed([3; 32]);
        let digest = Hash::Sha256.digest(covered);
        let signature = self.key.sign_prehash(&digest, &mut rng).unwrap().to_plain();
        Writer::new()
            .raw(covered)
            .element(tag::SIGNATURE, &signature)
            .into_vec()
    }
}
