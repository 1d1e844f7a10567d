//! statsd-exporter itself: what it receives, what it keeps, what it refuses.

use crate::{
    dashboard::Dashboard,
    panel::{NONE_IS_GOOD, Panel, stat, time_series},
};

pub(crate) fn dashboard() -> Dashboard {
    Dashboard::new(
        "lakehouse-statsd",
        "statsd-exporter",
        "What statsd-exporter receives, how its mapping treats it, what it refuses, and what that costs.",
    )
    .missing("statsd-exporter is down")
    .alerts_of("statsd.*")
    .started("process_start_time_seconds{@}")
    .chosen_by("statsd_exporter_loaded_mappings")
    .row("Now", now())
    .row("Received", received())
    .row("Kept and refused", kept())
    .row("Cost", cost())
}

fn now() -> Vec<Panel> {
    vec![
        stat("Scrape", "none")
            .query("min(up{@})", "")
            .about("DOWN: what Airflow sends now is lost.")
            .up_or_down()
            .background()
            .runbook("ServiceDown")
            .wide(4, 4),
        stat("Samples", "ops")
            .query("sum(rate(statsd_exporter_samples_total{@}[5m]))", "")
            .about("By second.")
            .wide(4, 4),
        stat("Series", "short")
            .query("sum(statsd_exporter_metrics_current{@})", "")
            .about("What it shows now, by metric type summed up.")
            .wide(4, 4),
        stat("Mapping rules", "short")
            .query("min(statsd_exporter_loaded_mappings{@})", "")
            .about("Rules of the mapping file that is loaded.")
            .wide(4, 4),
        stat("Dropped packets, 1 h", "short")
            .query("sum(increase(statsd_exporter_udp_packet_drops_total{@}[1h]))", "")
            .about("UDP packets that the exporter or its socket had no room for.")
            .steps(NONE_IS_GOOD)
            .decimals(0)
            .wide(4, 4),
        stat("Memory", "bytes")
            .query("sum(process_resident_memory_bytes{@})", "")
            .about("Resident, of the process.")
            .wide(4, 4),
    ]
}

fn received() -> Vec<Panel> {
    vec![
        time_series("Packets and connections", "ops")
            .query(
                "sum(rate(statsd_exporter_udp_packets_total{@}[$__rate_interval]))",
                "UDP packets",
            )
            .query(
                "sum(rate(statsd_exporter_tcp_connections_total{@}[$__rate_interval]))",
                "TCP connections",
            )
            .query(
                "sum(rate(statsd_exporter_unixgram_packets_total{@}[$__rate_interval]))",
                "Unix datagrams",
            )
            .about("By second, by way in.")
            .wide(8, 8),
        time_series("Lines, samples, tags", "ops")
            .query("sum(rate(statsd_exporter_lines_total{@}[$__rate_interval]))", "lines")
            .query("sum(rate(statsd_exporter_samples_total{@}[$__rate_interval]))", "samples")
            .query("sum(rate(statsd_exporter_tags_total{@}[$__rate_interval]))", "tags")
            .about("By second. A line may hold several samples.")
            .wide(8, 8),
        time_series("Events by type", "ops")
            .query(
                "sum by (type) (rate(statsd_exporter_events_total{@}[$__rate_interval]))",
                "{{type}}",
            )
            .query(
                "sum(rate(statsd_exporter_events_unmapped_total{@}[$__rate_interval]))",
                "without a mapping rule",
            )
            .about("Without a rule, a name of its own is made of it.")
            .wide(8, 8),
    ]
}

fn kept() -> Vec<Panel> {
    vec![
        time_series("Series by type", "short")
            .query("sum by (type) (statsd_exporter_metrics_current{@})", "{{type}}")
            .about("What does not arrive any more goes after the mapping's ttl.")
            .stacked()
            .wide(8, 8),
        time_series("Refused", "ops")
            .query("sum(rate(statsd_exporter_udp_packet_drops_total{@}[$__rate_interval]))", "packets without room")
            .query("sum(rate(statsd_exporter_tag_errors_total{@}[$__rate_interval]))", "bad tags")
            .query("sum(rate(statsd_exporter_tcp_too_long_lines_total{@}[$__rate_interval]))", "lines too long")
            .query("sum by (reason) (rate(statsd_exporter_sample_errors_total{@}[$__rate_interval]))", "{{reason}}")
            .query("sum by (reason) (rate(statsd_exporter_events_error_total{@}[$__rate_interval]))", "{{reason}}")
            .query("sum by (limit) (rate(statsd_exporter_limit_refusals_total{@}[$__rate_interval]))", "limit {{limit}}")
            .about("By second. The exporter's log names examples.")
            .wide(8, 8),
        time_series("Names already known", "percent")
            .query("100 * sum(rate(statsd_metric_mapper_cache_hits_total{@}[5m])) / (sum(rate(statsd_metric_mapper_cache_gets_total{@}[5m])) > 0)", "hits")
            .about("Of the names looked up, those that needed no mapping.")
            .missing("No name was looked up in five minutes")
            .percent()
            .wide(8, 8),
    ]
}

fn cost() -> Vec<Panel> {
    vec![
        time_series("Memory", "bytes")
            .query("process_resident_memory_bytes{@}", "{{instance}} resident")
            .query("statsd_exporter_series_memory_bytes{@}", "{{instance}} series")
            .about("Of the process, and of the series in it.")
            .wide(8, 8),
        time_series("CPU", "percentunit")
            .query("rate(process_cpu_seconds_total{@}[$__rate_interval])", "{{instance}}")
            .about("100 % is one core.")
            .wide(8, 8),
        time_series("Time to write the page", "s")
            .query("histogram_quantile(0.99, sum by (le, instance) (rate(statsd_exporter_page_duration_seconds_bucket{@}[5m])))", "{{instance}} p99")
            .about("What a scrape waits for.")
            .wide(8, 8),
    ]
}
