//! `cargo xtask interop NAME`: scenarios on another implementation and on ours, whose histories must be equal. What a
//! scenario and a history are is told in `tests/interop/README.md`.

mod generate;
mod history;
pub(crate) mod otp;

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::workspace::Workspace;

/// Compares, and closes with the counts.
pub(crate) fn run(name: &str, seed: Option<&str>) -> Result<bool, String> {
    if name != "otp" {
        return Err(format!("there is no peer `{name}`; the peers are otp"));
    }
    let seed = match seed {
        Some(seed) => seed.parse().map_err(|_| format!("`--seed` is a number, not `{seed}`"))?,
        None => draw_seed(),
    };
    Ok(otp::all(&Workspace::load()?, seed)?.close())
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
        assert!(run("beam", None).is_err_and(|refusal| refusal.contains("`beam`")));
    }
}
