//! See `hsm2_attack::targets::store_file`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: hsm2_attack::targets::keep_quiet_about_damaged_files(),
    |input: &[u8]| hsm2_attack::targets::store_file(input)
);
