//! `--metric-prefix`: another beginning for the names that `postgres_exporter` makes from its maps and
//! from the file of `--extend.query-path`. Its collectors do not honour the flag, and ours neither: a
//! dashboard that was made with it keeps its series.

use std::{borrow::Cow, str::FromStr};

use metrics_server::{Desc, exposition::is_metric_name};

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

impl FromStr for Prefix {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || is_metric_name(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a metric's name cannot begin with it: letters, digits, _ and : are allowed")
        }
    }
}

impl Prefix {
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
