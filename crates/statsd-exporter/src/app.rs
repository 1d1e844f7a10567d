//! Wires the exporter together: the only place which knows every part.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::anyhow;
use metrics_server::{
    ExporterInfo, Health, Role, Server, Shutdown, Telemetry as ServerTelemetry, args::Dialect,
    cli::Program, http,
};
use prometheus::Registry;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use crate::{
    args::{Args, LimitArgs, RelayArgs, SpreadArg},
    expose::{self, Exposed},
    ingest::{Clock, Ingest, Listen, Sockets, StreamLimits, resolve},
    memory::Budget,
    pipeline::{Limits, Mappings, Pipeline},
    relay::{self, Relay},
    reload::{self, Reloader},
    series::{Bounds, Store},
    telemetry::{RESERVED_PREFIXES, Telemetry},
};

/// Identity of this exporter.
static INFO: ExporterInfo = ExporterInfo {
    name: "statsd_exporter",
    title: "Statsd Exporter",
    description: "Prometheus exporter for StatsD: receives StatsD lines, exposes metrics.",
    version: env!("CARGO_PKG_VERSION"),
    documentation_url: "https://prometheus.io/docs/instrumenting/exporters/",
};

/// How this exporter starts.
pub const PROGRAM: Program = Program {
    info: &INFO,
    dialect: Dialect::Kingpin,
    env_prefix: "STATSD_EXPORTER",
    listen_address: ":9102",
    usage_exit: 1,
    commands: &[],
};

/// Runs until it is asked to stop.
///
/// # Errors
///
/// One line: the mapping, an address or a socket cannot be used.
pub fn run(args: Args) -> anyhow::Result<()> {
    let unknown_keys = args.read.mapping_unknown_keys.into();
    let mapping = reload::load(args.read.mapping_config.as_deref(), unknown_keys)?;
    if args.read.check_config {
        info!(rules = mapping.rules_count(), "the mapping is fine");
        return Ok(());
    }
    for flag in args.compat.without_effect() {
        warn!(flag, "this flag has no effect");
    }
    let sockets = Sockets::bind(&listen(&args)?)?;
    let server = ServerTelemetry::new(INFO.name)?;
    server.register_build_info(&INFO)?;
    let telemetry = Telemetry::register(server.registry(), args.compat.cache_size > 0)?;
    let relay = relay(&args.relay, server.registry())?;
    let (bounds, limits) = limits(&args.limits, sockets.listeners_count());
    let pipeline = Arc::new(Pipeline {
        store: Store::new(bounds, reserved(server.registry()), RESERVED_PREFIXES),
        mappings: Mappings::new(mapping),
        telemetry,
        dialect: args.read.dialect(),
        limits,
        inspect: args.inspect.enable_debug.then(Arc::default),
    });
    metrics_server::block_on(serve(args, server, sockets, relay, pipeline))?
}

async fn serve(
    args: Args,
    server: ServerTelemetry,
    sockets: Sockets,
    relay: Option<(Relay, Vec<relay::Sender>)>,
    pipeline: Arc<Pipeline>,
) -> anyhow::Result<()> {
    let bound = http::bind(&args.web).await?;
    let clock = Clock::start();
    pipeline.start_mapping(clock.tick());

    let (stop, shutdown) = Shutdown::new();
    stop.clone().request_on_signal()?;
    let reloader = Arc::new(Reloader::new(
        args.read.mapping_config,
        args.read.mapping_unknown_keys.into(),
        Arc::clone(&pipeline),
        clock,
    ));
    reload_on_signal(Arc::clone(&reloader))?;

    let health = Health::new(clock.started());
    let alive = health.check("ingest", Role::Liveness);
    let ingest = Ingest::spawn(sockets, &pipeline, relay, clock, alive.clone())?;
    #[expect(clippy::disallowed_methods, reason = "the shell's clock")]
    alive.succeeded(SystemTime::now(), Duration::ZERO);
    let (stop_ingest, stopping) = (ingest.stop(), shutdown.clone());
    tokio::spawn(async move {
        stopping.requested().await;
        stop_ingest.request();
    });

    let inspect = pipeline.inspect.clone();
    let exposed = Arc::new(Exposed::new(Arc::clone(&pipeline), clock));
    let mut http = Server::new(&INFO, &args.web, server, health).metrics(exposed);
    if args.web.enable_lifecycle {
        http = http.merge(expose::lifecycle(reloader, stop));
    }
    if let Some(inspect) = inspect {
        http = http.merge(expose::debug(inspect, pipeline));
    }
    http.serve(bound, shutdown).await?;
    ingest.join();
    Ok(())
}

