//! Trino, at its own metrics endpoint. Gauges and counters carry the names of Trino 476 to 483.

use crate::{
    dashboard::Dashboard,
    panel::{FILLING, NONE_IS_GOOD, Panel, SOME_IS_GOOD, gauge, stat, time_series},
};

/// Two releases call the count of nodes differently.
const ACTIVE_NODES: &str = "sum(trino_node_name_CoordinatorNodeManager_ActiveNodeCount{@}) or sum(trino_metadata_name_DiscoveryNodeManager_ActiveNodeCount{@})";
const INACTIVE_NODES: &str = "sum(trino_node_name_CoordinatorNodeManager_InactiveNodeCount{@}) or sum(trino_metadata_name_DiscoveryNodeManager_InactiveNodeCount{@})";

pub(crate) fn dashboard() -> Dashboard {
    Dashboard::new("lakehouse-trino", "Trino", "Queries, failures, memory and nodes of Trino.")
        .missing("Trino is not scraped: it runs with the profile trino")
        .alerts_of("trino")
        .started("process_start_time_seconds{@}")
        .chosen_by("trino_execution_name_QueryManager_RunningQueries")
        .row("Now", now())
        .row("Queries", queries())
        .row("Memory", memory())
        .row("Nodes and tasks", nodes())
}

fn now() -> Vec<Panel> {
    vec![
        stat("Scrape", "none")
            .query("min(up{job=\"trino\"})", "")
            .about("DOWN: Trino does not answer, or does not know who asks.")
            .up_or_down()
            .background()
            .runbook("ServiceDown")
            .wide(4, 4),
        stat("Active nodes", "short")
            .query(ACTIVE_NODES, "")
            .about("Coordinator and workers that answer.")
            .steps(SOME_IS_GOOD)
            .wide(4, 4),
        stat("Running queries", "short")
            .query("sum(trino_execution_name_QueryManager_RunningQueries{@})", "")
            .about("At the moment of the scrape; short queries fall between two.")
            .wide(4, 4),
        stat("Queued queries", "short")
            .query("sum(trino_execution_name_QueryManager_QueuedQueries{@})", "")
            .about("They wait for their resource group.")
            .steps(&[("green", None), ("yellow", Some(1.0)), ("red", Some(10.0))])
            .wide(4, 4),
        stat("Internal failures, 1 h", "short")
            .query("sum(increase(trino_execution_name_QueryManager_InternalFailures{@}[1h]))", "")
            .about("Queries that failed by a fault of Trino.")
            .steps(NONE_IS_GOOD)
            .decimals(0)
            .wide(4, 4),
        stat("Killed for memory", "short")
            .query(
                "sum(trino_memory_name_ClusterMemoryManager_QueriesKilledDueToOutOfMemory{@})",
                "",
            )
            .about("Queries, since the coordinator started.")
            .steps(NONE_IS_GOOD)
            .wide(4, 4),
    ]
}

