//! Questions to bytes, and bytes to answers: pure, and nothing that a server sends is believed unchecked.

use std::net::IpAddr;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use landfall_lifecycle::internal::contain;

/// How many aliases are followed, in one answer and from answer to answer.
pub(super) const ALIASES_MAX: usize = 8;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Services,
    Ipv4,
    Ipv6,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) name: Name,
    pub(super) kind: Kind,
}

/// A question as it was sent.
#[derive(Debug)]
pub(super) struct Sent {
    id: u16,
    question: Question,
    has_edns: bool,
}

/// One record that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Datum {
    Service(Service),
    Address(IpAddr),
}

/// An SRV record whose target and port can be used. In order of preference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Service {
    pub(super) priority: u16,
    pub(super) target: Name,
    pub(super) port: u16,
    pub(super) weight: u16,
}

/// What a server says to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// There are records; how long they hold.
    Found { data: Vec<Datum>, ttl: Duration },
    /// The name is an alias of another, whose records are not in the answer.
    Alias { target: Name, ttl: Duration },
    /// There are none; how long that holds, if it says so.
    Empty { exists: bool, ttl: Option<Duration> },
}

/// What came is for somebody else or of no use.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is not the answer to this question: another id, another name, or no message at all.
    Foreign,
    /// It did not fit.
    Truncated,
    /// The server does not know what EDNS is.
    NoEdns,
    /// The server says that it cannot answer.
    Refused(ResponseCode),
}

impl Kind {
    fn record_type(self) -> RecordType {
        match self {
            Self::Services => RecordType::SRV,
            Self::Ipv4 => RecordType::A,
            Self::Ipv6 => RecordType::AAAA,
        }
    }
}

impl Question {
    /// The bytes to send, with an id that cannot be guessed. An answer of more than `udp_bytes_max` bytes does not fit,
    /// of more than 512 if it is not given.
    pub(super) fn encode(&self, udp_bytes_max: Option<u16>) -> (Sent, Vec<u8>) {
        let mut message = Message::query();
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(self.name.clone(), self.kind.record_type()));
        if let Some(bytes) = udp_bytes_max {
            let mut edns = Edns::new();
            edns.set_max_payload(bytes);
            message.set_edns(edns);
        }
        let sent = Sent { id: message.metadata.id, question: self.clone(), has_edns: udp_bytes_max.is_some() };
        let bytes = message.to_vec().expect("a name that was parsed is short enough");
        (sent, bytes)
    }
}

impl Sent {
    /// Reads what came.
    pub(super) fn read(&self, bytes: &[u8]) -> Result<Answer, Unread> {
        // A message that its reader cannot stand is none either.
        let message = contain(|| Message::from_vec(bytes)).ok().and_then(Result::ok).ok_or(Unread::Foreign)?;
        let head = message.metadata;
        if !self.is_answer(&message) {
            return Err(Unread::Foreign);
        }
        let is_cut = head.truncation;
        #[cfg(landfall_faults)]
        let is_cut = is_cut && !is_armed(Fault::TakeTruncated);
        match head.response_code {
            // Even where its records are whole: there may be more.
            _ if is_cut => Err(Unread::Truncated),
            ResponseCode::NoError => Ok(self.records(&message)),
            ResponseCode::NXDomain => Ok(Answer::Empty { exists: false, ttl: empty_ttl(&message) }),
            ResponseCode::FormErr | ResponseCode::NotImp if self.has_edns => Err(Unread::NoEdns),
            code => Err(Unread::Refused(code)),
        }
    }

    fn is_answer(&self, message: &Message) -> bool {
        #[cfg(landfall_faults)]
        if is_armed(Fault::BelieveAll) {
            return true;
        }
        let Question { name, kind } = &self.question;
        let is_same = |query: &Query| {
            query.name == *name && query.query_type == kind.record_type() && query.query_class == DNSClass::IN
        };
        let head = message.metadata;
        // One that cannot read the question cannot repeat it.
        let may_omit = head.response_code == ResponseCode::FormErr && message.queries.is_empty();
        head.id == self.id
            && head.message_type == MessageType::Response
            && (may_omit || matches!(&message.queries[..], [query] if is_same(query)))
    }

    /// The records of the name, or of what it is an alias of; others are none of our business.
    fn records(&self, message: &Message) -> Answer {
        let mut name = self.question.name.clone();
        let mut ttl = u32::MAX;
        for _ in 0..=ALIASES_MAX {
            let data: Vec<Datum> = self.data_of(&name, message, &mut ttl);
            if !data.is_empty() {
                return Answer::Found { data, ttl: seconds(ttl) };
            }
            let alias = message.answers.iter().find_map(|record| match &record.data {
                RData::CNAME(target) if record.name == name => Some((target.0.clone(), record.ttl)),
                _ => None,
            });
            let Some((target, alias_ttl)) = alias else { break };
            (name, ttl) = (target, ttl.min(alias_ttl));
        }
        if name == self.question.name || empty_ttl(message).is_some() {
            return Answer::Empty { exists: true, ttl: empty_ttl(message) };
        }
        Answer::Alias { target: name, ttl: seconds(ttl) }
    }

    fn data_of(&self, name: &Name, message: &Message, ttl: &mut u32) -> Vec<Datum> {
        let is_ours = |record: &&Record| record.name == *name && record.dns_class == DNSClass::IN;
        #[cfg(landfall_faults)]
        let is_ours = |record: &&Record| is_armed(Fault::BelieveAll) || is_ours(record);
        let ours = message.answers.iter().filter(is_ours);
        let datum = |record: &Record| {
            let datum = match (&record.data, self.question.kind) {
                (RData::SRV(srv), Kind::Services) => Datum::Service(Service {
                    priority: srv.priority,
                    weight: srv.weight,
                    port: srv.port,
                    target: absolute(srv.target.to_lowercase()),
                }),
                (RData::A(address), Kind::Ipv4) => Datum::Address(address.0.into()),
                (RData::AAAA(address), Kind::Ipv6) => Datum::Address(address.0.into()),
                _ => return None,
            };
            *ttl = (*ttl).min(record.ttl);
            // Nothing can be reached there; a target that is the root says that there is no such service.
            let is_usable = match &datum {
                Datum::Service(Service { target, port, .. }) => !target.is_root() && *port != 0,
                Datum::Address(address) => !address.is_unspecified() && !address.is_multicast(),
            };
            is_usable.then_some(datum)
        };
        ours.filter_map(datum).collect()
    }
}

/// How long a name is said to have no records: RFC 2308.
fn empty_ttl(message: &Message) -> Option<Duration> {
    message.authorities.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(seconds(soa.minimum.min(record.ttl))),
        _ => None,
    })
}

fn seconds(ttl: u32) -> Duration {
    // RFC 2181: with the highest bit set it is zero.
    Duration::from_secs(if ttl > i32::MAX as u32 { 0 } else { ttl.into() })
}

fn absolute(mut name: Name) -> Name {
    name.set_fqdn(true);
    name
}
