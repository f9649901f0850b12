//! Scenarios from a seed: random supervisors, children and steps, without what is known to differ on purpose.

use std::fmt::Write;

/// A stream of random numbers (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap_or_default()
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}

const RESTARTS: &[&str] = &["permanent", "permanent", "transient", "temporary"];
const REASONS: &[&str] = &["normal", "shutdown", "shutdown:why", "crash", "crash", "killed"];
const LIMITS: &[&str] = &["5000", "5000", "infinity", "brutal_kill"];
const ASKED: &[&str] = &["ok", "ok", "ok", "normal", "crash", "shutdown:why"];
/// What the starts of a child come to; a first one that does not succeed is rare.
const STARTS: &[&str] = &[
    "ok",
    "ok",
    "ok",
    "ok,error,ok",
    "ok,ok,error,error,ok",
    "ok,error",
    "ok,ignore,ok",
    "ok,ok,ignore",
    "error,ok",
    "ignore,ok",
];
/// Without restarts that decline: instances that do crash the supervisor of OTP 25.
const STARTS_SIMPLE: &[&str] = &["ok", "ok", "ok,error,ok", "ok,ok,error,ok", "ok,error", "error,ok", "ignore,error"];
const CALLS: &[&str] =
    &["start_child", "restart_child", "delete_child", "terminate_child", "terminate_child", "get_childspec"];
const STEPS_MAX: usize = 14;

/// So many scenarios of a seed, as a file of them.
pub(super) fn scenarios(seed: u64, count: usize) -> String {
    let mut text = format!("# Made from the seed {seed}.\n");
    let mut random = Random(seed);
    for at in 0..count {
        let _ = writeln!(text, "\nscenario seed-{seed}-{at}");
        if random.below(4) == 0 { simple(&mut random, &mut text) } else { plain(&mut random, &mut text) }
    }
    text
}

fn simple(random: &mut Random, text: &mut String) {
    let intensity = random.below(5);
    let (restart, limit) = (random.of(RESTARTS), random.of(LIMITS));
    let _ = writeln!(text, "supervisor root strategy=simple_one_for_one intensity={intensity} period=60");
    let _ = writeln!(text, "template root template restart={restart} shutdown={limit}");
    let ids = &["x", "y", "z"];
    for id in ids {
        let _ = writeln!(text, "spec root {id} start={}", random.of(STARTS_SIMPLE));
    }
    text.push_str("start\nstart_child root x\n");
    for _ in 0..random.below(STEPS_MAX) {
        let id = random.of(ids);
        let _ = match random.below(6) {
            0 | 1 => writeln!(text, "exit {id} {}", random.of(REASONS)),
            2 | 3 => writeln!(text, "start_child root {id}"),
            4 => writeln!(text, "which_children root"),
            _ => writeln!(text, "count_children root"),
        };
    }
    text.push_str("which_children root\nstop\n");
}

fn plain(random: &mut Random, text: &mut String) {
    let strategy = random.of(&["one_for_one", "one_for_all", "rest_for_one"]);
    let auto = random.of(&["never", "never", "any_significant", "all_significant"]);
    let intensity = random.below(5);
    let _ = writeln!(text, "supervisor root strategy={strategy} intensity={intensity} period=60 auto_shutdown={auto}");
    let ids = &["a", "b", "c", "d", "e"];
    let statics = 1 + random.below(4);
    for (at, id) in ids.iter().enumerate() {
        let _ = writeln!(text, "{} root {id}{}", if at < statics { "child" } else { "spec" }, child(random, auto));
    }
    let has_below = random.below(3) == 0;
    if has_below {
        let (strategy, intensity) = (random.of(&["one_for_one", "one_for_all", "rest_for_one"]), random.below(3));
        let _ = writeln!(text, "child root sub type=supervisor restart={}", random.of(RESTARTS));
        let _ = writeln!(text, "supervisor sub strategy={strategy} intensity={intensity} period=60");
        for id in ["f", "g"] {
            let _ = writeln!(text, "child sub {id}{}", child(random, "never"));
        }
    }
    text.push_str("start\n");
    for _ in 0..random.below(STEPS_MAX) {
        let id = random.of(if has_below { &["a", "b", "c", "d", "e", "f", "g"] } else { ids });
        let is_below = matches!(id, "f" | "g");
        let sup = if is_below { "sub" } else { "root" };
        let _ = match random.below(8) {
            0..=3 => writeln!(text, "exit {id} {}", random.of(REASONS)),
            4 => writeln!(text, "which_children {sup}"),
            5 => writeln!(text, "count_children {sup}"),
            _ => writeln!(text, "{} {sup} {id}", random.of(CALLS)),
        };
    }
    text.push_str("which_children root\nstop\n");
}

fn child(random: &mut Random, auto: &str) -> String {
    let restart = random.of(RESTARTS);
    let is_significant = auto != "never" && restart != "permanent" && random.below(2) == 0;
    let significant = if is_significant { " significant=true" } else { "" };
    let (limit, asked, start) = (random.of(LIMITS), random.of(ASKED), random.of(STARTS));
    format!(" restart={restart} shutdown={limit} asked={asked} start={start}{significant}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_scenarios_again_and_another_one_others() {
        assert_eq!(scenarios(7, 9), scenarios(7, 9));
        assert_ne!(scenarios(7, 9), scenarios(8, 9));
        assert_eq!(scenarios(7, 9).matches("\nscenario seed-7-").count(), 9);
    }
}
