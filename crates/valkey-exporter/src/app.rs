//! Wires the exporter together: the only place which knows every part.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use axum::{Router, http::StatusCode, routing::get};
use metrics_server::{
    Check, ExporterInfo, Health, Role, Scrape, ScrapeRequest, Scraping, Server, Shutdown,
    Telemetry,
    args::{Dialect, parse_duration},
    block_on, cli,
    http::{Field, bind, text},
};
use tracing::warn;

use crate::{
    address::Address,
    args::{Args, Flags},
    command::Failure,
    data::Data,
    out::full_name,
    password_file::PasswordFile,
    scrape::{Target, without_server},
    secret::Secret,
    targets::{Credentials, Targets},
};

/// Who this exporter is.
pub const INFO: ExporterInfo = ExporterInfo {
    name: "redis_exporter",
    title: "Valkey & Redis Exporter",
    description: "Metrics of Valkey and Redis servers",
    version: env!("CARGO_PKG_VERSION"),
    documentation_url: "https://prometheus.io/docs/instrumenting/exporters/",
};

/// How it starts.
pub const PROGRAM: cli::Program = cli::Program {
    info: &INFO,
    dialect: Dialect::Go,
    env_prefix: "REDIS_EXPORTER",
    listen_address: ":9121",
    usage_exit: 2,
};

/// What the landing page asks for.
const TARGET: Field =
    Field { name: "target", label: "Target", example: "redis://127.0.0.1:6379", required: true };

/// How long after a failed attempt the first connection is tried again, until there was one.
const FIRST_CONTACT_PAUSE: Duration = Duration::from_secs(5);

/// What the flags say of a scrape, checked.
#[derive(Clone, Debug)]
pub struct Options {
    /// What metric names begin with.
    pub namespace: String,
    /// `None` to send no `CONFIG`.
    pub config_command: Option<String>,
    /// Longest time for a scrape.
    pub connection_timeout: Duration,
    /// Whether to tell the server our name.
    pub set_client_name: bool,
    /// Whether to time a `PING` after connecting.
    pub ping_on_connect: bool,
    /// Whether to show every setting.
    pub include_config_metrics: bool,
    /// Whether to leave secrets out of them.
    pub redact_config_metrics: bool,
    /// Whether to show the machine's memory.
    pub include_system_metrics: bool,
    /// Whether to show the other Sentinels.
    pub include_sentinel_peer_info: bool,
    /// Whether to show zeros for databases without keys.
    pub include_empty_databases: bool,
    /// Whether to send `LATENCY …`.
    pub latency: bool,
    /// Whether every series has the label `instance_role`.
    pub append_role: bool,
    /// Whether pages name the version of this exporter.
    pub build_info: bool,
    /// What is read beyond `INFO`.
    pub data: Data,
}

impl Options {
    /// Checks what the flags say.
    ///
    /// # Errors
    ///
    /// Names the flag which cannot be used.
    pub fn new(flags: &Flags) -> anyhow::Result<Self> {
        let connection_timeout = parse_duration(&flags.connection_timeout)
            .map_err(anyhow::Error::msg)
            .context("cannot use --connection-timeout")?;
        Ok(Self {
            namespace: flags.namespace.clone(),
            config_command: (flags.config_command != "-").then(|| flags.config_command.clone()),
            connection_timeout,
            set_client_name: flags.set_client_name,
            ping_on_connect: flags.ping_on_connect,
            include_config_metrics: flags.include_config_metrics,
            redact_config_metrics: flags.redact_config_metrics,
            include_system_metrics: flags.include_system_metrics,
            include_sentinel_peer_info: flags.include_sentinel_peer_info,
            include_empty_databases: flags.include_metrics_for_empty_databases,
            latency: !flags.exclude_latency_histogram_metrics,
            append_role: flags.append_instance_role_label,
            build_info: !flags.redis_only_metrics,
            data: Data::new(flags)?,
        })
    }

