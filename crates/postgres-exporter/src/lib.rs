//! The `postgres-exporter`.
