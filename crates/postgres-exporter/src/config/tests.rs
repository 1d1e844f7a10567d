//! Tests of the file of modules.

use super::Config;
use crate::dsn::SslMode;

#[test]
fn modules_are_read() {
    let config = Config::parse(
        "auth_modules:
  first:
    type: userpass
    userpass:
      username: monitor
      password: 1234
    options:
      sslmode: disable
      connect_timeout: 5
  second:
    type: whatever
    userpass: {username: u, password_file: /run/secrets/p}
    targets: [db-*.internal, 'other:6432']
    sslmode_min: verify-full
",
    )
    .unwrap();
    let first = config.module("first").unwrap();
    assert_eq!(first.userpass.username, "monitor");
    assert_eq!(first.userpass.password.as_ref().unwrap().reveal(), "1234");
    assert_eq!(first.options["connect_timeout"], "5");
    let second = config.module("second").unwrap();
    assert_eq!(second.sslmode_min, Some(SslMode::VerifyFull));
    assert!(second.targets.iter().any(|glob| glob.matches("db-1.internal")));
    assert!(config.module("third").is_none());
    assert_eq!(config.unbound().collect::<Vec<_>>(), ["first"]);
}

#[test]
fn nothing_is_no_module() {
    for text in ["", "# only a comment\n", "{}", "auth_modules: {}"] {
        assert_eq!(Config::parse(text).unwrap().unbound().count(), 0, "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_without_a_value() {
    for (text, begin) in [
        ("auth_modules:\n  a:\n    userpas: {}\n", "line 3, column 5: unknown field `userpas`"),
        ("modules: {}\n", "line 1, column 1: unknown field `modules`"),
        ("auth_modules: hunter2\n", "line 1, column 15: not the expected form"),
        ("auth_modules:\n  a:\n    userpass: hunter2\n", "line 3, column 15: not the expected"),
        ("auth_modules:\n  a: {sslmode_min: hunter2}\n", "line 2, column "),
        ("auth_modules: [hunter2\n", ""),
    ] {
        let error = Config::parse(text).unwrap_err();
        assert!(error.starts_with(begin), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_config_shows_no_password() {
    let text = "auth_modules: {a: {userpass: {username: u, password: hunter2}}}";
    let config = Config::parse(text).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}
