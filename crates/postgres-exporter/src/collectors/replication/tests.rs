//! Tests of `replication`.
