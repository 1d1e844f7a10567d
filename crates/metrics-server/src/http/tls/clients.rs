//! Client certificates: the five policies of `client_auth_type`, and `client_allowed_sans`.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    },
    pki_types::{CertificateDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use x509_cert::{
    Certificate,
    der::{
        Decode as _,
        oid::db::rfc5280::{ANY_EXTENDED_KEY_USAGE, ID_KP_CLIENT_AUTH},
    },
    ext::pkix::{ExtendedKeyUsage, SubjectAltName, name::GeneralName},
};

use super::{ReadFile, pem};
use crate::http::config::schema::Tls;

/// Where systems keep the authorities they trust, as Go looks for them.
const SYSTEM_BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// `client_auth_type`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Policy {
    /// No certificate is asked for.
    None,
    /// One is asked for; whether and which comes does not matter.
    Request,
    /// One has to come; by whom it was signed does not matter.
    RequireAny,
    /// If one comes, it has to be signed by a known authority.
    VerifyIfGiven,
    /// One has to come, signed by a known authority.
    RequireAndVerify,
}

impl Policy {
    fn parse(name: Option<&str>) -> Result<Self, String> {
        match name.unwrap_or_default() {
            "" | "NoClientCert" => Ok(Self::None),
            "RequestClientCert" => Ok(Self::Request),
            "RequireAnyClientCert" | "RequireClientCert" => Ok(Self::RequireAny),
            "VerifyClientCertIfGiven" => Ok(Self::VerifyIfGiven),
            "RequireAndVerifyClientCert" => Ok(Self::RequireAndVerify),
            other => Err(format!(
                "client_auth_type: unknown {other:?}; supported are NoClientCert, \
                 RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven, \
                 RequireAndVerifyClientCert"
            )),
        }
    }
}

/// What to demand of clients; `None` for nothing.
///
/// # Errors
///
/// One line: which key, and what is wrong with it.
pub(super) fn verifier(
    tls: &Tls,
    provider: &Arc<CryptoProvider>,
    read: &mut ReadFile<'_>,
    warnings: &mut Vec<String>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, String> {
    let policy = Policy::parse(tls.client_auth_type.as_deref())?;
    let ca = pem(
        ("client_ca_file", &tls.client_ca_file),
        ("client_ca", tls.client_ca.as_deref()),
        read,
    )?;
    if policy == Policy::None {
        return match ca {
            Some(ca) => Err(format!("{} needs a client_auth_type", ca.origin)),
            None => Ok(None),
        };
    }
    let verify = matches!(policy, Policy::VerifyIfGiven | Policy::RequireAndVerify);
    let authorities = match (verify, ca) {
        (false, _) => None,
        (true, Some(ca)) => Some(Authorities::new(&ca.origin, ca.certificates()?, provider)?),
        (true, None) => Some(system_authorities(provider, read, warnings)?),
    };
    Ok(Some(Arc::new(Clients {
        mandatory: matches!(policy, Policy::RequireAny | Policy::RequireAndVerify),
        authorities,
        allowed_sans: tls.client_allowed_sans.clone(),
        algorithms: provider.signature_verification_algorithms,
    })))
}

/// Without `client_ca`, Go takes whom the system trusts.
fn system_authorities(
    provider: &Arc<CryptoProvider>,
    read: &mut ReadFile<'_>,
    warnings: &mut Vec<String>,
) -> Result<Authorities, String> {
    for path in SYSTEM_BUNDLES {
        let Ok(Some(bundle)) = pem(("", &Some(path.to_owned())), ("", None), read) else {
            continue;
        };
        warnings.push(format!(
            "no client_ca, so that every authority in {path} may sign client certificates"
        ));
        return Authorities::new(path, bundle.certificates()?, provider);
    }
    warnings.push(
        "no client_ca, and the system has no bundle of authorities: every client certificate is \
         refused"
            .to_owned(),
    );
    Ok(Authorities { chains: None, certificates: Vec::new() })
}

/// Who may sign client certificates.
#[derive(Debug)]
struct Authorities {
    /// `None` if there are none.
    chains: Option<Arc<dyn ClientCertVerifier>>,
    /// A certificate which is its own authority is taken as it is, as Go does: `openssl req -x509`
    /// marks what it makes as an authority, and rustls takes no authority for a client.
    certificates: Vec<CertificateDer<'static>>,
}

impl Authorities {
    fn new(
        origin: &str,
        certificates: Vec<CertificateDer<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        let (added, _ignored) = roots.add_parsable_certificates(certificates.iter().cloned());
        if added == 0 {
            return Err(format!("{origin}: no certificate in it that can be used"));
        }
        let chains =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                .build()
                .map_err(|error| format!("{origin}: {error}"))?;
        Ok(Self { chains: Some(chains), certificates })
    }

    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        if self.certificates.iter().any(|known| known.as_ref() == certificate.as_ref()) {
            return usable_by_client(&parse(certificate)?, now);
        }
        let Some(chains) = &self.chains else { return Err(CertificateError::UnknownIssuer.into()) };
        chains.verify_client_cert(certificate, intermediates, now).map(drop)
    }
}

