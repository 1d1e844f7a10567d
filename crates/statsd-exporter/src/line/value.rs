//! Numbers as clients write them, which is as Go's `strconv.ParseFloat` reads them.

/// Digits which fit a `u64` and, up to 2^53, an `f64` without a loss.
const SHORT_DIGITS_MAX: usize = 15;

/// Reads `1`, `-0.5`, `1e3`, `.5`, `5.`, `1_000`, `0x1p4`, `NaN`, `+Inf`, `infinity`.
///
/// `None` for everything else, and for what is too large: `1e400`.
pub(super) fn parse(text: &[u8]) -> Option<f64> {
    if text.len() <= SHORT_DIGITS_MAX && !text.is_empty() {
        let digits = text.iter().try_fold(0_u64, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0'))
        });
        if let Some(number) = digits {
            return Some(number as f64);
        }
    }
    if text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
        return decimal(text);
    }
    unusual(text)
}

fn decimal(text: &[u8]) -> Option<f64> {
    let number: f64 = fast_float2::parse(text).ok()?;
    number.is_finite().then_some(number)
}

#[cold]
fn unusual(text: &[u8]) -> Option<f64> {
    let (sign, magnitude) = match text {
        [b'-', rest @ ..] => (-1.0, rest),
        [b'+', rest @ ..] => (1.0, rest),
        _ => (1.0, text),
    };
    if magnitude.eq_ignore_ascii_case(b"inf") || magnitude.eq_ignore_ascii_case(b"infinity") {
        return Some(sign * f64::INFINITY);
    }
    if text.eq_ignore_ascii_case(b"nan") {
        return Some(f64::NAN);
    }
    let hexadecimal = magnitude.len() > 2 && magnitude.get(..2)?.eq_ignore_ascii_case(b"0x");
    if !underscores_separate_digits(magnitude, hexadecimal) {
        return None;
    }
    if !hexadecimal && memchr::memchr(b'_', magnitude).is_none() {
        return None;
    }
    let digits: Vec<u8> = magnitude.iter().copied().filter(|byte| *byte != b'_').collect();
    let plain = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    if hexadecimal {
        hexadecimal_float(digits.get(2..)?).map(|number| sign * number)
    } else if digits.iter().all(plain) && !matches!(digits.first(), Some(b'+' | b'-')) {
        decimal(&digits).map(|number| sign * number)
    } else {
        None
    }
}

/// Each underscore stands between two digits; the prefix `0x` counts as one.
fn underscores_separate_digits(text: &[u8], hexadecimal: bool) -> bool {
    let mut digits = text.iter().skip(if hexadecimal { 2 } else { 0 });
    let mut last = if hexadecimal { b'0' } else { b'^' };
    let fits = digits.all(|&byte| {
        let digit = byte.is_ascii_digit() || (hexadecimal && byte.is_ascii_hexdigit());
        let fits = match byte {
            b'_' => last == b'0',
            _ => digit || last != b'_',
        };
        last = match byte {
            b'_' => b'_',
            _ if digit => b'0',
            _ => b'!',
        };
        fits
    });
    fits && last != b'_'
}

/// `1.8p-3`, the part behind `0x`; the exponent has to be there.
fn hexadecimal_float(text: &[u8]) -> Option<f64> {
    let split = text.iter().position(|byte| byte.eq_ignore_ascii_case(&b'p'))?;
    let (mantissa, exponent) = (text.get(..split)?, text.get(split + 1..)?);
    let exponent: i32 = std::str::from_utf8(exponent).ok()?.parse().ok()?;
    let mut number = 0.0;
    let mut shift = 0_i32;
    let mut digits_count = 0;
    let mut point = false;
    for &byte in mantissa {
        if byte == b'.' && !point {
            point = true;
            continue;
        }
        let digit = char::from(byte).to_digit(16)?;
        number = number * 16.0 + f64::from(digit);
        digits_count += 1;
        if point {
            shift -= 4;
        }
    }
    if digits_count == 0 {
        return None;
    }
    let scaled = number * 2.0_f64.powi(exponent.saturating_add(shift));
    scaled.is_finite().then_some(scaled)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::parse;

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("0", 0.0),
            ("007", 7.0),
            ("123456789012345", 123_456_789_012_345.0),
            ("1234567890123456789", 1_234_567_890_123_456_789.0),
            ("-0.5", -0.5),
            ("+5", 5.0),
            ("1e3", 1000.0),
            ("1E+3", 1000.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("0x1p4", 16.0),
            ("-0X1.8P1", -3.0),
            ("0x_1p4", 16.0),
            ("1_000", 1000.0),
            ("1_0.2_5e1_0", 1.025e11),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("+INF", f64::INFINITY),
            ("1e-400", 0.0),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(expected), "{text}");
        }
        assert!(parse(b"NaN").is_some_and(f64::is_nan));
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for text in [
            "", " 5", "5 ", "1,5", "0x10", "1e400", "1o", "--1", "+-1", "e5", ".", "+", "1e", "_1",
            "1_", "1__0", "1_e5", "+nan", "-NaN", "0x", "0xp1", "0x1p", "in", "1.2.3", "0b1", "１",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn property_a_finite_number_is_read_back(number in prop::num::f64::NORMAL | prop::num::f64::ZERO) {
            prop_assert_eq!(parse(format!("{number}").as_bytes()), Some(number));
            prop_assert_eq!(parse(format!("{number:e}").as_bytes()), Some(number));
        }

        #[test]
        fn property_any_bytes_are_survived(text in prop::collection::vec(any::<u8>(), 0..24)) {
            let _number = parse(&text);
        }

        #[test]
        fn property_nearly_numbers_are_survived(text in "[-+0-9a-fxXpPeE._]{0,20}") {
            let _number = parse(text.as_bytes());
        }
    }
}
