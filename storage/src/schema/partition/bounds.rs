//! What a file's partition tells of its values, for scans that leave files out.

use std::collections::HashMap;

use super::PartitionBy;
use super::assign::shapes;
use super::name::Shape;
use super::validate::{lists, ranges};
use super::value::Value;
use crate::load::Segment;
use crate::log::stats::Bounds;
use crate::schema::{Column, TableSchema};
use crate::types::DataType;

/// Bounds of partition columns by partition.
#[derive(Debug)]
pub(crate) struct PartitionBounds {
    columns: Vec<usize>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    None,
    Expression(Vec<Shape>),
    /// Bounds of each column by the name of the partition.
    Declared(HashMap<String, Vec<ColumnBounds>>),
}

/// Bounds of one column in a declared partition.
#[derive(Debug, Clone)]
struct ColumnBounds {
    min: Option<Value>,
    max: Option<Value>,
    has_null: bool,
    data_type: DataType,
}

impl PartitionBounds {
    /// The bounds of a table's partitions.
    pub(crate) fn new(schema: &TableSchema) -> Self {
        let columns = schema.partition_columns().to_vec();
        let of: Vec<&Column> = columns.iter().map(|&column| &schema.columns()[column]).collect();
        let kind = match &schema.definition().partition_by {
            PartitionBy::None => Kind::None,
            PartitionBy::Expression(terms) => Kind::Expression(shapes(schema.definition(), terms)),
            PartitionBy::Range { partitions, .. } => {
                let data_type = of.first().map_or(DataType::Boolean, |column| column.data_type.clone());
                let resolved = ranges(partitions, &data_type).unwrap_or_default();
                let bounds = resolved.into_iter().enumerate().map(|(order, range)| {
                    let name = partitions[range.index].name.clone();
                    let (min, max, data_type) = (range.start, range.end, data_type.clone());
                    (name, vec![ColumnBounds { min, max, has_null: order == 0, data_type }])
                });
                Kind::Declared(bounds.collect())
            }
            PartitionBy::List { partitions, .. } => {
                let mut bounds: HashMap<String, Vec<ColumnBounds>> = HashMap::new();
                for (values, partition) in lists(partitions, &of).unwrap_or_default() {
                    let name = partitions[partition].name.clone();
                    let none = |column: &&Column| ColumnBounds {
                        min: None,
                        max: None,
                        has_null: false,
                        data_type: column.data_type.clone(),
                    };
                    let own = bounds.entry(name).or_insert_with(|| of.iter().map(none).collect());
                    own.iter_mut().zip(values).for_each(|(bounds, value)| bounds.widen(value));
                }
                Kind::Declared(bounds)
            }
        };
        Self { columns, kind }
    }

    /// What the partition of a file tells of a column's values in it.
    pub(crate) fn of(&self, segment: &Segment, column: usize) -> Bounds {
        let at = self.columns.iter().position(|own| *own == column);
        let bounds = at.and_then(|at| match &self.kind {
            Kind::None => None,
            Kind::Expression(shapes) => of_values(shapes.get(at)?, segment),
            Kind::Declared(of_partition) => {
                Some(of_partition.get(&segment.partition)?.get(at)?.bounds(segment))
            }
        });
        bounds.unwrap_or(Bounds { min: None, max: None, nulls: None, rows: None })
    }
}

fn of_values(shape: &Shape, segment: &Segment) -> Option<Bounds> {
    let rows = rows_of(segment);
    let Some(text) = segment.partition_values.get(&shape.column)? else {
        return Some(Bounds { min: None, max: None, nulls: rows, rows });
    };
    let first = Value::parse(text, &shape.data_type).ok()?;
    let last = match (shape.unit, &first) {
        (Some(unit), Value::Number(number)) => {
            let number = i64::try_from(*number).ok()?;
            let unit = match shape.data_type {
                DataType::Date => unit.of_days(number),
                _ => unit.of_micros(number),
            };
            match shape.next_start(&Value::Number(unit.into()))? {
                Value::Number(next) => Value::Number(next - 1),
                _ => return None,
            }
        }
        _ => first.clone(),
    };
    let array = |value: &Value| value.array(&shape.data_type);
    Some(Bounds { min: array(&first), max: array(&last), nulls: Some(0), rows })
}

impl ColumnBounds {
    fn widen(&mut self, value: Value) {
        if value == Value::Null {
            self.has_null = true;
            return;
        }
        if self.min.as_ref().is_none_or(|min| value < *min) {
            self.min = Some(value.clone());
        }
        if self.max.as_ref().is_none_or(|max| value > *max) {
            self.max = Some(value);
        }
    }

    fn bounds(&self, segment: &Segment) -> Bounds {
        let array = |value: &Option<Value>| value.as_ref().and_then(|value| value.array(&self.data_type));
        let nulls = (!self.has_null).then_some(0);
        Bounds { min: array(&self.min), max: array(&self.max), nulls, rows: rows_of(segment) }
    }
}

/// Rows of a file; a file whose statistics were lost does not know them.
fn rows_of(segment: &Segment) -> Option<u64> {
    (segment.rows > 0).then_some(segment.rows)
}
