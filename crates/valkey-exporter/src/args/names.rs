//! Under which names metrics are shown.

use clap::ValueEnum;

use crate::compat::Compat;

/// See the module.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Names")]
#[expect(clippy::doc_markdown, reason = "clap shows these comments as they are")]
pub struct NameArgs {
    /// Names, types and units: those of redis_exporter, or native ones: prefix valkey_, counters in
    /// _total, seconds and bytes.
    #[arg(id = "compat", long, value_name = "PROFILE", default_value = "redis_exporter")]
    pub compat: Compat,

    /// What becomes of numbers of INFO which this version does not know: drop, or gauge for
    /// info_<field>.
    #[arg(id = "info.unknown", long, value_name = "WORD", default_value = "drop")]
    pub info_unknown: Unknown,
}

/// What becomes of fields which are not in the catalogue.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Unknown {
    /// They are not shown.
    #[default]
    Drop,
    /// They are gauges.
    Gauge,
}
