//! How servers are read: what flags say that is the same for all of them.

use std::sync::Arc;

use crate::{databases::Selection, prefix::Prefix, queries::pgbouncer::Console};

/// The version of `postgres_exporter` whose names and labels are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum Compat {
    /// 0.19.
    #[value(name = "0.19")]
    V0_19,
    /// 0.20, the newest.
    #[default]
    #[value(name = "0.20")]
    V0_20,
}

/// Which statements the collector `stat_statements` shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Statements {
    /// Whether their texts are shown as well.
    pub include_query: bool,
    /// Characters of a text, at most.
    pub query_length: u32,
    /// Statements, at most.
    pub limit: u32,
    /// Databases whose statements are left out.
    pub exclude_databases: Vec<String>,
    /// Roles whose statements are left out.
    pub exclude_users: Vec<String>,
}

impl Default for Statements {
    fn default() -> Self {
        Self {
            include_query: false,
            query_length: 120,
            limit: 100,
            exclude_databases: Vec::new(),
            exclude_users: Vec::new(),
        }
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// `--compat`.
    pub compat: Compat,
    /// `--auto-discover-databases`, `--include-databases`, `--exclude-databases`.
    pub databases: Selection,
    /// `--collector.stat_statements.*`.
    pub statements: Statements,
    /// `--constantLabels`.
    pub constant_labels: Vec<(String, String)>,
    /// `--metric-prefix`.
    pub metric_prefix: Prefix,
    /// `PGBOUNCER_DATA_SOURCE_NAME`.
    pub pgbouncer: Option<Arc<Console>>,
}
