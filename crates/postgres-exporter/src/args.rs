//! The command line: the flags of `postgres_exporter`, and our own.

use std::{path::PathBuf, time::Duration};

use clap::{ArgAction, ArgMatches, Args as ClapArgs, Command, FromArgMatches, Parser};
use metrics_server::{
    CollectorChoice,
    args::{LogArgs, LogFormat, LogLevel, SettingsArgs, WebArgs, parse_duration},
    cli::ExporterArgs,
};
use tracing::warn;

use crate::{
    collectors::{DEFAULTS_OF_0_19, TABLE},
    databases::{Glob, Selection},
    prefix::Prefix,
    probe::Rules,
    queries::{args::QueryArgs, load::Paths},
    reading::{Compat, Reading, Statements},
    session::Limits,
};

/// Everything that can be set, but for what to watch: that is in the environment, where a password
/// belongs.
#[derive(Clone, Debug, Parser)]
pub struct Args {
    #[command(flatten)]
    pub web: WebArgs,

    #[command(flatten)]
    pub log: LogArgs,

    #[command(flatten)]
    pub settings: SettingsArgs,

    #[command(flatten)]
    pub server: ServerArgs,

    #[command(flatten)]
    pub probe: ProbeArgs,

    #[command(flatten)]
    pub legacy: LegacyArgs,

    #[command(flatten)]
    pub queries: QueryArgs,

    #[command(flatten)]
    pub collectors: CollectorArgs,

    #[command(flatten)]
    pub statements: StatementsArgs,
}

/// How the watched servers are treated.
#[derive(ClapArgs, Clone, Debug)]
#[command(next_help_heading = "PostgreSQL")]
pub struct ServerArgs {
    /// Longest time that all collectors together may take. `--web.scrape-timeout` and the
    /// scraper's own time-out are respected where they are shorter.
    #[arg(id = "collection-timeout", long, value_name = "DURATION", default_value = "1m",
          value_parser = parse_positive)]
    pub collection_timeout: Duration,

    /// Longest time for a login; `connect_timeout` of the data source where that is shorter.
    #[arg(id = "connect-timeout", long, value_name = "DURATION", default_value = "3s",
          value_parser = parse_positive)]
    pub connect_timeout: Duration,

    /// The server ends a query of ours after this time.
    #[arg(id = "statement-timeout", long, value_name = "DURATION", default_value = "5s",
          value_parser = parse_positive)]
    pub statement_timeout: Duration,

    /// The server ends a query of ours which waits for one lock for this time.
    #[arg(id = "lock-timeout", long, value_name = "DURATION", default_value = "1s",
          value_parser = parse_positive)]
    pub lock_timeout: Duration,

    /// Connections to one server, those included which are still closing. Two are used, and a third
    /// for a moment at each login.
    #[arg(id = "max-connections", long, value_name = "COUNT", default_value = "3",
          value_parser = clap::value_parser!(u32).range(2..=100))]
    pub connections_max: u32,
}

impl ServerArgs {
    /// As a target takes them.
    pub fn limits(&self) -> Limits {
        Limits {
            connect: self.connect_timeout,
            statement: self.statement_timeout,
            lock: self.lock_timeout,
            connections_max: usize::try_from(self.connections_max).unwrap_or(usize::MAX),
        }
    }
}

/// Where `/probe` may go.
#[derive(ClapArgs, Clone, Debug)]
#[command(next_help_heading = "PostgreSQL")]
pub struct ProbeArgs {
    /// Hosts, or `host:port`, which `/probe` may ask: `a,b*`; all where there are none. Modules of
    /// `--config.file` have `targets` of their own besides.
    #[arg(id = "probe.targets", long, value_name = "GLOBS", default_value = "")]
    pub targets: String,

    /// Probed servers whose connections are kept; the one asked longest ago is let go for a new one.
    #[arg(id = "probe.targets-max", long, value_name = "COUNT", default_value = "100",
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub targets_max: u32,
}

impl ProbeArgs {
    /// As `/probe` takes them.
    pub fn rules(&self, limits: Limits) -> Rules {
        Rules {
            targets: Glob::list(&self.targets),
            targets_max: usize::try_from(self.targets_max).unwrap_or(usize::MAX),
            limits,
        }
    }
}

