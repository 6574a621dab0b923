//! See `hsm2_attack::targets::session`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    hsm2_attack::targets::session(input);
    hsm2_attack::tally::tell();
});
