//! `DECIMAL(10,2)`, `ARRAY<INT>`, `STRUCT<a INT, b STRING>`: the text form of a type.

use super::{DataType, StructField};

/// Most bytes of a `VARCHAR(n)` or `VARBINARY(n)`.
const MAX_VARCHAR_BYTES: u32 = 1_048_576;
/// Most bytes of a `CHAR(n)`.
const MAX_CHAR_BYTES: u32 = 255;
/// Most digits of a `DECIMAL(p,s)`.
const MAX_DECIMAL_DIGITS: u8 = 38;
/// `DECIMAL` alone means `DECIMAL(10,0)`, as in StarRocks.
const DEFAULT_DECIMAL_DIGITS: u8 = 10;
/// Levels of ARRAY, MAP and STRUCT: bounds the recursion of whoever walks a type.
const MAX_DEPTH: u32 = 15;
/// What an unknown type's message offers.
const KNOWN_TYPES: &str = "BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, LARGEINT, FLOAT, DOUBLE, DECIMAL(p,s), \
     DATE, DATETIME, CHAR(n), VARCHAR(n), STRING, VARBINARY, JSON, ARRAY<T>, MAP<K,V>, STRUCT<name T, ...>";

/// A type's text that is not one of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TypeError {
    message: String,
}

impl TypeError {
    /// Stable name of this class of error.
    pub fn category(&self) -> &'static str {
        "InvalidType"
    }
}

impl DataType {
    /// Reads a type as a user writes it, regardless of case and blanks; `parse(x.to_string()) == x`.
    ///
    /// Aliases: INTEGER, BOOL, TEXT, NUMERIC, BINARY; a display width (`INT(11)`) is read and dropped, as
    /// MySQL's dialect does. Types that cannot be kept are refused by name with what to use instead.
    pub fn parse(text: &str) -> Result<Self, TypeError> {
        let mut parser = Parser { text, rest: text };
        let data_type = parser.data_type(0)?;
        if parser.peek().is_some() {
            return Err(parser.error(format!("unexpected `{}` after {data_type}", parser.rest.trim())));
        }
        Ok(data_type)
    }
}

