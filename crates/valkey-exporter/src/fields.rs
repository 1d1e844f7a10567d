//! The catalogue: which field of `INFO` becomes which family. Adding one is adding a row.

use std::borrow::Cow;

use metrics_server::Kind;

mod modules;

/// A field of `INFO` and the family it becomes.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The field, as `INFO` spells it.
    pub field: &'static str,
    /// The family, without the namespace.
    pub name: &'static str,
    /// As `redis_exporter` types it, which is not always what the value is: dashboards depend on it.
    pub kind: Kind,
    /// What the value is divided by to come to the family's unit.
    pub divisor: f64,
    help: Option<&'static str>,
}

impl Row {
    /// The text behind `# HELP`.
    pub fn help(&self) -> Cow<'static, str> {
        self.help.map_or_else(|| default_help(self.name).into(), Cow::Borrowed)
    }

    const fn divided_by(mut self, divisor: f64) -> Self {
        self.divisor = divisor;
        self
    }

    const fn help_text(mut self, help: &'static str) -> Self {
        self.help = Some(help);
        self
    }
}

/// The help of a family which has none of its own.
pub fn default_help(name: &str) -> String {
    [name, " metric"].concat()
}

const fn gauge(field: &'static str, name: &'static str) -> Row {
    Row { field, name, kind: Kind::Gauge, divisor: 1.0, help: None }
}

const fn counter(field: &'static str, name: &'static str) -> Row {
    Row { field, name, kind: Kind::Counter, divisor: 1.0, help: None }
}

/// The rows of all catalogues.
pub fn all() -> impl Iterator<Item = &'static Row> {
    [FIELDS, modules::MODULES, modules::TILE38].into_iter().flatten()
}

/// The row of `field`.
pub fn find(field: &str) -> Option<&'static Row> {
    find_in(FIELDS, field)
}

/// The row of a field of `INFO MODULES`.
pub fn find_module(field: &str) -> Option<&'static Row> {
    find_in(modules::MODULES, field)
}

/// The row of a field of Tile38's `SERVER EXT`, without `tile38_`.
pub fn find_tile38(field: &str) -> Option<&'static Row> {
    find_in(modules::TILE38, field)
}

