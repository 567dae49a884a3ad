//! From the syntax tree to the engine's expressions, each with its type: the types are StarRocks', so nothing
//! is left to the engine's own coercions.

use std::collections::BTreeSet;

use arrow::datatypes::{DataType, Schema};
use datafusion_common::{Column, DFSchema, ScalarValue};
use datafusion_expr::expr::Case;
use datafusion_expr::{Expr, ExprSchemable};
use datafusion_sql::sqlparser::ast::{
    self, BinaryOperator, CaseWhen, Expr as Syntax, Ident, Spanned, UnaryOperator, Value, ValueWithSpan,
};
use datafusion_sql::sqlparser::tokenizer::Span;

use crate::cast::{cast, castable};
use crate::error::{Problem, Step};
use crate::functions::{Registry, Session};
use crate::literal::literal;
use crate::operators::{Operator, arithmetic, arithmetic_types};
use crate::scope::Scope;
use crate::types::{Class, class, name, united};

/// Most levels of the tree: bounds the stack of those who walk it.
const MOST_LEVELS: usize = 200;

/// An expression and its type.
#[derive(Debug, Clone)]
pub(crate) struct Typed {
    pub(crate) expr: Expr,
    pub(crate) data_type: DataType,
}

/// Translates one text.
pub(crate) struct Translator<'a> {
    pub(crate) scope: &'a Scope,
    pub(crate) registry: &'a Registry,
    pub(crate) session: Session,
    /// All columns of the scope, under the names of [`column_name`].
    pub(crate) schema: &'a DFSchema,
    /// Columns that the text names.
    pub(crate) used: BTreeSet<usize>,
    level: usize,
}

/// The engine's name of a column of the scope: two columns never share it, whatever the user calls them.
pub(crate) fn column_name(index: usize) -> String {
    format!("column{index}")
}

/// The columns of a scope as the engine knows them.
pub(crate) fn schema_of(scope: &Scope) -> Result<DFSchema, Problem> {
    let fields: Vec<arrow::datatypes::Field> = scope
        .columns()
        .iter()
        .enumerate()
        .map(|(index, column)| {
            arrow::datatypes::Field::new(column_name(index), column.data_type.clone(), true)
        })
        .collect();
    DFSchema::try_from(Schema::new(fields)).map_err(|error| Problem::Engine(error.strip_backtrace()))
}

impl Typed {
    pub(crate) fn value(value: ScalarValue) -> Self {
        Self { data_type: value.data_type(), expr: Expr::Literal(value, None) }
    }

    pub(crate) fn boolean(expr: Expr) -> Self {
        Self { expr, data_type: DataType::Boolean }
    }
}

impl<'a> Translator<'a> {
    pub(crate) fn new(
        scope: &'a Scope,
        registry: &'a Registry,
        session: Session,
        schema: &'a DFSchema,
    ) -> Self {
        Self { scope, registry, session, schema, used: BTreeSet::new(), level: 0 }
    }

    /// Translates a tree.
    pub(crate) fn expr(&mut self, syntax: &Syntax) -> Step<Typed> {
        if self.level >= MOST_LEVELS {
            let message = format!("the expression nests deeper than {MOST_LEVELS} levels");
            return Err(Problem::Refused(message).at(syntax.span()));
        }
        self.level += 1;
        let typed = self.one(syntax);
        self.level -= 1;
        typed
    }

