//! Basic authentication against bcrypt hashes.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    hint::black_box,
    str::FromStr as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::http::HeaderValue;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bcrypt::HashParts;
use ring::{hmac, rand::SystemRandom};
use tokio::sync::Semaphore;

use super::config::schema::Secret;

/// Outcomes which are remembered.
const REMEMBERED_MAX: usize = 100;
/// The cost that an unknown user's password is hashed with where no user is known.
const COST_DEFAULT: u32 = 10;
/// What an unknown user's password is hashed with; the outcome is thrown away.
const SALT: [u8; 16] = *b"nobody has this.";

/// User names and the bcrypt hashes of their passwords.
#[derive(Default)]
pub(super) struct Users {
    hashes: BTreeMap<String, String>,
    cost_max: u32,
    /// The one user whose password came as it is, by a flag.
    plain: Option<(String, Secret)>,
}

impl Users {
    /// Checks each hash.
    ///
    /// # Errors
    ///
    /// Names the user whose hash is none.
    pub(super) fn new(hashes: BTreeMap<String, String>) -> Result<Self, String> {
        let mut cost_max = 0;
        for (user, hash) in &hashes {
            let parts =
                HashParts::from_str(hash).map_err(|_error| format!("{user}: not a bcrypt hash"))?;
            if !(4..=31).contains(&parts.get_cost()) {
                return Err(format!("{user}: bcrypt has no cost {}", parts.get_cost()));
            }
            cost_max = cost_max.max(parts.get_cost());
        }
        Ok(Self { hashes, cost_max, plain: None })
    }

    /// One user and a password which is not hashed.
    pub(super) fn plain(user: String, password: Secret) -> Self {
        Self { plain: Some((user, password)), ..Self::default() }
    }

    /// Whether nobody has to say who they are.
    pub(super) fn is_empty(&self) -> bool {
        self.hashes.is_empty() && self.plain.is_none()
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.plain.iter().map(|(user, _password)| user);
        f.debug_set().entries(self.hashes.keys().chain(plain)).finish()
    }
}

/// Checks passwords, one at a time, off the thread which serves.
///
/// Passwords are remembered as digests under a key which this process alone knows.
pub(super) struct Authenticator {
    key: hmac::Key,
    outcomes: Arc<Mutex<Outcomes>>,
    hashing: Arc<Semaphore>,
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").finish_non_exhaustive()
    }
}

impl Authenticator {
    /// Remembers nothing yet.
    pub(super) fn new() -> Self {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .expect("the system gives random bytes");
        Self { key, outcomes: Arc::default(), hashing: Arc::new(Semaphore::new(1)) }
    }

    /// Whether `header`, the value of `Authorization`, names one of `users` and the right password.
    ///
    /// An unknown user takes the time of a wrong password.
    pub(super) async fn admits(&self, users: &Users, header: Option<&HeaderValue>) -> bool {
        let Some((user, password)) = header.and_then(credentials) else { return false };
        if let Some((known, expected)) = &users.plain {
            // Digests under a secret key: how long comparing them takes tells nothing.
            let expected = self.digest(known.as_bytes(), "", expected.0.as_bytes());
            return self.digest(&user, "", &password) == expected;
        }
        let known = std::str::from_utf8(&user).ok().and_then(|user| users.hashes.get(user));
        let digest = self.digest(&user, known.map_or("", String::as_str), &password);
        if let Some(admitted) = self.outcomes().get(&digest) {
            return admitted;
        }
        let Ok(permit) = Arc::clone(&self.hashing).acquire_owned().await else { return false };
        // Whoever waited may find the outcome which somebody else waited for.
        if let Some(admitted) = self.outcomes().get(&digest) {
            return admitted;
        }
        let hash = known.cloned();
        let cost = if users.cost_max == 0 { COST_DEFAULT } else { users.cost_max };
        let outcomes = Arc::clone(&self.outcomes);
        // The permit goes along, so that a client which hangs up does not let a second one in.
        let hashing = tokio::task::spawn_blocking(move || {
            let admitted = if let Some(hash) = hash {
                bcrypt::verify(&password, &hash).unwrap_or(false)
            } else {
                drop(black_box(bcrypt::hash_with_salt(&password, cost, SALT)));
                false
            };
            lock(&outcomes).insert(digest, admitted);
            drop(permit);
            admitted
        });
        hashing.await.unwrap_or(false)
    }

    fn digest(&self, user: &[u8], hash: &str, password: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [user, hash.as_bytes(), password] {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }

    fn outcomes(&self) -> MutexGuard<'_, Outcomes> {
        lock(&self.outcomes)
    }
}

fn lock(outcomes: &Mutex<Outcomes>) -> MutexGuard<'_, Outcomes> {
    outcomes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// User and password of an `Authorization` header, as Go reads it.
fn credentials(header: &HeaderValue) -> Option<(Vec<u8>, Vec<u8>)> {
    let (scheme, encoded) = header.as_bytes().split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let decoded = STANDARD.decode(encoded).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let (user, password) = decoded.split_at(colon);
    Some((user.to_vec(), password.get(1..)?.to_vec()))
}

/// Outcomes by digest. Wrong passwords make room first, the oldest before the others, so that
/// guessing does not push out those who scrape.
#[derive(Default)]
struct Outcomes {
    by_digest: BTreeMap<[u8; 32], bool>,
    admitted: VecDeque<[u8; 32]>,
    refused: VecDeque<[u8; 32]>,
}

impl Outcomes {
    fn get(&self, digest: &[u8; 32]) -> Option<bool> {
        self.by_digest.get(digest).copied()
    }

    fn insert(&mut self, digest: [u8; 32], admitted: bool) {
        if self.by_digest.insert(digest, admitted).is_some() {
            return;
        }
        let queue = if admitted { &mut self.admitted } else { &mut self.refused };
        queue.push_back(digest);
        if self.by_digest.len() > REMEMBERED_MAX {
            let oldest = self.refused.pop_front().or_else(|| self.admitted.pop_front());
            if let Some(oldest) = oldest {
                self.by_digest.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests;
