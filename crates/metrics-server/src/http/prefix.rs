//! `--web.route-prefix` and `--web.external-url`: all routes below a prefix, as in Prometheus.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, Uri, header, uri::PathAndQuery},
    response::{IntoResponse as _, Response},
};
use tower::ServiceExt as _;

use super::not_found;
use crate::args::WebArgs;

#[derive(Clone)]
struct Below {
    prefix: Arc<str>,
    /// Where a browser finds the landing page.
    home: HeaderValue,
    router: Router,
}

/// `router` with the prefix of `args` before each of its paths; `/` leads there.
pub(super) fn below(args: &WebArgs, router: Router) -> Router {
    let prefix = args.prefix();
    if prefix.is_empty() {
        return router;
    }
    let external = if args.external_url.is_empty() { prefix } else { args.external_path() };
    let home = HeaderValue::from_str(&format!("{external}/"))
        .unwrap_or_else(|_error| HeaderValue::from_static("/"));
    let below = Below { prefix: Arc::from(prefix), home, router };
    Router::new().fallback(route).with_state(below)
}

async fn route(State(below): State<Below>, mut request: Request) -> Response {
    let path = request.uri().path();
    // Links on the landing page are relative to its address, which therefore ends with `/`.
    if path == "/" || path == &*below.prefix {
        return (StatusCode::FOUND, [(header::LOCATION, below.home)]).into_response();
    }
    let inner = path.strip_prefix(&*below.prefix).filter(|inner| inner.starts_with('/'));
    let Some(inner) = inner else { return not_found() };
    let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
    let Ok(inner) = format!("{inner}{query}").parse::<PathAndQuery>() else { return not_found() };
    *request.uri_mut() = Uri::from(inner);
    match below.router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
