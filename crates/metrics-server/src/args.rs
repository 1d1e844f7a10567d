//! The flags all exporters share, and how flags, environment and a settings file are layered.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

mod dialect;
mod layers;

pub use dialect::Dialect;
pub use layers::{ArgsError, parse};

/// Below 8 KiB a browser's cookies for the host may not fit; above 1 MiB it is no limit any more.
const HEADER_BYTES_RANGE: std::ops::RangeInclusive<i64> = 8_192..=1_048_576;

/// `--web.*`: where and how metrics are served.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Web")]
pub struct WebArgs {
    /// Address to serve metrics on; may be given several times: `:9100`, `127.0.0.1:9100`,
    /// `[::1]:9100`, `unix:///run/exporter.sock`. The exporter sets the default.
    #[arg(id = "web.listen-address", long, value_name = "ADDRESS", action = clap::ArgAction::Append)]
    pub listen_address: Vec<String>,

    /// Serve on the sockets which systemd opened instead of opening any.
    #[arg(id = "web.systemd-socket", long, value_name = "BOOL", default_value = "false",
          action = clap::ArgAction::Set)]
    pub systemd_socket: bool,

    /// File in the form of exporter-toolkit that switches on TLS, client certificates, passwords,
    /// headers or a rate limit. It is read again when it changes.
    #[arg(id = "web.config.file", long, value_name = "FILE", default_value = "")]
    pub config_file: String,

    /// URL under which browsers reach the exporter, for example behind a proxy. Its path is the
    /// default of --web.route-prefix.
    #[arg(id = "web.external-url", long, value_name = "URL", default_value = "",
          value_parser = parse_external_url)]
    pub external_url: String,

    /// Prefix of all paths; `/` leads there.
    #[arg(id = "web.route-prefix", long, value_name = "PATH", value_parser = parse_prefix)]
    pub route_prefix: Option<String>,

    /// Act on PUT or POST to `/-/reload` and `/-/quit`.
    #[arg(id = "web.enable-lifecycle", long, value_name = "BOOL", default_value = "false",
          action = clap::ArgAction::Set)]
    pub enable_lifecycle: bool,

    /// Path under which metrics are served.
    #[arg(
        id = "web.telemetry-path",
        long,
        value_name = "PATH",
        default_value = "/metrics",
        value_parser = parse_path
    )]
    pub telemetry_path: String,

    /// Answer 503, with the same page, while what the exporter watches is down. Prometheus then
    /// records `up == 0`.
    #[arg(id = "web.fail-when-down", long, value_name = "BOOL", default_value = "false",
          action = clap::ArgAction::Set)]
    pub fail_when_down: bool,

    /// Offer OpenMetrics to scrapers which prefer it. It renames counters to `…_total`.
    #[arg(id = "web.enable-openmetrics", long, value_name = "BOOL", default_value = "false",
          action = clap::ArgAction::Set)]
    pub enable_openmetrics: bool,

    /// Scrapes served at once; beyond it the answer is 503. 0 is no limit.
    #[arg(id = "web.max-requests", long, value_name = "COUNT", default_value = "40")]
    pub max_requests: usize,

    /// Connections held at once. Beyond it an idle one is closed, and further ones wait in the
    /// socket's queue.
    #[arg(id = "web.max-connections", long, value_name = "COUNT", default_value = "512",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: u32,

    /// Bytes of a request's line and headers together; beyond it the answer is 431.
    #[arg(id = "web.max-header-bytes", long, value_name = "BYTES", default_value = "16384",
          value_parser = clap::value_parser!(u32).range(HEADER_BYTES_RANGE))]
    pub max_header_bytes: u32,

    /// Time for a TLS handshake, and for a request's headers to arrive.
    #[arg(id = "web.read-header-timeout", long, value_name = "DURATION", default_value = "10s",
          value_parser = parse_duration)]
    pub read_header_timeout: Duration,

    /// Time for which a connection is kept open between two requests.
    #[arg(id = "web.idle-timeout", long, value_name = "DURATION", default_value = "5m",
          value_parser = parse_duration)]
    pub idle_timeout: Duration,

    /// Longest time that one scrape may take. A scraper's own, shorter time-out is respected.
    #[arg(id = "web.scrape-timeout", long, value_name = "DURATION", default_value = "9s",
          value_parser = parse_duration)]
    pub scrape_timeout: Duration,

    /// Time that a reader has to take a page, beyond the time that the scrape may take; then it is
    /// cut off.
    #[arg(id = "web.send-timeout", long, value_name = "DURATION", default_value = "30s",
          value_parser = parse_duration)]
    pub send_timeout: Duration,

    /// Send a trace of each scrape there, as OTLP over HTTP, for example `http://localhost:4318`.
    #[arg(id = "tracing.endpoint", long, value_name = "URL", value_parser = crate::spans::Endpoint::parse)]
    pub tracing_endpoint: Option<crate::spans::Endpoint>,
}

