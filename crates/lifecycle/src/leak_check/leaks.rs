//! What a check found, as a table for a person.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Leak;
use super::ignore::Parted;
use crate::report::{OneLine, Span};

/// How many leaks are shown; the rest is counted.
const ROWS_MAX: usize = 64;
/// How much of a text is shown in a column.
const CHARS_MAX: usize = 96;

/// What was left behind when a check's budget ended.
///
/// Displays as a table, one leak a line, what was ignored below it with the reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub struct Leaks {
    /// What was left behind.
    pub leaks: Vec<Leak>,
    /// What was left behind on purpose.
    pub ignored: Vec<Ignored>,
    /// How long the check waited for it to go.
    pub settled: Duration,
}

/// Something that was left behind on purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ignored {
    /// What was left behind.
    pub leak: Leak,
    /// Why that is no fault.
    pub reason: String,
}

impl Leaks {
    /// Fails if anything was left that nobody ignores; says on the log what was ignored.
    pub(super) fn check(parted: Parted, settled: Duration) -> Result<(), Self> {
        let Parted { leaks, ignored } = parted;
        if !leaks.is_empty() {
            return Err(Self { leaks, ignored, settled });
        }
        for Ignored { leak, reason } in ignored {
            tracing::info!(%leak, reason, "left behind on purpose");
        }
        Ok(())
    }
}

impl Display for Leaks {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let plural = if self.leaks.len() == 1 { "" } else { "s" };
        write!(f, "{} leak{plural}, after {} in which they could have gone", self.leaks.len(), Span(self.settled))?;
        let mut rows = vec![["kind", "name", "place", "age", ""].map(str::to_owned)];
        rows.extend(self.leaks.iter().take(ROWS_MAX).map(row));
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let widths = [0, 1, 2, 3].map(width);
        for [kind, name, place, age, detail] in &rows {
            let [kinds, names, places, ages] = widths;
            let line = format!("  {kind:kinds$}  {name:names$}  {place:places$}  {age:>ages$}  {detail}");
            write!(f, "\n{}", line.trim_end())?;
        }
        if self.leaks.len() > ROWS_MAX {
            write!(f, "\n  … and {} more", self.leaks.len() - ROWS_MAX)?;
        }
        for Ignored { leak, reason } in &self.ignored {
            write!(f, "\n  ignored: {leak}, because {}", OneLine::new(reason, CHARS_MAX))?;
        }
        Ok(())
    }
}

fn row(leak: &Leak) -> [String; 5] {
    let text = |text: &str| OneLine::new(text, CHARS_MAX).to_string();
    let known = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        leak.kind.to_string(),
        text(&leak.name),
        known(leak.place.as_deref().map(text)),
        known(leak.age.map(|age| Span(age).to_string())),
        text(&leak.detail),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leak_check::Kind;

    #[test]
    fn leaks_are_a_table() {
        let task = Leak::new(Kind::Task, "pump").at("src/a.rs:12").aged(Duration::from_millis(3));
        let socket = Leak::new(Kind::Socket, "tcp 127.0.0.1:80").with_detail("LISTEN, descriptor 7, inode 9");
        let ignored = Ignored { leak: Leak::new(Kind::Thread, "dns"), reason: "it lives on".to_owned() };
        let leaks = Leaks { leaks: vec![task, socket], ignored: vec![ignored], settled: Duration::from_secs(2) };
        let expected = "\
2 leaks, after 2.00 s in which they could have gone
  kind    name              place         age
  task    pump              src/a.rs:12  3 ms
  socket  tcp 127.0.0.1:80  -               -  LISTEN, descriptor 7, inode 9
  ignored: thread \"dns\", because it lives on";
        assert_eq!(leaks.to_string(), expected);
    }

    #[test]
    fn a_flood_is_cut() {
        let leaks = Leaks {
            leaks: vec![Leak::new(Kind::Task, "x\n".repeat(200)); 70],
            ignored: Vec::new(),
            settled: Duration::ZERO,
        };
        let text = leaks.to_string();
        assert_eq!(text.lines().count(), 1 + 1 + 64 + 1);
        assert!(text.ends_with("\n  … and 6 more") && text.lines().all(|line| line.chars().count() < 200), "{text}");
    }
}
