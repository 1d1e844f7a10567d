//! Flags of what is read beyond `INFO`: keys, streams, scripts, clients, modules.

use super::go_bool;

/// See the module.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Keys, streams, scripts and clients")]
#[expect(clippy::doc_markdown, reason = "clap shows these comments as they are")]
pub struct DataArgs {
    /// Keys to look up, and patterns to scan for: dbN=pattern,….
    #[arg(
        id = "check-keys",
        long,
        env = "REDIS_EXPORTER_CHECK_KEYS",
        value_name = "KEYS",
        default_value = "",
        hide_default_value = true
    )]
    pub check_keys: String,

    /// Keys to look up: dbN=key,….
    #[arg(
        id = "check-single-keys",
        long,
        env = "REDIS_EXPORTER_CHECK_SINGLE_KEYS",
        value_name = "KEYS",
        default_value = "",
        hide_default_value = true
    )]
    pub check_single_keys: String,

    /// Streams to look up, and patterns to scan for: dbN=pattern,….
    #[arg(
        id = "check-streams",
        long,
        env = "REDIS_EXPORTER_CHECK_STREAMS",
        value_name = "KEYS",
        default_value = "",
        hide_default_value = true
    )]
    pub check_streams: String,

    /// Streams to look up: dbN=stream,….
    #[arg(
        id = "check-single-streams",
        long,
        env = "REDIS_EXPORTER_CHECK_SINGLE_STREAMS",
        value_name = "KEYS",
        default_value = "",
        hide_default_value = true
    )]
    pub check_single_streams: String,

    /// Show no series for each consumer of a stream.
    #[arg(id = "streams-exclude-consumer-metrics", long,
          env = "REDIS_EXPORTER_STREAMS_EXCLUDE_CONSUMER_METRICS",
          value_name = "BOOL", default_value = "false", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub streams_exclude_consumer_metrics: bool,

    /// Patterns whose keys are counted: dbN=pattern,….
    #[arg(
        id = "count-keys",
        long,
        env = "REDIS_EXPORTER_COUNT_KEYS",
        value_name = "KEYS",
        default_value = "",
        hide_default_value = true
    )]
    pub count_keys: String,

    /// Lua patterns, comma-separated: keys are counted by what their captures are.
    #[arg(
        id = "check-key-groups",
        long,
        env = "REDIS_EXPORTER_CHECK_KEY_GROUPS",
        value_name = "PATTERNS",
        default_value = "",
        hide_default_value = true
    )]
    pub check_key_groups: String,

    /// Groups shown for each database; the others are added up as group overflow.
    #[arg(
        id = "max-distinct-key-groups",
        long,
        env = "REDIS_EXPORTER_MAX_DISTINCT_KEY_GROUPS",
        value_name = "COUNT",
        default_value = "100"
    )]
    pub max_distinct_key_groups: i64,

    /// COUNT of SCAN; in the background 20 at most, so that nobody waits for it.
    #[arg(
        id = "check-keys-batch-size",
        long,
        env = "REDIS_EXPORTER_CHECK_KEYS_BATCH_SIZE",
        value_name = "COUNT",
        default_value = "1000"
    )]
    pub check_keys_batch_size: i64,

    /// Show the size of a key, not its value.
    #[arg(id = "disable-exporting-key-values", long,
          env = "REDIS_EXPORTER_DISABLE_EXPORTING_KEY_VALUES",
          value_name = "BOOL", default_value = "false", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub disable_exporting_key_values: bool,

    /// Look at keys and streams on replicas only.
    #[arg(id = "skip-checkkeys-for-role-master", long,
          env = "REDIS_EXPORTER_SKIP_CHECKKEYS_FOR_ROLE_MASTER",
          value_name = "BOOL", default_value = "false", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub skip_checkkeys_for_role_master: bool,

    /// Scan for keys in the background only, not in the first place within a scrape.
    #[arg(id = "keys.background", long, value_name = "BOOL", default_value = "false",
          action = clap::ArgAction::Set, value_parser = go_bool)]
    pub keys_background: bool,

    /// Time from the start of one scan in the background to the next.
    #[arg(id = "keys.interval", long, value_name = "DURATION", default_value = "60s")]
    pub keys_interval: String,

    /// Keys that a scan within a scrape may visit; one that finds more goes on in the background.
    #[arg(id = "keys.scrape-max", long, value_name = "COUNT", default_value = "100000")]
    pub keys_scrape_max: u64,

    /// Keys a second that a scan in the background visits.
    #[arg(id = "keys.rate", long, value_name = "COUNT", default_value = "20000")]
    pub keys_rate: u32,

    /// Percent of the server's time that a scan in the background may take.
    #[arg(id = "keys.server-time-percent", long, value_name = "PERCENT", default_value = "5")]
    pub keys_server_time_percent: u32,

    /// Keys and streams shown of those that patterns find.
    #[arg(id = "keys.found-max", long, value_name = "COUNT", default_value = "10000")]
    pub keys_found_max: usize,

    /// Keys of one scan that are remembered, so that one which SCAN finds twice counts once.
    #[arg(id = "keys.remembered-max", long, value_name = "COUNT", default_value = "1000000")]
    pub keys_remembered_max: usize,

    /// Groups of keys kept apart while scanning; keys of further ones count as overflow.
    #[arg(id = "keys.groups-max", long, value_name = "COUNT", default_value = "10000")]
    pub keys_groups_max: usize,

    /// Steps that matching one key with the Lua patterns may take.
    #[arg(id = "keys.pattern-steps-max", long, value_name = "COUNT", default_value = "10000")]
    pub keys_pattern_steps_max: u32,

    /// Longest value of a key that is fetched and shown.
    #[arg(id = "keys.value-bytes-max", long, value_name = "BYTES", default_value = "4096")]
    pub keys_value_bytes_max: u64,

    /// Groups and consumers of all streams that are shown.
    #[arg(id = "streams.groups-max", long, value_name = "COUNT", default_value = "10000")]
    pub streams_groups_max: usize,

    /// Lua scripts whose results are shown, comma-separated files.
    #[arg(
        id = "script",
        long,
        env = "REDIS_EXPORTER_SCRIPT",
        value_name = "FILES",
        default_value = "",
        hide_default_value = true
    )]
    pub script: String,

    /// Run scripts by EVAL_RO.
    #[arg(id = "lua-script-read-only", long, env = "REDIS_EXPORTER_LUA_SCRIPT_READ_ONLY",
          value_name = "BOOL", default_value = "false", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub lua_script_read_only: bool,

    /// Longest script that is read.
    #[arg(id = "script.bytes-max", long, value_name = "BYTES", default_value = "65536")]
    pub script_bytes_max: u64,

    /// Values shown of one script.
    #[arg(id = "script.values-max", long, value_name = "COUNT", default_value = "1000")]
    pub script_values_max: usize,

    /// Show series for each client.
    #[arg(id = "export-client-list", long, env = "REDIS_EXPORTER_EXPORT_CLIENT_LIST",
          value_name = "BOOL", default_value = "false", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub export_client_list: bool,

    /// Put the port on the series of clients.
    #[arg(id = "export-client-port", long, env = "REDIS_EXPORTER_EXPORT_CLIENT_PORT",
          value_name = "BOOL", default_value = "false", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub export_client_port: bool,

    /// Count clients by name, library, user and flag, and show histograms of their ages and buffers.
    #[arg(id = "clients.summary", long, value_name = "BOOL", default_value = "false",
          action = clap::ArgAction::Set, value_parser = go_bool)]
    pub clients_summary: bool,

    /// Clients that a server may have for CLIENT LIST to be sent.
    #[arg(id = "clients.list-max", long, value_name = "COUNT", default_value = "20000")]
    pub clients_list_max: u64,

    /// Names, libraries and users each of which clients are counted by; others count as overflow.
    #[arg(id = "clients.values-max", long, value_name = "COUNT", default_value = "100")]
    pub clients_values_max: usize,

    /// Entries of the slow log, and of COMMANDLOG, that are counted by command; 0 for none.
    #[arg(id = "slowlog.entries-max", long, value_name = "COUNT", default_value = "0")]
    pub slowlog_entries_max: u32,

    /// Show INFO MODULES.
    #[arg(id = "include-modules-metrics", long, env = "REDIS_EXPORTER_INCL_MODULES_METRICS",
          value_name = "BOOL", default_value = "false", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub include_modules_metrics: bool,

    /// Show FT.INFO of search indexes.
    #[arg(id = "include-search-indexes-metrics", long,
          env = "REDIS_EXPORTER_INCL_SEARCH_INDEXES_METRICS",
          value_name = "BOOL", default_value = "false", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub include_search_indexes_metrics: bool,

    /// Regular expression for the search indexes to show.
    #[arg(
        id = "check-search-indexes",
        long,
        env = "REDIS_EXPORTER_CHECK_SEARCH_INDEXES",
        value_name = "REGEX",
        default_value = ".*"
    )]
    pub check_search_indexes: String,

    /// Search indexes shown.
    #[arg(id = "search.indexes-max", long, value_name = "COUNT", default_value = "1000")]
    pub search_indexes_max: usize,

    /// The server is a Tile38.
    #[arg(id = "is-tile38", long, env = "REDIS_EXPORTER_IS_TILE38",
          value_name = "BOOL", default_value = "false", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub is_tile38: bool,

    /// Show the size of the RDB file, where it is on this machine.
    #[arg(id = "include-rdb-file-size-metric", long,
          env = "REDIS_EXPORTER_INCL_RDB_FILE_SIZE_METRIC",
          value_name = "BOOL", default_value = "false", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub include_rdb_file_size_metric: bool,
}
