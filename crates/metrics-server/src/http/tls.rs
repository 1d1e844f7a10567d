//! `tls_server_config`: from what the file says to a configuration of rustls.

use std::{io, path::Path, sync::Arc};

use rustls::{
    ServerConfig, SupportedProtocolVersion,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::danger::ClientCertVerifier,
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};

use super::config::schema::Tls;

mod clients;
mod names;

/// Reads a file named in the configuration; relative to the configuration's folder.
pub(super) type ReadFile<'a> = dyn FnMut(&Path) -> io::Result<Vec<u8>> + 'a;

/// `None` where the file asks for no TLS. What is done differently than it asks goes to
/// `warnings`.
///
/// # Errors
///
/// One line: which key, and what is wrong with it.
pub(super) fn server_config(
    tls: &Tls,
    http2: bool,
    read: &mut ReadFile<'_>,
    warnings: &mut Vec<String>,
) -> Result<Option<ServerConfig>, String> {
    let set = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let key_set = tls.key.as_ref().is_some_and(|key| !key.0.is_empty());
    let asked_for = set(&tls.cert)
        || key_set
        || [&tls.cert_file, &tls.key_file, &tls.client_ca_file, &tls.client_ca]
            .into_iter()
            .any(set)
        || set(&tls.client_auth_type);
    if !asked_for {
        // Names are checked even where nothing is done with them.
        names::provider(tls, &mut Vec::new())?;
        names::versions(tls, &mut Vec::new())?;
        return Ok(None);
    }
    let provider = Arc::new(names::provider(tls, warnings)?);
    let versions = versions(tls, &provider, warnings)?;
    let inline_key = tls.key.as_ref().map(|key| key.0.as_str());
    let chain = pem(("cert_file", &tls.cert_file), ("cert", tls.cert.as_deref()), read)?
        .ok_or("missing one of cert or cert_file")?;
    let key = pem(("key_file", &tls.key_file), ("key", inline_key), read)?
        .ok_or("missing one of key or key_file")?;
    let verifier = clients::verifier(tls, &provider, read, warnings)?;
    let mut config = build(&chain, &key, provider, &versions, verifier)?;
    config.ignore_client_order = tls.prefer_server_cipher_suites.is_none_or(|server| server.0);
    let protocols: &[&[u8]] = if http2 { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] };
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(Some(config))
}

/// A PEM text and the key it came from.
struct Pem {
    origin: String,
    text: Vec<u8>,
}

/// The file, or the text in the configuration itself; empty is absent.
fn pem(
    (file_key, file): (&str, &Option<String>),
    (text_key, text): (&str, Option<&str>),
    read: &mut ReadFile<'_>,
) -> Result<Option<Pem>, String> {
    if let Some(file) = file.as_deref().filter(|file| !file.is_empty()) {
        let origin = format!("{file_key} {file}");
        let text = read(Path::new(file)).map_err(|error| format!("{origin}: {error}"))?;
        return Ok(Some(Pem { origin, text }));
    }
    let text = text.filter(|text| !text.is_empty());
    Ok(text.map(|text| Pem { origin: text_key.to_owned(), text: text.as_bytes().to_vec() }))
}

impl Pem {
    /// All certificates; at least one.
    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.text).collect();
        match all {
            Ok(all) if all.is_empty() => Err(format!("{}: no certificate in it", self.origin)),
            Ok(all) => Ok(all),
            Err(error) => Err(format!("{}: {error}", self.origin)),
        }
    }

    /// The first private key. The error says nothing of the text.
    fn private_key(&self) -> Result<PrivateKeyDer<'static>, String> {
        PrivateKeyDer::from_pem_slice(&self.text)
            .map_err(|_error| format!("{}: no private key in it that can be read", self.origin))
    }
}

/// The protocol versions for which there are suites.
fn versions(
    tls: &Tls,
    provider: &CryptoProvider,
    warnings: &mut Vec<String>,
) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let (tls12, tls13) = names::versions(tls, warnings)?;
    let suites12 = provider.cipher_suites.iter().any(|suite| suite.tls13().is_none());
    if tls12 && !suites12 && !tls13 {
        return Err("cipher_suites: none of them is for max_version TLS12".to_owned());
    }
    let mut versions = Vec::new();
    if tls13 {
        versions.push(&TLS13);
    }
    if tls12 && suites12 {
        versions.push(&TLS12);
    }
    Ok(versions)
}

fn build(
    chain: &Pem,
    key: &Pem,
    provider: Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
    verifier: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<ServerConfig, String> {
    let certificates = chain.certificates()?;
    let private_key = key.private_key()?;
    // What does not fit together is told by name before rustls is asked.
    CertifiedKey::from_der(certificates.clone(), private_key.clone_key(), &provider)
        .and_then(|certified| certified.keys_match())
        .map_err(|error| format!("{} and {}: {error}", chain.origin, key.origin))?;
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| error.to_string())?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    builder
        .with_single_cert(certificates, private_key)
        .map_err(|error| format!("{} and {}: {error}", chain.origin, key.origin))
}

#[cfg(test)]
mod tests;
