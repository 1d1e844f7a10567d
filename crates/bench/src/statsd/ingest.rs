//! What an event costs.

use std::{fmt::Write as _, time::Duration};

use anyhow::{Context as _, Result, ensure};

use crate::{
    Spread,
    load::{self, Load, PACKED_BYTES},
    program::{Contender, Kind, Program},
    spread, turns,
};

/// Rounds of each cell and contender.
const ROUNDS: usize = 3;
/// Seconds of sending a round.
const SECONDS: f64 = 2.5;

/// Time between two looks at the sums.
const SHOWN_EVERY: Duration = Duration::from_millis(200);

/// One shape of traffic.
struct Cell {
    row: &'static str,
    title: &'static str,
    mapping: String,
    load: Load,
    /// Which samples of the page add up to the number of events.
    sum: &'static str,
    /// Events a second which each contender gets, the first for ours.
    rates: [f64; 2],
}

/// Rows 1, 2, 3 and 5.
pub(crate) fn measure(contenders: &[Contender]) -> Result<String> {
    let cell = |row, title, load, rates| Cell {
        row,
        title,
        mapping: String::new(),
        load,
        sum: "shop_",
        rates,
    };
    let pack = |bytes| Load::pack(load::plain(1_000), bytes);
    let observers = |kind: &str| format!("defaults: {{observer_type: {kind}}}\n");
    let timers = || Load::pack(load::timers(1_000, 50), PACKED_BYTES);
    let cells = [
        cell("1", "packed, plain names, each at a rate it takes", pack(PACKED_BYTES), [1.5e6, 4e5]),
        cell("1", "the same at one rate for both", pack(PACKED_BYTES), [4e5, 4e5]),
        cell(
            "2",
            "packed, five tags, each at a rate it takes",
            Load::pack(load::dog(1_000, 10), PACKED_BYTES),
            [1.2e6, 2e5],
        ),
        cell("3", "one event a packet, 60,000 a second", pack(0), [6e4, 6e4]),
        cell("3", "one event a packet, 200,000 a second", pack(0), [2e5, 2e5]),
        cell("3", "one event a packet, 300,000 a second", pack(0), [3e5, 3e5]),
        Cell {
            mapping: observers("histogram"),
            ..cell("5", "histograms of 11 buckets", timers(), [1.2e6, 1.2e5])
        },
        Cell { mapping: observers("summary"), ..cell("5", "summaries", timers(), [1.2e6, 1.2e5]) },
    ];
    let mut page = String::from("## An event\n\n");
    page.push_str(&table(contenders, &cells)?);
    Ok(page)
}

/// Row 15: netdata's collector in C, which counts lines and shows no page like ours.
pub(crate) fn measure_netdata(contenders: &[Contender]) -> Result<String> {
    let about = "## Beside netdata\n\nIts collector of StatsD with its other parts off; it takes 64 datagrams at once, and \
                 shows its\ncount of events, which is what is checked, once a second.\n\n";
    measure_rival(contenders, about, "15", [1.2e6, 6e4, 2e5])
}

/// Telegraf, of which nothing but its input of StatsD and its page for Prometheus is built.
pub(crate) fn measure_telegraf(contenders: &[Contender]) -> Result<String> {
    let about = "## Beside Telegraf\n\nIts input of StatsD and its page for Prometheus, which is made anew once a second; the sum \
                 of its\ncounters is what is checked.\n\n";
    measure_rival(contenders, about, "", [2e5, 3e4, 6e4])
}

/// The OpenTelemetry collector, of which nothing but its receiver of StatsD, running totals and its page for Prometheus is built.
pub(crate) fn measure_otelcol(contenders: &[Contender]) -> Result<String> {
    let about = "## Beside the OpenTelemetry collector\n\nIts receiver of StatsD, which aggregates once a second, running \
                 totals of its sums, and\nits page for Prometheus; the sum of its counters is what is checked.\n\n";
    measure_rival(contenders, about, "", [2e5, 3e4, 6e4])
}

/// Counters packed and alone, at the same rates for both.
fn measure_rival(
    contenders: &[Contender],
    about: &str,
    row: &'static str,
    rates: [f64; 3],
) -> Result<String> {
    if contenders.len() < 2 {
        return Ok(String::new());
    }
    let cell = |title, bytes, rate| Cell {
        row,
        title,
        mapping: String::new(),
        load: Load::pack(load::plain(1_000), bytes),
        sum: "shop_",
        rates: [rate, rate],
    };
    let [packed, slow, fast] = rates;
    let cells = [
        cell("packed, plain names", PACKED_BYTES, packed),
        cell("one event a packet", 0, slow),
        cell("one event a packet, more of them", 0, fast),
    ];
    Ok(format!("{about}{}", table(contenders, &cells)?))
}

