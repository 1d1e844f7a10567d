//! Floats as Go writes them, `strconv.FormatFloat(value, 'g', -1, 64)`: dashboards, golden files and
//! diffs against the Go exporters depend on it.

/// Longest output: sign, 17 digits, point, `e-308`.
const DIGITS_MAX: usize = 17;

/// Appends `value` with the fewest digits which read back as the same float.
///
/// The exponent form is used below 1e-4 and from 1e6 on, for example `1e+06`, `1e-05`.
pub fn write_float(value: f64, out: &mut Vec<u8>) {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
        return;
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if value.is_infinite() {
        if value > 0.0 {
            out.push(b'+');
        }
        out.extend_from_slice(b"Inf");
        return;
    }
    let magnitude = value.abs();
    if magnitude < 1e6 && magnitude.fract() == 0.0 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 999,999"
        )]
        out.extend_from_slice(itoa::Buffer::new().format(magnitude as u32).as_bytes());
        return;
    }
    write_shortest(magnitude, out);
}

/// Appends a finite, positive float which is not a small whole number.
fn write_shortest(magnitude: f64, out: &mut Vec<u8>) {
    let mut buffer = ryu::Buffer::new();
    let (digits, exponent) = Decimal::parse(buffer.format_finite(magnitude)).into_parts();
    let digits = digits.as_slice();
    if (-4..6).contains(&exponent) {
        write_plain(digits, exponent, out);
    } else {
        write_exponent(digits, exponent, out);
    }
}

/// `d.ddd` × 10^exponent without an exponent.
fn write_plain(digits: &[u8], exponent: i32, out: &mut Vec<u8>) {
    let Ok(point) = usize::try_from(exponent + 1) else {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', exponent.unsigned_abs() as usize - 1));
        out.extend_from_slice(digits);
        return;
    };
    if point == 0 {
        out.extend_from_slice(b"0.");
        out.extend_from_slice(digits);
    } else if digits.len() <= point {
        out.extend_from_slice(digits);
        out.extend(std::iter::repeat_n(b'0', point - digits.len()));
    } else {
        out.extend_from_slice(&digits[..point]);
        out.push(b'.');
        out.extend_from_slice(&digits[point..]);
    }
}

/// `d.ddde±xx`, at least two digits in the exponent.
fn write_exponent(digits: &[u8], exponent: i32, out: &mut Vec<u8>) {
    out.push(digits[0]);
    if digits.len() > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..]);
    }
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    if exponent.unsigned_abs() < 10 {
        out.push(b'0');
    }
    out.extend_from_slice(itoa::Buffer::new().format(exponent.unsigned_abs()).as_bytes());
}

/// Significant digits and the exponent of the first of them.
struct Decimal {
    digits: [u8; DIGITS_MAX],
    digits_count: usize,
    exponent: i32,
}

impl Decimal {
    /// Reads what ryu prints: `0.00012`, `123.45`, `1.5e300`.
    fn parse(text: &str) -> Self {
        let (mantissa, exponent) = match text.split_once('e') {
            Some((mantissa, exponent)) => (mantissa, exponent.parse().unwrap_or(0)),
            None => (text, 0),
        };
        let mut decimal = Self { digits: [0; DIGITS_MAX], digits_count: 0, exponent };
        let mut point_seen = false;
        let mut zeros = 0;
        for byte in mantissa.bytes() {
            match byte {
                b'.' => point_seen = true,
                b'0' if decimal.digits_count == 0 => decimal.exponent -= i32::from(point_seen),
                _ => {
                    let first = decimal.digits_count == 0;
                    decimal.exponent += match (first, point_seen) {
                        (true, true) => -1,
                        (false, false) => 1,
                        _ => 0,
                    };
                    zeros = decimal.push(byte, zeros);
                }
            }
        }
        decimal
    }

    /// Keeps `byte`; zeros are held back until a digit follows them.
    fn push(&mut self, byte: u8, zeros: usize) -> usize {
        if byte == b'0' {
            return zeros + 1;
        }
        for digit in std::iter::repeat_n(b'0', zeros).chain([byte]) {
            if let Some(place) = self.digits.get_mut(self.digits_count) {
                *place = digit;
                self.digits_count += 1;
            }
        }
        0
    }

    fn into_parts(self) -> (Digits, i32) {
        (Digits { digits: self.digits, count: self.digits_count.max(1) }, self.exponent)
    }
}

struct Digits {
    digits: [u8; DIGITS_MAX],
    count: usize,
}

impl Digits {
    fn as_slice(&self) -> &[u8] {
        &self.digits[..self.count]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::write_float;

    fn text(value: f64) -> String {
        let mut out = Vec::new();
        write_float(value, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    /// Expected texts are what Go 1.26 prints with `strconv.FormatFloat(value, 'g', -1, 64)`.
    #[test]
    fn floats_are_written_as_go_writes_them() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.0, "-1"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (0.00012, "0.00012"),
            (0.00001, "1e-05"),
            (0.000_012_5, "1.25e-05"),
            (999_999.0, "999999"),
            (999_999.5, "999999.5"),
            (1_000_000.0, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (1_234_567.25, "1.23456725e+06"),
            (270_553_174_016.0, "2.70553174016e+11"),
            (100.5, "100.5"),
            (100_000.0, "100000"),
            (1_700_000_000.0, "1.7e+09"),
            (1.5e300, "1.5e+300"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
            (9_007_199_254_740_993.0, "9.007199254740992e+15"),
            (738_268_369_621.656_2, "7.382683696216562e+11"),
        ] {
            assert_eq!(text(value), expected, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn property_every_float_reads_back(bits: u64) {
            let value = f64::from_bits(bits);
            let read: f64 = text(value).replace("Inf", "inf").parse().expect("a float");
            prop_assert!(read.to_bits() == value.to_bits() || (read.is_nan() && value.is_nan()));
        }

        #[test]
        fn property_the_digits_are_the_shortest(value in 1e-9_f64..1e12) {
            let digits = |text: &str| {
                let mantissa = text.split('e').next().unwrap_or_default();
                let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
                digits.trim_start_matches('0').trim_end_matches('0').to_owned()
            };
            // Of two shortest texts as near, Go takes the even one and std the upper one.
            prop_assert_eq!(digits(&text(value)).len(), digits(&format!("{value:e}")).len());
        }
    }
}
