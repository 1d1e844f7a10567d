//! What a linter of rules would say of each expression: no program that can be had everywhere says it, and none
//! of it is an error to Prometheus.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Result, ensure};
use e2e::{
    promql::{parse, selectors, walk},
    rules::{self, Rule},
};
use promql_parser::{
    label::{MatchOp, Matcher},
    parser::{BinaryExpr, Expr, LabelModifier, Offset},
};

/// How long Prometheus keeps what it has stored, on the platform.
const RETENTION: Duration = Duration::from_hours(7 * 24);
/// Scrapes that a rate needs to bear the loss of one or two.
const SCRAPES_OF_A_RATE: u32 = 4;
/// Functions which read what a range holds as steps of a counter.
const OF_COUNTERS: [&str; 3] = ["rate", "irate", "increase"];
/// Aggregations whose answer is another one as soon as one series more comes.
const FRAGILE: [&str; 5] = ["topk", "bottomk", "limitk", "limit_ratio", "count_values"];

/// A complaint about one rule.
type Check = fn(&Rule, &Expr) -> Vec<String>;

const CHECKS: [(&str, Check); 9] = [
    ("an alert says when it fires", filters),
    ("a rate bears a scrape that is lost", ranges_are_long_enough),
    ("what is asked for is still stored", ranges_are_stored),
    ("a counter is not compared as it is", counters_are_rated),
    ("a regular expression is one", regular_expressions),
    ("an alert says of which job and instance it is", aggregations_keep_the_job),
    ("both sides have the same labels", sides_match),
    ("series that come and go change no answer", nothing_fragile),
    ("what is absent is so for more than one scrape", absence_lasts),
];

#[test]
fn expressions_mean_what_they_seem_to() -> Result<()> {
    let mut complaints = Vec::new();
    for rule in rules::all()? {
        let expression = parse(&rule.expression)?;
        for (what, check) in CHECKS {
            let found = check(&rule, &expression).into_iter();
            complaints.extend(found.map(|why| format!("{}: {what}: {why}", rule.name)));
        }
    }
    ensure!(complaints.is_empty(), "{complaints:#?}");
    Ok(())
}

/// Each check finds what it is for, and no other one minds.
#[test]
fn each_check_finds_what_it_is_for() -> Result<()> {
    for (expression, lasts, expected) in [
        ("up", "1m", "an alert says when it fires"),
        ("up > bool 0", "1m", "an alert says when it fires"),
        ("up == 0 or b", "1m", "an alert says when it fires"),
        ("rate(a_total[30s]) > 0", "1m", "a rate bears a scrape that is lost"),
        ("up offset 8d == 0", "1m", "what is asked for is still stored"),
        ("max_over_time(a[6d] offset 2d) == 0", "1m", "what is asked for is still stored"),
        ("a_total > 5", "1m", "a counter is not compared as it is"),
        ("up{job=~\"a\"} == 0", "1m", "a regular expression is one"),
        ("up{job=~\"^a|b\"} == 0", "1m", "a regular expression is one"),
        ("sum(up) == 0", "1m", "an alert says of which job and instance it is"),
        ("sum by (job) (a) / b > 1", "1m", "both sides have the same labels"),
        (
            "sum by (job) (a) / sum by (job, instance) (b) > 1",
            "1m",
            "both sides have the same labels",
        ),
        ("sum by (job) (a) / on (instance) b > 1", "1m", "both sides have the same labels"),
        ("topk by (job) (1, up) == 0", "1m", "series that come and go change no answer"),
        ("absent(up{job=\"a\"})", "0m", "what is absent is so for more than one scrape"),
        (
            "sum by (job) (rate(a_total[5m])) / sum by (job) (b) > 1 unless on (job) c_total",
            "0m",
            "",
        ),
    ] {
        let rule = Rule {
            file: "a".to_owned(),
            group: "a_alerts".to_owned(),
            name: "A".to_owned(),
            alert: true,
            expression: expression.to_owned(),
            yaml: serde_yaml_ng::from_str(&format!("for: {lasts}"))?,
        };
        let parsed = parse(expression)?;
        let found = CHECKS.iter().filter(|(_, check)| !check(&rule, &parsed).is_empty());
        let found: Vec<&str> = found.map(|(what, _)| *what).collect();
        ensure!(found.join(", ") == expected, "{expression}: {found:?}");
    }
    Ok(())
}

