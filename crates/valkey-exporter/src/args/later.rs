//! Flags of `redis_exporter` whose function comes later. They are read, so that a command line which
//! worked goes on working, and each that is used is named in the log.

use std::fmt::Display;

use super::{HiddenText, go_bool};

/// See the module.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Not in this version")]
pub struct LaterArgs {
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

    /// The server is a node of a cluster.
    #[arg(id = "is-cluster", long, env = "REDIS_EXPORTER_IS_CLUSTER", value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub is_cluster: bool,

    /// Show names instead of addresses when discovering a cluster.
    #[arg(id = "cluster-discover-hostnames", long, env = "REDIS_EXPORTER_CLUSTER_DISCOVER_HOSTNAMES", value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub cluster_discover_hostnames: bool,

    /// Show metrics of the Go runtime; there is none in this program.
    #[arg(id = "include-go-runtime-metrics", long, env = "REDIS_EXPORTER_INCLUDE_GO_RUNTIME_METRICS", value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub include_go_runtime_metrics: bool,

    /// Take any certificate of the server.
    #[arg(id = "skip-tls-verification", long, env = "REDIS_EXPORTER_SKIP_TLS_VERIFICATION", value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub skip_tls_verification: bool,

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
            (changed(&self.tls_client_key_file, ""), "tls-client-key-file"),
            (changed(&self.tls_client_cert_file, ""), "tls-client-cert-file"),
            (changed(&self.tls_ca_cert_file, ""), "tls-ca-cert-file"),
            (changed(&self.tls_server_name, ""), "tls-server-name"),
            (changed(&self.tls_server_key_file, ""), "tls-server-key-file"),
            (changed(&self.tls_server_cert_file, ""), "tls-server-cert-file"),
            (changed(&self.tls_server_ca_cert_file, ""), "tls-server-ca-cert-file"),
            (changed(&self.tls_server_min_version, "TLS1.2"), "tls-server-min-version"),
            (changed(self.is_cluster, "false"), "is-cluster"),
            (changed(self.cluster_discover_hostnames, "false"), "cluster-discover-hostnames"),
            (changed(self.include_go_runtime_metrics, "false"), "include-go-runtime-metrics"),
            (changed(self.skip_tls_verification, "false"), "skip-tls-verification"),
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
