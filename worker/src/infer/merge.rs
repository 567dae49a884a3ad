//! Two files, one column: the type that takes the values of both.

use longshore_storage::types::DataType;

use crate::convert::common_type;

/// The type of a column that is `one` in a file and `other` in another. There always is one:
///
/// - what holds both without loss, where there is such a type (integers become the wider one, DECIMALs gain
///   digits up to 38), but not DATE with DATETIME;
/// - DOUBLE for a floating-point type with any integer, though large ones are rounded: the files say that the
///   column is no exact number;
/// - VARBINARY for bytes with text;
/// - JSON for nested types that disagree, and for one with JSON; of ARRAYs and MAPs the parts are merged;
/// - STRING for everything else.
pub fn merged_type(one: &DataType, other: &DataType) -> DataType {
    if one == other {
        return one.clone();
    }
    match (one, other) {
        (DataType::Date, DataType::DateTime) | (DataType::DateTime, DataType::Date) => DataType::String,
        (DataType::Array(one), DataType::Array(other)) => DataType::Array(Box::new(merged_type(one, other))),
        (DataType::Map(one_key, one), DataType::Map(other_key, other)) => {
            DataType::Map(Box::new(merged_type(one_key, other_key)), Box::new(merged_type(one, other)))
        }
        _ => common_type(one, other).unwrap_or_else(|| fallback(one, other)),
    }
}

fn fallback(one: &DataType, other: &DataType) -> DataType {
    let both = [one, other];
    let any = |is: fn(&DataType) -> bool| both.iter().any(|data_type| is(data_type));
    let all = |is: fn(&DataType) -> bool| both.iter().all(|data_type| is(data_type));
    if any(is_nested) {
        DataType::Json
    } else if any(is_float) && all(|data_type| is_float(data_type) || is_integer(data_type)) {
        DataType::Double
    } else if any(is_bytes) && all(|data_type| is_bytes(data_type) || is_text(data_type)) {
        DataType::Varbinary(None)
    } else {
        DataType::String
    }
}

fn is_nested(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Array(_) | DataType::Map(..) | DataType::Struct(_))
}

fn is_float(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Float | DataType::Double)
}

fn is_integer(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::TinyInt | DataType::SmallInt | DataType::Int | DataType::BigInt | DataType::LargeInt
    )
}

fn is_bytes(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Varbinary(_))
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Char(_) | DataType::Varchar(_) | DataType::String)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a43_types_of_two_files_meet() {
        for (one, other, expected) in [
            ("INT", "BIGINT", "BIGINT"),
            ("TINYINT", "SMALLINT", "SMALLINT"),
            ("FLOAT", "DOUBLE", "DOUBLE"),
            ("INT", "FLOAT", "DOUBLE"),
            ("BIGINT", "DOUBLE", "DOUBLE"),
            ("LARGEINT", "FLOAT", "DOUBLE"),
            ("DATE", "DATETIME", "STRING"),
            ("DECIMAL(10,2)", "DECIMAL(8,4)", "DECIMAL(12,4)"),
            ("DECIMAL(38,0)", "DECIMAL(38,38)", "STRING"),
            ("INT", "DECIMAL(4,2)", "DECIMAL(12,2)"),
            ("DECIMAL(4,2)", "DOUBLE", "STRING"),
            ("BOOLEAN", "INT", "STRING"),
            ("INT", "STRING", "STRING"),
            ("VARCHAR(36)", "STRING", "STRING"),
            ("VARBINARY", "STRING", "VARBINARY"),
            ("VARBINARY", "INT", "STRING"),
            ("ARRAY<INT>", "ARRAY<BIGINT>", "ARRAY<BIGINT>"),
            ("ARRAY<DATE>", "ARRAY<DATETIME>", "ARRAY<STRING>"),
            ("ARRAY<INT>", "INT", "JSON"),
            ("STRUCT<a INT>", "STRUCT<b INT>", "JSON"),
            ("MAP<STRING,INT>", "MAP<STRING,BIGINT>", "MAP<STRING,BIGINT>"),
        ] {
            let (first, second) = (DataType::parse(one).unwrap(), DataType::parse(other).unwrap());
            assert_eq!(merged_type(&first, &second).to_string(), expected, "{one} and {other}");
            assert_eq!(merged_type(&second, &first).to_string(), expected, "{other} and {one}");
        }
    }
}