fn queries() -> Vec<Panel> {
    vec![
        time_series("Queries by state", "short")
            .query("sum(trino_execution_name_QueryManager_RunningQueries{@})", "running")
            .query("sum(trino_execution_name_QueryManager_QueuedQueries{@})", "queued")
            .query("sum(trino_execution_name_QueryManager_FullyBlockedQueries{@})", "blocked")
            .about("At the moment of each scrape.")
            .wide(8, 8),
        time_series("Queries started and completed", "ops")
            .query("sum(rate(trino_execution_name_QueryManager_StartedQueries{@}[5m]))", "started")
            .query("sum(rate(trino_execution_name_QueryManager_CompletedQueries{@}[5m]))", "completed")
            .about("By second, over five minutes.")
            .wide(8, 8),
        time_series("Failures by cause", "ops")
            .query("sum(rate(trino_execution_name_QueryManager_UserErrorFailures{@}[5m]))", "user")
            .query("sum(rate(trino_execution_name_QueryManager_InternalFailures{@}[5m]))", "internal")
            .query("sum(rate(trino_execution_name_QueryManager_ExternalFailures{@}[5m]))", "external")
            .query("sum(rate(trino_execution_name_QueryManager_InsufficientResourcesFailures{@}[5m]))", "resources")
            .about("User: the query was wrong. External: a catalogue's source failed.")
            .colour("internal", "red")
            .wide(8, 8),
        time_series("Execution time", "ms")
            .query("max(trino_execution_name_QueryManager_ExecutionTime_FiveMinutes{@,quantile=\"0.95\"})", "p95")
            .query("max(trino_execution_name_QueryManager_ExecutionTime_FiveMinutes{@,quantile=\"0.5\"})", "p50")
            .about("Of the queries of the last five minutes.")
            .missing("No query has ended in five minutes")
            .wide(8, 8),
        time_series("Time in the queue", "ms")
            .query("max(trino_execution_name_QueryManager_QueuedTime_FiveMinutes{@,quantile=\"0.95\"})", "p95")
            .about("Of the queries of the last five minutes.")
            .missing("No query has ended in five minutes")
            .wide(8, 8),
        time_series("Read by queries", "Bps")
            .query("sum(rate(trino_execution_name_QueryManager_ConsumedInputBytes{@}[5m]))", "bytes")
            .about("From all sources, by second.")
            .wide(8, 8),
    ]
}

fn memory() -> Vec<Panel> {
    vec![
        gauge("Memory pool in use", "100 * sum(trino_memory_type_ClusterMemoryPool_name_general_ReservedDistributedBytes{@}) / (sum(trino_memory_type_ClusterMemoryPool_name_general_TotalDistributedBytes{@}) > 0)", "cluster")
            .about("What queries have reserved, of what all nodes have.")
            .steps(FILLING)
            .wide(4, 8),
        time_series("Memory of the cluster", "bytes")
            .query("sum(trino_memory_name_ClusterMemoryManager_ClusterMemoryBytes{@})", "there")
            .query("sum(trino_memory_name_ClusterMemoryManager_ClusterTotalMemoryReservation{@})", "reserved")
            .query("sum(trino_memory_name_ClusterMemoryManager_ClusterUserMemoryReservation{@})", "reserved by users")
            .about("Reserved by queries, and what the nodes have together.")
            .wide(10, 8),
        time_series("Blocked nodes and leaked queries", "short")
            .query("sum(trino_memory_type_ClusterMemoryPool_name_general_BlockedNodes{@})", "nodes without memory")
            .query("sum(trino_memory_name_ClusterMemoryManager_NumberOfLeakedQueries{@})", "leaked queries")
            .about("A blocked node's queries stand still until memory is free.")
            .wide(10, 8),
    ]
}

fn nodes() -> Vec<Panel> {
    vec![
        time_series("Nodes", "short")
            .query(ACTIVE_NODES, "active")
            .query(INACTIVE_NODES, "inactive")
            .about("Inactive: announced once, and not answering.")
            .colour("active", "green")
            .colour("inactive", "red")
            .wide(8, 8),
        time_series("Tasks", "short")
            .query("sum by (instance) (trino_execution_name_SqlTaskManager_TrackedTasksCount{@})", "{{instance}} tracked")
            .about("That a node runs, or has just run.")
            .wide(8, 8),
        time_series("Task slots", "short")
            .query("sum(trino_execution_executor_dedicated_name_ThreadPerDriverTaskExecutor_ConcurrencyControlTotalSlots{@})", "all")
            .query("sum(trino_execution_executor_dedicated_name_ThreadPerDriverTaskExecutor_ConcurrencyControlAvailableSlots{@})", "free")
            .about("None free: splits wait for a thread.")
            .missing("Trino runs with another task executor, or is not scraped")
            .wide(8, 8),
    ]
}
