//! The page of a million series, and what the listener feels of it.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::Result;

use crate::{
    Spread,
    load::{self, Load, PACKED_BYTES},
    program::{Contender, Program},
};

const SERIES: usize = 1_000_000;
/// Scrapes of each kind behind one that does not count.
const SCRAPES: usize = 2;
/// One event a packet, while the page is scraped.
const PACKETS_PER_SECOND: f64 = 20_000.0;
/// What the kernel books for a small datagram.
const TRUESIZE_BYTES: f64 = 832.0;

/// Rows 9 to 12.
pub(crate) fn measure(contenders: &[Contender]) -> Result<String> {
    let mut table = String::from(
        "## A page of 1,000,000 series\n\n\
         Counters with five labels under 100 names. The first page of the process stands apart: series\n\
         are sorted once. Stall: what waits in the socket's buffer, looked at each millisecond while\n\
         20,000 packets a second come and the page is scraped, as time (p99), and packets lost meanwhile.\n\n\
         | exporter | first page s | row 9: gzip wall s | gzip CPU s | row 10: plain wall s | row 11: first byte ms | row 12: stall p99 ms | lost | resident MB |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for contender in contenders {
        let flags: &[&str] = match contender.name {
            "ours" => &["--statsd.max-series=2000000", "--statsd.max-memory=2000000000"],
            _ => &[],
        };
        let program = Program::start(contender, "", flags)?;
        Load::pack(load::dog(SERIES, 100), PACKED_BYTES).send_once(program.udp, 6e4)?;
        program.settled()?;
        let first = program.scrape("/metrics", false)?;
        let samples = first.body.split(|byte| *byte == b'\n').count();
        anyhow::ensure!(samples > SERIES * 99 / 100, "{}: {samples} lines", contender.name);
        let mut gzip = (Vec::new(), Vec::new());
        let mut plain = (Vec::new(), Vec::new());
        for _ in 0..SCRAPES {
            let scraped = program.scrape("/metrics", true)?;
            gzip.0.push(scraped.wall.as_secs_f64());
            gzip.1.push(scraped.cpu_seconds);
            let scraped = program.scrape("/metrics", false)?;
            plain.0.push(scraped.wall.as_secs_f64());
            plain.1.push(scraped.first_byte.as_secs_f64() * 1e3);
        }
        let (stall, lost) = stall(&program)?;
        let median = |values| Spread::of(values).median;
        writeln!(
            table,
            "| {} | {:.2} | {:.3} | {:.3} | {:.3} | {:.1} | {stall:.2} | {lost} | {:.0} |",
            contender.name,
            first.wall.as_secs_f64(),
            median(gzip.0),
            median(gzip.1),
            median(plain.0),
            median(plain.1),
            program.resident_bytes()? / 1e6,
        )?;
    }
    table.push('\n');
    Ok(table)
}

/// The p99 of what waits, in milliseconds, and how many packets were lost.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few seconds")]
fn stall(program: &Program) -> Result<(f64, u64)> {
    let done = AtomicBool::new(false);
    let load = Load::pack(load::plain(1_000), 0);
    let (before, _) = program.kernel()?;
    let waiting = std::thread::scope(|scope| -> Result<Vec<f64>> {
        let sampler = scope.spawn(|| -> Result<Vec<f64>> {
            let mut waiting = Vec::new();
            while !done.load(Ordering::Relaxed) {
                let packets = program.kernel()?.1 as f64 / TRUESIZE_BYTES;
                waiting.push(packets / PACKETS_PER_SECOND * 1e3);
                std::thread::park_timeout(Duration::from_millis(1));
            }
            Ok(waiting)
        });
        let sender = scope.spawn(|| {
            load.send(program.udp, PACKETS_PER_SECOND, (PACKETS_PER_SECOND * 6.0) as u64)
        });
        while !sender.is_finished() {
            program.scrape("/metrics", true)?;
        }
        done.store(true, Ordering::Relaxed);
        sampler.join().expect("no panic")
    })?;
    let mut waiting = waiting;
    waiting.sort_by(f64::total_cmp);
    let p99 = waiting.get(waiting.len() * 99 / 100).copied().unwrap_or(f64::NAN);
    Ok((p99, program.kernel()?.0 - before))
}
