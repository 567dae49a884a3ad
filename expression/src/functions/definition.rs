//! How a function is described, and how a description becomes one of DataFusion's.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};

use super::call::Call;
use crate::types::{Class, DATETIME, class, compared, name, united};
use crate::zone::Zone;

/// What a function may depend on beside its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Session {
    /// Zone of local times: the request's.
    pub zone: Zone,
    /// The one instant of `now()`, microseconds since the epoch, UTC.
    pub now_micros: i64,
}

/// The type that a function wants of an argument; what is given is cast to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// STRING.
    Text,
    /// STRING, or VARBINARY as it is.
    Bytes,
    /// BIGINT.
    Integer,
    /// DOUBLE.
    Double,
    /// BIGINT, DECIMAL or DOUBLE; text is read as DOUBLE.
    Number,
    /// BOOLEAN.
    Boolean,
    /// DATE.
    Date,
    /// DATETIME.
    DateTime,
    /// DATE as it is, all else as DATETIME.
    Temporal,
    /// Anything, as it is.
    Any,
    /// Anything; all arguments of this kind get the type in which they meet.
    United,
    /// Like `United`, as values are compared: text meets a number as a number.
    Compared,
}

/// The type of a function's value.
#[derive(Debug, Clone, Copy)]
pub enum Returns {
    /// STRING.
    Text,
    /// VARBINARY if the first argument is, else STRING.
    Bytes,
    /// VARBINARY.
    Binary,
    /// BIGINT.
    Integer,
    /// LARGEINT.
    LargeInt,
    /// DOUBLE.
    Double,
    /// BOOLEAN.
    Boolean,
    /// DATE.
    Date,
    /// DATETIME.
    DateTime,
    /// STRING that is JSON: what makes JSON of values puts it in as it is.
    Json,
    /// ARRAY of STRING.
    Texts,
    /// The type of the argument at this place.
    Same(usize),
}

/// A function: everything that is known about it.
#[derive(Debug)]
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// How it is called, for messages and the documentation.
    pub syntax: &'static str,
    /// What it gives, in one sentence.
    pub summary: &'static str,
    /// Arguments that must be there.
    pub parameters: &'static [Kind],
    /// Arguments that may follow.
    pub optional: &'static [Kind],
    /// Any number of arguments after those.
    pub rest: Option<Kind>,
    /// Type of the value.
    pub returns: Returns,
    /// Another value in each row, and at each call.
    pub volatile: bool,
    /// The values of a batch.
    pub body: fn(&Call<'_>) -> Result<ArrayRef>,
}

/// Under this key a field says what more its type means.
const EXTENSION_KEY: &str = "ARROW:extension:name";
/// Text that is JSON.
const EXTENSION_JSON: &str = "arrow.json";

/// Whether a field holds JSON.
pub(super) fn is_json(field: &Field) -> bool {
    field.metadata().get(EXTENSION_KEY).is_some_and(|name| name == EXTENSION_JSON)
}

impl Definition {
    /// A function of one name with these arguments, all of them needed.
    pub(super) const fn new(
        name: &'static str,
        syntax: &'static str,
        summary: &'static str,
        parameters: &'static [Kind],
        returns: Returns,
        body: fn(&Call<'_>) -> Result<ArrayRef>,
    ) -> Self {
        let (aliases, optional, rest) = (&[], &[], None);
        Self { name, aliases, syntax, summary, parameters, optional, rest, returns, volatile: false, body }
    }

    /// The same under other names too.
    pub(super) const fn also(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// The same with arguments that may follow.
    pub(super) const fn optional(self, optional: &'static [Kind]) -> Self {
        Self { optional, ..self }
    }

    /// The same with any number of arguments of a kind behind those.
    pub(super) const fn rest(self, rest: Kind) -> Self {
        Self { rest: Some(rest), ..self }
    }

    /// The same with another value in each row and at each call.
    pub(super) const fn volatile(self) -> Self {
        Self { volatile: true, ..self }
    }
}

/// A function of a definition within a session.
#[derive(Debug)]
struct Function {
    definition: &'static Definition,
    session: Session,
    signature: Signature,
    aliases: Vec<String>,
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.definition.name == other.definition.name && self.session == other.session
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.definition.name.hash(state);
        self.session.hash(state);
    }
}

impl Definition {
    /// The function as DataFusion calls it.
    pub fn udf(&'static self, session: Session) -> ScalarUDF {
        let volatility = if self.volatile { Volatility::Volatile } else { Volatility::Immutable };
        let signature = if self.parameters.is_empty() && self.optional.is_empty() && self.rest.is_none() {
            Signature::nullary(volatility)
        } else if self.parameters.is_empty() {
            Signature::one_of(vec![TypeSignature::Nullary, TypeSignature::UserDefined], volatility)
        } else {
            Signature::user_defined(volatility)
        };
        let aliases = self.aliases.iter().map(|&alias| alias.to_owned()).collect();
        ScalarUDF::new_from_impl(Function { definition: self, session, signature, aliases })
    }

