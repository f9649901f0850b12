//! Requests as the server hands them on, without sockets.

use http_body_util::StreamBody;
use hyper::body::Frame;
use landfall_lifecycle::TaskSet;

use super::*;
use crate::storage::Limits;
use crate::target::AllowRule;
use crate::tests::peer::{end, storage_with};

const LIMITS: Limits = Limits { lock_wait: Duration::ZERO, backlog_max: 1_000, delivered_max: 1_000, dead_max: 1_000 };

struct Bench {
    intake: Intake,
    set: TaskSet,
    stop: CancellationToken,
}

impl Bench {
    async fn start(limits: Limits) -> Self {
        let set = TaskSet::new("storage");
        let stop = CancellationToken::new();
        let parts = Parts {
            storage: storage_with(&set, limits, 10).await,
            allowed: AllowList::new(vec![AllowRule::Loopback]),
            tally: Arc::default(),
            stop: stop.clone(),
            places: Semaphore::new(2),
            body_bytes_max: 256,
            body_timeout: Duration::from_secs(10),
        };
        Self { intake: Intake::new(parts), set, stop }
    }

    async fn ask(&self, method: &str, path: &str, content_type: &str, body: &str) -> (u16, serde_json::Value) {
        let request = request(method, path, content_type, Full::<Bytes>::from(body.to_owned()));
        read(self.intake.answer(request).await).await
    }

    async fn post(&self, body: &str) -> (u16, serde_json::Value) {
        self.ask("POST", "/events", "application/json", body).await
    }

    async fn check_status(&self, method: &str, path: &str, body: &str, expected: u16) {
        let (status, said) = self.ask(method, path, "application/json", body).await;
        assert_eq!(status, expected, "{method} {path} {body:?}: {said}");
        assert_eq!(said["error"].is_string(), expected >= 400, "{said}");
    }
}

fn request<B>(method: &str, path: &str, content_type: &str, body: B) -> Request<B> {
    Request::builder().method(method).uri(path).header("content-type", content_type).body(body).unwrap()
}

