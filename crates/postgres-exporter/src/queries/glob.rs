//! Names with `*`, `?` and `[a-z]`, as `path.Match` of Go has them.

/// Whether all of `text` fits `pattern`. Within brackets a `!` or `^` in front turns the set round.
pub fn fits(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut seen) = (0, 0);
    // Where to go on if the latest star has to take one character more.
    let mut star = None;
    while let Some(&letter) = text.get(seen) {
        match step(&pattern, at, letter) {
            Step::Star => {
                star = Some((at + 1, seen));
                at += 1;
            }
            Step::Takes(width) => {
                at += width;
                seen += 1;
            }
            Step::Fails => match star {
                Some((after, from)) => {
                    at = after;
                    seen = from + 1;
                    star = Some((after, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|c| *c == '*')
}

enum Step {
    Star,
    /// The letter fits; so many characters of the pattern said so.
    Takes(usize),
    Fails,
}

fn step(pattern: &[char], at: usize, letter: char) -> Step {
    match pattern.get(at) {
        None => Step::Fails,
        Some('*') => Step::Star,
        Some('?') => Step::Takes(1),
        Some('[') => set(pattern, at, letter),
        Some('\\') if pattern.get(at + 1) == Some(&letter) => Step::Takes(2),
        Some(c) if *c == letter => Step::Takes(1),
        Some(_) => Step::Fails,
    }
}

/// `[...]`; one without an end is a bracket.
fn set(pattern: &[char], at: usize, letter: char) -> Step {
    let Some(length) = pattern.iter().skip(at + 2).position(|c| *c == ']') else {
        return if letter == '[' { Step::Takes(1) } else { Step::Fails };
    };
    let end = at + 2 + length;
    let mut inner = pattern.get(at + 1..end).unwrap_or_default();
    let turned = matches!(inner.first(), Some('!' | '^'));
    if turned {
        inner = inner.get(1..).unwrap_or_default();
    }
    let mut found = false;
    while let Some(&first) = inner.first() {
        if let [_, '-', last, rest @ ..] = inner {
            found |= (first..=*last).contains(&letter);
            inner = rest;
        } else {
            found |= first == letter;
            inner = inner.get(1..).unwrap_or_default();
        }
    }
    if found == turned { Step::Fails } else { Step::Takes(end + 1 - at) }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_take_whole_names() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "app", true),
            ("app_*", "app_1", true),
            ("app_*", "my_app_1", false),
            ("*_a*b", "x_aab", true),
            ("*_a*b", "x_aabc", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("shard[0-9]", "shard7", true),
            ("shard[!0-9]", "shard7", false),
            ("shard[0-9]", "shardx", false),
            ("[ab]*", "bcd", true),
            ("[a", "[a", true),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            ("Ä*", "Äb", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }
}
