//! Statistics as Prometheus scrapes them.

use std::fmt::{self, Display, Formatter};

use self::Samples as S;
use super::{BackendStats, Histogram, PoolStats, Standing};
use crate::connector::Connector;
use crate::pool::Pool;

/// Pools as Prometheus' text format shows them, to be answered with when it scrapes.
///
/// Made anew for each scrape, from [`Pool::stats`]: nothing is counted twice, nothing can drift, and claims pay nothing
/// for it. Every name, with its kind, unit and labels, is tabled in `docs/pool.md`. Several pools go into one
/// exposition, told apart by the label `pool`; of two with the same name the one added last is shown.
///
/// How many lines there are depends on the number of backends alone: not on slots, holders or errors.
///
/// # Examples
///
/// ```
/// # use landfall_pool::{Backend, BoxError, ConnectCx, Connected, Connector, FixedResolver, Pool};
/// use landfall_pool::Exposition;
/// # struct Words;
/// # impl Connector for Words {
/// #     type Connection = &'static str;
/// #     async fn connect(&self, _: &Backend, _: &ConnectCx) -> Result<Connected<&'static str>, BoxError> {
/// #         Ok("hello".into())
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let backends = FixedResolver::new([std::net::SocketAddr::from(([127, 0, 0, 1], 1))]);
/// # let pool = Pool::builder("words").resolver(backends).connector(Words).build()?;
/// let body = Exposition::new().with(&pool).to_string();
/// assert!(body.contains("landfall_pool_slots_max{pool=\"words\"} 16"));
/// # pool.terminate_blocking(&landfall_lifecycle::Shutdown::now())?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Exposition {
    pools: Vec<(String, PoolStats)>,
}

/// What a family of metrics is, and where its samples come from.
struct Family {
    name: &'static str,
    help: &'static str,
    samples: Samples,
}

/// From a pool or from each of its backends; several samples differ in one more label.
enum Samples {
    Gauge(fn(&PoolStats) -> f64),
    Counter(fn(&PoolStats) -> u64),
    /// The label, and what it may be.
    Gauges(&'static str, fn(&PoolStats) -> Vec<(&'static str, usize)>),
    Counters(&'static str, fn(&PoolStats) -> Vec<(&'static str, u64)>),
    Histogram(fn(&PoolStats) -> &Histogram),
    /// None is no sample.
    BackendGauge(fn(&BackendStats) -> Option<f64>),
    BackendGauges(&'static str, fn(&BackendStats) -> Vec<(&'static str, usize)>),
    BackendCounter(fn(&BackendStats) -> u64),
}

const FAMILIES: &[Family] = &[
    family("slots", "Slots in each state.", S::Gauges("state", |it| it.slots.each().to_vec())),
    family("slots_max", "How many slots there may be.", S::Gauge(|it| it.slots_max as f64)),
    family("spares_wanted", "Connections to be kept ready.", S::Gauge(|it| it.spares_wanted as f64)),
    family("claims_waiting", "Claims in line.", S::Gauge(|it| it.waiting as f64)),
    family("offline", "1 while nothing can be expected to connect.", S::Gauge(|it| f64::from(u8::from(it.is_offline)))),
    family("claims_total", "Claims that were served.", S::Counter(|it| it.totals.claims)),
    family("claims_waited_total", "Served claims that had to wait.", S::Counter(|it| it.totals.claims_waited)),
    family("claims_failed_total", "Claims that got nothing.", S::Counters("reason", failed)),
    family("claims_cancelled_total", "Claims dropped while they waited.", S::Counter(|it| it.totals.cancelled)),
    family("grants_passed_on_total", "Grants not taken in time.", S::Counter(|it| it.totals.grants_passed_on)),
    family("discarded_total", "Connections broken or discarded.", S::Counter(|it| it.totals.discarded)),
    family("taken_out_total", "Connections taken out for good.", S::Counter(|it| it.totals.taken_out)),
    family("checks_failed_total", "Checks that failed.", S::Counter(|it| it.totals.checks_failed)),
    family("held_long_total", "Handles reported as held for long.", S::Counter(|it| it.totals.held_long)),
    family("uses_failed_total", "Uses that failed.", S::Counter(|it| it.totals.uses_failed)),
    family("moved_total", "Connections closed to open one elsewhere.", S::Counter(|it| it.totals.moved)),
    family("wait_seconds", "How long served claims waited.", S::Histogram(|it| &it.waits)),
    family("hold_seconds", "How long connections were held.", S::Histogram(|it| &it.holds)),
    family("connect_seconds", "How long it took to open connections.", S::Histogram(|it| &it.connects)),
    family("backend_slots", "Slots of a backend.", S::BackendGauges("state", |it| it.slots.each().to_vec())),
    family(
        "backend_failing",
        "1 while connects fail in a row.",
        S::BackendGauge(|it| Some(f64::from(u8::from(it.is_failing)))),
    ),
    family(
        "backend_removed",
        "1 once the resolver has it no longer.",
        S::BackendGauge(|it| Some(f64::from(u8::from(it.is_removed)))),
    ),
    family(
        "backend_retry_seconds",
        "Until a failing backend is tried again.",
        S::BackendGauge(|it| it.retry_in.map(|span| span.as_secs_f64())),
    ),
    family(
        "backend_ejected",
        "1 while it is left out, or on trial.",
        S::BackendGauge(|it| Some(f64::from(u8::from(it.standing != Standing::Full)))),
    ),
    family("backend_ejections_total", "Ejections.", S::BackendCounter(|it| it.ejections)),
    family("backend_uses_failed_total", "Uses that failed.", S::BackendCounter(|it| it.uses_failed)),
    family("backend_connects_total", "Connects begun.", S::BackendCounter(|it| it.connects)),
    family("backend_connects_failed_total", "Connects failed.", S::BackendCounter(|it| it.connects_failed)),
    family("backend_claims_total", "Claims served.", S::BackendCounter(|it| it.claims)),
];

