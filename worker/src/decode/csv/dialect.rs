//! The options of CSV as bytes.

use longshore_crds::format::CsvOptions;
use longshore_crds::{CsvBytes, FormatError};

/// How the text of a CSV file is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// Between fields.
    pub separator: Vec<u8>,
    /// Behind each record; the last may lack it.
    pub delimiter: Vec<u8>,
    /// Around fields that hold separators.
    pub enclose: Option<u8>,
    /// Takes the next byte's meaning away.
    pub escape: Option<u8>,
    /// Blanks around fields, outside of an enclosure, are dropped.
    pub trim: bool,
    /// An unenclosed field of exactly these bytes is NULL.
    pub null: Vec<u8>,
    /// A longer record is filtered.
    pub max_record_bytes: u64,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            separator: b"\t".to_vec(),
            delimiter: b"\n".to_vec(),
            enclose: None,
            escape: None,
            trim: false,
            null: b"\\N".to_vec(),
            max_record_bytes: 64 << 20,
        }
    }
}

impl Dialect {
    /// The dialect that options state.
    ///
    /// # Errors
    /// What the API says of separators, enclosure and escape that cannot be used.
    pub fn of(options: &CsvOptions) -> Result<Self, FormatError> {
        let CsvBytes { column_separator, row_delimiter, enclose, escape } = options.bytes()?;
        Ok(Self {
            separator: column_separator,
            delimiter: row_delimiter,
            enclose,
            // A doubled enclosure is how an enclosure escapes itself.
            escape: escape.filter(|_| escape != enclose),
            trim: options.trim_space,
            null: options.null_value.clone().into_bytes(),
            max_record_bytes: u64::from(options.max_record_bytes),
        })
    }

    /// A CR before the delimiter is dropped: lines of files from Windows.
    pub(super) fn drops_carriage_return(&self) -> bool {
        self.delimiter == b"\n"
    }

    /// Blank that [`Dialect::trim`] drops: a blank or a TAB, unless it is part of a separator.
    pub(super) fn is_blank(&self, byte: u8) -> bool {
        matches!(byte, b' ' | b'\t') && self.separator[0] != byte && self.delimiter[0] != byte
    }

    /// The one byte of the separator and that of the delimiter.
    pub(super) fn single_bytes(&self) -> Option<(u8, u8)> {
        match (self.separator.as_slice(), self.delimiter.as_slice()) {
            ([separator], [delimiter]) => Some((*separator, *delimiter)),
            _ => None,
        }
    }

    /// Text that is UTF-8 as a whole is UTF-8 in each of its fields.
    pub(super) fn cuts_between_characters(&self) -> bool {
        std::str::from_utf8(&self.separator).is_ok() && std::str::from_utf8(&self.delimiter).is_ok()
    }
}
