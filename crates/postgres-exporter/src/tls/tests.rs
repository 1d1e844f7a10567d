//! Tests of TLS set-up.
