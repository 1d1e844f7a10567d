//! TLS over real connections.

use std::{fs, io, path::PathBuf, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, ProtocolVersion, RootCertStore, SupportedCipherSuite,
    crypto::ring::{self, cipher_suite as suites},
    pki_types::ServerName,
    version::{TLS12, TLS13},
};
use tempfile::TempDir;
use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    Answer, Running,
    certificates::{Authority, Identity, Kind, self_signed},
    exchange, start,
};

const SCRAPE: &str = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n";
const CERTIFICATE: &str = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";

/// A folder with a configuration, and the authority which signed its certificates.
pub(super) struct Site {
    folder: TempDir,
    pub(super) authority: Authority,
}

impl Site {
    pub(super) fn new() -> Self {
        let site =
            Self { folder: tempfile::tempdir().unwrap(), authority: Authority::new("servers") };
        site.certify(&site.authority);
        site
    }

    /// Gives the server a new certificate.
    fn certify(&self, authority: &Authority) {
        let server = authority.sign(Kind::Server);
        self.write("server.key", &server.key.serialize_pem());
        self.write("server.crt", &server.certificate.pem());
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts with `text` below the server's certificate.
    pub(super) async fn start(&self, text: &str) -> Running {
        self.write("web.yml", &format!("{CERTIFICATE}{text}"));
        start(&[&format!("--web.config.file={}", self.path("web.yml").display())]).await
    }
}

/// A client which knows `authority`.
pub(super) struct Client {
    config: ClientConfig,
}

impl Client {
    pub(super) fn new(authority: &Authority) -> Self {
        Self::with(authority, None, ring::DEFAULT_CIPHER_SUITES, None)
    }

    fn with(
        authority: &Authority,
        version: Option<&'static rustls::SupportedProtocolVersion>,
        cipher_suites: &[SupportedCipherSuite],
        identity: Option<&Identity>,
    ) -> Self {
        let mut provider = ring::default_provider();
        provider.cipher_suites = cipher_suites.to_vec();
        let mut roots = RootCertStore::empty();
        roots.add(authority.der()).unwrap();
        let versions = version.map_or_else(|| vec![&TLS13, &TLS12], |version| vec![version]);
        let builder = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&versions)
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            Some(identity) => {
                builder.with_client_auth_cert(identity.chain(), identity.key()).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        Self { config }
    }

    fn offering(mut self, protocols: &[&str]) -> Self {
        self.config.alpn_protocols =
            protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        self
    }

    pub(super) async fn connect(&self, running: &Running) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(running.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(self.config.clone())).connect(name, stream).await
    }

    pub(super) async fn scrape(&self, running: &Running) -> io::Result<Answer> {
        exchange(self.connect(running).await?, SCRAPE).await
    }
}

#[tokio::test]
async fn a_page_is_served_over_both_versions() {
    let site = Site::new();
    for (text, tls12, tls13) in [
        ("", true, true),
        ("  min_version: TLS13\n", false, true),
        ("  max_version: TLS12\n", true, false),
        ("  min_version: TLS10\n", true, true),
    ] {
        let running = site.start(text).await;
        for (version, served) in [(&TLS12, tls12), (&TLS13, tls13)] {
            let suites = ring::DEFAULT_CIPHER_SUITES;
            let client = Client::with(&site.authority, Some(version), suites, None);
            let answer = client.scrape(&running).await;
            assert_eq!(answer.is_ok(), served, "{text:?}, {version:?}");
            assert!(answer.is_err() || answer.unwrap().body.contains("x_up 1\n"));
        }
    }
}

#[tokio::test]
async fn certificate_and_key_may_stand_in_the_file_itself() {
    let site = Site::new();
    let server = site.authority.sign(Kind::Server);
    let indent = |pem: &str| format!("    {}\n", pem.trim_end().replace('\n', "\n    "));
    let text = format!(
        "tls_server_config:\n  cert: |\n{}  key: |\n{}",
        indent(&server.certificate.pem()),
        indent(&server.key.serialize_pem())
    );
    site.write("inline.yml", &text);
    let flag = format!("--web.config.file={}", site.path("inline.yml").display());
    let running = start(&[&flag]).await;
    assert_eq!(Client::new(&site.authority).scrape(&running).await.unwrap().status, 200);
}

