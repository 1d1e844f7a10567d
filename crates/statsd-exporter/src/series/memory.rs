//! How many bytes all series take together, and how many they may.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// The bytes of a whole registry: estimates, made of the sizes of all that is allocated.
#[derive(Debug)]
pub struct Memory {
    used: AtomicU64,
    max: u64,
    refused: AtomicU64,
}

impl Memory {
    /// Nothing is used, and no more than `max` may be.
    pub const fn new(max: u64) -> Self {
        Self { used: AtomicU64::new(0), max, refused: AtomicU64::new(0) }
    }

    /// Bytes in use.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// How often a series had to do with less than it wanted, since this was last asked.
    pub fn take_refused(&self) -> u64 {
        self.refused.swap(0, Ordering::Relaxed)
    }

    /// Takes `bytes`, or nothing where they do not fit.
    pub(super) fn take(&self, bytes: u64) -> bool {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= self.max;
        if !fits {
            self.give_back(bytes);
        }
        fits
    }

    pub(super) fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What one series takes beyond its fixed size, given back when it goes.
#[derive(Debug)]
pub(super) struct Charge {
    memory: Arc<Memory>,
    bytes: u64,
}

impl Charge {
    pub(super) const fn new(memory: Arc<Memory>) -> Self {
        Self { memory, bytes: 0 }
    }

    /// Whether `bytes` more would fit; where not, that is counted.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let fits = self.memory.used().saturating_add(bytes as u64) <= self.memory.max;
        if !fits {
            self.memory.refused.fetch_add(1, Ordering::Relaxed);
        }
        fits
    }

    /// Says how many bytes there are now.
    pub(super) fn set(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        if bytes > self.bytes {
            self.memory.used.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else if bytes < self.bytes {
            self.memory.give_back(self.bytes - bytes);
        }
        self.bytes = bytes;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.memory.give_back(self.bytes);
    }
}
