//! Helpers of the black-box tests: exporters as processes, pages as samples, waiting with an end.

mod browser;
mod certificates;
mod exporter;
mod page;
pub mod postgres;
pub mod promql;
pub mod rules;
pub mod servers;
mod wait;

pub use browser::Browser;
pub use certificates::Authority;
pub use exporter::{
    Exporter, Response, Stopped, binary, example, get, get_with, post, run_to_end,
    without_own_variables,
};
pub use page::{Page, Sample};
pub use wait::{eventually, eventually_within};

use std::path::Path;

/// The repository's root.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository")
}
