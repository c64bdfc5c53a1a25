//! TLS: whom to trust, and the handshake.

use super::{Server, Stream};
use crate::error::Error;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, InvalidMessage, RootCertStore};

/// Whom a client trusts under TLS 1.2 and 1.3. A server's certificate must be valid for the name, or the address, by
/// which it is called.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
}

/// Says nothing of keys.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl Tls {
    /// Trusts whom the operating system trusts.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the system has no certificates.
    pub fn system() -> Result<Self, Error> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let reasons: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
            return Err(Error::Unsupported(format!(
                "this system has no trusted certificates ({}): name a PEM file with sslTrustStore",
                reasons.join("; ")
            )));
        }
        Self::trust(roots)
    }

    /// Trusts the certificates of a file in PEM, and no others.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the file cannot be read, or is a Java trust store, or has no certificate in it.
    pub fn trust_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let failed = |problem: String| {
            Error::Unsupported(format!("sslTrustStore={}: {problem}", path.display()))
        };
        let text = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
        if text.starts_with(&[0xfe, 0xed, 0xfe, 0xed]) || text.starts_with(&[0x30, 0x82]) {
            let problem = "this is a Java trust store, and this client reads PEM; convert it: keytool -exportcert -rfc -keystore STORE -alias ALIAS -file ca.pem";
            return Err(failed(problem.to_owned()));
        }
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&text) {
            let certificate =
                certificate.map_err(|_| failed("a section of it is no PEM".to_owned()))?;
            roots
                .add(certificate)
                .map_err(|error| failed(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(failed("there is no certificate in PEM in it".to_owned()));
        }
        Self::trust(roots)
    }

    /// Takes rustls as it is configured.
    #[must_use]
    pub const fn from_config(config: Arc<ClientConfig>) -> Self {
        Self { config }
    }

    fn trust(roots: RootCertStore) -> Result<Self, Error> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Unsupported(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self::from_config(Arc::new(config)))
    }

    /// Shakes hands with a server.
    pub(super) async fn handshake(
        &self,
        stream: TcpStream,
        server: &Server,
    ) -> Result<Stream, Error> {
        let failed = |reason: String| Error::Tls {
            server: server.name(),
            reason,
        };
        let name = ServerName::try_from(server.host.clone())
            .map_err(|_| failed(format!("`{}` is no name of a host", server.host)))?;
        let connecting = TlsConnector::from(Arc::clone(&self.config)).connect(name, stream);
        let stream = connecting
            .await
            .map_err(|error| failed(explained(&error)))?;
        Ok(Box::new(stream))
    }
}

/// What a failed handshake means.
fn explained(error: &io::Error) -> String {
    let no_tls = "it does not speak TLS: connect without ssl=true";
    let inner = error.get_ref();
    match inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            no_tls.to_owned()
        }
        Some(rustls::Error::AlertReceived(alert)) => {
            format!(
                "it refuses TLS ({alert:?}); if it does not speak TLS, connect without ssl=true"
            )
        }
        _ if matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
        ) =>
        {
            format!("it hung up: {no_tls}")
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_trust_store_is_said() {
        let folder = std::env::temp_dir().join(format!("hs2-client-trust-{}", std::process::id()));
        for (text, said) in [
            (&b"\xfe\xed\xfe\xed\0\0\0\x02"[..], "keytool"),
            (b"", "no certificate"),
            (b"-----BEGIN CERTIFICATE-----\nAAAA\n", "no PEM"),
        ] {
            std::fs::write(&folder, text).unwrap();
            let error = Tls::trust_file(&folder).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        std::fs::remove_file(&folder).unwrap();
        let error = Tls::trust_file(&folder).unwrap_err().to_string();
        assert!(error.starts_with("sslTrustStore="), "{error}");
    }
}
