//! MAPs made of keys and values.

use std::sync::Arc;

use arrow::array::{Array, AsArray, ListArray, MapArray, StructArray, UInt32Array, make_comparator};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion_common::{Result, internal_datafusion_err, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

/// `map_from_arrays(keys, values)`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct MapFromArrays {
    signature: Signature,
}

/// The function.
pub(super) fn map_from_arrays_udf() -> Arc<ScalarUDF> {
    let signature = Signature::any(2, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(MapFromArrays { signature }))
}

impl ScalarUDFImpl for MapFromArrays {
    fn name(&self) -> &str {
        "map_from_arrays"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let [DataType::List(keys), DataType::List(values)] = arguments else {
            return plan_err!(
                "map_from_arrays: it takes two arrays; it is called map_from_arrays(keys, values)"
            );
        };
        Ok(DataType::Map(Arc::new(entries(keys.data_type(), values.data_type())), false))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let lists = arrays.iter().map(|array| array.as_list_opt::<i32>());
        let [Some(keys), Some(values)] = lists.collect::<Vec<_>>()[..] else {
            return Err(internal_datafusion_err!("map_from_arrays wants two lists"));
        };
        Ok(ColumnarValue::Array(Arc::new(maps(keys, values)?)))
    }
}

fn entries(key: &DataType, value: &DataType) -> Field {
    let parts = [Field::new("key", key.clone(), false), Field::new("value", value.clone(), true)];
    Field::new("key_value", DataType::Struct(Fields::from_iter(parts)), false)
}

/// A map a row: NULL where one of the lists is, where they differ in length, and where a key is NULL. Of equal
/// keys the last value counts, in the place of the first.
fn maps(keys: &ListArray, values: &ListArray) -> Result<MapArray> {
    let (all_keys, all_values) = (keys.values(), values.values());
    // Keys of no type are all NULL.
    let typed = all_keys.data_type() != &DataType::Null;
    let compare = typed.then(|| make_comparator(all_keys, all_keys, SortOptions::default())).transpose()?;
    let (mut kept_keys, mut kept_values) = (Vec::new(), Vec::new());
    let (mut lengths, mut valid) = (Vec::with_capacity(keys.len()), Vec::with_capacity(keys.len()));
    for row in 0..keys.len() {
        let begins = (keys.value_offsets()[row], values.value_offsets()[row]);
        let count = keys.value_length(row);
        let first = kept_keys.len();
        let is_map = keys.is_valid(row) && values.is_valid(row) && count == values.value_length(row);
        let has_null = || (begins.0..begins.0 + count).any(|place| all_keys.is_null(index(place)));
        let compare = compare.as_ref().filter(|_| is_map && !has_null());
        valid.push(compare.is_some());
        if let Some(compare) = compare {
            for step in 0..count {
                let (key, value) = (begins.0 + step, begins.1 + step);
                let same = |kept: &u32| compare(*kept as usize, index(key)).is_eq();
                match kept_keys[first..].iter().position(same) {
                    Some(place) => kept_values[first + place] = value.cast_unsigned(),
                    None => {
                        kept_keys.push(key.cast_unsigned());
                        kept_values.push(value.cast_unsigned());
                    }
                }
            }
        }
        lengths.push(kept_keys.len() - first);
    }
    let keys = take(all_keys, &UInt32Array::from(kept_keys), None)?;
    let values = take(all_values, &UInt32Array::from(kept_values), None)?;
    let field = entries(keys.data_type(), values.data_type());
    let DataType::Struct(parts) = field.data_type().clone() else {
        return Err(internal_datafusion_err!("a map without entries"));
    };
    let pairs = StructArray::try_new(parts, vec![keys, values], None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(MapArray::try_new(Arc::new(field), offsets, pairs, Some(NullBuffer::from(valid)), false)?)
}

/// A place in a list's values, which is not negative.
fn index(place: i32) -> usize {
    usize::try_from(place).unwrap_or_default()
}
