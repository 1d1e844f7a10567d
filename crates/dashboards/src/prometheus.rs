//! The monitoring itself: targets, Prometheus, Alertmanager, and the health of the exporters.

use crate::{
    dashboard::Dashboard,
    panel::{NONE_IS_GOOD, Panel, SOME_IS_GOOD, alert_list, stat, state_timeline, time_series},
};

pub(crate) fn dashboard() -> Dashboard {
    Dashboard::new(
        "lakehouse-prometheus",
        "Prometheus, Alertmanager, exporters",
        "Whether the monitoring itself works: targets, rules, storage, notifications, and what exporters cost.",
    )
    .missing("The job of this program is not scraped")
    .started("process_start_time_seconds{@}")
    .variable("job", "label_values(up, job)")
    .variable("instance", "label_values(up{job=~\"$job\"}, instance)")
    .row("Now", now())
    .row("Targets and alerts", targets())
    .row("Prometheus", server())
    .row("Storage of Prometheus", storage())
    .row("Alertmanager", alertmanager())
    .row("Exporters and other targets", exporters())
}

fn now() -> Vec<Panel> {
    vec![
        stat("Targets up", "short")
            .query("sum(up)", "")
            .about("That Prometheus reaches.")
            .steps(SOME_IS_GOOD)
            .wide(6, 3),
        stat("Targets down", "short")
            .query("count(up == 0) or vector(0)", "")
            .about("That it does not reach, or that answer with an error.")
            .steps(NONE_IS_GOOD)
            .background()
            .runbook("ServiceDown")
            .wide(6, 3),
        stat("Alerts firing", "short")
            .query("count(ALERTS{alertstate=\"firing\"}) or vector(0)", "")
            .about("As Prometheus sees them, silenced ones included.")
            .steps(NONE_IS_GOOD)
            .background()
            .wide(6, 3),
        stat("Series", "short")
            .query("sum(prometheus_tsdb_head_series)", "")
            .about("In memory.")
            .wide(6, 3),
        stat("Samples", "cps")
            .query("sum(rate(prometheus_tsdb_head_samples_appended_total[5m]))", "")
            .about("Stored by second.")
            .wide(6, 3),
        stat("On disk", "bytes")
            .query("sum(prometheus_tsdb_storage_blocks_bytes) + sum(prometheus_tsdb_wal_storage_size_bytes) + sum(prometheus_tsdb_head_chunks_storage_size_bytes)", "")
            .about("Blocks, write-ahead log and the head's chunks.")
            .wide(6, 3),
        stat("Configuration", "none")
            .query("min(prometheus_config_last_reload_successful)", "")
            .about("DOWN: the file on disk is faulty, and an older one is in force.")
            .up_or_down()
            .wide(6, 3),
        stat("Alertmanager", "none")
            .query("min(up{job=\"alertmanager\"})", "")
            .about("DOWN: alerts reach nobody.")
            .up_or_down()
            .wide(6, 3),
    ]
}

fn targets() -> Vec<Panel> {
    vec![
        state_timeline("Targets", "up{@}", "{{job}}")
            .about(
                "Red while Prometheus could not scrape; a gap is an outage of Prometheus itself.",
            )
            .runbook("ServiceDown")
            .wide(12, 9),
        alert_list("Alerts")
            .about("Alerts of Prometheus' rules that are pending or fire.")
            .wide(12, 9),
        time_series("Duration of scrapes", "s")
            .query("scrape_duration_seconds{@}", "{{instance}}")
            .about("Above 10 s a scrape fails.")
            .wide(8, 8),
        time_series("Samples by scrape", "short")
            .query("scrape_samples_post_metric_relabeling{@}", "{{instance}}")
            .about("Steady growth: labels hold what is without bound.")
            .wide(8, 8),
        time_series("New series by scrape", "short")
            .query("sum by (job) (scrape_series_added{@})", "{{job}}")
            .about("High all the time: series come and go, which costs memory.")
            .wide(8, 8),
    ]
}

