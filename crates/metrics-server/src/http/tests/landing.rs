//! The landing page, as a browser would read it.

use std::cell::RefCell;

use html5ever::tokenizer::{
    BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

use super::{super::landing::Landing, INFO, start};
use crate::http::Field;

pub(super) const TARGET: Field =
    Field { name: "target", label: "Target", example: "\"a\" <b> & 'c'", required: true };
pub(super) const MODULE: Field =
    Field { name: "auth_module", label: "Module", example: "default", required: false };

/// Elements without an end.
const VOID: [&str; 4] = ["meta", "input", "link", "br"];

/// A name, and attributes with their values.
type Element = (String, Vec<(String, String)>);

/// What is wrong with a page, and what is in it.
#[derive(Default)]
struct Reading {
    open: RefCell<Vec<String>>,
    faults: RefCell<Vec<String>>,
    elements: RefCell<Vec<Element>>,
}

impl TokenSink for Reading {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let fault = |text: String| self.faults.borrow_mut().push(text);
        match token {
            Token::ParseError(error) => fault(error.into_owned()),
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => {
                let name = tag.name.to_string();
                if tag.had_duplicate_attributes {
                    fault(format!("{name} has an attribute twice"));
                }
                let attributes = tag.attrs.iter();
                let attributes = attributes.map(|attribute| {
                    (attribute.name.local.to_string(), attribute.value.to_string())
                });
                self.elements.borrow_mut().push((name.clone(), attributes.collect()));
                if !VOID.contains(&name.as_str()) {
                    self.open.borrow_mut().push(name);
                }
            }
            Token::TagToken(tag) => {
                let open = self.open.borrow_mut().pop();
                if open.as_deref() != Some(&*tag.name) {
                    fault(format!("{} ends where {open:?} is open", tag.name));
                }
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

/// Reads `page`, which has to be well formed.
fn elements(page: &str) -> Vec<Element> {
    let options = TokenizerOpts { exact_errors: true, ..TokenizerOpts::default() };
    let tokenizer = Tokenizer::new(Reading::default(), options);
    let input = BufferQueue::default();
    input.push_back(page.into());
    let _done = tokenizer.feed(&input);
    tokenizer.end();
    let Reading { open, faults, elements } = tokenizer.sink;
    assert_eq!(faults.into_inner(), Vec::<String>::new(), "{page}");
    assert_eq!(open.into_inner(), Vec::<String>::new(), "what is opened is closed");
    elements.into_inner()
}

#[test]
fn the_page_is_well_formed_whatever_is_on_it() {
    let mut landing = Landing::new(&INFO);
    landing.link("/m\"><script>alert('&')</script>", "<Metrics> & more");
    landing.form("/probe\"'<>", &[TARGET, MODULE]);
    landing.form("/other", &[]);
    let elements = elements(&landing.page());
    let names: Vec<_> = elements.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "html", "head", "meta", "meta", "title", "style", "body", "header", "h1", "main", "p",
            "p", "ul", "li", "a", "li", "a", "h2", "form", "label", "input", "label", "input",
            "button", "h2", "form", "button"
        ]
    );
    let attribute = |element: usize, name: &str| {
        let (_, attributes) = &elements[element];
        attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    };
    assert_eq!(attribute(0, "lang"), Some("en"));
    assert_eq!(attribute(3, "name"), Some("viewport"), "a phone shows it at its own width");
    assert_eq!(attribute(14, "href"), Some("./m\"><script>alert('&')</script>"));
    assert_eq!(attribute(18, "action"), Some("./probe\"'<>"));
    assert_eq!(attribute(18, "method"), Some("get"));
    assert_eq!(attribute(20, "placeholder"), Some(TARGET.example));
    assert_eq!((attribute(20, "required"), attribute(22, "required")), (Some(""), None));
}

#[tokio::test]
async fn the_landing_page_leads_on() {
    let answer = start(&["--web.telemetry-path=/m"]).await.get("/").await;
    assert!(answer.head.contains("\r\ncontent-type: text/html; charset=utf-8\r\n"));
    assert!(answer.body.starts_with("<!DOCTYPE html>\n"));
    for part in [
        "<h1>X Exporter</h1>",
        "<p>Exports x.</p>",
        "Version 1.2.3",
        "href=\"./m\"",
        "href=\"./health\"",
        "href=\"https://example.org/x\"",
        "action=\"./probe\"",
        "name=\"target\"",
        "name=\"auth_module\"",
    ] {
        assert!(answer.body.contains(part), "{part} is not in\n{}", answer.body);
    }
    elements(&answer.body);
}
