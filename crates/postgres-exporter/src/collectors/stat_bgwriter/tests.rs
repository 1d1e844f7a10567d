//! Tests of `stat_bgwriter`.
