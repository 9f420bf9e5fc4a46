//! Details of a server beyond its name and version, for anyone who wants to repeat a run: its program and its configuration.
//! Pure except for the queries; never reveals a password.

use std::collections::BTreeMap;

use redis::aio::MultiplexedConnection;

/// The whole configuration of a server; `None` where CONFIG is refused, as a managed service does.
pub(super) async fn config(connection: &mut MultiplexedConnection) -> Option<BTreeMap<String, String>> {
    let answer =
        redis::cmd("CONFIG").arg("GET").arg("*").query_async::<BTreeMap<String, String>>(connection).await;
    answer.ok().map(without_secrets)
}

/// Leaves out `requirepass`, `masterauth`, `primaryauth`, `tls-key-file-pass` and similar settings, and the user names that
/// go with them.
fn without_secrets(mut config: BTreeMap<String, String>) -> BTreeMap<String, String> {
    config.retain(|name, _| !name.contains("pass") && !name.ends_with("auth") && !name.ends_with("user"));
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_a_server_is_left_out() {
        let names = [
            "requirepass",
            "masterauth",
            "masteruser",
            "primaryauth",
            "primaryuser",
            "tls-key-file-pass",
            "tls-client-key-file-pass",
            "io-threads",
            "notify-keyspace-events",
            "tls-auth-clients",
        ];
        let config = names.map(|name| (name.to_owned(), "hunter2".to_owned()));
        let kept: Vec<String> = without_secrets(BTreeMap::from(config)).into_keys().collect();
        assert_eq!(kept, ["io-threads", "notify-keyspace-events", "tls-auth-clients"]);
    }
}
