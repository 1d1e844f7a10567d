//! Tests of `stat_activity`.
