//! How the documents of a file stand one after the other.

/// How the documents of a file stand one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Each line has whole documents: what is wrong in a line ends with it.
    Lines,
    /// Documents over several lines.
    Documents,
    /// One array over the whole file.
    Elements,
}

/// Decides by the beginning of a file. Its first line is whole in itself: lines. Else an array, or documents
/// over several lines, unless a later line is an object of its own: then it is the first that is damaged.
pub(super) fn layout(head: &[u8]) -> Layout {
    let mut lines = head.split_inclusive(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let Some(first) = lines.next() else { return Layout::Lines };
    if is_balanced(first) {
        return Layout::Lines;
    }
    match first.trim_ascii_start().first() {
        Some(b'[') => Layout::Elements,
        Some(b'{') if lines.any(|line| line.starts_with(b"{") && is_balanced(line)) => Layout::Lines,
        Some(b'{') => Layout::Documents,
        _ => Layout::Lines,
    }
}

/// Every bracket and every quote is closed.
fn is_balanced(line: &[u8]) -> bool {
    let mut depth = 0i64;
    let mut at = 0;
    while let Some(&byte) = line.get(at) {
        match byte {
            b'"' => match closing_quote(line, at + 1) {
                Some(close) => at = close,
                None => return false,
            },
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    depth == 0
}

fn closing_quote(line: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr::memchr2(b'"', b'\\', line.get(at..)?)?;
        if line[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_decides() {
        for (head, expected) in [
            ("", Layout::Lines),
            ("\n \n", Layout::Lines),
            ("{\"a\":1}\n{\"a\":2}\n", Layout::Lines),
            ("{\"a\":1}{\"a\":2}", Layout::Lines),
            ("[{\"a\":1},{\"a\":2}]", Layout::Lines),
            ("{\"a\":\"{[\\\"\"}\n", Layout::Lines),
            ("{\n \"a\": 1\n}\n{\n", Layout::Documents),
            ("{\"a\": 1\n{\"a\": 2}\n", Layout::Lines),
            ("{\"a\": \"x\n{\"a\": 2}\n", Layout::Lines),
            ("[\n{\"a\": 1},\n{\"a\": 2}\n]", Layout::Elements),
            ("\n [{\"a\": 1},\n", Layout::Elements),
            ("nonsense\n{\"a\": 2}\n", Layout::Lines),
        ] {
            assert_eq!(layout(head.as_bytes()), expected, "{head:?}");
        }
    }
}
