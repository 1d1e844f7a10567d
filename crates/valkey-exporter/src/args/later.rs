//! Flags of `redis_exporter` whose function comes later. They are read, so that a command line which
//! worked goes on working, and each that is used is named in the log.

use std::fmt::Display;

use super::{HiddenText, go_bool};

/// See the module.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Not in this version")]
#[expect(clippy::doc_markdown, reason = "clap shows these comments as they are")]
pub struct LaterArgs {
    /// Keys to look up, or patterns to scan for: dbN=pattern,….
    #[arg(
        id = "check-keys",
        long,
        env = "REDIS_EXPORTER_CHECK_KEYS",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub check_keys: String,

    /// Keys to look up: dbN=key,….
    #[arg(
        id = "check-single-keys",
        long,
        env = "REDIS_EXPORTER_CHECK_SINGLE_KEYS",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub check_single_keys: String,

    /// Lua patterns which put keys into groups.
    #[arg(
        id = "check-key-groups",
        long,
        env = "REDIS_EXPORTER_CHECK_KEY_GROUPS",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub check_key_groups: String,

    /// Streams to look up, or patterns to scan for.
    #[arg(
        id = "check-streams",
        long,
        env = "REDIS_EXPORTER_CHECK_STREAMS",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub check_streams: String,

    /// Streams to look up.
    #[arg(
        id = "check-single-streams",
        long,
        env = "REDIS_EXPORTER_CHECK_SINGLE_STREAMS",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub check_single_streams: String,

    /// Show no series for each consumer of a stream.
    #[arg(id = "streams-exclude-consumer-metrics", long, env = "REDIS_EXPORTER_STREAMS_EXCLUDE_CONSUMER_METRICS", value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub streams_exclude_consumer_metrics: bool,

    /// Patterns whose keys are counted.
    #[arg(
        id = "count-keys",
        long,
        env = "REDIS_EXPORTER_COUNT_KEYS",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub count_keys: String,

