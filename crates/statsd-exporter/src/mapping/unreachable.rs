//! Rules which can never match, since one before them takes all that they would.

use super::{Rule, glob};

/// Comparing each rule with each one before it ends here: larger files are made by programs.
const RULES_MAX: usize = 5_000;

/// A sentence for each glob rule that an earlier one, or one that is looked at earlier, covers.
pub(super) fn warnings(
    rules: &[Rule],
    is_glob: impl Fn(usize) -> bool,
    ordered: bool,
) -> Vec<String> {
    let globs: Vec<usize> =
        (0..rules.len().min(RULES_MAX)).filter(|index| is_glob(*index)).collect();
    let mut warnings = Vec::new();
    for (place, &index) in globs.iter().enumerate() {
        let rule = &rules[index];
        let cover = globs[..place].iter().copied().find(|&earlier| {
            let earlier = &rules[earlier];
            let same = earlier.pattern == rule.pattern;
            let kinds = rule.kinds.iter().all(|kind| earlier.kinds.contains(kind));
            let tags = earlier.tags.is_empty() || earlier.tags == rule.tags;
            kinds && tags && (same || (ordered && glob::covers(&earlier.pattern, &rule.pattern)))
        });
        if let Some(earlier) = cover {
            warnings.push(format!(
                "mapping {} (match {:?}) can never match: mapping {} (match {:?}) takes all that it would",
                index + 1,
                rule.pattern,
                earlier + 1,
                rules[earlier].pattern,
            ));
        }
    }
    warnings
}
