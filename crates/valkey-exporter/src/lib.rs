//! The `valkey-exporter`.
