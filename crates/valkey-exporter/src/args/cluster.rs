//! Clusters, and finding their nodes.

use super::go_bool;
use crate::collectors::SlotStats;

/// See the module.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Clusters")]
pub struct ClusterArgs {
    /// The server is a node of a cluster.
    #[arg(id = "is-cluster", long, env = "REDIS_EXPORTER_IS_CLUSTER",
          value_name = "BOOL", default_value = "false", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub is_cluster: bool,

    /// Show names instead of addresses when discovering a cluster.
    #[arg(id = "cluster-discover-hostnames", long, env = "REDIS_EXPORTER_CLUSTER_DISCOVER_HOSTNAMES",
          value_name = "BOOL", default_value = "false", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub cluster_discover_hostnames: bool,

    /// Slots with series of their own, by CLUSTER SLOT-STATS: off, top:N for those with most keys,
    /// time and traffic, or all. The members of top:N change.
    #[arg(id = "slot-stats", long, value_name = "WHICH", default_value = "off",
          value_parser = SlotStats::parse)]
    pub slot_stats: SlotStats,
}
