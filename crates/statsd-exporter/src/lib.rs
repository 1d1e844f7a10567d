//! The `statsd-exporter`.
