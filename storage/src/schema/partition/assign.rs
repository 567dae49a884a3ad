//! Which partition each row belongs to.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::error::ArrowError;

use super::codes::{self, Entries, FastMap, Interner, Lookup, OUTSIDE};
use super::name::{Partition, Shape};
use super::unit::DateUnit;
use super::validate::{ResolvedRange, lists, ranges};
use super::value::Value;
use super::{PartitionBy, PartitionTerm};
use crate::schema::{TableDefinition, TableSchema};

/// The partition of each row of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartitionIndices {
    ids: Vec<u32>,
    outside: usize,
}

impl PartitionIndices {
    /// Instead of a number: the row belongs to no partition.
    pub const OUTSIDE: u32 = OUTSIDE;

    /// For each row the number of its partition in the [`Partitioner`], or [`Self::OUTSIDE`].
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Rows that belong to no partition.
    pub fn outside(&self) -> usize {
        self.outside
    }
}

/// Tells the partitions of rows and numbers them from 0: declared ones in the order of the declaration,
/// those of expressions as they appear.
#[derive(Debug, Clone)]
pub struct Partitioner {
    /// Numbers of the columns that decide, each with the unit that it is cut to.
    columns: Vec<(usize, Option<DateUnit>)>,
    entries: Vec<Entries>,
    kind: Kind,
    /// Codes of one column, row by row.
    scratch: Vec<u32>,
}

#[derive(Debug, Clone)]
enum Kind {
    Expression { shapes: Vec<Shape>, tuples: Tuples },
    Range { names: Vec<Arc<str>>, ranges: Ranges },
    List { names: Vec<Arc<str>>, tuples: Tuples, partition_of: Vec<u32> },
}

impl Partitioner {
    /// The partitioner of a table; `None`: it has no partitions.
    pub fn new(schema: &TableSchema) -> Option<Self> {
        let definition = schema.definition();
        let index = |name: &str| definition.columns.iter().position(|c| c.name.eq_ignore_ascii_case(name));
        let names = |all: Vec<&str>| all.into_iter().map(Arc::from).collect();
        let by = &definition.partition_by;
        let kind = match by {
            PartitionBy::None => return None,
            PartitionBy::Expression(terms) => {
                Kind::Expression { shapes: shapes(definition, terms), tuples: Tuples::new(terms.len()) }
            }
            PartitionBy::Range { column, partitions } => {
                let data_type = &definition.columns[index(column)?].data_type;
                let ranges = Ranges::new(ranges(partitions, data_type).unwrap_or_default());
                Kind::Range { names: names(by.declared()?), ranges }
            }
            PartitionBy::List { columns, partitions } => {
                let of = columns.iter().filter_map(|name| Some(&definition.columns[index(name)?]));
                let lists = lists(partitions, &of.collect::<Vec<_>>()).unwrap_or_default();
                let mut tuples = Tuples::new(columns.len());
                let mut partition_of = Vec::new();
                for (values, partition) in lists {
                    // Tuples are distinct: their numbers count up.
                    tuples.add(&values);
                    partition_of.push(partition as u32);
                }
                tuples.freeze();
                Kind::List { names: names(by.declared()?), tuples, partition_of }
            }
        };
        let unit = |at: usize| match by {
            PartitionBy::Expression(terms) => match terms.get(at) {
                Some(PartitionTerm::DateTrunc { unit, .. }) => Some(*unit),
                _ => None,
            },
            _ => None,
        };
        let columns: Vec<_> = by
            .columns()
            .into_iter()
            .enumerate()
            .filter_map(|(at, name)| Some((index(name)?, unit(at))))
            .collect();
        let entries = vec![Entries::default(); columns.len()];
        Some(Self { columns, entries, kind, scratch: Vec::new() })
    }

    /// Whether there are rows that belong to no partition: the table's are declared.
    pub fn can_reject(&self) -> bool {
        !matches!(self.kind, Kind::Expression { .. })
    }

    /// Numbers of the columns that decide.
    pub fn columns(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().map(|(column, _)| *column)
    }