/// A cursor over the text; `rest` only ever gets shorter.
struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn error(&self, problem: impl AsRef<str>) -> TypeError {
        TypeError { message: format!("`{}` is not a type: {}", self.text.trim(), problem.as_ref()) }
    }

    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn take_if(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.rest = &self.rest[wanted.len_utf8()..];
        }
        found
    }

    fn expect(&mut self, wanted: char, after: &str) -> Result<(), TypeError> {
        if self.take_if(wanted) {
            return Ok(());
        }
        let found = self.peek().map_or_else(|| "the end".to_owned(), |found| format!("`{found}`"));
        Err(self.error(format!("expected `{wanted}` after {after}, found {found}")))
    }

    /// The longest run of characters that can be part of a name; may be empty.
    fn word(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        let end = self.rest.find(ends_a_word).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// `(a, b, …)` as numbers, or nothing.
    fn numbers(&mut self, name: &str) -> Result<Option<Vec<u32>>, TypeError> {
        if !self.take_if('(') {
            return Ok(None);
        }
        let mut numbers = Vec::new();
        loop {
            let word = self.word();
            let number = word.parse().map_err(|_| {
                self.error(format!("expected a number between the brackets of {name}, found `{word}`"))
            })?;
            numbers.push(number);
            if !self.take_if(',') {
                break;
            }
        }
        self.expect(')', &format!("the numbers of {name}"))?;
        Ok(Some(numbers))
    }

    fn data_type(&mut self, depth: u32) -> Result<DataType, TypeError> {
        let word = self.word();
        if word.is_empty() {
            return Err(self.error(format!("expected one of {KNOWN_TYPES}")));
        }
        let name = word.to_ascii_uppercase();
        let data_type = match name.as_str() {
            "BOOLEAN" | "BOOL" => DataType::Boolean,
            "TINYINT" => self.integer(&name, DataType::TinyInt)?,
            "SMALLINT" => self.integer(&name, DataType::SmallInt)?,
            "INT" | "INTEGER" => self.integer(&name, DataType::Int)?,
            "BIGINT" => self.integer(&name, DataType::BigInt)?,
            "LARGEINT" => self.integer(&name, DataType::LargeInt)?,
            "FLOAT" => DataType::Float,
            "DOUBLE" => DataType::Double,
            "DATE" => DataType::Date,
            "DATETIME" => DataType::DateTime,
            "STRING" | "TEXT" => DataType::String,
            "JSON" => DataType::Json,
            "DECIMAL" | "NUMERIC" | "DECIMALV2" | "DECIMAL32" | "DECIMAL64" | "DECIMAL128" => {
                self.decimal(&name)?
            }
            "CHAR" => DataType::Char(self.required_length(&name, MAX_CHAR_BYTES)?),
            "VARCHAR" => DataType::Varchar(self.required_length(&name, MAX_VARCHAR_BYTES)?),
            "VARBINARY" | "BINARY" => DataType::Varbinary(self.length(&name, MAX_VARCHAR_BYTES)?),
            "ARRAY" => self.array(depth)?,
            "MAP" => self.map(depth)?,
            "STRUCT" => self.structure(depth)?,
            _ => return Err(self.refused(word, &name)),
        };
        Ok(data_type)
    }

    fn refused(&self, word: &str, name: &str) -> TypeError {
        let instead = match name {
            "HLL" | "BITMAP" => {
                "keep the values themselves in a BIGINT or VARCHAR column and count distinct at query time"
            }
            "PERCENTILE" => "keep the values themselves in a DOUBLE column",
            "TIME" => "use BIGINT (microseconds of the day) or VARCHAR(15) (HH:MM:SS.ffffff)",
            "VARIANT" => "use JSON",
            "TIMESTAMP" => "use DATETIME (microseconds, no zone)",
            "DECIMAL256" => "use DECIMAL(38,s), or VARCHAR for more digits",
            "UNSIGNED" => "use the next wider signed type",
            "UUID" => "use VARCHAR(36)",
            "BLOB" => "use VARBINARY",
            _ => return self.error(format!("`{word}` is unknown; expected one of {KNOWN_TYPES}")),
        };
        TypeError { message: format!("{name} is not supported; {instead}") }
    }

    fn integer(&mut self, name: &str, data_type: DataType) -> Result<DataType, TypeError> {
        match self.numbers(name)? {
            None => Ok(data_type),
            Some(width) if width.len() == 1 => Ok(data_type),
            Some(_) => Err(self.error(format!("{name} takes no more than a display width"))),
        }
    }

    fn decimal(&mut self, name: &str) -> Result<DataType, TypeError> {
        let (digits, scale) = match self.numbers(name)?.as_deref() {
            None => (u32::from(DEFAULT_DECIMAL_DIGITS), 0),
            Some([digits]) => (*digits, 0),
            Some([digits, scale]) => (*digits, *scale),
            Some(_) => return Err(self.error(format!("write {name}(p,s)"))),
        };
        if digits == 0 || digits > u32::from(MAX_DECIMAL_DIGITS) {
            let instead = if digits == 0 { "" } else { "; use VARCHAR for more digits" };
            return Err(self.error(format!("{name} takes 1 to {MAX_DECIMAL_DIGITS} digits{instead}")));
        }
        if scale > digits {
            return Err(self.error(format!("the scale {scale} is more than the {digits} digits")));
        }
        // Both are at most 38 here.
        Ok(DataType::Decimal { precision: digits as u8, scale: scale as u8 })
    }

    fn length(&mut self, name: &str, most: u32) -> Result<Option<u32>, TypeError> {
        match self.numbers(name)?.as_deref() {
            None => Ok(None),
            Some([length]) if (1..=most).contains(length) => Ok(Some(*length)),
            Some(_) => Err(self.error(format!("{name}(n) takes one length, 1 to {most} bytes"))),
        }
    }

    fn required_length(&mut self, name: &str, most: u32) -> Result<u32, TypeError> {
        self.length(name, most)?.ok_or_else(|| {
            self.error(format!("{name} needs a length in bytes, {name}(n) with n 1 to {most}, or use STRING"))
        })
    }

    fn nested(&mut self, depth: u32) -> Result<DataType, TypeError> {
        if depth >= MAX_DEPTH {
            return Err(self.error(format!("it is nested deeper than {MAX_DEPTH} levels")));
        }
        self.data_type(depth + 1)
    }

    fn array(&mut self, depth: u32) -> Result<DataType, TypeError> {
        self.expect('<', "ARRAY")?;
        let element = self.nested(depth)?;
        self.expect('>', "the element of ARRAY")?;
        Ok(DataType::Array(Box::new(element)))
    }

    fn map(&mut self, depth: u32) -> Result<DataType, TypeError> {
        self.expect('<', "MAP")?;
        let key = self.nested(depth)?;
        if key.is_nested() || key == DataType::Json {
            return Err(self.error(format!("{key} cannot be the key of a MAP; use a scalar type")));
        }
        self.expect(',', "the key of MAP")?;
        let value = self.nested(depth)?;
        self.expect('>', "the value of MAP")?;
        Ok(DataType::Map(Box::new(key), Box::new(value)))
    }

    fn structure(&mut self, depth: u32) -> Result<DataType, TypeError> {
        self.expect('<', "STRUCT")?;
        let mut fields = Vec::new();
        loop {
            let name = self.field_name()?;
            // Hive writes `name: TYPE`.
            self.take_if(':');
            let data_type = self.nested(depth)?;
            fields.push(StructField { name, data_type });
            if !self.take_if(',') {
                break;
            }
        }
        self.expect('>', "the fields of STRUCT")?;
        Ok(DataType::Struct(fields))
    }

    fn field_name(&mut self) -> Result<String, TypeError> {
        let quoted = self.take_if('`');
        let name = self.word();
        if name.is_empty() {
            return Err(self.error("expected the name of a field in STRUCT<name T, ...>"));
        }
        if quoted {
            self.expect('`', "a quoted name")?;
        }
        Ok(name.to_owned())
    }
}

