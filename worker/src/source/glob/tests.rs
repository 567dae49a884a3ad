//! Examples, and a naive model to compare with.

use proptest::prelude::*;

use super::*;

fn matches(pattern: &str, text: &str) -> bool {
    Glob::parse(pattern).unwrap().matches(text)
}

#[test]
fn a10_star_never_crosses_a_slash() {
    assert!(matches("a/*.csv", "a/b.csv"));
    assert!(!matches("a/*.csv", "a/b/c.csv"));
    assert!(matches("a/*/*.csv", "a/b/c.csv"));
    assert!(!matches("a/*/*.csv", "a/b.csv"));
    assert!(matches("a/*.csv", "a/.csv"));
    assert!(!matches("*", "a/b"));
    assert!(!matches("**", "a/b"));
    assert!(!matches("a?b", "a/b"));
    assert!(!matches("a[^x]b", "a/b"));
    assert!(!matches("a[!x]b", "a/b"));
    assert!(!matches("a[.-0]b", "a/b"));
}

#[test]
fn a10_braces_classes_and_question_marks_work_in_folders_too() {
    assert!(matches("{x,y}/[0-9]?/f.parquet", "y/7k/f.parquet"));
    assert!(!matches("{x,y}/[0-9]?/f.parquet", "z/7k/f.parquet"));
    assert!(matches("a{b,{c,d}e}f", "adef"));
    assert!(matches("{a/b,c}/d", "a/b/d") && matches("{a/b,c}/d", "c/d"));
    assert!(matches("a{,b}c", "ac") && matches("a{,b}c", "abc"));
    assert!(matches("[^a-c]", "d") && !matches("[^a-c]", "b"));
    assert!(matches("[!a-c]", "d") && !matches("[!a-c]", "b"));
    assert!(matches("[]x]", "]") && matches("[^]x]", "y") && !matches("[^]x]", "]"));
    assert!(matches("[a-]", "-") && matches("[-a]", "-") && matches("[^-]", "a"));
    assert!(matches("[,{*?]", "?") && matches("[,{*?]", "{"));
    assert!(matches("zür?ch", "zürich") && matches("z[ä-ü]rich", "zürich"));
}

#[test]
fn everything_else_is_literal() {
    for text in ["a,b", "a b", "a%3Ab", "a+b", "東京", "^a", "a^", "!x", "a]b", "a}b", "-", "$(x)|.+", "a.b"]
    {
        assert!(matches(text, text), "{text}");
        let glob = Glob::parse(text).unwrap();
        assert_eq!(glob.literal_prefix(), text);
        assert!(!glob.has_wildcards());
    }
    assert!(!matches("a.b", "axb"));
}

