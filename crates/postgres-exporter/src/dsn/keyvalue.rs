//! `host=db user=monitor password='two words'`, read as libpq does.

use std::{iter::Peekable, str::Chars};

use super::{DsnError, Pairs};

/// Reads all pairs of `text`.
pub(super) fn parse(text: &str) -> Result<Pairs, DsnError> {
    let mut pairs = Pairs::new();
    let mut rest = text.chars().peekable();
    skip_spaces(&mut rest);
    while rest.peek().is_some() {
        let key = key(&mut rest)?;
        let value = value(&mut rest)?;
        pairs.push((key, value));
        skip_spaces(&mut rest);
    }
    if pairs.is_empty() { Err(DsnError::Form) } else { Ok(pairs) }
}

fn key(rest: &mut Peekable<Chars<'_>>) -> Result<String, DsnError> {
    let mut key = String::new();
    while let Some(character) = rest.next_if(|c| *c != '=' && !c.is_whitespace()) {
        key.push(character);
    }
    skip_spaces(rest);
    if key.is_empty() {
        return Err(DsnError::Form);
    }
    rest.next_if_eq(&'=').ok_or(DsnError::NoValue)?;
    skip_spaces(rest);
    Ok(key)
}

fn value(rest: &mut Peekable<Chars<'_>>) -> Result<String, DsnError> {
    let quoted = rest.next_if_eq(&'\'').is_some();
    let mut value = String::new();
    loop {
        match rest.next_if(|c| quoted || !c.is_whitespace()) {
            Some('\'') if quoted => return Ok(value),
            Some('\\') => value.push(rest.next().ok_or(DsnError::Quote)?),
            Some(character) => value.push(character),
            None if quoted => return Err(DsnError::Quote),
            None => return Ok(value),
        }
    }
}

fn skip_spaces(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|c| c.is_whitespace()).is_some() {}
}
