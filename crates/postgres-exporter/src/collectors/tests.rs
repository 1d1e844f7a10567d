//! Tests of `collectors`.