const fn family(name: &'static str, help: &'static str, samples: Samples) -> Family {
    Family { name, help, samples }
}

fn failed(stats: &PoolStats) -> Vec<(&'static str, u64)> {
    let totals = &stats.totals;
    vec![("timed_out", totals.timed_out), ("offline", totals.offline), ("refused", totals.refused)]
}

impl Exposition {
    /// What the answer's `content-type` has to say.
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4";

    /// One without pools.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a pool as it is now.
    #[must_use]
    pub fn with<K: Connector>(self, pool: &Pool<K>) -> Self {
        self.with_stats(pool.name(), pool.stats())
    }

    fn with_stats(mut self, name: &str, stats: PoolStats) -> Self {
        self.pools.retain(|(known, _)| known != name);
        self.pools.push((name.to_owned(), stats));
        self
    }
}

impl Display for Exposition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.pools.is_empty() {
            return Ok(());
        }
        FAMILIES.iter().try_for_each(|family| family.write(f, &self.pools))
    }
}

impl Family {
    fn kind(&self) -> &'static str {
        match self.samples {
            S::Gauge(_) | S::Gauges(..) | S::BackendGauge(_) | S::BackendGauges(..) => "gauge",
            S::Counter(_) | S::Counters(..) | S::BackendCounter(_) => "counter",
            S::Histogram(_) => "histogram",
        }
    }

    #[cfg(test)]
    fn unit(&self) -> &'static str {
        if self.name.ends_with("_seconds") { "seconds" } else { "one" }
    }

    fn write(&self, f: &mut Formatter<'_>, pools: &[(String, PoolStats)]) -> fmt::Result {
        let Self { name, help, .. } = self;
        let name = format!("landfall_pool_{name}");
        writeln!(f, "# HELP {name} {help}\n# TYPE {name} {}", self.kind())?;
        for (pool, stats) in pools {
            let pool = format!("pool=\"{}\"", escaped(pool));
            match &self.samples {
                S::Gauge(value) => writeln!(f, "{name}{{{pool}}} {}", value(stats))?,
                S::Counter(value) => writeln!(f, "{name}{{{pool}}} {}", value(stats))?,
                S::Gauges(label, values) => write_each(f, &name, &pool, label, &values(stats))?,
                S::Counters(label, values) => write_each(f, &name, &pool, label, &values(stats))?,
                S::Histogram(histogram) => write_histogram(f, &name, &pool, histogram(stats))?,
                S::BackendGauge(_) | S::BackendGauges(..) | S::BackendCounter(_) => {
                    stats.backends.iter().try_for_each(|backend| self.write_backend(f, &name, &pool, backend))?;
                }
            }
        }
        Ok(())
    }

    fn write_backend(&self, f: &mut Formatter<'_>, name: &str, pool: &str, stats: &BackendStats) -> fmt::Result {
        let backend = &stats.backend;
        let labels = format!("{pool},backend=\"{}\",address=\"{}\"", escaped(&backend.name), backend.address);
        match &self.samples {
            S::BackendGauge(value) => {
                value(stats).into_iter().try_for_each(|value| writeln!(f, "{name}{{{labels}}} {value}"))
            }
            S::BackendGauges(label, values) => write_each(f, name, &labels, label, &values(stats)),
            S::BackendCounter(value) => writeln!(f, "{name}{{{labels}}} {}", value(stats)),
            S::Gauge(_) | S::Counter(_) | S::Gauges(..) | S::Counters(..) | S::Histogram(_) => Ok(()),
        }
    }
}

fn write_each<N: Display>(
    f: &mut Formatter<'_>,
    name: &str,
    labels: &str,
    label: &str,
    values: &[(&str, N)],
) -> fmt::Result {
    values.iter().try_for_each(|(which, value)| writeln!(f, "{name}{{{labels},{label}=\"{which}\"}} {value}"))
}

