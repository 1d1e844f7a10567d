//! Tests of `stat_checkpointer`.
