//! `/-/reload` and `/-/quit`.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{MethodRouter, post},
};

use super::text;
use crate::shutdown::ShutdownHandle;

/// Reads the exporter's configuration again; may block.
type Reload = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

pub(super) fn routes(stop: ShutdownHandle, handler: Reload) -> Router {
    Router::new()
        .route("/-/reload", on_put_or_post(post(reload).put(reload)).with_state(handler))
        .merge(quit_route(stop))
}

pub(super) fn quit_route(stop: ShutdownHandle) -> Router {
    Router::new().route("/-/quit", on_put_or_post(post(quit).put(quit)).with_state(stop))
}

fn on_put_or_post<S: Clone + Send + Sync + 'static>(acting: MethodRouter<S>) -> MethodRouter<S> {
    acting.fallback(|| async {
        let mut response =
            text(StatusCode::METHOD_NOT_ALLOWED, "Only POST or PUT requests allowed\n");
        let allowed = axum::http::HeaderValue::from_static("POST, PUT");
        response.headers_mut().insert(axum::http::header::ALLOW, allowed);
        response
    })
}

async fn reload(State(reload): State<Reload>) -> Response {
    let outcome = tokio::task::spawn_blocking(move || reload()).await;
    match outcome {
        Ok(Ok(())) => text(StatusCode::OK, ""),
        Ok(Err(reason)) => failed(&reason),
        Err(panic) => failed(&panic.to_string()),
    }
}

fn failed(reason: &str) -> Response {
    text(StatusCode::INTERNAL_SERVER_ERROR, format!("failed to reload config: {reason}\n"))
}

async fn quit(State(stop): State<ShutdownHandle>) -> Response {
    stop.request();
    text(StatusCode::OK, "Requesting termination... Goodbye!")
}
