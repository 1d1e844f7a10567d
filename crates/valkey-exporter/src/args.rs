//! Flags and environment variables: those of `redis_exporter`, read as it reads them.

use std::any::TypeId;

use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches, error::ErrorKind};
use metrics_server::{
    args::{LogFormat, LogLevel, SettingsArgs, WebArgs},
    cli::ExporterArgs,
};

mod cluster;
mod connect;
mod data;
mod later;
mod names;
mod serve;

pub use cluster::ClusterArgs;
pub use connect::ConnectArgs;
pub use data::DataArgs;
pub use later::LaterArgs;
pub use names::{NameArgs, Unknown};
pub use serve::ServeArgs;

/// The arguments of this exporter.
#[derive(Clone, Debug)]
pub struct Args {
    /// See [`Flags`].
    pub flags: Flags,
}

/// What the command line and the environment say, each with the default of `redis_exporter`.
#[derive(clap::Args, Clone, Debug)]
#[expect(clippy::doc_markdown, reason = "clap shows these comments as they are")]
pub struct Flags {
    /// Address of the server whose metrics are under --web.telemetry-path; empty for /scrape only.
    #[arg(
        id = "redis.addr",
        long,
        env = "REDIS_ADDR",
        value_name = "ADDRESS",
        default_value = "redis://localhost:6379"
    )]
    pub redis_addr: String,

    /// ACL user; used together with a password only.
    #[arg(
        id = "redis.user",
        long,
        env = "REDIS_USER",
        value_name = "USER",
        default_value = "",
        hide_default_value = true
    )]
    pub redis_user: String,

    /// Password of the server.
    #[arg(
        id = "redis.password",
        long,
        env = "REDIS_PASSWORD",
        value_name = "PASSWORD",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true
    )]
    pub redis_password: HiddenText,

    /// JSON file of passwords by address: {"redis://host:6379":"password"}.
    #[arg(
        id = "redis.password-file",
        long,
        env = "REDIS_PASSWORD_FILE",
        value_name = "FILE",
        default_value = "",
        hide_default_value = true
    )]
    pub redis_password_file: String,

    /// What metric names begin with; empty for nothing.
    #[arg(
        id = "namespace",
        long,
        env = "REDIS_EXPORTER_NAMESPACE",
        value_name = "NAME",
        default_value = "redis"
    )]
    pub namespace: String,

    /// Name of the CONFIG command where it was renamed; - to send none.
    #[arg(
        id = "config-command",
        long,
        env = "REDIS_EXPORTER_CONFIG_COMMAND",
        value_name = "NAME",
        default_value = "CONFIG"
    )]
    pub config_command: String,

    /// Longest time for everything a scrape asks of a server, as 15s.
    #[arg(
        id = "connection-timeout",
        long,
        env = "REDIS_EXPORTER_CONNECTION_TIMEOUT",
        value_name = "DURATION",
        default_value = "15s"
    )]
    pub connection_timeout: String,

    /// Tell the server our name by CLIENT SETNAME.
    #[arg(id = "set-client-name", long, env = "REDIS_EXPORTER_SET_CLIENT_NAME",
          value_name = "BOOL", default_value = "true", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub set_client_name: bool,

    /// Send PING after connecting, and time it.
    #[arg(id = "ping-on-connect", long, env = "REDIS_EXPORTER_PING_ON_CONNECT",
          value_name = "BOOL", default_value = "false", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub ping_on_connect: bool,

    /// Show settings as config_key_value and config_value.
    #[arg(id = "include-config-metrics", long, env = "REDIS_EXPORTER_INCL_CONFIG_METRICS",
          value_name = "BOOL", default_value = "false", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub include_config_metrics: bool,

    /// Leave secrets out of config_key_value.
    #[arg(id = "redact-config-metrics", long, env = "REDIS_EXPORTER_REDACT_CONFIG_METRICS",
          value_name = "BOOL", default_value = "true", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub redact_config_metrics: bool,

    /// Show total_system_memory_bytes.
    #[arg(id = "include-system-metrics", long, env = "REDIS_EXPORTER_INCL_SYSTEM_METRICS",
          value_name = "BOOL", default_value = "false", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub include_system_metrics: bool,

    /// Show the other Sentinels of a primary as sentinel_peer_info.
    #[arg(id = "include-sentinel-peer-info", long,
          env = "REDIS_EXPORTER_INCL_SENTINEL_PEER_INFO",
          value_name = "BOOL", default_value = "false", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub include_sentinel_peer_info: bool,

    /// Show zeros for databases without keys.
    #[arg(id = "include-metrics-for-empty-databases", long,
          env = "REDIS_EXPORTER_INCL_METRICS_FOR_EMPTY_DATABASES",
          value_name = "BOOL", default_value = "true", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub include_metrics_for_empty_databases: bool,

    /// Send neither LATENCY HISTOGRAM nor LATENCY LATEST.
    #[arg(id = "exclude-latency-histogram-metrics", long,
          env = "REDIS_EXPORTER_EXCLUDE_LATENCY_HISTOGRAM_METRICS",
          value_name = "BOOL", default_value = "false", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub exclude_latency_histogram_metrics: bool,

    /// Put the server's role on every series, as instance_role.
    #[arg(id = "append-instance-role-label", long,
          env = "REDIS_EXPORTER_APPEND_INSTANCE_ROLE_LABEL",
          value_name = "BOOL", default_value = "false", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub append_instance_role_label: bool,

    /// Leave out what is not the server's: process metrics and build information.
    #[arg(id = "redis-only-metrics", long, env = "REDIS_EXPORTER_REDIS_ONLY_METRICS",
          value_name = "BOOL", default_value = "false", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub redis_only_metrics: bool,

    /// Answer /scrape with 404.
    #[arg(id = "disable-scrape-endpoint", long, env = "REDIS_EXPORTER_DISABLE_SCRAPE_ENDPOINT",
          value_name = "BOOL", default_value = "false", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub disable_scrape_endpoint: bool,

    /// Log everything: --log-level=debug.
    #[arg(id = "debug", long, env = "REDIS_EXPORTER_DEBUG",
          value_name = "BOOL", default_value = "false", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub debug: bool,

    /// Only log messages of this level or above: debug, info, warn, error; any other word is info.
    #[arg(
        id = "log-level",
        long,
        env = "REDIS_EXPORTER_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "INFO"
    )]
    pub log_level: String,

    /// Form of a log line: txt or json.
    #[arg(
        id = "log-format",
        long,
        env = "REDIS_EXPORTER_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "txt"
    )]
    pub log_format: String,

    /// Show version information and exit.
    #[arg(id = "version", long, value_name = "BOOL", default_value = "false", hide_default_value = true,
          action = clap::ArgAction::Set, value_parser = go_bool)]
    pub version: bool,

    /// See [`DataArgs`].
    #[command(flatten)]
    pub data: DataArgs,

    /// See [`ConnectArgs`].
    #[command(flatten)]
    pub connect: ConnectArgs,

    /// See [`ClusterArgs`].
    #[command(flatten)]
    pub cluster: ClusterArgs,

    /// See [`NameArgs`].
    #[command(flatten)]
    pub names: NameArgs,

    /// See [`ServeArgs`].
    #[command(flatten)]
    pub serve: ServeArgs,

    /// Flags of redis_exporter which are read and do nothing yet.
    #[command(flatten)]
    pub later: LaterArgs,

    /// See [`WebArgs`].
    #[command(flatten)]
    pub web: WebArgs,

    /// See [`SettingsArgs`].
    #[command(flatten)]
    pub settings: SettingsArgs,

    /// As with the Go program, reading ends at the first word which is no flag.
    #[arg(hide = true, trailing_var_arg = true)]
    pub rest: Vec<String>,
}

