//! A name server in this process, over UDP and TCP, which answers as a test says: truly, late, never, or with lies.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard};

use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, SOA, SRV};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use landfall_lifecycle::{TaskSet, Terminate};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Notify;

use crate::harness::{assert_clean, long};

/// How a server answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Script {
    /// What it has; that there is none where it has nothing.
    #[default]
    Truly,
    /// With this code.
    Code(ResponseCode),
    /// Never.
    Never,
    /// That nothing fits over UDP.
    Truncates,
    /// What it has, with another id and then not at all.
    WrongId,
    /// What it has, as the answer to another question.
    WrongQuestion,
    /// With records of a name that was not asked for, beside what it has.
    ForOthers,
    /// With bytes that are no message.
    Garbage,
    /// As if EDNS had not been invented.
    NoEdns,
    /// When the same is asked again, whoever asked before.
    Late,
}

/// The address in lies.
pub(crate) const LIE: Ipv4Addr = Ipv4Addr::new(127, 6, 6, 6);

#[derive(Default)]
struct State {
    records: HashMap<Name, Vec<Record>>,
    script: Script,
    by_name: HashMap<(Name, RecordType), Script>,
    asked: HashMap<(Name, RecordType), usize>,
    asked_over_tcp: usize,
    /// What is owed to those who asked before.
    owed: HashMap<(Name, RecordType), (SocketAddr, Vec<u8>)>,
}

/// A server, and the test's side of it. Made once for each test.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
    tasks: TaskSet,
}

pub(crate) fn name(text: &str) -> Name {
    let mut name = Name::from_str(text).unwrap();
    name.set_fqdn(true);
    name
}

/// A record that holds for so many seconds.
pub(crate) fn srv(owner: &str, ttl: u32, (priority, weight, port): (u16, u16, u16), target: &str) -> Record {
    Record::from_rdata(name(owner), ttl, RData::SRV(SRV::new(priority, weight, port, name(target))))
}

pub(crate) fn address(owner: &str, ttl: u32, address: &str) -> Record {
    let data = match address.parse().unwrap() {
        std::net::IpAddr::V4(address) => RData::A(A(address)),
        std::net::IpAddr::V6(address) => RData::AAAA(AAAA(address)),
    };
    Record::from_rdata(name(owner), ttl, data)
}

pub(crate) fn alias(owner: &str, ttl: u32, target: &str) -> Record {
    Record::from_rdata(name(owner), ttl, RData::CNAME(CNAME(name(target))))
}