    /// The partition of each row of a batch that has the table's columns; text may also be dictionaries with
    /// 32-bit keys.
    ///
    /// # Errors
    /// A batch of other types; a defect of the caller.
    pub fn assign(&mut self, batch: &RecordBatch) -> Result<PartitionIndices, ArrowError> {
        let mut indices = PartitionIndices::default();
        self.assign_columns(batch.columns(), &mut indices)?;
        Ok(indices)
    }

    /// Like [`Self::assign`], of the table's columns in order, in the room of earlier indices.
    ///
    /// # Errors
    /// As [`Self::assign`].
    pub fn assign_columns(
        &mut self,
        arrays: &[ArrayRef],
        indices: &mut PartitionIndices,
    ) -> Result<(), ArrowError> {
        let Self { columns, entries, kind, scratch } = self;
        let ids = &mut indices.ids;
        ids.clear();
        match kind {
            Kind::Range { ranges, .. } => {
                if let (Some((column, unit)), Some(entries)) = (columns.first(), entries.first_mut()) {
                    codes::codes(&arrays[*column], *unit, ranges, entries, ids)?;
                }
            }
            Kind::Expression { tuples, .. } => tuples.assign(arrays, columns, entries, scratch, ids)?,
            Kind::List { tuples, partition_of, .. } => {
                tuples.assign(arrays, columns, entries, scratch, ids)?;
                for id in ids.iter_mut() {
                    *id = partition_of.get(*id as usize).copied().unwrap_or(OUTSIDE);
                }
            }
        }
        let can_reject = !matches!(kind, Kind::Expression { .. });
        indices.outside = if can_reject { ids.iter().filter(|id| **id == OUTSIDE).count() } else { 0 };
        Ok(())
    }

    /// Partitions that have a number.
    pub fn len(&self) -> usize {
        match &self.kind {
            Kind::Expression { tuples, .. } => tuples.len(),
            Kind::Range { names, .. } | Kind::List { names, .. } => names.len(),
        }
    }

    /// Whether no partition has a number.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The partition with a number; `None`: no partition has it.
    pub fn partition(&self, id: u32) -> Option<Partition> {
        match &self.kind {
            Kind::Expression { shapes, tuples } => Some(Partition::of_values(shapes, &tuples.values(id)?)),
            Kind::Range { names, .. } | Kind::List { names, .. } => {
                names.get(id as usize).map(|name| Partition::declared(name))
            }
        }
    }
}

/// The terms of an expression with the types of their columns.
pub(super) fn shapes(definition: &TableDefinition, terms: &[PartitionTerm]) -> Vec<Shape> {
    let shape = |term: &PartitionTerm| {
        let column = definition.columns.iter().find(|c| c.name.eq_ignore_ascii_case(term.column()))?;
        let unit = match term {
            PartitionTerm::Column(_) => None,
            PartitionTerm::DateTrunc { unit, .. } => Some(*unit),
        };
        Some(Shape { column: column.name.clone(), data_type: column.data_type.clone(), unit })
    };
    terms.iter().filter_map(shape).collect()
}

/// Numbers of tuples of values, in order of their first appearance.
#[derive(Debug, Clone)]
struct Tuples {
    columns: Vec<Interner>,
    /// For each column but the first: number of the tuple before it and code in it → number of the tuple.
    pairs: Vec<Pairs>,
}

#[derive(Debug, Clone, Default)]
struct Pairs {
    ids: FastMap<u64>,
    of_id: Vec<(u32, u32)>,
    frozen: bool,
}

impl Pairs {
    #[inline]
    fn id(&mut self, before: u32, code: u32) -> u32 {
        if before == OUTSIDE || code == OUTSIDE {
            return OUTSIDE;
        }
        let pair = u64::from(before) << 32 | u64::from(code);
        match self.ids.get(&pair) {
            Some(id) => *id,
            None if self.frozen => OUTSIDE,
            None => {
                let id = self.of_id.len() as u32;
                self.of_id.push((before, code));
                self.ids.insert(pair, id);
                id
            }
        }
    }
}

impl Tuples {
    fn new(columns: usize) -> Self {
        Self {
            columns: vec![Interner::default(); columns],
            pairs: vec![Pairs::default(); columns.saturating_sub(1)],
        }
    }

