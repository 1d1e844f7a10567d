//! Rules which can never match, since others take all that they would: what can be decided of that.
//!
//! Globs are compared segment by segment. Of expressions it is decided whether every name that one
//! takes has a piece which the other one finds: the name itself, where an expression says all of it,
//! else texts which stand in all its names.

use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind, Look, LookSet};

use super::{Rule, glob};

/// Comparing each rule with each one before it ends here: larger files are made by programs.
const RULES_MAX: usize = 5_000;

/// A sentence for each rule that another one, which is looked at earlier, covers; and for each glob
/// which takes all from an expression that stands before it in the file.
pub(super) fn warnings(rules: &[Rule], regexes: &[(usize, Regex)], ordered: bool) -> Vec<String> {
    let count = rules.len().min(RULES_MAX);
    let mut found: Vec<Option<Looked<'_>>> = (0..count).map(|_| None).collect();
    for (index, regex) in regexes.iter().filter(|(index, _)| *index < count) {
        found[*index] = Some(Looked::new(&rules[*index].pattern, regex));
    }
    let is_glob = |index: &usize| found[*index].is_none();
    let in_order = || (0..count).filter(is_glob).chain((0..count).filter(|at| !is_glob(at)));
    let mut warnings = Vec::new();
    for (place, index) in in_order().enumerate() {
        let rule = &rules[index];
        let cover = in_order().take(place).find(|&earlier| {
            let (earlier_rule, names) = (&rules[earlier], found[index].as_ref());
            takes_no_less(earlier_rule, rule)
                && (earlier_rule.pattern == rule.pattern && is_glob(&earlier) == is_glob(&index)
                    || match (&found[earlier], names) {
                        (None, None) => {
                            ordered && glob::covers(&earlier_rule.pattern, &rule.pattern)
                        }
                        (None, Some(names)) => names.fits_glob(&earlier_rule.pattern),
                        (Some(looked), Some(names)) => looked.finds(&names.names),
                        (Some(_), None) => false,
                    })
        });
        if let Some(earlier) = cover {
            warnings.push((index, never(rules, index, earlier)));
        } else if is_glob(&index) {
            let names = Names::of_glob(&rule.pattern);
            let before = regexes.iter().map(|(regex, _)| *regex).take_while(|at| *at < index);
            let surprise = before.into_iter().find(|&regex| {
                let looked = found[regex].as_ref();
                takes_no_less(&rules[regex], rule)
                    && looked.is_some_and(|looked| looked.finds(&names))
            });
            if let Some(regex) = surprise {
                warnings.push((index, goes_first(rules, index, regex)));
            }
        }
    }
    warnings.sort_by_key(|(index, _)| *index);
    warnings.into_iter().map(|(_, warning)| warning).collect()
}

fn never(rules: &[Rule], index: usize, earlier: usize) -> String {
    let why = if earlier > index { " and globs go first" } else { "" };
    format!(
        "mapping {} (match {:?}) can never match: mapping {} (match {:?}) takes all that it would{why}",
        index + 1,
        rules[index].pattern,
        earlier + 1,
        rules[earlier].pattern,
    )
}

fn goes_first(rules: &[Rule], index: usize, regex: usize) -> String {
    format!(
        "mapping {} (match {:?}) goes before mapping {} (match {:?}), which stands earlier and would \
         take the same names: globs go first",
        index + 1,
        rules[index].pattern,
        regex + 1,
        rules[regex].pattern,
    )
}

/// Whether no type or tag keeps `earlier` from what `rule` takes.
fn takes_no_less(earlier: &Rule, rule: &Rule) -> bool {
    let kinds = rule.kinds.iter().all(|kind| earlier.kinds.contains(kind));
    kinds && (earlier.tags.is_empty() || earlier.tags == rule.tags)
}

/// An expression, and what is known of the names it takes.
struct Looked<'r> {
    regex: &'r Regex,
    reach: Reach,
    names: Names,
    /// A glob which takes all its names, where it can be written as one.
    glob: Option<String>,
}

/// On what it depends whether an expression that is found in a text is found in a longer one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reach {
    /// It is found in every name.
    All,
    /// On nothing.
    Anywhere,
    /// The longer one has to begin with it.
    FromStart,
    /// On what stands around it.
    Whole,
}

/// Texts of all the names which a rule takes.
#[derive(Debug, Default)]
struct Names {
    /// The only one, if it is.
    only: Option<String>,
    /// What they begin with.
    start: String,
    /// What stands somewhere in them.
    within: Vec<String>,
}