    /// Keys asked for at once when scanning.
    #[arg(
        id = "check-keys-batch-size",
        long,
        env = "REDIS_EXPORTER_CHECK_KEYS_BATCH_SIZE",
        value_name = "COUNT",
        default_value = "1000"
    )]
    pub check_keys_batch_size: i64,

    /// Lua scripts whose results are shown, comma-separated.
    #[arg(
        id = "script",
        long,
        env = "REDIS_EXPORTER_SCRIPT",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub script: String,

    /// Run scripts by EVAL_RO.
    #[arg(id = "lua-script-read-only", long, env = "REDIS_EXPORTER_LUA_SCRIPT_READ_ONLY", value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub lua_script_read_only: bool,

    /// Key of our client certificate.
    #[arg(
        id = "tls-client-key-file",
        long,
        env = "REDIS_EXPORTER_TLS_CLIENT_KEY_FILE",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub tls_client_key_file: String,

    /// Client certificate shown to the server.
    #[arg(
        id = "tls-client-cert-file",
        long,
        env = "REDIS_EXPORTER_TLS_CLIENT_CERT_FILE",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub tls_client_cert_file: String,

    /// Certificates which vouch for the server.
    #[arg(
        id = "tls-ca-cert-file",
        long,
        env = "REDIS_EXPORTER_TLS_CA_CERT_FILE",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub tls_ca_cert_file: String,

    /// Name that the server's certificate has to have.
    #[arg(
        id = "tls-server-name",
        long,
        env = "REDIS_EXPORTER_TLS_SERVER_NAME",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub tls_server_name: String,

    /// Key of this exporter's certificate.
    #[arg(
        id = "tls-server-key-file",
        long,
        env = "REDIS_EXPORTER_TLS_SERVER_KEY_FILE",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub tls_server_key_file: String,

    /// Certificate of this exporter.
    #[arg(
        id = "tls-server-cert-file",
        long,
        env = "REDIS_EXPORTER_TLS_SERVER_CERT_FILE",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub tls_server_cert_file: String,

    /// Certificates which vouch for scrapers.
    #[arg(
        id = "tls-server-ca-cert-file",
        long,
        env = "REDIS_EXPORTER_TLS_SERVER_CA_CERT_FILE",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub tls_server_ca_cert_file: String,

    /// Oldest version of TLS for scrapers.
    #[arg(
        id = "tls-server-min-version",
        long,
        env = "REDIS_EXPORTER_TLS_SERVER_MIN_VERSION",
        value_name = "TEXT",
        default_value = "TLS1.2"
    )]
    pub tls_server_min_version: String,

    /// Groups shown for each database; the others are added up.
    #[arg(
        id = "max-distinct-key-groups",
        long,
        env = "REDIS_EXPORTER_MAX_DISTINCT_KEY_GROUPS",
        value_name = "COUNT",
        default_value = "100"
    )]
    pub max_distinct_key_groups: i64,

    /// The server is a Tile38.
    #[arg(id = "is-tile38", long, env = "REDIS_EXPORTER_IS_TILE38", value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub is_tile38: bool,

    /// The server is a node of a cluster.
    #[arg(id = "is-cluster", long, env = "REDIS_EXPORTER_IS_CLUSTER", value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub is_cluster: bool,

    /// Show names instead of addresses when discovering a cluster.
    #[arg(id = "cluster-discover-hostnames", long, env = "REDIS_EXPORTER_CLUSTER_DISCOVER_HOSTNAMES", value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub cluster_discover_hostnames: bool,

    /// Show a series for each client.
    #[arg(id = "export-client-list", long, env = "REDIS_EXPORTER_EXPORT_CLIENT_LIST", value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub export_client_list: bool,

    /// Put the port on the series of clients.
    #[arg(id = "export-client-port", long, env = "REDIS_EXPORTER_EXPORT_CLIENT_PORT", value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub export_client_port: bool,

    /// Show metrics of the Go runtime; there is none in this program.
    #[arg(id = "include-go-runtime-metrics", long, env = "REDIS_EXPORTER_INCLUDE_GO_RUNTIME_METRICS", value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub include_go_runtime_metrics: bool,

    /// Show INFO MODULES.
    #[arg(id = "include-modules-metrics", long, env = "REDIS_EXPORTER_INCL_MODULES_METRICS", value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub include_modules_metrics: bool,

    /// Show FT.INFO of each search index.
    #[arg(id = "include-search-indexes-metrics", long, env = "REDIS_EXPORTER_INCL_SEARCH_INDEXES_METRICS", value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub include_search_indexes_metrics: bool,

    /// Regular expression for the search indexes to show.
    #[arg(
        id = "check-search-indexes",
        long,
        env = "REDIS_EXPORTER_CHECK_SEARCH_INDEXES",
        value_name = "TEXT",
        default_value = ".*"
    )]
    pub check_search_indexes: String,

    /// Show the size of a key, not its value.
    #[arg(id = "disable-exporting-key-values", long, env = "REDIS_EXPORTER_DISABLE_EXPORTING_KEY_VALUES", value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub disable_exporting_key_values: bool,

    /// Show the size of the RDB file, where it is on this machine.
    #[arg(id = "include-rdb-file-size-metric", long, env = "REDIS_EXPORTER_INCL_RDB_FILE_SIZE_METRIC", value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub include_rdb_file_size_metric: bool,

    /// Take any certificate of the server.
    #[arg(id = "skip-tls-verification", long, env = "REDIS_EXPORTER_SKIP_TLS_VERIFICATION", value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub skip_tls_verification: bool,

    /// Look at keys on replicas only.
    #[arg(id = "skip-checkkeys-for-role-master", long, env = "REDIS_EXPORTER_SKIP_CHECKKEYS_FOR_ROLE_MASTER", value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub skip_checkkeys_for_role_master: bool,

    /// User that scrapers have to name.
    #[arg(
        id = "basic-auth-username",
        long,
        env = "REDIS_EXPORTER_BASIC_AUTH_USERNAME",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub basic_auth_username: String,

    /// Password that scrapers have to give.
    #[arg(
        id = "basic-auth-password",
        long,
        env = "REDIS_EXPORTER_BASIC_AUTH_PASSWORD",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true
    )]
    pub basic_auth_password: HiddenText,

    /// The same, hashed by bcrypt.
    #[arg(
        id = "basic-auth-hash-password",
        long,
        env = "REDIS_EXPORTER_BASIC_AUTH_HASH_PASSWORD",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true
    )]
    pub basic_auth_hash_password: HiddenText,
}

