//! How replies are framed, as far as their size goes: what no reply may have is noticed before
//! anything keeps it. The driver makes a value of up to 64 bytes of three, so that bytes alone bound
//! no memory. Pure: any bytes are read, and none makes it panic.

/// Longest line: an error, a word. A server takes no longer one from its clients either.
pub const LINE_BYTES_MAX: usize = 64 * 1024;
/// Longest line that is a number.
const NUMBER_BYTES_MAX: usize = 32;
/// Lists inside each other; the driver goes down into each.
pub const DEPTH_MAX: usize = 32;

/// What the replies to one batch may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bounds {
    /// Bytes, of which a single text may be all.
    pub bytes_max: u64,
    /// Numbers, texts, lists and so on, those inside lists too.
    pub values_max: u64,
}

/// Which bound replies are beyond.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Excess {
    /// [`Bounds::bytes_max`].
    Bytes,
    /// [`Bounds::values_max`].
    Values,
    /// [`LINE_BYTES_MAX`].
    Line,
    /// [`DEPTH_MAX`].
    Depth,
}

impl Excess {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 4] = [Self::Bytes, Self::Values, Self::Line, Self::Depth];

    /// A word for a label.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Values => "values",
            Self::Line => "line",
            Self::Depth => "depth",
        }
    }
}

/// Where a stream of replies is.
#[derive(Debug)]
pub struct Framing {
    bounds: Bounds,
    bytes_left: u64,
    values_left: u64,
    /// Values that are still to come of each list which has begun, the innermost last.
    open: Vec<u64>,
    state: State,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// In front of a value.
    Between,
    Line(Line),
    /// Bytes of a text, and of the line end behind it.
    Text(u64),
    /// No reply at all: whoever reads it says so and hangs up.
    Foreign,
}

/// A line without its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Line {
    /// Its first byte.
    kind: u8,
    length: usize,
    /// How it begins, behind `kind`.
    start: [u8; NUMBER_BYTES_MAX],
    /// Its last byte was a carriage return.
    returned: bool,
}

impl Framing {
    /// In front of the first reply.
    pub const fn new(bounds: Bounds) -> Self {
        let Bounds { bytes_max, values_max } = bounds;
        let (bytes_left, values_left) = (bytes_max, values_max);
        Self { bounds, bytes_left, values_left, open: Vec::new(), state: State::Between }
    }

    /// The next batch is about to be sent.
    pub const fn refill(&mut self) {
        self.bytes_left = self.bounds.bytes_max;
        self.values_left = self.bounds.values_max;
    }

    /// Takes what has been read next, in pieces of any size.
    ///
    /// # Errors
    ///
    /// It is beyond a bound, or says that what follows will be.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), Excess> {
        self.bytes_left = self.bytes_left.checked_sub(bytes.len() as u64).ok_or(Excess::Bytes)?;
        let mut rest = bytes;
        while let Some((first, tail)) = rest.split_first() {
            rest = match self.state {
                State::Between => {
                    self.begin(*first)?;
                    tail
                }
                State::Line(line) => self.line(line, rest)?,
                State::Text(left) => self.text(left, rest),
                State::Foreign => return Ok(()),
            };
        }
        Ok(())
    }

    fn begin(&mut self, kind: u8) -> Result<(), Excess> {
        if !b"+-:$*%~>|_,#!=(".contains(&kind) {
            self.state = State::Foreign;
            return Ok(());
        }
        self.values_left = self.values_left.checked_sub(1).ok_or(Excess::Values)?;
        let start = [0; NUMBER_BYTES_MAX];
        self.state = State::Line(Line { kind, length: 0, start, returned: false });
        Ok(())
    }

    fn line<'b>(&mut self, mut line: Line, bytes: &'b [u8]) -> Result<&'b [u8], Excess> {
        let mut rest = bytes;
        while let Some((byte, tail)) = rest.split_first() {
            rest = tail;
            if *byte == b'\n' && line.returned {
                self.end_line(&line, rest.len() as u64)?;
                return Ok(rest);
            }
            line.take(*byte)?;
        }
        self.state = State::Line(line);
        Ok(rest)
    }

    /// `behind` bytes have come behind the line already.
    fn end_line(&mut self, line: &Line, behind: u64) -> Result<(), Excess> {
        self.state = State::Between;
        if !line.is_length() {
            self.complete();
            return Ok(());
        }
        let Some(length) = line.number() else {
            self.state = State::Foreign;
            return Ok(());
        };
        match (line.kind, u64::try_from(length)) {
            (b'$' | b'!' | b'=', Ok(length)) => {
                let whole = length.saturating_add(2);
                if whole.saturating_sub(behind) > self.bytes_left {
                    return Err(Excess::Bytes);
                }
                self.state = State::Text(whole);
            }
            // The driver takes it for the largest number there is.
            (b'!' | b'=', Err(_negative)) => return Err(Excess::Bytes),
            (b'%' | b'|', Err(_negative)) => self.state = State::Foreign,
            (b'%', Ok(length)) => self.open(length.saturating_mul(2))?,
            (b'|', Ok(length)) => self.open(length.saturating_mul(2).saturating_add(1))?,
            (_, Ok(length)) => self.open(length)?,
            // A text or list that is none.
            (_, Err(_negative)) => self.complete(),
        }
        Ok(())
    }

    fn text<'b>(&mut self, left: u64, bytes: &'b [u8]) -> &'b [u8] {
        let here = usize::try_from(left).unwrap_or(usize::MAX);
        let (text, rest) = bytes.split_at_checked(here).unwrap_or((bytes, &[]));
        let left = left.saturating_sub(text.len() as u64);
        if left > 0 {
            self.state = State::Text(left);
        } else {
            self.state = State::Between;
            self.complete();
        }
        rest
    }

    /// A list of so many values begins.
    fn open(&mut self, count: u64) -> Result<(), Excess> {
        if count > self.values_left {
            return Err(Excess::Values);
        }
        if count == 0 {
            self.complete();
        } else if self.open.len() >= DEPTH_MAX {
            return Err(Excess::Depth);
        } else {
            self.open.push(count);
        }
        Ok(())
    }

    /// A value has come to its end, and so have the lists whose last one it was.
    fn complete(&mut self) {
        while let Some(left) = self.open.last_mut() {
            *left = left.saturating_sub(1);
            if *left > 0 {
                return;
            }
            self.open.pop();
        }
    }
}

impl Line {
    fn take(&mut self, byte: u8) -> Result<(), Excess> {
        if let Some(place) = self.start.get_mut(self.length) {
            *place = byte;
        }
        self.length += 1;
        self.returned = byte == b'\r';
        // A carriage return is not of the line yet.
        let length_max = if self.is_length() { NUMBER_BYTES_MAX } else { LINE_BYTES_MAX };
        if self.length > length_max { Err(Excess::Line) } else { Ok(()) }
    }

    /// Whether it says how long something is.
    const fn is_length(&self) -> bool {
        matches!(self.kind, b'$' | b'!' | b'=' | b'*' | b'~' | b'>' | b'%' | b'|')
    }

    /// As the driver reads it.
    fn number(&self) -> Option<i64> {
        let digits = self.start.get(..self.length.checked_sub(1)?)?;
        std::str::from_utf8(digits).ok()?.trim().parse().ok()
    }
}

#[cfg(test)]
mod tests;
