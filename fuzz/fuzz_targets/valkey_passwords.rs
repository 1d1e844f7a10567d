//! The password file: no file panics, and what is told of one does not depend on its passwords.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use valkey_exporter::{address::Address, password_file::PasswordFile};

fuzz_target!(|text: &str| {
    let Ok(file) = PasswordFile::parse(text) else { return };
    let passwords: BTreeMap<String, String> = serde_json::from_str(text).expect("it was taken");
    let others: BTreeMap<_, _> = passwords
        .iter()
        .map(|(key, password)| (key, if password.is_empty() { "" } else { "other" }))
        .collect();
    let others = serde_json::to_string(&others).expect("texts");
    let others = PasswordFile::parse(&others).expect("the same keys");
    assert_eq!(format!("{file:?}"), format!("{others:?}"));
    for key in passwords.keys() {
        if let Ok(address) = Address::parse(key) {
            let _plain = file.find(&address, None);
            let _user = file.find(&address, Some("exporter"));
        }
    }
});