#[test]
fn no_rule_is_there_twice() -> Result<()> {
    let mut seen = BTreeSet::new();
    for rule in rules::all()? {
        let what = if rule.alert { "" } else { rule.name.as_str() };
        let labels = serde_yaml_ng::to_string(&rule.yaml["labels"])?;
        let key = format!("{what} {} {labels}", parse(&rule.expression)?);
        ensure!(seen.insert(key), "{} is there under another name", rule.name);
    }
    Ok(())
}

/// `x and y` is there where both are, so that one that filters will do; of `x or y` either may be.
fn is_filter(expression: &Expr) -> bool {
    match expression {
        Expr::Paren(inner) => is_filter(&inner.expr),
        Expr::Aggregate(inner) => is_filter(&inner.expr),
        Expr::Call(call) => call.func.name.starts_with("absent"),
        Expr::Binary(binary) => match binary.op.to_string().as_str() {
            "and" => is_filter(&binary.lhs) || is_filter(&binary.rhs),
            "or" => is_filter(&binary.lhs) && is_filter(&binary.rhs),
            "unless" => true,
            _ => binary.op.is_comparison_operator() && !binary.return_bool(),
        },
        _ => false,
    }
}

fn filters(rule: &Rule, expression: &Expr) -> Vec<String> {
    if rule.alert && !is_filter(expression) {
        return vec![format!("it fires for whatever is there: {expression}")];
    }
    Vec::new()
}

/// Trino is scraped half as often as the others.
fn interval(rule: &Rule) -> Duration {
    Duration::from_secs(if rule.file == "trino" { 30 } else { 15 })
}

fn ranges_are_long_enough(rule: &Rule, expression: &Expr) -> Vec<String> {
    let least = interval(rule) * SCRAPES_OF_A_RATE;
    let mut found = Vec::new();
    walk(expression, &mut |inner| {
        if let Expr::Call(call) = inner
            && OF_COUNTERS.contains(&call.func.name)
        {
            for argument in &call.args.args {
                if let Expr::MatrixSelector(matrix) = &**argument
                    && matrix.range < least
                {
                    found.push(format!("{inner} looks at less than {least:?}"));
                }
            }
        }
    });
    found
}

fn ranges_are_stored(_rule: &Rule, expression: &Expr) -> Vec<String> {
    let mut found = Vec::new();
    walk(expression, &mut |inner| {
        let (range, offset) = match inner {
            Expr::MatrixSelector(matrix) => (matrix.range, matrix.vs.offset.as_ref()),
            Expr::Subquery(subquery) => (subquery.range, subquery.offset.as_ref()),
            Expr::VectorSelector(selector) => (Duration::ZERO, selector.offset.as_ref()),
            _ => return,
        };
        let back = match offset {
            Some(Offset::Pos(back)) => *back,
            Some(_) | None => Duration::ZERO,
        };
        if range + back > RETENTION {
            found.push(format!("{inner} looks back beyond {RETENTION:?}"));
        }
    });
    found
}

/// By what their names end with. Whether one is there, and how many are, may be asked of a counter as well.
fn counters_are_rated(_rule: &Rule, expression: &Expr) -> Vec<String> {
    let is_counter = |name: &str| name.ends_with("_total") || name.ends_with("_bucket");
    let mut sound = BTreeSet::new();
    walk(expression, &mut |inner| match inner {
        Expr::Call(call)
            if OF_COUNTERS.contains(&call.func.name) || call.func.name.starts_with("absent") =>
        {
            let arguments = call.args.args.iter().flat_map(|argument| selectors(argument));
            sound.extend(arguments.map(ToString::to_string));
        }
        Expr::Aggregate(aggregate) if aggregate.op.to_string() == "count" => {
            sound.extend(selectors(&aggregate.expr).into_iter().map(ToString::to_string));
        }
        Expr::Binary(binary) if binary.op.to_string() == "unless" => {
            sound.extend(selectors(&binary.rhs).into_iter().map(ToString::to_string));
        }
        _ => {}
    });
    let bare = selectors(expression).into_iter().filter(|selector| {
        let name = selector.name.as_deref().unwrap_or_default();
        is_counter(name) && !sound.contains(&selector.to_string())
    });
    bare.map(|selector| format!("{selector} is taken as it is")).collect()
}

fn regular_expressions(_rule: &Rule, expression: &Expr) -> Vec<String> {
    let is_plain = |text: &str| {
        text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' ' | ':' | '/'))
    };
    let complaint = |matcher: &Matcher| match &matcher.op {
        MatchOp::Re(_) | MatchOp::NotRe(_) => {
            let text = matcher.value.as_str();
            let anchored = text.starts_with('^') || text.ends_with('$');
            (is_plain(text) || anchored || text == ".*").then(|| format!("{matcher}"))
        }
        MatchOp::Equal | MatchOp::NotEqual => None,
    };
    selectors(expression)
        .into_iter()
        .flat_map(|selector| selector.matchers.matchers.iter().filter_map(complaint))
        .collect()
}

