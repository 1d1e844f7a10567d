//! Tests of `exporter`.
