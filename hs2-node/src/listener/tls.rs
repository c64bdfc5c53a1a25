//! The node's certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Why the certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("hive.server2.keystore.path = {}: {problem}", file.display())]
pub(crate) struct CertificateError {
    file: PathBuf,
    problem: String,
}

/// The certificate chain and key of a PEM file, to be shown to clients of TLS 1.2 and 1.3.
pub(super) fn acceptor(file: Option<&Path>) -> Result<TlsAcceptor, CertificateError> {
    let path = file.unwrap_or(Path::new(""));
    let failed = |problem: String| CertificateError {
        file: path.to_owned(),
        problem,
    };
    if file.is_none() {
        let problem =
            "hive.server2.use.SSL needs a PEM file with the private key and the certificate chain";
        return Err(failed(problem.to_owned()));
    }
    let text = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    if is_java_store(&text) {
        let problem = "this is a Java key store, and PEM is expected; convert it: keytool -importkeystore -srckeystore STORE -destkeystore node.p12 -deststoretype PKCS12, then openssl pkcs12 -in node.p12 -nodes -out node.pem";
        return Err(failed(problem.to_owned()));
    }
    let chain = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| failed(unreadable(&error).to_owned()))?;
    if chain.is_empty() {
        return Err(failed("there is no certificate in PEM in it".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        failed(match error {
            pem::Error::NoItemsFound if contains(&text, b"ENCRYPTED") => {
                "the private key is encrypted: decrypt it with `openssl pkey`".to_owned()
            }
            pem::Error::NoItemsFound => "there is no private key in PEM in it".to_owned(),
            error => unreadable(&error).to_owned(),
        })
    })?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| failed(error.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// JKS begins with a magic number, PKCS#12 with a DER sequence.
fn is_java_store(text: &[u8]) -> bool {
    text.starts_with(&[0xfe, 0xed, 0xfe, 0xed]) || text.starts_with(&[0x30, 0x82])
}

/// The library's own words may quote a line, and that may be a key's.
const fn unreadable(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a PEM section has no end",
        pem::Error::IllegalSectionStart { .. } => "a PEM section begins with a malformed line",
        pem::Error::Base64Decode(_) => "a PEM section is not base64",
        _ => "it is not PEM",
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("node.pem");
        std::fs::write(&file, text).unwrap();
        let problem = acceptor(Some(&file)).map(|_| ()).unwrap_err();
        problem.to_string()
    }

    #[test]
    fn what_is_wrong_with_a_key_store_is_said() {
        for (text, said) in [
            (&b"\xfe\xed\xfe\xed\0\0\0\x02"[..], "keytool"),
            (b"\x30\x82\x0a\x00", "openssl pkcs12"),
            (b"", "no certificate"),
            (b"-----BEGIN CERTIFICATE-----\nAAAA", "no end"),
            (
                b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "no private key",
            ),
            (
                b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
                "is encrypted",
            ),
        ] {
            let problem = problem(text);
            assert!(problem.contains(said), "{problem}");
        }
        let missing = acceptor(None).map(|_| ()).unwrap_err().to_string();
        assert!(missing.contains("needs a PEM file"), "{missing}");
    }
}