    fn one(&mut self, syntax: &Syntax) -> Step<Typed> {
        match syntax {
            Syntax::Identifier(ident) => self.column(ident),
            Syntax::CompoundIdentifier(idents) => self.compound(idents),
            Syntax::CompoundFieldAccess { root, access_chain } => self.access(root, access_chain),
            Syntax::Nested(inner) => self.expr(inner),
            Syntax::Value(value) => self.literal(value),
            Syntax::TypedString(typed) => {
                let text = self.literal(&typed.value)?;
                self.cast_to(text, &typed.data_type, syntax.span())
            }
            Syntax::Cast { expr, data_type, array: false, format: None, .. } => {
                let value = self.expr(expr)?;
                self.cast_to(value, data_type, syntax.span())
            }
            Syntax::Convert { expr, data_type: Some(data_type), .. } => {
                let value = self.expr(expr)?;
                self.cast_to(value, data_type, syntax.span())
            }
            Syntax::UnaryOp { op, expr } => self.unary(*op, expr, syntax.span()),
            Syntax::BinaryOp { left, op, right } => self.binary(syntax, left, op, right),
            Syntax::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            Syntax::Function(function) => self.call(function),
            Syntax::Substring { .. }
            | Syntax::Trim { .. }
            | Syntax::Position { .. }
            | Syntax::Extract { .. }
            | Syntax::Ceil { .. }
            | Syntax::Floor { .. } => self.special_call(syntax),
            Syntax::Array(array) => self.call_with("make_array", &array.elem, syntax.span()),
            Syntax::Map(map) => {
                let pairs = map.entries.iter().map(|entry| (entry.key.as_ref(), entry.value.as_ref()));
                self.map_of(&pairs.collect::<Vec<_>>(), syntax.span())
            }
            Syntax::Interval(_) => Err(Problem::Types(
                "an INTERVAL is no value of its own; it is added to a date or taken from one".to_owned(),
            )
            .at(syntax.span())),
            Syntax::Subquery(_)
            | Syntax::Exists { .. }
            | Syntax::InSubquery { .. }
            | Syntax::AnyOp { .. }
            | Syntax::AllOp { .. } => Err(Problem::Refused(
                "a subquery has no place in a load: an expression sees one row of the file at a time"
                    .to_owned(),
            )
            .at(syntax.span())),
            Syntax::Wildcard(_) | Syntax::QualifiedWildcard(..) => {
                Err(Problem::Refused("* stands for columns of a query; name one column".to_owned())
                    .at(syntax.span()))
            }
            _ => self.comparison(syntax),
        }
    }

    /// What no part of the translator takes.
    pub(crate) fn refused(&self, syntax: &Syntax) -> Step<Typed> {
        let mut written = syntax.to_string();
        if let Some((end, _)) = written.char_indices().nth(60) {
            written.truncate(end);
            written.push('…');
        }
        Err(Problem::Refused(format!("{written} is not taken in expressions of a load")).at(syntax.span()))
    }

    fn column(&mut self, ident: &Ident) -> Step<Typed> {
        let Some(index) = self.scope.find(&ident.value) else {
            return Err(self.scope.unknown(&ident.value).at(ident.span));
        };
        self.used.insert(index);
        let column = &self.scope.columns()[index];
        if let Some(value) = &column.value {
            let value = ScalarValue::try_from_array(value, 0)
                .map_err(|error| Problem::Engine(error.strip_backtrace()).at(ident.span))?;
            return Ok(Typed { expr: Expr::Literal(value, None), data_type: column.data_type.clone() });
        }
        let expr = Expr::Column(Column::from_name(column_name(index)));
        Ok(Typed { expr, data_type: column.data_type.clone() })
    }

    fn compound(&mut self, idents: &[Ident]) -> Step<Typed> {
        let [first, parts @ ..] = idents else {
            return Err(Problem::Syntax("a name is missing".to_owned()).at(Span::empty()));
        };
        let mut value = self.column(first)?;
        for part in parts {
            value = self.part(value, &part.value, part.span)?;
        }
        Ok(value)
    }

    fn literal(&self, value: &ValueWithSpan) -> Step<Typed> {
        if let Value::DoubleQuotedString(text) = &value.value
            && let Some(index) = self.scope.find(text)
        {
            let name = &self.scope.columns()[index].name;
            return Err(Problem::Refused(format!(
                "\"{text}\" in double quotes is a text, and a column has that name; write `{name}` for the column or \
                 '{text}' for the text"
            ))
            .at(value.span));
        }
        literal(&value.value).map(Typed::value).map_err(|problem| problem.at(value.span))
    }

    /// `value` as another type.
    pub(crate) fn converted(&self, value: Typed, to: &DataType, span: Span) -> Step<Typed> {
        if &value.data_type != to && !castable(&value.data_type, to) {
            let message = format!("{} cannot become {}", name(&value.data_type), name(to));
            return Err(Problem::Types(message).at(span));
        }
        let expr = match &value.expr {
            Expr::Literal(literal, _) if literal.is_null() => match ScalarValue::try_from(to) {
                Ok(null) => Expr::Literal(null, None),
                Err(_) => cast(value.expr, &value.data_type, to, self.session.zone),
            },
            _ => cast(value.expr, &value.data_type, to, self.session.zone),
        };
        Ok(Typed { expr, data_type: to.clone() })
    }

