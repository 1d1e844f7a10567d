//! The password file: no file panics, and no password is in what is told of a file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use valkey_exporter::{address::Address, password_file::PasswordFile};

fuzz_target!(|text: &str| {
    let Ok(file) = PasswordFile::parse(text) else { return };
    assert!(!format!("{file:?}").contains("s3cret"));
    for text in ["redis://localhost:6379", "valkey://h", "unix:///run/valkey.sock"] {
        if let Ok(address) = Address::parse(text) {
            let _plain = file.find(&address.place, None);
            let _user = file.find(&address.place, Some("exporter"));
        }
    }
});
