//! The arguments with which a server speaks TLS or becomes a node of a cluster, and what its log says where it knows none of
//! them.

use std::ffi::OsString;
use std::net::Ipv4Addr;

use super::certificate::Certificate;

/// The arguments that let a server become a node of a cluster. `port` is the one for the other nodes.
pub(super) fn cluster_args(port: u16, tls: bool) -> Vec<String> {
    let settings = [
        ("--cluster-enabled", "yes".to_owned()),
        ("--cluster-port", port.to_string()),
        ("--cluster-config-file", "nodes.conf".to_owned()),
        ("--cluster-announce-ip", Ipv4Addr::LOCALHOST.to_string()),
        // A cluster that lost a node has lost the trial; the remaining nodes must not answer as if nothing had happened.
        ("--cluster-require-full-coverage", "yes".to_owned()),
        // Redis before 7.2 tells clients of TLS the right ports only if the nodes speak it, too.
        ("--tls-cluster", if tls { "yes" } else { "no" }.to_owned()),
    ];
    let known = settings.into_iter().filter(|(name, _)| tls || *name != "--tls-cluster");
    known.flat_map(|(name, value)| [name.to_owned(), value]).collect()
}

/// The arguments that make a server speak TLS. It asks clients for no certificate: they have a password, or are on this
/// host.
pub(super) fn tls_args(port: u16, made: &Certificate) -> Vec<OsString> {
    let [certificate, key] = &made.files;
    vec![
        "--tls-port".into(),
        port.to_string().into(),
        "--tls-cert-file".into(),
        certificate.into(),
        "--tls-key-file".into(),
        key.into(),
        // The nodes of a cluster verify each other with this one.
        "--tls-ca-cert-file".into(),
        made.authority.clone().into(),
        "--tls-auth-clients".into(),
        "no".into(),
    ]
}

/// Whether a server's log says that it does not support the options of TLS.
pub(super) fn lacks_tls(log: &str) -> bool {
    // Built without TLS, Redis before 7.2 knows none of them; later versions and Valkey accept them and then fail for lack
    // of what they need.
    (log.contains("tls-port") && log.contains("Bad directive")) || log.contains("TLS support")
}

/// Whether a server's log says that it does not support the option that tells other nodes where to find it.
pub(super) fn lacks_cluster_port(log: &str) -> bool {
    log.contains("cluster-port") && log.contains("Bad directive")
}
