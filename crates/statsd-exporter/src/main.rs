//! The `statsd-exporter` binary.

fn main() {}
