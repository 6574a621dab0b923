use proptest::prelude::*;

use super::*;

/// Extreme and random words.
fn words<const N: usize>() -> impl Strategy<Value = Words<N>> {
    let word = prop_oneof![Just(0u64), Just(u64::MAX), any::<u64>()];
    proptest::collection::vec(word, N).prop_map(|words| words.try_into().unwrap())
}

/// Odd, topmost bit set; need not be a prime for the arithmetic.
fn moduli<const N: usize>() -> impl Strategy<Value = Words<N>> {
    words().prop_map(|mut words: Words<N>| {
        words[0] |= 1;
        words[N - 1] |= 1 << 63;
        words
    })
}

/// Two moduli, bases and exponents.
type Case<const N: usize> = [[Words<N>; 2]; 3];

fn cases<const N: usize>() -> impl Strategy<Value = Case<N>> {
    let two = || [words(), words()];
    ([moduli(), moduli()], two(), two())
        .prop_map(|(moduli, bases, exponents)| [moduli, bases, exponents])
}

#[test]
fn a_processor_with_the_instructions_uses_them() {
    let modulus = montgomery::Modulus::new([u64::MAX; 8]).unwrap();
    let has = std::is_x86_feature_detected!("avx512ifma")
        && std::is_x86_feature_detected!("avx512vl")
        && std::is_x86_feature_detected!("bmi2");
    assert_eq!(Pair::<8, 2>::new([&modulus, &modulus]).is_some(), has);
}

/// True on processors without the instructions, too: there is nothing to compare then.
fn agrees<const N: usize, const L: usize>([moduli, bases, exponents]: Case<N>) -> bool {
    let [p, q] = moduli.map(|prime| montgomery::Modulus::new(prime).unwrap());
    let bases = [p.enter(&bases[0], &bases[1]), q.enter(&bases[1], &bases[0])];
    let expected = [
        p.power(&bases[0], &exponents[0]),
        q.power(&bases[1], &exponents[1]),
    ];
    Pair::<N, L>::new([&p, &q]).is_none_or(|pair| {
        *pair.power([&p, &q], bases.each_ref(), exponents.each_ref()) == expected
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn powers_modulo_8_words_agree_with_the_portable_ones(case in cases::<8>()) {
        prop_assert!(agrees::<8, 2>(case));
    }

    #[test]
    fn powers_modulo_14_words_agree_with_the_portable_ones(case in cases::<14>()) {
        prop_assert!(agrees::<14, 3>(case));
    }

    #[test]
    fn powers_modulo_16_words_agree_with_the_portable_ones(case in cases::<16>()) {
        prop_assert!(agrees::<16, 3>(case));
    }

    #[test]
    fn powers_modulo_24_words_agree_with_the_portable_ones(case in cases::<24>()) {
        prop_assert!(agrees::<24, 4>(case));
    }

    #[test]
    fn powers_modulo_32_words_agree_with_the_portable_ones(case in cases::<32>()) {
        prop_assert!(agrees::<32, 5>(case));
    }

    #[test]
    fn digits_and_words_are_the_same_number(number in words::<16>()) {
        prop_assert_eq!(Number::<3>::from_words(&number).words(), (number, 0));
    }
}
