//! Conditions: values compared, listed, matched.

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_expr::expr::{InList, Like};
use datafusion_expr::{Expr, Operator, binary_expr};
use datafusion_sql::sqlparser::ast::{BinaryOperator, Expr as Syntax, Spanned, Value, ValueWithSpan};
use datafusion_sql::sqlparser::tokenizer::Span;

use crate::cast::datetime_from_text;
use crate::datetime::MICROS_PER_DAY;
use crate::error::{Problem, Step};
use crate::translate::{Translator, Typed, balanced};
use crate::types::{Class, class, compared, name};

impl Translator<'_> {
    /// Everything that compares values.
    pub(crate) fn comparison(&mut self, syntax: &Syntax) -> Step<Typed> {
        match syntax {
            Syntax::BinaryOp { left, op, right } => self.operator(syntax, left, op, right),
            Syntax::IsNull(value) => Ok(Typed::boolean(Expr::IsNull(Box::new(self.expr(value)?.expr)))),
            Syntax::IsNotNull(value) => Ok(Typed::boolean(Expr::IsNotNull(Box::new(self.expr(value)?.expr)))),
            Syntax::IsTrue(value) => Ok(Typed::boolean(Expr::IsTrue(Box::new(self.condition(value)?)))),
            Syntax::IsNotTrue(value) => Ok(Typed::boolean(Expr::IsNotTrue(Box::new(self.condition(value)?)))),
            Syntax::IsFalse(value) => Ok(Typed::boolean(Expr::IsFalse(Box::new(self.condition(value)?)))),
            Syntax::IsNotFalse(value) => {
                Ok(Typed::boolean(Expr::IsNotFalse(Box::new(self.condition(value)?))))
            }
            Syntax::IsUnknown(value) => Ok(Typed::boolean(Expr::IsUnknown(Box::new(self.condition(value)?)))),
            Syntax::IsNotUnknown(value) => {
                Ok(Typed::boolean(Expr::IsNotUnknown(Box::new(self.condition(value)?))))
            }
            Syntax::IsDistinctFrom(left, right) => self.compare(left, Operator::IsDistinctFrom, right),
            Syntax::IsNotDistinctFrom(left, right) => self.compare(left, Operator::IsNotDistinctFrom, right),
            Syntax::Between { expr, negated, low, high } => {
                let value = self.expr(expr)?;
                let (low_value, high_value) = (self.expr(low)?, self.expr(high)?);
                let above = self.compared(value.clone(), Operator::GtEq, low_value, low.span())?;
                let below = self.compared(value, Operator::LtEq, high_value, high.span())?;
                Ok(negated_if(above.expr.and(below.expr), *negated))
            }
            Syntax::InList { expr, list, negated } => self.in_list(expr, list, *negated),
            Syntax::Like { negated, any: false, expr, pattern, escape_char } => {
                self.like(expr, pattern, escape_char.as_ref(), *negated, false)
            }
            Syntax::ILike { negated, any: false, expr, pattern, escape_char } => {
                self.like(expr, pattern, escape_char.as_ref(), *negated, true)
            }
            Syntax::RLike { negated, expr, pattern, .. } => {
                let operands = [expr.as_ref().clone(), pattern.as_ref().clone()];
                let matched = self.call_with("regexp", &operands, syntax.span())?;
                Ok(negated_if(matched.expr, *negated))
            }
            other => self.refused(other),
        }
    }

    fn operator(
        &mut self,
        whole: &Syntax,
        left: &Syntax,
        op: &BinaryOperator,
        right: &Syntax,
    ) -> Step<Typed> {
        let function = match op {
            BinaryOperator::Eq => return self.compare(left, Operator::Eq, right),
            BinaryOperator::NotEq => return self.compare(left, Operator::NotEq, right),
            BinaryOperator::Lt => return self.compare(left, Operator::Lt, right),
            BinaryOperator::LtEq => return self.compare(left, Operator::LtEq, right),
            BinaryOperator::Gt => return self.compare(left, Operator::Gt, right),
            BinaryOperator::GtEq => return self.compare(left, Operator::GtEq, right),
            BinaryOperator::Spaceship => return self.compare(left, Operator::IsNotDistinctFrom, right),
            BinaryOperator::BitwiseAnd => "bitand",
            BinaryOperator::BitwiseOr => "bitor",
            BinaryOperator::BitwiseXor => "bitxor",
            BinaryOperator::PGBitwiseShiftLeft => "bit_shift_left",
            BinaryOperator::PGBitwiseShiftRight => "bit_shift_right",
            BinaryOperator::Arrow => "json_query",
            BinaryOperator::LongArrow => "get_json_string",
            BinaryOperator::Regexp => "regexp",
            _ => return self.refused(whole),
        };
        self.call_with(function, &[left.clone(), right.clone()], whole.span())
    }

    fn compare(&mut self, left: &Syntax, operator: Operator, right: &Syntax) -> Step<Typed> {
        let span = left.span().union(&right.span());
        let (left, right) = (self.expr(left)?, self.expr(right)?);
        self.compared(left, operator, right, span)
    }

    /// A comparison in the type in which both meet.
    pub(crate) fn compared(&self, left: Typed, operator: Operator, right: Typed, span: Span) -> Step<Typed> {
        let meeting = self.meeting(&left, &right, span)?;
        let (left, right) = (self.converted(left, &meeting, span)?, self.converted(right, &meeting, span)?);
        Ok(Typed::boolean(binary_expr(left.expr, operator, right.expr)))
    }

    fn meeting(&self, left: &Typed, right: &Typed, span: Span) -> Step<DataType> {
        // A date and a written text without a time: both stay dates, and no row is cast.
        let midnight = |value: &Typed| {
            matches!(&value.expr, Expr::Literal(ScalarValue::Utf8(Some(text)), _)
                if datetime_from_text(text, self.session.zone)
                    .is_some_and(|micros| micros.rem_euclid(MICROS_PER_DAY) == 0))
        };
        let is_date = |value: &Typed| class(&value.data_type) == Class::Date;
        if is_date(left) && midnight(right) || is_date(right) && midnight(left) {
            return Ok(DataType::Date32);
        }
        compared(&left.data_type, &right.data_type).ok_or_else(|| {
            let message =
                format!("{} and {} cannot be compared", name(&left.data_type), name(&right.data_type));
            Problem::Types(message).at(span)
        })
    }

    fn in_list(&mut self, value: &Syntax, list: &[Syntax], negated: bool) -> Step<Typed> {
        let span = value.span();
        let value = self.expr(value)?;
        let mut items = Vec::with_capacity(list.len());
        for item in list {
            let typed = self.expr(item)?;
            let meeting = self.meeting(&value, &typed, item.span())?;
            items.push((typed, meeting, item.span()));
        }
        let Some((_, meeting, _)) = items.first().cloned() else {
            return Err(Problem::Syntax("the list of IN is empty".to_owned()).at(span));
        };
        if items.iter().all(|(_, other, _)| *other == meeting) {
            let of = self.converted(value, &meeting, span)?;
            let items = items.into_iter().map(|(item, _, at)| Ok(self.converted(item, &meeting, at)?.expr));
            let list = items.collect::<Step<Vec<_>>>()?;
            return Ok(Typed::boolean(Expr::InList(InList::new(Box::new(of.expr), list, negated))));
        }
        let equal = items
            .into_iter()
            .map(|(item, _, at)| Ok(self.compared(value.clone(), Operator::Eq, item, at)?.expr))
            .collect::<Step<Vec<_>>>()?;
        Ok(negated_if(balanced(equal, false), negated))
    }

    fn like(
        &mut self,
        value: &Syntax,
        pattern: &Syntax,
        escape: Option<&ValueWithSpan>,
        negated: bool,
        case_insensitive: bool,
    ) -> Step<Typed> {
        if let Some(escape) = escape
            && !matches!(&escape.value, Value::SingleQuotedString(text) if text == "\\")
        {
            return Err(Problem::Refused("LIKE escapes with a backslash only".to_owned()).at(escape.span));
        }
        let text = |translator: &mut Self, syntax: &Syntax| {
            let typed = translator.expr(syntax)?;
            Ok(Box::new(translator.converted(typed, &DataType::Utf8, syntax.span())?.expr))
        };
        let (expr, pattern) = (text(self, value)?, text(self, pattern)?);
        Ok(Typed::boolean(Expr::Like(Like { negated, expr, pattern, escape_char: None, case_insensitive })))
    }
}

fn negated_if(condition: Expr, negated: bool) -> Typed {
    Typed::boolean(if negated { Expr::Not(Box::new(condition)) } else { condition })
}