/// Characters that no name in a type's text holds: blanks and what Delta refuses (` ,;{}()\n\t=`), and the
/// marks of this grammar.
fn ends_a_word(c: char) -> bool {
    c.is_whitespace() || matches!(c, ',' | ';' | '{' | '}' | '(' | ')' | '=' | '<' | '>' | ':' | '`')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> String {
        DataType::parse(text).map_or_else(|error| error.to_string(), |t| t.to_string())
    }

    #[test]
    fn case_blanks_and_aliases_are_read() {
        for (text, expected) in [
            ("int", "INT"),
            ("Integer", "INT"),
            ("int(11)", "INT"),
            ("bool", "BOOLEAN"),
            (" double ", "DOUBLE"),
            ("text", "STRING"),
            ("decimal", "DECIMAL(10,0)"),
            ("DECIMAL( 12 )", "DECIMAL(12,0)"),
            ("numeric(38 , 38)", "DECIMAL(38,38)"),
            ("varchar(1048576)", "VARCHAR(1048576)"),
            ("varbinary", "VARBINARY"),
            ("binary(16)", "VARBINARY(16)"),
            ("array < map< int , string > >", "ARRAY<MAP<INT,STRING>>"),
            ("struct<A int, `b`: Struct<c date>>", "STRUCT<A INT,b STRUCT<c DATE>>"),
        ] {
            assert_eq!(parsed(text), expected, "{text}");
        }
    }

    #[test]
    fn types_that_cannot_be_kept_are_refused_by_name_with_what_to_use() {
        for (text, expected) in [
            (
                "HLL",
                "HLL is not supported; keep the values themselves in a BIGINT or VARCHAR column and count distinct at query time",
            ),
            (
                "array<bitmap>",
                "BITMAP is not supported; keep the values themselves in a BIGINT or VARCHAR column and count distinct at query time",
            ),
            ("percentile", "PERCENTILE is not supported; keep the values themselves in a DOUBLE column"),
            (
                "time",
                "TIME is not supported; use BIGINT (microseconds of the day) or VARCHAR(15) (HH:MM:SS.ffffff)",
            ),
            ("Variant", "VARIANT is not supported; use JSON"),
            ("timestamp", "TIMESTAMP is not supported; use DATETIME (microseconds, no zone)"),
        ] {
            assert_eq!(parsed(text), expected, "{text}");
        }
    }

    #[test]
    fn bounds_are_kept_and_named() {
        for (text, part) in [
            ("VARCHAR", "needs a length in bytes"),
            ("VARCHAR(0)", "1 to 1048576 bytes"),
            ("VARCHAR(1048577)", "1 to 1048576 bytes"),
            ("CHAR(256)", "1 to 255 bytes"),
            ("VARBINARY(0)", "1 to 1048576 bytes"),
            ("DECIMAL(39,0)", "1 to 38 digits; use VARCHAR for more digits"),
            ("DECIMAL(0)", "1 to 38 digits"),
            ("DECIMAL(5,6)", "the scale 6 is more than the 5 digits"),
            ("DECIMAL(5,x)", "expected a number"),
            ("INT INT", "unexpected `INT` after INT"),
            ("ARRAY<INT", "expected `>` after the element of ARRAY, found the end"),
            ("ARRAY", "expected `<` after ARRAY"),
            ("MAP<ARRAY<INT>,INT>", "cannot be the key of a MAP"),
            ("STRUCT<>", "expected the name of a field"),
            ("STRUCT<a>", "expected one of"),
            ("INTT", "`INTT` is unknown; expected one of BOOLEAN"),
            ("", "expected one of"),
        ] {
            let message = parsed(text);
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| format!("{}INT{}", "ARRAY<".repeat(levels), ">".repeat(levels));
        assert!(DataType::parse(&nested(15)).is_ok());
        assert!(parsed(&nested(16)).contains("deeper than 15 levels"));
        assert!(DataType::parse(&nested(100_000)).is_err());
    }

    fn scalar() -> impl Strategy<Value = DataType> {
        prop_oneof![
            Just(DataType::Boolean),
            Just(DataType::TinyInt),
            Just(DataType::SmallInt),
            Just(DataType::Int),
            Just(DataType::BigInt),
            Just(DataType::LargeInt),
            Just(DataType::Float),
            Just(DataType::Double),
            (1_u8..=38).prop_flat_map(|precision| {
                (0..=precision).prop_map(move |scale| DataType::Decimal { precision, scale })
            }),
            Just(DataType::Date),
            Just(DataType::DateTime),
            (1_u32..=MAX_CHAR_BYTES).prop_map(DataType::Char),
            (1_u32..=MAX_VARCHAR_BYTES).prop_map(DataType::Varchar),
            Just(DataType::String),
            proptest::option::of(1_u32..=MAX_VARCHAR_BYTES).prop_map(DataType::Varbinary),
        ]
    }

    fn any_type() -> impl Strategy<Value = DataType> {
        prop_oneof![scalar(), Just(DataType::Json)].prop_recursive(4, 24, 4, |inner| {
            let field = ("[A-Za-z_äß0-9.-]{1,8}", inner.clone())
                .prop_map(|(name, data_type)| StructField { name, data_type });
            prop_oneof![
                inner.clone().prop_map(|element| DataType::Array(Box::new(element))),
                (scalar(), inner).prop_map(|(key, value)| DataType::Map(Box::new(key), Box::new(value))),
                proptest::collection::vec(field, 1..4).prop_map(DataType::Struct),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(data_type in any_type()) {
            prop_assert_eq!(DataType::parse(&data_type.to_string()), Ok(data_type.clone()));
            prop_assert_eq!(DataType::parse(&data_type.to_string().to_lowercase().replace(',', " , "))
                .map(|t| t.to_string().to_lowercase()), Ok(data_type.to_string().to_lowercase()));
        }

        #[test]
        fn no_text_makes_it_fall(text in "\\PC{0,40}") {
            if let Err(error) = DataType::parse(&text) {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}
