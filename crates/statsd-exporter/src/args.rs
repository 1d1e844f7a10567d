//! The flags: those of `statsd_exporter` 0.31 with their names and defaults, and our own limits.

use std::{path::PathBuf, time::Duration};

use clap::{ArgAction, Parser, ValueEnum};
use metrics_server::{
    args::{LogArgs, LogFormat, LogLevel, SettingsArgs, WebArgs, parse_duration},
    cli::ExporterArgs,
};

use crate::{
    line::{Dialect, Valueless},
    mapping::UnknownKeys,
};

/// Everything that can be said on the command line.
#[derive(Clone, Debug, Parser)]
pub struct Args {
    /// Shared with the other exporters.
    #[command(flatten)]
    pub web: WebArgs,
    /// Where samples come from.
    #[command(flatten)]
    pub listen: ListenArgs,
    /// How samples are read.
    #[command(flatten)]
    pub read: ReadArgs,
    /// What strangers may use.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Where lines are handed on.
    #[command(flatten)]
    pub relay: RelayArgs,
    /// Accepted for the sake of old command lines.
    #[command(flatten)]
    pub compat: CompatArgs,
    /// Shared with the other exporters.
    #[command(flatten)]
    pub log: LogArgs,
    /// Shared with the other exporters.
    #[command(flatten)]
    pub settings: SettingsArgs,

    /// Whether to tell what becomes of names.
    #[command(flatten)]
    pub inspect: InspectArgs,
}

impl ExporterArgs for Args {
    fn web(&self) -> &WebArgs {
        &self.web
    }

    fn log(&self) -> (LogLevel, LogFormat) {
        (self.log.level, self.log.format)
    }
}

/// `--web.enable-debug`.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Web")]
pub struct InspectArgs {
    /// Tell under /debug/mapping, /debug/unmapped and /debug/badlines what becomes of names, and
    /// keep examples of what clients send.
    #[arg(id = "web.enable-debug", long, value_name = "BOOL", default_value = "false",
          action = ArgAction::Set)]
    pub enable_debug: bool,
}

/// `--statsd.listen-*` and what belongs to it.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Listeners")]
pub struct ListenArgs {
    /// UDP addresses on which to receive StatsD lines, with commas between them; empty for none.
    #[arg(id = "statsd.listen-udp", long, value_name = "ADDRESS", default_value = ":9125")]
    pub udp: String,

    /// TCP addresses on which to receive StatsD lines, with commas between them; empty for none.
    #[arg(id = "statsd.listen-tcp", long, value_name = "ADDRESS", default_value = ":9125")]
    pub tcp: String,

    /// Path of a Unix datagram socket on which to receive StatsD lines, @NAME for an abstract one;
    /// empty for none.
    #[arg(id = "statsd.listen-unixgram", long, value_name = "PATH", default_value = "")]
    pub unixgram: String,

    /// Sockets and threads for each UDP address. The kernel spreads senders over them, so more than
    /// one helps where one core cannot keep up with several senders.
    #[arg(id = "statsd.udp-threads", long, value_name = "COUNT", default_value = "1",
          value_parser = clap::value_parser!(u16).range(1..=64))]
    pub udp_threads: u16,

    /// How long a UDP listener which is woken for every few datagrams may let more gather, never
    /// for more than a quarter of its buffer; 0 for not at all.
    #[arg(id = "statsd.max-coalesce", long, value_name = "DURATION", default_value = "750us",
          value_parser = parse_duration)]
    pub coalesce_max: Duration,

    /// Path of a Unix stream socket on which to receive datagrams, each behind its length of four
    /// bytes, as DogStatsD sends them; @NAME for an abstract one; empty for none.
    #[arg(id = "statsd.listen-unix", long, value_name = "PATH", default_value = "")]
    pub unix: String,

    /// Networks from which UDP and TCP are taken, with commas between them, like
    /// `10.0.0.0/8,::1`; empty for all.
    #[arg(id = "statsd.allow-from", long, value_name = "NETWORKS", default_value = "")]
    pub allow_from: String,

    /// Permissions of the Unix sockets, octal.
    #[arg(id = "statsd.unixsocket-mode", long, value_name = "MODE", default_value = "755")]
    pub unix_mode: String,

    /// Bytes of the read buffer of the UDP and Unix sockets. 0 asks for 4 MiB and takes what the
    /// system grants; any other size has to be granted.
    #[arg(id = "statsd.read-buffer", long, value_name = "BYTES", default_value = "0")]
    pub read_buffer_bytes: usize,
}

