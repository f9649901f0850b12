//! What a program is watched with.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use super::sessions::Server;

/// Starts a program, signals it at a random moment, and says how it ended and what it left
#[derive(Clone, Debug, Parser)]
pub struct Options {
    /// The program's command line, for `sh -c`; `{app}` in it becomes the round's application name
    #[arg(long, value_name = "LINE", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub command: String,

    /// Part of the line that the program prints once it is ready, on either stream
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub ready_when: String,

    /// A command line that gives the program work from then on; it is ended after the program
    #[arg(long, value_name = "LINE")]
    pub drive: Option<String>,

    /// How often the program is started and signalled
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub rounds: u64,

    /// Seed of the moments at which the program is signalled; another one each time unless it is given
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Seconds that the program may take until it is ready
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub ready_max: u64,

    /// Seconds that the program may take to end after the signal; then it is killed
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub grace_max: u64,

    /// The program's working folder; without it one that is made for each round
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,

    /// A PostgreSQL server on which the program's sessions are counted, by `psql`
    #[arg(long, value_name = "URL")]
    pub postgres: Option<Server>,
}

impl Options {
    pub(super) fn ready_limit(&self) -> Duration {
        Duration::from_secs(self.ready_max)
    }

    pub(super) fn grace_limit(&self) -> Duration {
        Duration::from_secs(self.grace_max)
    }
}
