//! Lists of keys and of groups: no text panics, and a list that is taken has what it says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use valkey_exporter::keys::{argument, groups};

fuzz_target!(|text: &str| {
    if let Ok(names) = argument::parse(text) {
        assert!(names.len() <= text.split(',').count());
        for name in &names {
            assert!(!name.name.is_empty() && name.name.len() <= text.len());
            assert_eq!(name.database_label(), format!("db{}", name.database));
            let escaped: String = name.name.iter().map(|byte| format!("%{byte:02x}")).collect();
            let again = argument::parse(&format!("db{}={escaped}", name.database));
            assert_eq!(again.as_deref(), Ok(std::slice::from_ref(name)));
        }
    }
    if let Ok(patterns) = groups::parse(text) {
        let (_group, _given_up) = groups::of_key(&patterns, text.as_bytes(), 10_000);
    }
});
