//! TLS with certificates on both sides, between a Prometheus and all three exporters, each in a container
//! of the platform's image on the platform's network.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use e2e::{Authority, eventually_within};

use crate::{
    stack,
    storage::{ADDRESS, Container, prometheus_beside, readable, wait_until_ready},
};

const EXPORTERS: [(&str, u16); 3] =
    [("statsd-exporter", 9102), ("postgres-exporter", 9187), ("valkey-exporter", 9121)];

/// The exporter's name on the network.
fn name(exporter: &str) -> String {
    format!("tls-{exporter}")
}

/// An authority, and what it signs for the exporters and for Prometheus.
fn certificates(folder: &Path) -> Result<()> {
    let authority = Authority::create("authority", folder)?;
    let exporters = EXPORTERS.map(|(exporter, _)| stack::container(&name(exporter)));
    authority.sign("server", &exporters, &folder.join("server"))?;
    authority.sign("client", &["prometheus".to_owned()], &folder.join("client"))
}

/// Three ways to ask, of which one is right.
const PROMETHEUS: &str = "\
global: {scrape_interval: 2s, scrape_timeout: 2s}
scrape_configs:
- job_name: tls
  scheme: https
  tls_config: {ca_file: /input/authority.crt, cert_file: /input/client.crt, key_file: /input/client.key}
  static_configs: &exporters [{targets: [TARGETS]}]
- job_name: no-certificate
  scheme: https
  tls_config: {ca_file: /input/authority.crt}
  static_configs: *exporters
- job_name: plain
  static_configs: *exporters
";

fn write_input(folder: &Path) -> Result<()> {
    certificates(folder)?;
    let web = "tls_server_config: {cert_file: server.crt, key_file: server.key, \
               client_auth_type: RequireAndVerifyClientCert, client_ca_file: authority.crt}\n";
    fs::write(folder.join("web.yml"), web)?;
    let targets =
        EXPORTERS.map(|(exporter, port)| format!("'{}:{port}'", stack::container(&name(exporter))));
    let prometheus = PROMETHEUS.replace("TARGETS", &targets.join(", "));
    Ok(fs::write(folder.join("prometheus.yml"), prometheus)?)
}

/// With the environment of the platform's own, passwords among it: in a file, since a command that fails
/// is told with its arguments.
fn start(exporter: &str, mount: &str) -> Result<Container> {
    let environment = stack::inspect(exporter, "{{range .Config.Env}}{{println .}}{{end}}")?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("environment");
    fs::write(&file, environment)?;
    let file = file.to_str().context("a path")?;
    Container::beside(
        &stack::image(exporter)?,
        &name(exporter),
        &["--volume", mount, "--env-file", file, "IMAGE", "--web.config.file=/input/web.yml"],
    )
}

pub(crate) fn prometheus_scrapes_exporters_over_tls() -> Result<()> {
    let folder = tempfile::tempdir()?;
    write_input(folder.path())?;
    let mount = readable(folder.path())?;
    let mut exporters = Vec::new();
    for (exporter, _) in EXPORTERS {
        exporters.push(start(exporter, &mount)?);
    }
    let _prometheus = prometheus_beside("tls", &[&mount])?;
    wait_until_ready()?;
    for is_so in [
        r#"count(up{job="tls"} == 1) == 3 and count(up == 0) == 6"#,
        r#"count({job="tls", __name__=~"statsd_exporter_lines_total|pg_up|redis_up"}) == 3"#,
    ] {
        eventually_within(Duration::from_mins(2), is_so, || {
            let up = stack::query_at(ADDRESS, "up")?;
            ensure!(!stack::query_at(ADDRESS, is_so)?.is_empty(), "{up:?}");
            Ok(())
        })?;
    }
    // The image's own check finds TLS by itself.
    for exporter in &exporters {
        eventually_within(Duration::from_mins(1), "it is healthy", || {
            let state = ["inspect", "--format", "{{.State.Health.Status}}", exporter.name()];
            let state = stack::docker(&state)?;
            ensure!(state == "healthy", "{} is {state}", exporter.name());
            Ok(())
        })?;
    }
    Ok(())
}
