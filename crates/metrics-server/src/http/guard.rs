//! What a web configuration file asks of every request, in its order: rate, headers, password.

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};

use super::{config::WebConfig, text};

/// Lets a request through, or answers it.
pub(super) async fn guard(
    State(config): State<WebConfig>,
    request: Request,
    next: Next,
) -> Response {
    let current = config.current().await;
    if !config.admits() {
        return refuse(StatusCode::TOO_MANY_REQUESTS);
    }
    let authorization = request.headers().get(header::AUTHORIZATION);
    let admitted = current.users.is_empty()
        || config.authenticator().admits(&current.users, authorization).await;
    let mut response = if admitted {
        next.run(request).await
    } else {
        let mut response = refuse(StatusCode::UNAUTHORIZED);
        response.headers_mut().insert(header::WWW_AUTHENTICATE, current.challenge.clone());
        response
    };
    for (name, value) in &current.headers {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

/// The status' own words, as Go's server writes them.
fn refuse(status: StatusCode) -> Response {
    let words = status.canonical_reason().unwrap_or_default();
    let mut response = text(status, format!("{words}\n"));
    let nosniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}
