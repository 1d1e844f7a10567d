//! What happens to a host: a real node-exporter reads files of a kernel that the test writes, and file
//! systems that are really full.
//!
//! The clock is left out: node-exporter asks the kernel itself, and of no file.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{second::Second, stack, storage::ADDRESS};

const ALERTS: [&str; 13] = [
    "HostCPUHigh",
    "HostConntrackFull",
    "HostDiskBusy",
    "HostDiskSpaceCritical",
    "HostDiskSpaceLow",
    "HostFileDescriptorsHigh",
    "HostInodesLow",
    "HostLoadHigh",
    "HostMemoryCritical",
    "HostMemoryHigh",
    "HostNetworkErrors",
    "HostOutOfMemoryKill",
    "HostSwapHigh",
];

const COLLECTORS: [&str; 10] = [
    "conntrack",
    "cpu",
    "diskstats",
    "filefd",
    "filesystem",
    "loadavg",
    "meminfo",
    "netdev",
    "timex",
    "vmstat",
];

/// Small file systems of the container, of which the mount table says that they are on disks.
const DISKS: [(&str, &str, &str); 4] = [
    ("full", "rw", "size=1m,mode=1777"),
    ("nearly", "rw", "size=1m,mode=1777"),
    ("inodes", "rw", "size=1m,mode=1777,nr_inodes=64"),
    ("readonly", "ro", "size=1m,mode=1777,nr_inodes=64"),
];

/// As a medium is that nobody can write to.
const FILL_THE_READONLY: &str = "\
    i=0; while touch /readonly/$i 2>/dev/null; do i=$((i+1)); done; \
    cat /dev/zero >/readonly/0 2>/dev/null; true";

const FILL: &str = "\
    cat /dev/zero >/full/filler 2>/dev/null; \
    head -c 920000 /dev/zero >/nearly/filler; \
    i=0; while touch /inodes/$i 2>/dev/null; do i=$((i+1)); done; true";

const EMPTY: &str = "rm -f /full/* /nearly/* /inodes/*";

/// What the kernel says of its one processor and of its connections, come what may.
const CONSTANT: [(&str, &str); 5] = [
    ("sys/devices/system/cpu/cpu0/online", "1\n"),
    ("sys/devices/system/cpu/cpu0/topology/core_id", "0\n"),
    ("sys/devices/system/cpu/cpu0/topology/physical_package_id", "0\n"),
    ("proc/sys/net/netfilter/nf_conntrack_max", "1000\n"),
    (
        "proc/net/stat/nf_conntrack",
        "entries searched found new invalid ignore delete delete_list insert insert_failed drop \
         early_drop icmp_error expect_new expect_create expect_delete search_restart\n\
         0a 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
    ),
];

/// What it says when all is well, and in trouble.
const STATES: [(&str, &str, &str); 4] = [
    (
        "proc/meminfo",
        "MemTotal: 8000000 kB\nMemAvailable: 4000000 kB\nSwapTotal: 1000000 kB\nSwapFree: 900000 kB\n",
        "MemTotal: 8000000 kB\nMemAvailable: 200000 kB\nSwapTotal: 1000000 kB\nSwapFree: 100000 kB\n",
    ),
    ("proc/loadavg", "0.50 0.50 0.50 1/200 1000\n", "9.00 9.00 9.00 9/200 1000\n"),
    ("proc/sys/fs/file-nr", "100\t0\t1000\n", "900\t0\t1000\n"),
    ("proc/sys/net/netfilter/nf_conntrack_count", "100\n", "900\n"),
];

/// All that its alerts ask for was scraped for a minute, and so evaluated with full windows.
const KNOWN: &str = "\
    count_over_time(node_load5[1m]) > 25 and on () node_vmstat_oom_kill and on () node_disk_io_time_seconds_total \
    and on () node_network_receive_errs_total and on () node_filefd_allocated and on () node_nf_conntrack_entries \
    and on () node_memory_SwapTotal_bytes and on () instance:node_cpu_used:ratio_rate5m \
    and on () instance:node_memory_used:ratio and on () node_filesystem_files_free{device=\"/dev/readonly\"} == 0 \
    and on () node_filesystem_avail_bytes{device=\"/dev/readonly\"} == 0 and on () node_timex_sync_status";

