//! Rows: which user did what to which item when.

use std::ops::Range;

use super::{Options, Order};

/// The four behaviors; most rows are page views.
pub const BEHAVIORS: [&str; 4] = ["pv", "buy", "cart", "fav"];

/// Most users and the number of items and categories, as in the guide's data.
const MAX_USERS: u64 = 1_000_000;
const ITEMS: u64 = 4_000_000;
const CATEGORIES: u64 = 9_400;
/// Primes above the counts: multiplying by one shuffles ids without a repeat.
const USER_PRIME: u64 = 7_368_787;
const ITEM_PRIME: u64 = 15_485_863;
/// Distance of category ids, so that they spread over a few million.
const CATEGORY_STEP: u64 = 547;
/// Nine days from 2017-11-25, in seconds.
const SECONDS: u64 = 9 * 86_400;
const DAYS: [&[u8; 10]; 9] = [
    b"2017-11-25",
    b"2017-11-26",
    b"2017-11-27",
    b"2017-11-28",
    b"2017-11-29",
    b"2017-11-30",
    b"2017-12-01",
    b"2017-12-02",
    b"2017-12-03",
];
/// Bytes of a timestamp as text.
pub(crate) const TIMESTAMP_BYTES: usize = 19;

/// Columns of some rows.
#[derive(Debug, Default)]
pub struct Batch {
    /// UserID.
    pub users: Vec<i64>,
    /// ItemID.
    pub items: Vec<i64>,
    /// CategoryID.
    pub categories: Vec<i64>,
    /// Index in [`BEHAVIORS`].
    pub behaviors: Vec<u8>,
    /// Timestamp: 19 bytes of text a row, one after the other.
    pub timestamps: Vec<u8>,
}

/// Gives the rows of one file in order.
#[derive(Debug)]
pub struct RowGenerator {
    order: Order,
    total: u64,
    users: u64,
    rows: Range<u64>,
    random: SplitMix,
}

impl RowGenerator {
    /// The generator of the file's rows.
    pub fn new(options: &Options, file: u32) -> Self {
        let seed = SplitMix(options.seed).next() ^ u64::from(file).wrapping_mul(GOLDEN);
        Self {
            order: options.order,
            total: options.rows,
            users: (options.rows / 10).clamp(1, MAX_USERS),
            rows: options.rows_of(file),
            random: SplitMix(seed),
        }
    }

    /// Replaces the batch's content by at most `count` next rows; false when there are none.
    pub fn fill(&mut self, batch: &mut Batch, count: usize) -> bool {
        let Batch { users, items, categories, behaviors, timestamps } = batch;
        users.clear();
        items.clear();
        categories.clear();
        behaviors.clear();
        timestamps.clear();
        for row in self.rows.by_ref().take(count) {
            let (user, second) = match self.order {
                Order::Grouped => grouped(row, self.total, self.users, self.random.fraction()),
                Order::Random => (self.random.below(self.users), self.random.below(SECONDS)),
            };
            let item = item(self.random.fraction());
            users.push(as_id(user * USER_PRIME % self.users));
            items.push(as_id(item));
            categories.push(as_id(category(item)));
            behaviors.push(behavior(self.random.below(1000)));
            push_timestamp(timestamps, second);
        }
        !batch.users.is_empty()
    }
}

/// The user and the second of a row when each user's rows stand together.
fn grouped(row: u64, total: u64, users: u64, fraction: f64) -> (u64, u64) {
    let user = row * users / total;
    let first = (user * total).div_ceil(users);
    let behind = ((user + 1) * total).div_ceil(users);
    let place = ((row - first) as f64 + fraction) / (behind - first) as f64;
    (user, ((place * SECONDS as f64) as u64).min(SECONDS - 1))
}

/// An item; a few are far more popular than the rest: the density falls with the root of the rank.
fn item(fraction: f64) -> u64 {
    let rank = ((fraction * fraction * ITEMS as f64) as u64).min(ITEMS - 1);
    rank * ITEM_PRIME % ITEMS
}

