//! TLS to the servers: whom to trust, and who the client is.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{AlertDescription, CertificateError, ClientConfig, InvalidMessage, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
pub use tokio_rustls::rustls;

/// How the client speaks TLS: for [`ConnectOptions::tls`](crate::ConnectOptions::tls).
///
/// A server's certificate must be signed by one of the trusted roots and valid now, for the name (or the IP address) by
/// which the connect string calls the server. TLS 1.3 and 1.2 are spoken.
///
/// Ensembles mostly have a CA of their own. It is trusted by its certificate in PEM; from a Java trust store it comes with
/// `keytool -exportcert -rfc -keystore truststore.jks -alias ca -file ca.pem`. A client's key comes out of a PKCS#12 store with
/// `openssl pkcs12 -in client.p12 -nodes -out client.pem`.
///
/// ```no_run
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// use zk_client::tls::TlsOptions;
/// use zk_client::{Client, ConnectOptions};
///
/// let tls = TlsOptions::trust_file("/etc/zookeeper/ca.pem")?
///     .client_certificate_files("/etc/app/client.pem", "/etc/app/client.key")?; // where the servers ask for one
/// let client = Client::connect_with("zk1:2281,zk2:2281", ConnectOptions::new().tls(tls)).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct TlsOptions {
    config: Arc<ClientConfig>,
}

impl TlsOptions {
    /// Trusts the certificates of a file in PEM, and no others.
    ///
    /// # Errors
    /// The file cannot be read, or holds no usable certificate.
    pub fn trust_file(path: impl AsRef<Path>) -> Result<Self, TlsError> {
        let pem = Pem::read(path.as_ref())?;
        Self::trust(&pem)
    }

    /// Trusts the certificates of a text in PEM, and no others.
    ///
    /// # Errors
    /// It holds no usable certificate.
    pub fn trust_pem(pem: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        Self::trust(&Pem::given("the trusted certificates", pem.as_ref()))
    }

    /// Takes rustls as it is configured: for the system's roots, a verifier of one's own, another provider of
    /// cryptography. Whether names are checked is then what the configuration says.
    #[must_use]
    pub fn from_config(config: Arc<ClientConfig>) -> Self {
        Self { config }
    }

    /// Shows the servers a certificate, with the others of its chain behind it, and its key, both files in PEM. A server
    /// gives the connection the id `x509:SUBJECT` for it.
    ///
    /// # Errors
    /// A file cannot be read or holds no certificate or key, or the two do not belong together.
    pub fn client_certificate_files(
        self,
        certificates: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        let certificates = Pem::read(certificates.as_ref())?;
        let key = Pem::read(key.as_ref())?;
        self.client_certificate(&certificates, &key)
    }

    /// Shows the servers a certificate, as [`client_certificate_files`](Self::client_certificate_files) does, from texts
    /// in PEM.
    ///
    /// # Errors
    /// There is no certificate or key, or the two do not belong together.
    pub fn client_certificate_pem(
        self,
        certificates: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<Self, TlsError> {
        let certificates = Pem::given("the client's certificates", certificates.as_ref());
        let key = Pem::given("the client's key", key.as_ref());
        self.client_certificate(&certificates, &key)
    }

    fn trust(pem: &Pem) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in pem.certificates()? {
            roots
                .add(certificate)
                .map_err(|error| pem.unusable(error))?;
        }
        let provider = Arc::new(ring::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|error| TlsError::Unusable {
                    what: pem.name.clone(),
                    reason: error.to_string(),
                })?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| pem.unusable(error))?
            .with_webpki_verifier(verifier)
            .with_no_client_auth();
        Ok(Self::from_config(Arc::new(config)))
    }

    fn client_certificate(mut self, certificates: &Pem, key: &Pem) -> Result<Self, TlsError> {
        let provider: &CryptoProvider = self.config.crypto_provider();
        let chain = certificates.certificates()?;
        let certified = CertifiedKey::from_der(chain, key.key()?, provider)
            .map_err(|error| key.unusable(error))?;
        Arc::make_mut(&mut self.config).client_auth_cert_resolver =
            Arc::new(SingleCertAndKey::from(certified));
        Ok(self)
    }

    pub(crate) async fn handshake(
        &self,
        name: &str,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let server = ServerName::try_from(name.to_owned()).map_err(|_| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "no certificate can be valid for `{name}`, which is no name and no IP address"
                ),
            )
        })?;
        TlsConnector::from(Arc::clone(&self.config))
            .connect(server, stream)
            .await
            .map_err(|error| {
                if error.kind() == io::ErrorKind::UnexpectedEof || is_reset(&error) {
                    return io::Error::new(error.kind(), HUNG_UP);
                }
                explain(error)
            })
    }
}

