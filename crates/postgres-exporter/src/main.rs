//! The `postgres-exporter` binary.

fn main() {}
