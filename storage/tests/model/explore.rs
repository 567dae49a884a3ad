//! Exploring a world: every state breadth first up to a bound, then random walks past it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hash, Hasher};

use crate::invariants::{Broken, check, check_last_run};
use crate::rules::Rules;
use crate::world::{Steps, World};

/// Steps of a walk.
const WALK: usize = 120;

/// How far to go.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// States breadth first.
    pub states: usize,
    /// Random walks after them.
    pub walks: usize,
}

/// What was seen.
#[derive(Debug, Clone, Default)]
pub struct Explored {
    pub states: usize,
    /// Whether these are all that can be reached within the bounds of the encoding.
    pub complete: bool,
    pub walked: usize,
    pub found: Option<Found>,
}

/// A state that breaks an invariant, and the way there.
#[derive(Debug, Clone)]
pub struct Found {
    pub broken: Broken,
    pub trace: Vec<String>,
}

impl Found {
    fn new(broken: Broken, from: &World, rules: Rules, path: &[u16]) -> Self {
        Self { broken, trace: replay(from, rules, path) }
    }

    /// The violation and each step on the way to it, a line each.
    pub fn story(&self) -> String {
        let steps: String = self.trace.iter().map(|line| format!("\n    {line}")).collect();
        format!("{} after {} steps:{steps}", self.broken, self.trace.len())
    }
}

/// Multiplies and folds: a state is told from another by 64 bits.
#[derive(Default)]
struct Fold(u64);

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(value.into());
    }

    fn write_u16(&mut self, value: u16) {
        self.write_u64(value.into());
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        let product = u128::from(self.0 ^ value ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93_u128;
        self.0 = (product as u64) ^ (product >> 64) as u64 ^ self.0.rotate_left(23);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value as u64);
    }
}

/// A key that is a hash already.
#[derive(Default)]
struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

type ByHash<V> = HashMap<u64, V, BuildHasherDefault<Ready>>;

fn fingerprint(world: &World) -> u64 {
    let mut hasher = Fold::default();
    world.hash(&mut hasher);
    hasher.finish()
}

/// Both: breadth first, then walks, if nothing was found and something is left.
pub fn explore(from: &World, rules: Rules, bounds: Bounds, seed: u64) -> Explored {
    let mut explored = breadth_first(from, rules, bounds.states);
    if explored.found.is_none() && bounds.walks > 0 {
        let (walked, found) = walk(from, rules, bounds.walks, seed);
        (explored.walked, explored.found) = (walked, found);
    }
    explored
}

/// Every state, the nearest first; where nobody can go on, a last run alone must end.
pub fn breadth_first(from: &World, rules: Rules, states: usize) -> Explored {
    // Each state with the one that it was reached from, and by which of its steps.
    let mut seen: ByHash<(u64, u16)> = ByHash::default();
    let mut queue = VecDeque::new();
    let first = fingerprint(from);
    seen.insert(first, (first, 0));
    queue.push_back((first, from.clone()));
    let mut steps = Steps::default();
    while let Some((before, world)) = queue.pop_front() {
        world.steps(rules, &mut steps);
        if steps.worlds.is_empty()
            && let Err(broken) = check_last_run(&world, rules)
        {
            let found = Found::new(broken, from, rules, &path_to(&seen, first, before));
            return Explored { states: seen.len(), found: Some(found), ..Explored::default() };
        }
        for (choice, (_, next)) in (0_u16..).zip(steps.worlds.drain(..)) {
            let print = fingerprint(&next);
            if seen.contains_key(&print) {
                continue;
            }
            seen.insert(print, (before, choice));
            if let Err(broken) = check(&next) {
                let found = Found::new(broken, from, rules, &path_to(&seen, first, print));
                return Explored { states: seen.len(), found: Some(found), ..Explored::default() };
            }
            if !next.is_crowded() {
                queue.push_back((print, next));
            }
        }
        if seen.len() >= states {
            return Explored { states: seen.len(), ..Explored::default() };
        }
    }
    Explored { states: seen.len(), complete: true, ..Explored::default() }
}

fn path_to(seen: &ByHash<(u64, u16)>, first: u64, mut at: u64) -> Vec<u16> {
    let mut path = Vec::new();
    while at != first {
        let (before, choice) = seen[&at];
        path.push(choice);
        at = before;
    }
    path.reverse();
    path
}

/// The same steps again, in words.
fn replay(from: &World, rules: Rules, path: &[u16]) -> Vec<String> {
    let mut world = from.clone();
    let mut trace = Vec::new();
    for choice in path {
        let mut steps = Steps { in_words: true, ..Steps::default() };
        world.steps(rules, &mut steps);
        let (words, next) = steps.worlds.swap_remove(*choice as usize);
        trace.push(words);
        world = next;
    }
    trace
}

/// Random walks, far past what breadth first reaches; after each of them a last run alone must end.
fn walk(from: &World, rules: Rules, walks: usize, seed: u64) -> (usize, Option<Found>) {
    let mut random = seed | 1;
    let mut below = move |bound: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 11) as usize % bound
    };
    let mut seen: HashSet<u64, BuildHasherDefault<Ready>> = HashSet::default();
    let mut steps = Steps::default();
    for _ in 0..walks {
        let mut world = from.clone();
        let mut path = Vec::new();
        for _ in 0..WALK {
            steps.worlds.clear();
            world.steps(rules, &mut steps);
            if steps.worlds.is_empty() || world.is_crowded() {
                break;
            }
            let choice = below(steps.worlds.len());
            path.push(choice as u16);
            world = steps.worlds.swap_remove(choice).1;
            if seen.insert(fingerprint(&world))
                && let Err(broken) = check(&world)
            {
                return (seen.len(), Some(Found::new(broken, from, rules, &path)));
            }
        }
        if let Err(broken) = check_last_run(&world, rules) {
            return (seen.len(), Some(Found::new(broken, from, rules, &path)));
        }
    }
    (seen.len(), None)
}

/// Every state in which nobody can go on.
pub fn ends(from: &World, rules: Rules) -> Vec<World> {
    let mut seen: HashSet<u64, BuildHasherDefault<Ready>> = HashSet::default();
    let mut stack = vec![from.clone()];
    let mut ends = Vec::new();
    let mut steps = Steps::default();
    while let Some(world) = stack.pop() {
        if !seen.insert(fingerprint(&world)) {
            continue;
        }
        world.steps(rules, &mut steps);
        if steps.worlds.is_empty() {
            ends.push(world);
        }
        stack.extend(steps.worlds.drain(..).map(|(_, next)| next));
    }
    ends
}
