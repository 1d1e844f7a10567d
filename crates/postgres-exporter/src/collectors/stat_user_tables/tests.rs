//! Tests of `stat_user_tables`.
