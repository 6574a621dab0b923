//! The published vectors, read. They are compiled in, so that one that does not read is an error of
//! this program; its tests read them all.

use serde::Deserialize;

use crate::blob::container::KeyFile;
use crate::key::curves::CURVES;
use crate::key::{EcKey, Key, KeyError, RsaKey};
use crate::secret::Secret;
use crate::suite::bench::Stop;

const BLOBS: &str = include_str!("../../../../vectors/blobs.json");
const DKEKS: &str = include_str!("../../../../vectors/dkek.json");
const TOKENS: &str = include_str!("../../../../vectors/real-tokens.json");

/// A wrapped key and what is in it.
pub(super) struct Vector {
    pub(super) name: String,
    pub(super) algorithms: Vec<u8>,
    pub(super) blob: Vec<u8>,
    pub(super) key: Key,
}

/// Wrapped keys under one DKEK, and what no card takes.
pub(super) struct Blobs {
    pub(super) dkek: [u8; 32],
    pub(super) check_value: [u8; 8],
    pub(super) vectors: Vec<Vector>,
    pub(super) negative: Vec<(String, Vec<u8>)>,
}

/// Shares and the check value of their DKEK.
pub(super) struct Dkeks {
    pub(super) name: String,
    pub(super) shares: Vec<[u8; 32]>,
    pub(super) check_value: [u8; 8],
}

/// What a genuine token wrapped.
pub(super) struct Genuine {
    pub(super) dkek: [u8; 32],
    pub(super) check_value: [u8; 8],
    pub(super) blob: Vec<u8>,
    /// `04 || x || y` by the token's own request.
    pub(super) point: Vec<u8>,
}

/// Lower-case letters and digits of a name, underscores between its words.
pub(super) fn slug(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let words = name.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).take(6).collect();
    words.join("_")
}

impl Vector {
    pub(super) fn slug(&self) -> String {
        slug(&self.name)
    }

    /// The capability that a card must have for it.
    pub(super) fn need(&self) -> String {
        match &self.key {
            Key::Aes(_) => "aes".into(),
            Key::Rsa(key) => format!("rsa-{}", 8 * key.modulus().len()),
            Key::Ec(key) => format!("curve-{}", key.curve().name),
        }
    }
}

#[derive(Deserialize)]
struct BlobFile {
    dkek: Bytes,
    kcv: Bytes,
    vectors: Vec<BlobRow>,
    negative: Vec<NegativeRow>,
}

#[derive(Deserialize)]
struct BlobRow {
    name: String,
    allowed_algorithms: Bytes,
    blob: Bytes,
    fields: std::collections::BTreeMap<String, Bytes>,
}

#[derive(Deserialize)]
struct NegativeRow {
    name: String,
    blob: Bytes,
}

#[derive(Deserialize)]
struct DkekFile {
    vectors: Vec<DkekRow>,
}

#[derive(Deserialize)]
struct DkekRow {
    name: String,
    shares: Vec<Bytes>,
    kcv: Bytes,
}

#[derive(Deserialize)]
struct TokenFile {
    records: Vec<TokenRow>,
}

#[derive(Deserialize)]
struct TokenRow {
    id: String,
    response_hex: Option<Bytes>,
    dkek_hex: Option<Bytes>,
    kcv_hex: Option<Bytes>,
}

/// Bytes as hexadecimal text.
#[derive(Default, Deserialize)]
#[serde(try_from = "String")]
struct Bytes(Vec<u8>);

impl TryFrom<String> for Bytes {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        hex::decode(text).map(Self)
    }
}

impl Bytes {
    fn fixed<const N: usize>(&self) -> [u8; N] {
        self.0.as_slice().try_into().unwrap_or([0; N])
    }
}

/// The key that the fields of a row make up, whatever its blob says.
fn key(fields: &std::collections::BTreeMap<String, Bytes>) -> Result<Key, KeyError> {
    let field = |name: &str| {
        fields
            .get(name)
            .map(|bytes| bytes.0.clone())
            .unwrap_or_default()
    };
    let secret = |name: &str| Secret::new(field(name));
    if fields.contains_key("key") {
        return Key::aes(secret("key"));
    }
    if fields.contains_key("secret_d") {
        let [a, b, p] = ["a", "b", "p"].map(field);
        let curve = crate::key::curves::Curve::by_equation(&p, &a, &b).unwrap_or(&CURVES[0]);
        return Ok(Key::Ec(EcKey::new(curve, &secret("secret_d"), None)?));
    }
    let (n, e) = (field("modulus"), field("public_exponent"));
    Ok(Key::Rsa(if fields.contains_key("private_exponent") {
        RsaKey::from_exponents(&n, &e, &secret("private_exponent"))?
    } else {
        let parts = crate::key::rsa::CrtParts {
            dp: secret("dp1"),
            dq: secret("dq1"),
            p: secret("p"),
            qinv: secret("pq_inverse_of_q_mod_p"),
            q: secret("q"),
        };
        RsaKey::from_crt(&n, &e, &parts)?
    }))
}

impl Blobs {
    pub(super) fn read() -> Self {
        let file: BlobFile = read(BLOBS);
        let vectors = file.vectors.into_iter().map(|row| Vector {
            key: key(&row.fields).expect("the vectors hold keys"),
            name: row.name,
            algorithms: row.allowed_algorithms.0,
            blob: row.blob.0,
        });
        Self {
            dkek: file.dkek.fixed(),
            check_value: file.kcv.fixed(),
            vectors: vectors.collect(),
            negative: file
                .negative
                .into_iter()
                .map(|row| (row.name, row.blob.0))
                .collect(),
        }
    }
}

impl Dkeks {
    pub(super) fn read() -> Vec<Self> {
        let file: DkekFile = read(DKEKS);
        let rows = file.vectors.into_iter().map(|row| Self {
            name: row.name,
            shares: row.shares.iter().map(Bytes::fixed).collect(),
            check_value: row.kcv.fixed(),
        });
        rows.collect()
    }
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).expect("the vectors are compiled in and read")
}

/// The key that a genuine token wrapped, with the public key from its request.
pub(super) fn genuine() -> Result<Genuine, Stop> {
    let file: TokenFile = read(TOKENS);
    let row = file
        .records
        .into_iter()
        .find(|row| row.id == "wrapped-ec-k1");
    let row = row.ok_or_else(|| Stop::Harness("the genuine blob is not there".into()))?;
    let bytes = |field: Option<Bytes>| field.unwrap_or_default();
    let content = bytes(row.response_hex).0;
    let file = KeyFile::parse(&content)?;
    let request = file.certificate.map(|certificate| certificate.raw);
    let point = crate::judge::public_in_request(request.unwrap_or_default())?;
    Ok(Genuine {
        dkek: bytes(row.dkek_hex).fixed(),
        check_value: bytes(row.kcv_hex).fixed(),
        blob: file.blob.to_vec(),
        point,
    })
}
