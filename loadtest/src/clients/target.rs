//! Where requests go: a port of this machine, and never another one.

use std::net::{IpAddr, SocketAddr};

use reqwest::Url;

use super::ClientsError;

/// An HTTP server on a loopback address.
#[derive(Debug, Clone)]
pub struct Target {
    address: SocketAddr,
    host: String,
}

impl Target {
    /// The server behind a URL such as `http://127.0.0.1:8080`.
    ///
    /// Names are not looked up, except `localhost`: a name that happens to point here today may point elsewhere
    /// tomorrow, and this program sends as much as it can.
    pub async fn parse(url: &str) -> Result<Self, ClientsError> {
        let bad = |why: &'static str| ClientsError::BadUrl { url: url.to_owned(), why };
        let parsed = Url::parse(url).map_err(|_| bad("is not a URL, as http://127.0.0.1:8080"))?;
        if parsed.scheme() != "http" {
            return Err(bad("must begin with http://"));
        }
        if parsed.path() != "/" || parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(bad("must end after the port"));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(bad("must not name a user"));
        }
        let host = parsed.host_str().ok_or_else(|| bad("names no host"))?;
        let port = parsed.port_or_known_default().ok_or_else(|| bad("names no port"))?;
        let address = loopback_address(host, port).await?;
        Ok(Self { address, host: format!("{host}:{port}") })
    }

    /// A server that this process has started itself.
    pub fn local(address: SocketAddr) -> Self {
        Self { address, host: address.to_string() }
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The bytes of a request for a path with its query, which must be percent-encoded.
    pub fn request(&self, path: &str) -> Vec<u8> {
        format!("GET {path} HTTP/1.1\r\nhost: {}\r\naccept: application/json\r\n\r\n", self.host).into_bytes()
    }
}

async fn loopback_address(host: &str, port: u16) -> Result<SocketAddr, ClientsError> {
    let refused = || ClientsError::NotLoopback { host: host.to_owned() };
    if host.eq_ignore_ascii_case("localhost") {
        let found = tokio::net::lookup_host((host, port)).await.map_err(|_| refused())?;
        let mut found: Vec<_> = found.filter(|address| address.ip().is_loopback()).collect();
        // IPv4 first: that is where servers listen that were told `127.0.0.1`.
        found.sort_unstable();
        return found.first().copied().ok_or_else(refused);
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(ip) if ip.is_loopback() => Ok(SocketAddr::new(ip, port)),
        Ok(_) | Err(_) => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_this_machine_is_measured() {
        for (url, address) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://127.3.2.1", "127.3.2.1:80"),
            ("http://[::1]:9000/", "[::1]:9000"),
        ] {
            let target = Target::parse(url).await.expect(url);
            assert_eq!(target.address().to_string(), address);
        }
        assert!(Target::parse("http://localhost:81").await.expect("localhost").address().ip().is_loopback());
        for url in ["http://192.0.2.7:8080", "http://example.org", "http://0.0.0.0:1", "http://[2001:db8::1]:1"] {
            let error = Target::parse(url).await.expect_err(url);
            assert!(matches!(error, ClientsError::NotLoopback { .. }), "{error}");
            assert!(error.to_string().contains("this machine"), "{error}");
        }
        for url in ["", "127.0.0.1:8080", "https://127.0.0.1", "http://127.0.0.1/v1", "http://me@127.0.0.1"] {
            let error = Target::parse(url).await.expect_err(url);
            assert!(matches!(error, ClientsError::BadUrl { .. }), "{error}");
        }
    }
}