async fn read(response: Response<Full<Bytes>>) -> (u16, serde_json::Value) {
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn an_accepted_event_has_an_id_under_which_it_is_found_without_secrets() {
    let bench = Bench::start(LIMITS).await;
    let (status, said) =
        bench.post(r#"{"target": "http://127.0.0.1:9/hook?key=canary", "body": {"a": [1, "canary"]}}"#).await;
    assert_eq!((status, &said["id"]), (202, &serde_json::json!(1)));
    let (status, said) = bench.ask("GET", "/events/1", "", "").await;
    let expected = serde_json::json!({
        "id": 1, "target": "http://127.0.0.1:9/hook", "state": "waiting", "attempts": 0, "error": null,
    });
    assert_eq!((status, said), (200, expected));
    end(&bench.set).await;
}

#[tokio::test]
async fn wrong_requests_are_refused_with_the_status_that_says_why() {
    let bench = Bench::start(LIMITS).await;
    for (body, expected) in [
        ("", 400),
        ("no json", 400),
        ("[]", 400),
        ("{}", 400),
        (r#"{"target": "http://127.0.0.1/"}"#, 400),
        (r#"{"body": 1}"#, 400),
        (r#"{"target": 1, "body": 1}"#, 400),
        (r#"{"target": "http://127.0.0.1/", "body": 1, "more": 1}"#, 400),
        (r#"{"target": "http://127.0.0.1/", "body": 1} trailing"#, 400),
        (r#"{"target": "127.0.0.1", "body": 1}"#, 400),
        (r#"{"target": "ftp://127.0.0.1/", "body": 1}"#, 400),
        (r#"{"target": "http://user:word@127.0.0.1/", "body": 1}"#, 400),
        (r#"{"target": "http://2130706433/", "body": 1}"#, 400),
        (r#"{"target": "http://10.0.0.1/", "body": 1}"#, 422),
        (r#"{"target": "http://169.254.169.254/", "body": 1}"#, 422),
        (r#"{"target": "http://localhost.evil.example/", "body": 1}"#, 422),
        (r#"{"target": "http://127.0.0.1/", "body": null}"#, 202),
    ] {
        bench.check_status("POST", "/events", body, expected).await;
    }
    for (method, path, expected) in [
        ("GET", "/events", 405),
        ("DELETE", "/events/1", 405),
        ("POST", "/readyz", 405),
        ("POST", "/healthz", 405),
        ("GET", "/", 404),
        ("GET", "/events/", 404),
        ("GET", "/events/2", 404),
        ("GET", "/events/-1", 404),
        ("GET", "/events/1x", 404),
        ("GET", "/events/99999999999999999999", 404),
        ("GET", "/events/1/2", 404),
        ("GET", "/events/1", 200),
        ("HEAD", "/healthz", 200),
    ] {
        bench.check_status(method, path, "", expected).await;
    }
    end(&bench.set).await;
}

#[tokio::test]
async fn refusals_say_what_would_be_right() {
    let bench = Bench::start(LIMITS).await;
    let answer = |method, path, body: &str| {
        bench.intake.answer(request(method, path, "application/json", Full::<Bytes>::from(body.to_owned())))
    };
    assert_eq!(answer("PUT", "/events", "").await.headers()["allow"], "POST");
    assert_eq!(answer("PUT", "/events/1", "").await.headers()["allow"], "GET, HEAD");
    let large = "x".repeat(257);
    assert_eq!(answer("POST", "/events", &large).await.headers()["connection"], "close");
    let accepted = answer("POST", "/events", r#"{"target": "http://127.0.0.1/", "body": 1}"#).await;
    assert_eq!(accepted.headers()["location"], "/events/1");
    end(&bench.set).await;
}

#[tokio::test]
async fn only_json_is_taken() {
    let bench = Bench::start(LIMITS).await;
    let body = r#"{"target": "http://127.0.0.1/", "body": 1}"#;
    for (content_type, expected) in [
        ("application/json", 202),
        ("Application/JSON; charset=utf-8", 202),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("", 415),
    ] {
        assert_eq!(bench.ask("POST", "/events", content_type, body).await.0, expected, "{content_type:?}");
    }
    end(&bench.set).await;
}

#[tokio::test]
async fn a_body_is_bounded_whether_it_says_its_length_or_not() {
    let bench = Bench::start(LIMITS).await;
    bench.check_status("POST", "/events", &"x".repeat(257), 413).await;
    let chunks = (0..1_000).map(|_| Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"0123456789"))));
    let endless = request("POST", "/events", "application/json", StreamBody::new(futures_util::stream::iter(chunks)));
    assert_eq!(bench.intake.answer(endless).await.status(), 413);
    let broken = [Ok(Frame::data(Bytes::from_static(b"{"))), Err(std::io::Error::other("gone"))];
    let broken = request("POST", "/events", "application/json", StreamBody::new(futures_util::stream::iter(broken)));
    assert_eq!(bench.intake.answer(broken).await.status(), 400);
    end(&bench.set).await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_given_up() {
    let bench = Bench::start(LIMITS).await;
    let never = futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>();
    let slow = request("POST", "/events", "application/json", StreamBody::new(never));
    assert_eq!(bench.intake.answer(slow).await.status(), 408);
    end(&bench.set).await;
}

#[tokio::test]
async fn bodies_under_way_are_bounded() {
    let bench = Bench::start(LIMITS).await;
    let slow = || {
        let never = futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>();
        bench.intake.answer(request("POST", "/events", "application/json", StreamBody::new(never)))
    };
    let mut held = [Box::pin(slow()), Box::pin(slow())];
    for answer in &mut held {
        assert!(std::future::poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx).is_pending())).await);
    }
    let body = r#"{"target": "http://127.0.0.1/", "body": 1}"#;
    bench.check_status("POST", "/events", body, 503).await;
    bench.check_status("GET", "/healthz", "", 200).await;
    drop(held);
    bench.check_status("POST", "/events", body, 202).await;
    end(&bench.set).await;
}

#[tokio::test]
async fn a_full_backlog_is_said() {
    let bench = Bench::start(Limits { backlog_max: 1, ..LIMITS }).await;
    let body = r#"{"target": "http://127.0.0.1/", "body": 1}"#;
    bench.check_status("POST", "/events", body, 202).await;
    bench.check_status("POST", "/events", body, 503).await;
    bench.check_status("GET", "/events/1", "", 200).await;
    end(&bench.set).await;
}

#[tokio::test]
async fn readiness_ends_when_the_termination_begins_and_health_does_not() {
    let bench = Bench::start(LIMITS).await;
    bench.check_status("GET", "/readyz", "", 200).await;
    bench.stop.cancel();
    bench.check_status("GET", "/readyz", "", 503).await;
    bench.check_status("GET", "/healthz", "", 200).await;
    end(&bench.set).await;
}

#[tokio::test]
async fn without_a_storage_nothing_is_accepted() {
    let bench = Bench::start(LIMITS).await;
    end(&bench.set).await;
    bench.check_status("GET", "/readyz", "", 503).await;
    bench.check_status("POST", "/events", r#"{"target": "http://127.0.0.1/", "body": 1}"#, 503).await;
}
