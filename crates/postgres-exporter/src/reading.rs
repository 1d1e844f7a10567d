//! How servers are read: what flags say that is the same for all of them.

use crate::databases::Selection;

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

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// `--compat`.
    pub compat: Compat,
    /// `--auto-discover-databases`, `--include-databases`, `--exclude-databases`.
    pub databases: Selection,
    /// `--constantLabels`.
    pub constant_labels: Vec<(String, String)>,
}
