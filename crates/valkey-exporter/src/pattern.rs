//! Lua patterns, which put keys into groups: read once, matched here and not in the server.
//!
//! What `string.find` of Lua 5.1 does, in any bytes, with a bound on the steps of a match: a pattern
//! can be written that takes as long as one likes. Nothing panics, whatever the pattern and the key.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use thiserror::Error;

/// Longest pattern. It also bounds how deep a match nests.
pub const PATTERN_BYTES_MAX: usize = 512;
/// Captures of one pattern, as Lua has it.
const CAPTURES_MAX: usize = 32;

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, Error, Eq, PartialEq)]
pub enum PatternError {
    /// See [`PATTERN_BYTES_MAX`].
    #[error("it is longer than {PATTERN_BYTES_MAX} bytes")]
    Long,
    /// `abc%`.
    #[error("it ends with %")]
    EndsWithPercent,
    /// `[abc`.
    #[error("a [ is never closed by ]")]
    OpenSet,
    /// `%bx`.
    #[error("%b is not followed by two characters")]
    Balance,
    /// `%fx`.
    #[error("%f is not followed by [")]
    Frontier,
    /// `(abc`, or `abc)`.
    #[error("a ( and its ) do not stand together")]
    Parentheses,
    /// More than Lua has.
    #[error("it has more than {CAPTURES_MAX} captures")]
    Captures,
    /// `%1` where the first capture is not closed, or is a position.
    #[error("%1 to %9 do not stand for a capture in front of them")]
    BackReference,
}

/// A pattern which can be matched.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern {
    items: Vec<Item>,
    at_start: bool,
}

/// What a pattern did to a subject.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It matched: the captures, one behind the other.
    Match(Vec<u8>),
    /// It did not.
    NoMatch,
    /// It took too many steps.
    Exhausted,
}

/// A part of a pattern.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Item {
    /// One character, so many times.
    Class(Class, Times),
    Open(usize),
    /// `()`: a capture of the place, from 1.
    Position(usize),
    Close(usize),
    Back(usize),
    Balance(u8, u8),
    Frontier(Class),
    /// `$` at the very end.
    End,
}

/// Which characters.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Class {
    Any,
    Byte(u8),
    /// `%a` and its siblings, by the letter in lower case; `true` for the upper case.
    Named(u8, bool),
    Set {
        members: Vec<Member>,
        negated: bool,
    },
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Member {
    Range(u8, u8),
    Named(u8, bool),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Times {
    One,
    /// `?`
    Optional,
    /// `*`
    Many,
    /// `+`
    Some,
    /// `-`: as few as possible.
    Few,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// What is wrong with it, whether or not a key would come so far.
    pub fn parse(text: &[u8]) -> Result<Self, PatternError> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::Long);
        }
        let (at_start, rest) = match text.split_first() {
            Some((b'^', rest)) => (true, rest),
            _ => (false, text),
        };
        let mut reader = Reader { rest, captures: Vec::new() };
        let mut items = Vec::new();
        while let Some(item) = reader.item()? {
            items.push(item);
        }
        if reader.captures.contains(&Capture::Opened) {
            return Err(PatternError::Parentheses);
        }
        Ok(Self { items, at_start })
    }

    /// Looks for the pattern in `subject` from its beginning on, taking at most `steps_max` steps.
    pub fn find(&self, subject: &[u8], steps_max: u32) -> Outcome {
        let mut run = Run {
            items: &self.items,
            subject,
            marks: [Mark::NONE; CAPTURES_MAX],
            steps: steps_max,
        };
        let last = if self.at_start { 0 } else { subject.len() };
        for start in 0..=last {
            match run.rest(0, start) {
                Ok(Some(_end)) => return Outcome::Match(run.captured()),
                Ok(None) => {}
                Err(Exhausted) => return Outcome::Exhausted,
            }
        }
        Outcome::NoMatch
    }
}