/// Demands what the file says.
#[derive(Debug)]
struct Clients {
    mandatory: bool,
    /// `None` if it does not matter who signed.
    authorities: Option<Authorities>,
    allowed_sans: Option<Vec<String>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Clients {
    /// A list of names can be met by a certificate only.
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory || self.allowed_sans.is_some()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        let chains = self.authorities.as_ref().and_then(|known| known.chains.as_ref());
        chains.map_or(&[], |chains| chains.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some(authorities) = &self.authorities {
            authorities.verify(certificate, intermediates, now)?;
        }
        if let Some(allowed) = &self.allowed_sans
            && !names(&parse(certificate)?)?.iter().any(|name| allowed.contains(name))
        {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn parse(certificate: &CertificateDer<'_>) -> Result<Certificate, Error> {
    Certificate::from_der(certificate).map_err(|_error| CertificateError::BadEncoding.into())
}

/// Valid now, and not made for something else than clients.
fn usable_by_client(certificate: &Certificate, now: UnixTime) -> Result<(), Error> {
    let certificate = certificate.tbs_certificate();
    let now = Duration::from_secs(now.as_secs());
    let validity = certificate.validity();
    if now < validity.not_before.to_unix_duration() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after.to_unix_duration() {
        return Err(CertificateError::Expired.into());
    }
    let usage = certificate
        .get_extension::<ExtendedKeyUsage>()
        .map_err(|_error| Error::from(CertificateError::BadEncoding))?;
    let purposes = [ID_KP_CLIENT_AUTH, ANY_EXTENDED_KEY_USAGE];
    match usage {
        Some((_, usage)) if !usage.0.iter().any(|purpose| purposes.contains(purpose)) => {
            Err(CertificateError::InvalidPurpose.into())
        }
        _ => Ok(()),
    }
}

/// The alternative names of which `client_allowed_sans` may list one, written as Go writes them.
fn names(certificate: &Certificate) -> Result<Vec<String>, Error> {
    let names = certificate
        .tbs_certificate()
        .get_extension::<SubjectAltName>()
        .map_err(|_error| Error::from(CertificateError::BadEncoding))?;
    let names = names.map(|(_, names)| names.0).unwrap_or_default();
    Ok(names.iter().filter_map(name).collect())
}

fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(text)
        | GeneralName::Rfc822Name(text)
        | GeneralName::UniformResourceIdentifier(text) => Some(text.as_str().to_owned()),
        GeneralName::IpAddress(bytes) => ip(bytes.as_bytes()).map(|ip| ip.to_string()),
        _ => None,
    }
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(Ipv4Addr::from).map(IpAddr::V4);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(Ipv6Addr::from).map(IpAddr::V6)).ok()
}
