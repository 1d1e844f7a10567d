//! Valkey, as valkey-exporter sees it.

use crate::{
    dashboard::Dashboard,
    panel::{FILLING, NONE_IS_GOOD, Panel, gauge, stat, time_series},
};

pub(crate) fn dashboard() -> Dashboard {
    Dashboard::new(
        "lakehouse-valkey",
        "Valkey",
        "Memory, clients, commands, keys and persistence of Valkey.",
    )
    .missing("Valkey or its exporter is down")
    .alerts_of("valkey.*|redis.*")
    .started("redis_start_time_seconds{@}")
    .chosen_by("redis_max_clients")
    .row("Now", now())
    .row("Memory", memory())
    .row("Clients and commands", commands())
    .row("Keys", keys())
    .row("Persistence, replication and exporter", persistence())
}

fn now() -> Vec<Panel> {
    vec![
        stat("Scrape", "none")
            .query("min(up{@})", "")
            .about("DOWN: the exporter does not answer, or cannot reach Valkey.")
            .up_or_down()
            .background()
            .runbook("ServiceDown")
            .wide(6, 3),
        stat("Running for", "dtdurations")
            .query("min(redis_uptime_in_seconds{@})", "")
            .about("Since Valkey's last start.")
            .wide(6, 3),
        stat("Memory", "bytes")
            .query("sum(redis_memory_used_bytes{@})", "")
            .about("What Valkey has allocated.")
            .wide(6, 3),
        stat("Clients", "short")
            .query("sum(redis_connected_clients{@})", "")
            .about("Connections, replicas not counted.")
            .wide(6, 3),
        stat("Commands", "ops")
            .query("sum(rate(redis_commands_processed_total{@}[5m]))", "")
            .about("By second.")
            .wide(6, 3),
        stat("Keyspace hits", "percent")
            .query("100 * sum(rate(redis_keyspace_hits_total{@}[5m])) / (sum(rate(redis_keyspace_hits_total{@}[5m])) + sum(rate(redis_keyspace_misses_total{@}[5m])) > 0)", "")
            .about("Of the keys asked for, those that were there. A broker polls for what is not there yet, so low is no fault there.")
            .missing("No key was asked for in five minutes")
            .decimals(1)
            .wide(6, 3),
        stat("Refused connections, 1 h", "short")
            .query("sum(increase(redis_rejected_connections_total{@}[1h]))", "")
            .about("Because maxclients was reached.")
            .steps(NONE_IS_GOOD)
            .decimals(0)
            .wide(6, 3),
        stat("Evicted keys, 1 h", "short")
            .query("sum(increase(redis_evicted_keys_total{@}[1h]))", "")
            .about("Removed for want of memory. A broker must never lose any.")
            .steps(NONE_IS_GOOD)
            .decimals(0)
            .wide(6, 3),
    ]
}

fn memory() -> Vec<Panel> {
    vec![
        gauge("Memory in use", "100 * redis_memory_used_bytes{@} / (redis_memory_max_bytes{@} > 0)", "{{instance}}")
            .about("In percent of maxmemory.")
            .missing("Valkey has no maxmemory, or is down")
            .steps(FILLING)
            .runbook("ValkeyMemoryHigh")
            .wide(4, 8),
        time_series("Memory", "bytes")
            .query("redis_memory_used_bytes{@}", "{{instance}} used")
            .query("redis_memory_used_rss_bytes{@}", "{{instance}} resident")
            .query("redis_memory_max_bytes{@} > 0", "{{instance}} maxmemory")
            .about("Resident is what the operating system sees; far above what is used, memory is fragmented.")
            .wide(10, 8),
        time_series("Fragmentation", "none")
            .query("redis_mem_fragmentation_ratio{@}", "{{instance}}")
            .about("Resident by used memory. Above 1.5 on a server with much data, look at activedefrag.")
            .wide(10, 8),
    ]
}

fn commands() -> Vec<Panel> {
    vec![
        time_series("Commands", "ops")
            .query("topk(10, sum by (cmd) (rate(redis_commands_total{@}[$__rate_interval])))", "{{cmd}}")
            .about("The ten most frequent, by second.")
            .wide(8, 8),
        time_series("Time in commands", "percentunit")
            .query("topk(10, sum by (cmd) (rate(redis_commands_duration_seconds_total{@}[$__rate_interval])))", "{{cmd}}")
            .about("Part of a second that each command keeps the only thread busy.")
            .wide(8, 8),
        time_series("Failed and rejected commands", "ops")
            .query("sum by (cmd) (rate(redis_commands_failed_calls_total{@}[$__rate_interval])) > 0", "{{cmd}} failed")
            .query("sum by (cmd) (rate(redis_commands_rejected_calls_total{@}[$__rate_interval])) > 0", "{{cmd}} rejected")
            .about("Rejected: before it ran, for want of memory or rights.")
            .missing("No command has failed in this range")
            .wide(8, 8),
        time_series("Clients", "short")
            .query("redis_connected_clients{@}", "{{instance}} connected")
            .query("redis_blocked_clients{@}", "{{instance}} blocked")
            .about("Blocked ones wait for work, as Airflow's workers do.")
            .wide(8, 8),
        time_series("Network", "Bps")
            .query("rate(redis_net_input_bytes_total{@}[$__rate_interval])", "{{instance}} in")
            .query("rate(redis_net_output_bytes_total{@}[$__rate_interval])", "{{instance}} out")
            .about("Bytes by second.")
            .wide(8, 8),
        time_series("CPU", "percentunit")
            .query("rate(redis_cpu_user_seconds_total{@}[$__rate_interval])", "{{instance}} user")
            .query("rate(redis_cpu_sys_seconds_total{@}[$__rate_interval])", "{{instance}} system")
            .about("Commands run on one thread: 100 % is all there is.")
            .wide(8, 8),
    ]
}

fn keys() -> Vec<Panel> {
    vec![
        time_series("Keys by database", "short")
            .query("sum by (instance, db) (redis_db_keys{@}) > 0", "{{instance}} {{db}}")
            .about("Databases without keys are left out.")
            .missing("No database holds a key")
            .wide(8, 8),
        time_series("Expired and evicted keys", "ops")
            .query("rate(redis_expired_keys_total{@}[$__rate_interval])", "{{instance}} expired")
            .query("rate(redis_evicted_keys_total{@}[$__rate_interval])", "{{instance}} evicted")
            .about("Expired ones were meant to go; evicted ones made room.")
            .wide(8, 8),
        time_series("Hits and misses", "ops")
            .query("rate(redis_keyspace_hits_total{@}[$__rate_interval])", "{{instance}} hits")
            .query("rate(redis_keyspace_misses_total{@}[$__rate_interval])", "{{instance}} misses")
            .about("Keys asked for, by second.")
            .wide(8, 8),
    ]
}

fn persistence() -> Vec<Panel> {
    vec![
        stat("Last save", "none")
            .query("min(redis_rdb_last_bgsave_status{@})", "")
            .about("Whether the last snapshot was written.")
            .up_or_down()
            .wide(4, 8),
        time_series("Changes since the last save", "short")
            .query("redis_rdb_changes_since_last_save{@}", "{{instance}}")
            .about("What a crash would lose without an append-only file.")
            .wide(7, 8),
        time_series("Replicas", "short")
            .query("redis_connected_slaves{@}", "{{instance}}")
            .about("Connected to this server.")
            .wide(6, 8),
        time_series("Scrape of Valkey", "s")
            .query("redis_exporter_last_scrape_duration_seconds{@}", "{{instance}}")
            .about("How long the exporter took to read it.")
            .wide(7, 8),
    ]
}