impl WebArgs {
    /// What all paths begin with: empty, or `/` and more, without `/` at the end.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.route_prefix.as_deref().unwrap_or_else(|| self.external_path())
    }

    /// The path of `--web.external-url`, in the same form.
    #[must_use]
    pub fn external_path(&self) -> &str {
        let path = match self.external_url.split_once("://") {
            Some((_scheme, rest)) => rest.find('/').map_or("", |start| rest.split_at(start).1),
            None => self.external_url.as_str(),
        };
        path.trim_end_matches('/')
    }
}

/// `--log.*`: what is written to standard error.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logs")]
pub struct LogArgs {
    /// Only log messages of this level or above.
    #[arg(id = "log.level", long, value_name = "LEVEL", default_value = "info")]
    pub level: LogLevel,

    /// Form of a log line.
    #[arg(id = "log.format", long, value_name = "FORMAT", default_value = "logfmt")]
    pub format: LogFormat,
}

/// How much is logged. `RUST_LOG` overrides it, in the syntax of `tracing`'s targets.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Debug,
    #[default]
    Info,
    Warn,
    Error,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum LogFormat {
    /// `time=… level=INFO source=app.rs:12 msg="…" key=value`
    #[default]
    Logfmt,
    /// The same keys as one JSON object a line.
    Json,
}

/// `--settings.file`, the lowest layer of configuration.
#[derive(Args, Clone, Debug)]
pub struct SettingsArgs {
    /// YAML or TOML file with further settings, by the names of the flags without dashes in
    /// front, for example `web.max-requests: 10`. Flags and environment variables override it.
    #[arg(id = "settings.file", long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// The command line of this process, program name first.
#[must_use]
pub fn command_line() -> Vec<OsString> {
    std::env::args_os().collect()
}

/// Reads a duration as Go and Prometheus write it: `90s`, `1m30s`, `250ms`, `1.5h`; `0` alone.
///
/// # Errors
///
/// Says what is wrong with `text`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let bad = || format!("invalid duration {text:?}: expected a form like 30s, 1m30s or 250ms");
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(bad)?;
        let (number, tail) = rest.split_at(digits);
        let unit_end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            "w" => 604_800.0,
            _ => return Err(bad()),
        };
        total += number.parse::<f64>().map_err(|_error| bad())? * seconds;
        rest = tail;
    }
    if text.is_empty() {
        return Err(bad());
    }
    Duration::try_from_secs_f64(total).map_err(|_error| bad())
}

/// `/`, `metrics/` and `/a/b/` become what [`WebArgs::prefix`] returns.
fn parse_prefix(text: &str) -> Result<String, String> {
    match text.trim_matches('/') {
        "" => Ok(String::new()),
        inner => parse_path(&format!("/{inner}")),
    }
}

/// An address with scheme and host, a path alone, or nothing.
fn parse_external_url(text: &str) -> Result<String, String> {
    let plain = text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '<' | '>'));
    let full = ["http://", "https://"].iter().any(|scheme| {
        let host = text.strip_prefix(scheme).and_then(|rest| rest.split('/').next());
        host.is_some_and(|host| !host.is_empty())
    });
    let known = text.is_empty() || text.starts_with('/') || full;
    if plain && known && !text.contains(['{', '}', '*', '?', '#']) {
        Ok(text.to_owned())
    } else {
        Err("expected a form like https://example.org/exporter, or a path".to_owned())
    }
}

fn parse_path(text: &str) -> Result<String, String> {
    if text.starts_with('/') && !text.contains(['{', '}', '*', '?', '#', ' ']) {
        Ok(text.to_owned())
    } else {
        Err("expected a path that begins with / and has no {, }, *, ?, # or space".to_owned())
    }
}

#[cfg(test)]
mod tests;
