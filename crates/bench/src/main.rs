//! What the exporters cost, beside the programs they replace, against the same servers in one run.
//!
//! Prints a page of Markdown. `deploy/bench` prepares images and peers, and keeps the page.
//! A peer is named by its path in `STATSD_EXPORTER_PEER`, `POSTGRES_EXPORTER_PEER`,
//! `VALKEY_EXPORTER_PEER`; without one its row is left out.

use std::io::{self, Write as _};

use anyhow::Result;
use e2e::servers::{Postgres, Valkey};

mod cost;
mod latency;
mod subject;

use subject::Subject;

#[tokio::main]
async fn main() -> Result<()> {
    let postgres = Postgres::start().await?;
    let valkey = Valkey::start().await?;
    let environment = [("DATA_SOURCE_NAME", postgres.dsn()), ("REDIS_ADDR", valkey.address())];
    let subjects = Subject::all(&environment)?;

    let mut page = String::from("# Benchmarks\n\n");
    page.push_str(&machine());
    page.push_str(&cost::measure(&subjects)?);
    page.push_str(&latency::measure(&postgres).await?);
    io::stdout().write_all(page.as_bytes())?;
    Ok(())
}

/// Where and when the figures come from.
fn machine() -> String {
    let line = |file: &str, name: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("unknown");
        line.trim_matches([' ', '\t', ':']).to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let date = std::process::Command::new("date").args(["-u", "+%Y-%m-%d"]).output();
    let date = date.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    format!(
        "Printed by `make bench` on {}: {cores} cores of {}, {} of memory. Absolute times of a shared\n\
         machine vary; what can be relied on is the ratio between programs of one run.\n\n",
        date.unwrap_or_default(),
        line("/proc/cpuinfo", "model name"),
        line("/proc/meminfo", "MemTotal"),
    )
}
