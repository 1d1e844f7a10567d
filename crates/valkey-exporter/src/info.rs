//! What `INFO` answers, as sections of fields. Pure: any bytes are read, and none makes it panic.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::borrow::Cow;

/// Lines that are kept of an answer: many times what a server with thousands of databases has. A page
/// takes many times the memory of the lines it is made of.
const LINES_MAX: usize = 50_000;

/// One line of `INFO`: `connected_clients:3` in section `Clients`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Line<'a> {
    /// The last `# Section` above the line; empty before the first one.
    pub section: &'a str,
    /// What stands before the first colon.
    pub field: &'a str,
    /// What stands behind it.
    pub value: &'a str,
}

/// The lines of an answer, in their order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Info<'a> {
    sections: Vec<&'a str>,
    lines: Vec<Line<'a>>,
    /// Lines beyond [`LINES_MAX`], sections among them.
    left_out: usize,
}

impl<'a> Info<'a> {
    /// Reads `text`. Lines which are neither a section nor `field:value` are left out.
    pub fn parse(text: &'a str) -> Self {
        let mut info = Self::default();
        let mut section = "";
        for line in text.split('\n').map(str::trim) {
            if info.lines.len().saturating_add(info.sections.len()) >= LINES_MAX {
                info.left_out = info.left_out.saturating_add(usize::from(!line.is_empty()));
            } else if let Some(name) = line.strip_prefix("# ") {
                section = name;
                info.sections.push(name);
            } else if let Some((field, value)) = line.split_once(':') {
                info.lines.push(Line { section, field, value });
            }
        }
        info
    }

    /// Whether there is a section of this name, even an empty one.
    pub fn has_section(&self, name: &str) -> bool {
        self.sections.contains(&name)
    }

    /// How many lines were too many.
    pub const fn left_out(&self) -> usize {
        self.left_out
    }

    /// Every line.
    pub fn lines(&self) -> impl Iterator<Item = Line<'a>> {
        self.lines.iter().copied()
    }

    /// The fields and values of one section.
    pub fn section<'i>(&'i self, name: &'i str) -> impl Iterator<Item = (&'a str, &'a str)> + 'i {
        let lines = self.lines.iter().filter(move |line| line.section == name);
        lines.map(|line| (line.field, line.value))
    }

    /// The value of a field, whichever section it stands in.
    pub fn get(&self, field: &str) -> Option<&'a str> {
        self.lines.iter().find(|line| line.field == field).map(|line| line.value)
    }
}

/// Text of an answer; bytes which are not UTF-8 become `U+FFFD`.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    // Most answers are, and looking is many times quicker than mending.
    str::from_utf8(bytes).map_or_else(|_error| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// A value as a number: Go's floats, and the words by which servers say yes and no.
pub fn number(value: &str) -> Option<f64> {
    match value {
        "ok" | "true" => Some(1.0),
        "err" | "fail" | "false" => Some(0.0),
        _ => value.parse().ok(),
    }
}

/// The items of `a=1,b=2`. `None` if one of them has not exactly one `=`.
pub fn items(value: &str) -> Option<Items<'_>> {
    let pairs: Option<Vec<_>> = value
        .split(',')
        .map(|item| item.split_once('=').filter(|(_, rest)| !rest.contains('=')))
        .collect();
    pairs.map(Items)
}

/// Named items of one value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Items<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Items<'a> {
    /// The first item of this name.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// The first item of this name, as a number.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.get(name)?.parse().ok()
    }

    /// All items in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().copied()
    }
}

/// What follows `prefix` where it is a number: `index("slave12", "slave")` is 12.
pub fn index(field: &str, prefix: &str) -> Option<u32> {
    let digits = field.strip_prefix(prefix)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests;
