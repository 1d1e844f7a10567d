//! The `valkey-exporter` binary.

fn main() {}
