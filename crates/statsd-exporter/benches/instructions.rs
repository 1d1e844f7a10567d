//! Instructions of reading a line and of updating a series, counted by Valgrind: a regression shows
//! on any machine, however busy it is.
//!
//! `check` compares with `instructions.txt` beside this file and fails where a case takes over a
//! tenth more; `write` writes that file anew. `run CASE COUNT` is what Valgrind runs.

use std::{
    collections::BTreeSet,
    env, fs,
    hint::black_box,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use anyhow::{Context as _, Result, bail, ensure};
use prometheus::Registry;
use statsd_exporter::{
    line::{self, Dialect},
    mapping::Mapping,
    pipeline::{Limits, Mappings, Pipeline, Worker},
    series::{Bounds, Store, Tick},
    telemetry::Telemetry,
};

/// How much more a case may take than it did, and how much less before the file is out of date.
const TOLERANCE: f64 = 0.1;
/// Events of the shorter run; the longer one has twice as many, and the difference is what counts.
const EVENTS: u64 = 10_000;
/// Lines of a datagram.
const LINES: usize = 20;

const RULES: &str = "mappings:
- {match: mapped.*.*, name: mapped, labels: {part: $1, other: $2}}
- {match: hist.*, name: hist, observer_type: histogram}
";

/// What is counted: a name, and what runs it so many times.
type Case = (&'static str, fn(u64));

const CASES: [Case; 8] = [
    ("read-plain", |events| read(b"shop.checkout.12.host7.http.requests.c:1|c", events)),
    ("read-tags", |events| read(TAGS, events)),
    ("read-every-field", |events| read(EVERY_FIELD, events)),
    ("known-plain", |events| known(b"shop.checkout.12.host7.http.requests.c:1|c", events)),
    ("known-tags", |events| known(TAGS, events)),
    ("known-mapped", |events| known(b"mapped.eu.central:1.5|g", events)),
    ("known-histogram", |events| known(b"hist.latency:320|ms", events)),
    ("new-series", new),
];

const TAGS: &[u8] = b"shop.requests.1.count:1|c|#env:production,service:checkout,host:host1,region:eu-central-2,version:1.7.3";
const EVERY_FIELD: &[u8] =
    b"shop.requests:1:2:3|ms|@0.5|#env:production,host:a|c:abc|e:it-x|card:low|T1656581400";

fn main() -> Result<()> {
    // `cargo bench` adds words of its own.
    let words: Vec<String> = env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["run", name, events] => {
            let (_, run) =
                CASES.iter().find(|(known, _)| *known == name).context("no such case")?;
            run(events.parse()?);
            Ok(())
        }
        ["check"] => check(),
        ["write"] => write(),
        _ => bail!("say check or write"),
    }
}

fn check() -> Result<()> {
    let text = fs::read_to_string(baseline()).context("no figures to compare with")?;
    let mut worse = Vec::new();
    let mut out = io::stdout();
    for (case, _) in CASES {
        let line = text.lines().find_map(|line| line.strip_prefix(case)?.strip_prefix(' '));
        let before: f64 = line.with_context(|| format!("{case} has no figure"))?.trim().parse()?;
        let now = instructions(case)?;
        let change = now / before - 1.0;
        writeln!(out, "{case:<18} {now:>7.0} instructions, {:>+5.1} %", change * 100.0)?;
        if change > TOLERANCE {
            worse.push(case);
        }
    }
    ensure!(worse.is_empty(), "over {:.0} % more than before: {worse:?}", TOLERANCE * 100.0);
    Ok(())
}

fn write() -> Result<()> {
    let line = |(case, _): Case| Ok(format!("{case} {:.0}\n", instructions(case)?));
    let lines = CASES.into_iter().map(line).collect::<Result<Vec<String>>>()?;
    fs::write(baseline(), lines.concat())?;
    Ok(())
}

fn baseline() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.txt")
}

/// Instructions of one event.
fn instructions(case: &str) -> Result<f64> {
    let (once, twice) = (counted(case, EVENTS)?, counted(case, 2 * EVENTS)?);
    Ok((twice - once) / EVENTS as f64)
}

/// Instructions of a whole process.
fn counted(case: &str, events: u64) -> Result<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args(["run", case, &events.to_string()])
        .output()
        .context("valgrind")?;
    let log = String::from_utf8_lossy(&output.stderr);
    let count = log.lines().find_map(|line| line.split("Collected :").nth(1));
    count
        .with_context(|| format!("valgrind counted nothing: {log}"))?
        .trim()
        .parse()
        .context("a count")
}

fn read(line: &[u8], events: u64) {
    let dialect = Dialect::default();
    for _ in 0..events {
        let line = black_box(line);
        if black_box(line::quick(line, dialect)).is_none() {
            let count = line::parse(line, dialect).by_ref().map(black_box).count();
            assert!(black_box(count) > 0);
        }
    }
}

fn known(line: &[u8], events: u64) {
    let mut worker = worker();
    let datagram = vec![line; LINES].join(&b'\n');
    for batch in 0..events / LINES as u64 {
        take(&mut worker, &datagram, batch);
    }
}

/// Series that differ in a tag of six digits.
fn new(events: u64) {
    let mut worker = worker();
    let mut lines = vec![[TAGS, b"000000"].concat(); LINES];
    let mut number = 0;
    for batch in 0..events / LINES as u64 {
        for line in &mut lines {
            let digits = line.len() - 6;
            let mut rest = number;
            for digit in line[digits..].iter_mut().rev() {
                *digit = b"0123456789"[rest % 10];
                rest /= 10;
            }
            number += 1;
        }
        take(&mut worker, &lines.join(&b'\n'), batch);
    }
}

fn take(worker: &mut Worker, datagram: &[u8], at: u64) {
    worker.begin(Tick(at));
    worker.datagram(black_box(datagram), Tick(at));
    worker.finish();
}

fn worker() -> Worker {
    let bounds =
        Bounds { series_max: 1 << 20, series_per_name_max: 1 << 20, memory_bytes_max: 1 << 30 };
    let limits = Limits {
        labels_max: 64,
        name_bytes_max: 1_024,
        line_bytes_max: 65_535,
        alias_bytes_max: 1 << 30,
    };
    let pipeline = Arc::new(Pipeline {
        store: Store::new(bounds, BTreeSet::new(), &[]),
        mappings: Mappings::new(Mapping::parse(RULES).expect("good rules")),
        telemetry: Telemetry::register(&Registry::new(), true).expect("an empty registry"),
        dialect: Dialect::default(),
        limits,
        inspect: None,
    });
    Worker::new(pipeline, None)
}
