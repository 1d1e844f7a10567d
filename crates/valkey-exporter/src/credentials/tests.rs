use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::{Credentials, Login, Origin, PasswordFiles, TrustedHost, host_matches};
use crate::{address::Address, secret::Secret};

fn credentials(folder: &std::path::Path) -> Credentials {
    let path = folder.join("passwords.json");
    let text = r#"{"redis://filed:1":"of-file","redis://exporter@filed:1":"of-exporter",
        "rediss://safe:1":"of-tls"}"#;
    std::fs::write(&path, text).expect("written");
    let trusted = |pattern: &str, tls| TrustedHost { pattern: pattern.to_owned(), tls };
    Credentials::new(
        None,
        Some(Secret::new("of-flag")),
        PasswordFiles { by_address: Some(path), default: None },
        vec![trusted("own", false), trusted("*.example.com", false), trusted("secure", true)],
    )
    .expect("valid")
}

fn shown(login: &Login) -> String {
    format!("{:?} {:?}", login.user, login.password.as_ref().map(Secret::expose))
}

fn check(addresses: &[&str], expected: &Expect) {
    let folder = tempfile::tempdir().expect("a folder");
    let credentials = credentials(folder.path());
    let mut text = String::new();
    for address in addresses {
        let parsed = Address::parse(address).expect("an address");
        let own = shown(&credentials.login(&parsed, Origin::Configured));
        let target = shown(&credentials.login(&parsed, Origin::Asked));
        writeln!(text, "{address:<30}{own:<38}{target}").expect("memory");
    }
    expected.assert_eq(&text);
}

/// As `--redis.addr`, then as `/scrape?target=`.
#[test]
fn a_password_comes_from_the_address_then_the_file_then_the_flag() {
    check(
        &[
            "redis://other:1",
            "redis://own:7",
            "redis://a.example.com:1",
            "redis://u:pw@other:1",
            "redis://u:pw@own:1",
            "redis://filed:1",
            "redis://exporter@filed:1",
            "redis://nobody@filed:1",
            "redis://exporter:pw@filed:1",
            "unix:///run/v.sock",
            "rediss://safe:1",
            "redis://safe:1",
            "valkeys://secure:1",
            "valkey://secure:1",
        ],
        &expect![[r#"
            redis://other:1               None Some("of-flag")                  None None
            redis://own:7                 None Some("of-flag")                  None Some("of-flag")
            redis://a.example.com:1       None Some("of-flag")                  None Some("of-flag")
            redis://u:pw@other:1          Some("u") Some("pw")                  Some("u") None
            redis://u:pw@own:1            Some("u") Some("pw")                  Some("u") Some("of-flag")
            redis://filed:1               None Some("of-file")                  None Some("of-file")
            redis://exporter@filed:1      Some("exporter") Some("of-exporter")  Some("exporter") Some("of-exporter")
            redis://nobody@filed:1        None Some("nobody")                   Some("nobody") None
            redis://exporter:pw@filed:1   Some("exporter") Some("pw")           Some("exporter") Some("of-exporter")
            unix:///run/v.sock            None Some("of-flag")                  None None
            rediss://safe:1               None Some("of-tls")                   None Some("of-tls")
            redis://safe:1                None Some("of-flag")                  None None
            valkeys://secure:1            None Some("of-flag")                  None Some("of-flag")
            valkey://secure:1             None Some("of-flag")                  None None
        "#]],
    );
}

#[test]
fn a_host_is_named_whole_or_by_its_domain() {
    for (pattern, host, expected) in [
        ("*", "anything", true),
        ("own", "own", true),
        ("Own", "oWN", true),
        ("own", "owner", false),
        ("*.example.com", "a.example.com", true),
        ("*.example.com", "a.b.example.com", true),
        ("*.example.com", "example.com", false),
        ("*.example.com", "badexample.com", false),
        ("*example.com", "badexample.com", false),
        ("", "own", false),
    ] {
        assert_eq!(host_matches(pattern, host), expected, "{pattern} {host}");
    }
}

#[test]
fn files_are_read_again_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret");
    std::fs::write(&path, "first\nignored\n").expect("written");
    let files = PasswordFiles { by_address: None, default: Some(path.clone()) };
    let credentials = Credentials::new(None, None, files, Vec::new()).expect("valid");
    let address = Address::parse("h").expect("an address");
    let login = |credentials: &Credentials| shown(&credentials.login(&address, Origin::Configured));
    assert_eq!(login(&credentials), r#"None Some("first")"#);
    std::fs::write(&path, "second").expect("written");
    credentials.reload().expect("valid");
    assert_eq!(login(&credentials), r#"None Some("second")"#);
    std::fs::remove_file(&path).expect("it is there");
    assert!(credentials.reload().is_err());
    assert_eq!(login(&credentials), r#"None Some("second")"#);
}
