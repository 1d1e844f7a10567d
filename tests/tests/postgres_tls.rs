//! Encrypted logins to a real server: whom the exporter trusts, and whom the server does.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    Authority, Exporter, eventually,
    postgres::{becomes, is, scrape},
    servers::{MONITOR_PASSWORD_ENCODED, Postgres, Setup},
};

/// Who may come in, and how. The owner, who is a test's, comes without TLS.
const HBA: &str = "\
local   all all scram-sha-256
host    all postgres all scram-sha-256
hostssl all monitor all scram-sha-256
hostssl all certified all cert
hostssl all paired all scram-sha-256 clientcert=verify-full
";

/// A server takes a key only if it is its own and nobody else may read it.
const SCRIPT: &str = "mkdir /tls && cp /given/* /tls && chown -R postgres /tls && chmod 600 /tls/* && \
    exec docker-entrypoint.sh postgres -c ssl=on -c ssl_cert_file=/tls/server.crt \
    -c ssl_key_file=/tls/server.key -c ssl_ca_file=/tls/authority.crt -c hba_file=/tls/pg_hba.conf";

/// A server with a certificate for `localhost`, and the authority which signed it.
async fn start(folder: &Path) -> Result<(Postgres, Authority)> {
    let issuer = Authority::create("authority", folder)?;
    issuer.sign_here("server", &folder.join("server"))?;
    let read = |name: &str| fs::read(folder.join(name));
    let files = vec![
        ("/given/server.crt", read("server.crt")?),
        ("/given/server.key", read("server.key")?),
        ("/given/authority.crt", read("authority.crt")?),
        ("/given/pg_hba.conf", HBA.as_bytes().to_vec()),
    ];
    let setup = Setup { script: Some(SCRIPT), files, ..Setup::default() };
    Ok((Postgres::start_as(setup).await?, issuer))
}

/// Starts an exporter as `user` at `host`, with `parameters` of the data source. Either it logs in, or it
/// tells why not: `reason` is a part of that.
fn logs_in(
    server: &Postgres,
    user: &str,
    host: &str,
    parameters: &str,
    reason: Option<&str>,
) -> Result<Exporter> {
    let dsn = format!("postgresql://{user}@{host}:{}/lakehouse?{parameters}", server.port);
    let exporter = Exporter::start("postgres-exporter", &[], &[("DATA_SOURCE_NAME", &dsn)])?;
    let told = || format!("{user} at {host} with {parameters}");
    becomes(&exporter, if reason.is_none() { 1.0 } else { 0.0 }).with_context(told)?;
    let health = exporter.get("/health")?;
    match reason {
        None => ensure!(health.status == 200, "{}: {}", told(), health.body),
        Some(reason) => {
            ensure!(health.status == 503, "{}: {}", told(), health.body);
            ensure!(health.body.contains(reason), "{}: no {reason:?}: {}", told(), health.body);
        }
    }
    Ok(exporter)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_trusted_as_far_as_sslmode_says() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (server, _issuer) = start(folder.path()).await?;
    Authority::create("stranger", folder.path())?;
    let monitor = format!("monitor:{MONITOR_PASSWORD_ENCODED}");
    let root = |name: &str| format!("sslrootcert={}/{name}.crt", folder.path().display());
    let (known, strange) = (root("authority"), root("stranger"));
    for (host, parameters, reason) in [
        ("localhost", format!("sslmode=verify-full&{known}"), None),
        ("127.0.0.1", format!("sslmode=verify-full&{known}"), Some("not valid for name")),
        ("127.0.0.1", format!("sslmode=verify-ca&{known}"), None),
        ("localhost", format!("sslmode=verify-full&{strange}"), Some("UnknownIssuer")),
        ("localhost", format!("sslmode=verify-ca&{strange}"), Some("UnknownIssuer")),
        // The authorities of the web, of which none signed it.
        ("localhost", "sslmode=verify-full".to_owned(), Some("UnknownIssuer")),
        ("localhost", format!("sslmode=verify-full&{known}.none"), Some("sslrootcert")),
        ("127.0.0.1", "sslmode=require".to_owned(), None),
        ("127.0.0.1", format!("sslmode=require&{strange}"), Some("UnknownIssuer")),
        ("127.0.0.1", "sslmode=prefer".to_owned(), None),
        ("127.0.0.1", "sslmode=disable".to_owned(), Some("no encryption")),
    ] {
        drop(logs_in(&server, &monitor, host, &parameters, reason)?);
    }
    let exporter =
        logs_in(&server, &monitor, "localhost", &format!("sslmode=verify-full&{known}"), None)?;
    let sessions = "SELECT count(*) FILTER (WHERE ssl), count(*) FROM pg_stat_ssl \
                    JOIN pg_stat_activity USING (pid) WHERE usename = 'monitor'";
    let owner = server.client().await?;
    is(&scrape(&exporter, "/metrics", 10)?, "pg_up", &[], 1.0)?;
    let row = owner.query_one(sessions, &[]).await?;
    let (encrypted, all) = (row.get::<_, i64>(0), row.get::<_, i64>(1));
    ensure!(all > 0 && encrypted == all, "{encrypted} of {all} sessions are encrypted");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_is_shown_and_renewed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (server, issuer) = start(folder.path()).await?;
    let stranger = Authority::create("stranger", folder.path())?;
    let owner = server.client().await?;
    owner
        .batch_execute(
            "CREATE ROLE certified LOGIN IN ROLE pg_monitor; CREATE ROLE paired LOGIN PASSWORD 'paired' \
             IN ROLE pg_monitor; GRANT CONNECT ON DATABASE lakehouse TO certified, paired",
        )
        .await?;
    let file = |name: &str| folder.path().join(name);
    issuer.sign_here("certified", &file("certified"))?;
    issuer.sign_here("paired", &file("paired"))?;
    stranger.sign_here("certified", &file("forged"))?;
    let shown = |name: &str| {
        let folder = folder.path().display();
        format!(
            "sslmode=verify-full&sslrootcert={folder}/authority.crt&\
             sslcert={folder}/{name}.crt&sslkey={folder}/{name}.key"
        )
    };
    let trusting =
        format!("sslmode=verify-full&sslrootcert={}/authority.crt", folder.path().display());
    for (user, parameters, reason) in [
        ("certified", shown("certified"), None),
        ("certified", trusting.clone(), Some("certificate")),
        ("certified", shown("paired"), Some("certificate authentication failed")),
        ("certified", shown("forged"), Some("")),
        ("certified", shown("missing"), Some("sslcert")),
        ("paired:paired", shown("paired"), None),
        ("paired:wrong", shown("paired"), Some("password authentication failed")),
        ("paired:paired", shown("certified"), Some("authentication failed")),
        ("paired:paired", trusting, Some("certificate")),
    ] {
        drop(logs_in(&server, user, "localhost", &parameters, reason)?);
    }

    // The files are read at each login: a certificate that was replaced needs no restart.
    let exporter = logs_in(&server, "certified", "localhost", &shown("certified"), None)?;
    let end =
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'certified'";
    issuer.sign_here("paired", &file("certified"))?;
    owner.query_one(end, &[]).await?;
    becomes(&exporter, 0.0)?;
    issuer.sign_here("certified", &file("certified"))?;
    eventually("the new certificate is shown", || {
        is(&scrape(&exporter, "/metrics", 10)?, "pg_up", &[], 1.0)
    })
}
