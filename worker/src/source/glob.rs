//! Wildcards of paths: `?`, `*`, `[..]`, `[^..]`, `[!..]`, `{a,b}`, and `\` before one of them.
//!
//! A pattern becomes a small automaton whose states are followed all at once, so matching costs at most
//! (length of the key) × (length of the pattern), whatever stands in either. The same automaton tells a
//! listing which folders can still lead to a match.

use std::fmt;

/// Deepest nesting of braces.
const MAX_DEPTH: usize = 16;
/// Longest pattern, characters; keys of S3 are at most 1,024 bytes long.
const MAX_LENGTH: usize = 4096;

/// Why a pattern cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlobError {
    /// Character of the pattern where it goes wrong, from 1.
    pub position: usize,
    /// What is wrong.
    pub problem: &'static str,
}

impl fmt::Display for GlobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "character {}: {}", self.position, self.problem)
    }
}

/// A set of characters between brackets. Never holds `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Class {
    negated: bool,
    ranges: Vec<(char, char)>,
}

impl Class {
    fn contains(&self, c: char) -> bool {
        c != '/' && self.ranges.iter().any(|&(low, high)| low <= c && c <= high) != self.negated
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Literal(char),
    AnyCharacter,
    AnyText,
    Class(Class),
    Alternatives(Vec<Vec<Node>>),
}

type StateId = u32;

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Literal(char, StateId),
    AnyCharacter(StateId),
    AnyText(StateId),
    Class(Class, StateId),
    Fork(Vec<StateId>),
    Accept,
}

/// The states an automaton can be in after some text; empty: no text can follow that matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position(Vec<StateId>);

impl Position {
    /// Whether no continuation can match.
    pub fn is_dead(&self) -> bool {
        self.0.is_empty()
    }
}

/// A pattern, ready to match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    states: Vec<State>,
    /// For each state, what [`Glob::closure`] says.
    closures: Vec<Vec<StateId>>,
    /// Characters that every match begins with.
    literal_prefix: String,
    after_prefix: Position,
    has_wildcards: bool,
}

impl Glob {
    /// Reads a pattern. `^`, `,`, `!`, `-`, `]` and `}` outside brackets and braces stand for themselves.
    pub fn parse(pattern: &str) -> Result<Self, GlobError> {
        let mut parser = Parser { characters: pattern.chars().collect(), at: 0, has_wildcards: false };
        if parser.characters.len() > MAX_LENGTH {
            return Err(parser.error(MAX_LENGTH, "the path is longer than 4096 characters"));
        }
        let nodes = parser.sequence(0)?;
        let mut glob = Self {
            states: vec![State::Accept],
            closures: Vec::new(),
            literal_prefix: String::new(),
            after_prefix: Position(Vec::new()),
            has_wildcards: parser.has_wildcards,
        };
        let start = glob.compile(&nodes, 0);
        glob.closures = (0..glob.states.len() as StateId).map(|id| glob.closure(id)).collect();
        let start = Position(glob.closures[start as usize].clone());
        (glob.literal_prefix, glob.after_prefix) = glob.literal_run(&start);
        Ok(glob)
    }

    /// The longest text that every match begins with.
    pub fn literal_prefix(&self) -> &str {
        &self.literal_prefix
    }

    /// Whether the pattern holds a wildcard; without one it matches exactly one text.
    pub fn has_wildcards(&self) -> bool {
        self.has_wildcards
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        match text.strip_prefix(&self.literal_prefix) {
            Some(rest) => self.accepts(&self.advance(&self.after_prefix, rest)),
            None => false,
        }
    }

    /// Where the automaton stands after [`Glob::literal_prefix`].
    pub fn after_prefix(&self) -> &Position {
        &self.after_prefix
    }

    /// A position from which nothing matches.
    pub fn dead(&self) -> Position {
        Position(Vec::new())
    }

    /// Where it stands after `text` more.
    pub fn advance(&self, from: &Position, text: &str) -> Position {
        let mut position = from.clone();
        let mut next = Vec::with_capacity(position.0.len());
        let mut added = Added::new(self.states.len());
        for c in text.chars() {
            if position.is_dead() {
                break;
            }
            added.clear();
            next.clear();
            for &id in &position.0 {
                let to = match &self.states[id as usize] {
                    State::Literal(wanted, to) if *wanted == c => *to,
                    State::AnyCharacter(to) if c != '/' => *to,
                    State::AnyText(_) if c != '/' => id,
                    State::Class(class, to) if class.contains(c) => *to,
                    _ => continue,
                };
                next.extend(self.closures[to as usize].iter().copied().filter(|&id| added.insert(id)));
            }
            std::mem::swap(&mut position.0, &mut next);
        }
        position
    }

    /// Whether the text so far is a match.
    pub fn accepts(&self, position: &Position) -> bool {
        position.0.iter().any(|&id| self.states[id as usize] == State::Accept)
    }

    /// The text that every match goes on with from here, and the position after it.
    pub fn literal_run(&self, from: &Position) -> (String, Position) {
        let mut run = String::new();
        let mut position = from.clone();
        while let Some(c) = self.only_character(&position) {
            run.push(c);
            position = self.advance(&position, c.encode_utf8(&mut [0; 4]));
        }
        (run, position)
    }

    fn only_character(&self, position: &Position) -> Option<char> {
        let mut only = None;
        for &id in &position.0 {
            match &self.states[id as usize] {
                State::Literal(c, _) if only.is_none_or(|o| o == *c) => only = Some(*c),
                State::Fork(_) => {}
                _ => return None,
            }
        }
        only
    }

