//! Parts of nested values, and the names of types.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields};
use datafusion_common::ScalarValue;
use datafusion_sql::sqlparser::ast::{
    self, AccessExpr, ArrayElemTypeDef, ExactNumberInfo, Expr as Syntax, Spanned, Subscript, TimezoneInfo,
};
use datafusion_sql::sqlparser::tokenizer::Span;

use crate::error::{Problem, Step};
use crate::suggest::near;
use crate::translate::{Translator, Typed};
use crate::types::{DATETIME, MOST_DIGITS, name};

impl Translator<'_> {
    /// `column[index]`, `column['key']`, `column.part`, one after the other.
    pub(crate) fn access(&mut self, root: &Syntax, chain: &[AccessExpr]) -> Step<Typed> {
        let mut value = self.expr(root)?;
        for step in chain {
            value = match step {
                AccessExpr::Dot(Syntax::Identifier(part)) => self.part(value, &part.value, part.span)?,
                AccessExpr::Subscript(Subscript::Index { index }) => self.element(value, index)?,
                AccessExpr::Dot(other) => return self.refused(other),
                AccessExpr::Subscript(slice) => {
                    let message = format!("{slice} is not taken; there is array_slice(array, from, to)");
                    return Err(Problem::Refused(message).at(root.span()));
                }
            };
        }
        Ok(value)
    }

    /// A part of a struct by its name.
    pub(crate) fn part(&mut self, value: Typed, part: &str, span: Span) -> Step<Typed> {
        let DataType::Struct(parts) = &value.data_type else {
            let message = format!("{} has no part {part}; only a STRUCT has parts", name(&value.data_type));
            return Err(Problem::Types(message).at(span));
        };
        let Some(field) = parts.iter().find(|field| field.name().eq_ignore_ascii_case(part)) else {
            let hint = near(part, parts.iter().map(|field| field.name().as_str()));
            return Err(Problem::UnknownColumn { name: part.to_owned(), hint }.at(span));
        };
        let key = Typed::value(ScalarValue::Utf8(Some(field.name().clone())));
        self.call_typed("get_field", vec![(value, span), (key, span)], span)
    }

    fn element(&mut self, value: Typed, index: &Syntax) -> Step<Typed> {
        let span = index.span();
        match &value.data_type {
            DataType::List(_) => {
                let index = self.expr(index)?;
                let index = self.converted(index, &DataType::Int64, span)?;
                self.call_typed("element_at", vec![(value, span), (index, span)], span)
            }
            DataType::Map(..) => {
                let key = self.expr(index)?;
                let found = self.call_typed("map_extract", vec![(value, span), (key, span)], span)?;
                let first = Typed::value(ScalarValue::Int64(Some(1)));
                self.call_typed("element_at", vec![(found, span), (first, span)], span)
            }
            other => {
                let message = format!("{} has no elements; only an ARRAY and a MAP have", name(other));
                Err(Problem::Types(message).at(span))
            }
        }
    }
}

/// The type that a name means in CAST.
pub(crate) fn data_type(written: &ast::DataType) -> Result<DataType, Problem> {
    use ast::DataType as Written;
    Ok(match written {
        Written::Bool | Written::Boolean => DataType::Boolean,
        Written::TinyInt(_) => DataType::Int8,
        Written::SmallInt(_) | Written::Int2(_) => DataType::Int16,
        Written::Int(_) | Written::Integer(_) | Written::Int4(_) | Written::MediumInt(_) => DataType::Int32,
        Written::BigInt(_) | Written::Int8(_) | Written::Signed | Written::SignedInteger => DataType::Int64,
        Written::Float(_) | Written::Float4 | Written::Real => DataType::Float32,
        Written::Double(_) | Written::DoublePrecision | Written::Float8 => DataType::Float64,
        Written::Decimal(digits) | Written::Numeric(digits) | Written::Dec(digits) => decimal(digits)?,
        Written::Date => DataType::Date32,
        Written::Datetime(_) | Written::Timestamp(_, TimezoneInfo::None) => DATETIME,
        Written::Char(_)
        | Written::Varchar(_)
        | Written::Character(_)
        | Written::CharacterVarying(_)
        | Written::String(_)
        | Written::Text
        | Written::JSON => DataType::Utf8,
        Written::Binary(_) | Written::Varbinary(_) => DataType::Binary,
        Written::Array(
            ArrayElemTypeDef::AngleBracket(element)
            | ArrayElemTypeDef::SquareBracket(element, _)
            | ArrayElemTypeDef::Parenthesis(element),
        ) => DataType::List(Arc::new(Field::new("element", data_type(element)?, true))),
        Written::Map(key, value) => {
            let entry = Fields::from(vec![
                Field::new("key", data_type(key)?, false),
                Field::new("value", data_type(value)?, true),
            ]);
            DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entry), false)), false)
        }
        Written::Custom(custom, _) if custom.to_string().eq_ignore_ascii_case("largeint") => {
            DataType::Decimal128(MOST_DIGITS, 0)
        }
        Written::Custom(custom, arguments) if custom.to_string().to_lowercase().starts_with("decimal") => {
            let digits: Vec<u64> = arguments.iter().filter_map(|text| text.trim().parse().ok()).collect();
            match digits.as_slice() {
                [precision, scale] => {
                    decimal(&ExactNumberInfo::PrecisionAndScale(*precision, scale.cast_signed()))?
                }
                _ => decimal(&ExactNumberInfo::None)?,
            }
        }
        other => return Err(Problem::Types(format!("there is no type {other}"))),
    })
}

fn decimal(digits: &ExactNumberInfo) -> Result<DataType, Problem> {
    // DECIMAL alone is DECIMAL(10,0), as in StarRocks.
    let (precision, scale) = match digits {
        ExactNumberInfo::None => (10, 0),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
    };
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(precision @ 1..=MOST_DIGITS), Ok(scale @ 0..)) if scale.unsigned_abs() <= precision => {
            Ok(DataType::Decimal128(precision, scale))
        }
        _ => Err(Problem::Types(format!(
            "there is no DECIMAL({precision},{scale}): 1 to {MOST_DIGITS} digits, not more of them behind the point"
        ))),
    }
}
