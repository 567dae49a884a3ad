//! Records without enclosure and escape, between single bytes.

use super::field::Field;
use super::specials::Specials;
use super::tokens::Sink;

pub(super) fn tokenize(sink: &mut Sink<'_>, separator: u8, delimiter: u8) {
    let bytes = sink.bytes;
    let mut start = 0;
    for at in Specials::new(bytes, [separator, delimiter]) {
        sink.field(Field::plain(start, at));
        start = at + 1;
        if bytes[at] == delimiter {
            sink.end_record(at, start, 1);
        }
    }
    if sink.record_start() < bytes.len() {
        sink.field(Field::plain(start, bytes.len()));
        sink.end_record(bytes.len(), bytes.len(), 1);
    }
}
