//! What a statement names, read from its words: the tables, the views and the files that must be there before
//! the engine plans it.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::dialect::MySqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer, Word};

use crate::error::SqlError;
use crate::files::FilesCall;

/// A statement's words, and what they stand for.
#[derive(Debug)]
pub(crate) struct Statement {
    tokens: Vec<Token>,
    /// Each call of `files(…)`, and the name that stands in its place.
    pub(crate) files: Vec<(String, FilesCall)>,
}

impl Statement {
    /// Reads the words of a text. A semicolon or `\G` at its end is dropped.
    pub(crate) fn read(text: &str) -> Result<Self, SqlError> {
        let text = text.trim();
        // As clients of MySQL end a statement.
        let text = text.strip_suffix("\\G").or(text.strip_suffix("\\g")).unwrap_or(text).trim_end();
        let text = text.trim_end_matches(';');
        let tokens = Tokenizer::new(&MySqlDialect {}, text).tokenize().map_err(|error| SqlError::Syntax {
            line: error.location.line,
            column: error.location.column,
            message: error.message,
        })?;
        let (mut tokens, files) = take_files(tokens)?;
        tokens.iter_mut().for_each(quote_number);
        Ok(Self { tokens, files })
    }

    /// The tables among `known` that the statement names: by their name regardless of case, with `_` for `-`,
    /// or with `-` and no quotes. Their names are written into the statement as they are.
    pub(crate) fn tables(&mut self, known: &[String]) -> Vec<String> {
        let mut found = BTreeMap::new();
        let mut place = 0;
        while place < self.tokens.len() {
            if let Some((length, name)) = known.iter().find_map(|name| self.matches(place, name)) {
                let quoted = Word { value: name.clone(), quote_style: Some('`'), keyword: KEYWORD };
                self.tokens.splice(place..place + length, [Token::Word(quoted)]);
                found.insert(name, ());
            }
            place += 1;
        }
        found.into_keys().collect()
    }

    /// Whether the tokens from `place` on are the name of a table; how many they are.
    fn matches(&self, place: usize, name: &str) -> Option<(usize, String)> {
        let folded = |text: &str| text.to_lowercase().replace('_', "-");
        let mut written = String::new();
        let wanted = folded(name);
        for (length, token) in self.tokens[place..].iter().enumerate() {
            match token {
                Token::Word(word) => written.push_str(&folded(&word.value)),
                Token::Minus => written.push('-'),
                Token::Number(digits, false) => written.push_str(digits),
                _ => return None,
            }
            if written == wanted {
                let goes_on =
                    matches!(self.tokens.get(place + length + 1), Some(Token::Minus | Token::LParen));
                let begins = self.is_after_from(place) || length == 0 && self.is_qualifier(place);
                return (!goes_on && begins).then(|| (length + 1, name.to_owned()));
            }
            if !wanted.starts_with(&written) {
                return None;
            }
        }
        None
    }

    /// Whether FROM, JOIN or a comma stands before.
    fn is_after_from(&self, place: usize) -> bool {
        let before = self.tokens[..place].iter().rev().find(|token| !matches!(token, Token::Whitespace(_)));
        match before {
            Some(Token::Word(word)) => ["from", "join", "describe", "desc"]
                .iter()
                .any(|other| word.value.eq_ignore_ascii_case(other)),
            Some(Token::Comma) => true,
            _ => false,
        }
    }

    /// Whether a point follows: `table.column`.
    fn is_qualifier(&self, place: usize) -> bool {
        matches!(self.tokens.get(place + 1), Some(Token::Period))
    }

    /// Whether a word stands in the statement, regardless of case.
    pub(crate) fn names(&self, word: &str) -> bool {
        self.words().any(|other| other.value.eq_ignore_ascii_case(word))
    }

    fn words(&self) -> impl Iterator<Item = &Word> {
        self.tokens.iter().filter_map(|token| match token {
            Token::Word(word) => Some(word),
            _ => None,
        })
    }

    /// Writes the names of columns as the tables have them: the engine compares names with their case. A name
    /// that two tables write differently stays as it is.
    pub(crate) fn spell(&mut self, columns: &[String]) {
        let mut spelled: BTreeMap<String, Option<&str>> = BTreeMap::new();
        for column in columns {
            let entry = spelled.entry(column.to_lowercase()).or_insert(Some(column));
            if entry.is_some_and(|other| other != column) {
                *entry = None;
            }
        }
        for token in &mut self.tokens {
            if let Token::Word(word) = token
                && let Some(Some(column)) = spelled.get(&word.value.to_lowercase())
            {
                word.value = (*column).to_owned();
            }
        }
    }

    /// The statement for the engine.
    pub(crate) fn text(&self) -> String {
        self.tokens.iter().map(written).collect()
    }
}

/// A token as it is read again: the tokenizer takes escapes out of texts and does not put them back.
fn written(token: &Token) -> String {
    let escaped = |text: &str, quote: char| {
        let text = text.replace('\\', "\\\\").replace(quote, &format!("{quote}{quote}"));
        format!("{quote}{text}{quote}")
    };
    match token {
        Token::SingleQuotedString(text) => escaped(text, '\''),
        Token::DoubleQuotedString(text) => escaped(text, '"'),
        token => token.to_string(),
    }
}

const KEYWORD: datafusion::sql::sqlparser::keywords::Keyword =
    datafusion::sql::sqlparser::keywords::Keyword::NoKeyword;

