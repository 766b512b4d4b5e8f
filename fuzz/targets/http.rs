//! Hands libFuzzer's bytes to `pinfold_fuzz::http`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pinfold_fuzz::http(data));