/// The bounds are the same each time: every fourth power of two from 1 µs to 69 s.
fn write_histogram(f: &mut Formatter<'_>, name: &str, labels: &str, histogram: &Histogram) -> fmt::Result {
    for bit in (10..=36).step_by(2) {
        let below: u64 = histogram.buckets[..=bit].iter().sum();
        writeln!(f, "{name}_bucket{{{labels},le=\"{}\"}} {below}", (1_u64 << bit) as f64 / 1e9)?;
    }
    writeln!(f, "{name}_bucket{{{labels},le=\"+Inf\"}} {}", histogram.count)?;
    writeln!(f, "{name}_sum{{{labels}}} {}", histogram.sum().as_secs_f64())?;
    writeln!(f, "{name}_count{{{labels}}} {}", histogram.count)
}

/// As the format wants it in a label's value.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::sample;
    use super::*;
    use crate::backend::Backend;

    #[test]
    fn each_figure_is_a_sample_with_its_labels() {
        let text = Exposition::new().with_stats("orders", sample()).to_string();
        for line in [
            "# TYPE landfall_pool_slots gauge",
            "landfall_pool_slots{pool=\"orders\",state=\"idle\"} 2",
            "landfall_pool_slots{pool=\"orders\",state=\"closing\"} 0",
            "landfall_pool_slots_max{pool=\"orders\"} 16",
            "landfall_pool_claims_waiting{pool=\"orders\"} 4",
            "# TYPE landfall_pool_claims_total counter",
            "landfall_pool_claims_total{pool=\"orders\"} 7",
            "landfall_pool_claims_failed_total{pool=\"orders\",reason=\"timed_out\"} 2",
            "# TYPE landfall_pool_wait_seconds histogram",
            "landfall_pool_wait_seconds_bucket{pool=\"orders\",le=\"0.000001024\"} 3",
            "landfall_pool_wait_seconds_bucket{pool=\"orders\",le=\"68.719476736\"} 3",
            "landfall_pool_wait_seconds_bucket{pool=\"orders\",le=\"+Inf\"} 3",
            "landfall_pool_wait_seconds_sum{pool=\"orders\"} 0.000003",
            "landfall_pool_wait_seconds_count{pool=\"orders\"} 3",
            "landfall_pool_connect_seconds_bucket{pool=\"orders\",le=\"0.001048576\"} 0",
            "landfall_pool_connect_seconds_bucket{pool=\"orders\",le=\"0.004194304\"} 1",
            "landfall_pool_connect_seconds_sum{pool=\"orders\"} 0.002",
            "landfall_pool_backend_claims_total{pool=\"orders\",backend=\"127.0.0.1:1\",address=\"127.0.0.1:1\"} 7",
            "landfall_pool_backend_failing{pool=\"orders\",backend=\"db\",address=\"127.0.0.1:2\"} 1",
            "landfall_pool_backend_retry_seconds{pool=\"orders\",backend=\"db\",address=\"127.0.0.1:2\"} 1.5",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
        // A backend that is sound is not tried again.
        assert!(!text.contains("retry_seconds{pool=\"orders\",backend=\"127.0.0.1:1\""));
    }

    #[test]
    fn a_family_stands_once_and_a_series_too() {
        let pools = Exposition::new().with_stats("a", sample()).with_stats("b", sample()).with_stats("a", sample());
        let text = pools.to_string();
        let types: Vec<_> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
        assert_eq!(types.len(), FAMILIES.len());
        let series: Vec<_> = text.lines().filter_map(|line| Some(line.rsplit_once(' ')?.0)).collect();
        assert_eq!(series.iter().collect::<HashSet<_>>().len(), series.len());
        assert_eq!(Exposition::new().to_string(), "");
    }

    #[test]
    fn names_cannot_break_the_format() {
        let mut stats = sample();
        stats.backends[1].backend = Backend::new("d\\b\"\n", stats.backends[1].backend.address);
        let text = Exposition::new().with_stats("a\"b", stats).to_string();
        assert!(text.contains("{pool=\"a\\\"b\",backend=\"d\\\\b\\\"\\n\",address=\"127.0.0.1:2\"} 1"), "{text}");
    }

    /// What `docs/pool.md` tables is what there is.
    #[test]
    fn every_family_is_documented() {
        let page = include_str!("../../../../docs/pool.md");
        let rows: Vec<[&str; 3]> = page
            .lines()
            .filter_map(|line| {
                let mut cells = line.strip_prefix("| `landfall_pool_")?.split(" | ").map(str::trim);
                Some([cells.next()?.trim_end_matches('`'), cells.next()?, cells.next()?])
            })
            .collect();
        let families: Vec<[&str; 3]> = FAMILIES.iter().map(|it| [it.name, it.kind(), it.unit()]).collect();
        assert_eq!(rows, families);
    }
}
