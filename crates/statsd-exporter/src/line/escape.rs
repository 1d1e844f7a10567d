//! Metric and label names made of whatever clients send.

use std::borrow::Cow;

/// Turns `name` into letters, digits and underscores: `a.b-c` into `a_b_c`, `1x` into `_1x`.
///
/// Each other character becomes one underscore, a run of dashes together becomes one.
pub fn escape(name: &str, out: &mut String) {
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        out.push('_');
    }
    // Most names need nothing, and it is done for each label of each new series.
    let (start, rest) = name.split_at(plain_end(name));
    out.push_str(start);
    let mut before = None;
    for character in rest.chars() {
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => out.push(character),
            '-' if before == Some('-') => {}
            _ => out.push('_'),
        }
        before = Some(character);
    }
}

/// The same, without a copy where nothing has to be changed.
pub(super) fn escaped(name: Cow<'_, str>) -> Cow<'_, str> {
    if plain_end(&name) == name.len() && !name.starts_with(|first: char| first.is_ascii_digit()) {
        return name;
    }
    let mut out = String::with_capacity(name.len() + 1);
    escape(&name, &mut out);
    out.into()
}

/// Where the first character is that cannot stay.
fn plain_end(name: &str) -> usize {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().position(|byte| !plain(byte)).unwrap_or(name.len())
}

#[cfg(test)]
mod tests {
    use metrics_server::exposition::is_metric_name;
    use proptest::prelude::*;

    use super::escaped;

    #[test]
    fn names_become_letters_digits_and_underscores() {
        for (name, expected) in [
            ("clean", "clean"),
            ("a-", "a_"),
            ("a--b--c", "a_b_c"),
            ("é", "_"),
            ("0starts_with_digit", "_0starts_with_digit"),
            ("with_underscore", "with_underscore"),
            ("with--doubledash", "with_doubledash"),
            ("a---b", "a_b"),
            ("a-.-b", "a___b"),
            ("a..b", "a__b"),
            ("-", "_"),
            ("with😱emoji", "with_emoji"),
            ("with*.symbols", "with__symbols"),
            ("", ""),
        ] {
            assert_eq!(escaped(name.into()), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn property_any_name_becomes_a_metric_name(name in "\\PC{1,40}") {
            prop_assert!(is_metric_name(&escaped(name.into())));
        }
    }
}
