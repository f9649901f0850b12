//! What the command line may say. Everything that is bounded is bounded by an option here.

mod parse;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Arg, Args, CommandFactory, FromArgMatches, Parser};
use tracing_subscriber::filter::Targets;

use crate::target::AllowRule;

const MILLISECOND: Duration = Duration::from_millis(1);

/// Takes events over HTTP, keeps them in SQLite, and delivers each to its target at least once
///
/// With no further options it shows itself: a temporary database, a built-in sink that takes the deliveries, a steady
/// sample load, and one status line a second. Ctrl-C or SIGTERM ends it in order and prints what the end was
/// like; the exit code is 0 if nothing was left, 1 if something was or if it could not start, 2 for wrong options.
/// A second signal gives up waiting, a third gives up.
#[derive(Clone, Debug, Parser)]
#[command(name = "landfall-demo", version, after_long_help = AFTER_HELP, max_term_width = 110)]
#[non_exhaustive]
pub struct Config {
    /// Address to listen on; port 0 takes a free one. Once it listens it says so in a line `listening on http://ADDR`
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0", value_parser = parse::listen)]
    pub listen: SocketAddr,

    /// Database file, made if it is not there. Without this a temporary one is used and removed at the end
    #[arg(long, value_name = "sqlite:PATH", value_parser = parse::database)]
    pub database: Option<PathBuf>,

    /// End without a signal after this long
    #[arg(long, value_name = "DURATION", value_parser = parse::duration_from(MILLISECOND))]
    pub until: Option<Duration>,

    /// Print the report of the termination as JSON on standard output
    #[arg(long)]
    pub json: bool,

    /// Log level on standard error, or levels by module
    #[arg(long, value_name = "LEVEL", default_value = "warn", value_parser = parse::log, env = "RUST_LOG")]
    pub log: Targets,

    /// The sample traffic.
    #[command(flatten, next_help_heading = "Sample traffic")]
    pub sample: SampleConfig,

    /// What clients may do.
    #[command(flatten, next_help_heading = "Intake")]
    pub intake: IntakeConfig,

    /// What is stored.
    #[command(flatten, next_help_heading = "Storage")]
    pub storage: StorageConfig,

    /// Where events go, and how often it is tried.
    #[command(flatten, next_help_heading = "Delivery")]
    pub delivery: DeliveryConfig,

    /// How it ends.
    #[command(flatten, next_help_heading = "Termination")]
    pub termination: TerminationConfig,
}

/// Which sample traffic runs.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct SampleConfig {
    /// Start no sink, no sample load and no status line: what a deployment wants
    #[arg(long)]
    pub no_sample: bool,

    /// Sample events a second
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub sample_rate: u32,
}

/// What clients may do.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct IntakeConfig {
    /// Bytes in the body of a request; larger ones are refused with 413
    #[arg(long, value_name = "BYTES", default_value_t = 65_536,
        value_parser = clap::value_parser!(u32).range(256..=16_777_216))]
    pub body_bytes_max: u32,

    /// Connections served at once; further ones wait to be accepted
    #[arg(long, value_name = "N", default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub connections_max: u32,

    /// Events taken at once, over all connections; further ones are refused with 503
    #[arg(long, value_name = "N", default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub requests_max: u32,

    /// Time a client has to send the head of a request, else the connection is closed; and its body, else 408
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse::duration_from(MILLISECOND))]
    pub request_timeout: Duration,
}

/// What is stored, and how much.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct StorageConfig {
    /// Requests that may wait for the database at once; further ones are refused with 503
    #[arg(long, value_name = "N", default_value_t = 4_096,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub queue_max: u32,

    /// Waiting requests committed together
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub commit_max: u32,

    /// Events that are not delivered yet; at this number further ones are refused with 503
    #[arg(long, value_name = "N", default_value_t = 1_000_000,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub backlog_max: u64,

    /// Delivered events that are remembered; the oldest are forgotten first
    #[arg(long, value_name = "N", default_value_t = 100_000,
        value_parser = clap::value_parser!(u64).range(0..=1_000_000_000))]
    pub delivered_max: u64,

    /// Dead letters that are kept; the oldest are forgotten first
    #[arg(long, value_name = "N", default_value_t = 100_000,
        value_parser = clap::value_parser!(u64).range(0..=1_000_000_000))]
    pub dead_max: u64,
}

/// Where events go, and how often it is tried.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct DeliveryConfig {
    /// Target that events may have: a host name, an IPv4 or a bracketed IPv6 address, any port unless one is given; or
    /// `loopback`, which is the only one unless this is given. May be repeated. Redirects are never followed
    #[arg(long = "allow-target", value_name = "HOST[:PORT]", default_value = "loopback")]
    pub allow_targets: Vec<AllowRule>,

    /// File with certificates (PEM) of authorities to trust for HTTPS besides the public ones
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,

    /// Deliveries under way at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub deliveries_max: u32,

    /// Time for one attempt, from the look-up of the name to the status of the response
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse::duration_from(MILLISECOND))]
    pub attempt_timeout: Duration,

    /// Attempts before an event becomes a dead letter
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub attempts_max: u32,

    /// Wait after the first failed attempt; it doubles with each, and up to half of it is taken off at random
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = parse::duration_from(MILLISECOND))]
    pub retry_min: Duration,

    /// Longest wait between two attempts
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse::duration_from(MILLISECOND))]
    pub retry_max: Duration,
}