impl<'r> Looked<'r> {
    fn new(pattern: &str, regex: &'r Regex) -> Self {
        let hir = regex_syntax::parse(pattern).unwrap_or_else(|_| Hir::fail());
        let mut parts = Vec::new();
        flatten(&hir, &mut parts);
        Self { regex, reach: reach(&parts), names: Names::of(&parts), glob: as_glob(&parts) }
    }

    /// Whether it matches all of them.
    fn finds(&self, names: &Names) -> bool {
        let whole = names.only.as_ref().is_some_and(|name| self.regex.is_match(name));
        whole
            || match self.reach {
                Reach::All => true,
                Reach::Anywhere => {
                    names.within.iter().chain([&names.start]).any(|text| self.regex.is_match(text))
                }
                Reach::FromStart => self.regex.is_match(&names.start),
                Reach::Whole => false,
            }
    }

    fn fits_glob(&self, pattern: &str) -> bool {
        self.glob.as_ref().is_some_and(|glob| glob::covers(pattern, glob))
    }
}

impl Names {
    fn of(parts: &[&Hir]) -> Self {
        let (first, last) = (look(parts.first()), look(parts.last()));
        let within: Vec<String> = parts.iter().filter_map(|part| literal(part)).collect();
        let start = if first == Some(Look::Start) { parts.get(1) } else { None };
        let start = start.and_then(|part| literal(part)).unwrap_or_default();
        let whole = parts.len() == 3 && first == Some(Look::Start) && last == Some(Look::End);
        let only = (whole && !start.is_empty()).then(|| start.clone());
        Self { only, start, within }
    }

    fn of_glob(pattern: &str) -> Self {
        let within: Vec<String> = pattern.split('*').map(str::to_owned).collect();
        let only = (within.len() == 1).then(|| pattern.to_owned());
        Self { only, start: within[0].clone(), within }
    }
}

/// The parts of an expression one after the other, groups opened.
fn flatten<'h>(hir: &'h Hir, parts: &mut Vec<&'h Hir>) {
    match hir.kind() {
        HirKind::Concat(inner) => inner.iter().for_each(|part| flatten(part, parts)),
        HirKind::Capture(capture) => flatten(&capture.sub, parts),
        HirKind::Empty => {}
        _ => parts.push(hir),
    }
}

fn look(part: Option<&&Hir>) -> Option<Look> {
    match part?.kind() {
        HirKind::Look(look) => Some(*look),
        _ => None,
    }
}

fn literal(part: &Hir) -> Option<String> {
    match part.kind() {
        HirKind::Literal(literal) => String::from_utf8(literal.0.to_vec()).ok(),
        _ => None,
    }
}

fn reach(parts: &[&Hir]) -> Reach {
    let start = look(parts.first()) == Some(Look::Start);
    let end = look(parts.last()) == Some(Look::End) && parts.len() > usize::from(start);
    let inner = &parts[usize::from(start)..parts.len() - usize::from(end)];
    let looks =
        inner.iter().fold(LookSet::empty(), |all, part| all.union(part.properties().look_set()));
    if !looks.is_empty() {
        return Reach::Whole;
    }
    let nothing = inner.iter().all(|part| part.properties().minimum_len() == Some(0));
    match (start, end) {
        (true, true) if inner.iter().any(|part| takes_anything(part)) && nothing => Reach::All,
        (true, true) => Reach::Whole,
        _ if nothing => Reach::All,
        (true, false) => Reach::FromStart,
        (false, true) => Reach::Whole,
        (false, false) => Reach::Anywhere,
    }
}

/// `.*`, since no name has a line end.
fn takes_anything(part: &Hir) -> bool {
    let HirKind::Repetition(repetition) = part.kind() else { return false };
    let mut inner = Vec::new();
    flatten(&repetition.sub, &mut inner);
    let any = match inner[..] {
        [one] => matches!(one.kind(), HirKind::Class(class) if missing_nothing(class)),
        _ => false,
    };
    any && repetition.min == 0 && repetition.max.is_none()
}

fn missing_nothing(class: &Class) -> bool {
    let Class::Unicode(class) = class else { return false };
    let mut missing = class.clone();
    missing.negate();
    missing.iter().all(|range| range.start() == '\n' && range.end() == '\n')
}

/// The glob of an expression for whole names whose variable parts have no dot.
fn as_glob(parts: &[&Hir]) -> Option<String> {
    let [first, inner @ .., last] = parts else { return None };
    if look(Some(first)) != Some(Look::Start) || look(Some(last)) != Some(Look::End) {
        return None;
    }
    let mut glob = String::new();
    for part in inner {
        match literal(part) {
            Some(text) if text.contains('*') => return None,
            Some(text) => glob.push_str(&text),
            None if without_dot(part) => glob.push('*'),
            None => return None,
        }
    }
    Some(glob)
}

