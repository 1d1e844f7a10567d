//! Tests of TLS set-up.

use std::fs;

use super::Tls;
use crate::dsn::{Secret, Ssl, SslMode};

fn outcome(
    mode: SslMode,
    root_cert: Option<&str>,
    cert: Option<&str>,
    key: Option<&str>,
) -> String {
    let own = |text: Option<&str>| text.map(str::to_owned);
    let key = key.map(Secret::new);
    set_up(&Ssl { mode, root_cert: own(root_cert), cert: own(cert), key, folder: None })
}

fn set_up(ssl: &Ssl) -> String {
    Tls::new(ssl).map_or_else(|error| error.to_string(), |_| "ok".to_owned())
}

/// A certificate and its key, as texts.
fn pair() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["postgres.test".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[test]
fn a_certificate_in_the_users_folder_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let ssl = Ssl { folder: Some(folder.path().to_owned()), ..Ssl::default() };
    assert_eq!(set_up(&ssl), "ok", "none is there");
    let ((cert, key), (_, other)) = (pair(), pair());
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("postgresql.crt", &cert);
    assert_eq!(set_up(&ssl), "sslcert and sslkey belong together");
    write("postgresql.key", &other);
    assert!(set_up(&ssl).starts_with("the certificates cannot be used: "), "{}", set_up(&ssl));
    write("postgresql.key", &key);
    assert_eq!(set_up(&ssl), "ok");
    // A name wins.
    let named = Ssl { cert: Some("/no/such/file".to_owned()), ..ssl.clone() };
    assert!(set_up(&named).starts_with("cannot read sslcert: "), "{}", set_up(&named));
    fs::remove_file(folder.path().join("postgresql.key")).unwrap();
    let plain = Ssl { mode: SslMode::Disable, ..ssl };
    assert_eq!(set_up(&plain), "ok", "no matter without TLS");
}

#[test]
fn certificates_may_stand_in_the_data_source() {
    let ((cert, key), (_, other)) = (pair(), pair());
    let inline =
        |cert: &str, key: &str| outcome(SslMode::VerifyCa, Some(cert), Some(cert), Some(key));
    assert_eq!(inline(&cert, &key), "ok");
    assert!(inline(&cert, &other).starts_with("the certificates cannot be used: "));
    let cut = key.get(..60).unwrap();
    let told = inline(&cert, cut);
    assert!(told.starts_with("cannot read sslkey: ") && !told.contains("BEGIN"), "{told}");
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
