//! Blobs made by hand: contents that only somebody who knows the DKEK can put in front of the
//! card, and the card's own sealing with known randomness.

use crypto_bigint::{BoxedUint, NonZero, Resize};
use hsm2_emulator::blob;
use hsm2_emulator::crypto::{CardRng, Curve, EcPrivateKey, RsaPrivateKey, symmetric};
use hsm2_emulator::domain::Kek;
use hsm2_emulator::profile::NITROKEY_HSM2;
use rand_core::{TryCryptoRng, TryRng};

use crate::keys::{Bench, unwrap_command};
use crate::vectors::{self, hex};

pub(crate) const ZERO_SHARE: &str =
    "0000000000000000000000000000000000000000000000000000000000000000";

/// The DKEK that is one share of zeros, which public scripts use.
fn kek() -> Kek {
    Kek::new(&[0; 32])
}

/// Seals any plain text behind prefix and before padding.
pub(crate) fn sealed(kind: u8, size: u16, content: &[u8]) -> Vec<u8> {
    let kek = kek();
    let mut blob = [&kek.kcv()[..], &[kind], &[0; 8]].concat();
    let mut plain = [&[0xA0; 8][..], &size.to_be_bytes(), content, &[0x80]].concat();
    plain.resize(plain.len().next_multiple_of(16), 0);
    let key = kek.encryption_key();
    blob.extend(symmetric::aes_cbc_encrypt(&key[..], &[0; 16], &plain).unwrap());
    let mac = symmetric::aes_cmac(&kek.mac_key()[..], &blob).unwrap();
    [blob, mac.to_vec()].concat()
}

/// Opens what the card sealed and returns the plain text behind the prefix.
fn opened(blob: &[u8], header: usize) -> Vec<u8> {
    let cryptogram = &blob[header..blob.len() - 16];
    let key = kek().encryption_key();
    symmetric::aes_cbc_decrypt(&key[..], &[0; 16], cryptogram).unwrap()[8..].to_vec()
}

pub(crate) fn fields<T: AsRef<[u8]>>(fields: &[T]) -> Vec<u8> {
    let length = |field: &[u8]| u16::try_from(field.len()).unwrap().to_be_bytes();
    let field = |field: &T| [&length(field.as_ref()), field.as_ref()].concat();
    fields.iter().flat_map(field).collect()
}

/// The fields of type 06, from the primes.
pub(crate) fn crt(key: &RsaPrivateKey) -> Vec<Vec<u8>> {
    let bits = u32::try_from(key.bits()).unwrap();
    let read = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, bits).unwrap();
    let (p, q, d) = (read(&key.p()), read(&key.q()), read(&key.d()));
    let one = BoxedUint::one().resize(bits);
    let modulo = |number: &BoxedUint, modulus: &BoxedUint| {
        number.rem(&NonZero::new(modulus.clone()).unwrap())
    };
    let dp = modulo(&d, &p.wrapping_sub(&one));
    let dq = modulo(&d, &q.wrapping_sub(&one));
    let q_inverse = modulo(&q, &p).invert_mod(&NonZero::new(p.clone()).unwrap());
    let half = |number: &BoxedUint| {
        let bytes = number.to_be_bytes();
        bytes[bytes.len() - key.modulus_len() / 2..].to_vec()
    };
    let q_inverse = q_inverse.unwrap();
    [&dp, &dq, &p, &q_inverse, &q]
        .map(half)
        .into_iter()
        .chain([key.n(), key.e()])
        .collect()
}