fn without_dot(part: &Hir) -> bool {
    match part.kind() {
        HirKind::Empty => true,
        HirKind::Literal(literal) => !literal.0.contains(&b'.'),
        HirKind::Class(Class::Unicode(class)) => {
            !class.iter().any(|range| (range.start()..=range.end()).contains(&'.'))
        }
        HirKind::Class(Class::Bytes(class)) => {
            !class.iter().any(|range| (range.start()..=range.end()).contains(&b'.'))
        }
        HirKind::Look(_) => false,
        HirKind::Repetition(repetition) => without_dot(&repetition.sub),
        HirKind::Capture(capture) => without_dot(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().all(without_dot),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::{Looked, Names};
    use crate::mapping::glob;

    fn covers(earlier: &str, later: &str) -> bool {
        let (earlier_regex, later_regex) =
            (Regex::new(earlier).expect("good"), Regex::new(later).expect("good"));
        let names = Looked::new(later, &later_regex).names;
        Looked::new(earlier, &earlier_regex).finds(&names)
    }

    #[test]
    fn what_can_be_decided_of_two_expressions_is() {
        for (earlier, later, expected) in [
            (".*", "anything", true),
            ("^.*$", "anything", true),
            ("", r"a\.b", true),
            ("^", r"a\.b", true),
            ("x?", "y", true),
            ("^x*$", "y", false),
            (r"^.+\.b$", r"^a\.b$", true),
            (r"^a\..*$", r"^a\.b\..*$", false),
            (r"^a\.", r"^a\.b\.(\w+)$", true),
            (r"^a\.", r"a\.b\.(\w+)$", false),
            ("foo", r"^app\.(foo)\.(\w+)$", true),
            ("foo|bar", r"^(\w+)\.bar$", true),
            ("foo$", r"^app\.foo\.(\w+)$", false),
            ("foo$", r"^app\.foo$", true),
            (r"\bfoo\b", "foo", false),
            ("(?i)FOO", "foo", true),
            ("foo", "(?i)foo", false),
            (r"a\.(\w+)", r"a\.b", true),
            (r"a\.b", r"a\.(\w+)", false),
        ] {
            assert_eq!(covers(earlier, later), expected, "{earlier} before {later}");
        }
    }

    #[test]
    fn what_can_be_decided_of_a_glob_and_an_expression_is() {
        for (pattern, expression, expected) in [
            ("a.*", r"^a\.b$", true),
            ("a.*", r"^a\.(\w+)$", true),
            ("a.*.c", r"^a\.([^.]+)\.c$", true),
            ("a.*", r"^a\.(.+)$", false),
            ("a.*", r"a\.b", false),
            ("a.b", r"^a\.(\w+)$", false),
            ("a.b", r"^a\.b$", true),
        ] {
            let regex = Regex::new(expression).expect("good");
            let fits = Looked::new(expression, &regex).fits_glob(pattern);
            assert_eq!(fits, expected, "{pattern} and {expression}");
        }
    }

    fn expression() -> impl Strategy<Value = String> {
        let parts =
            vec!["a", "b", r"\.", "a?", "b*", ".*", "(a|b)", "[ab]", r"\w+", "(ab)", "[^.]*"];
        let inner = prop::collection::vec(prop::sample::select(parts), 0..4);
        let parts = (any::<bool>(), inner, any::<bool>());
        parts.prop_map(|(start, inner, end)| {
            let (start, end) = (if start { "^" } else { "" }, if end { "$" } else { "" });
            format!("{start}{}{end}", inner.concat())
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn property_what_is_said_to_be_covered_is(
            earlier in expression(),
            later in expression(),
            glob in prop::sample::select(vec!["a", "a.*", "*.b", "a.b", "*"]),
            names in prop::collection::vec("[ab.]{0,5}", 40),
        ) {
            let (earlier_regex, later_regex) =
                (Regex::new(&earlier).expect("good"), Regex::new(&later).expect("good"));
            let looked = Looked::new(&earlier, &earlier_regex);
            let later_looked = Looked::new(&later, &later_regex);
            let fits = |name: &str| glob::objection(glob, name).is_none();
            for name in &names {
                if later_regex.is_match(name) {
                    prop_assert!(!looked.finds(&later_looked.names) || earlier_regex.is_match(name));
                    prop_assert!(!later_looked.fits_glob(glob) || fits(name), "{}", name);
                }
                if fits(name) && looked.finds(&Names::of_glob(glob)) {
                    prop_assert!(earlier_regex.is_match(name), "{} {}", glob, name);
                }
            }
        }
    }
}
