//! Records of any dialect: separators of several bytes, escapes.

use super::dialect::Dialect;
use super::field::Field;
use super::tokens::Sink;

pub(super) fn tokenize(sink: &mut Sink<'_>, dialect: &Dialect) {
    let bytes = sink.bytes;
    let delimiter = memchr::memmem::Finder::new(&dialect.delimiter);
    let mut at = 0;
    while at < bytes.len() || at > sink.record_start() {
        let Some(scanned) = scan_field(bytes, at, dialect) else {
            sink.unclosed();
            return;
        };
        sink.field(scanned.field);
        at = scanned.next;
        if scanned.ends_record {
            let lines = delimiter.find_iter(&bytes[sink.record_start()..at]).count();
            sink.end_record(scanned.end, at, lines as u32);
            if at == bytes.len() {
                return;
            }
        }
    }
}

struct Scanned {
    field: Field,
    /// Where the field ends, before the separator.
    end: usize,
    next: usize,
    ends_record: bool,
}

/// The field that begins at `start`; `None` if its enclosure does not end.
fn scan_field(bytes: &[u8], start: usize, dialect: &Dialect) -> Option<Scanned> {
    let mut open = start;
    if dialect.trim {
        open += bytes[start..].iter().take_while(|&&byte| dialect.is_blank(byte)).count();
    }
    let mut enclosed = None;
    let mut escaped = false;
    let mut at = start;
    if dialect.enclose.is_some() && bytes.get(open).copied() == dialect.enclose {
        let close = close(bytes, open + 1, dialect)?;
        at = close.at + 1;
        enclosed = Some(close);
    }
    let (end, next, ends_record) = loop {
        match next_mark(bytes, at, dialect) {
            Mark::End => break (bytes.len(), bytes.len(), true),
            Mark::Escape(found) => {
                escaped = true;
                at = (found + 2).min(bytes.len());
            }
            Mark::Separator(found) => break (found, found + dialect.separator.len(), false),
            Mark::Delimiter(found) => break (found, found + dialect.delimiter.len(), true),
        }
    };
    let field = match enclosed {
        Some(close) if !close.changed && !escaped && tail_is_blank(bytes, close.at + 1, end, dialect) => {
            Field::enclosed(open + 1, close.at)
        }
        Some(_) => Field::cooked(open, end, true),
        None if escaped => Field::cooked(start, end, false),
        None => Field::plain(start, end),
    };
    Some(Scanned { field, end, next, ends_record })
}

/// What stands behind an enclosure does not count: nothing, blanks that are dropped, the CR of a line's end.
pub(super) fn tail_is_blank(bytes: &[u8], from: usize, end: usize, dialect: &Dialect) -> bool {
    let mut tail = &bytes[from..end];
    if dialect.drops_carriage_return() && bytes.get(end).is_none_or(|&byte| byte == b'\n') {
        tail = tail.strip_suffix(b"\r").unwrap_or(tail);
    }
    tail.is_empty() || (dialect.trim && tail.iter().all(|&byte| dialect.is_blank(byte)))
}

struct Close {
    at: usize,
    /// The bytes before it are not the value.
    changed: bool,
}

/// The end of an enclosure whose first inner byte is at `from`.
fn close(bytes: &[u8], from: usize, dialect: &Dialect) -> Option<Close> {
    let enclose = dialect.enclose?;
    let escape = dialect.escape.unwrap_or(enclose);
    let (mut at, mut changed) = (from, false);
    loop {
        at += memchr::memchr2(enclose, escape, bytes.get(at..)?)?;
        let doubled = bytes[at] == enclose && bytes.get(at + 1) == Some(&enclose);
        if bytes[at] == enclose && !doubled {
            return Some(Close { at, changed });
        }
        changed = true;
        at += 2;
    }
}

/// [`slice::starts_with`], without a call where one byte decides.
#[inline(always)]
pub(super) fn begins(text: &[u8], with: &[u8]) -> bool {
    text.first() == with.first() && (with.len() == 1 || text.starts_with(with))
}

/// What matters next outside of an enclosure.
pub(super) enum Mark {
    Escape(usize),
    Separator(usize),
    Delimiter(usize),
    End,
}

/// The first mark at or behind `from`. Of two that begin at one byte the longer counts.
pub(super) fn next_mark(bytes: &[u8], from: usize, dialect: &Dialect) -> Mark {
    let Dialect { separator, delimiter, .. } = dialect;
    let escape = dialect.escape.unwrap_or(separator[0]);
    let mut at = from;
    while let Some(found) =
        bytes.get(at..).and_then(|rest| memchr::memchr3(separator[0], delimiter[0], escape, rest))
    {
        at += found;
        let rest = &bytes[at..];
        if dialect.escape == Some(rest[0]) {
            return Mark::Escape(at);
        }
        let (a, b) = (begins(rest, separator), begins(rest, delimiter));
        match (a, b) {
            (true, true) if separator.len() > delimiter.len() => return Mark::Separator(at),
            (_, true) => return Mark::Delimiter(at),
            (true, false) => return Mark::Separator(at),
            (false, false) => at += 1,
        }
    }
    Mark::End
}
