//! Lua patterns: none panics, none takes more steps than it may, and captures stand in the key.
//!
//! The input is a pattern, a byte 0x1e, and a key.
#![no_main]

use libfuzzer_sys::fuzz_target;
use valkey_exporter::pattern::{Outcome, PATTERN_BYTES_MAX, Pattern};

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(2, |byte| *byte == 0x1e);
    let (pattern, key) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Ok(read) = Pattern::parse(pattern) else { return };
    assert!(pattern.len() <= PATTERN_BYTES_MAX);
    let few = read.find(key, 500);
    let many = read.find(key, 20_000);
    // More steps change nothing but whether they are enough.
    assert!(few == Outcome::Exhausted || few == many);
    let plain = pattern.iter().all(u8::is_ascii_alphanumeric);
    if plain && many != Outcome::Exhausted {
        let found = pattern.is_empty() || key.windows(pattern.len()).any(|part| part == pattern);
        assert_eq!(many != Outcome::NoMatch, found);
    }
});
