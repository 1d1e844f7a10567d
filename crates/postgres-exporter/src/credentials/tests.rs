//! Tests of what is looked up at a login.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use super::{Login, Lookups, find};
use crate::dsn::{Dsn, Secret};

fn dsn(text: &str, lookups: Lookups) -> Dsn {
    let mut dsn = Dsn::parse(text, &|_| None).unwrap();
    dsn.lookups = lookups;
    dsn
}

fn login(user: &str, password: Option<&str>) -> Login {
    Login { user: user.to_owned(), password: password.map(Secret::new) }
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn files_are_read_at_each_login() {
    let folder = tempfile::tempdir().unwrap();
    let (user, password) = (folder.path().join("user"), folder.path().join("password"));
    let lookups = Lookups {
        user_file: Some(user.clone()),
        password_file: Some(password.clone()),
        ..Lookups::default()
    };
    let dsn = dsn("postgres://a:b@h/db", lookups);
    for (name, text) in [("monitor", "one"), ("other", "two")] {
        write(&user, &format!("{name}\n"), 0o600);
        write(&password, &format!(" {text}\n"), 0o600);
        assert_eq!(dsn.login().await, Ok(login(name, Some(text))));
    }
    fs::remove_file(&password).unwrap();
    let error = dsn.login().await.unwrap_err().to_string();
    assert!(error.starts_with("cannot read ") && error.contains("password"), "{error}");
}

#[tokio::test]
async fn a_command_prints_the_password() {
    let of = |command: &str| {
        let lookups = Lookups { password_command: Some(command.to_owned()), ..Lookups::default() };
        dsn("postgres://a@h/db", lookups)
    };
    let printed = of("printf 's3cret word \\nmore\\n'").login().await;
    assert_eq!(printed, Ok(login("a", Some("s3cret word"))));
    for (command, reason) in [
        ("echo hunter2; exit 3", "the password command ended with exit status: 3"),
        ("true", "the password command printed nothing"),
    ] {
        assert_eq!(of(command).login().await.unwrap_err().to_string(), reason);
    }
}

#[tokio::test]
async fn a_password_file_of_libpq_is_for_those_without_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let passfile = folder.path().join(".pgpass");
    let lookups = Lookups { passfile: Some(passfile.clone()), ..Lookups::default() };
    let (without, with) = (
        dsn("postgres://a@h/db", lookups.clone()),
        dsn("postgres://a:given@h/db", lookups.clone()),
    );
    assert_eq!(without.login().await, Ok(login("a", None)), "no such file");
    write(&passfile, "h:5432:*:a:stored\nlocalhost:*:*:*:socket\n", 0o600);
    assert_eq!(without.login().await, Ok(login("a", Some("stored"))));
    assert_eq!(with.login().await, Ok(login("a", Some("given"))));
    let socket = dsn("host=/run user=u", lookups);
    assert_eq!(socket.login().await, Ok(login("u", Some("socket"))));
    write(&passfile, "h:5432:*:a:stored\n", 0o644);
    assert_eq!(without.login().await, Ok(login("a", None)), "others may read it");
}

#[test]
fn lines_are_found_as_libpq_finds_them() {
    for (text, expected) in [
        ("h:1:d:u:pw", Some("pw")),
        ("#h:1:d:u:pw", None),
        ("*:*:*:*:any", Some("any")),
        (r"\*:1:d:u:pw", None),
        ("x:1:d:u:no\nh:1:d:u:yes\nh:1:d:u:late", Some("yes")),
        (r"h:1:d:u:a:b\:c\\", Some(r"a:b:c\")),
        ("h:1:d:u", None),
        ("h:1:d:u:", Some("")),
        ("", None),
    ] {
        assert_eq!(find(text, ["h", "1", "d", "u"]).as_deref(), expected, "{text}");
    }
}
