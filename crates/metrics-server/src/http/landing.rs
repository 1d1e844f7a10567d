//! The page at `/`.

use std::fmt::Write as _;

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};

use crate::telemetry::ExporterInfo;

const STYLE: &str = "body{font-family:sans-serif;margin:0;line-height:1.5}\
    header{background:#e6522c;color:#fff;padding:1rem}main{padding:1rem;max-width:40rem}\
    h1{margin:0;font-size:1.4rem}";

/// Name, version and links; `links` are address and text, both written by us.
pub(super) fn page(info: &ExporterInfo, links: &[(String, String)]) -> String {
    let mut items = String::new();
    let documentation = (info.documentation_url.to_owned(), "Documentation".to_owned());
    for (address, label) in links.iter().chain([&documentation]) {
        write!(items, "<li><a href=\"{address}\">{label}</a></li>")
            .expect("a string takes every character");
    }
    let ExporterInfo { title, description, version, .. } = info;
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head>\
         <body><header><h1>{title}</h1></header><main><p>{description}</p>\
         <p>Version {version}</p><ul>{items}</ul></main></body></html>\n"
    )
}

pub(super) fn respond(page: &str) -> Response {
    let html = HeaderValue::from_static("text/html; charset=UTF-8");
    ([(header::CONTENT_TYPE, html)], page.to_owned()).into_response()
}
