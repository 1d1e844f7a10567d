//! `process_*` from `/proc/self`, with the names and units of Prometheus' client libraries.

use std::{
    fmt, fs,
    io::{self, Read as _},
};

use prometheus::{
    Gauge,
    core::Collector,
    proto::{MetricFamily, MetricType},
};
use rustix::process::{Resource, getrlimit};

/// CPU, memory, descriptors, network bytes and start time of this process.
///
/// The `prometheus` crate has a collector of this name too, but counts CPU time in whole seconds,
/// which is too coarse for a process that needs milliseconds a minute.
pub struct Process {
    cpu_seconds: Gauge,
    start_time_seconds: Gauge,
    resident_bytes: Gauge,
    virtual_bytes: Gauge,
    virtual_max_bytes: Gauge,
    open_fds: Gauge,
    max_fds: Gauge,
    receive_bytes: Gauge,
    transmit_bytes: Gauge,
}

/// What the files that are read hold, or more.
const KERNEL_FILE_BYTES: usize = 8 * 1024;

/// Families which only rise; the rest are gauges.
const COUNTERS: [&str; 3] = [
    "process_cpu_seconds_total",
    "process_network_receive_bytes_total",
    "process_network_transmit_bytes_total",
];

impl Process {
    /// Nothing is read before the first scrape.
    ///
    /// # Errors
    ///
    /// Never with these names; the type is `prometheus`'.
    pub fn new() -> Result<Self, prometheus::Error> {
        let gauge = Gauge::new::<&str, &str>;
        Ok(Self {
            cpu_seconds: gauge(
                "process_cpu_seconds_total",
                "Total user and system CPU time spent in seconds.",
            )?,
            start_time_seconds: gauge(
                "process_start_time_seconds",
                "Start time of the process since unix epoch in seconds.",
            )?,
            resident_bytes: gauge(
                "process_resident_memory_bytes",
                "Resident memory size in bytes.",
            )?,
            virtual_bytes: gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.")?,
            virtual_max_bytes: gauge(
                "process_virtual_memory_max_bytes",
                "Maximum amount of virtual memory available in bytes.",
            )?,
            open_fds: gauge("process_open_fds", "Number of open file descriptors.")?,
            max_fds: gauge("process_max_fds", "Maximum number of open file descriptors.")?,
            receive_bytes: gauge(
                "process_network_receive_bytes_total",
                "Number of bytes received by the process over the network.",
            )?,
            transmit_bytes: gauge(
                "process_network_transmit_bytes_total",
                "Number of bytes sent by the process over the network.",
            )?,
        })
    }

    pub(super) fn gauges(&self) -> impl Iterator<Item = &Gauge> {
        [
            &self.cpu_seconds,
            &self.start_time_seconds,
            &self.resident_bytes,
            &self.virtual_bytes,
            &self.virtual_max_bytes,
            &self.open_fds,
            &self.max_fds,
            &self.receive_bytes,
            &self.transmit_bytes,
        ]
        .into_iter()
    }

    /// Sets each gauge whose source can be read; the others keep their value.
    pub(super) fn read(&self) {
        if let Ok(text) = read_once("/proc/self/stat") {
            self.read_stat(&text);
        }
        self.max_fds.set(limit(Resource::Nofile));
        self.virtual_max_bytes.set(limit(Resource::As));
        if let Ok(count) = open_fds() {
            self.open_fds.set(count as f64);
        }
        if let Ok(text) = read_once("/proc/self/net/netstat") {
            self.receive_bytes.set(octets(&text, "InOctets"));
            self.transmit_bytes.set(octets(&text, "OutOctets"));
        }
    }

    fn read_stat(&self, text: &str) {
        let ticks_per_second = rustix::param::clock_ticks_per_second() as f64;
        let page_bytes = rustix::param::page_size() as f64;
        let Some(stat) = Stat::parse(text) else { return };
        self.cpu_seconds.set(stat.cpu_ticks / ticks_per_second);
        self.virtual_bytes.set(stat.virtual_bytes);
        self.resident_bytes.set(stat.resident_pages * page_bytes);
        // Once: the kernel adds up the interrupts of every processor for whoever reads that file.
        if self.start_time_seconds.get() == 0.0
            && let Some(boot) = fs::read_to_string("/proc/stat").ok().as_deref().and_then(boot_time)
        {
            self.start_time_seconds.set(boot + stat.start_ticks / ticks_per_second);
        }
    }