fn server() -> Vec<Panel> {
    vec![
        time_series("Duration of rule groups", "s")
            .query("prometheus_rule_group_last_duration_seconds", "{{rule_group}}")
            .about("Must stay far below the interval of 15 s.")
            .wide(8, 8),
        time_series("Rules that failed or were late", "short")
            .query("sum(increase(prometheus_rule_evaluation_failures_total[5m]))", "failed")
            .query("sum(increase(prometheus_rule_group_iterations_missed_total[5m]))", "missed evaluations")
            .about("In five minutes. A rule that fails does not alert.")
            .wide(8, 8),
        time_series("Queries", "s")
            .query("max(prometheus_engine_query_duration_seconds{slice=\"inner_eval\",quantile=\"0.99\"})", "p99")
            .query("max(prometheus_engine_query_duration_seconds{slice=\"inner_eval\",quantile=\"0.5\"})", "p50")
            .about("Time to evaluate.")
            .missing("Nothing has queried Prometheus in ten minutes")
            .wide(8, 8),
        time_series("Notifications", "ops")
            .query("sum(rate(prometheus_notifications_sent_total[5m]))", "sent")
            .query("sum(rate(prometheus_notifications_dropped_total[5m]))", "dropped")
            .query("sum(rate(prometheus_notifications_errors_total[5m]))", "errors")
            .about("Alerts handed to Alertmanager, by second.")
            .colour("dropped", "red")
            .colour("errors", "orange")
            .wide(8, 8),
        time_series("Memory", "bytes")
            .query("process_resident_memory_bytes{job=\"prometheus\"}", "resident")
            .query("go_memstats_heap_inuse_bytes{job=\"prometheus\"}", "heap")
            .about("The container has 1 GiB.")
            .wide(8, 8),
        time_series("HTTP requests", "reqps")
            .query("sum by (code) (rate(prometheus_http_requests_total[$__rate_interval]))", "{{code}}")
            .about("To the API and the pages, by status.")
            .wide(8, 8),
    ]
}

fn storage() -> Vec<Panel> {
    vec![
        time_series("On disk", "bytes")
            .query("sum(prometheus_tsdb_storage_blocks_bytes)", "blocks")
            .query("sum(prometheus_tsdb_wal_storage_size_bytes)", "write-ahead log")
            .query("sum(prometheus_tsdb_head_chunks_storage_size_bytes)", "chunks of the head")
            .about("Blocks grow until the retention of 7 days is reached.")
            .stacked()
            .wide(8, 8),
        time_series("Series in memory", "short")
            .query("sum(prometheus_tsdb_head_series)", "series")
            .about("Each costs some kilobytes of memory.")
            .wide(8, 8),
        time_series("Failures of the storage", "short")
            .query("sum(increase(prometheus_tsdb_compactions_failed_total[1h]))", "compactions")
            .query("sum(increase(prometheus_tsdb_reloads_failures_total[1h]))", "block reloads")
            .query("sum(increase(prometheus_tsdb_wal_corruptions_total[1h]))", "corruptions")
            .query("sum(increase(prometheus_tsdb_wal_writes_failed_total[1h]))", "writes")
            .about("In one hour. Writes fail when the disk is full.")
            .wide(8, 8),
    ]
}

fn alertmanager() -> Vec<Panel> {
    vec![
        time_series("Alerts by state", "short")
            .query("sum by (state) (alertmanager_alerts)", "{{state}}")
            .about("Suppressed: silenced or inhibited.")
            .wide(8, 8),
        time_series("Notifications by receiver", "ops")
            .query(
                "sum by (integration) (rate(alertmanager_notifications_total[5m])) > 0",
                "{{integration}}",
            )
            .query(
                "sum by (integration) (rate(alertmanager_notifications_failed_total[5m])) > 0",
                "{{integration}} failed",
            )
            .about("Sent, and those that failed, by second.")
            .missing("No notification was sent in this range")
            .wide(8, 8),
        time_series("Silences", "short")
            .query("sum by (state) (alertmanager_silences)", "{{state}}")
            .about("Active ones hide alerts.")
            .wide(8, 8),
    ]
}

fn exporters() -> Vec<Panel> {
    vec![
        time_series("Memory", "bytes")
            .query("process_resident_memory_bytes{@}", "{{instance}}")
            .about("Resident, by process.")
            .wide(8, 8),
        time_series("CPU", "percentunit")
            .query("rate(process_cpu_seconds_total{@}[$__rate_interval])", "{{instance}}")
            .about("100 % is one core.")
            .wide(8, 8),
        time_series("Open files", "percent")
            .query("100 * process_open_fds{@} / (process_max_fds{@} > 0)", "{{instance}}")
            .about("Of what the process may open.")
            .percent()
            .wide(8, 8),
        time_series("Errors on metrics pages", "reqps")
            .query("sum by (job, code) (rate(promhttp_metric_handler_requests_total{@,code!=\"200\"}[5m])) > 0", "{{job}} {{code}}")
            .about("503: what the exporter watches is down.")
            .missing("No page has failed in this range")
            .wide(12, 8),
        time_series("Time to write a page", "s")
            .query("histogram_quantile(0.99, sum by (le, job) (rate(statsd_exporter_page_duration_seconds_bucket[5m])))", "{{job}} p99")
            .query("histogram_quantile(0.99, sum by (le, job) (rate(postgres_exporter_page_duration_seconds_bucket[5m])))", "{{job}} p99")
            .query("histogram_quantile(0.99, sum by (le, job) (rate(redis_exporter_page_duration_seconds_bucket[5m])))", "{{job}} p99")
            .about("Of our exporters: formatting and sending, not collecting.")
            .wide(12, 8),
    ]
}
