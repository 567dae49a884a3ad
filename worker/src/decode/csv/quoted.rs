//! Records with an enclosure and without escape, between single bytes.

use super::field::Field;
use super::specials::Specials;
use super::tokens::Sink;

pub(super) fn tokenize(sink: &mut Sink<'_>, separator: u8, delimiter: u8, enclose: u8) {
    let bytes = sink.bytes;
    let trim = sink.dialect.trim;
    let mut specials = Specials::new(bytes, [separator, delimiter, enclose]);
    let (mut start, mut lines) = (0, 1);
    while let Some(mut at) = specials.next() {
        let mut enclosed = None;
        if bytes[at] == enclose {
            let begins =
                start == at || (trim && bytes[start..at].iter().all(|&byte| sink.dialect.is_blank(byte)));
            if begins {
                let Some(found) = close(bytes, enclose, delimiter, &mut specials, &mut lines) else {
                    sink.unclosed();
                    return;
                };
                start = at;
                enclosed = Some(found);
            }
            // What stands behind the enclosure, or a byte that encloses nothing, is data.
            at = match specials.find(|&at| bytes[at] != enclose) {
                Some(at) => at,
                None => {
                    end_field(sink, start, bytes.len(), enclosed);
                    sink.end_record(bytes.len(), bytes.len(), lines);
                    return;
                }
            };
        }
        end_field(sink, start, at, enclosed);
        start = at + 1;
        if bytes[at] == delimiter {
            sink.end_record(at, start, lines);
            lines = 1;
        }
    }
    if sink.record_start() < bytes.len() {
        sink.field(Field::plain(start, bytes.len()));
        sink.end_record(bytes.len(), bytes.len(), lines);
    }
}

/// The closing byte of an enclosure, and whether it holds doubled ones.
#[derive(Clone, Copy)]
struct Enclosed {
    close: usize,
    doubled: bool,
}

#[inline(always)]
fn close(
    bytes: &[u8],
    enclose: u8,
    delimiter: u8,
    specials: &mut Specials<'_, 3>,
    lines: &mut u32,
) -> Option<Enclosed> {
    let mut doubled = false;
    loop {
        let at = specials.next()?;
        if bytes[at] == enclose {
            if bytes.get(at + 1) == Some(&enclose) {
                doubled = true;
                specials.next();
                continue;
            }
            return Some(Enclosed { close: at, doubled });
        }
        *lines += u32::from(bytes[at] == delimiter);
    }
}

#[inline(always)]
fn end_field(sink: &mut Sink<'_>, start: usize, end: usize, enclosed: Option<Enclosed>) {
    sink.field(match enclosed {
        None => Field::plain(start, end),
        Some(Enclosed { close, doubled: false }) if tail_is_empty(sink, close + 1, end) => {
            Field::enclosed(start + 1, close)
        }
        Some(_) => Field::cooked(start, end, true),
    });
}

/// Nothing that counts stands behind the enclosure.
#[inline(always)]
fn tail_is_empty(sink: &Sink<'_>, from: usize, end: usize) -> bool {
    from == end || super::general::tail_is_blank(sink.bytes, from, end, sink.dialect)
}
