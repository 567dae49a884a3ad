//! Every type and every codec.

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;

use super::{batches, open, options, read_all, sorted_by, texts, written};
use crate::decode::MIB;
use crate::decode::object::FakeObject;
use crate::world::{World, column, definition};

/// A table with the columns that `columnar.py types` writes.
fn columns() -> Vec<longshore_storage::schema::Column> {
    [
        ("id", "BIGINT"),
        ("flag", "BOOLEAN"),
        ("int", "INT"),
        ("long", "BIGINT"),
        ("run", "INT"),
        ("real", "FLOAT"),
        ("double", "DOUBLE"),
        ("text", "VARCHAR(400)"),
        ("unique", "STRING"),
        ("bytes", "VARBINARY"),
        ("day", "DATE"),
        ("at", "DATETIME"),
        ("instant", "DATETIME"),
        ("money", "DECIMAL(9,2)"),
        ("wide", "DECIMAL(38,10)"),
        ("list", "ARRAY<INT>"),
        ("lists", "ARRAY<ARRAY<STRING>>"),
        ("map", "MAP<STRING,INT>"),
        ("part", "STRUCT<a INT,b STRING,c STRUCT<d ARRAY<INT>,e DOUBLE>>"),
    ]
    .map(|(name, data_type)| column(name, data_type))
    .into()
}

/// A42: DECIMAL(38,10), LIST, MAP, STRUCT; A41: timestamps with and without a zone.
#[test]
fn a42_every_type_and_codec_of_orc_and_avro_loads_as_parquet_does() {
    let files = written("types");
    let load = |name: &str, bytes: &bytes::Bytes| {
        let world = World::with_table(&definition(columns()));
        world.put(name, bytes);
        let mut request = world.request("types", name);
        request.timezone = "Asia/Kathmandu".to_owned();
        let report = world.load(request);
        assert_eq!(report.exit_code, 0, "{name}: {report:?}");
        assert_eq!((report.counts.sink_rows, report.counts.filtered_rows), (5_000, 0), "{name}");
        sorted_by(&world.rows(), "id")
    };
    let expected = load("rows.parquet", &files["rows.parquet"]);
    assert_eq!(expected.num_rows(), 5_000);
    let mut compared = 0;
    for (name, bytes) in files.iter().filter(|(name, _)| !name.ends_with(".parquet")) {
        let found = load(name, bytes);
        for (place, field) in expected.schema().fields().iter().enumerate() {
            assert_eq!(found.column(place), expected.column(place), "{name}, column {}", field.name());
        }
        compared += 1;
    }
    assert_eq!(compared, 11 + 6);
}

#[test]
fn text_of_a_dictionary_is_given_as_one_where_that_is_asked_for() {
    let files = written("types");
    let bytes = &files["rows.zlib.1.0.orc"];
    let file = open("rows.orc", FakeObject::new(bytes.clone())).unwrap();
    let text = file.schema().index_of("text").unwrap();
    let mut read = options(vec![text], 64 * MIB);
    read.dictionary_columns = vec![text];
    let found = batches(&*file, read).unwrap();
    let kept: DataType = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    assert!(found.iter().all(|batch| *batch.column(0).data_type() == kept));
    let plain = batches(&*file, options(vec![text], 64 * MIB)).unwrap();
    for (kept, plain) in found.iter().zip(&plain) {
        assert_eq!(*plain.column(0).data_type(), DataType::Utf8);
        assert_eq!(texts(kept.column(0)), texts(plain.column(0)));
    }
}

#[test]
fn a41_timestamps_of_orc_are_the_wall_clock_and_instants_are_instants() {
    let files = written("zones");
    let orc = read_all("zones.orc", &files["zones.orc"], 64 * MIB).unwrap();
    let parquet = read_all("zones.parquet", &files["zones.parquet"], 64 * MIB).unwrap();
    for name in ["at", "instant"] {
        assert_eq!(texts(&orc[name]), texts(&parquet[name]), "{name}");
        assert_eq!(orc[name].data_type(), parquet[name].data_type(), "{name}");
    }
}

#[test]
fn avro_types_have_their_counterparts_and_odd_ones_are_refused_alone() {
    let files = written("odd");
    let file = open("odd.avro", FakeObject::new(files["odd.avro"].clone())).unwrap();
    let schema = file.schema();
    let type_of = |name: &str| schema.field_with_name(name).unwrap().data_type().to_string();
    for (name, expected) in [
        ("e", "Utf8"),
        ("uuid", "Utf8"),
        ("f", "FixedSizeBinary(3)"),
        ("d", "FixedSizeBinary(12)"),
        ("tm", "Time32(ms)"),
        ("tu", "Time64(µs)"),
        ("ms", "Timestamp(ms, \"UTC\")"),
        ("lms", "Timestamp(ms)"),
        ("n", "Null"),
        ("one", "Utf8"),
    ] {
        assert_eq!(type_of(name), expected, "{name}");
    }
    let rows = read_all("odd.avro", &files["odd.avro"], 64 * MIB).unwrap();
    assert_eq!(texts(&rows["t"]), (0..9).map(|i| format!("t{i}")).collect::<Vec<_>>());
    assert_eq!(texts(&rows["e"])[..3], ["RED", "GREEN", "RED"]);
    assert_eq!(rows["f"].as_fixed_size_binary().value(2), [2, 1, 2]);
    assert_eq!(texts(&rows["lms"])[0], "2024-05-06T07:08:09.123");
    for (name, reason) in
        [("u", "a union of null, int, string is not supported"), ("r", "type of.tests.Node contains itself")]
    {
        let index = schema.index_of(name).unwrap();
        let error = batches(&*file, options(vec![index], 64 * MIB)).unwrap_err();
        assert_eq!(error.category(), "UnsupportedType");
        let reason = reason.replace("of.tests.", "");
        assert!(error.to_string().contains(&reason), "{error}");
    }
}

#[test]
fn a_union_of_orc_is_refused_alone() {
    let files = written("odd");
    let rows = read_all("union.orc", &files["union.orc"], 64 * MIB).unwrap();
    assert_eq!(rows.keys().collect::<Vec<_>>(), ["id", "t"]);
    assert_eq!(texts(&rows["t"]), ["x", "y", "z"]);
    let file = open("union.orc", FakeObject::new(files["union.orc"].clone())).unwrap();
    let error = batches(&*file, options(vec![1], 64 * MIB)).unwrap_err();
    assert!(error.to_string().contains("column \"u\": type UNION is not supported"), "{error}");
}
