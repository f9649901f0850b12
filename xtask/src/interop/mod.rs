//! `cargo xtask interop NAME`: scenarios on another implementation and on ours, whose histories must be equal, or against
//! one. What a scenario and a history are is told in `tests/interop/README.md`.

mod generate;
mod history;
mod kafka;
pub(crate) mod nri;
pub(crate) mod otp;

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::workspace::Workspace;

/// Compares, and closes with the counts.
pub(crate) fn run(name: &str, seed: Option<&str>, full: bool) -> Result<bool, String> {
    let seed = match seed {
        Some(seed) => Some(seed.parse().map_err(|_| format!("`--seed` is a number, not `{seed}`"))?),
        None => None,
    };
    let tally = match (name, seed, full) {
        ("otp", seed, false) => otp::all(&Workspace::load()?, seed.unwrap_or_else(draw_seed))?,
        ("nri", None, full) => nri::all(&Workspace::load()?, full)?,
        ("kafka", None, false) => kafka::all(&Workspace::load()?)?,
        ("otp" | "kafka", _, true) => {
            return Err("`--full` is for `nri`: there is one version of the others here".to_owned());
        }
        ("nri" | "kafka", Some(_), _) => {
            return Err("`--seed` is for `otp`: nothing is random in the others".to_owned());
        }
        _ => return Err(format!("there is no peer `{name}`; the peers are otp, nri and kafka")),
    };
    Ok(tally.close())
}

/// A seed that is another one each time, short enough to be typed.
fn draw_seed() -> u64 {
    RandomState::new().build_hasher().finish() % 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_peer_is_refused() {
        assert!(run("beam", None, false).is_err_and(|refusal| refusal.contains("`beam`")));
    }

    #[test]
    fn a_flag_that_is_for_another_peer_is_refused() {
        assert!(run("nri", Some("7"), false).is_err_and(|refusal| refusal.contains("`--seed`")));
        assert!(run("otp", None, true).is_err_and(|refusal| refusal.contains("`--full`")));
        assert!(run("kafka", None, true).is_err_and(|refusal| refusal.contains("`--full`")));
    }
}