    fn cast_to(&self, value: Typed, to: &ast::DataType, span: Span) -> Step<Typed> {
        let to = crate::access::data_type(to).map_err(|problem| problem.at(span))?;
        self.converted(value, &to, span)
    }

    /// A truth value: a BOOLEAN, or a number that is not zero.
    pub(crate) fn condition(&mut self, syntax: &Syntax) -> Step<Expr> {
        let value = self.expr(syntax)?;
        if !matches!(class(&value.data_type), Class::Boolean | Class::Integer | Class::Null) {
            let message = format!("{} is no truth value; compare it with something", name(&value.data_type));
            return Err(Problem::Types(message).at(syntax.span()));
        }
        Ok(self.converted(value, &DataType::Boolean, syntax.span())?.expr)
    }

    fn unary(&mut self, operator: UnaryOperator, operand: &Syntax, span: Span) -> Step<Typed> {
        match operator {
            UnaryOperator::Not | UnaryOperator::BangNot => {
                Ok(Typed::boolean(Expr::Not(Box::new(self.condition(operand)?))))
            }
            UnaryOperator::Plus => self.expr(operand),
            UnaryOperator::Minus => {
                // A literal with its sign at once: the least BIGINT has no positive counterpart.
                if let Syntax::Value(ValueWithSpan { value: Value::Number(digits, long), .. }) = operand {
                    let value = Value::Number(format!("-{digits}"), *long);
                    return literal(&value).map(Typed::value).map_err(|problem| problem.at(span));
                }
                let value = self.expr(operand)?;
                let zero = Typed::value(ScalarValue::Int64(Some(0)));
                self.arithmetic(Operator::Subtract, zero, value, span)
            }
            UnaryOperator::BitwiseNot => self.call_with("bitnot", std::slice::from_ref(operand), span),
            other => Err(Problem::Refused(format!("the operator {other} is not taken")).at(span)),
        }
    }

    fn binary(&mut self, whole: &Syntax, left: &Syntax, op: &BinaryOperator, right: &Syntax) -> Step<Typed> {
        let operator = match op {
            BinaryOperator::And | BinaryOperator::Or => return self.chain(whole, op),
            BinaryOperator::StringConcat => return self.double_bar(left, right),
            BinaryOperator::Xor => {
                let (left, right) = (self.condition(left)?, self.condition(right)?);
                return Ok(Typed::boolean(datafusion_expr::binary_expr(
                    left,
                    datafusion_expr::Operator::NotEq,
                    right,
                )));
            }
            BinaryOperator::Plus => Operator::Add,
            BinaryOperator::Minus => Operator::Subtract,
            BinaryOperator::Multiply => Operator::Multiply,
            BinaryOperator::Divide => Operator::Divide,
            BinaryOperator::MyIntegerDivide => Operator::WholeDivide,
            BinaryOperator::Modulo => Operator::Modulo,
            _ => return self.comparison(whole),
        };
        if let Some(moved) = self.moved(left, operator, right)? {
            return Ok(moved);
        }
        let (left, right) = (self.expr(left)?, self.expr(right)?);
        self.arithmetic(operator, left, right, whole.span())
    }

    /// Arithmetic of two values.
    pub(crate) fn arithmetic(
        &self,
        operator: Operator,
        left: Typed,
        right: Typed,
        span: Span,
    ) -> Step<Typed> {
        let Some((a, b, returns)) = arithmetic_types(operator, &left.data_type, &right.data_type) else {
            let hint = if [&left, &right]
                .iter()
                .any(|side| matches!(class(&side.data_type), Class::Date | Class::DateTime))
            {
                "; for dates there are date_add, datediff and their kin"
            } else {
                ""
            };
            let message =
                format!("no arithmetic with {} and {}{hint}", name(&left.data_type), name(&right.data_type));
            return Err(Problem::Types(message).at(span));
        };
        let (left, right) = (self.converted(left, &a, span)?, self.converted(right, &b, span)?);
        let expr = arithmetic(operator, left.expr, right.expr, returns.clone());
        Ok(Typed { expr, data_type: returns })
    }

