//! The certificate of a server that we start with TLS: created when it starts, and deleted with its directory. The nodes of
//! a cluster share one.

use std::io;
use std::path::{Path, PathBuf};

/// What a server needs to speak TLS, and what a client needs to trust it.
pub(super) struct Certificate {
    /// For the server: its certificate and that certificate's key, in PEM.
    pub(super) files: [PathBuf; 2],
    /// For nodes of a cluster, which are clients of each other: the authority's certificate.
    pub(super) authority: PathBuf,
    /// For clients: the text of the authority's certificate.
    pub(super) ca: String,
}

impl Certificate {
    /// Creates an authority that signs one certificate and is then discarded, and writes both certificates and the key of
    /// the second into `directory`, to which only we may have access. `names` are the addresses and names at which the
    /// server is reached.
    #[cfg(feature = "tls")]
    pub(super) fn make(directory: &Path, names: &[&str]) -> io::Result<Self> {
        use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
        let signed = || -> Result<_, rcgen::Error> {
            let mut authority = CertificateParams::new(Vec::new())?;
            authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            authority.distinguished_name.push(DnType::CommonName, "orchestrate: authority of one run");
            let authority_key = KeyPair::generate()?;
            let ca = authority.self_signed(&authority_key)?;
            let issuer = Issuer::new(authority, authority_key);
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            let mut server = CertificateParams::new(names)?;
            server.distinguished_name.push(DnType::CommonName, "orchestrate: server of one run");
            let key = KeyPair::generate()?;
            let certificate = server.signed_by(&key, &issuer)?;
            Ok((ca.pem(), certificate.pem(), key.serialize_pem()))
        };
        let (ca, certificate, key) = signed().map_err(io::Error::other)?;
        let files = [directory.join("certificate.pem"), directory.join("key.pem")];
        std::fs::write(&files[0], certificate)?;
        std::fs::write(&files[1], key)?;
        let authority = directory.join("authority.pem");
        std::fs::write(&authority, &ca)?;
        Ok(Self { files, authority, ca })
    }

    #[cfg(not(feature = "tls"))]
    pub(super) fn make(_: &Path, _: &[&str]) -> io::Result<Self> {
        Err(io::Error::other(super::WITHOUT_TLS))
    }
}
