//! Why a text is no expression.

use std::fmt;

use datafusion_sql::sqlparser::tokenizer::{Location, Span};

/// An expression that cannot be compiled: where it stands, where in it the problem is, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionError {
    /// Path of the expression's field, such as `sources[0].set.Timestamp`.
    pub place: String,
    /// Line in the expression, from 1; 0: the whole of it.
    pub line: u64,
    /// Character in the line, from 1; 0: the whole of it.
    pub column: u64,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not the grammar.
    #[error("{0}")]
    Syntax(String),
    /// A name that no column has.
    #[error("there is no column {name}{hint}")]
    UnknownColumn {
        /// As written.
        name: String,
        /// Names that are near, or all of them.
        hint: String,
    },
    /// A name that no function has.
    #[error("there is no function {name}{hint}")]
    UnknownFunction {
        /// As written.
        name: String,
        /// Names that are near.
        hint: String,
    },
    /// A function that takes other arguments.
    #[error("{function}: {message}; it is called {syntax}")]
    Arguments {
        /// Name of the function.
        function: String,
        /// What does not fit.
        message: String,
        /// How it is called.
        syntax: String,
    },
    /// Types that do not go together.
    #[error("{0}")]
    Types(String),
    /// Something that SQL has and a load does not.
    #[error("{0}")]
    Refused(String),
    /// `where` is no condition over the row.
    #[error("{0}")]
    NoCondition(String),
    /// The engine does not take it.
    #[error("cannot be compiled: {0}")]
    Engine(String),
}

impl ExpressionError {
    /// Stable name of the class of error.
    pub fn category(&self) -> &'static str {
        match self.problem {
            Problem::Syntax(_) => "ExpressionSyntax",
            Problem::UnknownColumn { .. } => "UnknownColumn",
            Problem::UnknownFunction { .. } => "UnknownFunction",
            Problem::Arguments { .. } | Problem::Types(_) | Problem::NoCondition(_) => "ExpressionType",
            Problem::Refused(_) => "ExpressionRefused",
            Problem::Engine(_) => "ExpressionEngine",
        }
    }
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        if self.line > 0 {
            write!(f, ", line {} column {}", self.line, self.column)?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for ExpressionError {}

/// A problem and the place in the text; the field's path is added by the compiler.
#[derive(Debug)]
pub(crate) struct Located {
    pub(crate) at: Location,
    pub(crate) problem: Problem,
}

/// Result of a step of the compiler.
pub(crate) type Step<T> = Result<T, Located>;

impl Problem {
    /// The problem with the place where `span` begins.
    pub(crate) fn at(self, span: Span) -> Located {
        Located { at: span.start, problem: self }
    }
}

impl Located {
    pub(crate) fn of(self, place: &str) -> ExpressionError {
        ExpressionError {
            place: place.to_owned(),
            line: self.at.line,
            column: self.at.column,
            problem: self.problem,
        }
    }
}
