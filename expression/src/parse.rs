//! Text to a syntax tree.

use std::collections::HashSet;

use datafusion_sql::sqlparser::ast::Expr;
use datafusion_sql::sqlparser::parser::{Parser, ParserError};
use datafusion_sql::sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer};

use crate::dialect::StarRocks;
use crate::error::{Located, Problem, Step};

/// Most tokens of an expression: bounds the depth of the tree, and with it the stack.
const MOST_TOKENS: usize = 4096;
/// Most levels of parentheses, calls and operators within one another.
pub(crate) const MOST_LEVELS: usize = 100;

/// Parses one expression that takes up the whole text.
pub(crate) fn parse(text: &str) -> Step<Expr> {
    let tokens = Tokenizer::new(&StarRocks, text).tokenize_with_location();
    let tokens =
        tokens.map_err(|error| Located { at: error.location, problem: Problem::Syntax(error.message) })?;
    let mut words = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF));
    if words.next().is_none() {
        return Err(Problem::Syntax("the expression is empty".to_owned()).at(Span::empty()));
    }
    if let Some(token) = words.nth(MOST_TOKENS - 1) {
        let message = format!("the expression has more than {MOST_TOKENS} words and signs; make it shorter");
        return Err(Problem::Syntax(message).at(token.span));
    }
    let end = tokens.iter().rev().find(|token| token.span.end.line > 0).map(|token| token.span.end);
    let mut parser =
        Parser::new(&StarRocks).with_recursion_limit(MOST_LEVELS).with_tokens_with_locations(tokens);
    let parsed = parser.parse_expr();
    let next = parser.peek_token();
    match parsed {
        Err(error) => {
            let mut error = located(&error, &next);
            if error.at.line == 0 {
                // The text ended too early: its end is the place.
                error.at = end.unwrap_or(error.at);
            }
            Err(error)
        }
        Ok(_) if next.token != Token::EOF => {
            let message = format!("one expression ends before {}, nothing may follow it", next.token);
            Err(Problem::Syntax(message).at(next.span))
        }
        Ok(expr) => Ok(expr),
    }
}

/// All words of a text that may be names of columns: more than are, never fewer. Each stands once, regardless
/// of case, as it is written first.
pub(crate) fn words(text: &str) -> Step<Vec<String>> {
    let tokens = Tokenizer::new(&StarRocks, text)
        .tokenize()
        .map_err(|error| Located { at: error.location, problem: Problem::Syntax(error.message) })?;
    let mut seen = HashSet::new();
    let word = |token: Token| match token {
        Token::Word(word) => seen.insert(word.value.to_lowercase()).then_some(word.value),
        _ => None,
    };
    Ok(tokens.into_iter().filter_map(word).collect())
}

/// The parser writes places into its messages; they are taken out again.
fn located(error: &ParserError, next: &TokenWithSpan) -> Located {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message.as_str(),
        ParserError::RecursionLimitExceeded => {
            let message = format!("the expression nests deeper than {MOST_LEVELS} levels");
            return Problem::Refused(message).at(next.span);
        }
    };
    let (text, at) = match message.rsplit_once(" at Line: ") {
        Some((text, place)) => (text, location(place).unwrap_or(next.span.start)),
        None => (message, next.span.start),
    };
    Located {
        at,
        problem: Problem::Syntax(text.replace("Expected: ", "expected ").replace("found: ", "found ")),
    }
}

/// `1, Column: 7`
fn location(place: &str) -> Option<Location> {
    let (line, column) = place.split_once(", Column: ")?;
    Some(Location { line: line.trim().parse().ok()?, column: column.trim().parse().ok()? })
}
