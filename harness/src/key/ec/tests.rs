use super::*;
use crate::key::curves::CURVES;

fn digits(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn minus_one(order: &[u8]) -> Vec<u8> {
    let mut less = order.to_vec();
    *less.last_mut().unwrap() -= 1;
    less
}

/// G, and (n - 1) G = -G: the whole ladder runs, and the result is known without another library.
#[test]
fn the_generator_and_its_negative_come_out_on_every_curve() {
    for curve in &CURVES {
        let [_, _, p, n, g] = curve.parameters();
        let one = EcKey::new(curve, &Secret::from(&[1][..]), Some(&g)).unwrap();
        assert_eq!(one.public(), g, "{}", curve.name);

        let negative = EcKey::new(curve, &Secret::new(minus_one(&n)), None).unwrap();
        let width = curve.width();
        assert_eq!(negative.public()[..=width], g[..=width], "{}", curve.name);
        // y and p - y add up to p, byte by byte with carry.
        let mut carry = 0;
        let ys = negative.public()[width + 1..].iter().zip(&g[width + 1..]);
        for ((y, minus_y), p) in ys.rev().zip(p.iter().rev()) {
            let sum = u16::from(*y) + u16::from(*minus_y) + carry;
            assert_eq!(sum & 0xff, u16::from(*p), "{}", curve.name);
            carry = sum >> 8;
        }
        assert_eq!(carry, 0);
    }
}

#[test]
fn d_outside_its_range_is_refused() {
    for curve in &CURVES {
        let [_, _, _, n, _] = curve.parameters();
        let mut long = vec![1];
        long.extend_from_slice(&n);
        for bad in [vec![0], n, long] {
            assert!(
                EcKey::new(curve, &Secret::new(bad), None).is_err(),
                "{}",
                curve.name
            );
        }
    }
}

#[test]
fn a_foreign_point_is_refused() {
    let curve = &CURVES[2];
    let [_, _, _, _, g] = curve.parameters();
    assert!(EcKey::new(curve, &Secret::from(&[2][..]), Some(&g)).is_err());
    assert!(EcKey::new(curve, &Secret::from(&[1][..]), Some(&g[..64])).is_err());
}

/// RFC 5903 section 8.1, initiator of the 256-bit group; RFC 6979 A.2.3 for secp192r1.
#[test]
fn published_key_pairs() {
    let pairs = [
        (
            "secp256r1",
            "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
            "04dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c37725811805271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3",
        ),
        (
            "secp192r1",
            "6fab034934e4c0fc9ae67f5b5659a9d7d1fefd187ee09fd4",
            "04ac2c77f529f91689fea0ea5efec7f210d8eea0b9e047ed563bc723e57670bd4887ebc732c523063d0a7c957bc97c1c43",
        ),
    ];
    for (name, d, q) in pairs {
        let curve = CURVES.iter().find(|curve| curve.name == name).unwrap();
        let key = EcKey::new(curve, &Secret::new(digits(d)), None).unwrap();
        assert_eq!(hex::encode(key.public()), q);
    }
}
