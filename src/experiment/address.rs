//! The address of a server that somebody else runs, as people write it: `HOST:PORT`, or a URL of the schemes that Redis clients
//! share.

use std::net::Ipv6Addr;

const DEFAULT_PORT: u16 = 6379;

/// The parts of an address. A password may not be one: the file is committed and copied to results.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RedisUrl {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) username: Option<String>,
    pub(super) db: Option<u32>,
    pub(super) tls: bool,
}

/// Why an address cannot be used, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unusable {
    pub(super) what: String,
    pub(super) help: &'static str,
}

impl RedisUrl {
    /// Reads `HOST:PORT` and `redis://`, `rediss://`, `valkey://` and `valkeys://[user@]host[:port][/db]`. An IPv6 address
    /// stands in brackets. The port of a URL is 6379 if absent.
    ///
    /// # Errors
    /// With what is wrong. Never shows what may be a password.
    pub(super) fn parse(address: &str) -> Result<Self, Unusable> {
        let unusable = |what: &str, help| Unusable { what: what.to_owned(), help };
        let Some((scheme, rest)) = address.split_once("://") else {
            let (host, port) = host_and_port(address, None).ok_or_else(|| {
                unusable(
                    "this is not a valid address",
                    "write HOST:PORT, such as \"10.0.0.5:6379\", or a URL such as \"rediss://user@host:6380/2\"",
                )
            })?;
            return Ok(Self { host, port, username: None, db: None, tls: false });
        };
        let tls = match scheme {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            other => return Err(foreign(other)),
        };
        let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
        if user.is_some_and(|user| user.contains(':')) {
            return Err(unusable(
                "a password does not belong in the file",
                "leave out what stands between `:` and `@`, and write password = { env = \"NAME\" }",
            ));
        }
        let username = user.filter(|user| !user.is_empty());
        if username.is_some_and(|name| name.contains('%')) {
            return Err(unusable(
                "a user's name with a percent sign is ambiguous in a URL",
                "write it as it is, as `username` beside `address`",
            ));
        }
        let (place, db) = place.split_once('/').map_or((place, None), |(place, db)| (place, Some(db)));
        let db = match db.filter(|db| !db.is_empty()) {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| {
                unusable(
                    "what follows the slash of the address is not the number of a database",
                    "such as redis://host:6379/2",
                )
            })?),
        };
        let (host, port) = host_and_port(place, Some(DEFAULT_PORT)).ok_or_else(|| {
            unusable("this is not a valid address", "such as redis://host:6379 or rediss://user@host:6380/2")
        })?;
        Ok(Self { host, port, username: username.map(str::to_owned), db, tls })
    }
}

/// What is said about the scheme of another kind of URL.
fn foreign(scheme: &str) -> Unusable {
    let scheme = scheme.to_ascii_lowercase();
    let (what, help) = if scheme.contains("sentinel") {
        (
            "a sentinel is not a server: it only says where one is",
            "ask it with SENTINEL GET-MASTER-ADDR-BY-NAME, and write the address that it returns",
        )
    } else if scheme.contains("cluster") {
        (
            "a cluster is named by the address of one of its nodes",
            "write HOST:PORT, and cluster = true beside it",
        )
    } else if scheme.contains("socket") || scheme == "unix" {
        (
            "a server that somebody else runs is reached over TCP only",
            "write HOST:PORT; workload.link = \"unix\" is for servers that orchestrate starts",
        )
    } else {
        return Unusable {
            what: format!("`{scheme}` is not a scheme of Redis"),
            help: "write HOST:PORT, redis:// or, with TLS, rediss://",
        };
    };
    Unusable { what: what.to_owned(), help }
}

/// `HOST:PORT`; the port may be absent where there is a default.
fn host_and_port(address: &str, default: Option<u16>) -> Option<(String, u16)> {
    let (host, port) = match (address.strip_prefix('['), default) {
        (Some(inner), _) => {
            let (host, rest) = inner.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        (None, _) => {
            let (host, port) =
                address.split_once(':').map_or((address, None), |(host, port)| (host, Some(port)));
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            (Some(host).filter(|host| !host.is_empty() && host.chars().all(plain))?, port)
        }
    };
    let port = match port {
        None => default?,
        Some(port) => port.parse().ok().filter(|&port| port > 0)?,
    };
    Some((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(address: &str) -> String {
        match RedisUrl::parse(address) {
            Ok(RedisUrl { host, port, username, db, tls }) => {
                format!("{host} {port} {} {} {tls}", username.unwrap_or_default(), db.map_or(-1, i64::from))
            }
            Err(Unusable { what, .. }) => what,
        }
    }

    #[test]
    fn an_address_is_read_as_clients_read_it() {
        assert_eq!(parsed("10.0.0.5:6379"), "10.0.0.5 6379  -1 false");
        assert_eq!(parsed("[::1]:7000"), "::1 7000  -1 false");
        assert_eq!(parsed("redis://cache"), "cache 6379  -1 false");
        assert_eq!(parsed("rediss://bench@cache.example:6380/2"), "cache.example 6380 bench 2 true");
        assert_eq!(parsed("valkeys://[fe80::1]/0"), "fe80::1 6379  0 true");
        for not_one in
            ["cache", ":6379", "a b:1", "[::1", "[::1]7000", "[nope]:1", "host:0", "host:70000", "1:2:3", ""]
        {
            assert_eq!(parsed(not_one), "this is not a valid address", "{not_one}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_shown() {
        for address in ["redis://:s3cret@host:6379", "rediss://user:s3cret@host"] {
            assert_eq!(parsed(address), "a password does not belong in the file");
        }
    }

    #[test]
    fn other_kinds_of_addresses_are_refused_by_name() {
        assert!(parsed("redis-sentinel://a:26379,b:26379/mymaster").contains("sentinel"));
        assert!(parsed("redis+cluster://a:7000").contains("cluster"));
        assert!(parsed("unix:///run/redis.sock").contains("over TCP only"));
        assert!(parsed("http://host:80").contains("`http` is not a scheme"));
        assert!(parsed("redis://host:6379/mymaster").contains("not the number of a database"));
    }
}