#[test]
fn a_backslash_makes_a_wildcard_literal() {
    assert!(matches(r"a\*b", "a*b") && !matches(r"a\*b", "axb"));
    assert!(matches(r"\[x\]\{y\}\?\\", r"[x]{y}?\"));
    assert!(matches(r"{a\,b,c}", "a,b"));
    assert!(matches(r"[\]\-]", "]") && matches(r"[\]\-]", "-"));
    assert_eq!(Glob::parse(r"a\*b").unwrap().literal_prefix(), "a*b");
}

#[test]
fn the_longest_literal_prefix() {
    for (pattern, prefix) in [
        ("a/b*", "a/b"),
        ("a/{b,c}", "a/"),
        ("a/{bx,by}z", "a/b"),
        ("a/{b}c*", "a/bc"),
        ("?", ""),
        ("a/[b]", "a/"),
        ("a/b", "a/b"),
        ("{ab,abc}", "ab"),
    ] {
        assert_eq!(Glob::parse(pattern).unwrap().literal_prefix(), prefix, "{pattern}");
    }
}

#[test]
fn the_text_after_a_wildcard_is_known_too() {
    let glob = Glob::parse("a/*/b/c-*.parquet").unwrap();
    let folder = glob.advance(glob.after_prefix(), "x/");
    assert_eq!(glob.literal_run(&folder).0, "b/c-");
    assert!(glob.advance(glob.after_prefix(), "x/q").is_dead());
}

#[test]
fn errors_name_the_position() {
    let problem = |pattern: &str| Glob::parse(pattern).unwrap_err();
    assert_eq!(problem("ab[c").position, 3);
    assert_eq!(problem("ü{c,d").position, 2);
    assert_eq!(problem("{a,{b}").position, 1);
    assert_eq!(problem("a{b,[c}").position, 5);
    assert_eq!(problem("[]").position, 1);
    assert_eq!(problem("[a\\").position, 1);
    assert_eq!(problem("ab\\").position, 3);
    assert_eq!(problem("a[z-a]").position, 3);
    assert!(problem(&"{,a}".repeat(2000)).problem.contains("4096"));
    assert!(problem(&"{".repeat(40)).problem.contains("16 deep"));
}

#[test]
fn no_pattern_makes_matching_slow() {
    let text = "a".repeat(1000);
    let pattern = format!("{}b", "*a".repeat(300));
    let nested = "{a,aa}".repeat(150);
    // Ways to match grow as 2^300: a matcher that tried them one by one would never end.
    assert!(!matches(&pattern, &text));
    assert!(matches(&nested, &"a".repeat(200)));
}

/// What a pattern means, said as plainly as can be: try every way.
fn model(nodes: &[Node], text: &[char]) -> bool {
    let Some((first, rest)) = nodes.split_first() else { return text.is_empty() };
    let one = |fits: &dyn Fn(char) -> bool| !text.is_empty() && fits(text[0]) && model(rest, &text[1..]);
    match first {
        Node::Literal(c) => one(&|t| t == *c),
        Node::AnyCharacter => one(&|t| t != '/'),
        Node::Class(class) => one(&|t| class.contains(t)),
        Node::AnyText => {
            let longest = text.iter().position(|&c| c == '/').unwrap_or(text.len());
            (0..=longest).any(|taken| model(rest, &text[taken..]))
        }
        Node::Alternatives(choices) => {
            choices.iter().any(|choice| model(&[choice.as_slice(), rest].concat(), text))
        }
    }
}

fn pattern_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => proptest::sample::select(vec!["a", "b", "/", "é", "-"]).prop_map(str::to_owned),
        1 => Just("?".to_owned()),
        2 => Just("*".to_owned()),
        1 => proptest::sample::select(vec!["[ab]", "[^a]", "[!b/]", "[a-é]", "\\*"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(|parts| parts.concat()),
            proptest::collection::vec(inner, 1..4).prop_map(|parts| format!("{{{}}}", parts.join(","))),
        ]
    })
}

fn key_text() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(vec!["a", "b", "/", "é", "-", "*"]), 0..8)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(crate::decode::fuzz::config(2000))]
    #[test]
    fn fuzz_agrees_with_the_naive_model(pattern in pattern_text(), text in key_text()) {
        let glob = Glob::parse(&pattern).unwrap();
        let mut parser = Parser { characters: pattern.chars().collect(), at: 0, has_wildcards: false };
        let nodes = parser.sequence(0).unwrap();
        let expected = model(&nodes, &text.chars().collect::<Vec<_>>());
        prop_assert_eq!(glob.matches(&text), expected);
        prop_assert!(!expected || text.starts_with(glob.literal_prefix()));
        // A folder on the way to a match is never given up.
        if expected {
            let rest = &text[glob.literal_prefix().len()..];
            for (at, _) in rest.char_indices() {
                prop_assert!(!glob.advance(glob.after_prefix(), &rest[..at]).is_dead());
            }
        }
    }

    #[test]
    fn fuzz_any_text_parses_or_names_a_position(pattern in "[ab/?*{},\\[\\]^!\\\\-]{0,12}") {
        if let Err(error) = Glob::parse(&pattern) {
            prop_assert!(error.position >= 1 && error.position <= pattern.chars().count());
        }
    }
}