/// How samples are read and mapped.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Samples")]
pub struct ReadArgs {
    /// File with the rules which map StatsD names to metrics.
    #[arg(id = "statsd.mapping-config", long, value_name = "FILE")]
    pub mapping_config: Option<PathBuf>,

    /// What to do with keys of the mapping file which nobody knows.
    #[arg(
        id = "statsd.mapping-unknown-keys",
        long,
        value_name = "ACTION",
        default_value = "error"
    )]
    pub mapping_unknown_keys: UnknownKeysArg,

    /// Check the mapping file, say what is wrong with it, and exit.
    #[arg(id = "check-config", long, value_name = "BOOL", default_value = "false",
          action = ArgAction::Set)]
    pub check_config: bool,

    /// Read DogStatsD tags: name:1|c|#key:value
    #[arg(id = "statsd.parse-dogstatsd-tags", long, value_name = "BOOL", default_value = "true",
          action = ArgAction::Set)]
    pub dogstatsd_tags: bool,

    /// What becomes of a DogStatsD tag without a value: it is left out and counted, or a label which
    /// is empty, or one that says true.
    #[arg(id = "statsd.valueless-tags", long, value_name = "ACTION", default_value = "drop")]
    pub valueless_tags: ValuelessArg,

    /// Make DogStatsD's field of the container, c:ID, the label `container_id`.
    #[arg(id = "statsd.container-label", long, value_name = "BOOL", default_value = "true",
          action = ArgAction::Set)]
    pub container_label: bool,

    /// Make DogStatsD's field of external data, e:DATA, the label `external_data`.
    #[arg(id = "statsd.external-data-label", long, value_name = "BOOL", default_value = "false",
          action = ArgAction::Set)]
    pub external_label: bool,

    /// Make DogStatsD's field of the cardinality, card:LEVEL, the label cardinality.
    #[arg(id = "statsd.cardinality-label", long, value_name = "BOOL", default_value = "false",
          action = ArgAction::Set)]
    pub cardinality_label: bool,

    /// Take sets, name:member|s, as a gauge of the distinct members of the last window of this
    /// length, within 1.6 % mostly; 0s refuses them.
    #[arg(id = "statsd.set-window", long, value_name = "DURATION", default_value = "0s",
          value_parser = parse_duration)]
    pub set_window: Duration,

    /// Read InfluxDB tags: name,key=value:1|c
    #[arg(id = "statsd.parse-influxdb-tags", long, value_name = "BOOL", default_value = "true",
          action = ArgAction::Set)]
    pub influxdb_tags: bool,

    /// Read Librato tags: name#key=value:1|c
    #[arg(id = "statsd.parse-librato-tags", long, value_name = "BOOL", default_value = "true",
          action = ArgAction::Set)]
    pub librato_tags: bool,

    /// Read SignalFx tags: name[key=value]:1|c
    #[arg(id = "statsd.parse-signalfx-tags", long, value_name = "BOOL", default_value = "true",
          action = ArgAction::Set)]
    pub signalfx_tags: bool,
}

/// `--statsd.valueless-tags`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum ValuelessArg {
    /// Left out and counted.
    Drop,
    /// A label without a value.
    Empty,
    /// A label which says `true`.
    True,
}

