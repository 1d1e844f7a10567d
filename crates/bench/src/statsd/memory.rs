//! What series take, what making them costs, and what an idle exporter uses.

use std::{fmt::Write as _, time::Duration};

use anyhow::{Result, ensure};

use crate::{
    load::{self, Load, PACKED_BYTES},
    program::{Contender, Program},
};

/// Counters which are made.
const COUNTERS: usize = 100_000;
/// Summaries and histograms which are made.
const OBSERVERS: usize = 5_000;
/// Observations of each.
const OBSERVATIONS: usize = 50;
/// How long an idle exporter is watched.
const IDLE: Duration = Duration::from_secs(10);
const MIB: f64 = 1024.0 * 1024.0;

/// Rows 7, 8 and 13.
pub(crate) fn measure(contenders: &[Contender]) -> Result<String> {
    let mut table = String::from(
        "## Series\n\n\
         100,000 counters with five labels, then three scrapes; 5,000 observers of 50 observations.\n\n\
         | exporter | row 7: resident MB, counters | row 13: CPU µs to make one | row 8: bytes a summary | bytes a histogram |\n\
         |---|---|---|---|---|\n",
    );
    for contender in contenders {
        let (resident, creation) = counters(contender)?;
        write!(table, "| {} | {:.1} | {creation:.2} |", contender.name, resident / 1e6)?;
        for kind in ["summary", "histogram"] {
            write!(table, " {:.0} |", observer(contender, kind)?)?;
        }
        table.push('\n');
    }
    table.push('\n');
    Ok(table)
}

/// Resident bytes after scrapes, and CPU microseconds for each series.
fn counters(contender: &Contender) -> Result<(f64, f64)> {
    let program = Program::start(contender, "", &[])?;
    let before = program.cpu_seconds()?;
    let load = Load::pack(load::dog(COUNTERS, 100), PACKED_BYTES);
    let sent = load.send_once(program.udp, 5e4)?.events as f64;
    program.settled()?;
    let creation = (program.cpu_seconds()? - before) / sent * 1e6;
    for _ in 0..3 {
        program.scrape("/metrics", true)?;
    }
    let sum = program.sum("shop_", "/metrics")?;
    ensure!(sum >= 0.99 * sent, "{}: {sum} of {sent}", contender.name);
    Ok((program.resident_bytes()?, creation))
}

/// Bytes of each series of timers.
fn observer(contender: &Contender, kind: &str) -> Result<f64> {
    let mapping = format!("defaults: {{observer_type: {kind}}}\n");
    let program = Program::start(contender, &mapping, &[])?;
    program.scrape("/metrics", true)?;
    let before = program.resident_bytes()?;
    let load = Load::pack(load::timers(OBSERVERS, OBSERVATIONS), PACKED_BYTES);
    load.send_once(program.udp, 4e4)?;
    program.settled()?;
    program.scrape("/metrics", true)?;
    Ok((program.resident_bytes()? - before) / OBSERVERS as f64)
}

/// Row 14.
pub(crate) fn measure_idle(contenders: &[Contender]) -> Result<String> {
    let mut table = String::from(
        "## Idle\n\n\
         | row | exporter | % of a core | resident MiB |\n|---|---|---|---|\n",
    );
    for contender in contenders {
        let program = Program::start(contender, "", &[])?;
        program.scrape("/metrics", true)?;
        program.settled()?;
        let before = program.cpu_seconds()?;
        std::thread::park_timeout(IDLE);
        let share = (program.cpu_seconds()? - before) / IDLE.as_secs_f64() * 100.0;
        let resident = program.resident_bytes()? / MIB;
        writeln!(table, "| 14 | {} | {share:.3} | {resident:.1} |", contender.name)?;
    }
    table.push('\n');
    Ok(table)
}