#[test]
fn the_card_takes_what_is_well_formed_and_nothing_else_under_its_dkek() {
    let mut card = Bench::with_dkek(&[ZERO_SHARE]);
    let curve = Curve::Secp256r1.parameters();
    let key = EcPrivateKey::from_bytes(Curve::Secp256r1, &[0x11; 32]).unwrap();
    let (d, point) = (key.secret_bytes().to_vec(), key.public_point());
    let ec = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let values = [curve.a, curve.b, curve.p, curve.n, curve.g, &d[..], &point];
        let mut values = values.map(<[u8]>::to_vec).to_vec();
        change(&mut values);
        fields(&values)
    };
    let as_it_is = ec(&|_| {});
    assert_eq!(card.unwrap_key(1, &sealed(0x0C, 256, &as_it_is)), 0x9000);
    assert_eq!(card.decipher(1, 0x80, curve.g), point);
    assert_eq!(card.unwrap_key(2, &sealed(0x0F, 24, &[7; 24])), 0x9000);

    let zero = ec(&|fields| fields[5] = vec![0; 32]);
    let order = ec(&|fields| fields[5] = curve.n.to_vec());
    let long_d = ec(&|fields| fields[5].insert(0, 0));
    let other_point = ec(&|fields| fields[6] = curve.g.to_vec());
    let no_point = ec(&|fields| fields[6] = Vec::new());
    let wrong_b = ec(&|fields| fields[1][31] ^= 1);
    let other_generator = ec(&|fields| fields[4] = point.clone());
    let cut = &as_it_is[..as_it_is.len() - 60];
    let rows = [
        ("type 00", 0x00, 256, &as_it_is[..]),
        ("type of AES with EC", 0x0F, 256, &as_it_is),
        ("size of another curve", 0x0C, 384, &as_it_is),
        ("size of 0", 0x0C, 0, &as_it_is),
        ("d = 0", 0x0C, 256, &zero),
        ("d = n", 0x0C, 256, &order),
        ("d of 33 bytes", 0x0C, 256, &long_d),
        ("Q is not d·G", 0x0C, 256, &other_point),
        ("no Q", 0x0C, 256, &no_point),
        ("no known curve", 0x0C, 256, &wrong_b),
        ("another generator", 0x0C, 256, &other_generator),
        ("Q cut", 0x0C, 256, cut),
        ("AES of 0 bytes", 0x0F, 0, &[]),
        ("AES of 15 bytes", 0x0F, 15, &[7; 15]),
        ("AES of 33 bytes", 0x0F, 33, &[7; 33]),
        ("AES longer than its content", 0x0F, 32, &[7; 8]),
        ("nothing", 0x05, 1024, &[]),
        ("RSA of zeros", 0x05, 1024, &[0; 400]),
    ];
    for (name, kind, size, content) in rows {
        let command = unwrap_command(3, &sealed(kind, size, content));
        card.refuses(&[(name, &command, 0x6A80)]);
    }
}

#[test]
fn rsa_comes_in_both_forms_up_to_2048_bits_and_as_type_05_above() {
    let mut card = Bench::with_dkek(&[ZERO_SHARE]);
    let mut rng = CardRng::from_seed([3; 32]);
    let make = |bits, rng: &mut CardRng| RsaPrivateKey::generate(bits, &[1, 0, 1], rng).unwrap();
    let (key, large) = (make(2048, &mut rng), make(3072, &mut rng));
    let plain = |key: &RsaPrivateKey| [key.d().to_vec(), key.n(), key.e()];
    assert_eq!(
        card.unwrap_key(1, &sealed(0x06, 2048, &fields(&crt(&key)))),
        0x9000
    );
    assert_eq!(
        card.unwrap_key(2, &sealed(0x05, 2048, &fields(&plain(&key)))),
        0x9000
    );
    assert_eq!(card.sign(1, 0x33, b"x"), card.sign(2, 0x33, b"x"));
    assert_eq!(
        card.unwrap_key(3, &sealed(0x05, 3072, &fields(&plain(&large)))),
        0x9000
    );

    let refuse = |card: &mut Bench, name: &str, kind, size, content: &[Vec<u8>]| {
        let command = unwrap_command(4, &sealed(kind, size, &fields(content)));
        card.refuses(&[(name, &command, 0x6A80)]);
    };
    // Too long for one command.
    card.write_scratch(&sealed(0x06, 3072, &fields(&crt(&large))));
    card.refuses(&[("CRT of 3072 bits", "80 74 04 93", 0x6A80)]);
    refuse(&mut card, "size of another key", 0x05, 3072, &plain(&key));
    for (index, name) in ["d", "n", "e"].into_iter().enumerate() {
        let mut wrong = plain(&key);
        *wrong[index].last_mut().unwrap() ^= 2;
        refuse(&mut card, name, 0x05, 2048, &wrong);
    }
    let mut long_d = plain(&key);
    long_d[0].insert(0, 0);
    refuse(&mut card, "d of 257 bytes", 0x05, 2048, &long_d);
    for index in 0..7 {
        let mut wrong = crt(&key);
        *wrong[index].last_mut().unwrap() ^= 2;
        refuse(&mut card, "a part of the CRT form", 0x06, 2048, &wrong);
    }
}

