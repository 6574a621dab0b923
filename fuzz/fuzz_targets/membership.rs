//! See `hsm2_attack::targets::membership`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hsm2_attack::targets::membership(input));