#[tokio::test]
async fn the_servers_order_of_cipher_suites_counts_unless_it_does_not() {
    let site = Site::new();
    let (aes, chacha) = (
        suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    );
    let listed = "  cipher_suites:\n  - TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384\n  \
                  - TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA\n  \
                  - TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256\n";
    for (text, expected) in [
        (listed.to_owned(), aes),
        (format!("{listed}  prefer_server_cipher_suites: false\n"), chacha),
    ] {
        let running = site.start(&text).await;
        let client = Client::with(&site.authority, Some(&TLS12), &[chacha, aes], None);
        let stream = client.connect(&running).await.unwrap();
        assert_eq!(stream.get_ref().1.negotiated_cipher_suite(), Some(expected), "{text}");
        let other = [suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256];
        let client = Client::with(&site.authority, Some(&TLS12), &other, None);
        client.connect(&running).await.unwrap_err();
        let client = Client::with(&site.authority, Some(&TLS13), ring::ALL_CIPHER_SUITES, None);
        client.connect(&running).await.expect("the list is about TLS 1.2");
    }
}

#[tokio::test]
async fn curves_are_those_of_the_file() {
    let site = Site::new();
    let running = site.start("  curve_preferences: [CurveP521, CurveP384]\n").await;
    let stream = Client::new(&site.authority).connect(&running).await.unwrap();
    let group = stream.get_ref().1.negotiated_key_exchange_group().unwrap();
    assert_eq!(group.name(), rustls::NamedGroup::secp384r1);
}

#[tokio::test]
async fn http2_is_agreed_on_where_both_want_it() {
    let site = Site::new();
    for (text, offered, agreed) in [
        ("", &["h2", "http/1.1"][..], Some("h2")),
        ("", &["http/1.1"][..], Some("http/1.1")),
        ("", &[][..], None),
        ("http_server_config: {http2: false}\n", &["h2", "http/1.1"][..], Some("http/1.1")),
    ] {
        let running = site.start(text).await;
        let client = Client::new(&site.authority).offering(offered);
        let stream = client.connect(&running).await.unwrap();
        let protocol = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        assert_eq!(protocol.as_deref(), agreed.map(str::as_bytes), "{text:?} {offered:?}");
        let body = if agreed == Some("h2") {
            scrape_http2(stream, &running).await
        } else {
            exchange(stream, SCRAPE).await.unwrap().body
        };
        assert!(body.contains("x_up 1\n"), "{body}");
    }
}

/// Several requests at once over one connection.
async fn scrape_http2(stream: TlsStream<TcpStream>, running: &Running) -> String {
    use axum::body::{Body, to_bytes};
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    let driving = tokio::spawn(connection);
    let address = running.address;
    let mut body = String::new();
    let request = |path: &str| {
        let uri = format!("https://{address}{path}");
        hyper::Request::builder().uri(uri).body(Body::empty()).unwrap()
    };
    let (first, second) = tokio::join!(
        sender.clone().send_request(request("/metrics?do=large")),
        sender.send_request(request("/metrics"))
    );
    for response in [first.unwrap(), second.unwrap()] {
        assert_eq!(response.status(), 200);
        let bytes = to_bytes(Body::new(response.into_body()), usize::MAX).await.unwrap();
        body += std::str::from_utf8(&bytes).unwrap();
    }
    drop(sender);
    driving.await.unwrap().unwrap();
    body
}

#[tokio::test]
async fn client_certificates_in_each_mode() {
    let site = Site::new();
    let clients = Authority::new("clients");
    let signed = clients.sign(Kind::Client);
    let expired = clients.sign(Kind::Expired);
    let early = clients.sign(Kind::NotYetValid);
    let purpose = clients.sign(Kind::WrongPurpose);
    let own = self_signed(Kind::Client);
    let own_expired = self_signed(Kind::Expired);
    let own_purpose = self_signed(Kind::WrongPurpose);
    let stranger = Authority::new("strangers").sign(Kind::Client);
    site.write(
        "clients.crt",
        &[
            clients.pem(),
            own.certificate.pem(),
            own_expired.certificate.pem(),
            own_purpose.certificate.pem(),
        ]
        .concat(),
    );
    let identities = [
        ("none", None),
        ("signed", Some(&signed)),
        ("its own authority", Some(&own)),
        ("stranger", Some(&stranger)),
        ("expired", Some(&expired)),
        ("early", Some(&early)),
        ("purpose", Some(&purpose)),
        ("its own, expired", Some(&own_expired)),
        ("its own, purpose", Some(&own_purpose)),
    ];
    let anybody: Vec<_> = identities.iter().map(|(name, _)| *name).collect();
    let known = ["signed", "its own authority"];
    for (mode, authority, admitted) in [
        ("NoClientCert", false, anybody.clone()),
        ("RequestClientCert", false, anybody.clone()),
        ("RequestClientCert", true, anybody.clone()),
        ("RequireAnyClientCert", false, anybody[1..].to_vec()),
        ("RequireClientCert", true, anybody[1..].to_vec()),
        ("VerifyClientCertIfGiven", true, [&["none"], &known[..]].concat()),
        ("RequireAndVerifyClientCert", true, known.to_vec()),
    ] {
        let authority = if authority { "  client_ca_file: clients.crt\n" } else { "" };
        let running = site.start(&format!("  client_auth_type: {mode}\n{authority}")).await;
        for version in [&TLS12, &TLS13] {
            let mut served = Vec::new();
            for (name, identity) in identities {
                let suites = ring::DEFAULT_CIPHER_SUITES;
                let client = Client::with(&site.authority, Some(version), suites, identity);
                if client.scrape(&running).await.is_ok() {
                    served.push(name);
                }
            }
            assert_eq!(served, admitted, "{mode} {:?}", version.version);
        }
    }
}

