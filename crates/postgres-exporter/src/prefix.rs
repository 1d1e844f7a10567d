//! `--metric-prefix`: another beginning for the names that `postgres_exporter` makes from its maps and
//! from the file of `--extend.query-path`. Its collectors do not honour the flag, and ours neither: a
//! dashboard that was made with it keeps its series.

use std::borrow::Cow;

use metrics_server::{Desc, exposition::is_metric_name};
use tracing::warn;

/// What stands in such a name where `pg` was.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Prefix(String);

/// What is replaced.
const REPLACED: &str = "pg";

impl Default for Prefix {
    fn default() -> Self {
        Self(REPLACED.to_owned())
    }
}

impl Prefix {
    /// Takes any text, as `postgres_exporter` does, which starts with one that no name can begin with.
    /// What cannot be in a name becomes `_`.
    pub fn new(text: &str) -> Self {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        let mut prefix: String = text.chars().map(|c| if allowed(c) { c } else { '_' }).collect();
        if !prefix.is_empty() && !is_metric_name(&prefix) {
            prefix.insert(0, '_');
        }
        Self(prefix)
    }

    /// Tells the log that names cannot begin with what was given.
    pub(crate) fn warn(&self, given: &str) {
        if self.0 != given {
            warn!(given, taken = self.0, "no name can begin with --metric-prefix as it is");
        }
    }

    /// `name` with the first `pg` in it replaced, wherever that is.
    pub fn apply<'a>(&self, name: &'a str) -> Cow<'a, str> {
        if self.0 == REPLACED {
            return Cow::Borrowed(name);
        }
        Cow::Owned(name.replacen(REPLACED, &self.0, 1))
    }

    /// The family under its other name.
    pub(crate) fn rename<'a>(&self, desc: &'a Desc<'static>) -> Desc<'a> {
        Desc { name: self.apply(&desc.name), help: Cow::Borrowed(&desc.help), kind: desc.kind }
    }
}

#[cfg(test)]
mod tests;