    /// The states that read a character, or accept, and are reached from `from` without reading one.
    fn closure(&self, from: StateId) -> Vec<StateId> {
        let mut reached = Vec::new();
        let mut open = vec![from];
        let mut added = Added::new(self.states.len());
        while let Some(id) = open.pop() {
            if !added.insert(id) {
                continue;
            }
            match &self.states[id as usize] {
                State::Fork(to) => open.extend(to),
                State::AnyText(to) => {
                    reached.push(id);
                    open.push(*to);
                }
                _ => reached.push(id),
            }
        }
        reached
    }

    /// Adds states for `nodes` that lead to `next`, and gives the first.
    fn compile(&mut self, nodes: &[Node], next: StateId) -> StateId {
        nodes.iter().rev().fold(next, |next, node| {
            let state = match node {
                Node::Literal(c) => State::Literal(*c, next),
                Node::AnyCharacter => State::AnyCharacter(next),
                Node::AnyText => State::AnyText(next),
                Node::Class(class) => State::Class(class.clone(), next),
                Node::Alternatives(choices) => {
                    State::Fork(choices.iter().map(|choice| self.compile(choice, next)).collect())
                }
            };
            self.states.push(state);
            (self.states.len() - 1) as StateId
        })
    }
}

/// A set of state numbers; without allocation for automata of up to 128 states.
enum Added {
    Few(u128),
    Many(Vec<bool>),
}

impl Added {
    fn new(states: usize) -> Self {
        if states <= 128 { Self::Few(0) } else { Self::Many(vec![false; states]) }
    }

    fn clear(&mut self) {
        match self {
            Self::Few(bits) => *bits = 0,
            Self::Many(flags) => flags.fill(false),
        }
    }

    /// Whether the state was not in the set yet.
    fn insert(&mut self, id: StateId) -> bool {
        match self {
            Self::Few(bits) => {
                let bit = 1u128 << id;
                let new = *bits & bit == 0;
                *bits |= bit;
                new
            }
            Self::Many(flags) => !std::mem::replace(&mut flags[id as usize], true),
        }
    }
}

struct Parser {
    characters: Vec<char>,
    at: usize,
    has_wildcards: bool,
}

impl Parser {
    /// Characters up to the end, or, inside braces, up to `,` or `}` (which is left).
    fn sequence(&mut self, depth: usize) -> Result<Vec<Node>, GlobError> {
        let mut nodes = Vec::new();
        while let Some(&c) = self.characters.get(self.at) {
            let node = match c {
                ',' | '}' if depth > 0 => break,
                '\\' => self.escaped()?,
                '?' => self.wildcard(Node::AnyCharacter),
                '*' => self.wildcard(Node::AnyText),
                '[' => self.class()?,
                '{' => self.alternatives(depth + 1)?,
                c => {
                    self.at += 1;
                    Node::Literal(c)
                }
            };
            // Two stars say what one says.
            if !(node == Node::AnyText && nodes.last() == Some(&Node::AnyText)) {
                nodes.push(node);
            }
        }
        Ok(nodes)
    }

    fn wildcard(&mut self, node: Node) -> Node {
        self.has_wildcards = true;
        self.at += 1;
        node
    }

    fn escaped(&mut self) -> Result<Node, GlobError> {
        let Some(&c) = self.characters.get(self.at + 1) else {
            return Err(self.error(self.at, "nothing follows the backslash; write \\\\ for a backslash"));
        };
        self.at += 2;
        Ok(Node::Literal(c))
    }

    fn alternatives(&mut self, depth: usize) -> Result<Node, GlobError> {
        let open = self.at;
        if depth > MAX_DEPTH {
            return Err(self.error(open, "braces are nested more than 16 deep"));
        }
        self.has_wildcards = true;
        let mut choices = Vec::new();
        loop {
            self.at += 1;
            choices.push(self.sequence(depth)?);
            match self.characters.get(self.at) {
                Some('}') => break,
                Some(_) => {}
                None => return Err(self.error(open, "'{' is not closed; write \\{ for a brace in a key")),
            }
        }
        self.at += 1;
        Ok(Node::Alternatives(choices))
    }

    fn class(&mut self) -> Result<Node, GlobError> {
        let open = self.at;
        let unclosed = "'[' is not closed; write \\[ for a bracket in a key";
        self.has_wildcards = true;
        self.at += 1;
        let negated = matches!(self.characters.get(self.at), Some('^' | '!'));
        self.at += usize::from(negated);
        let first = self.at;
        let mut ranges = Vec::new();
        loop {
            match self.characters.get(self.at) {
                None => return Err(self.error(open, unclosed)),
                // A bracket right after the opening one is a member.
                Some(']') if self.at > first => break,
                Some(_) => {}
            }
            let low_at = self.at;
            let low = self.class_member(open)?;
            let is_range = self.characters.get(self.at) == Some(&'-')
                && self.characters.get(self.at + 1).is_some_and(|&c| c != ']');
            if !is_range {
                ranges.push((low, low));
                continue;
            }
            self.at += 1;
            let high = self.class_member(open)?;
            if low > high {
                return Err(self.error(low_at, "the range runs backwards"));
            }
            ranges.push((low, high));
        }
        self.at += 1;
        Ok(Node::Class(Class { negated, ranges }))
    }

    fn class_member(&mut self, open: usize) -> Result<char, GlobError> {
        if self.characters.get(self.at) == Some(&'\\') {
            self.at += 1;
        }
        let Some(&c) = self.characters.get(self.at) else {
            return Err(self.error(open, "'[' is not closed; write \\[ for a bracket in a key"));
        };
        self.at += 1;
        Ok(c)
    }

    fn error(&self, at: usize, problem: &'static str) -> GlobError {
        GlobError { position: at + 1, problem }
    }
}

#[cfg(test)]
mod tests;