#[tokio::test]
async fn a_client_needs_one_of_the_names_that_are_listed() {
    let site = Site::new();
    let signed = site.authority.sign(Kind::Client);
    for (mode, sans, with, without) in [
        ("RequireAndVerifyClientCert", "[localhost]", true, false),
        ("RequireAndVerifyClientCert", "[127.0.0.1]", true, false),
        ("RequireAndVerifyClientCert", "['2001:db8::1']", true, false),
        ("RequireAndVerifyClientCert", "[ops@example.org]", true, false),
        ("RequireAndVerifyClientCert", "['spiffe://example.org/prometheus']", true, false),
        ("RequireAndVerifyClientCert", "[other, localhost]", true, false),
        ("RequireAndVerifyClientCert", "[LOCALHOST, local, '*', example.org]", false, false),
        ("RequireAndVerifyClientCert", "[]", false, false),
        ("RequireAndVerifyClientCert", "~", true, false),
        ("RequireAnyClientCert", "[localhost]", true, false),
        ("VerifyClientCertIfGiven", "[localhost]", true, false),
        ("VerifyClientCertIfGiven", "~", true, true),
        ("RequestClientCert", "[other]", false, false),
        ("NoClientCert", "[other]", true, true),
    ] {
        let authority = if mode == "NoClientCert" {
            String::new()
        } else {
            "  client_ca_file: ca.crt\n".into()
        };
        site.write("ca.crt", &site.authority.pem());
        let text =
            format!("  client_auth_type: {mode}\n{authority}  client_allowed_sans: {sans}\n");
        let running = site.start(&text).await;
        let suites = ring::DEFAULT_CIPHER_SUITES;
        for (identity, admitted) in [(Some(&signed), with), (None, without)] {
            let client = Client::with(&site.authority, None, suites, identity);
            assert_eq!(client.scrape(&running).await.is_ok(), admitted, "{text}");
        }
    }
}

#[tokio::test]
async fn who_speaks_plain_http_is_told_so() {
    let site = Site::new();
    let running = site.start("").await;
    let answer = running.get("/metrics").await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.body, "Client sent an HTTP request to an HTTPS server.\n");
}

/// The next connection which has what is asked for, within the time a change may take.
async fn eventually<T>(mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let found = timeout(Duration::from_secs(10), async {
        loop {
            if let Some(found) = attempt().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    found.await.expect("a change is seen within a few seconds")
}

#[tokio::test]
async fn a_new_certificate_is_taken_while_old_connections_go_on() {
    let site = Site::new();
    let running = site.start("").await;
    let old = Client::new(&site.authority);
    let mut kept = old.connect(&running).await.unwrap();
    let version = kept.get_ref().1.protocol_version();
    assert_eq!(version, Some(ProtocolVersion::TLSv1_3));

    let next = Authority::new("next");
    site.certify(&next);
    let new = Client::new(&next);
    let answer = eventually(async || new.scrape(&running).await.ok()).await;
    assert!(answer.body.contains("x_exporter_web_config_last_reload_successful 1\n"));
    assert!(old.scrape(&running).await.is_err(), "the old certificate is not shown any more");

    site.write("server.key", "");
    let shown = "x_exporter_web_config_last_reload_successful 0\n";
    eventually(async || new.scrape(&running).await.unwrap().body.contains(shown).then_some(()))
        .await;

    let answer = exchange(&mut kept, SCRAPE).await.unwrap();
    assert_eq!(answer.status, 200, "a connection from before outlives both changes");
    assert_eq!(kept.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn switching_tls_off_waits_for_a_restart() {
    let site = Site::new();
    let running = site.start("").await;
    site.write("web.yml", "http_server_config: {headers: {X-Frame-Options: deny}}\n");
    let client = Client::new(&site.authority);
    let shown = "x_exporter_web_config_last_reload_successful 0\n";
    let answer = eventually(async || {
        let answer = client.scrape(&running).await.unwrap();
        answer.body.contains(shown).then_some(answer)
    });
    assert!(!answer.await.head.contains("x-frame-options"));
}