    /// The value of `instance_role`, where it is wanted.
    pub fn role<'a>(&self, role: &'a str) -> Option<&'a str> {
        self.append_role.then_some(role)
    }
}

/// What scrapes of all targets share.
#[derive(Debug)]
pub struct Shared {
    /// What the flags say.
    pub options: Options,
    /// Requests of `/scrape` which were answered with an error.
    pub request_errors: AtomicU64,
}

/// Runs the exporter until it is asked to stop.
///
/// # Errors
///
/// An argument cannot be used, or the port is taken.
pub fn run(args: Args) -> anyhow::Result<()> {
    let flags = args.flags;
    warn_of(&flags);
    refuse_what_would_be_unsafe(&flags)?;
    let options = Options::new(&flags)?;
    let credentials = credentials(&flags)?;
    let shared = Arc::new(Shared { options, request_errors: AtomicU64::new(0) });

    #[expect(clippy::disallowed_methods, reason = "the process starts its clock")]
    let health = Health::new(Instant::now());
    let telemetry = telemetry(&flags)?;
    let main = Arc::new(Main::new(&flags, &credentials, &shared, &health)?);

    block_on(async {
        let bound = bind(&flags.web).await?;
        let (stop, shutdown) = Shutdown::new();
        stop.clone().request_on_signal().context("cannot listen for signals")?;
        let mut server = Server::new(&INFO, &flags.web, telemetry, health)
            .plain_health()
            // What can change while the exporter runs is read when it has changed.
            .lifecycle(stop, || Ok(()));
        server = if flags.redis_only_metrics {
            server.probe(&flags.web.telemetry_path, Arc::clone(&main) as Arc<dyn Scrape>)
        } else {
            server.metrics(Arc::clone(&main) as Arc<dyn Scrape>)
        };
        if !flags.disable_scrape_endpoint {
            let targets = Arc::new(Targets::new(credentials, &shared));
            server = server.probe_form("/scrape", &[TARGET], targets);
        }
        server = server.merge(discovery(flags.later.is_cluster));
        let first_contact = tokio::spawn(async move { main.first_contact().await });
        server.serve(bound, shutdown).await?;
        first_contact.abort();
        anyhow::Ok(())
    })?
}

/// `/discover-cluster-nodes`, of which this version has the refusals only.
fn discovery(is_cluster: bool) -> Router {
    let (status, message) = if is_cluster {
        (StatusCode::NOT_IMPLEMENTED, "this version does not discover the nodes of a cluster\n")
    } else {
        (
            StatusCode::BAD_REQUEST,
            "The discovery endpoint is only available on a redis cluster: see --is-cluster\n",
        )
    };
    let answer = move || std::future::ready(text(status, message));
    Router::new().route("/discover-cluster-nodes", get(answer))
}

fn warn_of(flags: &Flags) {
    for name in flags.later.used() {
        warn!(flag = name, "this version reads the flag and does nothing with it");
    }
    for name in Args::refused_variables() {
        warn!(variable = name, "the value cannot be used, the default is");
    }
    if let Some(word) = flags.rest.first() {
        warn!(word, "reading the command line ended at a word which is no flag");
    }
    if flags.redis_addr.is_empty()
        && !flags.redis_password.0.is_empty()
        && flags.scrape_password_hosts.is_empty()
    {
        warn!("/scrape sends --redis.password to no host: see --scrape.password-hosts");
    }
}

/// Flags that protect the exporter, or its way to the server, cannot be read and do nothing.
fn refuse_what_would_be_unsafe(flags: &Flags) -> anyhow::Result<()> {
    let later = &flags.later;
    ensure!(
        later.tls_client_cert_file.is_empty() == later.tls_client_key_file.is_empty(),
        "--tls-client-cert-file and --tls-client-key-file are needed together"
    );
    let password = !later.basic_auth_password.0.is_empty();
    let hash = !later.basic_auth_hash_password.0.is_empty();
    ensure!(
        !(password && hash),
        "--basic-auth-password and --basic-auth-hash-password cannot be used together"
    );
    if !later.basic_auth_username.is_empty() && (password || hash) {
        bail!("basic authentication of scrapers is not supported by this version");
    }
    if !later.tls_server_cert_file.is_empty() || !later.tls_server_key_file.is_empty() {
        bail!("serving TLS is not supported by this version");
    }
    Ok(())
}

