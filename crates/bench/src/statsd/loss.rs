//! The highest rate at which nothing is lost.

use std::fmt::Write as _;

use anyhow::Result;

use crate::{
    load::{self, Load, PACKED_BYTES},
    program::{Contender, Program},
};

/// Millions of events a second which are tried in turn.
const LADDER: [f64; 14] = [0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.3, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0, 6.5];
/// Seconds of each step.
const SECONDS: f64 = 2.0;
/// Steps may fail by chance; this many in a row end the climb.
const FAILURES: usize = 2;

/// Row 6.
pub(crate) fn measure(contenders: &[Contender]) -> Result<String> {
    let mut table = String::from(
        "## The highest rate without loss\n\n\
         Steps of two seconds, each rate about a quarter above the last; the sender shares the cores.\n\n\
         | row | exporter | packed, plain: M events/s | packed, five tags: M events/s |\n\
         |---|---|---|---|\n",
    );
    let loads = [
        Load::pack(load::plain(1_000), PACKED_BYTES),
        Load::pack(load::dog(1_000, 10), PACKED_BYTES),
    ];
    for contender in contenders {
        write!(table, "| 6 | {} |", contender.name)?;
        for load in &loads {
            write!(table, " {:.2} |", climb(contender, load)?)?;
        }
        table.push('\n');
    }
    table.push('\n');
    Ok(table)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some millions")]
fn climb(contender: &Contender, load: &Load) -> Result<f64> {
    let program = Program::start(contender, "", &[])?;
    let mut before = load.send_once(program.udp, 1e5)?.events as f64;
    program.drained(0.0, before)?;
    let (mut best, mut failures) = (0.0, 0);
    for rate in LADDER.map(|millions| millions * 1e6) {
        let sent = load.send(program.udp, rate, (rate * SECONDS) as u64)?;
        let read = program.drained(before, sent.events as f64)?;
        before += read;
        if read >= sent.events as f64 && sent.rate > 0.95 * rate {
            (best, failures) = (sent.rate / 1e6, 0);
        } else {
            failures += 1;
        }
        if failures == FAILURES {
            break;
        }
    }
    Ok(best)
}
