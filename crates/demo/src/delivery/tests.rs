//! Attempts against peers that answer well, badly, or not at all.

use std::path::Path;

use landfall_lifecycle::TaskSet;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;

use super::*;
use crate::client::tls_config;
use crate::event::EventId;
use crate::storage::TemporaryFolder;
use crate::tests::peer::{Answer, OK, Peer, end};

fn courier(set: &TaskSet, rules: &[&str], ca: Option<&Path>) -> Courier {
    let allowed = AllowList::new(rules.iter().map(|rule| rule.parse().unwrap()).collect());
    let client = Client::new(tls_config(ca).unwrap(), set.clone());
    Courier::new(client, allowed, Duration::from_secs(10), set.clone())
}

async fn attempt(courier: &Courier, url: &str) -> Attempt {
    let event = Leased { id: EventId(17), target: url.to_owned(), body: "{\"a\": 1}".to_owned(), attempts: 2 };
    courier.attempt(&event, &url.parse().unwrap()).await
}

async fn attempt_at(answer: Answer, rules: &[&str]) -> Attempt {
    let peer = Peer::start(answer).await;
    let set = TaskSet::new("connections");
    let outcome = attempt(&courier(&set, rules, None), &peer.url("/path?key=1")).await;
    end(&set).await;
    peer.end().await;
    outcome
}

#[track_caller]
fn check_failed(outcome: Attempt, expected: &str) {
    match outcome {
        Attempt::Failed(error) => assert!(error.contains(expected), "{error:?} should say {expected:?}"),
        other => panic!("{other:?} should have failed with {expected:?}"),
    }
}

#[tokio::test]
async fn a_target_gets_the_body_as_it_was_posted_and_the_event_s_id() {
    let mut peer = Peer::start(OK).await;
    let set = TaskSet::new("connections");
    assert_eq!(attempt(&courier(&set, &["loopback"], None), &peer.url("/path?key=1")).await, Attempt::Delivered);
    let request = peer.requests.recv().await.unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /path?key=1 HTTP/1.1\r\n"), "{head}");
    let host = format!("host: {}", peer.address);
    for line in [host.as_str(), "content-type: application/json", "relay-event-id: 17", "relay-attempt: 3"] {
        assert!(head.lines().any(|found| found == line), "no {line:?} in {head}");
    }
    assert_eq!(body, "{\"a\": 1}");
    end(&set).await;
    peer.end().await;
}

#[tokio::test]
async fn only_success_is_success() {
    assert_eq!(
        attempt_at(Answer::Text("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"), &["loopback"]).await,
        Attempt::Delivered
    );
    check_failed(attempt_at(Answer::Text("HTTP/1.1 500 No\r\n\r\n"), &["loopback"]).await, "status 500");
    check_failed(attempt_at(Answer::Text("HTTP/1.1 404 No\r\n\r\n"), &["loopback"]).await, "status 404");
    check_failed(attempt_at(Answer::Text("SSH-2.0-no\r\n\r\n"), &["loopback"]).await, "no response");
    check_failed(attempt_at(Answer::Text(""), &["loopback"]).await, "no response");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let redirect = Answer::Text("HTTP/1.1 307 There\r\nlocation: http://10.0.0.1/\r\ncontent-length: 0\r\n\r\n");
    check_failed(attempt_at(redirect, &["loopback"]).await, "status 307: redirects are not followed");
}

#[tokio::test]
async fn a_target_off_the_list_is_not_connected_to() {
    let mut peer = Peer::start(OK).await;
    let set = TaskSet::new("connections");
    let strict = courier(&set, &["example.com"], None);
    check_failed(attempt(&strict, &peer.url("/")).await, "not on the list");
    // The name is allowed, and so are both loopback addresses, but with another port.
    let other_port = courier(&set, &["example.com", "127.0.0.1:1"], None);
    let by_name = format!("http://localhost:{}/", peer.address.port());
    check_failed(attempt(&other_port, &by_name).await, "not on the list");
    assert!(peer.requests.try_recv().is_err());
    end(&set).await;
    peer.end().await;
}

#[tokio::test]
async fn names_are_resolved_and_every_address_is_tried() {
    let peer = Peer::start(OK).await;
    let set = TaskSet::new("connections");
    // Where it resolves to ::1 first, nobody listens there.
    let by_name = format!("http://localhost:{}/", peer.address.port());
    assert_eq!(attempt(&courier(&set, &["loopback"], None), &by_name).await, Attempt::Delivered);
    check_failed(
        attempt(&courier(&set, &["nowhere.invalid"], None), "http://nowhere.invalid/").await,
        "cannot be resolved",
    );
    end(&set).await;
    peer.end().await;
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_a_failure() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let set = TaskSet::new("connections");
    check_failed(attempt(&courier(&set, &["loopback"], None), &format!("http://{closed}/")).await, "cannot connect");
    end(&set).await;
}

#[tokio::test(start_paused = true)]
async fn an_attempt_has_a_bounded_time() {
    check_failed(attempt_at(Answer::Hang, &["loopback"]).await, "no answer within 10s");
}

#[tokio::test]
async fn a_body_without_end_is_left() {
    assert_eq!(attempt_at(Answer::Endless, &["loopback"]).await, Attempt::Delivered);
}

#[tokio::test]
async fn a_set_that_is_closed_makes_no_attempt() {
    let peer = Peer::start(OK).await;
    let set = TaskSet::new("connections");
    let courier = courier(&set, &["loopback"], None);
    end(&set).await;
    assert_eq!(attempt(&courier, &peer.url("/")).await, Attempt::NotMade);
    assert_eq!(attempt(&courier, "http://localhost/").await, Attempt::NotMade);
    peer.end().await;
}

/// A certificate for 127.0.0.1 and the configuration of a server that shows it.
fn certificate(folder: &TemporaryFolder) -> (std::path::PathBuf, Arc<ServerConfig>) {
    let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, signed.cert.pem()).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    (file, Arc::new(config))
}

#[tokio::test]
async fn https_needs_a_certificate_of_a_known_authority_for_that_host() {
    let folder = TemporaryFolder::new().unwrap();
    let (file, config) = certificate(&folder);
    let peer = Peer::start_tls(OK, config).await;
    let set = TaskSet::new("connections");
    let url = format!("https://{}/", peer.address);
    assert_eq!(attempt(&courier(&set, &["loopback"], Some(&file)), &url).await, Attempt::Delivered);
    check_failed(attempt(&courier(&set, &["loopback"], None), &url).await, "no TLS session");
    let other_name = format!("https://localhost:{}/", peer.address.port());
    check_failed(attempt(&courier(&set, &["loopback"], Some(&file)), &other_name).await, "no TLS session");
    end(&set).await;
    peer.end().await;
}

#[test]
fn a_file_without_certificates_is_refused() {
    use crate::client::TlsError;
    let folder = TemporaryFolder::new().unwrap();
    let file = folder.path().join("ca.pem");
    assert!(matches!(tls_config(Some(&file)), Err(TlsError::Unreadable { .. })), "there is no such file");
    std::fs::write(&file, "no certificates").unwrap();
    assert!(matches!(tls_config(Some(&file)), Err(TlsError::Empty { .. })));
    std::fs::write(&file, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    assert!(matches!(tls_config(Some(&file)), Err(TlsError::Unreadable { .. })));
}