/// How the relay ends.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct TerminationConfig {
    /// Time for requests and deliveries to finish; then they are aborted, and deliveries given back
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = parse::duration_from(Duration::ZERO))]
    pub grace: Duration,

    /// Time after that for cleaning up; then everything left is aborted, and the report follows within a second
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = parse::duration_from(Duration::ZERO))]
    pub abort_after: Duration,

    /// Time to go on accepting while /readyz already answers 503, for load balancers to notice; part of the grace
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse::duration_from(Duration::ZERO))]
    pub unready_for: Duration,
}

impl Config {
    /// Parses a command line, the program's name first.
    ///
    /// # Errors
    ///
    /// What clap found wrong, naming flag, value and what is allowed; also for `--help` and `--version`.
    pub fn try_from_args(
        args: impl IntoIterator<Item = impl Into<std::ffi::OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        // Else `--queue-max -1` would be refused for an unknown flag `-1`, naming neither flag nor what is allowed.
        let takes_any = |arg: Arg| if arg.get_action().takes_values() { arg.allow_hyphen_values(true) } else { arg };
        let matches = Self::command().mut_args(takes_any).try_get_matches_from(args)?;
        let config = Self::from_arg_matches(&matches)?;
        let (min, max) = (config.delivery.retry_min, config.delivery.retry_max);
        if min > max {
            return Err(Self::command().error(
                ErrorKind::ValueValidation,
                format!(
                    "invalid value '{min:?}' for '--retry-min <DURATION>': \
                     at most the value of --retry-max ({max:?}) is allowed"
                ),
            ));
        }
        Ok(config)
    }
}

const AFTER_HELP: &str = "\
Durations are a whole number and a unit: 500ms, 10s, 5m, 24h.

HTTP:
  POST /events        {\"target\": URL, \"body\": any JSON}, content-type application/json; 202 with an id after commit
  GET  /events/ID     state, attempts and last error of an event
  GET  /healthz       200 while the process works
  GET  /readyz        200 while events are taken, 503 once the termination began

A delivery is a POST of the body to the target, with the headers relay-event-id and relay-attempt. Any 2xx status is
success. An event may arrive more than once: use its id to tell.

Everything but the JSON report is written to standard error.

Examples:
  landfall-demo --until 10s --json
  landfall-demo --no-sample --listen 127.0.0.1:8080 --database sqlite:relay.db --allow-target hooks.example.com:443";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Config, String> {
        let args = ["landfall-demo"].iter().chain(args).copied();
        Config::try_from_args(args).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check_refused(args: &[&str], names: &[&str]) {
        let error = parse(args).expect_err("the value should be refused");
        for name in names {
            assert!(error.contains(name), "{args:?} should name {name:?}, and says:\n{error}");
        }
    }

    #[test]
    fn the_command_is_well_formed() {
        Config::command().debug_assert();
    }

    #[test]
    fn no_arguments_are_enough() {
        let config = parse(&[]).expect("defaults");
        assert!(config.database.is_none() && !config.sample.no_sample);
        assert_eq!(config.delivery.allow_targets, [AllowRule::Loopback]);
    }

    #[test]
    fn a_wrong_value_is_refused_naming_flag_value_and_what_is_allowed() {
        check_refused(&["--until", "soon"], &["--until", "soon", "ms, s, m or h"]);
        check_refused(&["--until", "0s"], &["--until", "0s", "from 1ms to 8760h"]);
        check_refused(&["--attempt-timeout", "18446744073709551615h"], &["--attempt-timeout", "8760h"]);
        check_refused(&["--listen", "localhost:80"], &["--listen", "localhost:80", "127.0.0.1:8080"]);
        check_refused(&["--database", "postgres://x"], &["--database", "postgres://x", "sqlite:relay.db"]);
        check_refused(&["--sample-rate", "0"], &["--sample-rate", "'0'", "1..=10000"]);
        check_refused(&["--queue-max", "-1"], &["--queue-max", "-1", "1..=1000000"]);
        check_refused(&["--until", "-1s"], &["--until", "-1s"]);
        check_refused(&["--until"], &["--until"]);
        check_refused(&["--body-bytes-max", "99999999"], &["--body-bytes-max", "99999999", "16777216"]);
        check_refused(&["--allow-target", "http://host/"], &["--allow-target", "http://host/", "HOST"]);
        check_refused(&["--log", "a=loudly"], &["--log", "loudly", "debug"]);
        check_refused(&["--retry-min", "10s", "--retry-max", "1s"], &["--retry-min", "10s", "--retry-max", "1s"]);
        check_refused(&["--nonsense"], &["--nonsense"]);
        check_refused(&["stray"], &["stray"]);
    }
}
