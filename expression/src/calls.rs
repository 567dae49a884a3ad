//! Calls of functions, and the forms that only look like one.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion_common::ScalarValue;
use datafusion_expr::type_coercion::functions::fields_with_udf;
use datafusion_sql::sqlparser::ast::{
    CeilFloorKind, DateTimeField, Expr as Syntax, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    Interval, Spanned, TrimWhereField,
};
use datafusion_sql::sqlparser::tokenizer::Span;

use crate::error::{Problem, Step};
use crate::functions::calendar::Unit;
use crate::functions::{Definition, Named, Nested, refusal};
use crate::operators::Operator;
use crate::suggest::near;
use crate::translate::{Translator, Typed};
use crate::types::{name, united};

/// Functions whose first argument is the name of a unit, which needs no quotes.
const UNIT_FIRST: &[&str] = &["timestampdiff", "timestampadd", "date_diff", "date_trunc"];
/// Names under which an interval, or a number of days, is added.
const ADDING: &[&str] = &["date_add", "adddate", "date_sub", "subdate"];

impl Translator<'_> {
    /// `name(argument, …)`.
    pub(crate) fn call(&mut self, function: &Function) -> Step<Typed> {
        let span = function.name.span();
        let written = function.name.to_string();
        let called = written.trim_matches('`').to_lowercase();
        if function.over.is_some() {
            let message = format!(
                "{written} OVER (…) is a window: it needs the rows around, and an expression of a load sees one row \
                 at a time"
            );
            return Err(Problem::Refused(message).at(span));
        }
        if let Some(reason) = refusal(&called) {
            return Err(Problem::Refused(reason).at(span));
        }
        if function.filter.is_some() || !function.within_group.is_empty() || function.null_treatment.is_some()
        {
            return Err(Problem::Refused(format!("{written} takes arguments only, no clauses")).at(span));
        }
        let arguments = arguments(function, &written)?;
        match called.as_str() {
            name if ADDING.contains(&name) => self.date_add(name, &arguments, span),
            "mod" => {
                let [left, right] = arguments.as_slice() else {
                    return Err(arity("mod", "mod(number, divisor)", span));
                };
                let (left, right) = (self.expr(left)?, self.expr(right)?);
                self.arithmetic(Operator::Modulo, left, right, span)
            }
            "map" => {
                if arguments.len() % 2 != 0 {
                    return Err(odd_map(span));
                }
                let pairs: Vec<(&Syntax, &Syntax)> =
                    arguments.chunks_exact(2).map(|pair| (&pair[0], &pair[1])).collect();
                self.map_of(&pairs, span)
            }
            "time_slice" | "date_slice" => self.slice(&arguments, span),
            "parse_date" | "cast" | "try_cast" => {
                Err(Problem::Syntax(format!("{called} is written {called}(value AS type)")).at(span))
            }
            name if UNIT_FIRST.contains(&name) => self.unit_first(name, &arguments, span),
            name => self.call_with(name, &arguments, span),
        }
    }

    /// A call with arguments that are still to be translated.
    pub(crate) fn call_with(&mut self, called: &str, arguments: &[Syntax], span: Span) -> Step<Typed> {
        if self.registry.find(called).is_none() {
            let hint = near(called, self.registry.names().chain(ADDING.iter().copied()));
            return Err(Problem::UnknownFunction { name: called.to_owned(), hint }.at(span));
        }
        let arguments = arguments.iter().map(|argument| Ok((self.expr(argument)?, argument.span())));
        let arguments = arguments.collect::<Step<Vec<_>>>()?;
        self.call_typed(called, arguments, span)
    }

    /// A call with arguments that have their types.
    pub(crate) fn call_typed(
        &mut self,
        called: &str,
        arguments: Vec<(Typed, Span)>,
        span: Span,
    ) -> Step<Typed> {
        match self.registry.find(called).cloned() {
            Some(Named::Own(definition, udf)) => {
                let arguments = self.coerced(definition, arguments, span)?;
                let types: Vec<DataType> =
                    arguments.iter().map(|argument| argument.data_type.clone()).collect();
                let data_type = udf
                    .return_type(&types)
                    .map_err(|error| Problem::Engine(error.strip_backtrace()).at(span))?;
                let expr = udf.call(arguments.into_iter().map(|argument| argument.expr).collect());
                Ok(Typed { expr, data_type })
            }
            Some(Named::Nested(nested, udf)) => {
                let arguments = if called == "make_array" { self.alike(arguments)? } else { arguments };
                let fields: Vec<_> = arguments
                    .iter()
                    .map(|(argument, _)| Arc::new(Field::new("argument", argument.data_type.clone(), true)))
                    .collect();
                let wanted = fields_with_udf(&fields, udf.as_ref())
                    .map_err(|error| wrong_arguments(nested, &error.strip_backtrace()).at(span))?;
                let mut exprs = Vec::with_capacity(arguments.len());
                for ((argument, at), field) in arguments.into_iter().zip(wanted) {
                    exprs.push(self.converted(argument, field.data_type(), at)?.expr);
                }
                let expr = udf.call(exprs);
                let data_type = self.engine_type(&expr, span)?;
                Ok(Typed { expr, data_type })
            }
            None => Err(Problem::UnknownFunction { name: called.to_owned(), hint: String::new() }.at(span)),
        }
    }

    fn coerced(
        &self,
        definition: &'static Definition,
        arguments: Vec<(Typed, Span)>,
        span: Span,
    ) -> Step<Vec<Typed>> {
        let types: Vec<DataType> = arguments.iter().map(|(argument, _)| argument.data_type.clone()).collect();
        let wanted = definition.coerce(&types).map_err(|message| {
            let (function, syntax) = (definition.name.to_owned(), definition.syntax.to_owned());
            Problem::Arguments { function, message, syntax }.at(span)
        })?;
        arguments
            .into_iter()
            .zip(wanted)
            .map(|((argument, at), wanted)| self.converted(argument, &wanted, at))
            .collect()
    }

    /// The elements of an array in the type in which they meet.
    fn alike(&self, elements: Vec<(Typed, Span)>) -> Step<Vec<(Typed, Span)>> {
        let mut met = DataType::Null;
        for (element, at) in &elements {
            met = united(&met, &element.data_type).ok_or_else(|| {
                let message = format!("no array holds {} and {}", name(&met), name(&element.data_type));
                Problem::Types(message).at(*at)
            })?;
        }
        elements.into_iter().map(|(element, at)| Ok((self.converted(element, &met, at)?, at))).collect()
    }

    /// A function whose first argument is a unit: `timestampdiff(MONTH, a, b)`.
    fn unit_first(&mut self, called: &str, arguments: &[Syntax], span: Span) -> Step<Typed> {
        let mut typed = Vec::with_capacity(arguments.len());
        for (index, argument) in arguments.iter().enumerate() {
            let value = match argument {
                Syntax::Identifier(ident) if index == 0 && Unit::parse(&ident.value).is_some() => {
                    Typed::value(ScalarValue::Utf8(Some(ident.value.clone())))
                }
                other => self.expr(other)?,
            };
            typed.push((value, argument.span()));
        }
        if let Some((
            Typed { expr: datafusion_expr::Expr::Literal(ScalarValue::Utf8(Some(unit)), _), .. },
            at,
        )) = typed.first()
            && Unit::parse(unit).is_none()
        {
            return Err(Problem::Types(format!("there is no unit of time {unit}")).at(*at));
        }
        self.call_typed(called, typed, span)
    }

    /// `date_add(date, INTERVAL n unit)`, `date_add(date, days)` and the same with `sub`.
    fn date_add(&mut self, called: &str, arguments: &[Syntax], span: Span) -> Step<Typed> {
        let [date, moved] = arguments else {
            return Err(arity(called, "date_add(datetime, INTERVAL count unit)", span));
        };
        let earlier = matches!(called, "date_sub" | "subdate");
        let value = (self.expr(date)?, date.span());
        if let Syntax::Interval(interval) = moved {
            return self.add_interval(value, interval, earlier, moved.span());
        }
        let days = (self.expr(moved)?, moved.span());
        self.call_typed(if earlier { "days_sub" } else { "days_add" }, vec![value, days], span)
    }

    /// `date + INTERVAL n unit`, `INTERVAL n unit + date`, `date - INTERVAL n unit`; `None`: no interval is
    /// there.
    pub(crate) fn moved(&mut self, left: &Syntax, operator: Operator, right: &Syntax) -> Step<Option<Typed>> {
        let (date, interval) = match (left, operator, right) {
            (date, Operator::Add | Operator::Subtract, Syntax::Interval(interval)) => (date, interval),
            (Syntax::Interval(interval), Operator::Add, date) => (date, interval),
            _ => return Ok(None),
        };
        let value = (self.expr(date)?, date.span());
        let earlier = operator == Operator::Subtract;
        self.add_interval(value, interval, earlier, left.span().union(&right.span())).map(Some)
    }

    fn add_interval(
        &mut self,
        date: (Typed, Span),
        interval: &Interval,
        earlier: bool,
        span: Span,
    ) -> Step<Typed> {
        let unit = unit_of(interval, span)?;
        let count = (self.expr(&interval.value)?, interval.value.span());
        let function = format!("{unit}s_{}", if earlier { "sub" } else { "add" });
        self.call_typed(&function, vec![date, count], span)
    }

    /// `time_slice(date, INTERVAL n unit[, FLOOR | CEIL])`; with a number and the unit's name it is a plain call.
    fn slice(&mut self, arguments: &[Syntax], span: Span) -> Step<Typed> {
        let [date, Syntax::Interval(interval), end @ ..] = arguments else {
            return self.call_with("time_slice", arguments, span);
        };
        let text = |text: &str| (Typed::value(ScalarValue::Utf8(Some(text.to_owned()))), span);
        let unit = unit_of(interval, span)?;
        let mut typed = vec![
            (self.expr(date)?, date.span()),
            (self.expr(&interval.value)?, interval.value.span()),
            text(&unit),
        ];
        for end in end {
            typed.push(match end {
                Syntax::Identifier(word) if is_end(&word.value) => text(&word.value),
                other => (self.expr(other)?, other.span()),
            });
        }
        self.call_typed("time_slice", typed, span)
    }

    /// `map{key: value, …}`, or `map(key, value, …)`.
    pub(crate) fn map_of(&mut self, pairs: &[(&Syntax, &Syntax)], span: Span) -> Step<Typed> {
        if pairs.is_empty() {
            let message = "a map without entries has no type; write NULL".to_owned();
            return Err(Problem::Types(message).at(span));
        }
        let (keys, values): (Vec<Syntax>, Vec<Syntax>) =
            pairs.iter().map(|(key, value)| ((*key).clone(), (*value).clone())).unzip();
        let keys = self.call_with("make_array", &keys, span)?;
        let values = self.call_with("make_array", &values, span)?;
        self.call_typed("map_from_arrays", vec![(keys, span), (values, span)], span)
    }

    /// Calls that SQL writes with words between their arguments.
    pub(crate) fn special_call(&mut self, syntax: &Syntax) -> Step<Typed> {
        let span = syntax.span();
        match syntax {
            Syntax::Substring { expr, substring_from: Some(from), substring_for, .. } => {
                let mut arguments = vec![expr.as_ref().clone(), from.as_ref().clone()];
                arguments.extend(substring_for.as_deref().cloned());
                self.call_with("substr", &arguments, span)
            }
            Syntax::Trim { expr, trim_where, trim_what, trim_characters } => {
                let function = match trim_where {
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                    Some(TrimWhereField::Both) | None => "trim",
                };
                let mut arguments = vec![expr.as_ref().clone()];
                arguments.extend(trim_what.as_deref().cloned());
                arguments.extend(trim_characters.iter().flatten().cloned());
                self.call_with(function, &arguments, span)
            }
            Syntax::Position { expr, r#in } => {
                self.call_with("locate", &[expr.as_ref().clone(), r#in.as_ref().clone()], span)
            }
            Syntax::Ceil { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
                self.call_with("ceil", std::slice::from_ref(expr), span)
            }
            Syntax::Floor { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
                self.call_with("floor", std::slice::from_ref(expr), span)
            }
            Syntax::Extract { field, expr, .. } => {
                let function = match field {
                    DateTimeField::Week(None) => "week".to_owned(),
                    DateTimeField::Dow | DateTimeField::DayOfWeek => "dayofweek".to_owned(),
                    DateTimeField::Doy | DateTimeField::DayOfYear => "dayofyear".to_owned(),
                    other => other.to_string().to_lowercase(),
                };
                self.call_with(&function, std::slice::from_ref(expr), span)
            }
            other => self.refused(other),
        }
    }
}

/// The arguments, by place; none for a call without parentheses.
fn arguments(function: &Function, written: &str) -> Step<Vec<Syntax>> {
    let span = function.name.span();
    let list = match &function.args {
        FunctionArguments::None => return Ok(Vec::new()),
        FunctionArguments::Subquery(_) => {
            let message =
                "a subquery has no place in a load: an expression sees one row of the file at a time";
            return Err(Problem::Refused(message.to_owned()).at(span));
        }
        FunctionArguments::List(list) => list,
    };
    if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
        return Err(Problem::Refused(format!("{written} takes arguments only, no clauses")).at(span));
    }
    let one = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr.clone()),
        other => Err(Problem::Refused(format!("{other} is no argument of {written}")).at(span)),
    };
    list.args.iter().map(one).collect()
}

