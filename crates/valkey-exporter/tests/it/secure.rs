//! Certificates, and a bridge which speaks TLS in front of a server that does not.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tokio_rustls::TlsAcceptor;

/// An authority with a folder of its own.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub(crate) folder: PathBuf,
}

impl Authority {
    pub(crate) fn new(folder: &Path) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("signed");
        let folder = folder.to_owned();
        fs::write(folder.join("ca.crt"), issuer.pem()).expect("written");
        Self { issuer, folder }
    }

    /// Writes `<name>.crt` and `<name>.key`, for `host`.
    pub(crate) fn sign(&self, name: &str, host: &str) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![host.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        fs::write(self.folder.join(format!("{name}.crt")), certificate.pem()).expect("written");
        fs::write(self.folder.join(format!("{name}.key")), key.serialize_pem()).expect("written");
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    pub(crate) fn certificates(&self, name: &str) -> Vec<CertificateDer<'static>> {
        let read = CertificateDer::pem_file_iter(self.folder.join(name)).expect("readable");
        read.collect::<Result<_, _>>().expect("certificates")
    }

    /// What a server with the certificate `name` does; it asks clients for one of ours.
    fn server(&self, name: &str) -> ServerConfig {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates("ca.crt") {
            roots.add(certificate).expect("an authority");
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .expect("there is an authority");
        let key = PrivateKeyDer::from_pem_file(self.folder.join(format!("{name}.key")));
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("known versions")
            .with_client_cert_verifier(verifier)
            .with_single_cert(self.certificates(&format!("{name}.crt")), key.expect("a key"))
            .expect("they belong together")
    }
}

/// TLS on a port of its own, until it is dropped.
pub(crate) struct Bridge {
    pub(crate) port: u16,
    _runtime: Runtime,
}

impl Bridge {
    /// Leads to `port` whoever shows a certificate of `authority`.
    pub(crate) fn start(authority: &Authority, port: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_io()
            .build()
            .expect("a runtime");
        let acceptor = TlsAcceptor::from(Arc::new(authority.server("server")));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let own = listener.local_addr().expect("bound").port();
        runtime.spawn(async move {
            while let Ok((stream, _peer)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut secure) = acceptor.accept(stream).await else { return };
                    let mut plain =
                        TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
                    // It ends as either end likes.
                    let _copied = tokio::io::copy_bidirectional(&mut secure, &mut plain).await;
                });
            }
        });
        Self { port: own, _runtime: runtime }
    }
}
