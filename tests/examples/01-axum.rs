//! An axum service whose handlers claim connections: by themselves from the pool, or from the request's extensions, where
//! a layer has put one. The server ends before the pool that its requests need.

use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::error_handling::HandleErrorLayer;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{BoxError, Router};
use landfall_lifecycle::serving::{ServeOptions, Server};
use landfall_lifecycle::{Shutdown, Stack, TaskSet, Terminate};
use landfall_pool::tower::{CallError, ClaimLayer, Claimed};
use landfall_pool::{Backend, ConnectCx, Connected, Connector, FixedResolver, Handle, Pool};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceBuilder;

/// A word that was asked for, as the server of words sends it.
const WORD: &[u8; 5] = b"hello";

struct Words;

impl Connector for Words {
    type Connection = TcpStream;

    async fn connect(&self, backend: &Backend, _: &ConnectCx) -> Result<Connected<TcpStream>, BoxError> {
        Ok(TcpStream::connect(backend.address).await?.into())
    }
}

/// Asks for a word, over a connection that goes back to the pool when this has ended.
async fn ask(mut connection: Handle<Words>) -> Result<String, StatusCode> {
    let exchange = async {
        connection.write_all(b"?").await?;
        let mut word = [0; WORD.len()];
        connection.read_exact(&mut word).await?;
        Ok::<_, io::Error>(word)
    };
    match exchange.await {
        Ok(word) => Ok(String::from_utf8_lossy(&word).into_owned()),
        Err(_) => {
            connection.mark_broken();
            Err(StatusCode::BAD_GATEWAY)
        }
    }
}

/// Claims when it needs a connection.
async fn claims(State(pool): State<Pool<Words>>) -> Result<String, StatusCode> {
    let connection = pool.claim().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    ask(connection).await
}

/// Finds its connection in the request.
async fn has_one(Extension(claimed): Extension<Claimed<Words>>) -> Result<String, StatusCode> {
    ask(claimed.take().ok_or(StatusCode::INTERNAL_SERVER_ERROR)?).await
}

/// Routes with the pool behind them. A request that gets no connection is answered with 503.
fn routes(pool: Pool<Words>) -> Router {
    let unavailable = HandleErrorLayer::new(|_: CallError<Infallible>| ready(StatusCode::SERVICE_UNAVAILABLE));
    let claimed = ServiceBuilder::new().layer(unavailable).layer(ClaimLayer::new(pool.clone()));
    Router::new().route("/has-one", get(has_one).layer(claimed)).route("/claims", get(claims)).with_state(pool)
}

/// Answers each byte with a word.
async fn words(mut stream: TcpStream) -> io::Result<()> {
    while stream.read(&mut [0]).await? > 0 {
        stream.write_all(WORD).await?;
    }
    Ok(())
}

/// Serves words on a set that ends it.
async fn serve_words(tasks: &TaskSet) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (set, stop) = (tasks.downgrade(), tasks.token());
    let accept = async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Some(set) = set.upgrade() else { return };
            if set.spawn("words", async { drop(words(stream).await) }).is_err() {
                return;
            }
        }
    };
    tasks.spawn("accept", async move { stop.run_until_cancelled(accept).await }).map_err(io::Error::other)?;
    Ok(address)
}

/// Asks as a client does, on a connection that is closed after the answer.
async fn fetch(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: me\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let stack = Stack::new("service");
    let peers = TaskSet::new("peers");
    let address = serve_words(&peers).await?;
    stack.push(peers)?;
    let pool = Pool::builder("words").resolver(FixedResolver::new([address])).connector(Words).build()?;
    stack.push(pool.clone())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = Server::start("http", listener, routes(pool.clone()), ServeOptions::default())?;
    let address = server.local_addr();
    stack.push(server)?;

    for path in ["/claims", "/has-one"] {
        let answer = fetch(address, path).await?;
        println!("{path}: {}", answer.lines().last().unwrap_or_default());
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");
    }
    println!("{}", pool.stats());

    // Server, pool, peers: in the reverse of the order in which they were started.
    let report = stack.terminate(&Shutdown::within(Duration::from_secs(10), Duration::from_secs(12))).await?;
    println!("{report}");
    assert!(report.is_clean());
    Ok(())
}
