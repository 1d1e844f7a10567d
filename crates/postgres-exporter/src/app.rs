//! Wires the exporter together: the only place which knows every part.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use metrics_server::{
    ExporterInfo, Health, Role, Server, Shutdown, Telemetry, args::Dialect, cli::Program, http,
};
use prometheus::Gauge;
use tokio::time::{Instant, interval};
use tracing::warn;

use crate::{
    args::Args,
    exporter::{Exporter, Options},
    sources,
    target::Target,
};

const INFO: ExporterInfo = ExporterInfo {
    name: "postgres_exporter",
    title: "Postgres Exporter",
    description: "Prometheus exporter for PostgreSQL",
    version: env!("CARGO_PKG_VERSION"),
    documentation_url: "https://www.postgresql.org/docs/current/monitoring-stats.html",
};

/// How the exporter starts.
pub const PROGRAM: Program = Program {
    info: &INFO,
    dialect: Dialect::Kingpin,
    env_prefix: "PG_EXPORTER",
    listen_address: ":9187",
    usage_exit: 1,
};

/// How old the outcome of the health check may become when nobody scrapes.
const HEALTH_AGE_MAX: Duration = Duration::from_secs(70);
/// How often that is looked at.
const HEALTH_PERIOD: Duration = Duration::from_secs(5);
/// Time for one look at the server.
const HEALTH_LIMIT: Duration = Duration::from_secs(8);

/// Serves until told to stop.
///
/// # Errors
///
/// What to watch cannot be read, or an address cannot be listened on.
pub fn run(args: Args) -> anyhow::Result<()> {
    metrics_server::block_on(serve(args))?
}

async fn serve(args: Args) -> anyhow::Result<()> {
    let environment = |name: &str| std::env::var(name).ok();
    let sources = sources::from_environment(&environment)?;
    args.warn();
    if sources.is_empty() {
        warn!("no data source: set DATA_SOURCE_NAME, or DATA_SOURCE_URI, _USER and _PASS");
    }
    let bound = http::bind(&args.web).await?;

    let limits = args.server.limits();
    let reading = Arc::new(args.reading());
    let targets: Vec<_> = sources
        .into_iter()
        .map(|dsn| Arc::new(Target::new(dsn, limits, Arc::clone(&reading))))
        .collect();
    let health = Health::new(Instant::now().into_std());
    let check = (!targets.is_empty()).then(|| health.check("postgres", Role::Readiness));
    let options = Options {
        reading,
        disable_default_metrics: args.legacy.disable_default_metrics,
        collection_timeout: args.server.collection_timeout,
    };
    let exporter = Exporter::new(targets, &args.choice(), options, check);

    let (stop, shutdown) = Shutdown::new();
    stop.clone().request_on_signal().context("cannot listen for signals")?;
    let server = Server::new(&INFO, &args.web, telemetry()?, health)
        .metrics(Arc::new(exporter.clone()))
        // What can change while the exporter runs is read when it has changed.
        .lifecycle(stop, || Ok(()))
        .serve(bound, shutdown);
    let served = tokio::select! {
        served = server => served,
        never = watch(&exporter) => never,
    };
    served.context("cannot serve")?;
    exporter.close().await;
    Ok(())
}

/// Keeps `/health` fresh, from the start on and when nobody scrapes, for as long as it is polled.
async fn watch(exporter: &Exporter) -> ! {
    let mut ticks = interval(HEALTH_PERIOD);
    loop {
        ticks.tick().await;
        exporter.check(HEALTH_AGE_MAX, HEALTH_LIMIT).await;
    }
}

fn telemetry() -> Result<Telemetry, prometheus::Error> {
    let telemetry = Telemetry::new(INFO.name)?;
    telemetry.register_build_info(&INFO)?;
    // No configuration file is read yet: what `postgres_exporter` shows without one.
    for (name, help) in [
        (
            "postgres_exporter_config_last_reload_successful",
            "Postgres exporter config loaded successfully.",
        ),
        (
            "postgres_exporter_config_last_reload_success_timestamp_seconds",
            "Timestamp of the last successful configuration reload.",
        ),
    ] {
        telemetry.registry().register(Box::new(Gauge::new(name, help)?))?;
    }
    Ok(telemetry)
}