/// The category of an item: always the same, and some hold far more items than others.
fn category(item: u64) -> u64 {
    let fraction = SplitMix(item).fraction();
    let rank = ((fraction * fraction * CATEGORIES as f64) as u64).min(CATEGORIES - 1);
    rank * CATEGORY_STEP
}

/// The index in [`BEHAVIORS`] for a number below 1,000.
fn behavior(number: u64) -> u8 {
    match number {
        0..896 => 0,
        896..916 => 1,
        916..971 => 2,
        _ => 3,
    }
}

/// Ids begin at 1.
fn as_id(number: u64) -> i64 {
    i64::try_from(number + 1).unwrap_or(i64::MAX)
}

fn push_timestamp(text: &mut Vec<u8>, second: u64) {
    let (day, second) = (second / 86_400, second % 86_400);
    let mut stamp = *b"0000-00-00 00:00:00";
    stamp[..10].copy_from_slice(DAYS[day as usize]);
    for (at, number) in [(11, second / 3600), (14, second / 60 % 60), (17, second % 60)] {
        stamp[at] = b'0' + (number / 10) as u8;
        stamp[at + 1] = b'0' + (number % 10) as u8;
    }
    text.extend_from_slice(&stamp);
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// SplitMix64: a small generator whose sequence is the same everywhere and for ever.
#[derive(Debug)]
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number in 0..bound; `bound` is far below 2^64, so the bias is nothing.
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in 0.0..1.0.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn all(options: &Options) -> Batch {
        let mut all = Batch::default();
        let mut batch = Batch::default();
        for file in 0..options.files {
            let mut generator = RowGenerator::new(options, file);
            while generator.fill(&mut batch, 1000) {
                all.users.append(&mut batch.users);
                all.items.append(&mut batch.items);
                all.categories.append(&mut batch.categories);
                all.behaviors.append(&mut batch.behaviors);
                all.timestamps.append(&mut batch.timestamps);
            }
        }
        all
    }

    #[test]
    fn grouped_rows_keep_a_user_together_in_the_order_of_time() {
        let options = Options { rows: 12_345, files: 3, order: Order::Grouped, seed: 1 };
        let rows = all(&options);
        assert_eq!(rows.users.len(), 12_345);
        let changes = rows.users.windows(2).filter(|pair| pair[0] != pair[1]).count();
        let distinct: HashSet<_> = rows.users.iter().collect();
        assert_eq!(distinct.len(), changes + 1);
        assert_eq!(distinct.len(), 1234);
        let stamps: Vec<&[u8]> = rows.timestamps.chunks(TIMESTAMP_BYTES).collect();
        for row in 1..rows.users.len() {
            assert!(rows.users[row - 1] != rows.users[row] || stamps[row - 1] <= stamps[row]);
        }
    }

    #[test]
    fn values_lie_in_their_ranges() {
        let rows = all(&Options { rows: 50_000, files: 2, order: Order::Random, seed: 2 });
        assert!(rows.users.iter().all(|user| (1..=5000).contains(user)));
        assert!(rows.items.iter().all(|item| (1..=4_000_000).contains(item)));
        let categories: HashSet<_> = rows.categories.iter().collect();
        assert!((5000..=9400).contains(&categories.len()));
        let views = rows.behaviors.iter().filter(|&&behavior| behavior == 0).count();
        assert!((43_000..47_000).contains(&views));
        let stamps: Vec<&[u8]> = rows.timestamps.chunks(TIMESTAMP_BYTES).collect();
        assert!(
            stamps.iter().all(|stamp| (&b"2017-11-25 00:00:00"[..]..=b"2017-12-03 23:59:59").contains(stamp))
        );
    }

    #[test]
    fn a_timestamp_has_its_fixed_form() {
        let mut text = Vec::new();
        push_timestamp(&mut text, 4885);
        push_timestamp(&mut text, SECONDS - 1);
        assert_eq!(text, b"2017-11-25 01:21:252017-12-03 23:59:59");
    }
}