/// A pattern while it is read.
struct Reader<'p> {
    rest: &'p [u8],
    captures: Vec<Capture>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Capture {
    Opened,
    Closed,
    Position,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn item(&mut self) -> Result<Option<Item>, PatternError> {
        let Some(byte) = self.next() else { return Ok(None) };
        let item = match byte {
            b'(' => self.open()?,
            b')' => self.close()?,
            b'$' if self.rest.is_empty() => Item::End,
            b'%' => match self.peek() {
                Some(b'b') => self.balance()?,
                Some(b'f') => self.frontier()?,
                Some(digit @ b'0'..=b'9') => {
                    self.next();
                    self.back(digit)?
                }
                _ => self.class(byte)?,
            },
            _ => self.class(byte)?,
        };
        Ok(Some(item))
    }

    fn open(&mut self) -> Result<Item, PatternError> {
        let index = self.captures.len();
        if index >= CAPTURES_MAX {
            return Err(PatternError::Captures);
        }
        if self.peek() == Some(b')') {
            self.next();
            self.captures.push(Capture::Position);
            return Ok(Item::Position(index));
        }
        self.captures.push(Capture::Opened);
        Ok(Item::Open(index))
    }

    fn close(&mut self) -> Result<Item, PatternError> {
        let index = self.captures.iter().rposition(|capture| *capture == Capture::Opened);
        let index = index.ok_or(PatternError::Parentheses)?;
        if let Some(capture) = self.captures.get_mut(index) {
            *capture = Capture::Closed;
        }
        Ok(Item::Close(index))
    }

    fn balance(&mut self) -> Result<Item, PatternError> {
        self.next();
        match (self.next(), self.next()) {
            (Some(open), Some(close)) => Ok(Item::Balance(open, close)),
            _ => Err(PatternError::Balance),
        }
    }

    fn frontier(&mut self) -> Result<Item, PatternError> {
        self.next();
        match self.next() {
            Some(b'[') => Ok(Item::Frontier(self.set()?)),
            _ => Err(PatternError::Frontier),
        }
    }

    fn back(&self, digit: u8) -> Result<Item, PatternError> {
        let index = usize::from(digit).checked_sub(usize::from(b'1'));
        let index = index.ok_or(PatternError::BackReference)?;
        match self.captures.get(index) {
            Some(Capture::Closed) => Ok(Item::Back(index)),
            _ => Err(PatternError::BackReference),
        }
    }

    /// A character or a set, and how often.
    fn class(&mut self, byte: u8) -> Result<Item, PatternError> {
        let class = match byte {
            b'.' => Class::Any,
            b'[' => self.set()?,
            b'%' => named(self.next().ok_or(PatternError::EndsWithPercent)?),
            byte => Class::Byte(byte),
        };
        let times = match self.peek() {
            Some(b'?') => Times::Optional,
            Some(b'*') => Times::Many,
            Some(b'+') => Times::Some,
            Some(b'-') => Times::Few,
            _ => return Ok(Item::Class(class, Times::One)),
        };
        self.next();
        Ok(Item::Class(class, times))
    }

    /// What follows a `[`. A `]` in first place is a member.
    fn set(&mut self) -> Result<Class, PatternError> {
        let negated = self.peek() == Some(b'^');
        if negated {
            self.next();
        }
        let mut members = Vec::new();
        loop {
            let byte = self.next().ok_or(PatternError::OpenSet)?;
            match (byte, self.rest) {
                (b']', _) if !members.is_empty() => return Ok(Class::Set { members, negated }),
                (b'%', _) => members.push(match named(self.next().ok_or(PatternError::OpenSet)?) {
                    Class::Named(letter, other) => Member::Named(letter, other),
                    Class::Byte(byte) => Member::Range(byte, byte),
                    Class::Any | Class::Set { .. } => return Err(PatternError::OpenSet),
                }),
                (_, [b'-', end, ..]) if *end != b']' => {
                    members.push(Member::Range(byte, *end));
                    self.next();
                    self.next();
                }
                _ => members.push(Member::Range(byte, byte)),
            }
        }
    }
}

/// What stands behind a `%`: a class where the letter names one, else the character itself.
fn named(letter: u8) -> Class {
    let lower = letter.to_ascii_lowercase();
    match lower {
        b'a' | b'c' | b'd' | b'l' | b'p' | b's' | b'u' | b'w' | b'x' | b'z' => {
            Class::Named(lower, letter.is_ascii_uppercase())
        }
        _ => Class::Byte(letter),
    }
}

fn has_name(letter: u8, other: bool, byte: u8) -> bool {
    let is = match letter {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => byte.is_ascii_whitespace() || byte == 0x0b,
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        _ => byte == 0,
    };
    is != other
}

impl Class {
    fn has(&self, byte: u8) -> bool {
        match self {
            Self::Any => true,
            Self::Byte(own) => *own == byte,
            Self::Named(letter, other) => has_name(*letter, *other, byte),
            Self::Set { members, negated } => {
                let found = members.iter().any(|member| match member {
                    Member::Range(low, high) => (*low..=*high).contains(&byte),
                    Member::Named(letter, other) => has_name(*letter, *other, byte),
                });
                found != *negated
            }
        }
    }
}

/// Where a capture begins and ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Mark {
    start: usize,
    end: End,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    /// Nothing is captured.
    None,
    Open,
    At(usize),
    /// It is the place that is captured.
    Position,
}

impl Mark {
    const NONE: Self = Self { start: 0, end: End::None };
}

/// A match under way.
struct Run<'r> {
    items: &'r [Item],
    subject: &'r [u8],
    marks: [Mark; CAPTURES_MAX],
    steps: u32,
}

struct Exhausted;

/// Where a match ends, if there is one.
type Found = Result<Option<usize>, Exhausted>;

