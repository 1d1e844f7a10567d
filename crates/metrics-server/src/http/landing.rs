//! The page at `/`.

use std::fmt::Write as _;

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};

use crate::telemetry::ExporterInfo;

const STYLE: &str = "body{font-family:sans-serif;margin:0;line-height:1.5;color:#222}\
    header{background:#e6522c;color:#fff;padding:1rem}main{padding:1rem;max-width:40rem}\
    h1{margin:0;font-size:1.4rem}h2{font-size:1.1rem}a{color:#b03a14}\
    li{padding:.3rem 0}label{display:block;margin-top:.7rem}\
    input,button{font:inherit;padding:.5rem;box-sizing:border-box;border:1px solid #888;\
    border-radius:.2rem}input{width:100%}button{margin-top:1rem;padding:.5rem 1.5rem;color:#fff;\
    background:#b03a14;border-color:#b03a14}";

/// A field of a form on the landing page: one parameter of a probe.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Field {
    /// The parameter, for example `target`.
    pub name: &'static str,
    /// What people read in front of it.
    pub label: &'static str,
    /// An example of a value.
    pub example: &'static str,
    /// Whether the probe needs it.
    pub required: bool,
}

/// The page under construction.
#[derive(Debug)]
pub(super) struct Landing {
    info: &'static ExporterInfo,
    links: String,
    forms: String,
}

impl Landing {
    pub(super) const fn new(info: &'static ExporterInfo) -> Self {
        Self { info, links: String::new(), forms: String::new() }
    }

    /// A link to one of the exporter's own pages.
    pub(super) fn link(&mut self, path: &str, label: &str) {
        self.links += &item(&relative(path), label);
    }

    /// A form which opens `path` with what is filled in.
    pub(super) fn form(&mut self, path: &str, fields: &[Field]) {
        let path = relative(path);
        let mut form = format!("<h2>Probe</h2><form action=\"{}\" method=\"get\">", escape(&path));
        for Field { name, label, example, required } in fields {
            let required = if *required { " required" } else { "" };
            write!(
                form,
                "<label>{} <input type=\"text\" name=\"{}\" placeholder=\"{}\" \
                 autocapitalize=\"none\"{required}></label>",
                escape(label),
                escape(name),
                escape(example),
            )
            .expect("a string takes every character");
        }
        self.forms += &form;
        self.forms += "<button type=\"submit\">Probe</button></form>";
    }

    /// Name, version, links and forms.
    pub(super) fn page(&self) -> String {
        let ExporterInfo { title, description, version, documentation_url, .. } = self.info;
        let (title, description) = (escape(title), escape(description));
        let Self { links, forms, .. } = self;
        let documentation = item(documentation_url, "Documentation");
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>{title}</title><style>{STYLE}</style></head>\
             <body><header><h1>{title}</h1></header><main><p>{description}</p>\
             <p>Version {version}</p><ul>{links}{documentation}</ul>{forms}</main></body></html>\n",
            version = escape(version),
        )
    }
}

/// Addresses are relative to the page's, so that they hold behind a proxy and below a prefix.
fn relative(path: &str) -> String {
    format!("./{}", path.trim_start_matches('/'))
}

fn item(address: &str, label: &str) -> String {
    format!("<li><a href=\"{}\">{}</a></li>", escape(address), escape(label))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            _ => escaped.push(c),
        }
    }
    escaped
}

pub(super) fn respond(page: &str) -> Response {
    let html = HeaderValue::from_static("text/html; charset=UTF-8");
    ([(header::CONTENT_TYPE, html)], page.to_owned()).into_response()
}