    pub(super) fn families(&self) -> Vec<MetricFamily> {
        let mut families: Vec<_> = self.gauges().flat_map(Collector::collect).collect();
        for family in &mut families {
            if COUNTERS.contains(&family.name()) {
                as_counter(family);
            }
        }
        families
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").finish_non_exhaustive()
    }
}

/// The crate's own counters cannot be set, so the value travels in a gauge.
fn as_counter(family: &mut MetricFamily) {
    for metric in family.mut_metric() {
        let mut counter = prometheus::proto::Counter::default();
        counter.set_value(metric.get_gauge().get_value());
        metric.set_counter(counter);
    }
    family.set_field_type(MetricType::COUNTER);
}

/// The fields of `/proc/self/stat` which are used; see `proc_pid_stat(5)`.
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_ticks: f64,
    start_ticks: f64,
    virtual_bytes: f64,
    resident_pages: f64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The second field is the program's name in parentheses, which may hold anything.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<f64> =
            rest.split_whitespace().map(|field| field.parse().unwrap_or(f64::NAN)).collect();
        // `fields[0]` is field 3 of the manual page.
        let field = |number: usize| fields.get(number - 3).copied();
        Some(Self {
            cpu_ticks: field(14)? + field(15)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

/// The soft limit; unlimited is what Go shows, 2^64.
fn limit(resource: Resource) -> f64 {
    getrlimit(resource).current.unwrap_or(u64::MAX) as f64
}

/// Open descriptors: the folder's size since Linux 6.2, before that as many as it lists.
fn open_fds() -> io::Result<u64> {
    match fs::metadata("/proc/self/fd")?.len() {
        0 => Ok(fs::read_dir("/proc/self/fd")?.count() as u64),
        count => Ok(count),
    }
}

/// A file of the kernel, which makes its text anew for each reader: in one piece, since reading it
/// piece by piece, as where the size is not known, costs more than what is done with it.
fn read_once(path: &str) -> io::Result<String> {
    let mut text = String::with_capacity(KERNEL_FILE_BYTES);
    fs::File::open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

/// A field of the `IpExt` lines of `/proc/self/net/netstat`: names first, then values.
fn octets(text: &str, name: &str) -> f64 {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("IpExt: "));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else { return f64::NAN };
    let pairs = names.split_whitespace().zip(values.split_whitespace());
    pairs
        .filter(|(known, _)| *known == name)
        .find_map(|(_, value)| value.parse().ok())
        .unwrap_or(f64::NAN)
}

/// Seconds since the epoch at which the machine started, from `/proc/stat`.
fn boot_time(text: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Process, Stat, boot_time, octets};

    #[test]
    fn stat_is_read_behind_any_program_name() {
        let text =
            "7 (a) b) c) S 1 7 7 0 -1 4194560 100 0 0 0 25 5 0 0 20 0 1 0 12345 4096000 250 1";
        let stat = Stat {
            cpu_ticks: 30.0,
            start_ticks: 12_345.0,
            virtual_bytes: 4_096_000.0,
            resident_pages: 250.0,
        };
        assert_eq!(Stat::parse(text), Some(stat));
        assert_eq!(Stat::parse("7 (short) S 1"), None);
        assert_eq!(Stat::parse(""), None);
    }

    #[test]
    fn octets_and_boot_time_are_read() {
        let netstat = "TcpExt: A B\nTcpExt: 1 2\nIpExt: InNoRoutes InOctets\nIpExt: 3 4\n";
        assert!((octets(netstat, "InOctets") - 4.0).abs() < f64::EPSILON);
        assert!(octets("", "InOctets").is_nan());
        assert_eq!(boot_time("cpu 1\nbtime 1700000000\n"), Some(1_700_000_000.0));
    }

    #[test]
    fn this_process_has_memory_and_descriptors() {
        let process = Process::new().expect("valid names");
        process.read();
        assert!(process.resident_bytes.get() > 1e5);
        let limits = std::fs::read_to_string("/proc/self/limits").expect("Linux");
        let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
        let files = files.and_then(|rest| rest.split_whitespace().next()).expect("a soft limit");
        let files = files.parse().unwrap_or(u64::MAX as f64);
        assert!((process.max_fds.get() - files).abs() < 1.0);
        assert!(process.virtual_max_bytes.get() > 1e9);
        let before = process.open_fds.get();
        assert!(before >= 3.0);
        assert!(process.start_time_seconds.get() > 1.6e9);
    }
}
