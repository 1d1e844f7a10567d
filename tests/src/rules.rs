//! The rules of the repository, as their files have them.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use serde_yaml_ng::Value;

use crate::repository;

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The file's name without `.yml`.
    pub file: String,
    /// The group's name.
    pub group: String,
    /// The alert's or the recorded series' name.
    pub name: String,
    /// Whether it is an alert.
    pub alert: bool,
    /// The expression.
    pub expression: String,
    /// All of it.
    pub yaml: Value,
}

impl Rule {
    /// A label of its own, or an empty text.
    #[must_use]
    pub fn label(&self, name: &str) -> &str {
        self.yaml["labels"][name].as_str().unwrap_or_default()
    }

    /// An annotation, or an empty text.
    #[must_use]
    pub fn annotation(&self, name: &str) -> &str {
        self.yaml["annotations"][name].as_str().unwrap_or_default()
    }
}

/// The files of rules, in the order of their names.
///
/// # Errors
///
/// The folder cannot be read.
pub fn files() -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(repository().join("rules"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "yml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// All rules.
///
/// # Errors
///
/// A file is not what Prometheus takes.
pub fn all() -> Result<Vec<Rule>> {
    let mut found = Vec::new();
    for path in files()? {
        let file = path.file_stem().context("a name")?.to_string_lossy().into_owned();
        let yaml: Value = serde_yaml_ng::from_str(&fs::read_to_string(&path)?)
            .with_context(|| path.display().to_string())?;
        for group in yaml["groups"].as_sequence().context("groups")? {
            for rule in group["rules"].as_sequence().context("rules")? {
                let text = |value: &Value| value.as_str().map(str::to_owned);
                let name = text(&rule["alert"]).or_else(|| text(&rule["record"]));
                found.push(Rule {
                    file: file.clone(),
                    group: text(&group["name"]).context("a group's name")?,
                    name: name.context("a rule's name")?,
                    alert: rule["alert"].is_string(),
                    expression: text(&rule["expr"]).context("an expression")?,
                    yaml: rule.clone(),
                });
            }
        }
    }
    Ok(found)
}

/// The alerts.
///
/// # Errors
///
/// A file is not what Prometheus takes.
pub fn alerts() -> Result<Vec<Rule>> {
    Ok(all()?.into_iter().filter(|rule| rule.alert).collect())
}

/// What a file says that its rules need and the platform has not always: `# requires PATTERN: WHY`. A
/// pattern is a name; one that ends with `*` is the start of several.
///
/// # Errors
///
/// A file cannot be read.
pub fn required() -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for path in files()? {
        for line in fs::read_to_string(&path)?.lines() {
            if let Some((pattern, why)) =
                line.trim().strip_prefix("# requires ").and_then(|rest| rest.split_once(": "))
            {
                // `name{label}` is for the reader: which label is what not every version has.
                let pattern = pattern.split('{').next().unwrap_or(pattern);
                found.push((pattern.to_owned(), why.to_owned()));
            }
        }
    }
    Ok(found)
}

/// Whether `name` is one of `required`.
#[must_use]
pub fn is_required(name: &str, required: &[(String, String)]) -> bool {
    required.iter().any(|(pattern, _)| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    })
}

/// The blocks of a page in Markdown that are marked with `language`.
#[must_use]
pub fn blocks(text: &str, language: &str) -> Vec<String> {
    let start = format!("```{language}");
    let mut found = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        match &mut block {
            None if line == start => block = Some(String::new()),
            None => {}
            Some(lines) if line == "```" => {
                found.push(std::mem::take(lines));
                block = None;
            }
            Some(lines) => {
                lines.push_str(line);
                lines.push('\n');
            }
        }
    }
    found
}
