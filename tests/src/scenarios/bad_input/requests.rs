//! Wrong requests: each is answered with the status that says why, and the relay goes on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::Part;
use super::starts::TIMES;
use crate::findings::{Findings, Kind};
use crate::process::Signal;
use crate::relay::Relay;
use crate::scenario::{Failure, Setting};
use crate::workplace::Workplace;

/// Bodies, with the status that each is answered with.
const BODIES: &[(&str, u16)] = &[
    ("", 400),
    ("{", 400),
    ("null", 400),
    ("[]", 400),
    ("{}", 400),
    ("\u{0}", 400),
    (r#"{"target": "http://127.0.0.1:1/"}"#, 400),
    (r#"{"target": 7, "body": 1}"#, 400),
    (r#"{"target": "http://127.0.0.1:1/", "body": 1, "more": 1}"#, 400),
    (r#"{"target": "http://127.0.0.1:1/", "body": 1} {"#, 400),
    (r#"{"target": "", "body": 1}"#, 400),
    (r#"{"target": "no url", "body": 1}"#, 400),
    (r#"{"target": "ftp://127.0.0.1/", "body": 1}"#, 400),
    (r#"{"target": "http://user:word@127.0.0.1/", "body": 1}"#, 400),
    (r#"{"target": "http://127.0.0.1:99999/", "body": 1}"#, 400),
    (r#"{"target": "http://192.0.2.1/", "body": 1}"#, 422),
    (r#"{"target": "http://169.254.169.254/latest", "body": 1}"#, 422),
    (r#"{"target": "http://example.invalid/", "body": 1}"#, 422),
    (r#"{"target": "http://127.0.0.1.example.invalid/", "body": 1}"#, 422),
    (r#"{"target": "http://[::ffff:192.0.2.1]/", "body": 1}"#, 422),
];

/// Whole requests, with the statuses that each may be answered with; 0 stands for an end without an answer.
const REQUESTS: &[(&str, &[u16])] = &[
    ("GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n", &[404]),
    ("GET / HTTP/1.1\r\nhost: x\r\n\r\n", &[404]),
    ("GET /events HTTP/1.1\r\nhost: x\r\n\r\n", &[405]),
    ("DELETE /events/1 HTTP/1.1\r\nhost: x\r\n\r\n", &[405]),
    ("POST /readyz HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n", &[405]),
    ("BREW /healthz HTTP/1.1\r\nhost: x\r\n\r\n", &[405]),
    ("GET /events/0 HTTP/1.1\r\nhost: x\r\n\r\n", &[404]),
    ("GET /events/-9223372036854775808 HTTP/1.1\r\nhost: x\r\n\r\n", &[404]),
    ("GET /events/99999999999999999999 HTTP/1.1\r\nhost: x\r\n\r\n", &[404]),
    ("GET /events/%00 HTTP/1.1\r\nhost: x\r\n\r\n", &[404]),
    ("POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}", &[415]),
    ("POST /events HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\n{}", &[415]),
    // Far more than is allowed, and it need not be sent for that to be said.
    (
        "POST /events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9999999999\r\n\r\n{",
        &[413],
    ),
    (
        "POST /events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99999999999999999999\r\n\r\n",
        &[0, 400, 413],
    ),
    ("POST /events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: -1\r\n\r\n", &[0, 400]),
    (
        "POST /events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        &[0, 400],
    ),
    // Half a body, then nothing: the time for it is over at some point.
    ("POST /events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{\"targ", &[408]),
    // Half a head.
    ("POST /events HT", &[0, 408]),
    ("\r\n\r\n\r\n", &[0, 400]),
    ("no request at all\r\n\r\n", &[0, 400]),
    ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}", &[0, 400]),
];

/// Time a client has for each part of a request: short, for those who never send the rest.
const OPTIONS: &[&str] = &["--request-timeout", "500ms", "--body-bytes-max", "4096"];

/// Time for an answer.
const STEP: Duration = Duration::from_secs(10);

pub(super) fn run(setting: &Setting) -> Result<Part, Failure> {
    let workplace = Workplace::new()?;
    let mut relay = Relay::start(&setting.relay()?, &workplace, TIMES, OPTIONS, setting.deadline)?;
    let mut part = Part::default();
    for (body, status) in BODIES {
        let answer = relay.connect()?.post("/events", body.as_bytes());
        let given = answer.as_ref().map_or(0, |answer| answer.status);
        expect(&mut part, &format!("{body:?}"), given, &[*status]);
        let has_words = answer.is_ok_and(|answer| answer.json()["error"].as_str().is_some_and(|it| !it.is_empty()));
        part.findings.check(has_words, Kind::WrongAnswer, || format!("{body:?}: the refusal has no words"));
    }
    if setting.fault.is_none() {
        whole_requests(&relay, &mut part);
    }
    let alive = relay.connect().and_then(|mut client| client.get("/healthz"));
    let given = alive.map_or(0, |answer| answer.status);
    expect(&mut part, "after all that", given, &[200]);
    part.findings.extend("after all that", end(&mut relay, &workplace));
    Ok(part)
}

fn whole_requests(relay: &Relay, part: &mut Part) {
    for (request, statuses) in REQUESTS {
        expect(part, &shown(request), raw(relay, request.as_bytes()), statuses);
    }
    // A body without a stated length is cut off where it is too long.
    let huge = format!(
        "POST /events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{}",
        format!("1000\r\n{}\r\n", "x".repeat(0x1000)).repeat(64)
    );
    expect(part, "a body without end", raw(relay, huge.as_bytes()), &[413]);
    let many = format!("GET /healthz HTTP/1.1\r\n{}\r\n", "header: value\r\n".repeat(5_000));
    expect(part, "5000 headers", raw(relay, many.as_bytes()), &[0, 400, 431]);
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(1_000_000));
    expect(part, "a long path", raw(relay, long.as_bytes()), &[0, 400, 414, 431]);
}

fn end(relay: &mut Relay, workplace: &Workplace) -> Findings {
    let stop = relay.stop(Signal::TERM, TIMES.limit());
    let mut findings = stop.orderly("stop", TIMES.limit());
    if stop.status.is_some() {
        findings.extend("stop", relay.remains(workplace));
    }
    findings
}

fn expect(part: &mut Part, what: &str, given: u16, allowed: &[u16]) {
    part.tried += 1;
    let text = || format!("{what} is answered with {given} instead of {allowed:?} (0 is no answer)");
    part.findings.check(allowed.contains(&given), Kind::WrongAnswer, text);
}

/// Sends bytes and gives the status of what comes back; 0 for nothing at all.
fn raw(relay: &Relay, bytes: &[u8]) -> u16 {
    let Ok(mut stream) = TcpStream::connect_timeout(&relay.address, STEP) else { return 0 };
    if stream.set_read_timeout(Some(STEP)).and_then(|()| stream.set_write_timeout(Some(STEP))).is_err() {
        return 0;
    }
    // It may close before it has read all: what it has answered until then is still there to be read, mostly.
    _ = stream.write_all(bytes);
    let mut said = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        said.extend_from_slice(&buffer[..read]);
        if said.contains(&b'\n') {
            break;
        }
    }
    let line = String::from_utf8_lossy(&said);
    line.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
}

fn shown(request: &str) -> String {
    let line: String = request.chars().take(120).collect();
    format!("{line:?}")
}