    fn freeze(&mut self) {
        self.columns.iter_mut().for_each(|column| column.frozen = true);
        self.pairs.iter_mut().for_each(|pairs| pairs.frozen = true);
    }

    fn len(&self) -> usize {
        match (self.pairs.last(), self.columns.first()) {
            (Some(pairs), _) => pairs.of_id.len(),
            (None, column) => column.map_or(0, |column| column.values.len()),
        }
    }

    /// Gives a tuple its number.
    fn add(&mut self, values: &[Value]) {
        let mut codes = self.columns.iter_mut().zip(values).map(|(column, value)| column.code(value));
        let Some(mut id) = codes.next() else { return };
        for (pairs, code) in self.pairs.iter_mut().zip(codes) {
            id = pairs.id(id, code);
        }
    }

    fn assign(
        &mut self,
        arrays: &[ArrayRef],
        columns: &[(usize, Option<DateUnit>)],
        entries: &mut [Entries],
        scratch: &mut Vec<u32>,
        ids: &mut Vec<u32>,
    ) -> Result<(), ArrowError> {
        for (at, ((column, unit), entries)) in columns.iter().zip(entries).enumerate() {
            let array = &arrays[*column];
            if at == 0 {
                codes::codes(array, *unit, &mut self.columns[at], entries, ids)?;
                continue;
            }
            scratch.clear();
            codes::codes(array, *unit, &mut self.columns[at], entries, scratch)?;
            for (id, code) in ids.iter_mut().zip(scratch.iter()) {
                *id = self.pairs[at - 1].id(*id, *code);
            }
        }
        Ok(())
    }

    /// The values of a tuple.
    fn values(&self, id: u32) -> Option<Vec<Value>> {
        let mut values = Vec::with_capacity(self.columns.len());
        let mut id = id;
        for (column, pairs) in self.columns[1..].iter().zip(&self.pairs).rev() {
            let (before, code) = *pairs.of_id.get(id as usize)?;
            values.push(column.values.get(code as usize)?.clone());
            id = before;
        }
        values.push(self.columns.first()?.values.get(id as usize)?.clone());
        values.reverse();
        Some(values)
    }
}

/// Ranges that do not overlap, in the order of their values.
#[derive(Debug, Clone)]
struct Ranges(Vec<ResolvedRange>);

impl Ranges {
    fn new(ranges: Vec<ResolvedRange>) -> Self {
        Self(ranges)
    }

    fn find(&self, below: impl Fn(&Value) -> bool) -> u32 {
        // The first range that ends above the value.
        let at = self.0.partition_point(|range| range.end.as_ref().is_some_and(|end| !below(end)));
        match self.0.get(at) {
            Some(range) if !range.start.as_ref().is_some_and(&below) => range.index as u32,
            _ => OUTSIDE,
        }
    }
}

impl Lookup for Ranges {
    fn null(&mut self) -> u32 {
        self.0.first().map_or(OUTSIDE, |lowest| lowest.index as u32)
    }

    fn number(&mut self, number: i128) -> u32 {
        self.find(|bound| matches!(bound, Value::Number(bound) if number < *bound))
    }