/// `--statsd.mapping-unknown-keys`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum UnknownKeysArg {
    /// The file cannot be used.
    Error,
    /// They are logged.
    Warn,
}

impl From<UnknownKeysArg> for UnknownKeys {
    fn from(arg: UnknownKeysArg) -> Self {
        match arg {
            UnknownKeysArg::Error => Self::Refuse,
            UnknownKeysArg::Warn => Self::Warn,
        }
    }
}

impl ReadArgs {
    /// Which tags are read.
    pub fn dialect(&self) -> Dialect {
        Dialect {
            dogstatsd: self.dogstatsd_tags,
            influxdb: self.influxdb_tags,
            librato: self.librato_tags,
            signalfx: self.signalfx_tags,
            valueless: match self.valueless_tags {
                ValuelessArg::Drop => Valueless::Refused,
                ValuelessArg::Empty => Valueless::Label(""),
                ValuelessArg::True => Valueless::Label("true"),
            },
            container_label: self.container_label,
            external_label: self.external_label,
            cardinality_label: self.cardinality_label,
            set_window_ms: u64::try_from(self.set_window.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// Bounds. What is refused is counted in `statsd_exporter_limit_refusals_total`.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
#[expect(clippy::struct_field_names, reason = "a limit says so in its name")]
pub struct LimitArgs {
    /// Series held at once. A new one beyond it is refused, those which are there go on. 0 is one
    /// for every 512 bytes of --statsd.max-memory.
    #[arg(id = "statsd.max-series", long, value_name = "COUNT", default_value = "0")]
    pub series_max: u64,

    /// Series of one name. 0 is half of --statsd.max-series, so that one name leaves room for others.
    #[arg(id = "statsd.max-series-per-name", long, value_name = "COUNT", default_value = "0")]
    pub series_per_name_max: u64,

    /// Bytes for series and aliases together. A quarter is for aliases; new series which do not fit
    /// the rest are refused, and summaries keep fewer observations. 0 is three quarters of the
    /// container's memory, or 1 GiB where it has no limit.
    #[arg(id = "statsd.max-memory", long, value_name = "BYTES", default_value = "0")]
    pub memory_bytes_max: u64,

    /// Labels of one series; a sample with more is refused.
    #[arg(id = "statsd.max-labels", long, value_name = "COUNT", default_value = "64")]
    pub labels_max: usize,

    /// Bytes of a metric name; a sample with a longer one is refused.
    #[arg(id = "statsd.max-name-length", long, value_name = "BYTES", default_value = "1024")]
    pub name_bytes_max: usize,

    /// Bytes of a line in a datagram; a longer one is refused.
    #[arg(id = "statsd.max-line-length", long, value_name = "BYTES", default_value = "65535")]
    pub line_bytes_max: usize,

    /// Bytes of a line over TCP; a longer one is skipped to its end and counted in
    /// `statsd_exporter_tcp_too_long_lines_total`.
    #[arg(id = "statsd.max-tcp-line-length", long, value_name = "BYTES", default_value = "4095")]
    pub tcp_line_bytes_max: usize,

    /// TCP connections held at once; further ones are closed.
    #[arg(id = "statsd.max-tcp-connections", long, value_name = "COUNT", default_value = "1000")]
    pub tcp_connections_max: usize,

    /// Silence after which a TCP or Unix stream connection is closed; 0s for never.
    #[arg(id = "statsd.tcp-idle-timeout", long, value_name = "DURATION", default_value = "1h",
          value_parser = parse_duration)]
    pub idle_max: Duration,

    /// Bytes in which each listener remembers where raw names lead; beyond it all are forgotten
    /// and mapped anew. 0 is its share of a quarter of --statsd.max-memory.
    #[arg(id = "statsd.max-alias-bytes", long, value_name = "BYTES", default_value = "0")]
    pub alias_bytes_max: usize,
}

/// `--statsd.relay.*`.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Relay")]
pub struct RelayArgs {
    /// Addresses to which every line is handed on as it came, with commas between them: HOST:PORT
    /// for UDP, tcp://HOST:PORT for TCP.
    #[arg(id = "statsd.relay.address", long, value_name = "ADDRESS")]
    pub address: Option<String>,

    /// Which of several addresses get a line: all, or one that is always the same for a series.
    #[arg(id = "statsd.relay.spread", long, value_name = "WAY", default_value = "all")]
    pub spread: SpreadArg,

    /// Hand lines on and do nothing else with them.
    #[arg(id = "statsd.relay.only", long, value_name = "BOOL", default_value = "false",
          action = ArgAction::Set)]
    pub only: bool,

