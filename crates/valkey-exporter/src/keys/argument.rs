//! `dbN=name,…`: the lists of keys and patterns that flags and parameters of `/scrape` hold.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use thiserror::Error;

/// A key, or a pattern of keys, in a database.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct KeyName {
    /// Which database.
    pub database: u32,
    /// Any bytes, but some.
    pub name: Vec<u8>,
}

/// Why a text is no list of keys.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
pub enum ArgumentError {
    /// `a=b=c`.
    #[error("{0:?} has more than one =: write one of a key as %3D")]
    Equals(String),
    /// `dbx=key`.
    #[error("{0:?} does not begin with the number of a database")]
    Database(String),
    /// `a%zz`.
    #[error("{0:?} has a % which is not followed by two hexadecimal digits")]
    Escape(String),
}

/// Reads a list. Parts without a database are of the first one; parts without a key are left out.
/// Names are escaped as in a URL: `+` is a space, `%2C` a comma.
///
/// # Errors
///
/// The part which cannot be read.
pub fn parse(text: &str) -> Result<Vec<KeyName>, ArgumentError> {
    let parts = text.split(',').filter(|part| !part.is_empty());
    parts.filter_map(|part| part_of(part).transpose()).collect()
}

fn part_of(part: &str) -> Result<Option<KeyName>, ArgumentError> {
    let (database, name) = match part.split_once('=') {
        None => ("0".to_owned(), part),
        Some((_, name)) if name.contains('=') => {
            return Err(ArgumentError::Equals(part.to_owned()));
        }
        Some((database, name)) => (database.trim().replace("db", ""), name),
    };
    let name = unescape(name.trim()).ok_or_else(|| ArgumentError::Escape(part.to_owned()))?;
    if database.is_empty() || name.is_empty() {
        return Ok(None);
    }
    match database.parse() {
        Ok(database) => Ok(Some(KeyName { database, name })),
        Err(_no_number) => Err(ArgumentError::Database(part.to_owned())),
    }
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut plain = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high.checked_mul(16)?.checked_add(low)?).ok()?
            }
            byte => byte,
        });
    }
    Some(plain)
}

impl KeyName {
    /// Whether it stands for more than one key: `redis_exporter` looks for these characters.
    pub fn is_pattern(&self) -> bool {
        self.name.iter().any(|byte| b"?*[]^".contains(byte))
    }

    /// The label `db`.
    pub fn database_label(&self) -> String {
        format!("db{}", self.database)
    }
}

#[cfg(test)]
mod tests;
