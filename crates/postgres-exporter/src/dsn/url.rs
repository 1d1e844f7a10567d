//! `postgres://user:pass@host:port/db?key=value`, read as Go's `net/url` does.

use percent_encoding::percent_decode_str;

use super::{DsnError, Pairs};

/// What follows the scheme, if the text has one of the two.
pub(super) fn strip_scheme(text: &str) -> Option<&str> {
    text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://"))
}

/// Reads what follows the scheme.
pub(super) fn parse(rest: &str) -> Result<Pairs, DsnError> {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, address) = authority.rsplit_once('@').unwrap_or(("", authority));

    let mut pairs = Pairs::new();
    let mut add = |key: &str, text: &str| -> Result<(), DsnError> {
        if !text.is_empty() {
            pairs.push((key.to_owned(), decode(text)?));
        }
        Ok(())
    };
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    add("user", user)?;
    add("password", password)?;
    let (host, port) = split_address(address)?;
    add("host", host)?;
    add("port", port)?;
    add("dbname", path)?;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or(DsnError::NoValue)?;
        // In a query, and only there, `+` is a space.
        let decoded = |text: &str| decode(&text.replace('+', " "));
        pairs.push((decoded(key)?, decoded(value)?));
    }
    Ok(pairs)
}

/// `host:port`, `[::1]:port`, either part alone, or nothing.
fn split_address(address: &str) -> Result<(&str, &str), DsnError> {
    if let Some(inner) = address.strip_prefix('[') {
        let (host, rest) = inner.split_once(']').ok_or(DsnError::Form)?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, port)),
            None if rest.is_empty() => Ok((host, "")),
            None => Err(DsnError::Port),
        };
    }
    let (host, port) = address.split_once(':').unwrap_or((address, ""));
    Ok((host, port))
}

fn decode(text: &str) -> Result<String, DsnError> {
    let bytes = text.as_bytes();
    let escapes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    for (index, _) in escapes {
        let digits = bytes.get(index + 1..index + 3).ok_or(DsnError::Escape)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(DsnError::Escape);
        }
    }
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_error| DsnError::Escape)?;
    Ok(decoded.into_owned())
}