impl Run<'_> {
    /// Matches the items from `index` on at `place`. It nests once an item.
    fn rest(&mut self, mut index: usize, mut place: usize) -> Found {
        while let Some(item) = self.items.get(index) {
            self.step()?;
            let next = index.saturating_add(1);
            let moved = match item {
                Item::Class(class, Times::One) => {
                    self.has(class, place).then(|| place.saturating_add(1))
                }
                Item::Class(class, times) => return self.repeated(class, *times, next, place),
                Item::Open(capture) => {
                    return self.marked(
                        *capture,
                        Mark { start: place, end: End::Open },
                        next,
                        place,
                    );
                }
                Item::Position(capture) => {
                    return self.marked(
                        *capture,
                        Mark { start: place, end: End::Position },
                        next,
                        place,
                    );
                }
                Item::Close(capture) => {
                    let start = self.marks.get(*capture).map_or(place, |mark| mark.start);
                    return self.marked(*capture, Mark { start, end: End::At(place) }, next, place);
                }
                Item::Back(capture) => self.back(*capture, place),
                Item::Balance(open, close) => self.balance(*open, *close, place)?,
                Item::Frontier(class) => self.is_frontier(class, place).then_some(place),
                Item::End => (place == self.subject.len()).then_some(place),
            };
            let Some(moved) = moved else { return Ok(None) };
            (index, place) = (next, moved);
        }
        Ok(Some(place))
    }

    fn step(&mut self) -> Result<(), Exhausted> {
        self.steps = self.steps.checked_sub(1).ok_or(Exhausted)?;
        Ok(())
    }

    fn has(&self, class: &Class, place: usize) -> bool {
        self.subject.get(place).is_some_and(|byte| class.has(*byte))
    }

    fn repeated(&mut self, class: &Class, times: Times, next: usize, place: usize) -> Found {
        match times {
            Times::Few => self.few(class, next, place),
            Times::Optional => self.many(class, next, place, 0, 1),
            Times::Many => self.many(class, next, place, 0, usize::MAX),
            Times::One | Times::Some => self.many(class, next, place, 1, usize::MAX),
        }
    }

    /// As many as there are, then fewer.
    fn many(
        &mut self,
        class: &Class,
        next: usize,
        place: usize,
        least: usize,
        most: usize,
    ) -> Found {
        let mut count = 0_usize;
        while count < most && self.has(class, place.saturating_add(count)) {
            self.step()?;
            count = count.saturating_add(1);
        }
        while count >= least {
            if let Some(end) = self.rest(next, place.saturating_add(count))? {
                return Ok(Some(end));
            }
            let Some(fewer) = count.checked_sub(1) else { break };
            count = fewer;
        }
        Ok(None)
    }

    fn few(&mut self, class: &Class, next: usize, mut place: usize) -> Found {
        loop {
            if let Some(end) = self.rest(next, place)? {
                return Ok(Some(end));
            }
            if !self.has(class, place) {
                return Ok(None);
            }
            self.step()?;
            place = place.saturating_add(1);
        }
    }

    /// Goes on with a capture set, and takes it back where that leads nowhere.
    fn marked(&mut self, capture: usize, mark: Mark, next: usize, place: usize) -> Found {
        let before = self.set(capture, mark);
        let found = self.rest(next, place)?;
        if found.is_none() {
            self.set(capture, before);
        }
        Ok(found)
    }

    fn set(&mut self, capture: usize, mark: Mark) -> Mark {
        self.marks.get_mut(capture).map_or(mark, |own| std::mem::replace(own, mark))
    }

    fn back(&self, capture: usize, place: usize) -> Option<usize> {
        let captured = self.text(capture)?;
        let rest = self.subject.get(place..)?;
        rest.starts_with(captured).then(|| place.saturating_add(captured.len()))
    }

    fn text(&self, capture: usize) -> Option<&[u8]> {
        match self.marks.get(capture)? {
            Mark { start, end: End::At(end) } => self.subject.get(*start..*end),
            _ => None,
        }
    }

    /// From an `open` to the `close` which belongs to it.
    fn balance(&mut self, open: u8, close: u8, place: usize) -> Result<Option<usize>, Exhausted> {
        if self.subject.get(place) != Some(&open) {
            return Ok(None);
        }
        let mut depth = 1_usize;
        let mut at = place.saturating_add(1);
        while let Some(byte) = self.subject.get(at) {
            self.step()?;
            at = at.saturating_add(1);
            if *byte == close {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Ok(Some(at));
                }
            } else if *byte == open {
                depth = depth.saturating_add(1);
            }
        }
        Ok(None)
    }

    /// Between a character outside of the set and one inside; both ends count as a zero byte.
    fn is_frontier(&self, class: &Class, place: usize) -> bool {
        let before = place.checked_sub(1).and_then(|place| self.subject.get(place));
        let after = self.subject.get(place);
        !class.has(before.copied().unwrap_or(0)) && class.has(after.copied().unwrap_or(0))
    }

    /// The captures in their order; a position as its number.
    fn captured(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for (capture, mark) in self.marks.iter().enumerate() {
            match mark.end {
                End::Position => all.extend(mark.start.saturating_add(1).to_string().into_bytes()),
                _ => all.extend(self.text(capture).unwrap_or_default()),
            }
        }
        all
    }
}

#[cfg(test)]
mod tests;