/// Row 4.
pub(crate) fn measure_mapped(contenders: &[Contender]) -> Result<String> {
    let lines =
        |apps| (0..10_000).map(move |n| format!("app{}.host{n}.request.count:1|c", n % apps));
    let rule = |n: usize, pattern: String| {
        format!("- {{match: '{pattern}', name: \"mapped_{n}\", labels: {{host: \"$1\"}}}}\n")
    };
    let globs: String = (0..20).map(|n| rule(n, format!("app{n}.*.request.count"))).collect();
    let regexes: String =
        (0..50).map(|n| rule(n, format!(r"^app{n}\.([a-z0-9]+)\.request\.count$"))).collect();
    let cell = |title, apps, mapping, rates| Cell {
        row: "4",
        title,
        mapping,
        load: Load::pack(lines(apps), PACKED_BYTES),
        sum: "mapped_",
        rates,
    };
    let cells = [
        cell("20 globs, 10,000 names", 20, format!("mappings:\n{globs}"), [1.2e6, 5e4]),
        cell(
            "50 regular expressions, 10,000 names",
            50,
            format!("defaults: {{match_type: regex}}\nmappings:\n{regexes}"),
            [1.2e6, 1.5e4],
        ),
    ];
    let mut page = String::from("## A name beyond the peer's cache\n\n");
    page.push_str(&table(contenders, &cells)?);
    Ok(page)
}

fn table(contenders: &[Contender], cells: &[Cell]) -> Result<String> {
    let mut table = String::from("| row | traffic |");
    for contender in contenders {
        write!(
            table,
            " {}: M events per CPU second | at M events/s | lost at worst % |",
            contender.name
        )?;
    }
    table.push_str(" ratio (lowest to highest) |\n|---|---|");
    table.push_str(&"---|---|---|".repeat(contenders.len()));
    table.push_str("---|\n");
    for cell in cells {
        let mut per_second = vec![Vec::new(); contenders.len()];
        let mut reached = vec![0.0; contenders.len()];
        let mut lost = vec![0.0; contenders.len()];
        for turn in turns(contenders.len(), ROUNDS) {
            let round = round(&contenders[turn], cell, cell.rates[turn])?;
            per_second[turn].push(round.per_second / 1e6);
            reached[turn] = round.rate / 1e6;
            lost[turn] = f64::max(lost[turn], round.lost * 100.0);
        }
        write!(table, "| {} | {} |", cell.row, cell.title)?;
        let spreads: Vec<Spread> = per_second.into_iter().map(Spread::of).collect();
        for ((one, reached), lost) in spreads.iter().zip(reached).zip(lost) {
            write!(table, " {} | {reached:.2} | {lost:.2} |", spread(*one))?;
        }
        match spreads[..] {
            [ours, peer] => writeln!(
                table,
                " {:.1} ({:.1} to {:.1}) |",
                ours.median / peer.median,
                ours.low / peer.high,
                ours.high / peer.low,
            )?,
            _ => table.push_str(" |\n"),
        }
    }
    table.push('\n');
    Ok(table)
}

/// What one round gave.
struct Round {
    /// Events per CPU second.
    per_second: f64,
    /// Events a second that came.
    rate: f64,
    /// Share of the events that did not arrive, for the sender shares the machine.
    lost: f64,
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some millions")]
fn round(contender: &Contender, cell: &Cell, rate: f64) -> Result<Round> {
    let program = Program::start(contender, &cell.mapping, &[])?;
    // Series are made before anything is counted.
    let warm = cell.load.send_once(program.udp, rate / 4.0)?.events as f64;
    let warm = program.drained(0.0, warm)?;
    let before = program.cpu_seconds()?;
    let sent = cell.load.send(program.udp, rate, (rate * SECONDS) as u64)?;
    let read = program.drained(warm, sent.events as f64)?;
    let cpu = program.cpu_seconds()? - before;
    // The peer shows what it has read a moment later.
    let mut shown = 0.0;
    for _ in 0..20 {
        let observers = cell.mapping.contains("observer_type");
        shown = match contender.kind {
            Kind::Netdata | Kind::Telegraf | Kind::Otelcol => program.samples()?,
            Kind::Exporter if observers => count(&program)?,
            Kind::Exporter => program.sum(cell.sum, "/metrics")?,
        };
        if (shown - warm - read).abs() < 0.5 {
            break;
        }
        std::thread::park_timeout(SHOWN_EVERY);
    }
    let expected = warm + read;
    ensure!((shown - expected).abs() < 0.5, "{}: {shown} of {expected}", contender.name);
    let lost = 1.0 - read / sent.events as f64;
    Ok(Round { per_second: read / cpu, rate: sent.rate, lost })
}

/// The sum of all `_count` samples.
fn count(program: &Program) -> Result<f64> {
    let text = String::from_utf8(program.scrape("/metrics", false)?.body)?;
    let counts = text.lines().filter(|line| line.starts_with("shop_") && line.contains("_count{"));
    counts.map(|line| Ok(line.rsplit(' ').next().context("a value")?.parse::<f64>()?)).sum()
}