    /// The types that arguments of `given` types are cast to; the error says what does not fit.
    pub fn coerce(&self, given: &[DataType]) -> Result<Vec<DataType>, String> {
        let least = self.parameters.len();
        let most = least + self.optional.len();
        if given.len() < least || (given.len() > most && self.rest.is_none()) {
            let wanted = match (least == most, self.rest) {
                (_, Some(_)) => format!("{least} arguments or more"),
                (true, None) => format!("{least} argument{}", if least == 1 { "" } else { "s" }),
                (false, None) => format!("{least} to {most} arguments"),
            };
            return Err(format!("it takes {wanted}, not {}", given.len()));
        }
        let kinds: Vec<Kind> = (0..given.len()).filter_map(|index| self.kind(index)).collect();
        let meeting = meeting_type(&kinds, given)?;
        Ok(kinds.iter().zip(given).map(|(kind, given)| kind.wanted(given, meeting.as_ref())).collect())
    }

    fn kind(&self, index: usize) -> Option<Kind> {
        let optional = index.checked_sub(self.parameters.len());
        let after = optional.and_then(|place| self.optional.get(place));
        self.parameters.get(index).or(after).copied().or(self.rest)
    }

    fn returned(&self, arguments: &[DataType]) -> DataType {
        match self.returns {
            Returns::Text | Returns::Json => DataType::Utf8,
            Returns::Bytes if arguments.first() == Some(&DataType::Binary) => DataType::Binary,
            Returns::Bytes => DataType::Utf8,
            Returns::Binary => DataType::Binary,
            Returns::Integer => DataType::Int64,
            Returns::LargeInt => DataType::Decimal128(38, 0),
            Returns::Double => DataType::Float64,
            Returns::Boolean => DataType::Boolean,
            Returns::Date => DataType::Date32,
            Returns::DateTime => DATETIME,
            Returns::Texts => DataType::new_list(DataType::Utf8, true),
            Returns::Same(index) => arguments.get(index).cloned().unwrap_or(DataType::Null),
        }
    }
}

fn meeting_type(kinds: &[Kind], given: &[DataType]) -> Result<Option<DataType>, String> {
    let mut met: Option<DataType> = None;
    for (kind, given) in kinds.iter().zip(given) {
        let meet = match kind {
            Kind::United => united,
            Kind::Compared => compared,
            _ => continue,
        };
        met = Some(match met {
            None => given.clone(),
            Some(before) => meet(&before, given)
                .ok_or_else(|| format!("{} and {} have no type in common", name(&before), name(given)))?,
        });
    }
    Ok(met)
}

impl Kind {
    fn wanted(self, given: &DataType, meeting: Option<&DataType>) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Bytes if class(given) == Class::Binary => DataType::Binary,
            Self::Bytes => DataType::Utf8,
            Self::Integer => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Number => match class(given) {
                Class::Integer | Class::Boolean | Class::Null => DataType::Int64,
                Class::Decimal => given.clone(),
                _ => DataType::Float64,
            },
            Self::Boolean => DataType::Boolean,
            Self::Date => DataType::Date32,
            Self::DateTime => DATETIME,
            Self::Temporal if class(given) == Class::Date => DataType::Date32,
            Self::Temporal => DATETIME,
            Self::Any => given.clone(),
            Self::United | Self::Compared => meeting.cloned().unwrap_or_else(|| given.clone()),
        }
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.definition.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match self.definition.coerce(given) {
            Ok(types) => Ok(types),
            Err(message) => {
                plan_err!("{}: {message}; it is called {}", self.definition.name, self.definition.syntax)
            }
        }
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(self.definition.returned(arguments))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let field = Field::new(self.definition.name, self.definition.returned(&types), true);
        let is_json = matches!(self.definition.returns, Returns::Json);
        let metadata = is_json.then(|| (EXTENSION_KEY.to_owned(), EXTENSION_JSON.to_owned()));
        Ok(Arc::new(field.with_metadata(metadata.into_iter().collect())))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = !self.definition.volatile
            && args.args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let returns = args.return_field.data_type();
        let call = Call::new(&args.args, &args.arg_fields, rows, self.session, returns)?;
        let values = (self.definition.body)(&call)?;
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?));
        }
        Ok(ColumnarValue::Array(values))
    }
}
