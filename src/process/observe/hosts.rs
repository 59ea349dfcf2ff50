//! Under which names the server may be asked.
//!
//! A page of somebody else's may make its own name point at 127.0.0.1 and then ask this server, as its own, from the
//! browser of the person who looks at it (DNS rebinding). What gives it away is the name that it asks under.

use std::net::IpAddr;

use hyper::http::{HeaderMap, Uri, header, uri::Authority};

/// Under which names it may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hosts {
    /// `localhost` and loopback addresses.
    Loopback,
    /// `localhost` and addresses in figures: a name would be needed to come through somebody's browser.
    AnyAddress,
}

pub(super) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

impl Hosts {
    /// Whether a request was sent to a name that is one of ours.
    pub(super) fn allow(self, uri: &Uri, headers: &HeaderMap) -> bool {
        // A request for a proxy names the host a second time.
        if uri.host().is_some_and(|host| !self.allow_host(host)) {
            return false;
        }
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return false;
        };
        let host = host.to_str().ok().and_then(|host| host.parse().ok());
        host.is_some_and(|host: Authority| {
            !host.as_str().contains('@') && self.allow_host(host.host())
        })
    }

    fn allow_host(self, host: &str) -> bool {
        if host.eq_ignore_ascii_case("localhost") {
            return true;
        }
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        bare.parse()
            .is_ok_and(|address| self == Self::AnyAddress || is_loopback(address))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use hyper::http::{HeaderMap, HeaderValue, Uri, header};

    use super::Hosts;

    fn allows(hosts: Hosts, target: &'static str, named: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        for host in named {
            headers.append(header::HOST, HeaderValue::from_static(host));
        }
        hosts.allow(&Uri::from_static(target), &headers)
    }

    #[test]
    fn loopback_names_are_ours() {
        for host in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1:7070",
            "127.1.2.3",
            "[::1]",
            "[::1]:7070",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(allows(Hosts::Loopback, "/", &[host]), "{host}");
        }
    }

    #[test]
    fn other_names_are_not() {
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "0.0.0.0:7070",
            "192.0.2.1",
            "[::]",
            "[2001:db8::1]:7070",
            "localhost@evil.example",
            "evil.example@localhost",
            "",
            "a b",
        ] {
            assert!(!allows(Hosts::Loopback, "/", &[host]), "{host}");
        }
        assert!(!allows(Hosts::Loopback, "/", &[]));
        assert!(!allows(Hosts::Loopback, "/", &["localhost", "localhost"]));
        assert!(!allows(
            Hosts::Loopback,
            "http://evil.example/",
            &["localhost"]
        ));
    }

    #[test]
    fn in_the_open_any_address_is_ours_and_still_no_name() {
        assert!(allows(Hosts::AnyAddress, "/", &["192.0.2.1:7070"]));
        assert!(allows(Hosts::AnyAddress, "/", &["[2001:db8::1]"]));
        assert!(!allows(Hosts::AnyAddress, "/", &["evil.example"]));
    }
}