fn find_in(rows: &'static [Row], field: &str) -> Option<&'static Row> {
    let position = rows.binary_search_by_key(&field, |row| row.field).ok()?;
    rows.get(position)
}

/// `total_system_memory`, which only `--include-system-metrics` shows.
pub const SYSTEM_MEMORY: Row = gauge("total_system_memory", "total_system_memory_bytes");

/// All rows, sorted by field.
#[rustfmt::skip] // One row a line, so that the table can be read down.
pub const FIELDS: &[Row] = &[
    counter("acl_access_denied_auth", "acl_access_denied_auth_total"),
    counter("acl_access_denied_channel", "acl_access_denied_channel_total"),
    counter("acl_access_denied_cmd", "acl_access_denied_cmd_total"),
    counter("acl_access_denied_db", "acl_access_denied_db_total"),
    counter("acl_access_denied_key", "acl_access_denied_key_total"),
    counter("acl_access_denied_tls_cert", "acl_access_denied_tls_cert_total"),
    gauge("active_defrag_hits", "defrag_hits"),
    gauge("active_defrag_key_hits", "defrag_key_hits"),
    gauge("active_defrag_key_misses", "defrag_key_misses"),
    gauge("active_defrag_misses", "defrag_misses"),
    gauge("active_defrag_running", "active_defrag_running"),
    gauge("allocator_active", "allocator_active_bytes"),
    gauge("allocator_allocated", "allocator_allocated_bytes"),
    gauge("allocator_frag_bytes", "allocator_frag_bytes"),
    gauge("allocator_frag_ratio", "allocator_frag_ratio"),
    gauge("allocator_muzzy", "allocator_muzzy_bytes"),
    gauge("allocator_resident", "allocator_resident_bytes"),
    gauge("allocator_rss_bytes", "allocator_rss_bytes"),
    gauge("allocator_rss_ratio", "allocator_rss_ratio"),
    gauge("aof_base_size", "aof_base_size_bytes"),
    gauge("aof_buffer_length", "aof_buffer_length"),
    gauge("aof_current_rewrite_time_sec", "aof_current_rewrite_duration_sec"),
    gauge("aof_current_size", "aof_current_size_bytes"),
    gauge("aof_delayed_fsync", "aof_delayed_fsync"),
    gauge("aof_enabled", "aof_enabled"),
    gauge("aof_last_bgrewrite_status", "aof_last_bgrewrite_status"),
    gauge("aof_last_cow_size", "aof_last_cow_size_bytes"),
    gauge("aof_last_rewrite_time_sec", "aof_last_rewrite_duration_sec"),
    gauge("aof_last_write_status", "aof_last_write_status"),
    gauge("aof_pending_bio_fsync", "aof_pending_bio_fsync"),
    gauge("aof_pending_rewrite", "aof_pending_rewrite"),
    gauge("aof_rewrite_buffer_length", "aof_rewrite_buffer_length"),
    gauge("aof_rewrite_in_progress", "aof_rewrite_in_progress"),
    gauge("aof_rewrite_scheduled", "aof_rewrite_scheduled"),
    counter("aof_rewrites", "aof_rewrites_total"),
    gauge("aof_rewrites_consecutive_failures", "aof_rewrites_consecutive_failures"),
    gauge("async_loading", "async_loading"),
    gauge("blocked_clients", "blocked_clients"),
    counter("cached_keys", "cached_keys_total"),
    gauge("client_biggest_input_buf", "client_biggest_input_buf"),
    gauge("client_longest_output_list", "client_longest_output_list"),
    counter("client_output_buffer_limit_disconnections", "client_output_buffer_limit_disconnections_total"),
    counter("client_query_buffer_limit_disconnections", "client_query_buffer_limit_disconnections_total"),
    gauge("client_recent_max_input_buffer", "client_recent_max_input_buffer_bytes"),
    gauge("client_recent_max_output_buffer", "client_recent_max_output_buffer_bytes"),
    gauge("clients_hz", "clients_hz"),
    gauge("clients_in_timeout_table", "clients_in_timeout_table"),
    gauge("cluster_stats_messages_received", "cluster_messages_received_total"),
    gauge("cluster_stats_messages_sent", "cluster_messages_sent_total"),
    gauge("configured_hz", "configured_hz"),
    gauge("connected_clients", "connected_clients"),
    gauge("connected_slaves", "connected_slaves"),
    gauge("current_active_defrag_time", "current_active_defrag_time_ms"),
    gauge("current_client_thread", "current_client_thread"),
    gauge("current_cow_peak", "current_cow_peak_bytes"),
    gauge("current_cow_size", "current_cow_size_bytes"),
    gauge("current_cow_size_age", "current_cow_size_age_seconds"),
    gauge("current_eviction_exceeded_time", "current_eviction_exceeded_time_ms"),
    gauge("current_fork_perc", "current_fork_percentage"),
    gauge("current_save_keys_processed", "current_save_keys_processed"),
    gauge("current_save_keys_total", "current_save_keys_total"),
    counter("dump_payload_sanitizations", "dump_payload_sanitizations"),
    gauge("engines_count", "scripting_engines_count"),
    gauge("engines_total_memory_overhead", "scripting_engines_memory_overhead_bytes"),
    gauge("engines_total_used_memory", "scripting_engines_memory_used_bytes"),
    counter("eventloop_cycles", "eventloop_cycles_total"),
    counter("eventloop_duration_cmd_sum", "eventloop_duration_cmd_sum_usec_total"),
    counter("eventloop_duration_sum", "eventloop_duration_sum_usec_total"),
    counter("evicted_clients", "evicted_clients_total"),
    counter("evicted_keys", "evicted_keys_total"),
    counter("evicted_scripts", "evicted_scripts_total"),
    counter("expire_cycle_cpu_milliseconds", "expire_cycle_cpu_time_ms_total"),
    counter("expired_fields", "expired_fields_total"),
    counter("expired_keys", "expired_keys_total"),
    gauge("expired_keys_with_volatile_items_stale_perc", "expired_keys_with_volatile_items_stale_percentage"),
    gauge("expired_stale_perc", "expired_stale_percentage"),
    counter("expired_subkeys", "expired_subkeys_total"),
    counter("expired_time_cap_reached_count", "expired_time_cap_reached_total"),
    gauge("hz", "hz"),
    gauge("instantaneous_eventloop_cycles_per_sec", "instantaneous_eventloop_cycles_per_sec"),
    gauge("instantaneous_eventloop_duration_usec", "instantaneous_eventloop_duration_usec"),
    gauge("instantaneous_input_kbps", "instantaneous_input_kbps"),
    gauge("instantaneous_input_repl_kbps", "instantaneous_input_repl_kbps"),
    gauge("instantaneous_ops_per_sec", "instantaneous_ops_per_sec"),
    gauge("instantaneous_output_kbps", "instantaneous_output_kbps"),
    gauge("instantaneous_output_repl_kbps", "instantaneous_output_repl_kbps"),
    counter("io_threaded_accept_processed", "io_threaded_accept_processed_total"),
    counter("io_threaded_freed_objects", "io_threaded_freed_objects_total"),
    counter("io_threaded_poll_processed", "io_threaded_poll_processed_total"),
    counter("io_threaded_reads_processed", "io_threaded_reads_processed"),
    counter("io_threaded_total_prefetch_batches", "io_threaded_prefetch_batches_total"),
    counter("io_threaded_total_prefetch_entries", "io_threaded_prefetch_entries_total"),
    counter("io_threaded_writes_processed", "io_threaded_writes_processed"),
    gauge("io_threads_active", "io_threads_active"),
    counter("keyspace_hits", "keyspace_hits_total"),
    counter("keyspace_misses", "keyspace_misses_total"),
    gauge("latest_fork_usec", "latest_fork_seconds").divided_by(1e6),
    gauge("lazyfree_pending_objects", "lazyfree_pending_objects"),
    gauge("lazyfreed_objects", "lazyfreed_objects"),
    gauge("loading", "loading_dump_file"),
    gauge("loading_eta_seconds", "loading_eta_seconds"),
    gauge("loading_loaded_bytes", "loading_loaded_bytes"),
    gauge("loading_loaded_perc", "loading_loaded_percentage"),
    gauge("loading_rdb_used_mem", "loading_rdb_used_memory_bytes"),
    gauge("loading_start_time", "loading_start_timestamp_seconds"),
    gauge("loading_total_bytes", "loading_size_bytes"),
    gauge("long_lock_waits", "long_lock_waits_total"),
    gauge("master_repl_offset", "master_repl_offset"),
    gauge("maxclients", "max_clients"),
    gauge("maxfragmentationmemory_desired_reservation", "memory_max_fragmentation_reservation_desired_bytes"),
    gauge("maxfragmentationmemory_reservation", "memory_max_fragmentation_reservation_bytes"),
    gauge("maxmemory", "memory_max_bytes"),
    gauge("maxmemory_desired_reservation", "memory_max_reservation_desired_bytes"),
    gauge("maxmemory_reservation", "memory_max_reservation_bytes"),
    gauge("mem_aof_buffer", "mem_aof_buffer_bytes"),
    gauge("mem_clients_normal", "mem_clients_normal"),
    gauge("mem_clients_slaves", "mem_clients_slaves"),
    gauge("mem_cluster_links", "mem_cluster_links_bytes"),
    gauge("mem_cluster_slot_export", "mem_cluster_slot_export_bytes"),
    gauge("mem_cluster_slot_import", "mem_cluster_slot_import_bytes"),
    gauge("mem_fragmentation_bytes", "mem_fragmentation_bytes"),
    gauge("mem_fragmentation_ratio", "mem_fragmentation_ratio"),
    gauge("mem_not_counted_for_evict", "mem_not_counted_for_eviction_bytes"),
    gauge("mem_overhead_db_hashtable_rehashing", "mem_overhead_db_hashtable_rehashing_bytes"),
    gauge("mem_replicas_repl_buffer", "mem_replicas_repl_buffer_bytes"),
    gauge("mem_replication_backlog", "mem_replication_backlog_bytes"),
    gauge("mem_total_replication_buffers", "mem_total_replication_buffers_bytes"),
    gauge("migrate_cached_sockets", "migrate_cached_sockets_total"),
    gauge("min_slaves_good_slaves", "min_slaves_good_slaves"),
    gauge("module_fork_in_progress", "module_fork_in_progress"),
    gauge("module_fork_last_cow_size", "module_fork_last_cow_size"),
    gauge("number_of_cached_scripts", "number_of_cached_scripts"),
    gauge("number_of_functions", "number_of_functions"),
    gauge("number_of_libraries", "number_of_libraries"),
    gauge("process_id", "process_id"),
    gauge("pubsub_channels", "pubsub_channels"),
    gauge("pubsub_clients", "pubsub_clients"),
    gauge("pubsub_patterns", "pubsub_patterns"),
    gauge("pubsubshard_channels", "pubsubshard_channels"),
    gauge("rdb_bgsave_in_progress", "rdb_bgsave_in_progress"),
    gauge("rdb_changes_since_last_save", "rdb_changes_since_last_save"),
    gauge("rdb_current_bgsave_time_sec", "rdb_current_bgsave_duration_sec"),
    gauge("rdb_last_bgsave_status", "rdb_last_bgsave_status"),
    gauge("rdb_last_bgsave_time_sec", "rdb_last_bgsave_duration_sec"),
    gauge("rdb_last_cow_size", "rdb_last_cow_size_bytes"),
    gauge("rdb_last_load_keys_expired", "rdb_last_load_expired_keys"),
    gauge("rdb_last_load_keys_loaded", "rdb_last_load_loaded_keys"),
    gauge("rdb_last_save_time", "rdb_last_save_timestamp_seconds"),
    gauge("rdb_saves", "rdb_saves_total"),
    counter("rejected_connections", "rejected_connections_total"),
    gauge("repl_backlog_active", "repl_backlog_is_active"),
    gauge("repl_backlog_first_byte_offset", "repl_backlog_first_byte_offset"),
    gauge("repl_backlog_histlen", "repl_backlog_history_bytes"),
    gauge("repl_backlog_size", "replication_backlog_bytes"),
    gauge("replica_announced", "replica_announced"),
    gauge("replicas_repl_buffer_peak", "replicas_repl_buffer_peak_bytes"),
    gauge("replicas_repl_buffer_size", "replicas_repl_buffer_size_bytes"),
    gauge("replicas_waiting_psync", "replicas_waiting_psync"),
    counter("reply_buffer_expands", "reply_buffer_expands_total"),
    counter("reply_buffer_shrinks", "reply_buffer_shrinks_total"),
    gauge("rss_overhead_bytes", "rss_overhead_bytes"),
    gauge("rss_overhead_ratio", "rss_overhead_ratio"),
    gauge("second_repl_offset", "second_repl_offset"),
    gauge("sentinel_masters", "sentinel_masters").help_text("The number of masters this sentinel is watching"),
    gauge("sentinel_running_scripts", "sentinel_running_scripts").help_text("Number of scripts in execution right now"),
    gauge("sentinel_scripts_queue_length", "sentinel_scripts_queue_length").help_text("Queue of user scripts to execute"),
    gauge("sentinel_simulate_failure_flags", "sentinel_simulate_failure_flags").help_text("Failures simulations"),
    gauge("sentinel_tilt", "sentinel_tilt").help_text("Sentinel is in TILT mode"),
    gauge("sentinel_tilt_since_seconds", "sentinel_tilt_since_seconds"),
    counter("sentinel_total_tilt", "sentinel_tilts_total"),
    gauge("server_threads", "server_threads_total"),
    gauge("shutdown_in_milliseconds", "shutdown_in_milliseconds"),
    gauge("slave_expires_tracked_keys", "slave_expires_tracked_keys"),
    gauge("slave_priority", "slave_priority"),
    gauge("slave_read_repl_offset", "slave_read_repl_offset"),
    gauge("slot_migration_fork_in_progress", "slot_migration_fork_in_progress"),
    counter("storage_provider_read_hits", "storage_provider_read_hits"),
    counter("storage_provider_read_misses", "storage_provider_read_misses"),
    gauge("sync_full", "replica_resyncs_full"),
    gauge("sync_partial_err", "replica_partial_resync_denied"),
    gauge("sync_partial_ok", "replica_partial_resync_accepted"),
    gauge("tls_ca_cert_expires_in_seconds", "tls_ca_cert_expires_in_seconds"),
    gauge("tls_client_cert_expires_in_seconds", "tls_client_cert_expires_in_seconds"),
    gauge("tls_server_cert_expires_in_seconds", "tls_server_cert_expires_in_seconds"),
    counter("total_active_defrag_time", "active_defrag_time_ms_total"),
    gauge("total_blocking_keys", "total_blocking_keys"),
    gauge("total_blocking_keys_on_nokey", "total_blocking_keys_on_nokey"),
    counter("total_cluster_links_buffer_limit_exceeded", "cluster_links_buffer_limit_exceeded_total"),
    counter("total_commands_processed", "commands_processed_total"),
    counter("total_connections_received", "connections_received_total"),
    counter("total_error_replies", "total_error_replies"),
    counter("total_eviction_exceeded_time", "eviction_exceeded_time_ms_total"),
    counter("total_forks", "forks_total"),
    counter("total_net_cluster_slot_export_bytes", "net_cluster_slot_export_bytes_total"),
    counter("total_net_cluster_slot_import_bytes", "net_cluster_slot_import_bytes_total"),
    counter("total_net_input_bytes", "net_input_bytes_total"),
    counter("total_net_output_bytes", "net_output_bytes_total"),
    counter("total_net_repl_input_bytes", "net_repl_input_bytes_total"),
    counter("total_net_repl_output_bytes", "net_repl_output_bytes_total"),
    counter("total_reads_processed", "total_reads_processed"),
    gauge("total_watched_keys", "total_watched_keys"),
    counter("total_writes_processed", "total_writes_processed"),
    gauge("tracking_clients", "tracking_clients"),
    gauge("tracking_total_items", "tracking_total_items"),
    gauge("tracking_total_keys", "tracking_total_keys"),
    gauge("tracking_total_prefixes", "tracking_total_prefixes"),
    counter("unexpected_error_replies", "unexpected_error_replies"),
    gauge("uptime_in_seconds", "uptime_in_seconds"),
    counter("used_active_time_main_thread", "active_time_main_thread_seconds_total"),
    counter("used_cpu_sys", "cpu_sys_seconds_total"),
    counter("used_cpu_sys_children", "cpu_sys_children_seconds_total"),
    counter("used_cpu_sys_main_thread", "cpu_sys_main_thread_seconds_total"),
    counter("used_cpu_user", "cpu_user_seconds_total"),
    counter("used_cpu_user_children", "cpu_user_children_seconds_total"),
    counter("used_cpu_user_main_thread", "cpu_user_main_thread_seconds_total"),
    gauge("used_memory", "memory_used_bytes"),
    gauge("used_memory_dataset", "memory_used_dataset_bytes"),
    gauge("used_memory_dataset_perc", "memory_used_dataset_percentage"),
    gauge("used_memory_functions", "memory_used_functions_bytes"),
    gauge("used_memory_lua", "memory_used_lua_bytes"),
    gauge("used_memory_overhead", "memory_used_overhead_bytes"),
    gauge("used_memory_peak", "memory_used_peak_bytes"),
    gauge("used_memory_peak_perc", "memory_used_peak_percentage"),
    gauge("used_memory_rss", "memory_used_rss_bytes"),
    gauge("used_memory_scripts", "memory_used_scripts_bytes"),
    gauge("used_memory_scripts_eval", "memory_used_scripts_eval_bytes"),
    gauge("used_memory_startup", "memory_used_startup_bytes"),
    gauge("used_memory_vm_eval", "memory_used_vm_eval_bytes"),
    gauge("used_memory_vm_functions", "memory_used_vm_functions_bytes"),
    gauge("used_memory_vm_total", "memory_used_vm_total"),
    gauge("watching_clients", "watching_clients"),
];

#[cfg(test)]
mod tests {
    use super::{FIELDS, modules};

    #[test]
    fn rows_are_sorted_and_families_are_unique() {
        let catalogues = [FIELDS, modules::MODULES, modules::TILE38];
        let mut names = Vec::new();
        for rows in catalogues {
            assert!(rows.is_sorted_by(|a, b| a.field < b.field));
            names.extend(rows.iter().map(|row| row.name));
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
