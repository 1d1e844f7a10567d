//! SeaweedFS, at its own metrics endpoints.

use crate::{
    dashboard::Dashboard,
    panel::{FILLING, NONE_IS_GOOD, Panel, SOME_IS_GOOD, gauge, stat, time_series},
};

pub(crate) fn dashboard() -> Dashboard {
    Dashboard::new(
        "lakehouse-seaweedfs",
        "SeaweedFS",
        "Masters, volume servers, disks and requests of SeaweedFS.",
    )
    .missing("No SeaweedFS master or volume server is scraped")
    .alerts_of("seaweedfs.*")
    .started("process_start_time_seconds{@,job=~\"seaweedfs.*\"}")
    .chosen_by("SeaweedFS_volumeServer_max_volumes")
    .row("Now", now())
    .row("Disks and volumes", disks())
    .row("Requests to volume servers", requests())
    .row("Master", master())
    .row("Processes", processes())
}

fn now() -> Vec<Panel> {
    vec![
        stat("Masters that lead", "short")
            .query("sum(SeaweedFS_master_is_leader{@,job=~\".*master.*\"})", "")
            .about("Exactly one has to.")
            .steps(&[("red", None), ("green", Some(1.0)), ("red", Some(2.0))])
            .wide(4, 4),
        stat("Targets up", "short")
            .query("sum(up{@})", "")
            .about("Masters and volume servers that Prometheus reaches.")
            .steps(SOME_IS_GOOD)
            .runbook("ServiceDown")
            .wide(4, 4),
        stat("Data stored", "bytes")
            .query("sum(SeaweedFS_volumeServer_total_disk_size{@,type=\"normal\"})", "")
            .about("In normal volumes, deleted bytes that wait for a vacuum included.")
            .missing("Nothing was stored yet")
            .wide(4, 4),
        stat("Volume slots in use", "percent")
            .query("100 * sum(SeaweedFS_volumeServer_volumes{@,type=\"volume\"}) / (sum(SeaweedFS_volumeServer_max_volumes{@}) > 0)", "")
            .about("Of the volumes that the servers may hold. None left: no new volume, and no write.")
            .missing("No volume was made yet")
            .steps(FILLING)
            .decimals(1)
            .wide(4, 4),
        stat("Volumes short of disk", "short")
            .query("sum(SeaweedFS_volumeServer_read_only_volumes{@,type=\"isDiskSpaceLow\"})", "")
            .about("Read-only because their disk is full.")
            .missing("No volume was made yet")
            .steps(NONE_IS_GOOD)
            .runbook("SeaweedFSDiskUsageHigh")
            .wide(4, 4),
        stat("Requests", "reqps")
            .query("sum(rate(SeaweedFS_volumeServer_request_total{@}[5m]))", "")
            .about("To volume servers, by second.")
            .missing("No request has reached a volume server yet")
            .wide(4, 4),
    ]
}

fn disks() -> Vec<Panel> {
    vec![
        gauge("Disk in use", "100 * seaweedfs_disk_used_bytes{@} / (seaweedfs_disk_total_bytes{@} > 0)", "{{instance}} {{name}}")
            .about("The file system of each volume folder, what others keep there included.")
            .missing("No volume server reports its disk")
            .steps(FILLING)
            .runbook("SeaweedFSDiskUsageHigh")
            .wide(4, 8),
        time_series("Disks", "bytes")
            .query("SeaweedFS_volumeServer_resource{@,type=~\"all|used|free\"}", "{{instance}} {{name}} {{type}}")
            .about("Sizes of the file systems below the volume folders.")
            .missing("No volume server reports its disk")
            .wide(10, 8),
        time_series("Volumes by collection", "short")
            .query("sum by (collection) (SeaweedFS_volumeServer_volumes{@,type=\"volume\"})", "volumes {{collection}}")
            .query("sum by (collection) (SeaweedFS_volumeServer_read_only_volumes{@,type=\"IsReadOnly\"})", "read-only {{collection}}")
            .about("A volume that is full becomes read-only; that is no fault.")
            .missing("No volume was made yet")
            .wide(10, 8),
        time_series("Data and garbage", "bytes")
            .query("sum by (collection, type) (SeaweedFS_volumeServer_total_disk_size{@})", "{{type}} {{collection}}")
            .about("Deleted bytes go with the next vacuum.")
            .missing("Nothing was stored yet"),
        time_series("Disk full, at the speed of the last hour", "s")
            .query("SeaweedFS_volumeServer_resource{@,type=\"free\"} / (-deriv(SeaweedFS_volumeServer_resource{@,type=\"free\"}[1h]) > 0)", "{{instance}} {{name}}")
            .about("Time until nothing is free; empty while free space grows.")
            .missing("Free space does not shrink"),
    ]
}

fn requests() -> Vec<Panel> {
    vec![
        time_series("Requests by kind", "reqps")
            .query("sum by (type) (rate(SeaweedFS_volumeServer_request_total{@}[$__rate_interval]))", "{{type}}")
            .about("Reads, writes and deletes, by second.")
            .missing("No request has reached a volume server yet")
            .wide(8, 8),
        time_series("Latency", "s")
            .query("histogram_quantile(0.99, sum by (le, type) (rate(SeaweedFS_volumeServer_request_seconds_bucket{@}[5m])))", "{{type}} p99")
            .query("histogram_quantile(0.5, sum by (le, type) (rate(SeaweedFS_volumeServer_request_seconds_bucket{@}[5m])))", "{{type}} p50")
            .about("Buckets double, so a quantile is right within a factor of two.")
            .missing("No request has reached a volume server yet")
            .wide(8, 8),
        time_series("Errors", "reqps")
            .query("sum by (type, code) (rate(SeaweedFS_volumeServer_request_total{@,code=~\"5..\"}[$__rate_interval]))", "{{type}} {{code}}")
            .about("Answers with a status of 500 and above.")
            .missing("None failed, or this SeaweedFS is older than 3.62 and does not count by code")
            .wide(8, 8),
    ]
}

fn master() -> Vec<Panel> {
    vec![
        time_series("Heartbeats of volume servers", "ops")
            .query("sum by (instance, type) (rate(SeaweedFS_master_received_heartbeats{@,job=~\".*master.*\"}[$__rate_interval]))", "{{instance}} {{type}}")
            .about("None: the master knows no volume server, and no write can be placed."),
        time_series("Changes of the leader", "short")
            .query("sum by (instance) (increase(SeaweedFS_master_leader_changes{@,job=~\".*master.*\"}[15m]))", "{{instance}}")
            .about("In fifteen minutes. More than a few: masters do not reach each other."),
    ]
}

fn processes() -> Vec<Panel> {
    vec![
        time_series("Memory", "bytes")
            .query("process_resident_memory_bytes{@}", "{{instance}}")
            .about("Resident, by process.")
            .wide(8, 8),
        time_series("CPU", "percentunit")
            .query("rate(process_cpu_seconds_total{@}[$__rate_interval])", "{{instance}}")
            .about("100 % is one core.")
            .wide(8, 8),
        time_series("Goroutines", "short")
            .query("go_goroutines{@}", "{{instance}}")
            .about("Steadily growing: requests hang.")
            .wide(8, 8),
    ]
}
