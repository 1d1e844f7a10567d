use std::{collections::BTreeMap, io, path::Path};

use crate::http::{
    config::Loaded,
    tests::certificates::{Authority, Kind},
};

const FILES: &str = "  cert_file: server.crt\n  key_file: server.key\n";

/// Files by their path.
struct Folder(BTreeMap<&'static str, String>);

impl Folder {
    fn new() -> Self {
        let authority = Authority::new("servers");
        let (server, other) = (authority.sign(Kind::Server), authority.sign(Kind::Server));
        Self(BTreeMap::from([
            ("/etc/x/server.crt", server.certificate.pem()),
            ("/etc/x/server.key", server.key.serialize_pem()),
            ("/etc/x/other.key", other.key.serialize_pem()),
            ("/etc/x/ca.crt", authority.pem()),
            ("/etc/x/empty", String::new()),
            (
                "/etc/x/broken",
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(),
            ),
        ]))
    }

    /// The warnings, or what is wrong.
    fn check(&self, text: &str) -> Result<Vec<String>, String> {
        let mut read = |path: &Path| {
            if path == Path::new("/etc/x/web.yml") {
                return Ok(format!("tls_server_config:\n{text}").into_bytes());
            }
            let file = path.to_str().and_then(|path| self.0.get(path));
            file.map(|text| text.clone().into_bytes()).ok_or(io::ErrorKind::NotFound.into())
        };
        let loaded = Loaded::read(Path::new("/etc/x/web.yml"), &mut read)?;
        assert!(loaded.tls.is_some());
        Ok(loaded.warnings)
    }

    fn error(&self, text: &str) -> String {
        let error = self.check(text).unwrap_err();
        error.strip_prefix("/etc/x/web.yml: tls_server_config: ").unwrap_or(&error).to_owned()
    }
}

#[test]
fn what_cannot_be_used_is_named_with_the_key_that_named_it() {
    let folder = Folder::new();
    for (text, expected) in [
        ("  cert_file: gone\n  key_file: server.key\n", "cert_file gone: entity not found"),
        ("  cert_file: /gone\n  key_file: server.key\n", "cert_file /gone: entity not found"),
        ("  cert_file: server.crt\n", "missing one of key or key_file"),
        ("  key_file: server.key\n", "missing one of cert or cert_file"),
        ("  cert_file: empty\n  key_file: server.key\n", "cert_file empty: no certificate in it"),
        (
            "  cert_file: server.crt\n  key_file: empty\n",
            "key_file empty: no private key in it that can be read",
        ),
        ("  cert_file: server.crt\n  key: secret\n", "key: no private key in it that can be read"),
        (
            "  cert_file: server.crt\n  key_file: other.key\n",
            "cert_file server.crt and key_file other.key: keys may not be consistent: KeyMismatch",
        ),
        (
            "  cert_file: broken\n  key_file: server.key\n",
            "cert_file broken and key_file server.key: invalid peer certificate: BadEncoding",
        ),
    ] {
        assert_eq!(folder.error(text), expected, "{text}");
    }
    for (text, expected) in [
        (
            "  client_auth_type: x\n",
            "client_auth_type: unknown \"x\"; supported are NoClientCert, ",
        ),
        ("  client_ca_file: ca.crt\n", "client_ca_file ca.crt needs a client_auth_type"),
        ("  client_ca: text\n", "client_ca needs a client_auth_type"),
        (
            "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: empty\n",
            "client_ca_file empty: no certificate in it",
        ),
        (
            "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: broken\n",
            "client_ca_file broken: no certificate in it that can be used",
        ),
        (
            "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: gone\n",
            "client_ca_file gone: entity not found",
        ),
        (
            "  max_version: TLS12\n  cipher_suites: [TLS_AES_128_GCM_SHA256]\n",
            "cipher_suites: none of them is for max_version TLS12",
        ),
        ("  max_version: TLS11\n", "max_version: no support below TLS12; supported are"),
    ] {
        let error = folder.error(&format!("{FILES}{text}"));
        assert!(error.starts_with(expected), "{text}{error}");
    }
}

#[test]
fn what_is_done_differently_is_a_warning() {
    let mut folder = Folder::new();
    let verify = "  client_auth_type: VerifyClientCertIfGiven\n";
    for (text, expected) in [
        ("", None),
        ("  cipher_suites: [TLS_AES_128_GCM_SHA256]\n", None),
        ("  client_auth_type: RequestClientCert\n  client_ca_file: ca.crt\n", None),
        (
            "  min_version: TLS10\n",
            Some("min_version: no support below TLS12, which is used instead"),
        ),
        (
            "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, TLS_AES_128_GCM_SHA256]\n",
            Some("cipher_suites: no support for TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, left out"),
        ),
        (
            "  curve_preferences: [CurveP521, X25519]\n",
            Some("curve_preferences: no support for CurveP521, left out"),
        ),
        (
            verify,
            Some(
                "no client_ca, and the system has no bundle of authorities: every client \
                 certificate is refused",
            ),
        ),
    ] {
        let warnings = folder.check(&format!("{FILES}{text}")).unwrap();
        let expected: Vec<_> = expected.into_iter().collect();
        assert_eq!(warnings, expected, "{text}");
    }
    let bundle = folder.0["/etc/x/ca.crt"].clone();
    folder.0.insert("/etc/ssl/cert.pem", bundle);
    let warnings = folder.check(&format!("{FILES}{verify}")).unwrap();
    let expected =
        "no client_ca, so that every authority in /etc/ssl/cert.pem may sign client certificates";
    assert_eq!(warnings, [expected]);
}
