//! Wires the exporter together: the only place which knows every part.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use axum::{Router, http::StatusCode, routing::any};
use metrics_server::{
    Check, ExporterInfo, Health, Role, Scrape, ScrapeRequest, Scraping, Server, Shutdown,
    Telemetry,
    args::{Dialect, parse_duration},
    block_on, cli,
    http::{Field, WebSettings, WebUser, bind_with, text},
};
use tracing::warn;

use crate::{
    access::Access,
    address::{Address, Place},
    args::{Args, ConnectArgs, Flags, ServeArgs, Unknown},
    collectors::SlotStats,
    command::Failure,
    compat::Compat,
    credentials::{Credentials, Origin, PasswordFiles, TrustedHost},
    data::Data,
    discovery::{self, Discovery},
    framing::Bounds,
    node::Node,
    out::full_name,
    scrape::{Target, without_server},
    secret::Secret,
    targets::Targets,
    tls::{Tls, TlsSettings},
};

mod own;

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
    commands: &[],
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
    /// Whose names are used.
    pub compat: Compat,
    /// Whether numbers of `INFO` which the catalogue does not know are shown.
    pub info_unknown: bool,
    /// Slots of a cluster that have series.
    pub slot_stats: SlotStats,
    /// `None` to send no `CONFIG`.
    pub config_command: Option<String>,
    /// Longest time for a scrape.
    pub connection_timeout: Duration,
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
            namespace: flags.names.compat.namespace(&flags.namespace).to_owned(),
            compat: flags.names.compat,
            info_unknown: flags.names.info_unknown == Unknown::Gauge,
            slot_stats: flags.cluster.slot_stats,
            config_command: (flags.config_command != "-").then(|| flags.config_command.clone()),
            connection_timeout,
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
    pub options: Arc<Options>,
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
    let settings = web_settings(&flags.serve)?;
    let options = Arc::new(Options::new(&flags)?);
    let access = Arc::new(access(&flags)?);
    let shared = Arc::new(Shared { options, request_errors: AtomicU64::new(0) });

    #[expect(clippy::disallowed_methods, reason = "the process starts its clock")]
    let health = Health::new(Instant::now());
    let telemetry = telemetry(&flags, &access)?;
    let main = Arc::new(Main::new(&flags, &access, &shared, &health)?);

    block_on(async {
        let bound = bind_with(&flags.web, &settings).await?;
        let (stop, shutdown) = Shutdown::new();
        stop.clone().request_on_signal().context("cannot listen for signals")?;
        let mut server =
            Server::new(&INFO, &flags.web, telemetry, health).plain_health().quit(stop);
        server = if flags.redis_only_metrics {
            server.probe(&flags.web.telemetry_path, Arc::clone(&main) as Arc<dyn Scrape>)
        } else {
            server.metrics(Arc::clone(&main) as Arc<dyn Scrape>)
        };
        let allowed = ConnectArgs::hosts(&flags.connect.scrape_allowed_hosts);
        let targets = Arc::new(Targets::new(&access, &shared, allowed));
        let targets = (!flags.disable_scrape_endpoint).then_some(targets);
        if let Some(targets) = &targets {
            let targets = Arc::clone(targets) as Arc<dyn Scrape>;
            server = server.probe_form("/scrape", &[TARGET], targets);
        }
        let discovery = Discovery {
            own: main.watched.as_ref().map(|(target, _check)| Arc::clone(target.node())),
            targets,
            is_cluster: flags.cluster.is_cluster,
            hostnames: flags.cluster.cluster_discover_hostnames,
            time_limit: shared.options.connection_timeout.min(flags.web.scrape_timeout),
        };
        server = server.merge(discovery::routes(discovery)).merge(reload(&access));
        let sweeping = tokio::spawn(async move { access.sweep().await });
        let first_contact = tokio::spawn(async move { main.first_contact().await });
        server.serve(bound, shutdown).await?;
        first_contact.abort();
        sweeping.abort();
        anyhow::Ok(())
    })?
}

/// `/-/reload`, by any method as in `redis_exporter`: reads the password files again. Certificates
/// and the web configuration need no word: they are read when they have changed.
fn reload(access: &Arc<Access>) -> Router {
    let access = Arc::clone(access);
    let answer = move || {
        let access = Arc::clone(&access);
        async move {
            if !access.credentials.has_file() {
                return text(
                    StatusCode::BAD_REQUEST,
                    "There is no pwd file specified: see --redis.password-file\n",
                );
            }
            let reading = tokio::task::spawn_blocking(move || access.reload()).await;
            match reading.map_err(anyhow::Error::from).flatten() {
                Ok(()) => text(StatusCode::OK, "ok"),
                Err(error) => text(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    format!("failed to reload: {error:#}\n"),
                ),
            }
        }
    };
    Router::new().route("/-/reload", any(answer))
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
        && flags.connect.scrape_password_hosts.is_empty()
    {
        warn!("/scrape sends --redis.password to no host: see --scrape.password-hosts");
    }
}

