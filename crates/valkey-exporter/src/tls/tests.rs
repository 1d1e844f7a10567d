use std::{fs, path::Path, sync::Arc};

use super::{Tls, TlsError, TlsSettings};

fn certificate(folder: &Path, name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["valkey.test".to_owned()]).expect("made");
    let path = |end: &str| folder.join(format!("{name}.{end}"));
    fs::write(path("crt"), made.cert.pem()).expect("written");
    fs::write(path("key"), made.signing_key.serialize_pem()).expect("written");
    let text = |end: &str| path(end).display().to_string();
    (text("crt"), text("key"))
}

#[test]
fn files_are_read_again_only_when_they_have_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ca, _key) = certificate(folder.path(), "ca");
    let (cert, key) = certificate(folder.path(), "client");
    let tls = Tls::new(TlsSettings { ca, cert, key, ..TlsSettings::default() });
    let config = || {
        let (connector, _name) = tls.connector("h", None).expect("good files");
        Arc::as_ptr(connector.config()) as usize
    };
    let first = tls.connector("h", None).expect("good files").0;
    assert_eq!(config(), Arc::as_ptr(first.config()) as usize, "kept, for session resumption");
    certificate(folder.path(), "client");
    assert_ne!(config(), Arc::as_ptr(first.config()) as usize, "a new certificate is taken");
}

#[test]
fn authorities_may_be_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    certificate(folder.path(), "a");
    certificate(folder.path(), "b");
    for name in ["a.key", "b.key"] {
        fs::remove_file(folder.path().join(name)).expect("it is there");
    }
    let ca = folder.path().display().to_string();
    let tls = Tls::new(TlsSettings { ca, ..TlsSettings::default() });
    tls.check().expect("two authorities");
}

#[test]
fn what_is_wrong_names_the_flag_and_nothing_of_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let (cert, key) = certificate(folder.path(), "client");
    let (_other, other_key) = certificate(folder.path(), "other");
    let bad = folder.path().join("bad").display().to_string();
    fs::write(&bad, "s3cret").expect("written");
    let error = |ca: &str, cert: &str, key: &str| {
        let settings = TlsSettings {
            ca: ca.to_owned(),
            cert: cert.to_owned(),
            key: key.to_owned(),
            ..TlsSettings::default()
        };
        let error = Tls::new(settings).check().expect_err("not usable").to_string();
        assert!(!error.contains("s3cret"), "{error}");
        error
    };
    assert!(error(&bad, "", "").contains("--tls-ca-cert-file: no certificate in it"));
    assert!(error("/nowhere", "", "").contains("--tls-ca-cert-file"));
    assert!(error(&cert, &bad, &key).contains("--tls-client-cert-file: no certificate in it"));
    assert!(error(&cert, &cert, &bad).contains("--tls-client-key-file: no private key"));
    assert!(error(&cert, &cert, &other_key).contains("cannot be used"));
}

#[test]
fn the_name_to_verify_is_the_targets_or_the_flags_or_the_host() {
    let settings = TlsSettings {
        skip_verification: true,
        server_name: "flag.test".to_owned(),
        ..TlsSettings::default()
    };
    let tls = Tls::new(settings);
    let name = |server_name| {
        tls.connector("host.test", server_name).expect("good").1.to_str().into_owned()
    };
    assert_eq!(name(Some("asked.test")), "asked.test");
    assert_eq!(name(None), "flag.test");
    let plain = TlsSettings { skip_verification: true, ..TlsSettings::default() };
    let tls = Tls::new(plain);
    assert_eq!(tls.connector("fe80::1%eth0", None).expect("good").1.to_str(), "fe80::1");
    assert!(matches!(tls.connector("a b", None), Err(TlsError::Name(_))));
}
