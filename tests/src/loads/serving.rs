//! An HTTP server that is asked by several clients while it gets SIGTERM at a random moment.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use landfall_lifecycle::ServiceCx;
use landfall_lifecycle::serving::{ServeOptions, Server, StartError};
use tokio::net::TcpListener;

use crate::deadline::Deadline;
use crate::findings::Kind;
use crate::http::Client;
use crate::observed::{BodyError, Drive, Target};
use crate::scenario::Failure;
use crate::twin::Twin;

/// The faults of the product that show here.
pub const TWINS: &[Twin] = &[
    Twin::product("keep-clone", Kind::Socket).named("tcp 127.0.0.1:"),
    Twin::product("leave-thread", Kind::Thread).named("landfall-clock"),
    Twin::product("swallow-cancel", Kind::Aborted).named("connection 127.0.0.1:").at(SERVER.1),
];

type Placed = (fn(TcpListener) -> Result<Server, StartError>, &'static str);

const SERVER: Placed = (|it| Server::start("http", it, Hello, ServeOptions::default()), concat!(file!(), ":", line!()));

/// Clients that ask; besides there are two connections on which nobody does.
const CLIENTS: usize = 4;

/// The time of each step of a request.
const STEP_MAX: Duration = Duration::from_secs(10);
/// What an answer takes, so that requests are in flight when the signal comes.
const ANSWER_AFTER: Duration = Duration::from_millis(2);

/// What the target says when it listens.
const LISTENS: &str = "listening on ";

/// Answers after a moment.
#[derive(Clone)]
struct Hello;

impl tower_service::Service<Request<Incoming>> for Hello {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Incoming>) -> Self::Future {
        Box::pin(async {
            tokio::time::sleep(ANSWER_AFTER).await;
            Ok(Response::new(Full::from("hello")))
        })
    }
}

/// Runs the target.
pub fn target(target: &Target) -> ExitCode {
    let this = target.clone();
    target.service("serving").run(async move |cx| {
        let _planted = this.course()?;
        start(&cx).await
    })
}

async fn start(cx: &ServiceCx) -> Result<(), BodyError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    cx.stack().push(SERVER.0(listener)?)?;
    eprintln!("{LISTENS}{address}");
    Ok(())
}

/// Drives it: whatever is answered has the status 200.
///
/// # Errors
///
/// When it does not listen.
pub fn drive(drive: &mut Drive<'_>) -> Result<(), Failure> {
    let said = drive.line_with(LISTENS)?;
    let address: SocketAddr = said.parse().map_err(io::Error::other)?;
    let deadline = drive.deadline;
    let idle = [Client::connect(address, STEP_MAX)?, Client::connect(address, STEP_MAX)?];
    let asked = thread::scope(|scope| {
        let clients = [(); CLIENTS].map(|()| scope.spawn(move || ask(address, deadline)));
        drive.signal_soon();
        clients.map(|client| client.join().unwrap_or_default())
    });
    drop(idle);
    drive.counts.push(("answers", asked.iter().map(|asked| asked.answers).sum()));
    let odd: Vec<u16> = asked.iter().filter_map(|asked| asked.odd).collect();
    drive.findings.check(odd.is_empty(), Kind::WrongAnswer, || format!("requests were answered with {odd:?}"));
    Ok(())
}

/// What one client got.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    answers: u64,
    /// A status other than 200.
    odd: Option<u16>,
}

/// Asks on one connection after the other, until nobody listens any more.
fn ask(address: SocketAddr, deadline: Deadline) -> Asked {
    let mut asked = Asked::default();
    while let Ok(mut client) = Client::connect(address, STEP_MAX) {
        while let Ok(answer) = client.get("/") {
            asked.answers += 1;
            if answer.status != 200 {
                asked.odd = Some(answer.status);
            }
            if answer.is_last || deadline.is_over() {
                break;
            }
        }
        if deadline.is_over() {
            break;
        }
    }
    asked
}
