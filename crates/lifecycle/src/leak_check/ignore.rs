//! What is left on purpose, each with the reason.

use super::{Ignored, Kind, Leak};

/// The leaks that a check leaves out.
#[derive(Clone, Debug, Default)]
pub(super) struct Ignores(Vec<Ignore>);

#[derive(Clone, Debug)]
struct Ignore {
    kind: Kind,
    pattern: String,
    reason: String,
}

/// What was found, parted.
#[derive(Debug, Default)]
pub(super) struct Parted {
    pub(super) leaks: Vec<Leak>,
    pub(super) ignored: Vec<Ignored>,
}

impl Ignores {
    pub(super) fn add(&mut self, kind: Kind, pattern: &str, reason: &str) {
        self.0.push(Ignore { kind, pattern: pattern.to_owned(), reason: reason.trim().to_owned() });
    }

    pub(super) fn part(&self, found: Vec<Leak>) -> Parted {
        let mut parted = Parted::default();
        for mut leak in found {
            match self.0.iter().find(|ignore| ignore.is_meant(&leak)) {
                Some(ignore) if ignore.reason.is_empty() => {
                    leak.detail.push_str("; ignored without a reason, which does not count");
                    parted.leaks.push(leak);
                }
                Some(ignore) => parted.ignored.push(Ignored { leak, reason: ignore.reason.clone() }),
                None => parted.leaks.push(leak),
            }
        }
        parted
    }
}

impl Ignore {
    fn is_meant(&self, leak: &Leak) -> bool {
        let place = leak.place.as_deref().unwrap_or_default();
        leak.kind == self.kind && [&leak.name, place].into_iter().any(|text| text.contains(&self.pattern))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, pattern: &str, reason: &str, is_ignored: bool) {
        let mut ignores = Ignores::default();
        ignores.add(kind, pattern, reason);
        let parted = ignores.part(vec![Leak::new(Kind::Thread, "resolver-1").at("src/dns.rs:3")]);
        assert_eq!((parted.leaks.len(), parted.ignored.len()), if is_ignored { (0, 1) } else { (1, 0) }, "{parted:?}");
    }

    #[test]
    fn only_what_is_meant_and_has_a_reason_is_ignored() {
        check(Kind::Thread, "resolver", "it lives as long as the process", true);
        check(Kind::Thread, "dns.rs", "it lives as long as the process", true);
        check(Kind::Task, "resolver", "another kind", false);
        check(Kind::Thread, "pool", "another name", false);
        check(Kind::Thread, "resolver", " ", false);
    }
}