/// Flags of `postgres_exporter` which it calls deprecated or has little use for.
#[derive(ClapArgs, Clone, Debug)]
#[command(next_help_heading = "Compatibility")]
pub struct LegacyArgs {
    /// Version of `postgres_exporter` whose names, labels and defaults are taken.
    #[arg(id = "compat", long, value_enum, value_name = "VERSION", default_value_t)]
    pub compat: Compat,

    /// File with login data for `/probe`; SIGHUP reads it again.
    #[arg(id = "config.file", long, value_name = "FILE", default_value = "postgres_exporter.yml")]
    pub config_file: PathBuf,

    /// Leave out `pg_static` and `pg_stat_database_conflicts`.
    #[arg(id = "disable-default-metrics", long, value_name = "BOOL", default_value = "false",
          action = ArgAction::Set)]
    pub disable_default_metrics: bool,

    /// As `--no-collector.settings`.
    #[arg(id = "disable-settings-metrics", long, value_name = "BOOL", default_value = "false",
          action = ArgAction::Set)]
    pub disable_settings_metrics: bool,

    /// Ask every database of the server, where a collector reads what is in a database.
    #[arg(id = "auto-discover-databases", long, value_name = "BOOL", default_value = "false",
          action = ArgAction::Set)]
    pub auto_discover_databases: bool,

    /// File with queries of one's own. Old: `--queries.file` can do more.
    #[arg(id = "extend.query-path", long, value_name = "FILE", default_value = "")]
    pub extend_query_path: String,

    /// Print the built-in maps (those of `--compat`) and exit.
    #[arg(id = "dumpmaps", long, value_name = "BOOL", default_value = "false",
          action = ArgAction::Set)]
    pub dumpmaps: bool,

    /// Labels for `pg_up`, `pg_exporter_*`, `pg_static` and `pg_stat_database_conflicts`: `a=b,c=d`.
    #[arg(
        id = "constantLabels",
        long,
        value_name = "LABELS",
        default_value = "",
        env = "PG_EXPORTER_CONSTANT_LABELS"
    )]
    pub constant_labels: String,

    /// Databases that are neither discovered nor shown by the collector `database`: `a,b*`.
    #[arg(id = "exclude-databases", long, value_name = "NAMES", default_value = "")]
    pub exclude_databases: String,

    /// Databases that auto-discovery takes, all where there are none: `a,b*`.
    #[arg(id = "include-databases", long, value_name = "NAMES", default_value = "")]
    pub include_databases: String,

    /// What stands for `pg` in the names of `pg_stat_database_conflicts_*`, of what else `--dumpmaps`
    /// prints, and of the queries of `--extend.query-path`. Collectors keep their names.
    #[arg(id = "metric-prefix", long, value_name = "PREFIX", default_value = "pg")]
    pub metric_prefix: String,
}

impl LegacyArgs {
    /// `--constantLabels` as pairs. A pair that is none is left out, with a warning.
    pub fn constant_labels(&self) -> Vec<(String, String)> {
        let words = self.constant_labels.split(',').map(str::trim).filter(|word| !word.is_empty());
        words
            .filter_map(|word| {
                let (name, value) = word.split_once('=').unwrap_or((word, ""));
                let (name, value) = (name.trim(), value.trim());
                let valid = metrics_server::exposition::is_label_name(name) && !value.is_empty();
                if !valid {
                    warn!(pair = word, "left out of --constantLabels");
                }
                valid.then(|| (name.to_owned(), value.to_owned()))
            })
            .collect()
    }

    /// `--metric-prefix`, as names can begin with it.
    fn prefix(&self) -> Prefix {
        Prefix::new(&self.metric_prefix)
    }

    /// Which databases are watched.
    pub fn databases(&self) -> Selection {
        Selection {
            discover: self.auto_discover_databases,
            include: Glob::list(&self.include_databases),
            exclude: Glob::list(&self.exclude_databases),
        }
    }
}

