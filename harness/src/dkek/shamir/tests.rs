use proptest::prelude::*;

use super::*;

fn password(text: &str) -> Secret {
    Secret::new(hex::decode(text).unwrap())
}

#[test]
fn every_choice_of_the_threshold_rebuilds_and_one_less_does_not() {
    let secret = random_password().unwrap();
    let shares = split(&secret, 3, 5).unwrap();
    for mask in 0_u32..32 {
        let chosen: Vec<Share> = shares
            .iter()
            .filter(|s| mask >> (s.id - 1) & 1 == 1)
            .cloned()
            .collect();
        if chosen.len() >= 3 {
            assert_eq!(combine(&chosen).unwrap()[0], secret);
        }
    }
    for pair in shares.windows(2) {
        assert_ne!(combine(pair).unwrap()[0], secret);
    }
}

#[test]
fn known_polynomial() {
    // f(x) = 1234 + 166 x + 94 x^2 mod 1613, the textbook example.
    let share = |id, value| Share {
        prime: 1613,
        id,
        value,
    };
    let shares = [share(1, 1494), share(2, 329), share(3, 965)];
    assert_eq!(combine(&shares).unwrap()[0], password("00000000000004d2"));
    assert_eq!(combine(&shares).unwrap()[1], password("04d2"));
}

#[test]
fn the_prime_is_safe_and_fresh() {
    let secret = password("0100000000000000");
    let primes: BTreeSet<u64> = (0..4)
        .map(|_| split(&secret, 2, 3).unwrap()[0].prime)
        .collect();
    assert_eq!(primes.len(), 4);
    for prime in primes {
        assert!(prime >> 63 == 1 && is_safe_prime(prime));
    }
}

#[test]
fn primality_agrees_with_known_numbers() {
    for prime in [2, 37, 41, 1613, 18_446_744_073_709_551_557] {
        assert!(is_prime(prime), "{prime}");
    }
    // Strong pseudoprimes to several small bases, and the square of a prime.
    for composite in [
        0,
        1,
        4,
        2047,
        3_215_031_751,
        3_825_123_056_546_413_051,
        1_000_006_000_009,
    ] {
        assert!(!is_prime(composite), "{composite}");
    }
}

#[test]
fn passwords_never_begin_with_a_zero_byte_or_a_set_bit() {
    for _ in 0..2000 {
        assert!((0x01..=0x7f).contains(&random_password().unwrap().expose()[0]));
    }
    for bad in ["00ffffffffffffff", "8000000000000000", "01"] {
        assert!(matches!(
            split(&password(bad), 2, 3),
            Err(ShamirError::Mismatch(_))
        ));
    }
}

#[test]
fn schemes_outside_the_rules_are_refused() {
    for (threshold, total) in [(1, 3), (2, 2), (4, 3), (0, 0)] {
        let made = split(&password("0100000000000000"), threshold, total);
        assert_eq!(made.err(), Some(ShamirError::Scheme { threshold, total }));
    }
}

#[test]
fn shares_that_do_not_fit_are_refused() {
    let shares = split(&random_password().unwrap(), 2, 3).unwrap();
    let other = split(&random_password().unwrap(), 2, 3).unwrap();
    let refused = |shares: &[Share]| matches!(combine(shares), Err(ShamirError::Mismatch(_)));
    assert!(refused(&shares[..1]));
    assert!(refused(&[shares[0].clone(), other[1].clone()]));
    assert!(refused(&[shares[0].clone(), shares[0].clone()]));
    let changed = |f: fn(&mut Share)| {
        let mut changed = shares.clone();
        changed.iter_mut().for_each(f);
        changed
    };
    assert!(refused(&changed(|s| s.prime -= 1)));
    assert!(refused(&changed(|s| s.value = s.prime)));
    assert!(refused(&changed(|s| s.id -= 1)));
}

#[test]
fn text_round_trips_and_ids_follow_what_was_printed() {
    let shares = split(&random_password().unwrap(), 2, 17).unwrap();
    let text: String = shares
        .iter()
        .map(|share| format!("Header\n{share}\n\n"))
        .collect();
    let read = parse_shares(&text).unwrap();
    assert_eq!(read.len(), 17);
    assert_eq!(
        combine(&read[9..11]).unwrap()[0],
        combine(&shares[..2]).unwrap()[0]
    );
    assert!(text.contains("Share ID    : 10\n") && text.contains("enter the share ID as 0A"));

    let id = |text| Share::from_text("c5", text, "01").map(|share| share.id);
    assert_eq!(id("10"), Ok(10));
    assert_eq!(id("0A"), Ok(10));
    assert_eq!(id("0x10"), Ok(16));
    for bad in ["0", "256", "", "1g", "-1"] {
        assert!(id(bad).is_err(), "{bad}");
    }
}

#[test]
fn text_errors_name_the_line() {
    let line = |text: &str| match parse_shares(text) {
        Err(ShamirError::Text { line, .. }) => line,
        other => panic!("{other:?}"),
    };
    assert_eq!(line(""), 1);
    assert_eq!(line("Prime: c5\nShare ID: x\n"), 2);
    assert_eq!(line("Prime: c5\nShare ID: 1\nShare value: 3a:0g\n"), 3);
    assert_eq!(line("Prime: c5\n\nShare value: 3a\n"), 3);
    assert_eq!(line("Share ID: 1\nShare value: 3a\n"), 2);
    assert_eq!(line("Prime: 01:02:03:04:05:06:07:08:09\n"), 1);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(Prime|Share ID|Share value|x|: ?|[0-9a-f:]{0,20}|\n){0,12}") {
        let _ = parse_shares(&text);
    }

    #[test]
    fn any_shares_combine_or_are_refused(
        values in prop::collection::vec((any::<u8>(), any::<u64>()), 0..5),
        prime in any::<u64>(),
    ) {
        let shares: Vec<Share> =
            values.into_iter().map(|(id, value)| Share { prime, id, value }).collect();
        let _ = combine(&shares);
    }
}
