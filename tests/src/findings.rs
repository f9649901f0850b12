//! What a scenario found wrong.

use std::fmt::{self, Display, Formatter};

use serde_json::{Value, json};

/// How many findings are told; the rest is counted.
const SHOWN_MAX: usize = 8;

/// What is wrong, as far as a twin has to be told from an accident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An event was accepted, and is nowhere.
    Lost,
    /// An event was accepted and is still known, but did not arrive in the time there was.
    Undelivered,
    /// An event arrived that is not as it was posted, or that nobody posted.
    Mixed,
    /// An end came after its bound, or not at all.
    Late,
    /// A process ended otherwise than it should.
    WrongExit,
    /// There is no report, or it says that something is left.
    Unclean,
    /// Something that had to be aborted, or was left, is not named.
    Unnamed,
    /// A process, a file or a listener outlived the program.
    LeftBehind,
    /// The program panicked.
    Panicked,
    /// A request or a command line was answered otherwise than it should.
    WrongAnswer,
    /// A task of the program's own sets outlived the termination.
    Task,
    /// So did a task that belongs to none of its sets.
    ForeignTask,
    /// So did a thread.
    Thread,
    /// So did a descriptor that is no socket.
    Descriptor,
    /// So did a socket.
    Socket,
    /// So did a child process.
    ChildProcess,
    /// So did a file.
    File,
    /// So did a session on a server.
    Session,
    /// A task that would have finished by itself was aborted.
    Aborted,
    /// Two instances of one child lived at once.
    Twice,
    /// Something began or was asked to stop before its turn.
    Disorder,
    /// Something that has to stay as it is grew.
    Growth,
    /// Something began after the end.
    StartedLate,
    /// Grace ended before its instant though nobody asked for that.
    GraceCut,
    /// A secret was printed.
    Secret,
}

impl Kind {
    /// The word for it in the verdict.
    pub fn word(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Undelivered => "undelivered",
            Self::Mixed => "mixed",
            Self::Late => "late",
            Self::WrongExit => "wrong exit",
            Self::Unclean => "unclean",
            Self::Unnamed => "unnamed",
            Self::LeftBehind => "left behind",
            Self::Panicked => "panicked",
            Self::WrongAnswer => "wrong answer",
            Self::Task => "task",
            Self::ForeignTask => "foreign task",
            Self::Thread => "thread",
            Self::Descriptor => "descriptor",
            Self::Socket => "socket",
            Self::ChildProcess => "child process",
            Self::File => "file",
            Self::Session => "server session",
            Self::Aborted => "aborted",
            Self::Twice => "twice at once",
            Self::Disorder => "out of order",
            Self::Growth => "growth",
            Self::StartedLate => "started late",
            Self::GraceCut => "grace cut",
            Self::Secret => "secret",
        }
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which check found it.
    pub kind: Kind,
    /// What there is to say.
    pub text: String,
    /// What it is called, if it has a name.
    pub name: Option<String>,
    /// What started it, as `file:line`, where that can be known.
    pub place: Option<String>,
}

impl Finding {
    /// A finding without a name.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), name: None, place: None }
    }

    /// Says what it is called.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Says what started it.
    #[must_use]
    pub fn at(mut self, place: Option<String>) -> Self {
        self.place = place;
        self
    }
}

/// What a planted fault has to be found as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sought {
    /// The kind.
    pub kind: Kind,
    /// Words in its name, if it has one.
    pub name: Option<&'static str>,
    /// The end of its place, or of the file of its place, if that can be known.
    pub place: Option<&'static str>,
}

impl Sought {
    fn is(&self, finding: &Finding) -> bool {
        let has = |found: &Option<String>, sought: Option<&str>, fits: fn(&str, &str) -> bool| {
            sought.is_none_or(|sought| found.as_deref().is_some_and(|found| fits(found, sought)))
        };
        self.kind == finding.kind
            && has(&finding.name, self.name, |found, sought| found.contains(sought))
            && has(&finding.place, self.place, |found, sought| {
                let file = found.rsplit_once(':').map_or(found, |(file, _)| file);
                found.ends_with(sought) || file.ends_with(sought)
            })
    }
}

impl Display for Sought {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind.word())?;
        self.name.map_or(Ok(()), |name| write!(f, " `{name}`"))?;
        self.place.map_or(Ok(()), |place| write!(f, " at {place}"))
    }
}

