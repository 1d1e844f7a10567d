//! Scrapes that ask a server for the same at the same time, joined into one.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{
    FutureExt as _,
    future::{Shared, WeakShared},
};

use crate::scrape::Contact;

/// A scrape on its way. Whoever waits for it drives it: it ends with the last of them.
pub(crate) type Flight = Pin<Box<dyn Future<Output = Arc<Contact>> + Send>>;

/// The scrapes on their way, by server and by what is asked for.
#[derive(Default)]
pub(crate) struct Flights(Mutex<BTreeMap<(String, String), WeakShared<Flight>>>);

impl Flights {
    /// The scrape of `server` which is on its way, or a new one.
    pub(crate) fn join(
        &self,
        server: &str,
        request: &str,
        start: impl FnOnce() -> Flight,
    ) -> Shared<Flight> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those which have ended, or which nobody waits for any more.
        flights.retain(|_, flight| flight.upgrade().is_some_and(|flight| flight.peek().is_none()));
        let key = (server.to_owned(), request.to_owned());
        if let Some(flight) = flights.get(&key).and_then(WeakShared::upgrade) {
            return flight;
        }
        let flight = start().shared();
        if let Some(weak) = flight.downgrade() {
            flights.insert(key, weak);
        }
        flight
    }
}

impl fmt::Debug for Flights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").finish_non_exhaustive()
    }
}
