use std::{fs, io, path::Path, sync::Arc};

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::{Loaded, WebConfig, schema};

/// What a file says, in one line a setting, or what is wrong with it.
fn read(text: &str) -> String {
    let missing = |path: &Path| {
        Err(io::Error::new(io::ErrorKind::NotFound, format!("no file {}", path.display())))
    };
    match Loaded::parse(text, Path::new("/etc/x"), &mut { missing }) {
        Err(error) => format!("error: {error}\n"),
        Ok(loaded) => {
            let headers = loaded.headers.iter();
            let headers: Vec<_> = headers
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                .collect();
            format!(
                "http2 {}, headers {headers:?}, users {:?}, rate {:?}\n",
                loaded.http2, loaded.users, loaded.rate
            )
        }
    }
}

fn check(texts: &[&str], expected: &Expect) {
    expected.assert_eq(&texts.iter().map(|text| read(text)).collect::<String>());
}

#[test]
fn a_file_may_say_nothing() {
    check(
        &[
            "",
            "# comment\n",
            "---\n",
            "{}",
            "tls_server_config:\nhttp_server_config:\nbasic_auth_users:\nrate_limit:\n",
            "tls_server_config: {cert: '', key_file: ~}\nbasic_auth_users: {}\n",
        ],
        &expect![[r#"
            http2 true, headers [], users {}, rate None
            http2 true, headers [], users {}, rate None
            http2 true, headers [], users {}, rate None
            http2 true, headers [], users {}, rate None
            http2 true, headers [], users {}, rate None
            http2 true, headers [], users {}, rate None
        "#]],
    );
}

#[test]
fn values_are_read_as_go_reads_them() {
    check(
        &[
            "http_server_config: {http2: off}",
            "http_server_config:\n  http2: yes\n  headers:\n    X-Frame-Options: deny\n    X-XSS-Protection: 1\n",
            "rate_limit: {interval: 1m30s, burst: 20}",
            "rate_limit: {interval: 1000000000, burst: 2}",
            "rate_limit: {interval: 0, burst: 0}",
            "rate_limit: {interval: -1s}",
            "rate_limit: {interval: 1s}",
            "basic_auth_users:\n  1: $2y$04$LakehouseMonitoringabO59y9LXZu7Haptk2ZJIsJeON74359Gve\n",
            "x: &x {http2: false}\n",
            "http_server_config: &h {headers: {X-Frame-Options: deny}}\nrate_limit: {}\n",
            "http_server_config:\n  headers:\n    <<: {X-Frame-Options: deny}\n    X-Content-Type-Options: nosniff\n",
            "rate_limit: {burst: 1}\n---\nsecond: document\n",
        ],
        &expect![[r#"
            http2 false, headers [], users {}, rate None
            http2 true, headers ["x-frame-options: deny", "x-xss-protection: 1"], users {}, rate None
            http2 true, headers [], users {}, rate Some(Rate { interval: 90s, burst: 20 })
            http2 true, headers [], users {}, rate Some(Rate { interval: 1s, burst: 2 })
            http2 true, headers [], users {}, rate None
            http2 true, headers [], users {}, rate None
            http2 true, headers [], users {}, rate Some(Rate { interval: 1s, burst: 0 })
            http2 true, headers [], users {"1"}, rate None
            error: unknown field `x`, expected one of `tls_server_config`, `http_server_config`, `rate_limit`, `basic_auth_users`
            http2 true, headers ["x-frame-options: deny"], users {}, rate None
            http2 true, headers ["x-content-type-options: nosniff", "x-frame-options: deny"], users {}, rate None
            http2 true, headers [], users {}, rate None
        "#]],
    );
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_without_secrets() {
    check(
        &[
            "tls_config: {}",
            "tls_server_config:\n  cert_filse: a\n",
            "http_server_config: {http3: true}",
            "http_server_config: {http2: 7}",
            "http_server_config: {headers: {Content-Type: foo}}",
            "http_server_config: {headers: {X-Frame-Options: foo}}",
            "http_server_config: {headers: {X-Content-Type-Options: sniff}}",
            "http_server_config: {headers: {X-Frame-Options: deny, X-Frame-Options: deny}}",
            "http_server_config: {headers: {Content-Security-Policy: \"a\\nb\"}}",
            "rate_limit: {interval: soon}",
            "rate_limit: {burst: many}",
            "rate_limit: {}\nrate_limit: {}\n",
            "basic_auth_users: {john: doe}",
            "basic_auth_users: {john: $2y$40$LakehouseMonitoringabO59y9LXZu7Haptk2ZJIsJeON74359Gve}",
            "basic_auth_users:\n  a: $2y$04$x\n  a: $2y$04$x\n",
            "basic_auth_users: alice:secret",
            "secret text",
            "[",
            "tls_server_config: {cert_file: a.crt}",
            "tls_server_config: {key: secret}",
            "tls_server_config: {client_auth_type: NoClientCert}",
            "tls_server_config: {cert: secret}",
            "tls_server_config: {cert: secret, key: secret}",
            "tls_server_config: {min_version: TLS111}",
            "tls_server_config: {min_version: TLS13, max_version: TLS12}",
            "tls_server_config: {max_version: TLS11}",
            "tls_server_config: {cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA2048]}",
            "tls_server_config: {cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]}",
            "tls_server_config: {curve_preferences: [CurveP521]}",
        ],
        &expect![[r#"
            error: unknown field `tls_config`, expected one of `tls_server_config`, `http_server_config`, `rate_limit`, `basic_auth_users`
            error: tls_server_config: unknown field `cert_filse`, expected one of `cert`, `key`, `client_ca`, `cert_file`, `key_file`, `client_auth_type`, `client_ca_file`, `cipher_suites`, `curve_preferences`, `min_version`, `max_version`, `prefer_server_cipher_suites`, `client_allowed_sans` at line 2 column 3
            error: http_server_config: unknown field `http3`, expected `http2` or `headers` at line 1 column 22
            error: http_server_config: expected true or false, not "7" at line 1 column 21
            error: http_server_config: header "Content-Type" cannot be set
            error: http_server_config: header X-Frame-Options: expected deny or sameorigin, not "foo"
            error: http_server_config: header X-Content-Type-Options: expected nosniff, not "sniff"
            error: http_server_config.headers: "X-Frame-Options" is there twice at line 1 column 31
            error: http_server_config: header Content-Security-Policy: "a\nb" is no header's value
            error: rate_limit: invalid duration "soon": expected a form like 30s, 1m30s or 250ms at line 1 column 13
            error: rate_limit.burst: invalid type: text, expected i64 at line 1 column 21
            error: duplicate field `rate_limit`
            error: basic_auth_users: john: not a bcrypt hash
            error: basic_auth_users: john: bcrypt has no cost 40
            error: basic_auth_users: "a" is there twice at line 2 column 3
            error: basic_auth_users: invalid type: text, expected names and texts at line 1 column 19
            error: invalid type: text, expected settings
            error: invalid type: sequence, expected settings
            error: tls_server_config: cert_file a.crt: no file /etc/x/a.crt
            error: tls_server_config: missing one of cert or cert_file
            error: tls_server_config: missing one of cert or cert_file
            error: tls_server_config: missing one of key or key_file
            error: tls_server_config: cert: no certificate in it
            error: tls_server_config: min_version: unknown "TLS111"; supported are TLS12, TLS13
            error: tls_server_config: min_version is above max_version
            error: tls_server_config: max_version: no support below TLS12; supported are TLS12, TLS13
            error: tls_server_config: cipher_suites: unknown "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA2048"; supported are TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
            error: tls_server_config: cipher_suites: no support for TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA; supported are TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
            error: tls_server_config: curve_preferences: no support for CurveP521; supported are X25519, CurveP256, CurveP384
        "#]],
    );
}

proptest! {
    #[test]
    fn property_no_text_panics(text in ".{0,200}") {
        let _read = read(&text);
    }

    #[test]
    fn property_no_file_of_known_words_panics(
        words in prop::collection::vec(prop::sample::select(WORDS), 0..30),
    ) {
        let _read = read(&words.concat());
    }

    #[test]
    fn property_an_interval_is_never_negative(number: i64) {
        let file = schema::parse(&format!("rate_limit: {{interval: {number}}}")).unwrap();
        let interval = file.rate_limit.unwrap().interval.unwrap().0;
        prop_assert_eq!(interval.as_nanos(), u128::try_from(number).unwrap_or(0));
    }
}

/// From these, files are made which get further than noise does.
const WORDS: &[&str] = &[
    "tls_server_config",
    "http_server_config",
    "rate_limit",
    "basic_auth_users",
    "headers",
    "client_allowed_sans",
    "cipher_suites",
    "cert",
    "key",
    "client_ca",
    "client_auth_type",
    "http2",
    "interval",
    "burst",
    "1s",
    "-1",
    "1e400",
    ".inf",
    ": ",
    ":\n",
    "\n  ",
    "\n",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "&a ",
    "*a",
    "<<: ",
    "!!binary ",
    "|\n",
    "---\n",
    "\"",
    "'",
    "~",
    "TLS12",
    "X-Frame-Options",
    "deny",
    "$2y$04$LakehouseMonitoringabO",
    "\u{feff}",
    "\t",
];

/// A file with one user whose password is `password`.
fn user(password: &str) -> String {
    format!("basic_auth_users:\n  alice: {}\n", bcrypt::hash(password, 4).unwrap())
}

fn reload(config: &WebConfig) {
    let mut look = config.0.look.try_lock().unwrap();
    config.reload(&mut look.files);
}

#[test]
fn a_file_that_breaks_later_leaves_the_old_one_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.yml");
    let error = WebConfig::open(&path).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot use {}: ", path.display())), "{error}");

    fs::write(&path, user("one")).unwrap();
    let config = WebConfig::open(&path).unwrap();
    let registry = prometheus::Registry::new();
    config.register("x_exporter", &registry).unwrap();
    let shown = |name: &str| {
        let families = registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        family.get_metric()[0].get_gauge().get_value()
    };
    let successful = "x_exporter_web_config_last_reload_successful";
    let seconds = "x_exporter_web_config_last_reload_success_timestamp_seconds";
    assert_eq!(shown(successful).to_string(), "1");
    assert!(shown(seconds) > 1.7e9);

    let first = config.state().loaded;
    reload(&config);
    assert!(Arc::ptr_eq(&first, &config.state().loaded), "nothing has changed");

    for broken in ["basic_auth_users: {alice: secret}", "tls_server_config: {cert_file: gone}"] {
        fs::write(&path, broken).unwrap();
        reload(&config);
        assert!(Arc::ptr_eq(&first, &config.state().loaded), "{broken}");
        assert_eq!(shown(successful).to_string(), "0");
    }
    fs::remove_file(&path).unwrap();
    reload(&config);
    assert!(Arc::ptr_eq(&first, &config.state().loaded), "the file is gone");

    fs::write(&path, user("two")).unwrap();
    reload(&config);
    assert!(!Arc::ptr_eq(&first, &config.state().loaded));
    assert_eq!(shown(successful).to_string(), "1");
}

#[test]
fn a_rate_limit_that_stays_the_same_is_not_filled_up_by_a_reload() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.yml");
    let limit = "rate_limit: {interval: 1h, burst: 1}\n";
    fs::write(&path, limit).unwrap();
    let config = WebConfig::open(&path).unwrap();
    assert!(config.admits() && !config.admits());
    fs::write(&path, format!("{limit}http_server_config: {{http2: false}}\n")).unwrap();
    reload(&config);
    assert!(!config.admits());
    fs::write(&path, "rate_limit: {interval: 1h, burst: 2}\n").unwrap();
    reload(&config);
    assert!(config.admits() && config.admits() && !config.admits());
    fs::write(&path, "").unwrap();
    reload(&config);
    assert!(config.admits(), "no limit any more");
}

#[test]
fn no_secret_is_shown() {
    let loaded = Loaded::parse(&user("one"), Path::new(""), &mut |_path| unreachable!()).unwrap();
    assert!(!format!("{loaded:?}").contains("$2"));
    let file = schema::parse("tls_server_config: {key: private}\nbasic_auth_users: {a: hash}");
    let shown = format!("{:?}", file.unwrap());
    assert!(!shown.contains("private") && !shown.contains("hash"), "{shown}");
}
