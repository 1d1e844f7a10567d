//! Authorities, and certificates that they sign, as files.

use std::{fs, path::Path};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// Who signs. OpenSSL wants its name to differ from those of what it signs.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one, with its certificate in `folder/NAME.crt`.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn create(name: &str, folder: &Path) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        fs::write(folder.join(format!("{name}.crt")), issuer.pem())?;
        Ok(Self(issuer))
    }

    /// Writes `FILE.crt` and `FILE.key` for somebody called `name`, who is at `hosts`.
    ///
    /// # Errors
    ///
    /// A host has no name of DNS, or a file cannot be written.
    pub fn sign(&self, name: &str, hosts: &[String], file: &Path) -> Result<()> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(hosts)?;
        params.distinguished_name.push(DnType::CommonName, name);
        fs::write(file.with_extension("crt"), params.signed_by(&key, &self.0)?.pem())?;
        fs::write(file.with_extension("key"), key.serialize_pem())?;
        Ok(())
    }

    /// The same for somebody at `localhost`.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub fn sign_here(&self, name: &str, file: &Path) -> Result<()> {
        self.sign(name, &["localhost".to_owned()], file)
    }
}
