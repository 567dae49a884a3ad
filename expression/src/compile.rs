//! Text to an expression that can be evaluated.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::Expr;
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion_expr::simplify::SimplifyContext;
use datafusion_optimizer::simplify_expressions::ExprSimplifier;
use datafusion_physical_expr::create_physical_expr;
use datafusion_sql::sqlparser::tokenizer::Location;

use crate::cast::cast;
use crate::error::{ExpressionError, Located, Problem, Step};
use crate::evaluate::Expression;
use crate::functions::{Registry, Session};
use crate::parse::{parse, words};
use crate::scope::{Column, Scope};
use crate::translate::{Translator, Typed, column_name, schema_of};
use crate::types::{Class, class, name};
use crate::zone::Zone;

/// Stack of the thread that compiles: the engine walks trees by recursion, and a debug build needs much for
/// it.
const STACK_BYTES: usize = 64 << 20;

/// Compiles expressions over one set of columns.
#[derive(Debug)]
pub struct Compiler {
    scope: Scope,
    registry: Registry,
    session: Session,
}

/// What an expression is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Value,
    Condition,
}

/// Checks what can be checked of a text before the types of its columns are known: the grammar, the functions
/// and their arguments' number, and what a load refuses. Gives the names that may be columns, in small
/// letters.
pub fn check_text(place: &str, text: &str) -> Result<BTreeSet<String>, ExpressionError> {
    check(place, text, Purpose::Value)
}

/// [`check_text`] for a condition, which must name a column.
pub fn check_condition_text(place: &str, text: &str) -> Result<BTreeSet<String>, ExpressionError> {
    check(place, text, Purpose::Condition)
}

fn check(place: &str, text: &str, purpose: Purpose) -> Result<BTreeSet<String>, ExpressionError> {
    let words = on_a_deep_stack(place, || parse(text).and_then(|_| words(text)))?;
    let compiler = of_any_type(&words);
    match on_a_deep_stack(place, || compiler.build(place, text, purpose)) {
        Err(error) if !matches!(error.problem, Problem::Types(_) | Problem::Engine(_)) => Err(error),
        _ => Ok(words.iter().map(|word| word.to_lowercase()).collect()),
    }
}

/// The columns that a text names, each once and as it is written first.
///
/// # Errors
/// Where the text is no expression.
pub fn named_columns(place: &str, text: &str) -> Result<Vec<String>, ExpressionError> {
    on_a_deep_stack(place, || {
        let (syntax, words) = (parse(text)?, words(text)?);
        let Compiler { scope, registry, session } = of_any_type(&words);
        let schema = schema_of(&scope).map_err(whole)?;
        let mut translator = Translator::new(&scope, &registry, session, &schema);
        let translated = translator.expr(&syntax);
        let used = std::mem::take(&mut translator.used);
        // Where types are not what they will be, every word may be one.
        let is_named = |index: &usize| translated.is_err() || used.contains(index);
        Ok(words.into_iter().enumerate().filter(|(index, _)| is_named(index)).map(|(_, word)| word).collect())
    })
}

/// A compiler for whom each word is a column. One of type NULL goes with everything; what is said of such
/// types is said again when they are known.
fn of_any_type(words: &[String]) -> Compiler {
    let columns = words.iter().map(|word| Column::new(word.clone(), DataType::Null)).collect();
    Compiler::new(columns, Zone::UTC, 0)
}

impl Compiler {
    /// A compiler of expressions that may name `columns`; of two with one name (regardless of case) the first
    /// counts. `zone` is that of local times, `now_micros` the instant of `now()` (since the epoch, UTC).
    pub fn new(columns: Vec<Column>, zone: Zone, now_micros: i64) -> Self {
        let session = Session { zone, now_micros };
        Self { scope: Scope::new(columns), registry: Registry::new(session), session }
    }

    /// The columns that an expression may name; [`Expression::columns`] are places in it.
    pub fn columns(&self) -> &[Column] {
        self.scope.columns()
    }

    /// Compiles a value. `place` is the path of its field, for messages.
    pub fn compile(&self, place: &str, text: &str) -> Result<Expression, ExpressionError> {
        on_a_deep_stack(place, || self.build(place, text, Purpose::Value))
    }

    /// Compiles a condition over the row: it is BOOLEAN, and it names a column.
    pub fn compile_condition(&self, place: &str, text: &str) -> Result<Expression, ExpressionError> {
        on_a_deep_stack(place, || self.build(place, text, Purpose::Condition))
    }

