//! `CLIENT LIST`: no line panics, and what is read of one stands in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use valkey_exporter::{collectors::client_list::Client, info};

fuzz_target!(|bytes: &[u8]| {
    let text = info::text(bytes);
    for line in text.split('\n') {
        let Some(client) = Client::read(line) else { continue };
        assert!(client.id.bytes().all(|byte| byte.is_ascii_digit()) && !client.id.is_empty());
        assert!(line.contains(&format!("addr={}:{}", client.host, client.port)));
        for name in ["name", "flags", "db", "user", "resp", "lib-name"] {
            if let Some(value) = client.get(name) {
                assert!(line.contains(&format!("{name}={value}")));
            }
        }
        for name in ["sub", "qbuf", "omem", "tot-mem"] {
            assert!(client.count(name).is_none_or(f64::is_finite));
        }
    }
});
