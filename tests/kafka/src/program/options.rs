//! What the command line may say.

use std::error::Error;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use landfall_kafka::{Begin, Endpoint, Kafka};

/// Sends lines to a topic of Kafka, reads a topic as lines, or shows the tree that does it
///
/// Ctrl-C or SIGTERM ends it in order: what was read from standard input is sent if its time allows, and what became of
/// all lines is told on standard error. The exit code is 0 if all was sent and nothing was left, 1 if not, 2 for wrong
/// options. A second signal gives up waiting, a third gives up.
#[derive(Clone, Debug, Parser)]
#[command(name = "landfall-kafka", version, max_term_width = 110)]
pub(super) struct Options {
    #[command(subcommand)]
    pub(super) task: Task,
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Task {
    /// Sends each line of standard input, to the partitions in turn
    Produce {
        #[command(flatten)]
        target: Target,
    },
    /// Writes each record as a line to standard output
    Consume {
        #[command(flatten)]
        target: Target,
        /// Where to begin: `earliest`, `latest` or an offset
        #[arg(long, value_name = "WHERE", default_value = "earliest", value_parser = begin)]
        from: Begin,
        /// End after so many records
        #[arg(long, value_name = "N")]
        count: Option<u64>,
    },
    /// Shows all workers and connections, again whenever something of it changed, until it is ended
    Tree {
        #[command(flatten)]
        target: Target,
    },
}

/// What is worked on.
#[derive(Clone, Debug, Args)]
pub(super) struct Target {
    /// A broker that is asked about the cluster, by address or as localhost; may be repeated
    #[arg(long, value_name = "HOST:PORT", required = true)]
    pub(super) bootstrap: Vec<Endpoint>,

    /// The topic
    #[arg(long, value_name = "NAME")]
    pub(super) topic: String,

    /// This partition alone, in place of all; no order holds between partitions
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub(super) partition: Option<i32>,
}

fn begin(text: &str) -> Result<Begin, String> {
    match text {
        "earliest" => Ok(Begin::Earliest),
        "latest" => Ok(Begin::Latest),
        other => match i64::from_str(other) {
            Ok(offset) if offset >= 0 => Ok(Begin::At(offset)),
            _ => Err("`earliest`, `latest` or an offset".to_owned()),
        },
    }
}

impl Task {
    pub(super) fn target(&self) -> &Target {
        match self {
            Self::Produce { target } | Self::Consume { target, .. } | Self::Tree { target } => target,
        }
    }
}

impl Target {
    /// The partitions to work on, once the cluster has told which there are.
    pub(super) async fn partitions(&self, kafka: &Kafka) -> Result<Vec<i32>, Box<dyn Error + Send + Sync>> {
        let there = kafka.partitions(&self.topic).await?;
        match self.partition {
            None => Ok(there),
            Some(wanted) if there.contains(&wanted) => Ok(vec![wanted]),
            Some(wanted) => {
                let (topic, count) = (&self.topic, there.len());
                Err(format!("topic {topic:?} has no partition {wanted}: it has {count}").into())
            }
        }
    }
}
