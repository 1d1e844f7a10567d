//! Wires the exporter together: the only place which knows every part.

use std::{
    io::{self, Write as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use metrics_server::{
    ExporterInfo, Health, Role, Scrape, Server, Shutdown, Telemetry, args::Dialect, cli::Program,
    http,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::spawn_blocking,
    time::{Instant, interval},
};
use tracing::{error, warn};

use crate::{
    args::Args,
    collectors::maps,
    exporter::{Exporter, Options},
    probe::{self, Modules, Probe},
    queries::{
        self, Engine, builtin, explain,
        load::{Paths, Set},
        pgbouncer::Console,
    },
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
    commands: &[(
        "convert FILE",
        "Write a file of sql_exporter\'s collectors as one of --queries.file",
    )],
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
    if args.legacy.dumpmaps {
        return print(&maps::dump(args.legacy.compat));
    }
    let paths = args.paths();
    if args.queries.check {
        return print(&explain::check(&paths.load()?)?);
    }
    metrics_server::block_on(async {
        match args.queries.explain.clone() {
            Some(name) => explain_query(&args, &paths.load()?, &name).await,
            None => serve(args, paths).await,
        }
    })?
}

/// `postgres-exporter convert FILE`.
///
/// # Errors
///
/// The file cannot be converted.
pub fn convert(file: &Path) -> anyhow::Result<()> {
    print(&queries::convert::file(file)?)
}

async fn explain_query(args: &Args, set: &Set, name: &str) -> anyhow::Result<()> {
    let sources = sources::from_environment(&|name: &str| std::env::var(name).ok())?;
    let dsn = sources.into_iter().next().context("no data source: set DATA_SOURCE_NAME")?;
    let target = Arc::new(Target::new(dsn, args.server.limits(), Arc::new(args.reading())));
    let text = explain::explain(set, name, &target, &args.queries.run()).await;
    target.close().await;
    print(&text?)
}

fn print(text: &str) -> anyhow::Result<()> {
    io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")
}

async fn serve(args: Args, paths: Paths) -> anyhow::Result<()> {
    let environment = |name: &str| std::env::var(name).ok();
    let sources = sources::from_environment(&environment)?;
    args.warn();
    if sources.is_empty() {
        warn!("no data source: set DATA_SOURCE_NAME, or DATA_SOURCE_URI, _USER and _PASS");
    }
    let bound = http::bind(&args.web).await?;

    let limits = args.server.limits();
    let mut reading = args.reading();
    let console = Console::from_environment(&environment, limits);
    reading.pgbouncer = console.context("PGBOUNCER_DATA_SOURCE_NAME")?;
    let reading = Arc::new(reading);
    let targets: Vec<_> = sources
        .into_iter()
        .map(|dsn| Arc::new(Target::new(dsn, limits, Arc::clone(&reading))))
        .collect();
    let health = Health::new(Instant::now().into_std());
    let check = (!targets.is_empty()).then(|| health.check("postgres", Role::Readiness));
    let telemetry = Telemetry::new(INFO.name)?;
    telemetry.register_build_info(&INFO)?;
    let modules = Modules::load(args.legacy.config_file.clone(), telemetry.registry())?;
    let modules = Arc::new(modules);
    let choice = args.choice();
    let queries = Engine::start(
        paths,
        builtin::scheduled(&choice),
        args.queries.run(),
        targets.clone(),
        health.clone(),
    )?;
    let options = Options {
        reading,
        disable_default_metrics: args.legacy.disable_default_metrics,
        collection_timeout: args.server.collection_timeout,
        queries: queries.clone(),
        probed: false,
    };
    let rules = args.probe.rules(limits);
    let probe = Probe::new(Arc::clone(&modules), rules, choice.clone(), options.clone());
    let probe = Arc::new(probe);
    let exporter = Exporter::new(targets, &choice, options, check);
    let reload = {
        let queries = queries.clone();
        move || modules.reload().and(queries.as_ref().map_or(Ok(()), Engine::reload))
    };
    reload_on_signal(reload.clone())?;

    let (stop, shutdown) = Shutdown::new();
    stop.clone().request_on_signal().context("cannot listen for signals")?;
    let server = Server::new(&INFO, &args.web, telemetry, health)
        .metrics(Arc::new(exporter.clone()))
        .probe_form("/probe", &probe::FIELDS, Arc::clone(&probe) as Arc<dyn Scrape>)
        .lifecycle(stop, reload)
        .serve(bound, shutdown);
    let served = tokio::select! {
        served = server => served,
        never = watch(&exporter) => never,
    };
    served.context("cannot serve")?;
    if let Some(engine) = queries {
        engine.stop();
    }
    tokio::join!(exporter.close(), probe.close());
    Ok(())
}

/// SIGHUP reads again what `/-/reload` does.
fn reload_on_signal(
    reload: impl Fn() -> Result<(), String> + Clone + Send + Sync + 'static,
) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen for signals")?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            let reload = reload.clone();
            match spawn_blocking(reload).await {
                Ok(Ok(())) => {}
                Ok(Err(reason)) => error!(reason, "cannot reload, what was read before stays"),
                Err(error) => error!(%error, "a reload panicked"),
            }
        }
    });
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