/// What the flags say of TLS and passwords for scrapers.
fn web_settings(flags: &ServeArgs) -> anyhow::Result<WebSettings> {
    let password = !flags.basic_auth_password.0.is_empty();
    let hash = !flags.basic_auth_hash_password.0.is_empty();
    ensure!(
        !(password && hash),
        "--basic-auth-password and --basic-auth-hash-password cannot be used together"
    );
    let (cert, key) = (&flags.tls_server_cert_file, &flags.tls_server_key_file);
    ensure!(
        cert.is_empty() == key.is_empty(),
        "--tls-server-cert-file and --tls-server-key-file are needed together"
    );
    if cert.is_empty() && !flags.tls_server_ca_cert_file.is_empty() {
        warn!("--tls-server-ca-cert-file does nothing without --tls-server-cert-file");
    }
    let min_version = match flags.tls_server_min_version.as_str() {
        "TLS1.0" => "TLS10",
        "TLS1.1" => "TLS11",
        "TLS1.2" => "TLS12",
        "TLS1.3" => "TLS13",
        other => bail!("--tls-server-min-version: unknown {other:?}, expected TLS1.2 or TLS1.3"),
    };
    let named = !flags.basic_auth_username.is_empty();
    if named != (password || hash) {
        warn!("scrapers need no password: --basic-auth-username goes with a password");
    }
    let user = (named && (password || hash)).then(|| WebUser {
        name: flags.basic_auth_username.clone(),
        password: if hash { &flags.basic_auth_hash_password } else { &flags.basic_auth_password }
            .0
            .clone(),
        hashed: hash,
    });
    Ok(WebSettings {
        cert_file: cert.clone(),
        key_file: key.clone(),
        client_ca_file: flags.tls_server_ca_cert_file.clone(),
        min_version: min_version.to_owned(),
        user,
        realm: "redis-exporter, charset=UTF-8".to_owned(),
    })
}

/// What the flags say of connections.
///
/// # Errors
///
/// Names the flag or the file which cannot be used.
pub fn access(flags: &Flags) -> anyhow::Result<Access> {
    let connect = &flags.connect;
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    ensure!(
        connect.tls_client_cert_file.is_empty() == connect.tls_client_key_file.is_empty(),
        "--tls-client-cert-file and --tls-client-key-file are needed together"
    );
    ensure!(
        flags.redis_password.0.is_empty() || connect.redis_secret_file.is_empty(),
        "--redis.password and --redis.secret-file cannot be used together"
    );
    let trusted = |pattern| TrustedHost { pattern, tls: false };
    let mut hosts: Vec<_> =
        ConnectArgs::hosts(&connect.scrape_password_hosts).into_iter().map(trusted).collect();
    if let Ok(Address { place: Place::Tcp { host, .. }, tls, .. }) =
        Address::parse(&flags.redis_addr)
        && !flags.redis_addr.is_empty()
    {
        hosts.push(TrustedHost { pattern: host, tls });
    }
    let files = PasswordFiles {
        by_address: filled(&flags.redis_password_file).map(PathBuf::from),
        default: filled(&connect.redis_secret_file).map(PathBuf::from),
    };
    let password = filled(&flags.redis_password.0).map(Secret::new);
    let credentials = Credentials::new(filled(&flags.redis_user), password, files, hosts)?;
    let tls = Tls::new(TlsSettings {
        ca: connect.tls_ca_cert_file.clone(),
        cert: connect.tls_client_cert_file.clone(),
        key: connect.tls_client_key_file.clone(),
        server_name: connect.tls_server_name.clone(),
        skip_verification: connect.skip_tls_verification,
    });
    // What is wrong with the files is an error at the start, not at the first scrape.
    tls.check()?;
    Ok(Access::new(
        credentials,
        tls,
        flags.set_client_name,
        Bounds {
            bytes_max: connect.scrape_max_reply_bytes,
            values_max: connect.scrape_max_reply_values,
        },
        connect.scrape_max_connections as usize,
    ))
}

fn telemetry(flags: &Flags, access: &Arc<Access>) -> anyhow::Result<Telemetry> {
    let exporter = full_name(flags.names.compat.namespace(&flags.namespace), "exporter");
    let telemetry = Telemetry::new(&exporter)
        .with_context(|| format!("cannot use --namespace={}", flags.namespace))?;
    let own = own::Own::new(&exporter, access)?;
    telemetry.registry().register(Box::new(own))?;
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
        access: &Arc<Access>,
        shared: &Arc<Shared>,
        health: &Health,
    ) -> anyhow::Result<Self> {
        let watched = if flags.redis_addr.is_empty() {
            None
        } else {
            let address = Address::parse(&flags.redis_addr).context("cannot use --redis.addr")?;
            let node = Node::new(address, Origin::Configured, None, access);
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
            let (scraped, outcome) = target.scrape(options, "", errors, request.deadline).await;
            report(check, &outcome, start.elapsed());
            Ok(scraped)
        })
    }
}
