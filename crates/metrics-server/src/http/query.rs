//! A query string, decoded once.

/// The pairs of a query string, in its order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Decodes `a=1&b=two+words`. Bytes which are not UTF-8 become `U+FFFD`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (decode(name), decode(value)))
                .collect(),
        )
    }

    /// The first value of `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All values of `name`.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<String> {
        let wanted = self.0.iter().filter(|(known, _)| known == name);
        wanted.map(|(_, value)| value.clone()).collect()
    }
}

fn decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::Query;

    #[test]
    fn pairs_are_decoded() {
        let query = Query::parse("target=postgres%3A%2F%2Fh%2Fdb&collect[]=a&collect%5B%5D=b+c&&x");
        assert_eq!(query.get("target"), Some("postgres://h/db"));
        assert_eq!(query.all("collect[]"), ["a", "b c"]);
        assert_eq!(query.get("x"), Some(""));
        assert_eq!(query.get("y"), None);
        assert_eq!(Query::parse("a=%ff%").get("a"), Some("\u{fffd}%"));
    }
}
