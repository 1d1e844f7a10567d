//! Tests of `stat_database`.
