//! The tablets of one writer: partition × bucket, and their numbers in a run.

use crate::schema::partition::FastMap;

/// Most tablets of a run: their numbers have 16 bits.
const MAX_TABLETS: usize = 1 << 16;
/// Bytes of a tablet's number, about: in the map, in the list, and its count of rows.
const NUMBER_BYTES: usize = 48;

/// A tablet: the bucket of a partition. Partitions have their numbers from [`super::segment::Segments`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Tablet {
    pub(crate) partition: u32,
    pub(crate) bucket: u16,
}

impl From<u16> for Tablet {
    /// A bucket of a writer's only partition.
    fn from(bucket: u16) -> Self {
        Self { partition: 0, bucket }
    }
}

/// Numbers of the tablets that a run has rows of, from 0.
#[derive(Debug)]
pub(crate) struct TabletNumbers {
    /// Absent: the table has one partition, whose buckets are the numbers.
    numbers: Option<FastMap<u64>>,
    tablets: Vec<Tablet>,
}

impl TabletNumbers {
    /// Numbers of a table of so many buckets.
    pub(crate) fn new(buckets: u32, has_partitions: bool) -> Self {
        if has_partitions {
            return Self { numbers: Some(FastMap::default()), tablets: Vec::new() };
        }
        let buckets = (0..=u16::MAX).take(buckets as usize);
        Self { numbers: None, tablets: buckets.map(Tablet::from).collect() }
    }

    /// The number of a tablet, a new one if need be; see [`Self::can_take`].
    #[inline]
    pub(crate) fn number(&mut self, tablet: Tablet) -> u16 {
        let Some(numbers) = &mut self.numbers else { return tablet.bucket };
        let key = u64::from(tablet.partition) << 16 | u64::from(tablet.bucket);
        let tablets = &mut self.tablets;
        let number = *numbers.entry(key).or_insert_with(|| {
            tablets.push(tablet);
            (tablets.len() - 1) as u32
        });
        number as u16
    }

    /// Tablets that have a number.
    pub(crate) fn len(&self) -> usize {
        self.tablets.len()
    }

    /// Tablets by number.
    pub(crate) fn tablets(&self) -> &[Tablet] {
        &self.tablets
    }

    /// Whether the tablets of so many more rows can be numbered.
    pub(crate) fn can_take(&self, rows: usize) -> bool {
        self.numbers.is_none() || self.tablets.len() + rows <= MAX_TABLETS
    }

    /// Bytes in use.
    pub(crate) fn memory(&self) -> usize {
        if self.numbers.is_some() { self.tablets.len() * NUMBER_BYTES } else { 0 }
    }

    /// Forgets the numbers that rows gave.
    pub(crate) fn clear(&mut self) {
        if let Some(numbers) = &mut self.numbers {
            numbers.clear();
            self.tablets.clear();
        }
    }
}
