//! Histories as both sides print them: read, brought into one form, compared, and tampered with.

use std::collections::BTreeMap;

/// What happened in each scenario, by its name.
pub(crate) type Histories = BTreeMap<String, Vec<String>>;

/// The lines of instances of a template begin with it: they have no order among themselves.
const UNORDERED: &str = "~ ";

/// Where a scenario says that the two sides differ on purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pinned {
    pub(crate) reason: String,
    pub(crate) otp: Vec<String>,
    pub(crate) ours: Vec<String>,
}

/// Reads what a side printed; neighbouring lines that have no order are brought into one.
pub(crate) fn read(text: &str) -> Histories {
    let mut histories = Histories::new();
    let mut name = String::new();
    for line in text.lines() {
        if let Some(next) = line.strip_prefix("scenario ") {
            next.clone_into(&mut name);
        }
        histories.entry(name.clone()).or_default().push(line.to_owned());
    }
    for lines in histories.values_mut() {
        for run in lines.chunk_by_mut(|one, next| one.starts_with(UNORDERED) && next.starts_with(UNORDERED)) {
            run.sort();
        }
    }
    histories
}

/// The names of a file's scenarios, each with what it says of a difference.
pub(crate) fn pinned(scenarios: &str) -> Vec<(String, Option<Pinned>)> {
    let mut all: Vec<(String, Option<Pinned>)> = Vec::new();
    for line in scenarios.lines() {
        if let Some(name) = line.strip_prefix("scenario ") {
            all.push((name.trim().to_owned(), None));
        }
        let Some((_, pinned)) = all.last_mut() else { continue };
        if let Some(reason) = line.strip_prefix("differs: ") {
            pinned.get_or_insert_default().reason = reason.trim().to_owned();
        } else if let Some(line) = line.strip_prefix("otp: ") {
            pinned.get_or_insert_default().otp.push(line.to_owned());
        } else if let Some(line) = line.strip_prefix("ours: ") {
            pinned.get_or_insert_default().ours.push(line.to_owned());
        }
    }
    all
}

/// What is wrong with the two histories of a scenario, if anything is.
pub(crate) fn judge(otp: Option<&[String]>, ours: Option<&[String]>, pinned: Option<&Pinned>) -> Option<String> {
    let (otp, ours) = match (otp, ours) {
        (Some(otp), Some(ours)) => (otp, ours),
        (None, _) => return Some("OTP has no history of it".to_owned()),
        (_, None) => return Some("we have no history of it".to_owned()),
    };
    let (of_otp, of_ours) = difference(otp, ours);
    match pinned {
        None if of_otp.is_empty() && of_ours.is_empty() => None,
        None => Some(format!("the histories differ\n{}", shown(of_otp, of_ours))),
        Some(pinned) if pinned.reason.is_empty() => Some("it differs on purpose, and gives no reason".to_owned()),
        Some(_) if of_otp.is_empty() && of_ours.is_empty() => {
            Some("it is said to differ, and the histories are equal".to_owned())
        }
        Some(pinned) if pinned.otp != of_otp || pinned.ours != of_ours => {
            Some(format!("the histories differ otherwise than the scenario says\n{}", shown(of_otp, of_ours)))
        }
        Some(_) => None,
    }
}

/// What lies between the lines that both begin with and those that both end with.
fn difference<'a>(one: &'a [String], other: &'a [String]) -> (&'a [String], &'a [String]) {
    let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let (one, other) = (&one[same..], &other[same..]);
    let same = one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count();
    (&one[..one.len() - same], &other[..other.len() - same])
}

/// A difference as the scenario would pin it.
fn shown(otp: &[String], ours: &[String]) -> String {
    let otp = otp.iter().map(|line| format!("  otp: {line}"));
    let lines: Vec<String> = otp.chain(ours.iter().map(|line| format!("  ours: {line}"))).collect();
    lines.join("\n")
}

/// A way to make a history wrong.
type Tampering = (&'static str, fn(&mut Vec<String>));

/// Ways to make a history wrong.
pub(crate) const TAMPERINGS: &[Tampering] = &[
    ("the last line is gone", |lines| drop(lines.pop())),
    ("a reason is another one", |lines| {
        let at = lines.iter().rposition(|line| line.contains("shutdown")).unwrap_or(0);
        lines[at] = lines[at].replacen("shutdown", "normal", 1).replacen("scenario", "scenery", 1);
    }),
    ("two lines have changed places", |lines| {
        let differ = |at: &usize| lines[*at] != lines[*at - 1];
        let at = (1..lines.len()).rev().find(differ).unwrap_or(0);
        lines.swap(at, at.saturating_sub(1));
    }),
    ("a child was started once more", |lines| {
        let again = lines.iter().rev().find(|line| line.contains("start ")).cloned();
        lines.push(again.unwrap_or_default());
    }),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    const HISTORY: &str = "scenario a\n> start\nstart a#1\n= ok\n> stop\nend a#1 shutdown\n= ok";

    #[test]
    fn equal_histories_pass_and_missing_ones_fail() {
        let history = lines(HISTORY);
        assert_eq!(judge(Some(&history), Some(&history), None), None);
        assert!(judge(None, Some(&history), None).is_some_and(|why| why.contains("OTP has no")));
        assert!(judge(Some(&history), None, None).is_some_and(|why| why.contains("we have no")));
    }

    #[test]
    fn every_tampering_is_noticed() {
        for (what, tamper) in TAMPERINGS {
            let mut tampered = lines(HISTORY);
            tamper(&mut tampered);
            assert!(judge(Some(&lines(HISTORY)), Some(&tampered), None).is_some(), "{what}");
        }
    }

    #[test]
    fn a_difference_on_purpose_must_be_as_it_is_pinned_and_say_why() {
        let ours = lines(&HISTORY.replace("end a#1 shutdown", "end a#1 killed"));
        let scenario = "scenario a\ndiffers: we kill\notp: end a#1 shutdown\nours: end a#1 killed\n\nscenario b\n";
        let all = pinned(scenario);
        assert_eq!(all.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let (said, none) = (all[0].1.as_ref(), all[1].1.as_ref());
        assert_eq!((judge(Some(&lines(HISTORY)), Some(&ours), said), none), (None, None));
        let otherwise = lines(&HISTORY.replace("end a#1 shutdown", "end a#1 normal"));
        assert!(judge(Some(&lines(HISTORY)), Some(&otherwise), said).is_some_and(|why| why.contains("otherwise")));
        assert!(judge(Some(&ours), Some(&ours), said).is_some_and(|why| why.contains("equal")));
        let silent = Pinned { reason: String::new(), ..said.cloned().unwrap_or_default() };
        assert!(judge(Some(&lines(HISTORY)), Some(&ours), Some(&silent)).is_some_and(|why| why.contains("no reason")));
    }

    #[test]
    fn lines_without_an_order_are_brought_into_one_and_others_are_not() {
        let histories = read("scenario a\n~ end y#1\n~ asked x#1\nreport\n~ b\n~ a\nz\ny\nscenario b\n");
        assert_eq!(histories["a"], lines("scenario a\n~ asked x#1\n~ end y#1\nreport\n~ a\n~ b\nz\ny"));
        assert_eq!(histories["b"], ["scenario b"]);
    }
}