/// The unit of an interval, singular and in small letters.
fn unit_of(interval: &Interval, span: Span) -> Step<String> {
    let unit = match &interval.leading_field {
        Some(field) if interval.last_field.is_none() => field.to_string().to_lowercase(),
        _ => {
            let message = "an INTERVAL is written INTERVAL count unit, such as INTERVAL 2 DAY".to_owned();
            return Err(Problem::Syntax(message).at(span));
        }
    };
    let unit = unit.trim_end_matches('s');
    match Unit::parse(unit) {
        Some(_) => Ok(unit.to_owned()),
        None => Err(Problem::Types(format!("there is no unit of time {unit}")).at(span)),
    }
}

fn is_end(word: &str) -> bool {
    word.eq_ignore_ascii_case("floor") || word.eq_ignore_ascii_case("ceil")
}

fn odd_map(span: Span) -> crate::error::Located {
    let message = "each key needs a value".to_owned();
    Problem::Arguments { function: "map".to_owned(), message, syntax: "map(key, value, …)".to_owned() }
        .at(span)
}

fn arity(function: &str, syntax: &str, span: Span) -> crate::error::Located {
    let message = "it takes two arguments".to_owned();
    Problem::Arguments { function: function.to_owned(), message, syntax: syntax.to_owned() }.at(span)
}

fn wrong_arguments(nested: &Nested, engine: &str) -> Problem {
    let message = engine.lines().next().unwrap_or_default().to_owned();
    Problem::Arguments { function: nested.names[0].to_owned(), message, syntax: nested.syntax.to_owned() }
}
