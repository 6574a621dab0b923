use std::convert::Infallible;

use proptest::prelude::*;
use rand_core::{TryCryptoRng, TryRng};
use serde::Deserialize;

use super::padding::*;
use super::*;
use crate::{CardRng, Hash};

#[derive(Deserialize)]
struct File {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    bits: usize,
    n: String,
    e: String,
    d: String,
    p: String,
    q: String,
    dp: String,
    dq: String,
    qinv: String,
    raw: Raw,
    pkcs1v15: Vec<Pkcs1v15>,
    pss: Vec<Pss>,
    decrypt: Vec<Decrypt>,
}

#[derive(Deserialize)]
struct Raw {
    input: String,
    output: String,
}

#[derive(Deserialize)]
struct Pkcs1v15 {
    hash: String,
    digest: String,
    signature: String,
}

#[derive(Deserialize)]
struct Pss {
    hash: String,
    digest: String,
    salt: String,
    signature: String,
}

#[derive(Deserialize)]
struct Decrypt {
    padding: String,
    hash: Option<String>,
    label: String,
    message: String,
    ciphertext: String,
}

/// Gives out known bytes as if they were random.
struct Known(std::vec::IntoIter<u8>);

impl Known {
    fn new(bytes: Vec<u8>) -> Self {
        Self(bytes.into_iter())
    }
}

