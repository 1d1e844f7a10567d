//! How names are written for a scraper which asked for an escaping scheme.

use std::borrow::Cow;

/// The schemes of Prometheus 3.
///
/// All names on a page are of the older alphabet, `[a-zA-Z_:][a-zA-Z0-9_:]*`, so only `dots`
/// changes them: it doubles underscores, since a single one stands for a dot.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Escaping {
    /// `allow-utf-8`: names as they are.
    AllowUtf8,
    /// `underscores`, the default: what is not of the older alphabet becomes an underscore.
    #[default]
    Underscores,
    /// `dots`: `_` becomes `__`.
    Dots,
    /// `values`: names of the older alphabet stay.
    Values,
}

impl Escaping {
    /// The scheme named in an `Accept` header.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "allow-utf-8" => Some(Self::AllowUtf8),
            "underscores" => Some(Self::Underscores),
            "dots" => Some(Self::Dots),
            "values" => Some(Self::Values),
            _ => None,
        }
    }

    /// Its name in a `Content-Type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }

    /// A metric or label name as the scraper wants it.
    #[must_use]
    pub fn name(self, name: &str) -> Cow<'_, str> {
        match self {
            Self::Dots if name.contains('_') => Cow::Owned(name.replace('_', "__")),
            _ => Cow::Borrowed(name),
        }
    }
}