/// `$1` is the name of a field of a file without names; to the engine it were a parameter.
fn quote_number(token: &mut Token) {
    let written = match token {
        Token::Placeholder(written) => written.as_str(),
        Token::Word(word) if word.quote_style.is_none() => word.value.as_str(),
        _ => return,
    };
    let digits = written.strip_prefix('$').unwrap_or_default();
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let value = written.to_owned();
        *token = Token::Word(Word { value, quote_style: Some('`'), keyword: KEYWORD });
    }
}

/// Tokens, and what names among them stand for.
type Rewritten = (Vec<Token>, Vec<(String, FilesCall)>);

/// Replaces each `files(…)` by a name.
fn take_files(tokens: Vec<Token>) -> Result<Rewritten, SqlError> {
    let mut kept = Vec::with_capacity(tokens.len());
    let mut files = Vec::new();
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        let is_files = matches!(&token, Token::Word(word)
            if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("files"));
        let mut blanks = Vec::new();
        while is_files && let Some(blank) = rest.next_if(|next| matches!(next, Token::Whitespace(_))) {
            blanks.push(blank);
        }
        if !is_files || rest.peek() != Some(&Token::LParen) {
            kept.push(token);
            kept.append(&mut blanks);
            continue;
        }
        let mut arguments = Vec::new();
        let mut level = 0;
        for token in rest.by_ref() {
            match token {
                Token::LParen => level += 1,
                Token::RParen => level -= 1,
                Token::Whitespace(_) => {}
                other => arguments.push(other),
            }
            if level == 0 {
                break;
            }
        }
        if level != 0 {
            return Err(SqlError::FilesCall("its parenthesis is not closed".to_owned()));
        }
        let name = format!("files_{}", files.len() + 1);
        files.push((name.clone(), FilesCall::read(&arguments)?));
        kept.push(Token::Word(Word { value: name, quote_style: Some('`'), keyword: KEYWORD }));
    }
    Ok((kept, files))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(text: &str) -> Statement {
        Statement::read(text).unwrap()
    }

    #[test]
    fn texts_are_what_they_were() {
        for text in ["it''s", r"a\\b", r"50\%", "a \"b\"", "line\nend", "ünï😀"] {
            let statement = format!("SELECT '{text}' AS t");
            let once = Statement::read(&statement).unwrap();
            let again = Statement::read(&once.text()).unwrap();
            assert_eq!(once.tokens, again.tokens, "{text}");
        }
        let double = Statement::read("SELECT \"say \"\"so\"\"\"").unwrap();
        assert_eq!(double.text(), "SELECT \"say \"\"so\"\"\"");
    }

    #[test]
    fn the_ends_of_statements_are_dropped() {
        for end in ["", ";", " ; ", " \\G", "\\G\n", ";\\g"] {
            let statement = statement(&format!("SELECT 1{end}"));
            assert_eq!(statement.text().trim_end(), "SELECT 1", "{end:?}");
        }
    }

    #[test]
    fn fields_without_names_are_quoted() {
        assert_eq!(
            statement("SELECT $1, f.$12, '$1' FROM t f").text(),
            "SELECT `$1`, f.`$12`, '$1' FROM t f"
        );
    }

    #[test]
    fn tables_are_found_however_they_are_written() {
        let known = ["user-behavior".to_owned(), "events".to_owned()];
        for text in [
            "SELECT * FROM user-behavior",
            "SELECT * FROM user_behavior LIMIT 3;",
            "SELECT * FROM `user-behavior`",
            "select 1 from USER_BEHAVIOR",
        ] {
            let mut statement = statement(text);
            assert_eq!(statement.tables(&known), ["user-behavior"], "{text}");
            assert!(statement.text().contains("`user-behavior`"), "{}", statement.text());
        }
        let mut both = statement("SELECT e.a FROM events e JOIN user_behavior u ON e.a = u.b");
        assert_eq!(both.tables(&known), ["events", "user-behavior"]);
        assert!(statement("SELECT events FROM other").tables(&known).is_empty());
        assert!(statement("SELECT 'FROM events'").tables(&known).is_empty());
    }

    #[test]
    fn columns_are_spelled_as_the_tables_have_them() {
        let mut spelled = statement("SELECT userid, 'userid', COUNT(*) FROM t WHERE USERID > 1");
        spelled.spell(&["UserID".to_owned()]);
        assert_eq!(spelled.text(), "SELECT UserID, 'userid', COUNT(*) FROM t WHERE UserID > 1");
        let mut unclear = statement("SELECT a");
        unclear.spell(&["A".to_owned(), "a".to_owned()]);
        assert_eq!(unclear.text(), "SELECT a");
    }

    #[test]
    fn files_become_a_name() {
        let call =
            statement("SELECT * FROM FILES('s3://b/*.csv', format => 'csv', skip_header => 1) WHERE a > 1");
        assert_eq!(call.text(), "SELECT * FROM `files_1` WHERE a > 1");
        assert_eq!(call.files[0].1.path, "s3://b/*.csv");
        let guide = statement(
            "SELECT * FROM FILES (\"path\" = \"s3://b/f.parquet\", \"format\" = \"parquet\", \"aws.s3.region\" = \"us-east-1\")",
        );
        // With a blank before the parenthesis it is the same call.
        assert_eq!(guide.files.len(), 1);
        assert!(Statement::read("SELECT * FROM files('a'").is_err());
        assert!(Statement::read("SELECT * FROM files(format => 'csv')").is_err());
        assert!(Statement::read("SELECT * FROM files('a', \"aws.s3.secret_key\" = \"x\")").is_err());
    }
}
