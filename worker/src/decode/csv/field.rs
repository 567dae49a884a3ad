//! Where a field lies in its block, in eight bytes.

/// The field was enclosed: it is never NULL.
const ENCLOSED: u32 = 1 << 31;
/// The bytes are not the value: they hold doubled enclosures or escapes.
const COOKED: u32 = 1 << 30;
const POSITION: u32 = COOKED - 1;

/// A field of a block of fewer than 2³⁰ bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    start: u32,
    /// Position behind the last byte, and two flags.
    end: u32,
}

impl Field {
    /// A field that the record lacks.
    pub(super) const NULL: Self = Self { start: u32::MAX, end: 0 };

    /// Bytes that are the value.
    #[inline(always)]
    pub(super) fn plain(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    /// The value between an enclosure.
    #[inline(always)]
    pub(super) fn enclosed(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 | ENCLOSED }
    }

    /// As it was written, enclosure (if any), doubled enclosures and escapes included.
    pub(super) fn cooked(start: usize, end: usize, enclosed: bool) -> Self {
        let flags = if enclosed { ENCLOSED | COOKED } else { COOKED };
        Self { start: start as u32, end: end as u32 | flags }
    }

    pub(super) fn is_missing(self) -> bool {
        self.start == u32::MAX
    }

    pub(super) fn is_enclosed(self) -> bool {
        self.end & ENCLOSED != 0
    }

    /// Neither enclosed nor cooked, nor missing.
    #[inline(always)]
    pub(super) fn is_plain(self) -> bool {
        self.end & (ENCLOSED | COOKED) == 0 && self.start != u32::MAX
    }

    /// Enclosed, and what is between the enclosure is the value.
    #[inline(always)]
    pub(super) fn is_enclosed_value(self) -> bool {
        self.end & (ENCLOSED | COOKED) == ENCLOSED
    }

    pub(super) fn is_cooked(self) -> bool {
        self.end & COOKED != 0
    }

    #[inline(always)]
    pub(super) fn start(self) -> usize {
        self.start as usize
    }

    #[inline(always)]
    pub(super) fn end(self) -> usize {
        (self.end & POSITION) as usize
    }

    #[inline(always)]
    pub(super) fn slice(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start()..self.end()).unwrap_or_default()
    }

    /// Takes away what lies at or behind `end`; what is between an enclosure lies before it.
    pub(super) fn cut_at(&mut self, end: usize) {
        if self.end() > end {
            self.end = (self.end & !POSITION) | end as u32;
        }
    }
}
