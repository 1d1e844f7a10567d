use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::Address;

/// Where it leads and as whom, or what is wrong with it.
fn check(addresses: &[&str], expected: &Expect) {
    let mut text = String::new();
    for address in addresses {
        let outcome = match Address::parse(address) {
            Ok(read) => {
                let password = read.password.as_ref().map(crate::secret::Secret::expose);
                let tls = if read.tls { " tls" } else { "" };
                let Address { database, user, .. } = &read;
                format!("{read}{tls} db {database} user {user:?} password {password:?}")
            }
            Err(error) => format!("error: {error}"),
        };
        writeln!(text, "{address:<36}{outcome}").expect("memory");
    }
    expected.assert_eq(&text);
}

#[test]
fn every_form_of_redis_exporter_is_read() {
    check(
        &[
            "redis://h:1",
            "valkey://h",
            "tcp://h:2",
            "h:3",
            "h",
            "redis://",
            "redis://:6380",
            "redis://h/3",
            "redis://h:1/",
            "redis://[::1]:4",
            "[fe80::1%eth0]",
            "redis://user:pw@h",
            "redis://:pw@h",
            "redis://pw@h",
            "redis://us%40er:p%3Aw%2f@h:1/2",
            "redis://u:p@w@h",
            "redis://h:1?timeout=1s",
            "unix:///run/valkey.sock",
            "rediss://h:1",
            "valkeys://u:pw@h/2",
        ],
        &expect![[r#"
            redis://h:1                         h:1 db 0 user None password None
            valkey://h                          h:6379 db 0 user None password None
            tcp://h:2                           h:2 db 0 user None password None
            h:3                                 h:3 db 0 user None password None
            h                                   h:6379 db 0 user None password None
            redis://                            localhost:6379 db 0 user None password None
            redis://:6380                       localhost:6380 db 0 user None password None
            redis://h/3                         h:6379 db 3 user None password None
            redis://h:1/                        h:1 db 0 user None password None
            redis://[::1]:4                     [::1]:4 db 0 user None password None
            [fe80::1%eth0]                      [fe80::1%eth0]:6379 db 0 user None password None
            redis://user:pw@h                   h:6379 db 0 user Some("user") password Some("pw")
            redis://:pw@h                       h:6379 db 0 user None password Some("pw")
            redis://pw@h                        h:6379 db 0 user None password Some("pw")
            redis://us%40er:p%3Aw%2f@h:1/2      h:1 db 2 user Some("us@er") password Some("p:w/")
            redis://u:p@w@h                     h:6379 db 0 user Some("u") password Some("p@w")
            redis://h:1?timeout=1s              h:1 db 0 user None password None
            unix:///run/valkey.sock             /run/valkey.sock db 0 user None password None
            rediss://h:1                        h:1 tls db 0 user None password None
            valkeys://u:pw@h/2                  h:6379 tls db 2 user Some("u") password Some("pw")
        "#]],
    );
}

#[test]
fn an_error_does_not_repeat_the_address() {
    check(
        &[
            "http://h",
            "://h",
            "unix://",
            "redis://h:port",
            "redis://h:0",
            "redis://h:65536",
            "redis://localhost:6379-",
            "redis://h:1,i:2",
            "redis://h,i",
            "redis://a b",
            "redis://[::1",
            "redis://[::1]x",
            "redis://h/three",
            "redis://u:s3cret/@h",
        ],
        &expect![[r"
            http://h                            error: unknown scheme: expected redis(s)://, valkey(s)://, tcp:// or unix://
            ://h                                error: unknown scheme: expected redis(s)://, valkey(s)://, tcp:// or unix://
            unix://                             error: unix:// is not followed by the path of a socket
            redis://h:port                      error: the port is not a number from 1 to 65535
            redis://h:0                         error: the port is not a number from 1 to 65535
            redis://h:65536                     error: the port is not a number from 1 to 65535
            redis://localhost:6379-             error: the port is not a number from 1 to 65535
            redis://h:1,i:2                     error: the port is not a number from 1 to 65535
            redis://h,i                         error: the host is not one name or IP address
            redis://a b                         error: the host is not one name or IP address
            redis://[::1                        error: the host is not one name or IP address
            redis://[::1]x                      error: the port is not a number from 1 to 65535
            redis://h/three                     error: the database behind the last / is not a number
            redis://u:s3cret/@h                 error: the database behind the last / is not a number
        "]],
    );
}

proptest! {
    #[test]
    fn property_no_text_panics_and_no_password_is_shown(text: String, password in "[a-z]{8}") {
        let _read = Address::parse(&text);
        if let Ok(read) = Address::parse(&format!("redis://u:{password}@h/{text}")) {
            prop_assert!(!read.to_string().contains(&password));
            let debug = format!("{read:?}");
            prop_assert!(!debug.contains(&password));
        }
    }
}
