//! What an expression of `PromQL` asks for, and how.

use std::collections::BTreeSet;

use anyhow::{Result, anyhow};
use promql_parser::parser::{self, Expr, VectorSelector};

/// Functions which only make sense of a counter.
const OF_COUNTERS: [&str; 3] = ["rate", "increase", "irate"];

/// Parses an expression.
///
/// # Errors
///
/// It is none.
pub fn parse(expression: &str) -> Result<Expr> {
    parser::parse(expression).map_err(|why| anyhow!("{why}: {expression}"))
}

/// Calls `visit` with an expression and all within it.
pub fn walk<'a>(expression: &'a Expr, visit: &mut impl FnMut(&'a Expr)) {
    visit(expression);
    match expression {
        Expr::Aggregate(inner) => walk(&inner.expr, visit),
        Expr::Unary(inner) => walk(&inner.expr, visit),
        Expr::Paren(inner) => walk(&inner.expr, visit),
        Expr::Subquery(inner) => walk(&inner.expr, visit),
        Expr::Binary(inner) => {
            walk(&inner.lhs, visit);
            walk(&inner.rhs, visit);
        }
        Expr::Call(inner) => inner.args.args.iter().for_each(|argument| walk(argument, visit)),
        _ => {}
    }
}

/// Every selector of an expression.
#[must_use]
pub fn selectors(expression: &Expr) -> Vec<&VectorSelector> {
    let mut found = Vec::new();
    walk(expression, &mut |inner| match inner {
        Expr::VectorSelector(selector) => found.push(selector),
        Expr::MatrixSelector(selector) => found.push(&selector.vs),
        _ => {}
    });
    found
}

/// The names of all series that an expression asks for.
///
/// # Errors
///
/// It is no expression.
pub fn series(expression: &str) -> Result<BTreeSet<String>> {
    Ok(names(&parse(expression)?).collect())
}

/// The names of those of which it takes a rate or an increase.
///
/// # Errors
///
/// It is no expression.
pub fn counters(expression: &str) -> Result<BTreeSet<String>> {
    let parsed = parse(expression)?;
    let mut found = BTreeSet::new();
    walk(&parsed, &mut |inner| {
        if let Expr::Call(call) = inner
            && OF_COUNTERS.contains(&call.func.name)
        {
            found.extend(call.args.args.iter().flat_map(|argument| names(argument)));
        }
    });
    Ok(found)
}

fn names(expression: &Expr) -> impl Iterator<Item = String> {
    selectors(expression).into_iter().filter_map(|selector| selector.name.clone())
}

#[cfg(test)]
mod tests {
    use super::{counters, series};

    fn words(names: impl IntoIterator<Item = String>) -> String {
        names.into_iter().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn series_are_told_from_labels_functions_and_numbers() {
        for (expression, expected) in [
            ("up == 0", "up"),
            ("100 * sum by (job, instance) (a{b=\"}x\"}) / max by (job) (c) > 80", "a c"),
            ("a offset 5m and on (job, instance) (up offset 5m == 1)", "a up"),
            (
                "histogram_quantile(0.99, sum by (le) (rate(h_bucket{type=~\"GET|PUT\"}[5m])))",
                "h_bucket",
            ),
            ("time() - x > 1.5e9 or vector(0)", "x"),
            ("instance:a:ratio / on (job) group_left () (b > 0)", "b instance:a:ratio"),
            ("topk(5, sum by (a) (b)) unless absent(up{job=\"x\"})", "b up"),
            ("predict_linear(r{type=\"free\"}[6h], 86400) < 0", "r"),
            ("sum(rate(a[5m])) by (job)", "a"),
            ("max_over_time((a > b)[5m:1m])", "a b"),
        ] {
            assert_eq!(words(series(expression).unwrap()), expected, "{expression}");
        }
        assert!(series("sum(").is_err());
    }

    #[test]
    fn what_a_rate_is_taken_of_is_known() {
        let expression =
            "sum by (job) (rate(a_total[5m])) / (increase(b_total[1h]) > 0) + delta(c[5m]) + d";
        assert_eq!(words(counters(expression).unwrap()), "a_total b_total");
    }
}
