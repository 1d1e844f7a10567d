//! TLS to a server, as `sslmode` asks for it: the driver's connector on rustls.
//!
//! Missing: channel binding (`SCRAM-SHA-256-PLUS`), which servers offer and do not insist on.

use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use metrics_server::Unverified;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect};
use tokio_rustls::{TlsConnector, client};

use crate::dsn::{Secret, Ssl, SslMode};

/// Why TLS cannot be set up.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file of certificates or keys cannot be used.
    #[error("cannot read {parameter}: {reason}")]
    File {
        /// `sslrootcert`, `sslcert` or `sslkey`.
        parameter: &'static str,
        /// What is wrong; nothing of the file's contents.
        reason: String,
    },
    /// `sslcert` without `sslkey`, or the other way round; the default files count.
    #[error("sslcert and sslkey belong together")]
    Pair,
    /// Certificate and key do not match, or the authorities are of no use.
    #[error("the certificates cannot be used: {0}")]
    Config(String),
}

/// Makes the driver's connections encrypted ones.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
}

impl Tls {
    /// Reads the files anew, so that a certificate which was replaced is taken at the next login.
    ///
    /// # Errors
    ///
    /// See [`TlsError`].
    pub fn new(ssl: &Ssl) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let unusable = |error: rustls::Error| TlsError::Config(error.to_string());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(verifier(ssl, provider)?);
        let config = match client(ssl)? {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => {
                let chain = read_certificates("sslcert", &cert)?;
                builder.with_client_auth_cert(chain, read_key(&key)?).map_err(unusable)?
            }
        };
        Ok(Self { connector: TlsConnector::from(Arc::new(config)) })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// Certificate and key of the client: what is named, and of what is not, the files in its folder which
/// are there.
fn client(ssl: &Ssl) -> Result<Option<(String, Secret)>, TlsError> {
    let there = |name: &str| {
        let path = ssl.folder.as_ref()?.join(name);
        path.is_file().then(|| path.display().to_string())
    };
    let cert = ssl.cert.clone().or_else(|| there("postgresql.crt"));
    let key = || ssl.key.clone().or_else(|| there("postgresql.key").map(Secret::new));
    match cert {
        // Nobody asks for it.
        _ if ssl.mode == SslMode::Disable => Ok(None),
        None if ssl.key.is_some() => Err(TlsError::Pair),
        None => Ok(None),
        Some(cert) => key().map(|key| Some((cert, key))).ok_or(TlsError::Pair),
    }
}

/// Whether it is no path but what stands in such a file, as `sslinline` has it.
fn is_pem(text: &str) -> bool {
    text.trim_start().starts_with("-----BEGIN")
}

fn read_key(key: &Secret) -> Result<PrivateKeyDer<'static>, TlsError> {
    let key = key.reveal();
    let read = if is_pem(key) {
        PrivateKeyDer::from_pem_slice(key.as_bytes())
    } else {
        PrivateKeyDer::from_pem_file(key)
    };
    read.map_err(unreadable("sslkey"))
}

/// `require` does not look at the certificate, unless there is something to look with: then it is
/// `verify-ca`, as libpq has it.
fn verifier(
    ssl: &Ssl,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let checked = match ssl.mode {
        SslMode::VerifyCa | SslMode::VerifyFull => true,
        SslMode::Require => ssl.root_cert.is_some(),
        SslMode::Disable | SslMode::Allow | SslMode::Prefer => false,
    };
    if !checked {
        return Ok(Arc::new(Unverified::new(provider)));
    }
    let roots = Arc::new(roots(ssl.root_cert.as_deref())?);
    let full = WebPkiServerVerifier::builder_with_provider(roots, provider)
        .build()
        .map_err(|error| TlsError::Config(error.to_string()))?;
    if ssl.mode == SslMode::VerifyFull { Ok(full) } else { Ok(Arc::new(AnyName { full })) }
}

fn roots(path: Option<&str>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    match path {
        None | Some("system") => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            for certificate in read_certificates("sslrootcert", path)? {
                roots.add(certificate).map_err(|error| TlsError::Config(error.to_string()))?;
            }
        }
    }
    Ok(roots)
}

fn read_certificates(
    parameter: &'static str,
    place: &str,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Result<Vec<_>, _> = if is_pem(place) {
        CertificateDer::pem_slice_iter(place.as_bytes()).collect()
    } else {
        CertificateDer::pem_file_iter(place).map_err(unreadable(parameter))?.collect()
    };
    let certificates = certificates.map_err(unreadable(parameter))?;
    if certificates.is_empty() {
        return Err(TlsError::File { parameter, reason: "no certificate in it".to_owned() });
    }
    Ok(certificates)
}

fn unreadable(parameter: &'static str) -> impl Fn(rustls::pki_types::pem::Error) -> TlsError {
    move |error| TlsError::File { parameter, reason: error.to_string() }
}

/// Takes a certificate of a known authority, whatever name it is for.
#[derive(Debug)]
struct AnyName {
    full: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use rustls::{CertificateError, Error};

        let checked = self.full.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match checked {
            // The name is looked at last, when the chain has been found good.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            checked => checked,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.full.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.full.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.full.supported_verify_schemes()
    }
}

impl<S> MakeTlsConnect<S> for Tls
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type TlsConnect = Connect;
    type Error = io::Error;

    fn make_tls_connect(&mut self, domain: &str) -> io::Result<Connect> {
        // A socket in a folder has no name, and is not asked for TLS.
        let name = ServerName::try_from(domain.to_owned()).map_err(io::Error::other);
        Ok(Connect { connector: self.connector.clone(), name })
    }
}

/// TLS to one host.
pub struct Connect {
    connector: TlsConnector,
    name: io::Result<ServerName<'static>>,
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<S> TlsConnect<S> for Connect
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let connecting = self.connector.connect(self.name?, stream);
            Ok(Stream(Box::new(connecting.await?)))
        })
    }
}

/// An encrypted connection.
#[derive(Debug)]
pub struct Stream<S>(Box<client::TlsStream<S>>);

impl<S: AsyncRead + AsyncWrite + Unpin> tokio_postgres::tls::TlsStream for Stream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