/// Alertmanager groups alerts and holds them back by these labels.
fn aggregations_keep_the_job(rule: &Rule, expression: &Expr) -> Vec<String> {
    // What the five are is specified to the letter.
    if !rule.alert || rule.file == "lakehouse" {
        return Vec::new();
    }
    let mut found = Vec::new();
    walk(expression, &mut |inner| {
        if let Expr::Aggregate(aggregate) = inner {
            match &aggregate.modifier {
                Some(LabelModifier::Include(labels))
                    if labels.labels.iter().any(|label| label == "job") => {}
                _ => found.push(format!("{inner} has lost its job")),
            }
        }
    });
    found
}

/// The labels which an expression is known to have at most: those of its aggregation.
fn labels(expression: &Expr) -> Option<BTreeSet<String>> {
    match expression {
        Expr::Paren(inner) => labels(&inner.expr),
        Expr::Aggregate(aggregate) => match &aggregate.modifier {
            Some(LabelModifier::Include(labels)) => Some(labels.labels.iter().cloned().collect()),
            Some(LabelModifier::Exclude(_)) => None,
            None => Some(BTreeSet::new()),
        },
        Expr::Binary(binary) => match (&*binary.lhs, &*binary.rhs) {
            (Expr::NumberLiteral(_), side) | (side, Expr::NumberLiteral(_)) => labels(side),
            (left, right) if binary.op.to_string() == "or" => {
                labels(left).filter(|known| Some(known) == labels(right).as_ref())
            }
            (side, _) if binary.modifier.is_none() => labels(side),
            _ => None,
        },
        _ => None,
    }
}

/// Whether an expression has one value and no labels.
fn is_number(expression: &Expr) -> bool {
    match expression {
        Expr::NumberLiteral(_) => true,
        Expr::Paren(inner) => is_number(&inner.expr),
        Expr::Unary(inner) => is_number(&inner.expr),
        Expr::Call(call) => call.func.name == "time" || call.func.name == "scalar",
        Expr::Binary(binary) => is_number(&binary.lhs) && is_number(&binary.rhs),
        _ => false,
    }
}

fn mismatch(binary: &BinaryExpr) -> Option<String> {
    if is_number(&binary.lhs) || is_number(&binary.rhs) || binary.op.to_string() == "or" {
        return None;
    }
    let matching = binary.modifier.as_ref().and_then(|modifier| modifier.matching.as_ref());
    let (left, right) = (labels(&binary.lhs), labels(&binary.rhs));
    match (matching, left, right) {
        (None, Some(left), Some(right)) if left != right => {
            Some(format!("{left:?} and {right:?} never match"))
        }
        (None, Some(known), None) | (None, None, Some(known)) => {
            Some(format!("{known:?} on one side, and all labels of a series on the other"))
        }
        (Some(LabelModifier::Include(on)), left, right) => {
            let lost = |side: Option<BTreeSet<String>>| {
                side.is_some_and(|side| on.labels.iter().any(|label| !side.contains(label)))
            };
            (lost(left) || lost(right)).then(|| format!("it matches on {on}, which is lost"))
        }
        _ => None,
    }
}

fn sides_match(_rule: &Rule, expression: &Expr) -> Vec<String> {
    let mut found = Vec::new();
    walk(expression, &mut |inner| {
        if let Expr::Binary(binary) = inner
            && let Some(why) = mismatch(binary)
        {
            found.push(format!("{why}: {inner}"));
        }
    });
    found
}

fn nothing_fragile(_rule: &Rule, expression: &Expr) -> Vec<String> {
    let mut found = Vec::new();
    walk(expression, &mut |inner| {
        if let Expr::Aggregate(aggregate) = inner
            && FRAGILE.contains(&aggregate.op.to_string().as_str())
        {
            found.push(inner.to_string());
        }
    });
    found
}

fn absence_lasts(rule: &Rule, expression: &Expr) -> Vec<String> {
    let mut absent = false;
    walk(expression, &mut |inner| {
        absent |= matches!(inner, Expr::Call(call) if call.func.name == "absent");
    });
    let lasts = rule.yaml["for"].as_str().unwrap_or("0m");
    if rule.alert && absent && ["0s", "0m", "15s"].contains(&lasts) {
        return vec![format!("for: {lasts}")];
    }
    Vec::new()
}
