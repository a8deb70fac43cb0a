#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| codex_connector::fuzzing::json_line(input));
