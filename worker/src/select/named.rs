//! The columns of a file that expressions name.

use longshore_crds::source::Source;

use super::PSEUDO_COLUMNS;

/// The columns of its files that `set` and `where` of a source name, each once and as it is written first:
/// no pseudo columns, and none of the path. An expression that cannot be read names none; its error is said
/// where expressions are checked.
pub fn named_columns(source: &Source) -> Vec<String> {
    let mut named: Vec<String> = Vec::new();
    for text in source.set.values().chain(&source.filter) {
        for name in longshore_expression::named_columns("", text).unwrap_or_default() {
            let is = |other: &str| other.eq_ignore_ascii_case(&name);
            let elsewhere = PSEUDO_COLUMNS.iter().any(|other| is(other))
                || source.columns_from_path.iter().any(|other| is(other));
            if !elsewhere && !named.iter().any(|other| is(other)) {
                named.push(name);
            }
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_columns_of_the_file() {
        let source = Source {
            set: [
                ("a", "if(X > 1, concat(`b c`, x), _file)"),
                ("at", "date_add(day, INTERVAL 1 DAY)"),
                ("p", "cast(part AS BIGINT)"),
                ("n", "1 +"),
            ]
            .map(|(target, text)| (target.to_owned(), text.to_owned()))
            .into(),
            filter: Some("dt = '2024-01-01' AND y IS NULL".to_owned()),
            columns_from_path: vec!["DT".to_owned()],
            ..Source::default()
        };
        assert_eq!(named_columns(&source), ["X", "b c", "day", "part", "y"]);
        assert!(named_columns(&Source::default()).is_empty());
        // Where types decide what a name is, all words may be columns.
        let source = Source { filter: Some("part.inner = 1".to_owned()), ..Source::default() };
        assert_eq!(named_columns(&source)[0], "part");
    }
}
