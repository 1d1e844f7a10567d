use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::{Credentials, matches};
use crate::{address::Address, password_file::PasswordFile, secret::Secret};

fn credentials(hosts: &[&str]) -> Credentials {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("passwords.json");
    let text = r#"{"redis://filed:1":"of-file","redis://exporter@filed:1":"of-exporter"}"#;
    std::fs::write(&path, text).expect("written");
    Credentials {
        user: None,
        password: Some(Secret::new("of-flag")),
        file: PasswordFile::load(&path).expect("valid"),
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
    }
}

fn check(addresses: &[&str], expected: &Expect) {
    let credentials = credentials(&["own", "*.example.com"]);
    let mut text = String::new();
    for address in addresses {
        let parse = || Address::parse(address).expect("an address");
        let shown = |node: &crate::node::Node| {
            let (user, password) = node.credentials();
            format!("{user:?} {:?}", password.map(Secret::expose))
        };
        let own = credentials.node_for_address(parse(), true);
        let target = credentials.node_for_target(parse(), true);
        writeln!(text, "{address:<30}{:<38}{}", shown(&own), shown(&target)).expect("memory");
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
        assert_eq!(matches(pattern, host), expected, "{pattern} {host}");
    }
}
