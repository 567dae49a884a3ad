use crate::rows::Origin;
use std::collections::HashMap;

use arrow::array::{
    Array, AsArray, BinaryArray, Int32Array, Int64Array, NullArray, StringArray, StructArray,
};
use arrow::datatypes::{DataType as ArrowType, Field, Int32Type, Schema};
use longshore_crds::OnMissingColumn;
use longshore_storage::schema::DefaultValue;
use longshore_storage::types::DataType;

use super::super::{Converter, FileMapping, MappingError};
use super::{array, batch, column, convert, rules, table, with_default};

fn check_columns(
    table: &longshore_storage::schema::TableSchema,
    source: usize,
    columns: Option<&[String]>,
) -> Result<(), MappingError> {
    super::super::check_columns(table, source, columns, |_| false, |_| false)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn map(
    table: &std::sync::Arc<longshore_storage::schema::TableSchema>,
    fields: Vec<Field>,
    columns: Option<&[&str]>,
    on_missing: OnMissingColumn,
) -> Result<FileMapping, MappingError> {
    let columns = columns.map(names);
    FileMapping::new("s3://b/f.parquet", table, &Schema::new(fields), columns.as_deref(), on_missing)
}

fn int(name: &str) -> Field {
    Field::new(name, ArrowType::Int32, true)
}

#[test]
fn a28_columns_are_checked_before_any_request() {
    let table = table(vec![
        column("Id", DataType::Int, false),
        column("note", DataType::String, true),
        with_default("seen", DataType::Int, DefaultValue::Literal("0".to_owned())),
    ]);
    assert_eq!(check_columns(&table, 0, None), Ok(()));
    assert_eq!(check_columns(&table, 0, Some(&names(&["ID"]))), Ok(()));
    let unknown = check_columns(&table, 1, Some(&names(&["id", "nope"]))).unwrap_err();
    assert_eq!(unknown.category(), "UnknownColumn");
    assert_eq!(
        unknown.to_string(),
        "spec.sources[1].columns[1]: the table has no column nope; it has Id, note, seen"
    );
    let twice = check_columns(&table, 0, Some(&names(&["id", "note", "ID"]))).unwrap_err();
    assert_eq!(twice.category(), "DuplicateColumn");
    assert!(twice.to_string().contains("columns[2]: column ID"), "{twice}");
    let unfed = check_columns(&table, 0, Some(&names(&["note"]))).unwrap_err();
    assert_eq!(unfed.category(), "MissingColumn");
    assert!(unfed.to_string().contains("column Id is NOT NULL"), "{unfed}");
}

#[test]
fn a31_columns_match_by_name_in_any_order() {
    let table = table(vec![column("A", DataType::Int, false), column("b", DataType::BigInt, true)]);
    let file = batch(vec![
        ("extra", array(StringArray::from(vec!["x", "y"]))),
        ("B", array(Int64Array::from(vec![10, 20]))),
        ("more", array(Int32Array::from(vec![0, 0]))),
        ("a", array(Int64Array::from(vec![1, 2]))),
    ]);
    let mapping = map(
        &table,
        vec![
            Field::new("extra", ArrowType::Utf8, true),
            Field::new("B", ArrowType::Int64, true),
            int("more"),
            Field::new("a", ArrowType::Int64, true),
        ],
        None,
        OnMissingColumn::Fail,
    )
    .unwrap();
    assert_eq!(mapping.projection(), [1, 3]);
    assert_eq!(mapping.dictionary_columns(), Vec::<usize>::new());
    let converted = convert(&table, &file, true);
    assert_eq!(converted.batch.schema_ref(), table.arrow());
    assert_eq!(converted.batch.column(0).as_primitive::<Int32Type>().values().to_vec(), [1, 2]);
}

#[test]
fn a31_what_a_file_lacks_is_decided_for_each_file() {
    let table = table(vec![
        column("id", DataType::Int, true),
        column("note", DataType::String, true),
        with_default("seen", DataType::Int, DefaultValue::Literal("7".to_owned())),
    ]);
    let missing = map(&table, vec![int("id")], None, OnMissingColumn::Fail).unwrap_err();
    assert_eq!(missing.category(), "MissingColumn");
    assert!(missing.to_string().contains("s3://b/f.parquet has no column note"), "{missing}");
    assert!(map(&table, vec![int("id")], None, OnMissingColumn::UseDefault).is_ok());
    // Left out on purpose: NULL, whatever the policy.
    assert!(map(&table, vec![int("id")], Some(&["ID"]), OnMissingColumn::Fail).is_ok());
    // Listed, and still not there.
    assert!(map(&table, vec![int("id")], Some(&["id", "note"]), OnMissingColumn::Fail).is_err());

    let strict = super::table(vec![column("id", DataType::Int, false)]);
    let missing = map(&strict, vec![int("other")], None, OnMissingColumn::UseDefault).unwrap_err();
    assert!(missing.to_string().contains("column id, which is NOT NULL"), "{missing}");
}

#[test]
fn columns_that_differ_in_case_only_are_refused() {
    let table = table(vec![column("id", DataType::Int, true)]);
    let error = map(&table, vec![int("ID"), int("x"), int("Id")], None, OnMissingColumn::Fail).unwrap_err();
    assert_eq!(error.category(), "AmbiguousColumn");
    let text = error.to_string();
    assert!(
        text.contains("s3://b/f.parquet") && text.contains("columns ID and Id differ in case only"),
        "{text}"
    );
    // Two of them that the table does not have are nobody's business.
    assert!(map(&table, vec![int("id"), int("x"), int("X")], None, OnMissingColumn::Fail).is_ok());
}

#[test]
fn a28_types_that_can_never_be_cast_are_refused_by_name() {
    let part = Field::new("lat", ArrowType::Int32, true);
    let of_struct = Field::new("c", ArrowType::Struct(vec![part].into()), true);
    for (field, to, message) in [
        (of_struct.clone(), DataType::Int, "column c: STRUCT<lat INT> cannot become INT"),
        (Field::new("c", ArrowType::Binary, true), DataType::Date, "column c: BINARY cannot become DATE"),
        (
            of_struct,
            DataType::Struct(vec![longshore_storage::types::StructField {
                name: "Lat".to_owned(),
                data_type: DataType::Date,
            }]),
            "column c.Lat: INT cannot become DATE",
        ),
        (
            Field::new("c", ArrowType::List(Field::new("element", ArrowType::Binary, true).into()), true),
            DataType::Array(Box::new(DataType::Int)),
            "column c[]: BINARY cannot become INT",
        ),
    ] {
        let table = table(vec![column("c", to, true)]);
        let error = map(&table, vec![field], None, OnMissingColumn::Fail).unwrap_err();
        assert_eq!(error.category(), "TypeMismatch");
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn variant_and_what_the_decoder_cannot_read_are_refused() {
    let metadata =
        HashMap::from([("longshore.unsupported".to_owned(), "type VARIANT is not supported".to_owned())]);
    let field = Field::new("v", ArrowType::Null, true).with_metadata(metadata);
    let wanted = table(vec![column("v", DataType::Json, true)]);
    let error = map(&wanted, vec![field.clone()], None, OnMissingColumn::Fail).unwrap_err();
    assert_eq!(error.category(), "UnsupportedType");
    assert!(error.to_string().contains("f.parquet, column v: type VARIANT is not supported"), "{error}");
    let other = table(vec![column("id", DataType::Int, true)]);
    assert!(map(&other, vec![field, int("id")], None, OnMissingColumn::Fail).is_ok());

    let metadata = HashMap::from([("ARROW:extension:name".to_owned(), "arrow.parquet.variant".to_owned())]);
    let parts =
        vec![Field::new("metadata", ArrowType::Binary, false), Field::new("value", ArrowType::Binary, true)];
    let field = Field::new("v", ArrowType::Struct(parts.into()), true).with_metadata(metadata);
    let error = map(&wanted, vec![field], None, OnMissingColumn::Fail).unwrap_err();
    assert!(error.to_string().contains("VARIANT cannot become JSON"), "{error}");
}

#[test]
fn dictionaries_are_asked_for_where_text_is() {
    let table = table(vec![
        column("t", DataType::DateTime, true),
        column("s", DataType::Varchar(10), true),
        column("b", DataType::Varbinary(None), true),
        column("n", DataType::Int, true),
    ]);
    let fields = vec![
        int("n"),
        Field::new("unused", ArrowType::Utf8, true),
        Field::new("s", ArrowType::Utf8View, true),
        Field::new("b", ArrowType::Binary, true),
        Field::new("t", ArrowType::Utf8, true),
    ];
    let mapping = map(&table, fields, None, OnMissingColumn::Fail).unwrap();
    assert_eq!(mapping.projection(), [0, 2, 3, 4]);
    assert_eq!(mapping.dictionary_columns(), [2, 4]);
}

#[test]
fn a_batch_of_another_shape_is_an_error() {
    let table = table(vec![column("id", DataType::Int, true)]);
    let mapping = map(&table, vec![int("id")], None, OnMissingColumn::Fail).unwrap();
    let mut converter = Converter::new(mapping, rules(true));
    let two = batch(vec![("id", array(Int32Array::from(vec![1]))), ("x", array(Int32Array::from(vec![1])))]);
    assert_eq!(
        converter.convert(&two, &Origin::Rows { first: 1 }, 0).unwrap_err().category(),
        "DecoderMismatch"
    );
    let bytes = batch(vec![("id", array(BinaryArray::from(vec![b"x".as_slice()])))]);
    assert_eq!(
        converter.convert(&bytes, &Origin::Rows { first: 1 }, 0).unwrap_err().category(),
        "TypeMismatch"
    );
    let nothing = batch(vec![("id", array(NullArray::new(3)))]);
    assert_eq!(converter.convert(&nothing, &Origin::Rows { first: 1 }, 0).unwrap().batch.num_rows(), 3);
    let none = StructArray::new_empty_fields(4, None);
    assert_eq!(none.len(), 4);
}

#[test]
fn a_file_that_feeds_no_column_still_has_its_rows() {
    let table = table(vec![with_default("n", DataType::Int, DefaultValue::Literal("5".to_owned()))]);
    let mapping = map(&table, vec![int("other")], None, OnMissingColumn::Fail).unwrap();
    assert!(mapping.projection().is_empty());
    let rows = batch(vec![("other", array(Int32Array::from(vec![0, 0, 0])))]).project(&[]).unwrap();
    let converted =
        Converter::new(mapping, rules(true)).convert(&rows, &Origin::Rows { first: 1 }, 0).unwrap();
    assert_eq!(converted.batch.column(0).as_primitive::<Int32Type>().values().to_vec(), [5, 5, 5]);
}
