//! The machines below, as node-exporter sees them.

use crate::{
    dashboard::Dashboard,
    panel::{FILLING, NONE_IS_GOOD, Panel, stat, time_series},
};

/// File systems that lie in memory, or that only show another one's space.
const DISKS: &str = "fstype!~\"tmpfs|overlay|squashfs|ramfs|fuse.*\"";
/// Devices that carry traffic of their own.
const DEVICES: &str = "device!~\"lo|veth.*|br-.*|docker.*\"";

pub(crate) fn dashboard() -> Dashboard {
    Dashboard::new(
        "lakehouse-hosts",
        "Hosts",
        "Processor, memory, disks and network of the machines.",
    )
    .missing("node-exporter is down")
    .alerts_of("node.*")
    .started("node_boot_time_seconds{@}")
    .chosen_by("node_boot_time_seconds")
    .row("Now", now())
    .row("Processor and memory", processor())
    .row("Disks", disks())
    .row("Network and limits", network())
}

fn with(query: &str) -> String {
    query.replace("DISKS", DISKS).replace("DEVICES", DEVICES)
}

fn now() -> Vec<Panel> {
    vec![
        stat("CPU", "percent")
            .query("100 * (1 - avg(rate(node_cpu_seconds_total{@,mode=\"idle\"}[5m])))", "")
            .about("Of all cores.")
            .steps(FILLING)
            .decimals(1)
            .wide(4, 4),
        stat("Memory", "percent")
            .query("100 * (1 - sum(node_memory_MemAvailable_bytes{@}) / sum(node_memory_MemTotal_bytes{@}))", "")
            .about("Not available to programs that ask for more.")
            .steps(FILLING)
            .decimals(1)
            .wide(4, 4),
        stat("Fullest disk", "percent")
            .query(&with("max(100 * (1 - node_filesystem_avail_bytes{@,DISKS} / (node_filesystem_size_bytes{@,DISKS} > 0)))"), "")
            .about("Of what others than root may fill.")
            .steps(FILLING)
            .decimals(1)
            .wide(4, 4),
        stat("Load by core", "none")
            .query("sum(node_load5{@}) / count(node_cpu_seconds_total{@,mode=\"idle\"})", "")
            .about("Of five minutes. Above 1, something waits.")
            .steps(&[("green", None), ("yellow", Some(1.0)), ("red", Some(2.0))])
            .decimals(2)
            .wide(4, 4),
        stat("Killed for memory, 1 h", "short")
            .query("sum(increase(node_vmstat_oom_kill{@}[1h]))", "")
            .about("Processes that the kernel ended.")
            .steps(NONE_IS_GOOD)
            .decimals(0)
            .wide(4, 4),
        stat("Running for", "dtdurations")
            .query("min(node_time_seconds{@} - node_boot_time_seconds{@})", "")
            .about("Since the last boot.")
            .wide(4, 4),
    ]
}

fn processor() -> Vec<Panel> {
    vec![
        time_series("CPU by mode", "percent")
            .query("100 * avg by (mode) (rate(node_cpu_seconds_total{@,mode!=\"idle\"}[$__rate_interval]))", "{{mode}}")
            .about("Steal: the host gives the core to others. Iowait: disks are slow.")
            .percent()
            .stacked()
            .wide(8, 8),
        time_series("Load", "short")
            .query("node_load1{@}", "{{instance}} 1 min")
            .query("node_load5{@}", "{{instance}} 5 min")
            .query("count by (instance) (node_cpu_seconds_total{@,mode=\"idle\"})", "{{instance}} cores")
            .about("Processes that run or wait.")
            .wide(8, 8),
        time_series("Memory", "bytes")
            .query("node_memory_MemTotal_bytes{@} - node_memory_MemAvailable_bytes{@}", "{{instance}} used")
            .query("node_memory_MemTotal_bytes{@}", "{{instance}} there")
            .query("node_memory_SwapTotal_bytes{@} - node_memory_SwapFree_bytes{@} > 0", "{{instance}} swap")
            .about("Caches count as free.")
            .wide(8, 8),
        time_series("Pressure", "percentunit")
            .query("rate(node_pressure_cpu_waiting_seconds_total{@}[$__rate_interval])", "{{instance}} CPU")
            .query("rate(node_pressure_io_waiting_seconds_total{@}[$__rate_interval])", "{{instance}} disk")
            .query("rate(node_pressure_memory_waiting_seconds_total{@}[$__rate_interval])", "{{instance}} memory")
            .about("Part of the time in which something waited.")
            .missing("The kernel does not report pressure, or node-exporter is down")
            .wide(12, 8),
        time_series("Processes", "short")
            .query("node_procs_running{@}", "{{instance}} running")
            .query("node_procs_blocked{@}", "{{instance}} blocked by disk")
            .about("At the moment of each scrape.")
            .wide(12, 8),
    ]
}

