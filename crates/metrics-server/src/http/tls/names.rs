//! Go's names of versions, cipher suites and curves, and what rustls has of them.

use rustls::{
    SupportedCipherSuite,
    crypto::{
        CryptoProvider, SupportedKxGroup,
        ring::{cipher_suite as suites, default_provider, kx_group as groups},
    },
};

use crate::http::config::schema::Tls;

/// Names which Go takes in `cipher_suites`, its order of preference, and what rustls has.
const CIPHER_SUITES: [(&str, Option<SupportedCipherSuite>); 13] = [
    ("TLS_AES_128_GCM_SHA256", Some(suites::TLS13_AES_128_GCM_SHA256)),
    ("TLS_AES_256_GCM_SHA384", Some(suites::TLS13_AES_256_GCM_SHA384)),
    ("TLS_CHACHA20_POLY1305_SHA256", Some(suites::TLS13_CHACHA20_POLY1305_SHA256)),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        Some(suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", Some(suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256)),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        Some(suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", Some(suites::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384)),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        Some(suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        Some(suites::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
    ),
    // CBC has been attacked too often; rustls never had it.
    ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", None),
    ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", None),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", None),
    ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", None),
];

/// Names which Go takes in `curve_preferences`.
const CURVES: [(&str, Option<&'static dyn SupportedKxGroup>); 4] = [
    ("X25519", Some(groups::X25519)),
    ("CurveP256", Some(groups::SECP256R1)),
    ("CurveP384", Some(groups::SECP384R1)),
    // ring has no P-521.
    ("CurveP521", None),
];

/// rustls' algorithms, restricted to the suites and curves which the file names.
///
/// As in Go, `cipher_suites` is about TLS 1.2: the suites of TLS 1.3 are always there.
///
/// # Errors
///
/// A name is unknown, or none of a list's is supported.
pub(super) fn provider(tls: &Tls, warnings: &mut Vec<String>) -> Result<CryptoProvider, String> {
    let mut provider = default_provider();
    let wanted = tls.cipher_suites.as_deref().unwrap_or_default();
    if !wanted.is_empty() {
        let chosen = choose("cipher_suites", wanted, &CIPHER_SUITES, warnings)?;
        provider.cipher_suites.retain(|suite| suite.tls13().is_some());
        provider.cipher_suites.extend(chosen.into_iter().filter(|suite| suite.tls13().is_none()));
    }
    let wanted = tls.curve_preferences.as_deref().unwrap_or_default();
    if !wanted.is_empty() {
        provider.kx_groups = choose("curve_preferences", wanted, &CURVES, warnings)?;
    }
    Ok(provider)
}

fn choose<T: Copy>(
    key: &str,
    wanted: &[String],
    table: &[(&str, Option<T>)],
    warnings: &mut Vec<String>,
) -> Result<Vec<T>, String> {
    let supported = || {
        let names = table.iter().filter(|(_, ours)| ours.is_some()).map(|(name, _)| *name);
        names.collect::<Vec<_>>().join(", ")
    };
    let mut chosen = Vec::new();
    let mut missing = Vec::new();
    for name in wanted {
        match table.iter().find(|(known, _)| known == name) {
            Some((_, Some(ours))) => chosen.push(*ours),
            Some((_, None)) => missing.push(name.as_str()),
            None => return Err(format!("{key}: unknown {name:?}; supported are {}", supported())),
        }
    }
    if chosen.is_empty() {
        let missing = missing.join(", ");
        return Err(format!("{key}: no support for {missing}; supported are {}", supported()));
    }
    if !missing.is_empty() {
        let missing = missing.join(", ");
        warnings.push(format!("{key}: no support for {missing}, left out"));
    }
    Ok(chosen)
}

/// Whether TLS 1.2 and TLS 1.3 are allowed by `min_version` and `max_version`.
///
/// # Errors
///
/// A name is unknown, or no version is left.
pub(super) fn versions(tls: &Tls, warnings: &mut Vec<String>) -> Result<(bool, bool), String> {
    let minimum = version("min_version", tls.min_version.as_deref(), 12)?;
    let maximum = version("max_version", tls.max_version.as_deref(), 13)?;
    if maximum < 12 {
        return Err("max_version: no support below TLS12; supported are TLS12, TLS13".to_owned());
    }
    if minimum > maximum {
        return Err("min_version is above max_version".to_owned());
    }
    if minimum < 12 {
        warnings.push("min_version: no support below TLS12, which is used instead".to_owned());
    }
    Ok((minimum <= 12, maximum >= 13))
}

fn version(key: &str, name: Option<&str>, default: u8) -> Result<u8, String> {
    match name {
        None => Ok(default),
        Some("TLS10") => Ok(10),
        Some("TLS11") => Ok(11),
        Some("TLS12") => Ok(12),
        Some("TLS13") => Ok(13),
        Some(other) => Err(format!("{key}: unknown {other:?}; supported are TLS12, TLS13")),
    }
}