/// What it has counted after so long a time of each.
fn counted(well: Duration, trouble: Duration) -> [(&'static str, String); 4] {
    let (idle, busy) = (well.as_millis() / 10, trouble.as_millis() / 10);
    let errors = trouble.as_secs() * 5;
    [
        (
            "proc/stat",
            format!("cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 {busy} 0 0 {idle} 0 0 0 0 0 0\n"),
        ),
        ("proc/diskstats", format!("   8 0 sda 9 0 9 9 9 0 9 9 0 {} 9\n", trouble.as_millis())),
        (
            "proc/net/dev",
            format!(
                "Inter-|   Receive |  Transmit\n face |bytes packets errs drop fifo frame \
                 compressed multicast|bytes packets errs drop fifo colls carrier compressed\n  \
                 eth0: 9 9 {errors} 0 0 0 0 0 9 9 {errors} 0 0 0 0 0\n"
            ),
        ),
        ("proc/vmstat", format!("oom_kill {}\n", trouble.as_secs() / 10)),
    ]
}

/// How long the host was in either state.
struct Kernel {
    last: Instant,
    well: Duration,
    trouble: Duration,
}

impl Kernel {
    #[expect(clippy::disallowed_methods, reason = "a host's counters grow with time")]
    fn start() -> Self {
        Self { last: Instant::now(), well: Duration::ZERO, trouble: Duration::ZERO }
    }

    /// Writes what it says by now.
    #[expect(clippy::disallowed_methods, reason = "a host's counters grow with time")]
    fn goes_on(&mut self, second: &Second, trouble: bool) -> Result<()> {
        let now = Instant::now();
        let time = if trouble { &mut self.trouble } else { &mut self.well };
        *time += now - self.last;
        self.last = now;
        for (file, well, in_trouble) in STATES {
            second.write(file, if trouble { in_trouble } else { well })?;
        }
        counted(self.well, self.trouble)
            .iter()
            .try_for_each(|(file, text)| second.write(file, text))
    }
}

fn start(second: &mut Second) -> Result<Kernel> {
    let mut mounts = String::new();
    for (number, (disk, access, _)) in DISKS.iter().enumerate() {
        let at = format!("{number} 0 0:{number} / /{disk}");
        writeln!(mounts, "{at} {access},relatime - ext4 /dev/{disk} {access}")?;
    }
    second.write("proc/1/mountinfo", &mounts)?;
    for (file, text) in CONSTANT {
        second.write(file, text)?;
    }
    let mut kernel = Kernel::start();
    kernel.goes_on(second, false)?;
    let disks = DISKS.map(|(disk, _, options)| format!("/{disk}:{options}"));
    let collectors = COLLECTORS.map(|collector| format!("--collector.{collector}"));
    let mut arguments: Vec<&str> = Vec::new();
    arguments.extend(disks.iter().flat_map(|disk| ["--tmpfs", disk.as_str()]));
    arguments.extend([
        "IMAGE",
        "--path.procfs=/input/proc",
        "--path.sysfs=/input/sys",
        "--collector.disable-defaults",
        // It would ask the kernel itself.
        "--no-collector.netdev.netlink",
    ]);
    arguments.extend(collectors.iter().map(String::as_str));
    second.start("node-exporter", "host", &arguments)?;
    stack::exec("host", &["sh", "-c", FILL_THE_READONLY])?;
    let targets = format!("'{}:9100'", stack::container("host"));
    second.watch(&["node"], &[("node-exporter", targets, "")])?;
    Ok(kernel)
}

pub(crate) fn what_happens_to_a_host_alerts_and_resolves() -> Result<()> {
    let mut second = Second::new("hosts")?;
    let mut kernel = start(&mut second)?;
    second.wait_in_silence(KNOWN, || kernel.goes_on(&second, false))?;
    stack::exec("host", &["sh", "-c", FILL])?;
    second.wait_for(&ALERTS, || kernel.goes_on(&second, true))?;
    let fills_up = r#"ALERTS{alertname=~"HostDisk.*", device="/dev/nearly"}"#;
    let of_it = stack::query_at(ADDRESS, fills_up)?;
    ensure!(of_it.len() == 1 && of_it[0].0["alertname"] == "HostDiskSpaceLow", "{of_it:?}");
    stack::exec("host", &["sh", "-c", EMPTY])?;
    second.wait_until_resolved(&ALERTS, || kernel.goes_on(&second, false))
}
