//! Matching an array's type once, so that the loop over its values is compiled for that type.

/// Binds `$a` to the array as its own integer type and evaluates `$body`, or `$other` for any other type.
macro_rules! integers {
    ($array:expr, $a:ident => $body:expr, _ => $other:expr) => {{
        use ::arrow::array::AsArray;
        use ::arrow::datatypes as types;
        match $array.data_type() {
            types::DataType::Int8 => {
                let $a = $array.as_primitive::<types::Int8Type>();
                $body
            }
            types::DataType::Int16 => {
                let $a = $array.as_primitive::<types::Int16Type>();
                $body
            }
            types::DataType::Int32 => {
                let $a = $array.as_primitive::<types::Int32Type>();
                $body
            }
            types::DataType::Int64 => {
                let $a = $array.as_primitive::<types::Int64Type>();
                $body
            }
            types::DataType::UInt8 => {
                let $a = $array.as_primitive::<types::UInt8Type>();
                $body
            }
            types::DataType::UInt16 => {
                let $a = $array.as_primitive::<types::UInt16Type>();
                $body
            }
            types::DataType::UInt32 => {
                let $a = $array.as_primitive::<types::UInt32Type>();
                $body
            }
            types::DataType::UInt64 => {
                let $a = $array.as_primitive::<types::UInt64Type>();
                $body
            }
            _ => $other,
        }
    }};
}

/// Binds `$a` to the array as its own text type and evaluates `$body`, or `$other` for any other type.
macro_rules! texts {
    ($array:expr, $a:ident => $body:expr, _ => $other:expr) => {{
        use ::arrow::array::AsArray;
        use ::arrow::datatypes as types;
        match $array.data_type() {
            types::DataType::Utf8 => {
                let $a = $array.as_string::<i32>();
                $body
            }
            types::DataType::LargeUtf8 => {
                let $a = $array.as_string::<i64>();
                $body
            }
            types::DataType::Utf8View => {
                let $a = $array.as_string_view();
                $body
            }
            _ => $other,
        }
    }};
}

pub(super) use {integers, texts};