    fn text(&mut self, text: &str) -> u32 {
        self.find(|bound| matches!(bound, Value::Text(bound) if text < &**bound))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use arrow::array::*;
    use arrow::compute::cast;
    use arrow::datatypes::{DataType as ArrowType, Field, Schema};
    use proptest::prelude::*;

    use super::*;
    use crate::schema::{
        Column, Compression, Distribution, ListPartition, PartitionRange, RangeEnd, RangePartition,
    };
    use crate::types::DataType;

    fn partitioner(columns: &[(&str, &str)], by: PartitionBy) -> Partitioner {
        let column = |(name, data_type): &(&str, &str)| Column {
            name: (*name).to_owned(),
            data_type: DataType::parse(data_type).unwrap(),
            nullable: true,
            default: None,
        };
        let definition = TableDefinition {
            columns: columns.iter().map(column).collect(),
            key: Vec::new(),
            order_by: Vec::new(),
            partition_by: by,
            distribution: Distribution::Random { buckets: 1 },
            compression: Compression::Zstd,
        };
        definition.validate().unwrap();
        Partitioner::new(&TableSchema::new(definition)).unwrap()
    }

    fn batch(arrays: Vec<ArrayRef>) -> RecordBatch {
        let field = |array: &ArrayRef| Field::new("c", array.data_type().clone(), true);
        let schema = Schema::new(arrays.iter().map(field).collect::<Vec<_>>());
        RecordBatch::try_new(Arc::new(schema), arrays).unwrap()
    }

    fn names(partitioner: &mut Partitioner, arrays: Vec<ArrayRef>) -> Vec<String> {
        let indices = partitioner.assign(&batch(arrays)).unwrap();
        let name = |id: &u32| partitioner.partition(*id).map_or("-".to_owned(), |partition| partition.name);
        let names: Vec<String> = indices.ids().iter().map(name).collect();
        assert_eq!(indices.outside(), names.iter().filter(|name| *name == "-").count());
        names
    }

    fn range(name: &str, start: Option<&str>, end: Option<&str>) -> RangePartition {
        let end = end.map_or(RangeEnd::MaxValue, |end| RangeEnd::Value(end.to_owned()));
        let range = match start {
            Some(start) => PartitionRange::Between { start: start.to_owned(), end },
            None => PartitionRange::LessThan(end),
        };
        RangePartition { name: name.to_owned(), range }
    }

    #[test]
    fn expressions_make_partitions_as_they_appear() {
        let day = PartitionTerm::DateTrunc { unit: DateUnit::Day, column: "T".to_owned() };
        let by = PartitionBy::Expression(vec![day, PartitionTerm::Column("s".to_owned())]);
        let mut partitioner = partitioner(&[("t", "DATETIME"), ("s", "STRING")], by);
        let hour = 3_600_000_000;
        let at = |hours: Vec<Option<i64>>| -> ArrayRef {
            Arc::new(hours.into_iter().map(|h| h.map(|h| h * hour)).collect::<TimestampMicrosecondArray>())
        };
        let text = |values: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(values)) };
        let first = names(
            &mut partitioner,
            vec![
                at(vec![Some(0), Some(-1), None, Some(23)]),
                text(vec![Some("a"), Some("a"), None, Some("a")]),
            ],
        );
        assert_eq!(first, ["p19700101_a", "p19691231_a", "pNULL_NULL", "p19700101_a"]);
        // A dictionary, whose entries are looked up once.
        let dictionary = ArrowType::Dictionary(Box::new(ArrowType::Int32), Box::new(ArrowType::Utf8));
        let texts = cast(&text(vec![None, Some("a"), Some("b")]), &dictionary).unwrap();
        let second = names(&mut partitioner, vec![at(vec![None, Some(-24), Some(24)]), texts]);
        assert_eq!(second, ["pNULL_NULL", "p19691231_a", "p19700102_b"]);
        assert_eq!(partitioner.len(), 4);
        let values = partitioner.partition(0).unwrap().values;
        assert_eq!(values["t"].as_deref(), Some("1970-01-01 00:00:00"));
        assert!(partitioner.partition(4).is_none() && !partitioner.can_reject());
    }

    #[test]
    fn ranges_are_closed_on_the_left_and_null_goes_to_the_lowest() {
        let ranges = vec![range("high", Some("10"), Some("20")), range("low", Some("-5"), Some("5"))];
        let by = PartitionBy::Range { column: "i".to_owned(), partitions: ranges };
        let mut partitioner = partitioner(&[("i", "INT")], by);
        let rows =
            Int32Array::from(vec![Some(-6), Some(-5), Some(4), Some(5), Some(10), Some(19), Some(20), None]);
        let due = ["-", "low", "low", "-", "high", "high", "-", "low"];
        assert_eq!(names(&mut partitioner, vec![Arc::new(rows)]), due);
        assert!(partitioner.can_reject());
    }

    #[test]
    fn ranges_of_text_without_bounds_at_either_end() {
        let ranges = vec![range("low", None, Some("b")), range("high", None, None)];
        let by = PartitionBy::Range { column: "s".to_owned(), partitions: ranges };
        let mut partitioner = partitioner(&[("s", "STRING")], by);
        let rows = StringArray::from(vec!["", "azz", "b", "\u{10ffff}"]);
        assert_eq!(names(&mut partitioner, vec![Arc::new(rows)]), ["low", "low", "high", "high"]);
    }

    #[test]
    fn lists_take_what_they_name() {
        let tuple = |a: Option<&str>, b: Option<&str>| vec![a.map(str::to_owned), b.map(str::to_owned)];
        let partition = |name: &str, values| ListPartition { name: name.to_owned(), values };
        let partitions = vec![
            partition("x", vec![tuple(Some("1"), Some("a")), tuple(None, Some("a"))]),
            partition("y", vec![tuple(Some("1"), None), tuple(Some("2"), Some("a"))]),
        ];
        let by = PartitionBy::List { columns: vec!["i".to_owned(), "s".to_owned()], partitions };
        let mut partitioner = partitioner(&[("i", "INT"), ("s", "STRING")], by);
        let numbers = Int32Array::from(vec![Some(1), None, Some(1), Some(2), Some(2), Some(3), None]);
        let texts = StringArray::from(vec![Some("a"), Some("a"), None, Some("a"), None, Some("a"), None]);
        let names = names(&mut partitioner, vec![Arc::new(numbers), Arc::new(texts)]);
        assert_eq!(names, ["x", "x", "y", "y", "-", "-", "-"]);
    }

    #[test]
    fn every_type_is_told_apart() {
        let by = |column: &str| PartitionBy::Expression(vec![PartitionTerm::Column(column.to_owned())]);
        let decimals = Decimal128Array::from(vec![1, -1, 1]).with_precision_and_scale(4, 2).unwrap();
        let cases: [(&str, ArrayRef, &str); 7] = [
            ("BOOLEAN", Arc::new(BooleanArray::from(vec![true, false, true])), "ptrue"),
            ("TINYINT", Arc::new(Int8Array::from(vec![1, -1, 1])), "p1"),
            ("SMALLINT", Arc::new(Int16Array::from(vec![1, -1, 1])), "p1"),
            ("BIGINT", Arc::new(Int64Array::from(vec![1, -1, 1])), "p1"),
            ("DECIMAL(4,2)", Arc::new(decimals), "p0.01"),
            ("DATE", Arc::new(Date32Array::from(vec![1, -1, 1])), "p19700102"),
            ("DATETIME", Arc::new(TimestampMicrosecondArray::from(vec![1, -1, 1])), "p19700101000000.000001"),
        ];
        for (data_type, array, name) in cases {
            let mut partitioner = partitioner(&[("c", data_type)], by("c"));
            let names = names(&mut partitioner, vec![array]);
            assert_eq!(names[0], name, "{data_type}");
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 2, "{data_type}");
        }
    }

    proptest! {
        #[test]
        fn equal_tuples_and_no_others_share_a_partition(
            rows in prop::collection::vec((prop::option::of(-2i64..2), prop::option::of("[ab]{0,2}"), any::<bool>()), 1..60),
        ) {
            let terms = ["i", "s", "b"].map(|name| PartitionTerm::Column(name.to_owned()));
            let columns = [("i", "BIGINT"), ("s", "STRING"), ("b", "BOOLEAN")];
            let mut partitioner = partitioner(&columns, PartitionBy::Expression(terms.to_vec()));
            let arrays: Vec<ArrayRef> = vec![
                Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()),
                Arc::new(rows.iter().map(|row| row.1.clone()).collect::<StringArray>()),
                Arc::new(rows.iter().map(|row| Some(row.2)).collect::<BooleanArray>()),
            ];
            let indices = partitioner.assign(&batch(arrays)).unwrap();
            for (a, of_a) in rows.iter().zip(indices.ids()) {
                let values = partitioner.partition(*of_a).unwrap().values;
                prop_assert_eq!(&values["i"], &a.0.map(|number| number.to_string()));
                prop_assert_eq!(&values["s"], &a.1);
                for (b, of_b) in rows.iter().zip(indices.ids()) {
                    prop_assert_eq!(a == b, of_a == of_b);
                }
            }
        }
    }
}
