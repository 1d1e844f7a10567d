//! Tests of `legacy`.