/// `--[no-]collector.<name>`.
#[derive(Clone, Debug)]
pub struct CollectorArgs {
    /// Which collectors run.
    pub choice: CollectorChoice,
}

impl ClapArgs for CollectorArgs {
    fn augment_args(command: Command) -> Command {
        CollectorChoice::augment(command, TABLE)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for CollectorArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self { choice: CollectorChoice::from_matches(matches, TABLE) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Options of the collector `stat_statements`.
#[derive(ClapArgs, Clone, Debug)]
#[command(next_help_heading = "Collectors")]
pub struct StatementsArgs {
    /// Show the texts of statements too.
    #[arg(id = "collector.stat_statements.include_query", long, value_name = "BOOL",
          default_value = "false", action = ArgAction::Set)]
    pub include_query: bool,

    /// Characters of a statement's text.
    #[arg(
        id = "collector.stat_statements.query_length",
        long,
        value_name = "COUNT",
        default_value_t = 120
    )]
    pub query_length: u32,

    /// Statements at most, those which took the most time.
    #[arg(
        id = "collector.stat_statements.limit",
        long,
        value_name = "COUNT",
        default_value_t = 100
    )]
    pub limit: u32,

    /// Databases whose statements are left out: `a,b`.
    #[arg(
        id = "collector.stat_statements.exclude_databases",
        long,
        value_name = "NAMES",
        default_value = ""
    )]
    pub exclude_databases: String,

    /// Roles whose statements are left out: `a,b`.
    #[arg(
        id = "collector.stat_statements.exclude_users",
        long,
        value_name = "NAMES",
        default_value = ""
    )]
    pub exclude_users: String,
}

impl StatementsArgs {
    fn statements(&self) -> Statements {
        Statements {
            include_query: self.include_query,
            query_length: self.query_length,
            limit: self.limit,
            exclude_databases: words(&self.exclude_databases),
            exclude_users: words(&self.exclude_users),
        }
    }
}

/// `a, b` as its words.
fn words(text: &str) -> Vec<String> {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

impl Args {
    /// The collectors which run, `--disable-settings-metrics` considered.
    pub fn choice(&self) -> CollectorChoice {
        let mut choice = self.collectors.choice.clone();
        let legacy = &self.legacy;
        if legacy.disable_settings_metrics {
            choice.set("settings", false);
        }
        match legacy.compat {
            Compat::V0_19 if legacy.disable_default_metrics => {
                for name in DEFAULTS_OF_0_19 {
                    choice.set(name, false);
                }
            }
            Compat::V0_19 => {}
            Compat::V0_20 => {
                // One collector there, with either name.
                let both = ["replication_slot", "replication_slots"];
                let wanted = both.iter().all(|name| choice.is_enabled(name));
                choice.set("replication_slots", wanted);
                choice.set("replication_slot", false);
            }
        }
        choice
    }

    /// The files of queries.
    pub fn paths(&self) -> Paths {
        Paths { prefix: self.legacy.prefix(), ..self.queries.paths(&self.legacy.extend_query_path) }
    }

    /// What collectors need to know.
    pub fn reading(&self) -> Reading {
        Reading {
            compat: self.legacy.compat,
            databases: self.legacy.databases(),
            statements: self.statements.statements(),
            constant_labels: self.legacy.constant_labels(),
            metric_prefix: self.legacy.prefix(),
            pgbouncer: None,
        }
    }

    /// Tells the log which flags do not do what they did in `postgres_exporter`.
    pub fn warn(&self) {
        if self.legacy.disable_settings_metrics {
            warn!("--disable-settings-metrics is now called --no-collector.settings");
        }
        self.legacy.prefix().warn(&self.legacy.metric_prefix);
        if !self.legacy.extend_query_path.is_empty() {
            warn!("--extend.query-path is old, --queries.file can do more");
        }
    }
}

impl ExporterArgs for Args {
    fn web(&self) -> &WebArgs {
        &self.web
    }

    fn log(&self) -> (LogLevel, LogFormat) {
        (self.log.level, self.log.format)
    }
}

fn parse_positive(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        duration if duration < Duration::from_millis(1) => Err("expected at least 1ms".to_owned()),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests;
