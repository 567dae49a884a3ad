//! The list of functions, and what is not in it on purpose.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use datafusion_expr::ScalarUDF;

use super::definition::{Definition, Session};
use super::nested::Nested;
use super::{
    conditional, datetime, datetime_arithmetic, digest, identity, joda, json, json_build, math, nested,
    regex, text, text_search, url,
};

/// Groups of functions in the order of the documentation.
fn groups() -> Vec<(&'static str, Vec<&'static [Definition]>)> {
    let mut arithmetic = vec![datetime_arithmetic::DEFINITIONS];
    arithmetic.extend(datetime_arithmetic::BY_UNIT);
    vec![
        ("Choices", vec![conditional::DEFINITIONS]),
        ("Text", vec![text::DEFINITIONS, text_search::DEFINITIONS, url::DEFINITIONS]),
        ("Regular expressions", vec![regex::DEFINITIONS]),
        ("Dates and times", vec![datetime::DEFINITIONS, joda::DEFINITIONS]),
        ("Arithmetic with dates", arithmetic),
        ("JSON", vec![json::DEFINITIONS, json_build::DEFINITIONS]),
        ("Numbers", vec![math::DEFINITIONS]),
        ("Digests and encodings", vec![digest::DEFINITIONS]),
        ("Identities", vec![identity::DEFINITIONS]),
    ]
}

/// Our own functions.
pub fn definitions() -> impl Iterator<Item = &'static Definition> {
    groups().into_iter().flat_map(|(_, lists)| lists).flatten()
}

/// The functions by name.
#[derive(Debug)]
pub struct Registry {
    named: HashMap<String, Named>,
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub(crate) enum Named {
    /// One of ours.
    Own(&'static Definition, Arc<ScalarUDF>),
    /// One of DataFusion's.
    Nested(&'static Nested, Arc<ScalarUDF>),
}

impl Registry {
    /// All functions within a session.
    pub fn new(session: Session) -> Self {
        let mut named = HashMap::new();
        for function in nested::FUNCTIONS {
            let udf = (function.udf)();
            for name in function.names {
                named.insert((*name).to_owned(), Named::Nested(function, Arc::clone(&udf)));
            }
        }
        for definition in definitions() {
            let udf = Arc::new(definition.udf(session));
            for name in std::iter::once(&definition.name).chain(definition.aliases) {
                named.insert((*name).to_owned(), Named::Own(definition, Arc::clone(&udf)));
            }
        }
        Self { named }
    }

    /// What a name stands for, regardless of case.
    pub(crate) fn find(&self, name: &str) -> Option<&Named> {
        self.named.get(&name.to_lowercase())
    }

    /// All names, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.named.keys().map(String::as_str)
    }

    /// Each function once, as a query engine registers it; those of DataFusion's with the names they have
    /// here.
    pub fn functions(&self) -> Vec<ScalarUDF> {
        let own = self.named.iter().filter_map(|(name, named)| match named {
            Named::Own(definition, udf) if definition.name == name => Some(udf.as_ref().clone()),
            _ => None,
        });
        let nested = nested::FUNCTIONS
            .iter()
            .map(|function| (function.udf)().as_ref().clone().with_aliases(function.names.iter().copied()));
        own.chain(nested).collect()
    }
}

/// Why a function that StarRocks has is not to be called in a load; `None`: it is simply not there.
pub(crate) fn refusal(name: &str) -> Option<String> {
    const AGGREGATES: &[&str] = &[
        "any_value",
        "approx_count_distinct",
        "array_agg",
        "avg",
        "bitmap_agg",
        "bitmap_union",
        "bool_or",
        "corr",
        "count",
        "count_if",
        "group_concat",
        "grouping",
        "hll_union_agg",
        "max",
        "max_by",
        "min",
        "min_by",
        "multi_distinct_count",
        "ndv",
        "percentile_approx",
        "percentile_cont",
        "retention",
        "std",
        "stddev",
        "stddev_pop",
        "stddev_samp",
        "sum",
        "var_pop",
        "var_samp",
        "variance",
        "window_funnel",
    ];
    const WINDOWS: &[&str] = &[
        "cume_dist",
        "dense_rank",
        "first_value",
        "lag",
        "last_value",
        "lead",
        "ntile",
        "percent_rank",
        "rank",
        "row_number",
    ];
    const UNSTABLE: &[&str] = &[
        "rand",
        "random",
        "sleep",
        "connection_id",
        "current_user",
        "current_role",
        "user",
        "session_user",
        "database",
        "schema",
        "version",
        "last_query_id",
        "host_name",
        "curtime",
        "current_time",
        "utc_time",
    ];
    let is = |list: &[&str]| list.iter().any(|other| other.eq_ignore_ascii_case(name));
    if is(AGGREGATES) {
        return Some(format!(
            "{name} is an aggregate: it needs many rows, and an expression of a load sees one row at a time"
        ));
    }
    if is(WINDOWS) {
        return Some(format!(
            "{name} is a window function: it needs the rows around, and an expression of a load sees one row at a time"
        ));
    }
    is(UNSTABLE).then(|| {
        format!(
            "{name} is not deterministic: a task that is repeated would give other rows; only uuid(), now() and \
             current_timestamp may be called"
        )
    })
}

/// The list of functions as the documentation has it.
pub fn document() -> String {
    let mut out = String::new();
    let mut table = |title: &str, rows: Vec<(&str, Vec<&str>, &str)>| {
        let mut page = format!("### {title}\n\n| function | also | gives |\n|---|---|---|\n");
        for (syntax, aliases, summary) in rows {
            let aliases: Vec<String> = aliases.iter().map(|alias| format!("`{alias}`")).collect();
            let syntax = syntax.replace('|', "\\|");
            // Writing to a String does not fail.
            writeln!(page, "| `{syntax}` | {} | {summary} |", aliases.join(", ")).unwrap_or_default();
        }
        out.push_str(&page);
        out.push('\n');
    };
    for (title, lists) in groups() {
        let of = |definition: &'static Definition| {
            (definition.syntax, definition.aliases.to_vec(), definition.summary)
        };
        table(title, lists.into_iter().flatten().map(of).collect());
    }
    let of = |function: &'static Nested| (function.syntax, function.names[1..].to_vec(), function.summary);
    table("Arrays, maps and structs", nested::FUNCTIONS.iter().map(of).collect());
    out
}
