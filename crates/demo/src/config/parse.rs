//! Parsers of single values. Each message says what is allowed; clap adds the flag and the value.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tracing_subscriber::filter::Targets;

/// The longest time any option takes: absurd ones are refused here instead of overflowing somewhere.
pub(super) const DURATION_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// Gives a parser for durations of at least `min`: a whole number and a unit, at most 365 days.
pub(super) fn duration_from(
    min: Duration,
) -> impl Fn(&str) -> Result<Duration, String> + Clone + Send + Sync + 'static {
    move |text| {
        parse_duration(text).filter(|parsed| (min..=DURATION_MAX).contains(parsed)).ok_or_else(|| {
            format!("a whole number and a unit (ms, s, m or h) from {min:?} to 8760h is allowed, such as 500ms or 10s")
        })
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    }
}

/// Parses an address to listen on; names are not resolved.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "an IP address and a port is allowed, such as 127.0.0.1:8080 or [::1]:0".to_owned())
}

/// Parses `sqlite:PATH`.
pub(super) fn database(text: &str) -> Result<PathBuf, String> {
    match text.strip_prefix("sqlite:") {
        // What SQLite gives these paths is a database that ends with the process: nothing would be kept.
        None | Some("" | ":memory:") => {
            Err("sqlite: and the path of a file is allowed, such as sqlite:relay.db".to_owned())
        }
        Some(path) if path.contains('\0') => Err("a path without a NUL character is allowed".to_owned()),
        Some(path) => Ok(PathBuf::from(path)),
    }
}

/// Parses a log level, or levels by module.
pub(super) fn log(text: &str) -> Result<Targets, String> {
    text.parse().map_err(|_| {
        "off, error, warn, info, debug or trace, or a list such as info,landfall_demo=debug is allowed".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_duration(text: &str, expected: Option<Duration>) {
        assert_eq!(duration_from(Duration::from_millis(1))(text).ok(), expected, "{text:?}");
    }

    #[test]
    fn durations_need_a_whole_number_and_a_unit() {
        check_duration("10s", Some(Duration::from_secs(10)));
        check_duration("250ms", Some(Duration::from_millis(250)));
        check_duration("3m", Some(Duration::from_secs(180)));
        check_duration("8760h", Some(DURATION_MAX));
        for wrong in [
            "",
            "10",
            "s",
            "1.5s",
            "-1s",
            "10 s",
            "10d",
            "0s",
            "8761h",
            "18446744073709551615h",
            "99999999999999999999s",
        ] {
            check_duration(wrong, None);
        }
    }

    #[test]
    fn databases_are_files() {
        assert_eq!(database("sqlite:a/b.db"), Ok(PathBuf::from("a/b.db")));
        for wrong in ["", "relay.db", "sqlite:", "sqlite::memory:", "postgres://host/db", "sqlite:a\0b"] {
            assert!(database(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn addresses_are_not_names() {
        assert!(listen("127.0.0.1:0").is_ok() && listen("[::1]:80").is_ok());
        for wrong in ["", "localhost:80", "127.0.0.1", "127.0.0.1:65536", ":80"] {
            assert!(listen(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn log_levels_may_be_given_by_module() {
        assert!(log("info").is_ok() && log("warn,landfall_demo=trace").is_ok() && log("off").is_ok());
        assert!(log("info,landfall_demo=loudly").is_err());
    }
}