/// Limits, with what a zero stands for.
fn limits(args: &LimitArgs, listeners: usize) -> (Bounds, Limits) {
    let budget = Budget::of_flag(args.memory_bytes_max);
    let or = |value: u64, default: u64| if value == 0 { default } else { value };
    let series_max = or(args.series_max, budget.series_max());
    let bounds = Bounds {
        series_max,
        series_per_name_max: or(args.series_per_name_max, series_max.div_ceil(2)),
        memory_bytes_max: budget.series_bytes_max(),
    };
    let alias_bytes_max = match args.alias_bytes_max {
        0 => budget.alias_bytes_max(listeners),
        bytes => bytes,
    };
    let limits = Limits {
        labels_max: args.labels_max,
        name_bytes_max: args.name_bytes_max,
        line_bytes_max: args.line_bytes_max,
        alias_bytes_max,
    };
    (bounds, limits)
}

fn listen(args: &Args) -> anyhow::Result<Listen> {
    let allowed = args.listen.allow_from.parse();
    Ok(Listen {
        udp: args.listen.udp.clone(),
        udp_threads: args.listen.udp_threads,
        pause_max: args.listen.coalesce_max,
        tcp: args.listen.tcp.clone(),
        unixgram: args.listen.unixgram.clone(),
        unix_mode: args.listen.unix_mode.clone(),
        read_buffer_bytes: args.listen.read_buffer_bytes,
        unix: args.listen.unix.clone(),
        limits: StreamLimits {
            line_bytes_max: args.limits.tcp_line_bytes_max,
            connections_max: args.limits.tcp_connections_max,
            idle_max: args.limits.idle_max,
            allowed: allowed.map_err(|error: String| anyhow!("--statsd.allow-from: {error}"))?,
        },
    })
}

fn relay(
    args: &RelayArgs,
    registry: &Registry,
) -> anyhow::Result<Option<(Relay, Vec<relay::Sender>)>> {
    let targets = args.address.as_deref().unwrap_or_default().split(',').map(str::trim);
    let targets: Vec<&str> = targets.filter(|target| !target.is_empty()).collect();
    if targets.is_empty() {
        return Ok(None);
    }
    let options = relay::Options {
        packet_bytes_max: args.packet_bytes_max,
        spread: match args.spread {
            SpreadArg::All => relay::Spread::All,
            SpreadArg::Hash => relay::Spread::Hash,
        },
        only: args.only,
        resolve,
        resolve_every: relay::RESOLVE_EVERY,
    };
    let relay = relay::connect(&targets, &relay::Families::register(registry)?, options);
    let relay = relay.map_err(|(target, error)| {
        anyhow::Error::new(error).context(format!("cannot relay to {target}"))
    });
    relay.map(Some)
}

/// The names which are on the page already.
fn reserved(registry: &Registry) -> BTreeSet<String> {
    registry.gather().iter().map(|family| family.name().to_owned()).collect()
}

/// SIGHUP reads the mapping file again.
fn reload_on_signal(reloader: Arc<Reloader>) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            // A failure has been logged and counted, and the old rules go on.
            drop(reloader.reload());
        }
    });
    Ok(())
}
