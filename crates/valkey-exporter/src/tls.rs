//! TLS to a server: the `--tls-*` flags as a configuration of rustls, read anew when files change.

use std::{
    fmt, fs, io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use metrics_server::Unverified;
use rustls::{
    ClientConfig, RootCertStore,
    client::WebPkiServerVerifier,
    client::danger::ServerCertVerifier,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use thiserror::Error;
use tokio_rustls::TlsConnector;

/// Where systems keep the authorities they trust, as Go looks for them.
const SYSTEM_BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What the flags say of TLS. An empty path is no file.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// Authorities which vouch for the server: a file, or a folder of files.
    pub ca: String,
    /// Our certificate.
    pub cert: String,
    /// Its key.
    pub key: String,
    /// Sent to the server, and looked for in its certificate, in place of the host.
    pub server_name: String,
    /// Whether to take any certificate.
    pub skip_verification: bool,
}

/// Why TLS cannot be set up.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be used.
    #[error("cannot use --{flag}: {reason}")]
    File {
        /// `tls-ca-cert-file`, `tls-client-cert-file` or `tls-client-key-file`.
        flag: &'static str,
        /// What is wrong; nothing of the file's contents.
        reason: String,
    },
    /// Certificate and key do not match, or the authorities are of no use.
    #[error("the certificates cannot be used: {0}")]
    Config(String),
    /// There is nobody to vouch for the server.
    #[error("the system has no bundle of authorities: see --tls-ca-cert-file")]
    NoAuthorities,
    /// The host is neither a name nor an address.
    #[error("{0:?} is no name for a certificate")]
    Name(String),
}

/// Makes TLS connections.
#[derive(Debug)]
pub struct Tls {
    settings: TlsSettings,
    /// What the files held when they were read last, and what was made of it. Kept so that a
    /// session can be resumed; held for a few instructions.
    made: Mutex<Option<Made>>,
}

#[derive(Clone)]
struct Made {
    files: Files,
    config: Arc<ClientConfig>,
}

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Made").finish_non_exhaustive()
    }
}

/// The bytes of all files which the flags name.
#[derive(Clone, Eq, PartialEq)]
struct Files {
    ca: Option<Vec<u8>>,
    client: Option<(Vec<u8>, Vec<u8>)>,
}

impl Tls {
    /// As `settings` say.
    pub const fn new(settings: TlsSettings) -> Self {
        Self { settings, made: Mutex::new(None) }
    }

    /// Looks whether the files, where there are any, can be used.
    ///
    /// # Errors
    ///
    /// See [`TlsError`].
    pub fn check(&self) -> Result<(), TlsError> {
        let files = Files::read(&self.settings)?;
        if files.ca.is_none() && files.client.is_none() {
            return Ok(());
        }
        match self.config(&files) {
            // Perhaps no server is reached by TLS.
            Ok(_) | Err(TlsError::NoAuthorities) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Reads the files, where they have changed since the last time, and tells how to connect to
    /// `host`. Blocks for as long as reading takes.
    ///
    /// # Errors
    ///
    /// See [`TlsError`].
    pub fn connector(
        &self,
        host: &str,
        server_name: Option<&str>,
    ) -> Result<(TlsConnector, ServerName<'static>), TlsError> {
        let files = Files::read(&self.settings)?;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let config = match &*made {
            Some(made) if made.files == files => Arc::clone(&made.config),
            _ => {
                let config = Arc::new(self.config(&files)?);
                *made = Some(Made { files, config: Arc::clone(&config) });
                config
            }
        };
        drop(made);
        let own = Some(self.settings.server_name.as_str()).filter(|name| !name.is_empty());
        let name = server_name.or(own).unwrap_or(host).to_owned();
        // An IPv6 address may have a zone, which is nothing that a certificate knows.
        let bare = name.split('%').next().unwrap_or_default().to_owned();
        let name = ServerName::try_from(bare).map_err(|_error| TlsError::Name(name))?;
        Ok((TlsConnector::from(config), name))
    }

    fn config(&self, files: &Files) -> Result<ClientConfig, TlsError> {
        let unusable = |error: rustls::Error| TlsError::Config(error.to_string());
        let provider = Arc::new(ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = if self.settings.skip_verification {
            Arc::new(Unverified::new(Arc::clone(&provider)))
        } else {
            let roots = Arc::new(roots(files.ca.as_deref())?);
            WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
                .build()
                .map_err(|error| TlsError::Config(error.to_string()))?
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        match &files.client {
            None => Ok(builder.with_no_client_auth()),
            Some((chain, key)) => {
                let chain = certificates("tls-client-cert-file", chain)?;
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|_error| TlsError::File {
                    flag: "tls-client-key-file",
                    reason: "no private key in it that can be read".to_owned(),
                })?;
                builder.with_client_auth_cert(chain, key).map_err(unusable)
            }
        }
    }
}

impl Files {
    fn read(settings: &TlsSettings) -> Result<Self, TlsError> {
        let read = |flag, path: &str| {
            fs::read(path).map_err(|error| TlsError::File { flag, reason: error.to_string() })
        };
        let ca = match settings.ca.as_str() {
            "" => None,
            path => Some(read_authorities(Path::new(path)).map_err(|error| TlsError::File {
                flag: "tls-ca-cert-file",
                reason: error.to_string(),
            })?),
        };
        let client = match (settings.cert.as_str(), settings.key.as_str()) {
            ("", _) | (_, "") => None,
            (cert, key) => {
                Some((read("tls-client-cert-file", cert)?, read("tls-client-key-file", key)?))
            }
        };
        Ok(Self { ca, client })
    }
}

/// A file, or all files of a folder, in the order of their names.
fn read_authorities(path: &Path) -> io::Result<Vec<u8>> {
    if !path.is_dir() {
        return fs::read(path);
    }
    let mut paths = fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort_unstable();
    let mut all = Vec::new();
    for path in paths.iter().filter(|path| path.is_file()) {
        all.extend(fs::read(path)?);
        all.push(b'\n');
    }
    Ok(all)
}

fn roots(own: Option<&[u8]>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    if let Some(pem) = own {
        for certificate in certificates("tls-ca-cert-file", pem)? {
            roots.add(certificate).map_err(|error| TlsError::Config(error.to_string()))?;
        }
        return Ok(roots);
    }
    let system = SYSTEM_BUNDLES.iter().find_map(|path| fs::read(path).ok());
    let pem = system.ok_or(TlsError::NoAuthorities)?;
    // Systems have certificates that a strict parser refuses; the others are good.
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
    if roots.is_empty() { Err(TlsError::NoAuthorities) } else { Ok(roots) }
}

/// At least one.
fn certificates(flag: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if all.is_empty() => {
            Err(TlsError::File { flag, reason: "no certificate in it".to_owned() })
        }
        Ok(all) => Ok(all),
        Err(error) => Err(TlsError::File { flag, reason: error.to_string() }),
    }
}

#[cfg(test)]
mod tests;
