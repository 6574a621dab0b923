//! See `hsm2_attack::targets::apdu_bytes`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    hsm2_attack::targets::apdu_bytes(input);
    hsm2_attack::tally::tell();
});
