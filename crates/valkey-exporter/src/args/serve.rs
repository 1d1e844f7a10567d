//! How scrapers reach this exporter. `--web.config.file` says the same and more.

use super::HiddenText;

/// See the module.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Scrapers")]
pub struct ServeArgs {
    /// Certificate of this exporter.
    #[arg(
        id = "tls-server-cert-file",
        long,
        env = "REDIS_EXPORTER_TLS_SERVER_CERT_FILE",
        value_name = "FILE",
        default_value = "",
        hide_default_value = true
    )]
    pub tls_server_cert_file: String,

    /// Key of this exporter's certificate.
    #[arg(
        id = "tls-server-key-file",
        long,
        env = "REDIS_EXPORTER_TLS_SERVER_KEY_FILE",
        value_name = "FILE",
        default_value = "",
        hide_default_value = true
    )]
    pub tls_server_key_file: String,

    /// Certificates which vouch for scrapers.
    #[arg(
        id = "tls-server-ca-cert-file",
        long,
        env = "REDIS_EXPORTER_TLS_SERVER_CA_CERT_FILE",
        value_name = "FILE",
        default_value = "",
        hide_default_value = true
    )]
    pub tls_server_ca_cert_file: String,

    /// Oldest version of TLS for scrapers.
    #[arg(
        id = "tls-server-min-version",
        long,
        env = "REDIS_EXPORTER_TLS_SERVER_MIN_VERSION",
        value_name = "VERSION",
        default_value = "TLS1.2"
    )]
    pub tls_server_min_version: String,

    /// User that scrapers have to name.
    #[arg(
        id = "basic-auth-username",
        long,
        env = "REDIS_EXPORTER_BASIC_AUTH_USERNAME",
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    pub basic_auth_username: String,

    /// Password that scrapers have to give.
    #[arg(
        id = "basic-auth-password",
        long,
        env = "REDIS_EXPORTER_BASIC_AUTH_PASSWORD",
        value_name = "NAME",
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
        value_name = "NAME",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true
    )]
    pub basic_auth_hash_password: HiddenText,
}