fn disks() -> Vec<Panel> {
    vec![
        time_series("Space in use", "percent")
            .query(&with("100 * (1 - node_filesystem_avail_bytes{@,DISKS} / (node_filesystem_size_bytes{@,DISKS} > 0))"), "{{instance}} {{mountpoint}}")
            .about("Of what others than root may fill.")
            .percent()
            .wide(8, 8),
        time_series("Read and written", "Bps")
            .query("rate(node_disk_read_bytes_total{@}[$__rate_interval])", "{{device}} read")
            .query("rate(node_disk_written_bytes_total{@}[$__rate_interval])", "{{device}} written")
            .about("By second.")
            .wide(8, 8),
        time_series("Busy", "percentunit")
            .query("rate(node_disk_io_time_seconds_total{@}[$__rate_interval])", "{{device}}")
            .about("Part of the time with a request in flight.")
            .wide(8, 8),
        time_series("Inodes in use", "percent")
            .query(&with("100 * (1 - node_filesystem_files_free{@,DISKS} / (node_filesystem_files{@,DISKS} > 0))"), "{{instance}} {{mountpoint}}")
            .about("A disk without inodes is full, whatever its space.")
            .percent(),
        time_series("Time by request", "s")
            .query("rate(node_disk_read_time_seconds_total{@}[5m]) / (rate(node_disk_reads_completed_total{@}[5m]) > 0)", "{{device}} read")
            .query("rate(node_disk_write_time_seconds_total{@}[5m]) / (rate(node_disk_writes_completed_total{@}[5m]) > 0)", "{{device}} write")
            .about("From the request to its end, waiting included.")
            .missing("No disk was used in five minutes"),
    ]
}

fn network() -> Vec<Panel> {
    vec![
        time_series("Network", "Bps")
            .query(&with("rate(node_network_receive_bytes_total{@,DEVICES}[$__rate_interval])"), "{{device}} in")
            .query(&with("rate(node_network_transmit_bytes_total{@,DEVICES}[$__rate_interval])"), "{{device}} out")
            .about("By second, of the namespace that node-exporter stands in.")
            .wide(8, 8),
        time_series("Network errors and drops", "pps")
            .query(&with("sum by (device) (rate(node_network_receive_errs_total{@,DEVICES}[$__rate_interval])) + sum by (device) (rate(node_network_transmit_errs_total{@,DEVICES}[$__rate_interval]))"), "{{device}} errors")
            .query(&with("sum by (device) (rate(node_network_receive_drop_total{@,DEVICES}[$__rate_interval])) + sum by (device) (rate(node_network_transmit_drop_total{@,DEVICES}[$__rate_interval]))"), "{{device}} dropped")
            .about("Packets by second.")
            .wide(8, 8),
        time_series("Open files", "percent")
            .query("100 * node_filefd_allocated{@} / (node_filefd_maximum{@} > 0)", "{{instance}}")
            .about("Of what the kernel allows all processes together.")
            .percent()
            .wide(8, 8),
    ]
}
