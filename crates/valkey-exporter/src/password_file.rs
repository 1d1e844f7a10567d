//! `--redis.password-file`: a JSON object from address to password.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, anyhow};

use crate::{
    address::{Address, Place},
    secret::Secret,
};

/// Passwords by address and user.
#[derive(Clone, Debug, Default)]
pub struct PasswordFile(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    place: Place,
    /// A password that was meant for an encrypted connection is not sent in the clear.
    tls: bool,
    user: Option<String>,
    password: Secret,
}

impl PasswordFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is not an object of texts. No password is repeated.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path);
        text.map_err(anyhow::Error::from)
            .and_then(|text| Self::parse(&text))
            .with_context(|| format!("cannot load passwords from {}", path.display()))
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    ///
    /// It is not an object of texts. No password is repeated.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        // The parser's own message may quote the text.
        let passwords: BTreeMap<String, String> = serde_json::from_str(text)
            .map_err(|error| anyhow!("not a JSON object of texts (line {})", error.line()))?;
        let entries = passwords.into_iter().filter(|(_, password)| !password.is_empty());
        Ok(Self(entries.filter_map(|(key, password)| Entry::new(&key, password)).collect()))
    }

    /// The password for a server, of `user` where one is named.
    pub fn find(&self, address: &Address, user: Option<&str>) -> Option<&Secret> {
        let entry = self.0.iter().find(|entry| {
            entry.place == address.place
                && entry.tls == address.tls
                && entry.user.as_deref() == user
        })?;
        Some(&entry.password)
    }
}

impl Entry {
    /// `None` for an address which cannot be used: another program may share the file.
    fn new(key: &str, password: String) -> Option<Self> {
        let address = Address::parse(key).ok()?;
        // In a key, a lone part in front of the @ is a user: the password is the value.
        let lone = address.password.filter(|_| address.user.is_none());
        let user = address.user.or_else(|| lone.map(|lone| lone.expose().to_owned()));
        Some(Self { place: address.place, tls: address.tls, user, password: Secret::new(password) })
    }
}

#[cfg(test)]
mod tests {
    use super::PasswordFile;
    use crate::{address::Address, secret::Secret};

    fn find(file: &PasswordFile, address: &str, user: Option<&str>) -> Option<String> {
        let address = Address::parse(address).expect("an address");
        file.find(&address, user).map(Secret::expose).map(str::to_owned)
    }

    #[test]
    fn a_password_is_found_by_address_and_user() {
        let file = PasswordFile::parse(
            r#"{"redis://h:1":"a","valkey://u@h:1":"b","h":"c","empty":"","rediss://t":"d"}"#,
        )
        .expect("valid");
        assert_eq!(find(&file, "redis://h:1", None).as_deref(), Some("a"));
        assert_eq!(find(&file, "valkey://h:1/3", None).as_deref(), Some("a"));
        assert_eq!(find(&file, "h:1", Some("u")).as_deref(), Some("b"));
        assert_eq!(find(&file, "redis://h:6379", None).as_deref(), Some("c"));
        assert_eq!(find(&file, "h:1", Some("other")), None);
        assert_eq!(find(&file, "empty", None), None);
        assert_eq!(find(&file, "valkeys://t", None).as_deref(), Some("d"));
        assert_eq!(find(&file, "valkey://t", None), None, "not in the clear");
    }

    #[test]
    fn an_error_repeats_no_password() {
        for text in [r#"{"redis://h": 123454321}"#, r#"{"a":"s3cret""#, r#"["s3cret"]"#, "s3cret"] {
            let error = format!("{:#}", PasswordFile::parse(text).expect_err("not valid"));
            assert!(!error.contains("s3cret") && !error.contains("123454321"), "{error}");
        }
    }
}
