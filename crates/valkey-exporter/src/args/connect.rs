//! How servers are reached.

use super::go_bool;

/// See the module.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Servers")]
pub struct ConnectArgs {
    /// Client certificate shown to the server.
    #[arg(
        id = "tls-client-cert-file",
        long,
        env = "REDIS_EXPORTER_TLS_CLIENT_CERT_FILE",
        value_name = "FILE",
        default_value = "",
        hide_default_value = true
    )]
    pub tls_client_cert_file: String,

    /// Key of our client certificate.
    #[arg(
        id = "tls-client-key-file",
        long,
        env = "REDIS_EXPORTER_TLS_CLIENT_KEY_FILE",
        value_name = "FILE",
        default_value = "",
        hide_default_value = true
    )]
    pub tls_client_key_file: String,

    /// Certificates which vouch for the server: a file or a folder; without, those of the system.
    #[arg(
        id = "tls-ca-cert-file",
        long,
        env = "REDIS_EXPORTER_TLS_CA_CERT_FILE",
        value_name = "FILE",
        default_value = "",
        hide_default_value = true
    )]
    pub tls_ca_cert_file: String,

    /// Name that the server's certificate has to have.
    #[arg(
        id = "tls-server-name",
        long,
        env = "REDIS_EXPORTER_TLS_SERVER_NAME",
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    pub tls_server_name: String,

    /// Take any certificate of the server.
    #[arg(id = "skip-tls-verification", long, env = "REDIS_EXPORTER_SKIP_TLS_VERIFICATION",
          value_name = "BOOL", default_value = "false", action = clap::ArgAction::Set, value_parser = go_bool)]
    pub skip_tls_verification: bool,

    /// File whose first line is the password of the server, read again before each connection.
    #[arg(
        id = "redis.secret-file",
        long,
        value_name = "FILE",
        default_value = "",
        hide_default_value = true
    )]
    pub redis_secret_file: String,

    /// Hosts that /scrape may send --redis.password to, comma-separated: names, `*.example.com`,
    /// or `*` for every host. The host of --redis.addr always may be sent it.
    #[arg(
        id = "scrape.password-hosts",
        long,
        value_name = "HOSTS",
        default_value = "",
        hide_default_value = true
    )]
    pub scrape_password_hosts: String,

    /// Hosts that /scrape may be asked for, in the same form; empty for every host.
    #[arg(
        id = "scrape.allowed-hosts",
        long,
        value_name = "HOSTS",
        default_value = "",
        hide_default_value = true
    )]
    pub scrape_allowed_hosts: String,

    /// Connections to servers at once. They are kept between scrapes.
    #[arg(
        id = "scrape.max-connections",
        long,
        value_name = "COUNT",
        default_value = "1024",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub scrape_max_connections: u32,

    /// Bytes that the replies to one batch of commands may have. A server that sends more, or says
    /// that it will, is hung up on.
    #[arg(
        id = "scrape.max-reply-bytes",
        long,
        value_name = "BYTES",
        default_value = "16777216",
        value_parser = clap::value_parser!(u64).range(1024..)
    )]
    pub scrape_max_reply_bytes: u64,

    /// The same for values: numbers, texts and lists. Each takes more memory than it has bytes.
    #[arg(
        id = "scrape.max-reply-values",
        long,
        value_name = "COUNT",
        default_value = "1000000",
        value_parser = clap::value_parser!(u64).range(1000..)
    )]
    pub scrape_max_reply_values: u64,
}

impl ConnectArgs {
    /// What stands between the commas of `list`.
    pub fn hosts(list: &str) -> Vec<String> {
        let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    }
}