    /// Largest packet to the relay's target.
    #[arg(id = "statsd.relay.packet-length", long, value_name = "BYTES", default_value = "1400")]
    pub packet_bytes_max: usize,
}

/// `--statsd.relay.spread`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum SpreadArg {
    /// Each line goes to all.
    All,
    /// Each series goes to one.
    Hash,
}

/// Flags of `statsd_exporter` whose queues and caches this exporter does not have.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Accepted without effect")]
pub struct CompatArgs {
    /// 0 leaves the `statsd_metric_mapper_cache_*` metrics out; any other size has no effect.
    #[arg(id = "statsd.cache-size", long, value_name = "COUNT", default_value = "1000")]
    pub cache_size: u32,

    /// No effect: names are not forgotten one by one.
    #[arg(id = "statsd.cache-type", long, value_name = "TYPE", default_value = "lru")]
    pub cache_type: CacheType,

    /// No effect: there is no queue between listeners and series.
    #[arg(id = "statsd.event-queue-size", long, value_name = "COUNT", default_value = "10000")]
    pub event_queue_size: u64,

    /// No effect: there is no queue between listeners and series.
    #[arg(id = "statsd.event-flush-threshold", long, value_name = "COUNT", default_value = "1000")]
    pub event_flush_threshold: u64,

    /// No effect: samples are seen at once.
    #[arg(id = "statsd.event-flush-interval", long, value_name = "DURATION",
          default_value = "200ms", value_parser = parse_duration)]
    pub event_flush_interval: Duration,

    /// No effect: datagrams wait in the socket's buffer, see --statsd.read-buffer.
    #[arg(
        id = "statsd.udp-packet-queue-size",
        long,
        value_name = "COUNT",
        default_value = "10000"
    )]
    pub udp_packet_queue_size: u64,

    /// No effect: there is no automaton to write.
    #[arg(id = "debug.dump-fsm", long, value_name = "FILE", default_value = "")]
    pub dump_fsm: String,

    /// Show this help.
    #[arg(id = "help-man", long, action = ArgAction::HelpLong, hide = true)]
    pub help_man: Option<bool>,
}

/// How a mapping cache would forget.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum CacheType {
    /// What was not used for longest.
    Lru,
    /// Anything.
    Random,
}

impl CompatArgs {
    /// The flags which were set to something other than their default and change nothing.
    pub fn without_effect(&self) -> Vec<&'static str> {
        [
            ("--statsd.cache-size", self.cache_size > 1 && self.cache_size != 1_000),
            ("--statsd.cache-type", self.cache_type != CacheType::Lru),
            ("--statsd.event-queue-size", self.event_queue_size != 10_000),
            ("--statsd.event-flush-threshold", self.event_flush_threshold != 1_000),
            (
                "--statsd.event-flush-interval",
                self.event_flush_interval != Duration::from_millis(200),
            ),
            ("--statsd.udp-packet-queue-size", self.udp_packet_queue_size != 10_000),
            ("--debug.dump-fsm", !self.dump_fsm.is_empty()),
        ]
        .into_iter()
        .filter(|(_, changed)| *changed)
        .map(|(flag, _)| flag)
        .collect()
    }
}
