//! From the Parquet columns of a checkpoint, ours or another engine's, back to actions.

use std::collections::BTreeMap;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, ListArray, MapArray, RecordBatch,
    StringArray, StructArray,
};
use arrow::datatypes::{Int32Type, Int64Type};

use crate::log::actions::{Add, Format, Metadata, Protocol, Remove, Txn};

type TextMap = BTreeMap<String, Option<String>>;

/// The rows of a batch in which one kind of action is set.
pub(crate) struct Rows<'a> {
    values: &'a StructArray,
}

impl<'a> Rows<'a> {
    /// `None`: the batch has no such column.
    pub(crate) fn of(batch: &'a RecordBatch, kind: &str) -> Option<Self> {
        Some(Self { values: batch.column_by_name(kind)?.as_struct_opt()? })
    }

    /// Numbers of the rows that are set.
    fn set(&self) -> impl Iterator<Item = usize> + use<'a> {
        let values = self.values;
        (0..values.len()).filter(move |row| values.is_valid(*row))
    }

    fn column(&self, name: &str) -> Result<&'a ArrayRef, String> {
        self.values.column_by_name(name).ok_or_else(|| format!("it has no column {name}"))
    }

    fn text(&self, name: &str) -> Result<&'a StringArray, String> {
        self.column(name)?.as_string_opt::<i32>().ok_or_else(|| wrong(name))
    }

    fn long(&self, name: &str) -> Result<&'a Int64Array, String> {
        self.column(name)?.as_primitive_opt::<Int64Type>().ok_or_else(|| wrong(name))
    }

    fn integer(&self, name: &str) -> Result<&'a Int32Array, String> {
        self.column(name)?.as_primitive_opt::<Int32Type>().ok_or_else(|| wrong(name))
    }

    fn boolean(&self, name: &str) -> Result<&'a BooleanArray, String> {
        self.column(name)?.as_boolean_opt().ok_or_else(|| wrong(name))
    }

    fn list(&self, name: &str) -> Result<&'a ListArray, String> {
        self.column(name)?.as_list_opt::<i32>().ok_or_else(|| wrong(name))
    }

    fn map(&self, name: &str) -> Result<&'a MapArray, String> {
        self.column(name)?.as_map_opt().ok_or_else(|| wrong(name))
    }

    /// A column that an engine may leave out.
    fn optional<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Self, &str) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        if self.values.column_by_name(name).is_some() { read(self, name).map(Some) } else { Ok(None) }
    }

    pub(crate) fn txns(&self) -> Result<Vec<Txn>, String> {
        let (app_id, version) = (self.text("appId")?, self.long("version")?);
        let last_updated = self.optional("lastUpdated", Self::long)?;
        Ok(self
            .set()
            .map(|row| Txn {
                app_id: app_id.value(row).to_owned(),
                version: version.value(row),
                last_updated: last_updated.and_then(|column| long_at(column, row)),
            })
            .collect())
    }

    /// The number of one application, if it is among these rows.
    pub(crate) fn number_of(&self, app_id: &str) -> Result<Option<i64>, String> {
        let (app_ids, version) = (self.text("appId")?, self.long("version")?);
        Ok(self.set().find(|row| app_ids.value(*row) == app_id).map(|row| version.value(row)))
    }

    pub(crate) fn adds(&self) -> Result<Vec<Add>, String> {
        let (path, size) = (self.text("path")?, self.long("size")?);
        let modification_time = self.long("modificationTime")?;
        let partition_values = self.map("partitionValues")?;
        let stats = self.optional("stats", Self::text)?;
        let tags = self.optional("tags", Self::map)?;
        self.set()
            .map(|row| {
                Ok(Add {
                    path: path.value(row).to_owned(),
                    partition_values: map_at(partition_values, row)?.unwrap_or_default(),
                    size: size.value(row),
                    modification_time: modification_time.value(row),
                    data_change: false,
                    stats: stats.and_then(|column| text_at(column, row)),
                    tags: tags.map_or(Ok(None), |column| map_at(column, row))?,
                    deletion_vector: None,
                })
            })
            .collect()
    }

    pub(crate) fn removes(&self) -> Result<Vec<Remove>, String> {
        let path = self.text("path")?;
        let deletion_timestamp = self.optional("deletionTimestamp", Self::long)?;
        let extended = self.optional("extendedFileMetadata", Self::boolean)?;
        let partition_values = self.optional("partitionValues", Self::map)?;
        let size = self.optional("size", Self::long)?;
        let tags = self.optional("tags", Self::map)?;
        self.set()
            .map(|row| {
                Ok(Remove {
                    path: path.value(row).to_owned(),
                    deletion_timestamp: deletion_timestamp.and_then(|column| long_at(column, row)),
                    data_change: false,
                    extended_file_metadata: extended
                        .and_then(|column| column.is_valid(row).then(|| column.value(row))),
                    partition_values: partition_values.map_or(Ok(None), |column| map_at(column, row))?,
                    size: size.and_then(|column| long_at(column, row)),
                    tags: tags.map_or(Ok(None), |column| map_at(column, row))?,
                })
            })
            .collect()
    }

    pub(crate) fn metadata(&self) -> Result<Option<Metadata>, String> {
        let Some(row) = self.set().next() else { return Ok(None) };
        let format = self.column("format")?.as_struct_opt().ok_or_else(|| wrong("format"))?;
        let format = Rows { values: format };
        let text_map = |map: Option<TextMap>| {
            map.unwrap_or_default().into_iter().map(|(key, value)| (key, value.unwrap_or_default())).collect()
        };
        Ok(Some(Metadata {
            id: self.text("id")?.value(row).to_owned(),
            name: self.optional("name", Self::text)?.and_then(|column| text_at(column, row)),
            description: self.optional("description", Self::text)?.and_then(|column| text_at(column, row)),
            format: Format {
                provider: format.text("provider")?.value(row).to_owned(),
                options: text_map(
                    format.optional("options", Self::map)?.map_or(Ok(None), |m| map_at(m, row))?,
                ),
            },
            schema_string: self.text("schemaString")?.value(row).to_owned(),
            partition_columns: list_at(self.list("partitionColumns")?, row)?.unwrap_or_default(),
            configuration: text_map(map_at(self.map("configuration")?, row)?),
            created_time: self.optional("createdTime", Self::long)?.and_then(|column| long_at(column, row)),
        }))
    }

    pub(crate) fn protocol(&self) -> Result<Option<Protocol>, String> {
        let Some(row) = self.set().next() else { return Ok(None) };
        let features = |name: &str| -> Result<Option<Vec<String>>, String> {
            self.optional(name, Self::list)?.map_or(Ok(None), |column| list_at(column, row))
        };
        Ok(Some(Protocol {
            min_reader_version: self.integer("minReaderVersion")?.value(row),
            min_writer_version: self.integer("minWriterVersion")?.value(row),
            reader_features: features("readerFeatures")?,
            writer_features: features("writerFeatures")?,
        }))
    }
}

fn wrong(name: &str) -> String {
    format!("its column {name} has another type than the protocol says")
}

fn long_at(column: &Int64Array, row: usize) -> Option<i64> {
    column.is_valid(row).then(|| column.value(row))
}

fn text_at(column: &StringArray, row: usize) -> Option<String> {
    column.is_valid(row).then(|| column.value(row).to_owned())
}

fn list_at(column: &ListArray, row: usize) -> Result<Option<Vec<String>>, String> {
    if column.is_null(row) {
        return Ok(None);
    }
    let items = column.value(row);
    let items = items.as_string_opt::<i32>().ok_or_else(|| wrong("element"))?;
    Ok(Some(items.iter().flatten().map(str::to_owned).collect()))
}

fn map_at(column: &MapArray, row: usize) -> Result<Option<TextMap>, String> {
    if column.is_null(row) {
        return Ok(None);
    }
    let entries = column.value(row);
    let part = |index: usize| {
        entries.columns().get(index).and_then(|part| part.as_string_opt::<i32>()).ok_or_else(|| wrong("map"))
    };
    let (keys, values) = (part(0)?, part(1)?);
    Ok(Some((0..keys.len()).map(|at| (keys.value(at).to_owned(), text_at(values, at))).collect()))
}
