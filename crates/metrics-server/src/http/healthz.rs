//! `/-/healthy`, `/-/ready` and `/health…`.

use std::time::Instant;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};

use super::{Shared, text};

pub(super) fn routes(shared: &Shared, plain_health: bool) -> Router {
    let health = if plain_health { get(plain) } else { get(report) };
    Router::new()
        .route("/-/healthy", get(healthy).fallback(nothing))
        .route("/-/ready", get(ready).fallback(nothing))
        .route("/health", health)
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .with_state(shared.clone())
}

/// The Go exporters answer methods other than GET with success and nothing.
async fn nothing() -> Response {
    text(StatusCode::OK, "")
}

async fn healthy(State(shared): State<Shared>) -> Response {
    text(StatusCode::OK, format!("{} is Healthy.\n", shared.info.title))
}

async fn ready(State(shared): State<Shared>) -> Response {
    if shared.health.is_ready() {
        text(StatusCode::OK, format!("{} is Ready.\n", shared.info.title))
    } else {
        text(StatusCode::SERVICE_UNAVAILABLE, format!("{} is not ready yet.\n", shared.info.title))
    }
}

async fn live(State(shared): State<Shared>) -> Response {
    if shared.health.is_live() {
        text(StatusCode::OK, "ok\n")
    } else {
        text(StatusCode::SERVICE_UNAVAILABLE, "not alive, see /health\n")
    }
}

/// `ok`, whatever the state, unless the client asks for JSON by name.
async fn plain(state: State<Shared>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("application/json")) {
        report(state).await
    } else {
        text(StatusCode::OK, "ok")
    }
}

async fn report(State(shared): State<Shared>) -> Response {
    #[expect(clippy::disallowed_methods, reason = "a request starts its own clock")]
    let report = shared.health.report(shared.info.version, Instant::now());
    let status = match report.status {
        "ok" => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let json = serde_json::to_string(&report).expect("a report has only plain values");
    let content_type = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, content_type)], json + "\n").into_response()
}
