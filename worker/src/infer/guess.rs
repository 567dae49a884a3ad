//! What texts probably are.

use longshore_storage::types::DataType;

use crate::convert::reads_as;

/// Tried one after the other: the first that every text is.
const ORDER: [DataType; 5] =
    [DataType::BigInt, DataType::Double, DataType::Boolean, DataType::Date, DataType::DateTime];

/// The type that all of these texts are; `None`: there is no text, so any type would do. Integers beyond
/// BIGINT are DECIMAL(38,0), and no DOUBLE, as long as they fit; a number with leading zeros, such as a postal
/// code, stays text. Booleans are `true` and `false`.
pub fn guess_type<'a>(texts: &(impl Iterator<Item = &'a str> + Clone)) -> Option<DataType> {
    texts.clone().next()?;
    let long_integers = DataType::Decimal { precision: 38, scale: 0 };
    let all = |data_type: &DataType| texts.clone().all(|text| is(text, data_type));
    if all(&DataType::BigInt) {
        return Some(DataType::BigInt);
    }
    if texts.clone().all(is_integer) && all(&long_integers) {
        return Some(long_integers);
    }
    ORDER.into_iter().find(|data_type| all(data_type)).or(Some(DataType::String))
}

fn is(text: &str, data_type: &DataType) -> bool {
    if text.is_empty() || text.trim() != text {
        return false;
    }
    match data_type {
        DataType::BigInt | DataType::Double | DataType::Decimal { .. } if has_leading_zero(text) => false,
        // Words such as `nan` and `inf` are text.
        DataType::Double => text.contains(|c: char| c.is_ascii_digit()) && reads_as(text, data_type),
        DataType::Boolean => text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false"),
        // Eight digits are a number first.
        _ => reads_as(text, data_type),
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) && !has_leading_zero(text)
}

fn has_leading_zero(text: &str) -> bool {
    let digits = text.trim_start_matches(['-', '+']).as_bytes();
    matches!(digits, [b'0', second, ..] if second.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_type_that_every_text_is() {
        for (texts, expected) in [
            (&["1", "-20", "9223372036854775807"][..], "BIGINT"),
            (&["1", "9223372036854775808"], "DECIMAL(38,0)"),
            (&["1", "2.5", "1e5"], "DOUBLE"),
            (&["true", "FALSE"], "BOOLEAN"),
            (&["0", "1"], "BIGINT"),
            (&["2024-01-31", "1999-12-01"], "DATE"),
            (&["2024-01-31", "1999-12-01 10:00:00"], "DATETIME"),
            (&["2024-01-31T10:00:00Z"], "DATETIME"),
            (&["007", "12"], "STRING"),
            (&["0.5", "0"], "DOUBLE"),
            (&["nan", "1"], "STRING"),
            (&["", "1"], "STRING"),
            (&[" 1"], "STRING"),
            (&["x"], "STRING"),
        ] {
            let found = guess_type(&texts.iter().copied()).unwrap();
            assert_eq!(found.to_string(), expected, "{texts:?}");
        }
        assert_eq!(guess_type(&[].into_iter()), None);
    }
}
