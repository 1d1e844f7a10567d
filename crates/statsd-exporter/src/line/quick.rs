//! The lines most clients send, read in one go: one value, a type, and at most a rate and tags.

use super::{Dialect, Fields, Identity, Kind, Sample, Update};

/// Digits which fit a `u64` and, up to 2^53, an `f64` without a loss.
const DIGITS_MAX: usize = 15;
/// Powers of ten which an `f64` holds exactly, as many as [`DIGITS_MAX`] can need.
const POWERS: [f64; DIGITS_MAX + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// Reads `name:1.5|ms|@0.1|#key:value`. `None` leaves the line to [`parse`](super::parse), which
/// reads every form and says the same of this one.
///
/// What the bytes of the identity say by themselves (UTF-8, good and bad tags) is not looked at: it
/// was when the identity was first seen, so this is for those who know it.
pub fn quick(line: &[u8], dialect: Dialect) -> Option<Sample<'_>> {
    let colon = memchr::memchr(b':', line).filter(|colon| *colon > 0)?;
    let (section, rest) = (&line[..colon], &line[colon + 1..]);
    let relative = matches!(rest.first(), Some(b'+' | b'-'));
    let (magnitude, rest) = decimal(&rest[usize::from(relative)..])?;
    let number = if line[colon + 1] == b'-' { -magnitude } else { magnitude };
    let (kind, rest) = match rest {
        [b'|', b'c', rest @ ..] => (&b"c"[..], rest),
        [b'|', b'g', rest @ ..] => (&b"g"[..], rest),
        [b'|', b'm', b's', rest @ ..] => (&b"ms"[..], rest),
        [b'|', b'h' | b'd', rest @ ..] => (&b"h"[..], rest),
        _ => return None,
    };
    let (read, rest) = rate(kind, rest)?;
    let fields = match rest {
        [] => rest,
        [b'|', fields @ ..] if fields.first() == Some(&b'#') && dialect.dogstatsd => fields,
        _ => return None,
    };
    if memchr::memchr(b'|', fields).is_some() {
        return None;
    }
    let (kind, update) = match kind {
        b"c" => (Kind::Counter, Update::Add(number / read.divisor)),
        b"g" if relative => (Kind::Gauge, Update::Shift(number)),
        b"g" => (Kind::Gauge, Update::Set(number)),
        b"ms" => (Kind::Observer, Update::Observe { value: number / 1000.0, weight: read.weight }),
        _ => (Kind::Observer, Update::Observe { value: number, weight: read.weight }),
    };
    Some(Sample { identity: Identity { section, kind, fields }, update })
}

/// Reads `|@0.1`, or nothing.
fn rate<'a>(kind: &[u8], rest: &'a [u8]) -> Option<(Fields<'a>, &'a [u8])> {
    let mut read = Fields::default();
    let [b'|', b'@', behind @ ..] = rest else { return Some((read, rest)) };
    let (rate, rest) = decimal(behind)?;
    read.rate(kind, rate);
    Some((read, rest))
}

/// Reads `12`, `0.5`, `.5` or `5.` and gives what is behind it.
fn decimal(text: &[u8]) -> Option<(f64, &[u8])> {
    let (mut number, mut digits, mut point) = (0_u64, 0, None);
    let mut end = text.len();
    for (at, &byte) in text.iter().enumerate() {
        if byte.is_ascii_digit() {
            if digits == DIGITS_MAX {
                return None;
            }
            number = number * 10 + u64::from(byte - b'0');
            digits += 1;
        } else if byte == b'.' && point.is_none() {
            point = Some(digits);
        } else {
            end = at;
            break;
        }
    }
    if digits == 0 {
        return None;
    }
    let fraction = digits - point.unwrap_or(digits);
    Some((number as f64 / POWERS[fraction], &text[end..]))
}
