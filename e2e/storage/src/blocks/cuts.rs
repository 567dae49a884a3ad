//! Where the power is cut, and what it leaves of the writes that no fsync had made durable.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, bail};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::image::{Image, pieces};
use super::record::Entry;
use crate::model::Mark;

/// One cut of the power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cut {
    /// Entries of the record that had come before.
    pub at: usize,
    /// What is left of the writes after the last fsync.
    pub keep: Keep,
}

/// What is left of the writes after the last fsync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keep {
    /// Nothing.
    None,
    /// All, in order up to the cut.
    All,
    /// Each block of each write by lot.
    Some(u64),
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.keep {
            Keep::None => write!(f, "{}:none", self.at),
            Keep::All => write!(f, "{}:all", self.at),
            Keep::Some(seed) => write!(f, "{}:{seed}", self.at),
        }
    }
}

impl FromStr for Cut {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (at, keep) = text.split_once(':').context("a cut is <entries>:<none, all or a seed>")?;
        let keep = match keep {
            "none" => Keep::None,
            "all" => Keep::All,
            seed => Keep::Some(seed.parse()?),
        };
        Ok(Self { at: at.parse()?, keep })
    }
}

/// What one cut leaves: `durable` holds all up to the last fsync, `loose` are the entries from there to the
/// cut.
pub fn image_after(durable: &Image, loose: &[Entry], keep: Keep) -> Image {
    let mut image = durable.clone();
    let mut lot = match keep {
        Keep::None => return image,
        Keep::All => None,
        Keep::Some(seed) => {
            let mut rng = StdRng::seed_from_u64(seed);
            let share = [0.1, 0.5, 0.9][rng.random_range(0..3)];
            Some((rng, share))
        }
    };
    let mut keeps = || lot.as_mut().is_none_or(|(rng, share)| rng.random_bool(*share));
    for entry in loose {
        match entry {
            Entry::Write { offset, bytes } => {
                for (at, start, length) in pieces(*offset, bytes.len() as u64) {
                    if keeps() {
                        image.write(at, &bytes[start as usize..(start + length) as usize]);
                    }
                }
            }
            Entry::Zeros { offset, length } => {
                for (at, _, length) in pieces(*offset, *length) {
                    if keeps() {
                        image.zero(at, length);
                    }
                }
            }
            Entry::Sync | Entry::Mark(_) => {}
        }
    }
    image
}

/// Makes an entry part of what is durable.
pub fn settle(durable: &mut Image, entry: &Entry) {
    match entry {
        Entry::Write { offset, bytes } => durable.write(*offset, bytes),
        Entry::Zeros { offset, length } => durable.zero(*offset, *length),
        Entry::Sync | Entry::Mark(_) => {}
    }
}

/// Chooses `count` cuts, in order: after each acknowledgement (with nothing loose left), around each fsync
/// and at random points between, all after the first mark. Fewer than that by lot, more are random points.
pub fn choose(entries: &[Entry], count: usize, seed: u64) -> Vec<Cut> {
    let mut rng = StdRng::seed_from_u64(seed);
    let Some(first) = entries.iter().position(|entry| matches!(entry, Entry::Mark(_))) else {
        return Vec::new();
    };
    let mut acknowledged = Vec::new();
    let mut fsyncs = Vec::new();
    for (index, entry) in entries.iter().enumerate().skip(first) {
        match entry {
            Entry::Mark(Mark::Begin(_)) | Entry::Write { .. } | Entry::Zeros { .. } => {}
            Entry::Mark(_) => acknowledged.push(Cut { at: index + 1, keep: Keep::None }),
            // Just before it is done: all that it was to make durable is loose.
            Entry::Sync => fsyncs.push(Cut { at: index, keep: any(&mut rng) }),
        }
    }
    acknowledged.shuffle(&mut rng);
    fsyncs.shuffle(&mut rng);
    let mut cuts = acknowledged;
    cuts.truncate(count / 3);
    cuts.extend(fsyncs);
    cuts.truncate(count * 5 / 6);
    while cuts.len() < count {
        cuts.push(Cut { at: rng.random_range(first..=entries.len()), keep: any(&mut rng) });
    }
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

fn any(rng: &mut StdRng) -> Keep {
    match rng.random_range(0..4) {
        0 => Keep::None,
        1 => Keep::All,
        _ => Keep::Some(rng.random_range(0..1 << 32)),
    }
}

/// Refuses a cut that the record does not have.
pub fn within(cut: Cut, entries: &[Entry]) -> anyhow::Result<Cut> {
    if cut.at > entries.len() {
        bail!("the record has {} entries, the cut is after {}", entries.len(), cut.at);
    }
    Ok(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Vec<Entry> {
        let write = |offset| Entry::Write { offset, bytes: vec![1; 8192] };
        vec![
            write(0),
            Entry::Sync,
            Entry::Mark(Mark::Begin(0)),
            write(8192),
            Entry::Sync,
            Entry::Mark(Mark::Done(0, 0)),
            write(16384),
        ]
    }

    fn kept(keep: Keep) -> usize {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        image_after(&Image::default(), &record(), keep).save(&path, 32768).unwrap();
        std::fs::read(path).unwrap().iter().filter(|byte| **byte == 1).count()
    }

    #[test]
    fn loose_writes_stay_whole_not_at_all_or_by_blocks() {
        assert_eq!(kept(Keep::None), 0);
        assert_eq!(kept(Keep::All), 24576);
        let by_lot: Vec<usize> = (0..40).map(|seed| kept(Keep::Some(seed))).collect();
        assert!(by_lot.iter().all(|bytes| bytes % 4096 == 0));
        assert!(by_lot.iter().any(|bytes| !matches!(bytes, 0 | 24576)));
        assert_eq!(kept(Keep::Some(3)), kept(Keep::Some(3)));
    }

    #[test]
    fn cuts_lie_after_the_first_mark_and_after_each_acknowledgement() {
        let cuts = choose(&record(), 60, 1);
        assert!(cuts.iter().all(|cut| (2..=7).contains(&cut.at)), "{cuts:?}");
        assert!(cuts.contains(&Cut { at: 6, keep: Keep::None }));
        assert!(cuts.iter().any(|cut| cut.at == 4));
        assert!(cuts.is_sorted());
    }

    #[test]
    fn a_cut_is_read_as_it_is_printed() {
        for keep in [Keep::None, Keep::All, Keep::Some(77)] {
            let cut = Cut { at: 12, keep };
            assert_eq!(cut.to_string().parse::<Cut>().unwrap(), cut);
        }
    }
}
