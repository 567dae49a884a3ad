//! Functions of ARRAY, MAP and STRUCT: DataFusion's own, under StarRocks' names.

use std::sync::Arc;

use datafusion_expr::ScalarUDF;
use datafusion_functions::core::{get_field, named_struct, r#struct};
use datafusion_functions_nested as nested;

/// A function of DataFusion's, and how users of StarRocks call it.
#[derive(Debug)]
pub struct Nested {
    /// The names here; the first is the one that is listed.
    pub names: &'static [&'static str],
    /// How it is called.
    pub syntax: &'static str,
    /// What it gives, in one sentence.
    pub summary: &'static str,
    /// The function.
    pub udf: fn() -> Arc<ScalarUDF>,
}

macro_rules! nested {
    ($names:expr, $syntax:literal, $summary:expr, $udf:path) => {
        Nested { names: $names, syntax: $syntax, summary: $summary, udf: $udf }
    };
}

/// The functions of nested values.
pub(super) static FUNCTIONS: &[Nested] = &[
    nested!(
        &["array_length", "cardinality"],
        "array_length(array)",
        "Number of elements.",
        nested::length::array_length_udf
    ),
    nested!(
        &["element_at", "array_element"],
        "element_at(array, index)",
        "The element at an index from 1.",
        nested::extract::array_element_udf
    ),
    nested!(
        &["array_slice"],
        "array_slice(array, from, to)",
        "The elements from one index to another.",
        nested::extract::array_slice_udf
    ),
    nested!(
        &["array_contains"],
        "array_contains(array, value)",
        "Whether a value is an element.",
        nested::array_has::array_has_udf
    ),
    nested!(
        &["array_contains_all"],
        "array_contains_all(array, array)",
        "Whether all elements of the second are in the first.",
        nested::array_has::array_has_all_udf
    ),
    nested!(
        &["arrays_overlap"],
        "arrays_overlap(array, array)",
        "Whether an element is in both.",
        nested::array_has::array_has_any_udf
    ),
    nested!(
        &["array_position"],
        "array_position(array, value)",
        "The index of a value; NULL if there is none.",
        nested::position::array_position_udf
    ),
    nested!(
        &["array_append"],
        "array_append(array, value)",
        "With one more element.",
        nested::concat::array_append_udf
    ),
    nested!(
        &["array_concat"],
        "array_concat(array, …)",
        "The elements of all arrays.",
        nested::concat::array_concat_udf
    ),
    nested!(
        &["array_remove"],
        "array_remove(array, value)",
        "Without a value.",
        nested::remove::array_remove_all_udf
    ),
    nested!(
        &["array_distinct"],
        "array_distinct(array)",
        "Each element once.",
        nested::set_ops::array_distinct_udf
    ),
    nested!(
        &["array_intersect"],
        "array_intersect(array, array)",
        "The elements that both have.",
        nested::set_ops::array_intersect_udf
    ),
    nested!(&["array_sort"], "array_sort(array)", "In ascending order.", nested::sort::array_sort_udf),
    nested!(&["array_reverse"], "array_reverse(array)", "Backwards.", nested::reverse::array_reverse_udf),
    nested!(&["array_min"], "array_min(array)", "The least element.", nested::min_max::array_min_udf),
    nested!(&["array_max"], "array_max(array)", "The greatest element.", nested::min_max::array_max_udf),
    nested!(
        &["array_join", "array_to_string"],
        "array_join(array, separator)",
        "The elements as one text.",
        nested::string::array_to_string_udf
    ),
    nested!(
        &["make_array", "array"],
        "make_array(value, …)",
        "An array; `[value, …]` is the same.",
        nested::make_array::make_array_udf
    ),
    nested!(&["map_keys"], "map_keys(map)", "The keys.", nested::map_keys::map_keys_udf),
    nested!(&["map_values"], "map_values(map)", "The values.", nested::map_values::map_values_udf),
    nested!(
        &["map_extract"],
        "map_extract(map, key)",
        "The value of a key, in an array.",
        nested::map_extract::map_extract_udf
    ),
    nested!(
        &["map_from_arrays"],
        "map_from_arrays(keys, values)",
        "A MAP; `map(key, value, …)` and `map{key: value, …}` are the same. NULL if a key is; of equal keys the \
         last counts.",
        super::map::map_from_arrays_udf
    ),
    nested!(&["row", "struct"], "row(value, …)", "A struct of values.", r#struct),
    nested!(&["named_struct"], "named_struct('name', value, …)", "A struct of named values.", named_struct),
    nested!(
        &["get_field"],
        "get_field(struct, 'name')",
        "A part of a struct; `column.name` is the same.",
        get_field
    ),
];
