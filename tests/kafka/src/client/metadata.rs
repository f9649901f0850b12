//! The worker that asks the cluster where partitions are, and has the connections made that are wanted.

use std::collections::BTreeSet;
use std::sync::Arc;

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use landfall_supervise::{ChildCx, Supervisor};
use tokio::time::{sleep, timeout};

use super::CONNECTIONS;
use super::directory::Directory;
use crate::connection::{self, CallError, Peer};
use crate::retry::Retry;
use crate::settings::Settings;

/// Runs until it is stopped.
///
/// It asks when somebody needs to know more, and otherwise when what is known is old; while something is amiss again and
/// again, with a pause that grows.
pub(super) async fn run(cx: ChildCx, directory: Arc<Directory>, settings: Arc<Settings>) {
    let stop = cx.token();
    let work = async {
        let mut retry = Retry::new(&settings);
        loop {
            let is_amiss = directory.look(|known| known.is_amiss());
            let pause = if is_amiss { retry.pause() } else { settings.metadata_age_max };
            if is_amiss {
                sleep(pause).await;
            } else {
                retry.reset();
                // Old or not, it is time.
                drop(timeout(pause, directory.asked()).await);
            }
            if let Err(error) = ask(&directory, &settings).await {
                tracing::debug!(%error, "the cluster did not say what is where");
            }
            reconcile(&cx, &directory, &settings).await;
        }
    };
    stop.run_until_cancelled(work).await;
}

async fn ask(directory: &Directory, settings: &Settings) -> Result<(), CallError> {
    let link = directory.find(|known| known.any_link()).await;
    let topics = directory.look(|known| known.wanted_topics());
    let topic = |name: &Arc<str>| {
        MetadataRequestTopic::default().with_name(Some(TopicName(StrBytes::from_string(name.to_string()))))
    };
    let topics = topics.iter().map(topic).collect();
    let request = MetadataRequest::default().with_topics(Some(topics)).with_allow_auto_topic_creation(false);
    let response = link.call(&request).await?;
    directory.learn(|known| known.learn(response, settings.brokers_max));
    Ok(())
}

/// Has the connections made that are wanted, and those ended that are not any more.
async fn reconcile(cx: &ChildCx, directory: &Arc<Directory>, settings: &Arc<Settings>) {
    let Some(connections) = cx.supervisor().upgrade().and_then(|client| client.supervisor(CONNECTIONS)) else { return };
    let wanted = directory.look(|known| known.wanted_peers());
    for peer in &wanted {
        // One that is there already, up or waiting to be made anew, is refused.
        if connections.which_child(peer.to_string()).is_none()
            && let Err(error) = connections.start_child(connection::spec(peer, directory, settings)).await
        {
            tracing::warn!(%error, peer = %peer, "no connection can be made");
        }
    }
    end_unwanted(&connections, &wanted, settings).await;
}

async fn end_unwanted(connections: &Supervisor, wanted: &BTreeSet<Peer>, settings: &Settings) {
    let bootstrap = settings.bootstrap.iter().cloned().map(Peer::Bootstrap);
    let names: BTreeSet<_> = wanted.iter().cloned().chain(bootstrap).map(|peer| peer.to_string()).collect();
    for child in connections.which_children() {
        if !names.contains(&child.name.to_string()) {
            // Each fails only if it has gone by itself meanwhile.
            drop(connections.terminate_child(child.name.clone()).await);
            drop(connections.delete_child(child.name).await);
        }
    }
}