fn credentials(flags: &Flags) -> anyhow::Result<Credentials> {
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let file = match flags.redis_password_file.as_str() {
        "" => PasswordFile::default(),
        path => PasswordFile::load(Path::new(path))?,
    };
    let mut hosts: Vec<_> =
        flags.scrape_password_hosts.split(',').map(str::trim).filter_map(filled).collect();
    if let Ok(Address { place: crate::address::Place::Tcp { host, .. }, .. }) =
        Address::parse(&flags.redis_addr)
        && !flags.redis_addr.is_empty()
    {
        hosts.push(host);
    }
    Ok(Credentials {
        user: filled(&flags.redis_user),
        password: filled(&flags.redis_password.0).map(Secret::new),
        file,
        hosts,
    })
}

fn telemetry(flags: &Flags) -> anyhow::Result<Telemetry> {
    let exporter = full_name(&flags.namespace, "exporter");
    let telemetry = Telemetry::new(&exporter)
        .with_context(|| format!("cannot use --namespace={}", flags.namespace))?;
    Ok(telemetry)
}

/// The server of `--redis.addr`.
struct Main {
    shared: Arc<Shared>,
    /// `None` in multi-target mode.
    watched: Option<(Target, Check)>,
    scrapes: AtomicU64,
}

impl Main {
    fn new(
        flags: &Flags,
        credentials: &Credentials,
        shared: &Arc<Shared>,
        health: &Health,
    ) -> anyhow::Result<Self> {
        let watched = if flags.redis_addr.is_empty() {
            None
        } else {
            let address = Address::parse(&flags.redis_addr).context("cannot use --redis.addr")?;
            let node = credentials.node_for_address(address, shared.options.set_client_name);
            Some((Target::new(node), health.check("valkey", Role::Readiness)))
        };
        Ok(Self { shared: Arc::clone(shared), watched, scrapes: AtomicU64::new(0) })
    }

    /// Scrapes until the server has answered once, so that the exporter is ready without a scraper,
    /// and a wrong password is in the log from the start.
    async fn first_contact(&self) {
        let Some((target, check)) = &self.watched else { return };
        while !target.answered() {
            #[expect(clippy::disallowed_methods, reason = "an attempt starts its own clock")]
            let start = Instant::now();
            let options = &self.shared.options;
            let outcome = target.contact(options, start + options.connection_timeout).await;
            report(check, &outcome, start.elapsed());
            if outcome.is_ok() {
                break;
            }
            tokio::time::sleep(FIRST_CONTACT_PAUSE).await;
        }
    }
}

fn report(check: &Check, outcome: &Result<(), Failure>, latency: Duration) {
    #[expect(clippy::disallowed_methods, reason = "a health report is stamped")]
    match outcome {
        Ok(()) => check.succeeded(std::time::SystemTime::now(), latency),
        Err(failure) => check.failed(failure.to_string(), latency),
    }
}

impl Scrape for Main {
    fn scrape<'a>(&'a self, request: &'a ScrapeRequest) -> Scraping<'a> {
        Box::pin(async move {
            let Shared { options, request_errors } = &*self.shared;
            let errors = request_errors.load(Ordering::Relaxed);
            let Some((target, check)) = &self.watched else {
                let scrapes = self.scrapes.fetch_add(1, Ordering::Relaxed) + 1;
                return Ok(without_server(options, errors, scrapes).into());
            };
            #[expect(clippy::disallowed_methods, reason = "a scrape is timed for its health check")]
            let start = Instant::now();
            let (scraped, outcome) = target.scrape(options, errors, request.deadline).await;
            report(check, &outcome, start.elapsed());
            Ok(scraped)
        })
    }
}
