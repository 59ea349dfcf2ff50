//! Plain TCP leaves the machine only where that was said.

use std::io;

use handover::net::{self, Listener, NetError, PlainOffLoopback};

use crate::{links::config, support::Authority};

#[tokio::test]
async fn a_plain_listener_off_loopback_needs_leave_and_the_error_says_the_two_ways_out() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let error = Listener::bind(address, config()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(error.get_ref().unwrap().is::<PlainOffLoopback>());
        let text = error.to_string();
        assert!(text.contains("Config::tls"), "{text}");
        assert!(text.contains("Config::plain_off_loopback"), "{text}");
    }
    Listener::bind("0.0.0.0:0", config().plain_off_loopback(true))
        .await
        .unwrap();
    Listener::bind("0.0.0.0:0", Authority::new().config("coordinator"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_plain_dialer_off_loopback_needs_leave() {
    // An address of the range for documentation: nothing is sent there.
    let error = net::dial("192.0.2.1:9", config()).await.unwrap_err();
    assert!(
        matches!(&error, NetError::PlainOffLoopback(PlainOffLoopback(ip)) if ip.to_string() == "192.0.2.1"),
        "{error}"
    );
    for address in ["127.0.0.2:0", "[::1]:0", "[::ffff:127.0.0.1]:0"] {
        let error = net::dial(address, config()).await.unwrap_err();
        assert!(matches!(error, NetError::Io(_)), "{address}: {error}");
    }
}