    /// `a AND b AND c …`, however long: as a tree of little depth.
    fn chain(&mut self, whole: &Syntax, wanted: &BinaryOperator) -> Step<Typed> {
        let mut parts = Vec::new();
        let mut rest = whole;
        while let Syntax::BinaryOp { left, op, right } = rest
            && op == wanted
        {
            parts.push(right.as_ref());
            rest = left.as_ref();
        }
        parts.push(rest);
        let mut level = Vec::with_capacity(parts.len());
        for part in parts.into_iter().rev() {
            level.push(self.condition(part)?);
        }
        Ok(Typed::boolean(balanced(level, *wanted == BinaryOperator::And)))
    }

    /// `||` between truth values is OR, between texts it joins them.
    fn double_bar(&mut self, left: &Syntax, right: &Syntax) -> Step<Typed> {
        let (one, other) = (self.expr(left)?, self.expr(right)?);
        let is =
            |value: &Typed, wanted| matches!(class(&value.data_type), c if c == wanted || c == Class::Null);
        let span = left.span().union(&right.span());
        if is(&one, Class::Boolean) && is(&other, Class::Boolean) {
            return Ok(Typed::boolean(balanced(vec![one.expr, other.expr], false)));
        }
        if is(&one, Class::Text) && is(&other, Class::Text) {
            return self.call_typed("concat", vec![(one, left.span()), (other, right.span())], span);
        }
        Err(Problem::Types(format!(
            "|| of {} and {} has two meanings; write OR for the condition, concat(…) for the text",
            name(&one.data_type),
            name(&other.data_type)
        ))
        .at(span))
    }

    fn case(
        &mut self,
        operand: Option<&Syntax>,
        conditions: &[CaseWhen],
        otherwise: Option<&Syntax>,
    ) -> Step<Typed> {
        let operand = operand.map(|operand| Ok((self.expr(operand)?, operand.span()))).transpose()?;
        let mut branches = Vec::with_capacity(conditions.len());
        let mut results = Vec::new();
        for CaseWhen { condition, result } in conditions {
            let when = match &operand {
                None => self.condition(condition)?,
                Some((operand, _)) => {
                    let value = self.expr(condition)?;
                    let span = condition.span();
                    self.compared(operand.clone(), datafusion_expr::Operator::Eq, value, span)?.expr
                }
            };
            branches.push(when);
            results.push((self.expr(result)?, result.span()));
        }
        if let Some(otherwise) = otherwise {
            results.push((self.expr(otherwise)?, otherwise.span()));
        }
        let mut data_type = DataType::Null;
        for (result, span) in &results {
            data_type = united(&data_type, &result.data_type).ok_or_else(|| {
                Problem::Types(format!(
                    "the branches give {} and {}",
                    name(&data_type),
                    name(&result.data_type)
                ))
                .at(*span)
            })?;
        }
        let mut results = results
            .into_iter()
            .map(|(result, span)| Ok(Box::new(self.converted(result, &data_type, span)?.expr)))
            .collect::<Step<Vec<_>>>()?;
        let otherwise = otherwise.and_then(|_| results.pop());
        let branches = branches.into_iter().map(Box::new).zip(results).collect();
        Ok(Typed { expr: Expr::Case(Case::new(None, branches, otherwise)), data_type })
    }

    /// The type that the engine gives an expression.
    pub(crate) fn engine_type(&self, expr: &Expr, span: Span) -> Step<DataType> {
        expr.get_type(self.schema).map_err(|error| Problem::Types(error.strip_backtrace()).at(span))
    }
}

/// Conditions joined by AND or OR, as deep as the logarithm of their number.
pub(crate) fn balanced(mut level: Vec<Expr>, and: bool) -> Expr {
    while level.len() > 1 {
        let mut next = Vec::with_capacity(level.len().div_ceil(2));
        let mut parts = level.into_iter();
        while let Some(one) = parts.next() {
            next.push(match parts.next() {
                None => one,
                Some(other) if and => one.and(other),
                Some(other) => one.or(other),
            });
        }
        level = next;
    }
    level.pop().unwrap_or(Expr::Literal(ScalarValue::Boolean(Some(and)), None))
}
