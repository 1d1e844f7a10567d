//! Why a name is mapped as it is: each rule, and what speaks for or against it.

use std::fmt::Write as _;

use super::{Mapping, Rule, glob};
use crate::line::{Kind, Labels};

impl Mapping {
    /// Says of each rule whether it takes a sample of this name, kind and labels, and why not.
    pub fn explain(&self, name: &str, kind: Kind, labels: &Labels<'_>) -> String {
        let winner = self.winner(name, kind, labels);
        let mut text = String::new();
        match winner {
            Some(index) => {
                let rule = &self.rules[index];
                let action = if rule.drop { "drops it" } else { "maps it" };
                writeln!(text, "{name} ({}): mapping {} {action}", kind.as_str(), index + 1)
            }
            None => writeln!(text, "{name} ({}): no mapping matches", kind.as_str()),
        }
        .expect("a string takes every line");
        for (index, rule) in self.rules.iter().enumerate() {
            let verdict = match self.objection(index, rule, name, kind, labels) {
                Some(objection) => objection,
                None if winner == Some(index) => "matches".to_owned(),
                None => format!(
                    "matches, but mapping {} is looked at before",
                    winner.map_or(0, |winner| winner + 1)
                ),
            };
            writeln!(text, "mapping {} (match {:?}): {verdict}", index + 1, rule.pattern)
                .expect("a string takes every line");
        }
        text
    }

    fn objection(
        &self,
        index: usize,
        rule: &Rule,
        name: &str,
        kind: Kind,
        labels: &Labels<'_>,
    ) -> Option<String> {
        if !rule.kinds.contains(&kind) {
            return Some(format!("is not for a {}", kind.as_str()));
        }
        let regex = self.regexes.iter().find(|(rule, _)| *rule == index);
        match regex {
            Some((_, regex)) if !regex.is_match(name) => {
                return Some("its expression does not match".to_owned());
            }
            Some(_) => {}
            None => {
                if let Some(objection) = glob::objection(&rule.pattern, name) {
                    return Some(objection);
                }
            }
        }
        let (key, pattern) = rule.tags.iter().find(|tag| !super::tag_fits(tag, labels))?;
        Some(match labels.get(key) {
            Some(value) => format!("tag {key} is {value:?}, not {pattern:?}"),
            None => format!("tag {key} is not there"),
        })
    }
}
