//! Tests of who may be asked with which login; scrapes stand in `exporter::tests`.

use std::{fs, sync::Arc, time::Duration};

use metrics_server::CollectorChoice;
use prometheus::Registry;

use super::{Modules, Probe, Rules};
use crate::{collectors::TABLE, databases::Glob, dsn::Dsn, exporter::Options, session::Limits};

const CONFIG: &str = "
auth_modules:
  plain:
    userpass: {username: monitor, password: hunter2}
    options: {sslmode: disable, dbname: chosen}
  bound:
    userpass: {username: monitor, password_file: /run/secrets/p}
    targets: [db-*.internal, 'other:6432']
    sslmode_min: verify-full
  certificate:
    userpass: {username: monitor}
    options: {sslcert: /c.pem, sslkey: /k.pem}
  nobody:
    userpass: {password: hunter2}
  silent:
    userpass: {username: monitor}
";

fn probe(config: &str, targets: &str) -> Probe {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("postgres_exporter.yml");
    fs::write(&path, config).unwrap();
    let modules = Modules::load(path, &Registry::new()).unwrap();
    let limits = Limits {
        connect: Duration::from_secs(3),
        statement: Duration::from_secs(5),
        lock: Duration::from_secs(1),
        connections_max: 3,
    };
    let rules = Rules { targets: Glob::list(targets), targets_max: 2, limits };
    Probe::new(Arc::new(modules), rules, CollectorChoice::defaults(TABLE), Options::default())
}

fn ask(probe: &Probe, target: &str, module: &str) -> Result<Dsn, String> {
    probe.dsn(target, module).map_err(|refused| {
        assert_eq!(refused.status.as_u16(), 400);
        refused.message
    })
}

#[test]
fn texts_are_those_of_postgres_exporter() {
    let probe = probe(CONFIG, "");
    for (target, module, text) in [
        ("", "", "target is required"),
        ("h", "other", "auth_module other not found"),
        ("h", "nobody", "auth_module nobody has no username or password"),
        ("h", "silent", "auth_module silent has no username or password"),
    ] {
        assert_eq!(ask(&probe, target, module).unwrap_err(), text);
    }
    for target in ["postgres://h:hunter2/db", "host='hunter2", "h:hunter2"] {
        let text = ask(&probe, target, "plain").unwrap_err();
        assert!(text.starts_with("could not configure dsn for target: "), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn targets_have_three_forms_and_modules_win() {
    let probe = probe(CONFIG, "");
    for target in [
        "db:6432/app?sslmode=require&connect_timeout=2",
        "postgresql://other:word@db:6432/app?sslmode=require",
        "host=db port=6432 user=other password=word dbname=app",
    ] {
        let dsn = ask(&probe, target, "plain").unwrap();
        assert_eq!((dsn.server().as_str(), dsn.user.as_str()), ("db:6432", "monitor"), "{target}");
        assert_eq!(dsn.password.unwrap().reveal(), "hunter2");
        assert_eq!(dsn.database, "chosen");
        assert_eq!(dsn.ssl.mode, crate::dsn::SslMode::Disable);
    }
    let dsn = ask(&probe, "postgresql://other:word@db/app", "").unwrap();
    assert_eq!((dsn.user.as_str(), dsn.database.as_str()), ("other", "app"));
    assert!(std::env::var_os("HOME").is_some(), "there is something to keep from strangers");
    assert_eq!(
        (dsn.lookups.passfile, dsn.ssl.folder),
        (None, None),
        "files of the exporter's user"
    );
    assert!(ask(&probe, "db", "certificate").unwrap().password.is_none());
}

#[test]
fn a_password_goes_only_where_its_module_says() {
    let probe = probe(CONFIG, "");
    for target in ["db-1.internal?sslmode=verify-full", "other:6432/x?sslmode=verify-full"] {
        let dsn = ask(&probe, target, "bound").unwrap();
        assert!(dsn.lookups.password_file.is_some() && dsn.password.is_none());
    }
    for (target, reason) in [
        ("evil.example?sslmode=verify-full", "the host is not one of the module's targets"),
        ("other:5432?sslmode=verify-full", "the host is not one of the module's targets"),
        (
            "db-1.internal?host=evil&sslmode=verify-full",
            "the host is not one of the module's targets",
        ),
        (
            "host=db-1.internal hostaddr=6.6.6.6 sslmode=verify-full",
            "the host is not one of the module's targets",
        ),
        ("db-1.internal?sslmode=require", "sslmode is below the module's sslmode_min"),
        ("db-1.internal", "sslmode is below the module's sslmode_min"),
        (
            "db-1.internal?sslmode=verify-full&sslrootcert=/tmp/x",
            "a target may not name files: sslrootcert",
        ),
    ] {
        let text = ask(&probe, target, "bound").unwrap_err();
        assert_eq!(text, format!("could not configure dsn for target: {reason}"), "{target}");
    }
}

#[test]
fn probes_can_be_kept_to_known_hosts() {
    let probe = probe(CONFIG, "db-*,x:1");
    assert!(ask(&probe, "db-2", "plain").is_ok() && ask(&probe, "x:1", "").is_ok());
    let text = ask(&probe, "x:2", "").unwrap_err();
    assert_eq!(text, "could not configure dsn for target: the host is not one of --probe.targets");
}

#[tokio::test]
async fn only_so_many_servers_are_remembered() {
    let probe = probe(CONFIG, "");
    let known = |probe: &Probe| {
        probe.known().iter().map(|known| known.dsn.host.clone()).collect::<Vec<_>>()
    };
    for host in ["a", "b", "a", "c", "c"] {
        drop(probe.exporter(probe.dsn(host, "plain").unwrap()));
    }
    assert_eq!(known(&probe), ["a", "c"]);
    probe.close().await;
    assert!(known(&probe).is_empty());
}

#[test]
fn a_reload_that_fails_keeps_the_modules() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("postgres_exporter.yml");
    let registry = Registry::new();
    let modules = Modules::load(path.clone(), &registry).unwrap();
    let successful = || modules.successful.get() > 0.5;
    assert!(!successful() && modules.reload().is_ok(), "no file, and nothing lost");
    fs::write(&path, CONFIG).unwrap();
    modules.reload().unwrap();
    assert!(successful() && modules.loaded_at.get() > 1e9);
    fs::write(&path, "auth_modules: hunter2").unwrap();
    let error = modules.reload().unwrap_err();
    assert!(!successful() && !error.contains("hunter2"), "{error}");
    fs::remove_file(&path).unwrap();
    assert!(modules.reload().is_err());
    assert!(modules.current().module("plain").is_some());
}
