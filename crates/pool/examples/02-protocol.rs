//! A connector to copy from: a protocol with a driver task of its own, a goodbye that is confirmed, and an interrupt. The
//! pool is watched meanwhile: what changes in it, and at the end its statistics.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
use landfall_pool::{
    Backend, BoxError, ConnectCx, Connected, Connector, Events, Fitness, FixedResolver, Moment, Policy, Pool, Spawner,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot};

/// A question, and where its answer goes.
type Asked = (String, oneshot::Sender<String>);

/// A connection: its driver has the socket, this has the way to the driver.
struct Client {
    questions: mpsc::Sender<Asked>,
    /// Ready when the driver has seen the server's end of file.
    over: oneshot::Receiver<()>,
}

impl Client {
    async fn ask(&self, question: &str) -> io::Result<String> {
        let gone = || io::Error::from(io::ErrorKind::ConnectionAborted);
        let (answers, answer) = oneshot::channel();
        self.questions.send((question.to_owned(), answers)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }
}

struct Protocol;

impl Connector for Protocol {
    type Connection = Client;

    async fn connect(&self, backend: &Backend, cx: &ConnectCx) -> Result<Connected<Client>, BoxError> {
        let stream = TcpStream::connect(backend.address).await?;
        let (questions, asked) = mpsc::channel(1);
        let (ends, over) = oneshot::channel();
        let interrupted = Arc::new(Notify::new());
        // An entry of the pool's task set: its termination waits for it, and names it if it does not end.
        cx.spawner().spawn(format!("driver {backend}"), drive(stream, asked, Arc::clone(&interrupted), ends))?;
        let interrupt = move |_: &Spawner| interrupted.notify_one();
        Ok(Connected::from(Client { questions, over }).with_interrupt(interrupt))
    }

    /// Asked for each claim and release, so it only looks.
    fn fitness(&self, client: &mut Client, _: Moment) -> Fitness {
        if client.questions.is_closed() { Fitness::Broken } else { Fitness::Fit }
    }

    async fn is_valid(&self, client: &mut Client) -> Result<(), BoxError> {
        client.ask("ping").await?;
        Ok(())
    }

    /// The driver says goodbye once nobody can ask any more; the server's end is waited for.
    async fn close(&self, client: Client) {
        drop(client.questions);
        // An error: the driver has gone already.
        drop(client.over.await);
    }
}

/// Speaks the protocol: a line for a question, a line for its answer.
async fn drive(
    stream: TcpStream,
    mut asked: mpsc::Receiver<Asked>,
    interrupted: Arc<Notify>,
    ends: oneshot::Sender<()>,
) {
    let mut stream = BufReader::new(stream);
    let talks = async {
        while let Some((question, answers)) = asked.recv().await {
            stream.write_all(format!("{question}\n").as_bytes()).await?;
            let mut answer = String::new();
            if stream.read_line(&mut answer).await? == 0 {
                break;
            }
            // Who asked may have given up.
            drop(answers.send(answer.trim_end().to_owned()));
        }
        io::Result::Ok(())
    };
    tokio::select! {
        // First: a holder that never stops asking is interrupted all the same.
        biased;
        () = interrupted.notified() => {}
        talked = talks => drop(talked),
    }
    asked.close();
    // The goodbye, and the server's end of file; if the connection is broken there is none.
    drop(stream.shutdown().await);
    drop(stream.read_line(&mut String::new()).await);
    // Nobody waits if the connection was dropped and not closed.
    let _unheard = ends.send(());
}

/// A server that answers each line with the same in capitals.
async fn serve(listener: TcpListener, clients: TaskSet) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let serves = async move {
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            while stream.read_line(&mut line).await? > 0 {
                stream.write_all(line.to_uppercase().as_bytes()).await?;
                line.clear();
            }
            io::Result::Ok(())
        };
        clients.spawn("client", async { drop(serves.await) }).map_err(io::Error::other)?;
    }
}

/// Shows what changes, until the pool has ended.
async fn watch(mut events: Events) {
    while let Some(event) = events.recv().await {
        match event {
            Ok(event) => println!("{event}"),
            Err(lagged) => println!("{lagged}"),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let tasks = TaskSet::new("tasks");
    let server = tasks.child("server")?;
    server.spawn("accepts", serve(listener, server.clone()))?;

    let mut policy = Policy::default();
    policy.slots_max = 4;
    policy.claim_timeout = Duration::from_secs(2);
    let resolver = FixedResolver::new([Backend::new("capitals", address)]);
    let pool = Pool::builder("words").resolver(resolver).connector(Protocol).policy(policy).build()?;
    tasks.spawn("watch", watch(pool.events()))?;
    pool.warm_up().await?;

    let client = pool.claim().await?;
    println!("{}: {}", client.backend(), client.ask("hello").await?);
    drop(client);
    let stats = pool.stats();
    println!("{} claims, held for at most {:?}", stats.totals.claims, stats.holds.at_most(1.0));

    let how = Shutdown::within(Duration::from_secs(5), Duration::from_secs(6));
    let report = pool.terminate(&how).await?;
    println!("{report}");
    assert!(report.is_clean());
    assert!(tasks.terminate(&how).await?.is_clean());
    Ok(())
}
