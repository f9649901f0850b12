//! One question to whoever answers it: servers in order, names in order, aliases.

use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::Name;
use tokio::time::{Instant, timeout_at};

use super::exchange::{ServerError, ask};
use super::message::{ALIASES_MAX, Answer, Datum, Kind, Question};
use super::policy::DnsPolicy;
use super::servers::Servers;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use landfall_lifecycle::internal::log;

#[cfg(landfall_faults)]
const FOR_EVER: Duration = Duration::from_secs(3_600);

/// What came of a look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// There are records; how long they hold.
    Found { data: Vec<Datum>, ttl: Duration },
    /// There is none, and somebody who should know says so; for how long, if they say it.
    Empty { ttl: Option<Duration> },
    /// Nobody answered.
    Failed,
}

/// Looks up the first of these names that exists. Owns what it needs, so that it can run beside others.
pub(super) async fn look_up(names: Arc<[Name]>, kind: Kind, servers: Servers, policy: Arc<DnsPolicy>) -> Outcome {
    let deadline = Instant::now() + policy.lookup_timeout;
    let mut nothing = Outcome::Failed;
    for name in names.iter() {
        let mut question = Question { name: name.clone(), kind };
        let mut aliases_ttl = Duration::MAX;
        for _ in 0..=ALIASES_MAX {
            match ask_all(&question, &servers, &policy, deadline).await {
                Some(Answer::Found { data, ttl }) => return Outcome::Found { data, ttl: ttl.min(aliases_ttl) },
                Some(Answer::Alias { target, ttl }) => {
                    (question.name, aliases_ttl) = (target, aliases_ttl.min(ttl));
                    nothing = Outcome::Empty { ttl: None };
                }
                Some(Answer::Empty { exists: true, ttl }) => return Outcome::Empty { ttl },
                Some(Answer::Empty { exists: false, ttl }) => {
                    nothing = Outcome::Empty { ttl };
                    break;
                }
                // The next name may be another service: nothing is better than that.
                None => return Outcome::Failed,
            }
        }
    }
    nothing
}

/// Asks one server after the other until one knows something. That a name does not exist is believed once no other
/// server knows better: they may not have the same zones yet.
async fn ask_all(question: &Question, servers: &Servers, policy: &DnsPolicy, deadline: Instant) -> Option<Answer> {
    let mut unknown = None;
    for _ in 0..policy.rounds {
        for server in servers.in_order() {
            let limit = deadline.min(Instant::now() + policy.server_timeout);
            #[cfg(landfall_faults)]
            let limit = if is_armed(Fault::AskForEver) { Instant::now() + FOR_EVER } else { limit };
            let answer = timeout_at(limit, ask(server.address, question, policy)).await;
            match answer.unwrap_or(Err(ServerError::TimedOut)) {
                Ok(Answer::Empty { exists: false, ttl }) => {
                    server.answered();
                    unknown.get_or_insert(Answer::Empty { exists: false, ttl });
                }
                Ok(answer) => {
                    server.answered();
                    return Some(answer);
                }
                Err(error) => {
                    server.failed();
                    log(|| {
                        let (name, address) = (&question.name, server.address);
                        let cause = std::error::Error::source(&error).map(tracing::field::display);
                        tracing::debug!(dns.name = %name, dns.server = %address, %error, cause, "no answer");
                    });
                }
            }
            if Instant::now() >= deadline {
                return unknown;
            }
        }
        if unknown.is_some() {
            return unknown;
        }
    }
    None
}