/// Says nothing of keys.
impl fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsOptions").finish_non_exhaustive()
    }
}

/// What keeps certificates or a key from being used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What reading it met.
        source: io::Error,
    },
    /// What was read is of no use.
    #[error("{what}: {reason}")]
    Unusable {
        /// The file, or what was given.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A text in PEM and what to call it.
struct Pem {
    name: String,
    text: Vec<u8>,
}

impl Pem {
    fn read(path: &Path) -> Result<Self, TlsError> {
        let text = std::fs::read(path).map_err(|source| TlsError::File {
            path: path.to_owned(),
            source,
        })?;
        let name = path.display().to_string();
        Ok(Self { name, text })
    }

    fn given(name: &str, text: &[u8]) -> Self {
        Self {
            name: name.to_owned(),
            text: text.to_owned(),
        }
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let certificates = CertificateDer::pem_slice_iter(&self.text)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| self.unreadable(&error))?;
        if certificates.is_empty() {
            return Err(self.unusable("there is no certificate in PEM in it"));
        }
        Ok(certificates)
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_slice(&self.text).map_err(|error| match error {
            pem::Error::NoItemsFound if contains(&self.text, b"ENCRYPTED") => {
                self.unusable("the key is encrypted: decrypt it with `openssl pkey`")
            }
            pem::Error::NoItemsFound => self.unusable("there is no private key in PEM in it"),
            error => self.unreadable(&error),
        })
    }

    /// The library's own words may quote a line, and that may be a key's.
    fn unreadable(&self, error: &pem::Error) -> TlsError {
        self.unusable(match error {
            pem::Error::MissingSectionEnd { .. } => "a PEM section has no end",
            pem::Error::IllegalSectionStart { .. } => "a PEM section begins with a malformed line",
            pem::Error::Base64Decode(_) => "a PEM section is not base64",
            _ => "it is not PEM",
        })
    }

    fn unusable(&self, reason: impl fmt::Display) -> TlsError {
        TlsError::Unusable {
            what: self.name.clone(),
            reason: reason.to_string(),
        }
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}

const HUNG_UP: &str =
    "the server hung up on the TLS handshake: is this the port for clients without TLS?";

/// An error of a TLS connection in words that say what to do.
pub(crate) fn explain(error: io::Error) -> io::Error {
    let Some(tls) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    else {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return io::Error::new(error.kind(), "the server closed the connection");
        }
        return error;
    };
    let words = match tls {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the server does not speak TLS: is this the port for clients without TLS?".to_owned()
        }
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the server's certificate is not signed by a trusted root: trust its CA".to_owned()
        }
        rustls::Error::InvalidCertificate(reason) => {
            format!("the server's certificate is refused: {reason}")
        }
        rustls::Error::AlertReceived(
            alert @ (AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied),
        ) => format!(
            "the server does not accept the client's certificate, or misses one ({alert:?})"
        ),
        rustls::Error::AlertReceived(alert) => {
            format!("the server refused the TLS handshake ({alert:?})")
        }
        error => format!("TLS failed: {error}"),
    };
    io::Error::new(error.kind(), words)
}
