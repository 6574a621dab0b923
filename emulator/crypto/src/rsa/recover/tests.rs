use crypto_bigint::{BoxedUint, ConcatenatingMul, NonZero, Resize};

use super::super::RsaPrivateKey;
use crate::Error;

/// Pairs of primes, and a prime that divides both less one: the common divisor is twice that.
const SHARED: [(u64, &str, &str); 2] = [
    (
        949_633,
        "f0671f6608d159720dc470d498d119f033e779bd9fedfd754cfdd5c5a013b0a6\
         da4f42fa61ff27cd60282678af6d0aa696e3fbbfa4abf29c1a6415283953e6a7",
        "d3dde9fa392568ea7592fd7932ffd988a6e8b852a8f64e464538c3208aa1cd32\
         c86dc34ed6cf2bba20df1e5509e372887feb046859fbfdcc84722239f6410777",
    ),
    (
        758_064_335_213,
        "f1b865294e3c85b749742438ba73676f4e13f26ff9c1be3af80f67998a253418\
         c7a0a8d1635f1b09d3436e8d428fe8414b5ac846e7bdd59ab326ed1841f76cef",
        "e9278b5a0dc885697faaa19761f6ff4975a28a888df56023297c341bef3f130b\
         ef5ceca3f7202a0420fc4831905c37678902c700b4577a127f534642c03d9f6f",
    ),
];

const EXPONENTS: [&[u8]; 3] = [&[3], &[1, 0, 1], &[1, 0xFF, 0xFF, 0xFF, 0xFF]];

fn number(bytes: &[u8]) -> BoxedUint {
    BoxedUint::from_be_slice_vartime(bytes).resize(1024)
}

/// λ, the least common multiple of p-1 and q-1, and the divisor that it leaves out.
fn order(p: &BoxedUint, q: &BoxedUint, shared: u64) -> (BoxedUint, BoxedUint) {
    let divisor = BoxedUint::from(2 * shared).resize(1024);
    let one = BoxedUint::one();
    let totient = p
        .wrapping_sub(&one)
        .concatenating_mul(q.wrapping_sub(&one))
        .resize(1024);
    let (least, rest) = totient.div_rem(&NonZero::new(divisor.clone()).unwrap());
    assert!(bool::from(rest.is_zero()));
    (least, divisor)
}

#[test]
fn primes_are_found_however_large_the_divisor_that_the_exponent_leaves_out() {
    for (shared, p, q) in SHARED {
        let [p, q] = [p, q].map(|hex| hex::decode(hex).unwrap());
        for e in EXPONENTS {
            let key = RsaPrivateKey::from_primes(&p, &q, e).unwrap();
            let (least, divisor) = order(&number(&p), &number(&q), shared);
            // Every exponent below (p-1)(q-1) that undoes e; a few of them stand for all.
            let steps = [0, 1, 2, 3, shared, 2 * shared - 1];
            let small = number(&key.d());
            assert!(small < least && divisor > BoxedUint::from(2 * shared - 1).resize(1024));
            for step in steps {
                let d = small.wrapping_add(least.wrapping_mul(BoxedUint::from(step)));
                let found = RsaPrivateKey::from_exponent(&key.n(), e, &d.to_be_bytes())
                    .unwrap_or_else(|error| panic!("{shared}, {e:?}, {step}: {error}"));
                assert_eq!((found.p(), found.q()), (key.p(), key.q()));
                assert_eq!(
                    found.d(),
                    key.d(),
                    "always modulo the least common multiple"
                );
                assert_eq!(found.e(), e);
            }
        }
    }
}

#[test]
fn an_exponent_beside_one_that_fits_is_refused() {
    let (shared, p, q) = SHARED[1];
    let [p, q] = [p, q].map(|hex| hex::decode(hex).unwrap());
    let e = EXPONENTS[1];
    let key = RsaPrivateKey::from_primes(&p, &q, e).unwrap();
    let (least, _) = order(&number(&p), &number(&q), shared);
    let d = number(&key.d());
    let two = BoxedUint::from(2u64).resize(1024);
    let half = least.shr_vartime(1).unwrap();
    for wrong in [
        d.wrapping_add(&two),
        d.wrapping_sub(&two),
        d.wrapping_add(&half),
        least,
        half,
    ] {
        let found = RsaPrivateKey::from_exponent(&key.n(), e, &wrong.to_be_bytes());
        assert_eq!(found.err(), Some(Error::Key));
    }
}
