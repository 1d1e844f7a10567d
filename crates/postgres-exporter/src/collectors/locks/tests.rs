//! Tests of `locks`.
