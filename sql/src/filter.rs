//! Filters of the engine as predicates of a scan, where both mean the same.

use arrow::datatypes::Schema;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};
use longshore_storage::scan::{CompareOp, Predicate};

/// The predicate that a filter is; `None`: it is none.
pub(crate) fn predicate(filter: &Expr, schema: &Schema) -> Option<Predicate> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            Some(Predicate::And(vec![predicate(left, schema)?, predicate(right, schema)?]))
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            compare(left, *op, right, schema).or_else(|| compare(right, op.swap()?, left, schema))
        }
        Expr::Between(Between { expr, negated: false, low, high }) => Some(Predicate::And(vec![
            compare(expr, Operator::GtEq, low, schema)?,
            compare(expr, Operator::LtEq, high, schema)?,
        ])),
        Expr::IsNull(value) => column(value, schema).map(Predicate::IsNull),
        Expr::IsNotNull(value) => column(value, schema).map(Predicate::IsNotNull),
        _ => None,
    }
}

fn compare(left: &Expr, op: Operator, right: &Expr, schema: &Schema) -> Option<Predicate> {
    let column = column(left, schema)?;
    let Expr::Literal(value, _) = right else { return None };
    // A value of another type is left to the engine, which knows how both meet.
    if value.is_null() || value.data_type() != *schema.field(column).data_type() {
        return None;
    }
    let op = match op {
        Operator::Eq => CompareOp::Equal,
        Operator::NotEq => CompareOp::NotEqual,
        Operator::Lt => CompareOp::Less,
        Operator::LtEq => CompareOp::LessOrEqual,
        Operator::Gt => CompareOp::Greater,
        Operator::GtEq => CompareOp::GreaterOrEqual,
        _ => return None,
    };
    Some(Predicate::Compare { column, op, value: value.to_array_of_size(1).ok()? })
}

fn column(expr: &Expr, schema: &Schema) -> Option<usize> {
    match expr {
        Expr::Column(column) => schema.index_of(&column.name).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field};
    use datafusion::logical_expr::{col, lit};

    use super::*;

    #[test]
    fn what_a_scan_can_judge_is_pushed_down() {
        let schema =
            Schema::new(vec![Field::new("a", DataType::Int64, true), Field::new("b", DataType::Utf8, true)]);
        for filter in [
            col("a").gt(lit(1i64)),
            lit(1i64).lt(col("a")),
            col("a").eq(lit(1i64)).and(col("b").is_null()),
            col("a").between(lit(1i64), lit(2i64)),
            col("b").not_eq(lit("x")),
        ] {
            assert!(predicate(&filter, &schema).is_some(), "{filter}");
        }
        for filter in
            [col("a").gt(lit(1.5f64)), col("a").gt(col("a")), col("c").is_null(), col("b").like(lit("x%"))]
        {
            assert!(predicate(&filter, &schema).is_none(), "{filter}");
        }
    }
}
