//! One scrape: from the request to the page.

use std::{sync::Arc, time::Instant};

use axum::{
    body::Body,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use tokio::{sync::AcquireError, time::timeout_at};
use tracing::{Instrument as _, Span, field::Empty, info_span, warn};

use super::{
    Query, Scrape, ScrapeRequest, Scraped, Shared,
    body::{self, InFlight, Rendering, Turn},
    text, time_limit,
};
use crate::{
    exposition::{Refusals, compression, negotiate},
    spans,
};

/// What is scraped under one path.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) shared: Shared,
    pub(super) scrape: Arc<dyn Scrape>,
    /// Whether the process' own telemetry is on the page.
    pub(super) own: bool,
}

pub(super) async fn handle(
    State(endpoint): State<Endpoint>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let telemetry = &endpoint.shared.telemetry;
    let permit =
        endpoint.shared.requests.as_ref().map(|requests| Arc::clone(requests).try_acquire_owned());
    let response = match permit.transpose() {
        Ok(permit) => {
            let request = InFlight::new(permit, telemetry.in_flight.clone());
            let query = query.as_deref().unwrap_or_default();
            let span = span(&headers);
            let response =
                answer(&endpoint, query, &headers, request).instrument(span.clone()).await;
            span.record("status", response.status().as_u16());
            response
        }
        Err(_full) => text(
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "Limit of concurrent requests reached ({}), try again later.\n",
                endpoint.shared.args.max_requests
            ),
        ),
    };
    telemetry.request(response.status().as_u16()).inc();
    response
}

/// The span of a scrape, below the one that the scraper names in `traceparent`.
fn span(headers: &HeaderMap) -> Span {
    let traceparent = headers.get("traceparent").and_then(|value| value.to_str().ok());
    info_span!(target: spans::TARGET, "scrape", traceparent, status = Empty)
}

async fn answer(
    endpoint: &Endpoint,
    query: &str,
    headers: &HeaderMap,
    in_flight: InFlight,
) -> Response {
    let shared = &endpoint.shared;
    #[expect(clippy::disallowed_methods, reason = "a request starts its own clock")]
    let started = Instant::now();
    let query = Query::parse(query);
    let names = query.all("name[]");
    let request = ScrapeRequest {
        collect: query.all("collect[]"),
        query,
        deadline: started + time_limit(shared.args.scrape_timeout, scraper_seconds(headers)),
    };
    let Scraped { mut page, sources, down } = match endpoint.scrape.scrape(&request).await {
        Ok(scraped) => scraped,
        Err(refused) => return text(refused.status, format!("{}\n", refused.message)),
    };
    if endpoint.own {
        page.gather(shared.telemetry.registry());
    }
    page.retain(&names);
    report(shared, &page.seal());

    let header = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let accept = header(header::ACCEPT).unwrap_or_default();
    let negotiated = negotiate(accept, shared.args.enable_openmetrics);
    let compression = compression(header(header::ACCEPT_ENCODING).unwrap_or_default());
    let rendering = Rendering {
        page,
        sources,
        names,
        format: negotiated.format,
        escaping: negotiated.escaping,
        compression,
        started,
        deadline: request.deadline + shared.args.send_timeout,
        request: in_flight,
        telemetry: shared.telemetry.clone(),
    };
    let Some(body) = body(rendering, shared, request.deadline).await else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "too many pages are being rendered\n");
    };

    let mut response = Response::new(body);
    if down && shared.args.fail_when_down {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    let content_type = HeaderValue::try_from(negotiated.content_type)
        .expect("a content type is made of known words");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    if let Some(encoding) = compression.content_encoding() {
        let encoding = HeaderValue::from_static(encoding);
        response.headers_mut().insert(header::CONTENT_ENCODING, encoding);
    }
    response
}

/// The page, be it rendered already or on its way; nothing where there is no turn in time.
async fn body(rendering: Rendering, shared: &Shared, deadline: Instant) -> Option<Body> {
    if rendering.is_small() {
        return Some(body::whole(rendering));
    }
    let renders = Arc::clone(&shared.renders);
    let turn = async {
        let thread = Arc::clone(&shared.pages).acquire_owned().await?;
        Ok::<_, AcquireError>((thread, Arc::clone(&renders).acquire_owned().await?))
    };
    let (thread, permit) = timeout_at(deadline.into(), turn).await.ok()?.ok()?;
    Some(body::stream(rendering, Turn { renders, permit: Some(permit) }, thread))
}

/// What the scraper says of its own time-out.
fn scraper_seconds(headers: &HeaderMap) -> Option<f64> {
    headers.get("x-prometheus-scrape-timeout-seconds")?.to_str().ok()?.parse().ok()
}

/// Counts what was left out; the log gets one example each time something is.
fn report(shared: &Shared, refusals: &Refusals) {
    shared.telemetry.count_refusals(refusals);
    if let Some((refusal, family)) = refusals.first()
        && shared.telemetry.is_first(refusal)
    {
        warn!(reason = refusal.reason(), family, "left a sample out; further ones are counted");
    }
}