impl LaterArgs {
    /// The flags which are not at their defaults.
    pub fn used(&self) -> Vec<&'static str> {
        [
            (changed(&self.check_keys, ""), "check-keys"),
            (changed(&self.check_single_keys, ""), "check-single-keys"),
            (changed(&self.check_key_groups, ""), "check-key-groups"),
            (changed(&self.check_streams, ""), "check-streams"),
            (changed(&self.check_single_streams, ""), "check-single-streams"),
            (
                changed(self.streams_exclude_consumer_metrics, "false"),
                "streams-exclude-consumer-metrics",
            ),
            (changed(&self.count_keys, ""), "count-keys"),
            (changed(self.check_keys_batch_size, "1000"), "check-keys-batch-size"),
            (changed(&self.script, ""), "script"),
            (changed(self.lua_script_read_only, "false"), "lua-script-read-only"),
            (changed(&self.tls_client_key_file, ""), "tls-client-key-file"),
            (changed(&self.tls_client_cert_file, ""), "tls-client-cert-file"),
            (changed(&self.tls_ca_cert_file, ""), "tls-ca-cert-file"),
            (changed(&self.tls_server_name, ""), "tls-server-name"),
            (changed(&self.tls_server_key_file, ""), "tls-server-key-file"),
            (changed(&self.tls_server_cert_file, ""), "tls-server-cert-file"),
            (changed(&self.tls_server_ca_cert_file, ""), "tls-server-ca-cert-file"),
            (changed(&self.tls_server_min_version, "TLS1.2"), "tls-server-min-version"),
            (changed(self.max_distinct_key_groups, "100"), "max-distinct-key-groups"),
            (changed(self.is_tile38, "false"), "is-tile38"),
            (changed(self.is_cluster, "false"), "is-cluster"),
            (changed(self.cluster_discover_hostnames, "false"), "cluster-discover-hostnames"),
            (changed(self.export_client_list, "false"), "export-client-list"),
            (changed(self.export_client_port, "false"), "export-client-port"),
            (changed(self.include_go_runtime_metrics, "false"), "include-go-runtime-metrics"),
            (changed(self.include_modules_metrics, "false"), "include-modules-metrics"),
            (
                changed(self.include_search_indexes_metrics, "false"),
                "include-search-indexes-metrics",
            ),
            (changed(&self.check_search_indexes, ".*"), "check-search-indexes"),
            (changed(self.disable_exporting_key_values, "false"), "disable-exporting-key-values"),
            (changed(self.include_rdb_file_size_metric, "false"), "include-rdb-file-size-metric"),
            (changed(self.skip_tls_verification, "false"), "skip-tls-verification"),
            (
                changed(self.skip_checkkeys_for_role_master, "false"),
                "skip-checkkeys-for-role-master",
            ),
            (changed(&self.basic_auth_username, ""), "basic-auth-username"),
            (changed(&self.basic_auth_password.0, ""), "basic-auth-password"),
            (changed(&self.basic_auth_hash_password.0, ""), "basic-auth-hash-password"),
        ]
        .into_iter()
        .filter_map(|(changed, name)| changed.then_some(name))
        .collect()
    }
}

fn changed(value: impl Display, default: &str) -> bool {
    value.to_string() != default
}
