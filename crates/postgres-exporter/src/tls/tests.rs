//! Tests of TLS set-up.

use super::Tls;
use crate::dsn::{Ssl, SslMode};

fn outcome(
    mode: SslMode,
    root_cert: Option<&str>,
    cert: Option<&str>,
    key: Option<&str>,
) -> String {
    let own = |text: Option<&str>| text.map(str::to_owned);
    let ssl = Ssl { mode, root_cert: own(root_cert), cert: own(cert), key: own(key) };
    Tls::new(&ssl).map_or_else(|error| error.to_string(), |_| "ok".to_owned())
}

#[test]
fn built_in_authorities_are_enough() {
    for mode in [SslMode::Prefer, SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull] {
        assert_eq!(outcome(mode, None, None, None), "ok");
        assert_eq!(outcome(mode, Some("system"), None, None), "ok");
    }
}

#[test]
fn files_are_named_by_their_parameter() {
    let missing = Some("/no/such/file");
    for mode in [SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull] {
        let told = outcome(mode, missing, None, None);
        assert!(told.starts_with("cannot read sslrootcert: "), "{told}");
    }
    let told = outcome(SslMode::Require, None, missing, missing);
    assert!(told.starts_with("cannot read sslcert: "), "{told}");
    let told = outcome(SslMode::Require, None, missing, None);
    assert_eq!(told, "sslcert and sslkey belong together");
}

#[test]
fn a_file_without_a_certificate_is_told() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let told = outcome(SslMode::VerifyFull, file.path().to_str(), None, None);
    assert_eq!(told, "cannot read sslrootcert: no certificate in it");
}
