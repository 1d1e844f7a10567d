//! What the database feels of being watched.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use anyhow::Result;
use e2e::servers::Postgres;
use tokio_postgres::Client;

/// Pairs of rounds, one without and one with an exporter.
const PAIRS: usize = 5;
/// Queries a round.
const QUERIES: usize = 4_000;
/// Fifteen times as often as Prometheus does, so that an effect would show.
const SCRAPE_INTERVAL: Duration = Duration::from_secs(1);

/// Runs the same queries with and without scrapes, in turn, and gives a table.
pub(crate) async fn measure(postgres: &Postgres) -> Result<String> {
    let client = postgres.client().await?;
    client.batch_execute("CREATE TABLE IF NOT EXISTS felt AS SELECT generate_series(1, 10000) AS id; CREATE INDEX IF NOT EXISTS felt_id ON felt (id)").await?;
    let exporter = postgres.exporter(&[])?;
    exporter.metrics()?;
    let mut table = String::from(
        "## Latency of PostgreSQL\n\n\
         A lookup by index, median in microseconds, without and with a scrape every second.\n\n\
         | pair | without | with | ratio |\n|---|---|---|---|\n",
    );
    for pair in 1..=PAIRS {
        let without = round(&client).await?;
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let address = format!("http://{}/metrics", exporter.address());
        let scraper = std::thread::spawn(move || {
            // Ends when the other side of the channel does.
            while let Err(std::sync::mpsc::RecvTimeoutError::Timeout) =
                stopped.recv_timeout(SCRAPE_INTERVAL)
            {
                if e2e::get(&address).is_err() {
                    break;
                }
            }
        });
        let with = round(&client).await;
        drop(stop);
        let joined = scraper.join();
        anyhow::ensure!(joined.is_ok(), "the scraper panicked");
        let with = with?;
        writeln!(table, "| {pair} | {without:.0} | {with:.0} | {:.2} |", with / without)?;
    }
    table.push('\n');
    Ok(table)
}

/// The median of a round, in microseconds.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
async fn round(client: &Client) -> Result<f64> {
    let statement = client.prepare("SELECT id FROM felt WHERE id = $1").await?;
    let mut seconds = Vec::with_capacity(QUERIES);
    for number in 0..QUERIES {
        let id = i32::try_from(number % 10_000)? + 1;
        let start = Instant::now();
        client.query_one(&statement, &[&id]).await?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[QUERIES / 2] * 1e6)
}
