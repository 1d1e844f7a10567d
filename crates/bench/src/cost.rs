//! What a scrape costs: time, CPU, memory.

use std::{fmt::Write as _, time::Instant};

use anyhow::Result;

use crate::subject::Subject;

/// Scrapes before anything is counted.
const WARM_UP: usize = 10;
/// Scrapes of each program, in turn with the others.
const SCRAPES: usize = 100;
/// Time between two scrapes of Prometheus.
const INTERVAL_SECONDS: f64 = 15.0;

/// Scrapes all `subjects` in turn and gives a table.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn measure(subjects: &[Subject]) -> Result<String> {
    for subject in subjects.iter().cycle().take(WARM_UP * subjects.len()) {
        subject.scrape()?;
    }
    let before = subjects.iter().map(Subject::cpu_seconds).collect::<Result<Vec<_>>>()?;
    let mut seconds = vec![Vec::new(); subjects.len()];
    let mut bytes = vec![0; subjects.len()];
    for _ in 0..SCRAPES {
        for (index, subject) in subjects.iter().enumerate() {
            let start = Instant::now();
            bytes[index] = subject.scrape()?.body.len();
            seconds[index].push(start.elapsed().as_secs_f64());
        }
    }

    let mut table = String::from(
        "## A scrape\n\n\
         | exporter | median ms | p95 ms | CPU ms | of a core at 15 s | resident MiB | page KiB |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for (index, subject) in subjects.iter().enumerate() {
        seconds[index].sort_by(f64::total_cmp);
        let cpu = (subject.cpu_seconds()? - before[index]) / SCRAPES as f64;
        writeln!(
            table,
            "| {} | {:.2} | {:.2} | {:.3} | {:.4} % | {:.1} | {:.1} |",
            subject.name,
            seconds[index][SCRAPES / 2] * 1e3,
            seconds[index][SCRAPES * 95 / 100] * 1e3,
            cpu * 1e3,
            cpu / INTERVAL_SECONDS * 100.0,
            subject.resident_bytes()? / 1024.0 / 1024.0,
            bytes[index] as f64 / 1024.0,
        )?;
    }
    table.push('\n');
    let alone = subjects
        .iter()
        .all(|subject| subjects.iter().filter(|s| s.noun == subject.noun).count() == 1);
    if alone {
        table.push_str("The replaced programs could not be had here, so no ratio is given.\n\n");
    }
    Ok(table)
}
