//! `/probe?target=…&auth_module=…`: servers which the scraper names.
//!
//! A stored password goes only where its module says: to `targets`, and over connections which are
//! protected as `sslmode_min` asks. Nothing else that the exporter knows, as a password in its
//! environment, is used for a server that somebody else names.

use std::{
    collections::VecDeque,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use metrics_server::{CollectorChoice, Refused, Scrape, ScrapeRequest, Scraping, http::Field};
use prometheus::{Gauge, Registry};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::{
    config::{Config, ConfigError, Module},
    databases::Glob,
    dsn::Dsn,
    exporter::{Exporter, Options},
    queries::Engine,
    session::Limits,
    target::Target,
};

/// What the landing page asks for.
pub const FIELDS: [Field; 2] = [
    Field {
        name: "target",
        label: "Target",
        example: "db.example.org:5432/postgres",
        required: true,
    },
    Field { name: "auth_module", label: "Module of --config.file", example: "", required: false },
];

/// A server which nobody has asked for this long is let go.
const IDLE_MAX: Duration = Duration::from_mins(5);
/// Variables which are for the servers that the operator names; `HOME` has passwords and keys in it.
const PRIVATE: [&str; 7] =
    ["HOME", "PGPASSWORD", "PGPASSFILE", "PGUSER", "PGSSLCERT", "PGSSLKEY", "PGOPTIONS"];

/// The modules of `--config.file`, which can be read again.
#[derive(Debug)]
pub struct Modules {
    path: PathBuf,
    config: RwLock<Arc<Config>>,
    successful: Gauge,
    loaded_at: Gauge,
}

impl Modules {
    /// Reads the file. One that is missing or wrong is told to the log, and there are no modules.
    ///
    /// # Errors
    ///
    /// The gauges are registered already.
    pub fn load(path: PathBuf, registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| {
            let gauge = Gauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let modules = Self {
            path,
            config: RwLock::default(),
            successful: gauge(
                "postgres_exporter_config_last_reload_successful",
                "Postgres exporter config loaded successfully.",
            )?,
            loaded_at: gauge(
                "postgres_exporter_config_last_reload_success_timestamp_seconds",
                "Timestamp of the last successful configuration reload.",
            )?,
        };
        if let Err(error) = modules.read() {
            warn!(%error, "there are no modules for /probe");
        }
        Ok(modules)
    }

    /// Reads the file again; the modules stay as they are if it cannot be used. Where there never
    /// was one, none is no error.
    ///
    /// # Errors
    ///
    /// A sentence, without a secret.
    pub fn reload(&self) -> Result<(), String> {
        match self.read() {
            Err(error) if error.is_missing() && self.current().is_empty() => Ok(()),
            outcome => outcome.map_err(|error| error.to_string()),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a reload is stamped")]
    fn read(&self) -> Result<(), ConfigError> {
        let loaded = Config::load(&self.path);
        self.successful.set(f64::from(u8::from(loaded.is_ok())));
        let config = loaded?;
        for module in config.unbound() {
            warn!(module, "any caller of /probe can have this login sent to any host: set targets");
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.loaded_at.set(now.as_secs_f64());
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        info!(file = %self.path.display(), "read the modules for /probe");
        Ok(())
    }

    fn current(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What the flags say of probed servers.
#[derive(Clone, Debug)]
pub struct Rules {
    /// `--probe.targets`: where probes may go at all; empty for everywhere.
    pub targets: Vec<Glob>,
    /// `--probe.targets-max`: servers which are remembered.
    pub targets_max: usize,
    /// How each one is treated.
    pub limits: Limits,
}

/// Answers `/probe`.
pub struct Probe {
    modules: Arc<Modules>,
    rules: Rules,
    choice: CollectorChoice,
    options: Options,
    /// Those asked last stand last.
    known: Mutex<VecDeque<Known>>,
}

/// A server which was asked for before: its connections are kept, and scrapes at the same time are
/// one.
struct Known {
    /// The same text may mean another login once the file was read again.
    dsn: Dsn,
    exporter: Exporter,
    asked: Instant,
}

impl Probe {
    /// Nothing is connected to before somebody asks.
    pub fn new(
        modules: Arc<Modules>,
        rules: Rules,
        choice: CollectorChoice,
        options: Options,
    ) -> Self {
        Self { modules, rules, choice, options, known: Mutex::default() }
    }

    fn dsn(&self, target: &str, module: &str) -> Result<Dsn, Refused> {
        if target.is_empty() {
            return Err(Refused::bad_request("target is required"));
        }
        let config = self.modules.current();
        let named = (!module.is_empty()).then(|| {
            let missing = || Refused::bad_request(format!("auth_module {module} not found"));
            config.module(module).ok_or_else(missing)
        });
        let named = named.transpose()?;
        if named.is_some_and(|module| !has_login(module)) {
            let message = format!("auth_module {module} has no username or password");
            return Err(Refused::bad_request(message));
        }
        let refused = |reason: &dyn fmt::Display| {
            Refused::bad_request(format!("could not configure dsn for target: {reason}"))
        };
        let environment =
            |name: &str| (!PRIVATE.contains(&name)).then(|| std::env::var(name).ok()).flatten();
        let dsn = parse(target, named, &environment).map_err(|reason| refused(&reason))?;
        self.check(&dsn, named).map_err(|reason| refused(&reason))?;
        Ok(dsn)
    }

    /// Whether the server may be asked, with this login.
    fn check(&self, dsn: &Dsn, module: Option<&Module>) -> Result<(), &'static str> {
        let host = dsn.host.as_str();
        let server = dsn.server();
        let listed = |globs: &[Glob]| {
            globs.is_empty() || globs.iter().any(|glob| glob.matches(host) || glob.matches(&server))
        };
        if !listed(&self.rules.targets) {
            return Err("the host is not one of --probe.targets");
        }
        let Some(module) = module else { return Ok(()) };
        if !listed(&module.targets) {
            return Err("the host is not one of the module's targets");
        }
        if module.sslmode_min.is_some_and(|least| dsn.ssl.mode < least) {
            return Err("sslmode is below the module's sslmode_min");
        }
        Ok(())
    }

    /// The exporter for a server, with the connections that it has.
    fn exporter(&self, dsn: Dsn) -> Exporter {
        let now = Instant::now();
        let mut known = self.known();
        let mut gone = Vec::new();
        while known.front().is_some_and(|oldest| now.duration_since(oldest.asked) > IDLE_MAX) {
            gone.extend(known.pop_front());
        }
        let exporter = match known.iter().position(|known| known.dsn == dsn) {
            Some(index) => known.remove(index).map(|known| known.exporter),
            None => None,
        };
        let exporter = exporter.unwrap_or_else(|| {
            let reading = Arc::clone(&self.options.reading);
            let target = Arc::new(Target::new(dsn.clone(), self.rules.limits, reading));
            let queries = self.options.queries.as_ref().map(Engine::probing);
            let options = Options { queries, probed: true, ..self.options.clone() };
            Exporter::new(vec![target], &self.choice, options, None)
        });
        while known.len() >= self.rules.targets_max {
            gone.extend(known.pop_front());
        }
        known.push_back(Known { dsn, exporter: exporter.clone(), asked: now });
        drop(known);
        if !gone.is_empty() {
            tokio::spawn(async move {
                for known in gone {
                    known.exporter.close().await;
                }
            });
        }
        exporter
    }

    /// Plain values: a panic elsewhere leaves none half written.
    fn known(&self) -> MutexGuard<'_, VecDeque<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes all connections.
    pub async fn close(&self) {
        let known = std::mem::take(&mut *self.known());
        for known in known {
            known.exporter.close().await;
        }
    }
}

/// A role, and something that shows who it is.
fn has_login(module: &Module) -> bool {
    let userpass = &module.userpass;
    let proof = userpass.password.is_some()
        || userpass.password_file.is_some()
        || userpass.password_command.is_some()
        || module.options.contains_key("sslcert");
    !userpass.username.is_empty() && proof
}

/// A target and what its module adds, as a data source.
fn parse(
    target: &str,
    module: Option<&Module>,
    environment: crate::dsn::Lookup<'_>,
) -> Result<Dsn, String> {
    let told = |error: crate::dsn::DsnError| error.to_string();
    let mut pairs = Dsn::pairs(target).map_err(told)?;
    // Files of this machine are the operator's to name.
    let files = ["sslcert", "sslkey", "sslrootcert", "passfile"];
    if let Some((key, _)) =
        pairs.iter().find(|(key, value)| files.contains(&key.as_str()) && value != "system")
    {
        return Err(format!("a target may not name files: {key}"));
    }
    if let Some(module) = module {
        pairs.extend(module.options.clone());
    }
    let mut dsn = Dsn::from_pairs(pairs, environment).map_err(told)?;
    if let Some(module) = module {
        let userpass = &module.userpass;
        // The target's own password is not for the module's role.
        dsn.password = None;
        dsn = dsn.with_login(Some(userpass.username.clone()), userpass.password.clone());
        dsn.lookups.password_file.clone_from(&userpass.password_file);
        dsn.lookups.password_command.clone_from(&userpass.password_command);
    }
    Ok(dsn)
}

impl Scrape for Probe {
    fn scrape<'a>(&'a self, request: &'a ScrapeRequest) -> Scraping<'a> {
        Box::pin(async move {
            let parameter = |name: &str| request.query.all(name).into_iter().next();
            let target = parameter("target").unwrap_or_default();
            let module = parameter("auth_module").unwrap_or_default();
            let dsn = self.dsn(&target, &module)?;
            let exporter = self.exporter(dsn);
            exporter.scrape(request).await
        })
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").field("known", &self.known().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
