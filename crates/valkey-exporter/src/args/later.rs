//! Flags of `redis_exporter` which can have no function here. They are read, so that a command line
//! which worked goes on working, and each that is used is named in the log.

use super::go_bool;

/// See the module.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Without function")]
pub struct LaterArgs {
    /// Show metrics of the Go runtime; there is none in this program.
    #[arg(id = "include-go-runtime-metrics", long,
          env = "REDIS_EXPORTER_INCLUDE_GO_RUNTIME_METRICS",
          value_name = "BOOL", default_value = "false", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub include_go_runtime_metrics: bool,
}

impl LaterArgs {
    /// The flags which are not at their defaults.
    pub fn used(&self) -> Vec<&'static str> {
        let go = self.include_go_runtime_metrics.then_some("include-go-runtime-metrics");
        go.into_iter().collect()
    }
}