#[test]
fn rsa_4096_leaves_as_the_genuine_1099_bytes_and_d_of_513_is_refused() {
    let mut card = Bench::with_dkek(&[ZERO_SHARE]);
    let request = card.generate(1, &crate::keys::rsa_template(4096, ""));
    assert!(request.len() <= 1200, "hosts' buffer: {}", request.len());
    let blob = card.wrap(1);
    assert_eq!(blob.len(), 1099);
    assert_eq!(card.unwrap_key(2, &blob), 0x9000);
    assert_eq!(card.sign(2, 0x33, b"x"), card.sign(1, 0x33, b"x"));
    let plain = opened(&blob, 27);
    assert_eq!(
        plain[..4],
        [0x10, 0x00, 0x02, 0x00],
        "4096 bits, d of 512 bytes"
    );
    let content = &plain[2..2 + 2 + 512 + 2 + 512 + 2 + 3];
    let (d, n) = (&content[2..514], &content[516..1028]);
    let key = RsaPrivateKey::from_exponent(n, &[1, 0, 1], d).unwrap();
    card.write_scratch(&sealed(0x06, 4096, &fields(&crt(&key))));
    card.refuses(&[("the CRT form", "80 74 03 93", 0x6A80)]);
    assert_eq!(card.unwrap_key(3, &sealed(0x05, 4096, content)), 0x9000);
    let longer = [&[0x02, 0x01, 0x00], &content[2..]].concat();
    let longer = unwrap_command(4, &sealed(0x05, 4096, &longer));
    card.refuses(&[("d of 513 bytes", &longer, 0x6A80)]);
}

/// Yields A0 A1 A2 …, the random prefix of the vectors.
struct Counting(u8);

impl TryRng for Counting {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for byte in bytes {
            *byte = self.0;
            self.0 = self.0.wrapping_add(1);
        }
        Ok(())
    }
}

impl TryCryptoRng for Counting {}

#[test]
fn sealing_with_the_prefix_of_the_vectors_gives_their_bytes() {
    let blobs = vectors::blobs();
    let dkek = <[u8; 32]>::try_from(hex(&blobs["dkek"])).unwrap();
    let kek = Kek::new(&dkek);
    let mut equal = 0;
    for vector in blobs["vectors"].as_array().unwrap() {
        let expected = hex(&vector["blob"]);
        let envelope = blob::Envelope::parse(&expected).unwrap();
        let unsealed = envelope.open(&kek, &NITROKEY_HSM2).unwrap();
        let algorithms = unsealed.algorithms.as_deref();
        let again = blob::seal(
            &kek,
            &unsealed.material,
            algorithms,
            &NITROKEY_HSM2,
            &mut Counting(0xA0),
        );
        let again = again.unwrap();
        if expected[8] == 0x06 {
            assert_eq!(again[8], 0x05, "never sealed as CRT");
        } else {
            assert_eq!(again, expected, "{}", vector["name"]);
            equal += 1;
        }
    }
    assert_eq!(equal, 9);
}