/// A text which must not be printed with the other arguments.
#[derive(Clone, Eq, PartialEq)]
pub struct HiddenText(pub String);

impl std::fmt::Debug for HiddenText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl From<&str> for HiddenText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// A boolean as Go's `strconv` reads it.
fn go_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

impl Args {
    /// Environment variables which are set to a value that their flag cannot have. The flag's
    /// default is used, as `redis_exporter` does. Empty ones, common in Compose files, are not
    /// worth a word.
    pub fn refused_variables() -> Vec<String> {
        let command = Flags::augment(Command::new("flags"));
        let refused = command.get_arguments().filter(|arg| {
            let filled = arg.get_env().and_then(std::env::var_os).is_some_and(|v| !v.is_empty());
            filled && has_refused_variable(arg)
        });
        refused.filter_map(|arg| Some(arg.get_env()?.to_string_lossy().into_owned())).collect()
    }
}

impl Flags {
    fn augment(command: Command) -> Command {
        <Self as clap::Args>::augment_args(command)
    }
}

/// Whether the environment has a value which is no boolean or number for a flag that takes one.
fn has_refused_variable(arg: &Arg) -> bool {
    let kind = arg.get_value_parser().type_id();
    let value = arg.get_env().and_then(std::env::var_os);
    value.is_some_and(|value| match value.to_str() {
        Some(text) if kind == TypeId::of::<bool>() => go_bool(text).is_err(),
        Some(text) if kind == TypeId::of::<i64>() => text.parse::<i64>().is_err(),
        _ => false,
    })
}

impl CommandFactory for Args {
    fn command() -> Command {
        let command = Flags::augment(Command::new("redis_exporter"));
        let refused: Vec<_> = command
            .get_arguments()
            .filter(|arg| has_refused_variable(arg))
            .map(|arg| arg.get_id().clone())
            .collect();
        refused
            .into_iter()
            .fold(command, |command, id| {
                // A variable that nobody sets: without any, one would be derived from the flag.
                command.mut_arg(id, |arg| arg.env("REDIS_EXPORTER_REFUSED_VARIABLE"))
            })
            .args_override_self(true)
            .disable_version_flag(true)
    }

    fn command_for_update() -> Command {
        Self::command()
    }
}

impl FromArgMatches for Args {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let flags = Flags::from_arg_matches(matches)?;
        if flags.version {
            return Err(clap::Error::raw(ErrorKind::DisplayVersion, ""));
        }
        Ok(Self { flags })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.flags.update_from_arg_matches(matches)
    }
}

impl ExporterArgs for Args {
    fn web(&self) -> &WebArgs {
        &self.flags.web
    }

    fn log(&self) -> (LogLevel, LogFormat) {
        let level = match self.flags.log_level.to_ascii_lowercase().as_str() {
            _ if self.flags.debug => LogLevel::Debug,
            "debug" => LogLevel::Debug,
            "warn" | "warning" => LogLevel::Warn,
            "error" => LogLevel::Error,
            _ => LogLevel::Info,
        };
        let format = match self.flags.log_format.as_str() {
            "json" => LogFormat::Json,
            _ => LogFormat::Logfmt,
        };
        (level, format)
    }
}

#[cfg(test)]
mod tests;
