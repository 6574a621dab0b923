//! See `hsm2_attack::targets::key_file`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hsm2_attack::targets::key_file(input));