impl Server {
    pub(crate) async fn start() -> Self {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            // Somebody may have this port for TCP.
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let (state, changed) = (Arc::default(), Arc::default());
        let server = Self { address: udp.local_addr().unwrap(), state, changed, tasks: TaskSet::new("server") };
        server.tasks.spawn("udp", server.clone().serve_udp(udp)).unwrap();
        server.tasks.spawn("tcp", server.clone().serve_tcp(tcp)).unwrap();
        server
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Replaces all records.
    pub(crate) fn set(&self, records: impl IntoIterator<Item = Record>) {
        let mut by_name: HashMap<Name, Vec<Record>> = HashMap::new();
        for record in records {
            by_name.entry(record.name.clone()).or_default().push(record);
        }
        self.state().records = by_name;
    }

    pub(crate) fn script(&self, script: Script) {
        self.state().script = script;
    }

    /// How it answers for one name and type, whatever it does for others.
    pub(crate) fn script_for(&self, owner: &str, kind: RecordType, script: Script) {
        self.state().by_name.insert((name(owner), kind), script);
    }

    pub(crate) fn asked(&self, owner: &str, kind: RecordType) -> usize {
        self.state().asked.get(&(name(owner), kind)).copied().unwrap_or_default()
    }

    pub(crate) fn asked_in_all(&self) -> usize {
        self.state().asked.values().sum()
    }

    pub(crate) fn asked_over_tcp(&self) -> usize {
        self.state().asked_over_tcp
    }

    /// Waits until it has been asked so many times more.
    pub(crate) async fn asked_again(&self, owner: &str, kind: RecordType, times: usize) {
        let before = self.asked(owner, kind);
        self.until(|| self.asked(owner, kind) >= before + times).await;
    }

    pub(crate) async fn until(&self, is_so: impl Fn() -> bool) {
        loop {
            let changed = self.changed.notified();
            if is_so() {
                return;
            }
            changed.await;
        }
    }

    pub(crate) async fn end(&self) {
        assert_clean(&self.tasks.terminate(&long()).await.unwrap());
    }

    async fn serve_udp(self, socket: UdpSocket) {
        let stop = self.tasks.token();
        let mut buffer = vec![0; 4_096];
        loop {
            let received = tokio::select! {
                () = stop.cancelled() => return,
                received = socket.recv_from(&mut buffer) => received,
            };
            // Some systems tell here that nobody waited for an answer.
            let Ok((length, from)) = received else { continue };
            let replies = self.replies(&buffer[..length], Some(from));
            for (to, reply) in replies {
                // Who asked may have gone.
                let _sent = socket.send_to(&reply, to).await;
            }
            self.changed.notify_waiters();
        }
    }

    async fn serve_tcp(self, listener: TcpListener) {
        let stop = self.tasks.token();
        loop {
            let stream = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted.unwrap().0,
            };
            let (server, stop) = (self.clone(), stop.clone());
            // Where the server is ending it is dropped.
            let _refused = self.tasks.spawn("connection", async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    _served = server.serve_stream(stream) => {}
                }
            });
        }
    }

    async fn serve_stream(&self, mut stream: TcpStream) -> std::io::Result<()> {
        loop {
            let length = stream.read_u16().await?;
            let mut question = vec![0; length.into()];
            stream.read_exact(&mut question).await?;
            self.state().asked_over_tcp += 1;
            let replies = self.replies(&question, None);
            self.changed.notify_waiters();
            for (_, reply) in replies {
                stream.write_u16(reply.len().try_into().unwrap()).await?;
                stream.write_all(&reply).await?;
            }
        }
    }

    /// What to send to whom. Over TCP there is no address to send to.
    fn replies(&self, question: &[u8], from: Option<SocketAddr>) -> Vec<(SocketAddr, Vec<u8>)> {
        let question = Message::from_vec(question).expect("the resolver sends messages");
        let query = question.queries[0].clone();
        let mut state = self.state();
        let key = (query.name.to_lowercase(), query.query_type);
        *state.asked.entry(key.clone()).or_default() += 1;
        let script = state.by_name.get(&key).copied().unwrap_or(state.script);
        let mut reply = state.reply(&question, &query);
        match script {
            Script::Truly => {}
            Script::Code(code) => {
                reply.answers.clear();
                reply.authorities.clear();
                reply.metadata.response_code = code;
            }
            Script::Never => return Vec::new(),
            Script::Truncates if from.is_some() => {
                reply.answers.truncate(1);
                reply.metadata.truncation = true;
            }
            Script::Truncates => {}
            Script::WrongId => reply.metadata.id = reply.metadata.id.wrapping_add(1),
            Script::WrongQuestion => reply.queries[0].name = name("other.example"),
            Script::ForOthers => reply.answers.insert(0, address("other.example", 0, &LIE.to_string())),
            Script::Garbage => return vec![(from.unwrap_or(self.address), vec![0xff; 40])],
            Script::NoEdns if question.edns.is_some() => {
                let refusal = Message::error_msg(question.metadata.id, OpCode::Query, ResponseCode::FormErr);
                return vec![(from.unwrap_or(self.address), refusal.to_vec().unwrap())];
            }
            Script::NoEdns => {}
            Script::Late => {
                let owed = state.owed.remove(&key);
                if let Some(from) = from {
                    state.owed.insert(key, (from, reply.to_vec().unwrap()));
                }
                return owed.into_iter().collect();
            }
        }
        let mut bytes = reply.to_vec().unwrap();
        let room = question.edns.as_ref().map_or(512, |edns| edns.max_payload().into());
        if from.is_some() && bytes.len() > room {
            bytes = reply.truncate().to_vec().unwrap();
        }
        vec![(from.unwrap_or(self.address), bytes)]
    }
}

impl State {
    /// The truth.
    fn reply(&self, question: &Message, query: &Query) -> Message {
        let mut reply = Message::response(question.metadata.id, OpCode::Query);
        reply.add_query(query.clone());
        let mut owner = query.name.clone();
        loop {
            let of_owner = self.records.get(&owner).map_or(&[][..], Vec::as_slice);
            reply.add_answers(of_owner.iter().filter(|record| record.record_type() == query.query_type).cloned());
            let alias = of_owner.iter().find(|record| record.record_type() == RecordType::CNAME);
            match alias {
                Some(record) if reply.answers.len() < 20 => {
                    reply.add_answer(record.clone());
                    let RData::CNAME(target) = &record.data else { unreachable!("it is an alias") };
                    owner = target.0.clone();
                }
                _ => break,
            }
        }
        if reply.answers.is_empty() {
            let exists = self.records.contains_key(&query.name);
            reply.metadata.response_code = if exists { ResponseCode::NoError } else { ResponseCode::NXDomain };
            let soa = SOA::new(name("ns.example"), name("root.example"), 1, 60, 60, 60, 0);
            reply.add_authority(Record::from_rdata(name("example"), 0, RData::SOA(soa)));
        }
        reply
    }
}
