//! What is known of the cluster, and which connections are up: what producers and consumers look at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::{Notify, watch};

use super::learn::Topic;
use crate::connection::{Lane, Link, Peer};
use crate::dial::Endpoint;

/// What is known of the cluster, and which connections are up.
///
/// It runs nothing: connections list themselves while they are up, `metadata` writes down what the cluster says.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    known: watch::Sender<Known>,
    /// Somebody needs to know more.
    asked: Notify,
}

#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) brokers: BTreeMap<i32, Endpoint>,
    pub(super) topics: BTreeMap<Arc<str>, Topic>,
    /// Topics that somebody waits for or works on, and by how many.
    wanted_topics: BTreeMap<Arc<str>, usize>,
    wants: BTreeSet<(Arc<str>, i32, Lane)>,
    links: BTreeMap<Peer, Link>,
}

/// A connection that is up, until this is dropped.
#[derive(Debug)]
pub(crate) struct Listed {
    directory: Arc<Directory>,
    peer: Peer,
}

/// Somebody wants to know of a topic, and of a partition's leader if there is a lane to it, until this is dropped.
#[derive(Debug)]
pub(crate) struct Want {
    directory: Arc<Directory>,
    topic: Arc<str>,
    way: Option<(i32, Lane)>,
}

impl Directory {
    pub(crate) fn list(self: &Arc<Self>, peer: Peer, link: Link) -> Listed {
        self.known.send_modify(|known| drop(known.links.insert(peer.clone(), link)));
        Listed { directory: Arc::clone(self), peer }
    }

    pub(crate) fn want_topic(self: &Arc<Self>, topic: &Arc<str>) -> Want {
        self.want(topic, None)
    }

    pub(crate) fn want_leader(self: &Arc<Self>, topic: &Arc<str>, partition: i32, lane: Lane) -> Want {
        self.want(topic, Some((partition, lane)))
    }

    fn want(self: &Arc<Self>, topic: &Arc<str>, way: Option<(i32, Lane)>) -> Want {
        self.known.send_modify(|known| {
            *known.wanted_topics.entry(Arc::clone(topic)).or_default() += 1;
            // What was wrong with it may have been mended.
            if known.topics.get(topic).is_some_and(|known| known.error().is_some()) {
                known.topics.remove(topic);
            }
            if let Some((partition, lane)) = &way {
                known.wants.insert((Arc::clone(topic), *partition, lane.clone()));
            }
        });
        self.ask();
        Want { directory: Arc::clone(self), topic: Arc::clone(topic), way }
    }

    /// Has the cluster asked as soon as its turn comes.
    pub(crate) fn ask(&self) {
        self.asked.notify_one();
    }

    pub(super) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Changes what is known, and tells all who wait.
    pub(super) fn learn<T>(&self, learn: impl FnOnce(&mut Known) -> T) -> T {
        let mut learnt = None;
        self.known.send_modify(|known| learnt = Some(learn(known)));
        learnt.expect("it is called once")
    }

    /// Looks at what is known.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.known.borrow())
    }

    /// Waits until what is known gives something. Cancel safe.
    pub(super) async fn find<T>(&self, look: impl Fn(&Known) -> Option<T>) -> T {
        let mut changes = self.known.subscribe();
        loop {
            if let Some(found) = look(&changes.borrow_and_update()) {
                return found;
            }
            // It lives as long as this is borrowed.
            let _changed = changes.changed().await;
        }
    }

    /// The leader of a partition changed, or the broker that was taken for it says that it is not.
    pub(crate) fn forget_leader(&self, want: &Want, broker: &Link) {
        let Some((partition, _)) = &want.way else { return };
        let Peer::Broker { id, .. } = broker.peer() else { return };
        self.known.send_modify(|known| {
            if let Some(topic) = known.topics.get_mut(&want.topic) {
                topic.forget_leader(*partition, *id);
            }
        });
        self.ask();
    }

    /// The connection to a partition's leader, if it is up.
    pub(crate) fn leader(&self, want: &Want) -> Option<Link> {
        self.look(|known| known.leader(want))
    }

    /// Waits for the connection to a partition's leader. Cancel safe.
    pub(crate) async fn leader_up(&self, want: &Want) -> Link {
        if let Some(link) = self.leader(want) {
            return link;
        }
        self.ask();
        self.find(|known| known.leader(want)).await
    }

    /// Waits until that connection is not the way to a partition's leader any more. Cancel safe.
    pub(crate) async fn leader_gone(&self, want: &Want, link: &Link) {
        self.find(|known| known.leader(want).is_none_or(|leader| !leader.is(link)).then_some(())).await;
    }
}

impl Known {
    fn leader(&self, want: &Want) -> Option<Link> {
        let (partition, lane) = want.way.as_ref()?;
        self.links.get(&self.peer(&want.topic, *partition, lane)?).cloned()
    }

    fn peer(&self, topic: &str, partition: i32, lane: &Lane) -> Option<Peer> {
        let id = self.topics.get(topic)?.leader(partition)?;
        let endpoint = self.brokers.get(&id)?.clone();
        Some(Peer::Broker { id, endpoint, lane: lane.clone() })
    }

    pub(super) fn wanted_topics(&self) -> Vec<Arc<str>> {
        self.wanted_topics.keys().cloned().collect()
    }

    /// The connections that are wanted, besides those that ask the cluster.
    pub(super) fn wanted_peers(&self) -> BTreeSet<Peer> {
        self.wants.iter().filter_map(|(topic, partition, lane)| self.peer(topic, *partition, lane)).collect()
    }

    /// Whether the cluster is to be asked again soon: a topic is not known, or no connection is up to a leader.
    pub(super) fn is_amiss(&self) -> bool {
        let is_known = |topic: &Arc<str>| self.topics.get(topic).is_some_and(|topic| topic.error().is_none());
        let is_up = |(topic, partition, lane): &(Arc<str>, i32, Lane)| {
            self.peer(topic, *partition, lane).is_some_and(|peer| self.links.contains_key(&peer))
        };
        !self.wanted_topics.keys().all(is_known) || !self.wants.iter().all(is_up)
    }

    /// A connection on which the cluster can be asked: one that is for that, or else one that no consumer waits on.
    pub(super) fn any_link(&self) -> Option<Link> {
        let is_free = |peer: &Peer| !matches!(peer, Peer::Broker { lane: Lane::Consumer { .. }, .. });
        self.links.iter().find(|(peer, _)| is_free(peer)).map(|(_, link)| link.clone())
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.directory.known.send_modify(|known| drop(known.links.remove(&self.peer)));
        // The cluster may have another leader by now.
        self.directory.ask();
    }
}

impl Want {
    pub(crate) fn topic(&self) -> &Arc<str> {
        &self.topic
    }
}

impl Drop for Want {
    fn drop(&mut self) {
        self.directory.known.send_modify(|known| {
            if let Some((partition, lane)) = self.way.take() {
                known.wants.remove(&(Arc::clone(&self.topic), partition, lane));
            }
            if let Some(count) = known.wanted_topics.get_mut(&self.topic) {
                *count -= 1;
                if *count == 0 {
                    known.wanted_topics.remove(&self.topic);
                    known.topics.remove(&self.topic);
                }
            }
        });
        self.directory.ask();
    }
}
