//! The relay's own HTTP interface.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::event::{EventId, NewEvent, State};
use crate::status::Tally;
use crate::storage::{Storage, StoreError};
use crate::target::{AllowList, Forbidden, Target, TargetError};

/// Answers requests. Clones are the same.
#[derive(Clone)]
pub(crate) struct Intake(Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) storage: Storage,
    pub(crate) allowed: AllowList,
    pub(crate) tally: Arc<Tally>,
    /// Cancelled when the termination of the relay begins.
    pub(crate) stop: CancellationToken,
    /// Bounds the bodies that are held: an HTTP/2 connection may send many at once.
    pub(crate) places: Semaphore,
    pub(crate) body_bytes_max: usize,
    pub(crate) body_timeout: Duration,
}

/// What a client posts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Posted<'a> {
    target: String,
    #[serde(borrow)]
    body: &'a RawValue,
}

#[derive(Serialize)]
struct Accepted {
    id: EventId,
}

#[derive(Serialize)]
struct Shown<'a> {
    id: EventId,
    target: String,
    state: State,
    attempts: u32,
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct Refused<'a> {
    error: &'a str,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a request is refused, in words for the client.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("there is nothing at this path; try POST /events, GET /events/ID, GET /healthz or GET /readyz")]
    NotFound,
    #[error("there is no such event; it may have been forgotten after its end")]
    NoEvent,
    #[error("the method is not allowed here")]
    Method { allowed: &'static str },
    #[error("the content-type must be application/json")]
    MediaType,
    #[error("the body has more than {max} bytes")]
    TooLarge { max: usize },
    #[error("the body did not arrive within {after:?}")]
    TooSlow { after: Duration },
    #[error("too many requests are under way")]
    Busy,
    #[error("the body broke off")]
    BrokenOff,
    #[error("the body is not {{\"target\": URL, \"body\": JSON}}: {0}")]
    Json(serde_json::Error),
    #[error(transparent)]
    Target(TargetError),
    #[error(transparent)]
    Forbidden(Forbidden),
    #[error(transparent)]
    Store(StoreError),
    #[error("the relay is terminating")]
    Terminating,
}

impl Intake {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Answers one request.
    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        match self.route(request).await {
            Ok(response) => response,
            Err(refusal) => {
                self.0.tally.refused();
                // Not the reason: it may quote what the client sent.
                debug!(status = refusal.status().as_u16(), "request refused");
                refusal.into_response()
            }
        }
    }

    async fn route<B>(&self, request: Request<B>) -> Result<Response<Full<Bytes>>, Refusal>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let path = request.uri().path();
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        match path {
            "/events" if *request.method() == Method::POST => self.accept(request).await,
            "/events" => Err(Refusal::Method { allowed: "POST" }),
            "/healthz" | "/readyz" if !is_read => Err(Refusal::Method { allowed: "GET, HEAD" }),
            "/healthz" => Ok(json(StatusCode::OK, &serde_json::json!({ "status": "alive" }))),
            "/readyz" => self.readiness(),
            _ => match path.strip_prefix("/events/") {
                Some(_) if !is_read => Err(Refusal::Method { allowed: "GET, HEAD" }),
                Some(id) => self.show(id.parse().map_err(|_| Refusal::NoEvent)?).await,
                None => Err(Refusal::NotFound),
            },
        }
    }

    fn readiness(&self) -> Result<Response<Full<Bytes>>, Refusal> {
        if self.0.stop.is_cancelled() {
            return Err(Refusal::Terminating);
        }
        if !self.0.storage.is_open() {
            return Err(Refusal::Store(StoreError::Closed));
        }
        Ok(json(StatusCode::OK, &serde_json::json!({ "status": "ready" })))
    }

    async fn accept<B>(&self, request: Request<B>) -> Result<Response<Full<Bytes>>, Refusal>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        // Also keeps the pages of others from posting: a browser asks before it sends this type to another site.
        if !is_json(request.headers()) {
            return Err(Refusal::MediaType);
        }
        let _place = self.0.places.try_acquire().map_err(|_| Refusal::Busy)?;
        let bytes = self.read(request.into_body()).await?;
        let posted: Posted<'_> = serde_json::from_slice(&bytes).map_err(Refusal::Json)?;
        let target: Target = posted.target.parse().map_err(Refusal::Target)?;
        self.0.allowed.check(&target).map_err(Refusal::Forbidden)?;
        let event = NewEvent { target: target.to_url(), body: posted.body.get().to_owned() };
        let id = self.0.storage.insert(event).await.map_err(Refusal::Store)?;
        self.0.tally.accepted();
        let mut response = json(StatusCode::ACCEPTED, &Accepted { id });
        if let Ok(location) = HeaderValue::try_from(format!("/events/{id}")) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        Ok(response)
    }

    async fn read<B>(&self, body: B) -> Result<Bytes, Refusal>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let (max, after) = (self.0.body_bytes_max, self.0.body_timeout);
        // A length that is too large is refused before the first byte is waited for.
        if body.size_hint().lower() > u64::try_from(max).unwrap_or(u64::MAX) {
            return Err(Refusal::TooLarge { max });
        }
        let read = tokio::time::timeout(after, Limited::new(body, max).collect()).await;
        match read.map_err(|_| Refusal::TooSlow { after })? {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge { max }),
            Err(_) => Err(Refusal::BrokenOff),
        }
    }

    async fn show(&self, id: EventId) -> Result<Response<Full<Bytes>>, Refusal> {
        let view = self.0.storage.find(id).await.map_err(Refusal::Store)?.ok_or(Refusal::NoEvent)?;
        // Without its secrets: whoever can reach this port may ask.
        let target = view.target.parse::<Target>().map(|target| target.to_string()).unwrap_or_default();
        let shown = Shown { id, target, state: view.state, attempts: view.attempts, error: view.error.as_deref() };
        Ok(json(StatusCode::OK, &shown))
    }
}

impl<B> tower_service::Service<Request<B>> for Intake
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // What is too much is refused, not kept waiting: the queue of the storage is bounded, and so are connections.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let intake = self.clone();
        Box::pin(async move { Ok(intake.answer(request).await) })
    }
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound | Self::NoEvent => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::BrokenOff | Self::Json(_) | Self::Target(_) => StatusCode::BAD_REQUEST,
            Self::Forbidden(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Busy | Self::Store(_) | Self::Terminating => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = json(self.status(), &Refused { error: &self.to_string() });
        let headers = response.headers_mut();
        match self {
            Self::Method { allowed } => {
                headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
            }
            Self::Busy | Self::Store(_) | Self::Terminating => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            // Part of the body is still on its way: the connection is of no more use.
            Self::TooLarge { .. } | Self::TooSlow { .. } => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = value.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/json")
}

fn json(status: StatusCode, value: &impl Serialize) -> Response<Full<Bytes>> {
    let text = serde_json::to_vec(value).expect("plain structs become JSON");
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests;