/// All that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Adds one.
    pub fn add(&mut self, kind: Kind, text: impl Into<String>) {
        self.push(Finding::new(kind, text));
    }

    /// Adds one that may have a name and a place.
    pub fn push(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// Adds one unless `holds`.
    pub fn check(&mut self, holds: bool, kind: Kind, text: impl FnOnce() -> String) {
        if !holds {
            self.add(kind, text());
        }
    }

    /// Adds all of another's, saying where they were found.
    pub fn extend(&mut self, place: &str, other: Self) {
        self.0.extend(other.0.into_iter().map(|it| Finding { text: format!("{place}: {}", it.text), ..it }));
    }

    /// Adds all of another's.
    pub fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this kind of thing is wrong.
    pub fn has(&self, kind: Kind) -> bool {
        self.0.iter().any(|finding| finding.kind == kind)
    }

    /// Whether this is among what is wrong.
    pub fn includes(&self, sought: &Sought) -> bool {
        self.0.iter().any(|finding| sought.is(finding))
    }

    /// Whether the same thing was found already.
    pub fn knows(&self, finding: &Finding) -> bool {
        self.0.iter().any(|known| (known.kind, &known.name) == (finding.kind, &finding.name))
    }

    /// As the verdict lists them, at most so many as are told in words.
    pub fn to_json(&self) -> Value {
        self.all_to_json().into_iter().take(SHOWN_MAX).collect()
    }

    /// Each thing that is wrong once, for whoever judges it elsewhere.
    pub fn all_to_json(&self) -> Vec<Value> {
        let told = |(it, times): (&Finding, usize)| json!({ "kind": it.kind.word(), "name": it.name, "place": it.place, "detail": it.text, "times": times });
        self.grouped().into_iter().map(told).collect()
    }

    /// Each thing that is wrong once, with how often it was found.
    fn grouped(&self) -> Vec<(&Finding, usize)> {
        let mut groups: Vec<(&Finding, usize)> = Vec::new();
        for finding in &self.0 {
            match groups.iter_mut().find(|(known, _)| *known == finding) {
                Some((_, times)) => *times += 1,
                None => groups.push((finding, 1)),
            }
        }
        groups
    }
}

/// One line.
impl Display for Findings {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let groups = self.grouped();
        for (index, (finding, times)) in groups.iter().take(SHOWN_MAX).enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", finding.kind.word(), finding.text)?;
            if *times > 1 {
                write!(f, " ({times} times)")?;
            }
        }
        match groups.len().saturating_sub(SHOWN_MAX) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_findings_are_told_in_one_bounded_line() {
        let mut findings = Findings::default();
        for number in 0..20 {
            findings.check(number > 9, Kind::Lost, || format!("event {number}"));
        }
        let text = findings.to_string();
        assert!(text.starts_with("lost: event 0; lost: event 1;") && text.ends_with("and 2 more"), "{text}");
        assert!(findings.has(Kind::Lost) && !findings.has(Kind::Late));
    }

    #[test]
    fn what_was_found_again_and_again_is_told_once() {
        let mut findings = Findings::default();
        for kind in [Kind::Lost, Kind::Late, Kind::Lost, Kind::Lost] {
            findings.add(kind, "event 3");
        }
        assert_eq!(findings.to_string(), "lost: event 3 (3 times); late: event 3");
        assert_eq!(
            (&findings.to_json()[0]["times"], findings.to_json().as_array().map(Vec::len)),
            (&json!(3), Some(2))
        );
    }

    #[track_caller]
    fn check(sought: Sought, expected: bool) {
        let mut findings = Findings::default();
        let place = Some("tests/src/x.rs:9".to_owned());
        findings.push(Finding::new(Kind::Task, "it lives").named("late 3").at(place));
        assert_eq!(findings.includes(&sought), expected, "{sought}");
    }

    #[test]
    fn what_is_sought_has_to_have_the_kind_the_name_and_the_place() {
        let task = Sought { kind: Kind::Task, name: None, place: None };
        check(task, true);
        check(Sought { name: Some("late"), place: Some("x.rs:9"), ..task }, true);
        check(Sought { kind: Kind::Thread, ..task }, false);
        check(Sought { name: Some("early"), ..task }, false);
        check(Sought { place: Some("x.rs:10"), ..task }, false);
    }

    #[test]
    fn a_name_that_is_sought_is_not_found_where_there_is_none() {
        let mut findings = Findings::default();
        findings.add(Kind::ForeignTask, "1 foreign task");
        assert!(!findings.includes(&Sought { kind: Kind::ForeignTask, name: Some("late"), place: None }));
    }
}