impl TryRng for Known {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("the encoding asks for bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("the encoding asks for bytes")
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Infallible> {
        destination.fill_with(|| self.0.next().unwrap());
        Ok(())
    }
}

impl TryCryptoRng for Known {}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn hash(name: &str) -> Hash {
    let names = ["SHA-1", "SHA-224", "SHA-256", "SHA-384", "SHA-512"];
    Hash::ALL[names.iter().position(|known| *known == name).unwrap()]
}

fn groups() -> Vec<Group> {
    let text = include_str!("../../../../vectors/crypto/rsa.json");
    let file: File = serde_json::from_str(text).unwrap();
    assert_eq!(file.groups.len(), 7);
    file.groups
}

fn key(group: &Group) -> RsaPrivateKey {
    RsaPrivateKey::from_primes(&bytes(&group.p), &bytes(&group.q), &bytes(&group.e)).unwrap()
}

fn rng() -> CardRng {
    CardRng::from_seed([1; 32])
}

/// Private exponents are equal modulo p-1 and q-1 only: some programs reduce them modulo
/// (p-1)(q-1), some modulo the least common multiple.
fn assert_fits(d: &[u8], group: &Group) {
    for (prime, reduced) in [(&group.p, &group.dp), (&group.q, &group.dq)] {
        let mut less_one = bytes(prime);
        *less_one.last_mut().unwrap() -= 1;
        let less_one = crypto_bigint::NonZero::new(read(&less_one).unwrap()).unwrap();
        assert_eq!(read(d).unwrap() % less_one, read(&bytes(reduced)).unwrap());
    }
    assert_eq!(d.len(), group.bits / 8);
}

#[test]
fn parts_of_a_key_are_those_of_openssl() {
    for group in groups() {
        let key = key(&group);
        assert_eq!(
            (key.bits(), key.modulus_len()),
            (group.bits, group.bits / 8)
        );
        assert_eq!(hex::encode(key.n()), group.n);
        assert_eq!(hex::encode(key.e()), group.e);
        assert_eq!(hex::encode(key.p()), group.p);
        assert_eq!(hex::encode(key.q()), group.q);
        assert_fits(&key.d(), &group);
    }
}

#[test]
fn the_raw_operation_is_that_of_openssl() {
    for group in groups() {
        let key = key(&group);
        // More often than a blinding pair lives, with the same result.
        for _ in 0..if group.bits <= 2048 { 70 } else { 2 } {
            let output = key.raw(&bytes(&group.raw.input), &mut rng()).unwrap();
            assert_eq!(hex::encode(&output), group.raw.output, "{}", group.bits);
        }
        let back = key.raw_public(&bytes(&group.raw.output)).unwrap();
        assert_eq!(hex::encode(back), group.raw.input);
    }
}

#[test]
fn what_an_operation_draws_does_not_depend_on_who_used_the_key_before() {
    let groups = groups();
    let key = key(&groups[0]);
    let input = bytes(&groups[0].raw.input);
    // More often than a blinding pair lives.
    let drawn: Vec<_> = (0..70)
        .map(|_| {
            let mut rng = rng();
            key.raw(&input, &mut rng).unwrap();
            rng.next_u64()
        })
        .collect();
    assert!(drawn.iter().all(|next| *next == drawn[0]));
}

#[test]
fn pkcs1v15_signatures_are_those_of_openssl() {
    for group in groups() {
        let key = key(&group);
        for case in &group.pkcs1v15 {
            let (hash, digest) = (hash(&case.hash), bytes(&case.digest));
            let block = pkcs1v15_sign_block(key.modulus_len(), hash, &digest).unwrap();
            let signature = key.raw(&block, &mut rng()).unwrap();
            assert_eq!(hex::encode(&signature), case.signature);
            let digest_info = [hash.digest_info_prefix(), &digest].concat();
            let same = pkcs1v15_pad_digest_info(key.modulus_len(), &digest_info).unwrap();
            assert_eq!(same, block);
        }
    }
}

#[test]
fn pss_signatures_with_a_known_salt_are_those_of_openssl() {
    for group in groups() {
        let key = key(&group);
        for case in &group.pss {
            let (hash, digest, salt) = (hash(&case.hash), bytes(&case.digest), bytes(&case.salt));
            let salt_len = salt.len();
            let mut salt = Known::new(salt);
            let block = pss_encode(hash, &digest, salt_len, group.bits - 1, &mut salt).unwrap();
            let signature = key.raw(&block, &mut rng()).unwrap();
            assert_eq!(hex::encode(&signature), case.signature);
        }
    }
}

#[test]
fn messages_encrypted_by_openssl_come_out_of_their_padding() {
    for group in groups() {
        let key = key(&group);
        for case in &group.decrypt {
            let block = key.raw(&bytes(&case.ciphertext), &mut rng()).unwrap();
            let message = match case.hash.as_deref().map(hash) {
                None => pkcs1v15_unpad(&block),
                Some(hash) => oaep_unpad(hash, &bytes(&case.label), &block),
            };
            assert_eq!(
                hex::encode(message.unwrap()),
                case.message,
                "{}",
                case.padding
            );
            if let Some(hash) = case.hash.as_deref().map(hash) {
                let other = oaep_unpad(hash, b"another label", &block);
                assert_eq!(other, Err(Error::Padding));
            }
        }
    }
}

#[test]
fn keys_are_rebuilt_from_their_exponents() {
    for group in groups() {
        let (n, e, d) = (bytes(&group.n), bytes(&group.e), bytes(&group.d));
        let key = RsaPrivateKey::from_exponent(&n, &e, &d).unwrap();
        assert_eq!(key.n(), n);
        assert_fits(&key.d(), &group);
        let mut primes = [hex::encode(key.p()), hex::encode(key.q())];
        primes.sort();
        let mut expected = [group.p.clone(), group.q.clone()];
        expected.sort();
        assert_eq!(primes, expected);
    }
}

#[test]
fn exponents_that_do_not_belong_to_the_modulus_make_no_key() {
    let groups = groups();
    let (first, other) = (&groups[0], &groups[1]);
    let (n, e, d) = (bytes(&first.n), bytes(&first.e), bytes(&first.d));
    let refused = |n: &[u8], e: &[u8], d: &[u8]| {
        assert_eq!(
            RsaPrivateKey::from_exponent(n, e, d).err(),
            Some(Error::Key)
        );
    };
    refused(&n, &[3], &d);
    refused(&n, &e, &bytes(&other.d));
    refused(&bytes(&other.n), &e, &d);
    refused(&n, &[1], &d);
    refused(&n, &[], &d);
    refused(&n, &[1, 0, 0], &d);
    refused(&n, &[0xFF; 8], &d);
    refused(&n, &e, &[]);
    refused(&n, &e, &[0; 128]);
    refused(&n, &e, &n);
    let mut even = n.clone();
    *even.last_mut().unwrap() &= 0xFE;
    refused(&even, &e, &d);
    refused(&n[1..], &e, &d);
    refused(&[], &e, &d);
    refused(&[0xFF; 64], &e, &[3]);
    let mut wrong = d.clone();
    *wrong.last_mut().unwrap() ^= 2;
    refused(&n, &e, &wrong);
}

#[test]
fn crt_parts_must_all_agree() {
    for group in groups().iter().filter(|group| group.bits <= 2048) {
        let parts = [
            &group.dp,
            &group.dq,
            &group.p,
            &group.qinv,
            &group.q,
            &group.n,
            &group.e,
        ]
        .map(|part| bytes(part));
        let build = |parts: &[Vec<u8>; 7]| {
            let [dp, dq, p, qinv, q, n, e] = parts;
            RsaPrivateKey::from_crt(dp, dq, p, qinv, q, n, e)
        };
        assert_eq!(hex::encode(build(&parts).unwrap().n()), group.n);
        for wrong in 0..parts.len() {
            let mut parts = parts.clone();
            *parts[wrong].last_mut().unwrap() ^= 4;
            assert_eq!(build(&parts).err(), Some(Error::Key), "part {wrong}");
        }
    }
}

#[test]
fn a_key_of_a_composite_number_is_not_imported() {
    let group = &groups()[0];
    let mut composite = bytes(&group.p);
    *composite.last_mut().unwrap() ^= 2;
    // Whoever only does sums with the numbers finds nothing wrong.
    let e = bytes(&group.e);
    let key = RsaPrivateKey::from_primes(&composite, &bytes(&group.q), &e).unwrap();
    let imported = RsaPrivateKey::from_exponent(&key.n(), &e, &key.d());
    assert_eq!(imported.err(), Some(Error::Key));
}

#[test]
fn numbers_that_are_no_primes_make_no_key() {
    let group = &groups()[0];
    let (p, q, e) = (bytes(&group.p), bytes(&group.q), bytes(&group.e));
    let refused = |p: &[u8], q: &[u8]| {
        assert!(RsaPrivateKey::from_primes(p, q, &e).is_err());
    };
    refused(&p, &p);
    refused(&p, &[1]);
    refused(&[0], &q);
    refused(&[], &[]);
    refused(&p, &q[1..]);
    refused(&[0xFF; 600], &q);
}

#[test]
fn inputs_not_below_the_modulus_are_refused() {
    let group = &groups()[0];
    let key = key(group);
    let n = key.n();
    let mut below = n.clone();
    *below.last_mut().unwrap() -= 1;
    // -1 to an odd power is -1.
    assert_eq!(*key.raw(&below, &mut rng()).unwrap(), below);
    assert_eq!(key.raw(&n, &mut rng()), Err(Error::Range));
    assert_eq!(key.raw(&[0xFF; 128], &mut rng()), Err(Error::Range));
    assert_eq!(key.raw(&[0; 129], &mut rng()), Err(Error::Length));
    assert_eq!(key.raw_public(&n), Err(Error::Range));
    // Short inputs count as numbers.
    assert_eq!(
        *key.raw(&[1], &mut rng()).unwrap(),
        [&[0; 127][..], &[1]].concat()
    );
    assert_eq!(*key.raw(&[], &mut rng()).unwrap(), [0; 128]);
    // Multiples of a prime have no inverse, yet a result.
    let p = bytes(&group.p);
    let power = key.raw(&p, &mut rng()).unwrap();
    assert_eq!(key.raw_public(&power).unwrap()[64..], p);
}

#[test]
fn generated_keys_work_and_depend_on_the_seed_alone() {
    for (bits, exponent) in [(1024, &[1, 0, 1][..]), (1280, &[3]), (1536, &[0, 1, 0, 1])] {
        let generate = |seed| {
            RsaPrivateKey::generate(bits, exponent, &mut CardRng::from_seed([seed; 32])).unwrap()
        };
        let key = generate(5);
        assert_eq!(key.n(), generate(5).n());
        assert_ne!(key.n(), generate(6).n());
        assert_eq!((key.bits(), key.n().len()), (bits, bits / 8));
        assert!(key.n()[0] >= 0x80);
        assert_eq!(key.e(), strip_zeros(exponent));
        assert_eq!(key.d().len(), bits / 8);
        let input = [0x42; 100];
        let power = key.raw(&input, &mut rng()).unwrap();
        assert!(key.raw_public(&power).unwrap().ends_with(&input));
        let again = RsaPrivateKey::from_primes(&key.p(), &key.q(), &key.e()).unwrap();
        assert_eq!((again.n(), again.d()), (key.n(), key.d()));
        RsaPrivateKey::from_exponent(&key.n(), &key.e(), &key.d()).unwrap();
    }
}

#[test]
fn sizes_and_exponents_out_of_range_are_refused() {
    let refused = |bits, exponent: &[u8]| {
        let generated = RsaPrivateKey::generate(bits, exponent, &mut rng());
        assert_eq!(generated.err(), Some(Error::Key), "{bits}");
    };
    for bits in [0, 8, 512, 1000, 1023, 1025, 1152, 4352, 8192, usize::MAX] {
        refused(bits, &[1, 0, 1]);
    }
    for exponent in [
        &[][..],
        &[0],
        &[1],
        &[2],
        &[1, 0, 0],
        &[0xFF; 9],
        &[2, 0, 0, 0, 1],
    ] {
        refused(1024, exponent);
    }
}

#[test]
fn debug_shows_the_size_only() {
    let shown = format!("{:?}", key(&groups()[0]));
    assert_eq!(shown, "RsaPrivateKey(1024 bits, ..)");
}

#[test]
fn encodings_that_do_not_fit_are_refused() {
    assert_eq!(pkcs1v15_pad_digest_info(128, &[7; 118]), Err(Error::Length));
    let block = pkcs1v15_pad_digest_info(128, &[7; 117]).unwrap();
    assert!(block.starts_with(b"\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\x00\x07"));
    assert_eq!(pkcs1v15_pad_digest_info(0, &[]), Err(Error::Length));
    let wrong = pkcs1v15_sign_block(128, Hash::Sha256, &[0; 20]);
    assert_eq!(wrong, Err(Error::Length));
    let wrong = pss_encode(Hash::Sha256, &[0; 20], 32, 1023, &mut rng());
    assert_eq!(wrong, Err(Error::Length));
    // SHA-512 with a salt of its length needs 130 bytes.
    let tight = pss_encode(Hash::Sha512, &[0; 64], 64, 1023, &mut rng());
    assert_eq!(tight, Err(Error::Length));
}

#[test]
fn any_flaw_of_an_encryption_block_is_the_same_error() {
    let good = [
        b"\x00\x02\x01\x01\x01\x01\x01\x01\x01\x01\x00",
        &b"message"[..],
    ]
    .concat();
    assert_eq!(**pkcs1v15_unpad(&good).unwrap(), *b"message");
    for (position, value) in [(0, 1), (1, 1), (1, 0), (2, 0), (9, 0)] {
        let mut block = good.clone();
        block[position] = value;
        assert_eq!(pkcs1v15_unpad(&block), Err(Error::Padding));
    }
    assert_eq!(pkcs1v15_unpad(&good[..10]), Err(Error::Padding));
    assert_eq!(pkcs1v15_unpad(&[]), Err(Error::Padding));
    assert_eq!(oaep_unpad(Hash::Sha1, b"", &[0; 41]), Err(Error::Padding));
    assert_eq!(oaep_unpad(Hash::Sha1, b"", &[0; 128]), Err(Error::Padding));
}

proptest! {
    #[test]
    fn a_flipped_bit_of_an_oaep_block_is_noticed(bit in 0usize..1024) {
        let group = &groups()[0];
        let case = group.decrypt.iter().find(|case| case.padding == "oaep").unwrap();
        let mut block = key(group).raw(&bytes(&case.ciphertext), &mut rng()).unwrap();
        block[bit / 8] ^= 0x80 >> (bit % 8);
        prop_assert_eq!(oaep_unpad(Hash::Sha1, b"", &block), Err(Error::Padding));
    }

    #[test]
    fn unpadding_never_panics(block: Vec<u8>) {
        let _ = pkcs1v15_unpad(&block);
        let _ = oaep_unpad(Hash::Sha1, &[], &block);
    }
}

#[test]
fn a_key_computes_the_same_with_and_without_vector_instructions() {
    for group in groups() {
        let parts = [&group.p, &group.q, &group.dp, &group.dq, &group.qinv].map(|part| bytes(part));
        for instructions in [Instructions::Fastest, Instructions::Portable] {
            let parts = parts.each_ref().map(|part| part.as_slice());
            let key = private::prepare(group.bits, parts, instructions).unwrap();
            let mut input = bytes(&group.raw.input);
            input.splice(..0, vec![0; group.bits / 8 - input.len()]);
            assert_eq!(hex::encode(key.power(&input).unwrap()), group.raw.output);
        }
    }
}

#[test]
fn a_wrong_result_is_withheld() {
    let group = &groups()[0];
    let mut wrong = bytes(&group.qinv);
    *wrong.last_mut().unwrap() ^= 1;
    let parts = [&group.p, &group.q, &group.dp, &group.dq].map(|part| bytes(part));
    let [p, q, dp, dq] = &parts;
    let whole = key(group);
    let faulty = RsaPrivateKey(Arc::new(Inner {
        key: whole.0.key.clone(),
        bits: whole.bits(),
        e: whole.0.e,
        private: private::prepare(whole.bits(), [p, q, dp, dq, &wrong], Instructions::Fastest)
            .unwrap(),
        blinding: Mutex::default(),
    }));
    let input = bytes(&group.raw.input);
    assert_eq!(faulty.raw(&input, &mut rng()), Err(Error::Fault));
    whole.raw(&input, &mut rng()).unwrap();
}

#[test]
fn an_oaep_message_begins_behind_the_first_01() {
    let block = |separator: u8| {
        let hash = Hash::Sha1;
        let mut data = hash.digest(b"");
        data.extend_from_slice(&[0, 0, separator]);
        data.extend_from_slice(b"\x00\x01message");
        let mut seed = vec![0x5A; 20];
        mask(hash, &seed, &mut data);
        mask(hash, &data, &mut seed);
        [&[0], &seed[..], &data].concat()
    };
    let unpad = |separator| oaep_unpad(Hash::Sha1, b"", &block(separator));
    assert_eq!(**unpad(1).unwrap(), *b"\x00\x01message");
    for wrong in [2, 3, 0x80, 0xFF] {
        assert_eq!(unpad(wrong), Err(Error::Padding));
    }
}