    fn build(&self, place: &str, text: &str, purpose: Purpose) -> Step<Expression> {
        let syntax = parse(text)?;
        let schema = schema_of(&self.scope).map_err(whole)?;
        let mut translator = Translator::new(&self.scope, &self.registry, self.session, &schema);
        let mut typed = translator.expr(&syntax)?;
        let names_columns = !translator.used.is_empty();
        if purpose == Purpose::Condition {
            check_condition(&typed, names_columns)?;
            typed.expr = cast(typed.expr, &typed.data_type, &DataType::Boolean, self.session.zone);
            typed.data_type = DataType::Boolean;
        }
        let volatile = typed.expr.is_volatile();
        let schema = Arc::new(schema);
        let context = SimplifyContext::builder().with_schema(Arc::clone(&schema)).build();
        let simple = ExprSimplifier::new(context).simplify(typed.expr).map_err(|error| engine(&error))?;
        self.physical(place, &simple, typed.data_type, names_columns, volatile)
    }

    /// The columns that are left after the constants were folded, and the engine's expression over them.
    fn physical(
        &self,
        place: &str,
        expr: &Expr,
        data_type: DataType,
        names_columns: bool,
        volatile: bool,
    ) -> Step<Expression> {
        let named = expr.column_refs();
        let columns: Vec<usize> = (0..self.scope.columns().len())
            .filter(|&index| named.iter().any(|column| column.name == column_name(index)))
            .collect();
        let fields: Vec<Field> = columns
            .iter()
            .map(|&index| Field::new(column_name(index), self.scope.columns()[index].data_type.clone(), true))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let engine_schema = DFSchema::try_from(Arc::clone(&schema)).map_err(|error| engine(&error))?;
        let properties = ExecutionProps::new();
        let context = PhysicalPlanningContext::default();
        let physical = create_physical_expr(expr, &engine_schema, &properties, &context)
            .map_err(|error| engine(&error))?;
        let constant = match expr {
            Expr::Literal(value, _) => Some(one_row(value, &data_type).map_err(|error| engine(&error))?),
            _ => None,
        };
        let expression = Expression {
            place: place.to_owned(),
            physical,
            data_type,
            columns,
            schema,
            names_columns,
            volatile,
            constant,
        };
        expression.try_out().map_err(|error| engine(&error))?;
        Ok(expression)
    }
}

/// The literal as a row of the type that was promised: the NULL of no type gets one.
fn one_row(value: &ScalarValue, data_type: &DataType) -> datafusion_common::Result<ArrayRef> {
    let array = value.to_array_of_size(1)?;
    if array.data_type() == data_type {
        return Ok(array);
    }
    crate::cast::cast_values(&array, data_type, Zone::UTC)
}

fn check_condition(typed: &Typed, names_columns: bool) -> Step<()> {
    let problem = if !names_columns {
        Problem::NoCondition(
            "the condition names no column, so it is the same for every row; leave where out to load all rows"
                .to_owned(),
        )
    } else if !matches!(class(&typed.data_type), Class::Boolean | Class::Null) {
        Problem::NoCondition(format!(
            "the expression gives {} and no condition; compare it with something",
            name(&typed.data_type)
        ))
    } else {
        return Ok(());
    };
    Err(whole(problem))
}

fn whole(problem: Problem) -> Located {
    Located { at: Location { line: 0, column: 0 }, problem }
}

fn engine(error: &datafusion_common::DataFusionError) -> Located {
    whole(Problem::Engine(error.strip_backtrace()))
}

/// Compiles on a thread of its own; should the engine panic, that is an error about this text.
fn on_a_deep_stack<T: Send>(
    place: &str,
    compile: impl FnOnce() -> Step<T> + Send,
) -> Result<T, ExpressionError> {
    let fault = |message: &str| whole(Problem::Engine(message.to_owned()));
    let compiled = thread::scope(|scope| {
        let builder = thread::Builder::new().name("expression".to_owned()).stack_size(STACK_BYTES);
        match builder.spawn_scoped(scope, compile) {
            Ok(thread) => thread.join().unwrap_or_else(|_| Err(fault("the engine failed on this text"))),
            Err(error) => Err(fault(&format!("no thread to compile on: {error}"))),
        }
    });
    compiled.map_err(|located| located.of(place))
}
