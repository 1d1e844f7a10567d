//! Certificates made for one test.

use std::net::{IpAddr, Ipv4Addr};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Signs certificates.
pub(in crate::http) struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
pub(in crate::http) struct Identity {
    pub(in crate::http) certificate: Certificate,
    pub(in crate::http) key: KeyPair,
}

/// What a certificate is like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::http) enum Kind {
    Server,
    Client,
    /// For servers alone.
    WrongPurpose,
    Expired,
    NotYetValid,
}

impl Authority {
    pub(in crate::http) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    pub(in crate::http) fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub(in crate::http) fn der(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }

    pub(in crate::http) fn sign(&self, kind: Kind) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params(kind).signed_by(&key, &self.issuer).unwrap();
        Identity { certificate, key }
    }
}

/// As `openssl req -x509` makes them: its own authority, and marked as one.
pub(in crate::http) fn self_signed(kind: Kind) -> Identity {
    let key = KeyPair::generate().unwrap();
    let mut params = params(kind);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Identity { certificate: params.self_signed(&key).unwrap(), key }
}

fn params(kind: Kind) -> CertificateParams {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, format!("{kind:?}"));
    params.subject_alt_names.extend([
        SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        SanType::IpAddress("2001:db8::1".parse().unwrap()),
        SanType::Rfc822Name("ops@example.org".try_into().unwrap()),
        SanType::URI("spiffe://example.org/prometheus".try_into().unwrap()),
    ]);
    params.extended_key_usages = vec![match kind {
        Kind::Server | Kind::WrongPurpose => ExtendedKeyUsagePurpose::ServerAuth,
        _ => ExtendedKeyUsagePurpose::ClientAuth,
    }];
    match kind {
        Kind::Expired => params.not_after = date_time_ymd(2020, 1, 1),
        Kind::NotYetValid => params.not_before = date_time_ymd(2900, 1, 1),
        _ => {}
    }
    params
}

impl Identity {
    pub(in crate::http) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.der().clone()]
    }

    pub(in crate::http) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }
}
