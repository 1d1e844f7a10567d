//! `statsd-exporter` beside the program it replaces: the same load over loopback, in turn, in one
//! run, with the sums checked before any figure is believed.
//!
//! Prints a page of Markdown. `deploy/bench-statsd` prepares both programs and keeps the page.
//! The peer is named by its path in `STATSD_EXPORTER_PEER`; without it, ours runs alone. Words on
//! the command line choose parts: `ingest`, `mapped`, `netdata`, `telegraf`, `otelcol`, `loss`, `memory`, `page`, `idle`.
//! netdata, which takes lines but shows no such page, is named by `NETDATA_PEER`, Telegraf by
//! `TELEGRAF_PEER`, the OpenTelemetry collector by `OTELCOL_PEER`.

use std::{
    env,
    fmt::Write as _,
    io::{self, Write as _},
    path::PathBuf,
};

use anyhow::{Context as _, Result};

mod ingest;
mod load;
mod loss;
mod memory;
mod page;
mod program;

use program::{Contender, Kind};

/// What the figures do not reach.
const FOOTER: &str = include_str!("footer.md");

/// Measures something and gives its table.
type Part = fn(&[Contender]) -> Result<String>;

fn main() -> Result<()> {
    let ours = env::var_os("STATSD_EXPORTER").map_or_else(beside, |path| Ok(path.into()))?;
    let ours = Contender { name: "ours", path: ours, kind: Kind::Exporter };
    let with = |variable: &str, name, kind| {
        let peer = env::var_os(variable).map(|path| Contender { name, path: path.into(), kind });
        [Some(ours.clone()), peer].into_iter().flatten().collect::<Vec<_>>()
    };
    let exporters = with("STATSD_EXPORTER_PEER", "statsd_exporter", Kind::Exporter);
    let collectors = with("NETDATA_PEER", "netdata", Kind::Netdata);
    let agents = with("TELEGRAF_PEER", "Telegraf", Kind::Telegraf);
    let gatherers = with("OTELCOL_PEER", "OpenTelemetry collector", Kind::Otelcol);
    let chosen: Vec<String> = env::args().skip(1).collect();
    let wanted = |part: &str| chosen.is_empty() || chosen.iter().any(|word| word == part);
    let mut page = heading()?;
    let parts: [(&str, &[Contender], Part); 9] = [
        ("ingest", &exporters, ingest::measure),
        ("mapped", &exporters, ingest::measure_mapped),
        ("netdata", &collectors, ingest::measure_netdata),
        ("telegraf", &agents, ingest::measure_telegraf),
        ("otelcol", &gatherers, ingest::measure_otelcol),
        ("loss", &exporters, loss::measure),
        ("memory", &exporters, memory::measure),
        ("page", &exporters, page::measure),
        ("idle", &exporters, memory::measure_idle),
    ];
    for (_, contenders, measure) in parts.iter().filter(|(part, ..)| wanted(part)) {
        page.push_str(&measure(contenders)?);
    }
    page.push_str(FOOTER);
    io::stdout().write_all(page.as_bytes())?;
    Ok(())
}

/// The exporter that was built with this program.
fn beside() -> Result<PathBuf> {
    let own = env::current_exe()?;
    Ok(own.parent().context("a directory")?.join("statsd-exporter"))
}

/// Where and when the figures come from, and how to read them.
fn heading() -> Result<String> {
    let line = |file: &str, name: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("unknown");
        line.trim_matches([' ', '\t', ':']).to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let date = std::process::Command::new("date").args(["-u", "+%Y-%m-%d"]).output()?;
    let mut page = String::from("# Benchmarks of statsd-exporter\n\n");
    write!(
        page,
        "Printed by `make bench-statsd` on {}: {cores} cores of {}, {} of memory.\n\n\
         Ours and statsd_exporter 0.31 get the same lines over loopback, in turn (A B B A …), from a\n\
         sender on the same machine; read buffers of both are asked for at 4 MiB. CPU is user and\n\
         system time of all threads of the exporter. Before a figure counts, the sum of all counters\n\
         on the page has to be what was sent, unless the cell is about loss. Each figure is the\n\
         median of its rounds, with the lowest and the highest behind it. Absolute times of a shared\n\
         machine vary; ratios between programs of one run hold better.\n\n",
        String::from_utf8_lossy(&date.stdout).trim(),
        line("/proc/cpuinfo", "model name"),
        line("/proc/meminfo", "MemTotal"),
    )?;
    Ok(page)
}

/// Median, lowest and highest.
#[derive(Clone, Copy, Debug)]
struct Spread {
    median: f64,
    low: f64,
    high: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        let last = values.len().saturating_sub(1);
        Self { median: at(last / 2), low: at(0), high: at(last) }
    }
}

/// `12.3 (11.8 to 12.9)`
fn spread(spread: Spread) -> String {
    format!("{:.2} ({:.2} to {:.2})", spread.median, spread.low, spread.high)
}

/// The order of two contenders over `rounds` rounds: A B B A A B …
fn turns(contenders: usize, rounds: usize) -> Vec<usize> {
    let round = |round: usize| {
        let forth: Vec<usize> = (0..contenders).collect();
        if round.is_multiple_of(2) { forth } else { forth.into_iter().rev().collect() }
    };
    (0..rounds).flat_map(round).collect()
}
