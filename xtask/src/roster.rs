//! The packages that may exist: where each lives, what it may use of ours, and what it may pull in.
//!
//! A new package or a new arrow is a design change: it comes with its paragraph in `docs/architecture.md`.

/// One package of the workspace.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) dir: &'static str,
    pub(crate) role: Role,
}

/// What a package is to the others, and its arrows; these bind dev-dependencies too.
#[derive(Debug)]
pub(crate) enum Role {
    /// Published: may use the libraries named.
    Library { may_use: &'static [&'static str], alone: Alone },
    /// A program made of the libraries: may use every one of them.
    Application,
    /// Scenario programs and the tests that need more than one crate: may use everything but xtask.
    Tests,
    /// Measures the libraries beside their peers, which nothing else may pull in.
    Bench,
    /// Gives any bytes to a library: a workspace of its own, for which nothing else is built.
    Fuzz,
    /// Uses nothing of ours: it starts programs and reads what they print, or writes what is generated.
    Xtask,
}

/// What a library may pull in when built alone, without its features.
#[derive(Debug)]
pub(crate) struct Alone {
    /// How many packages its normal dependency tree may hold, itself included, procedural macros not.
    pub(crate) packages_max: usize,
    /// What it must never pull in, features or not asked for.
    pub(crate) refused: &'static [&'static str],
}

/// What only applications or features may bring.
const HEAVY: &[&str] = &[
    "anyhow",
    "axum",
    "clap",
    "diesel",
    "h2",
    "hickory-proto",
    "hickory-resolver",
    "hyper",
    "hyper-util",
    "serde",
    "tracing-subscriber",
];

pub(crate) const XTASK: &str = "landfall-xtask";
pub(crate) const FUZZ: &str = "landfall-stub-fuzz";
pub(crate) const CODEGEN: &str = "landfall-codegen";
pub(crate) const TESTS: &str = "landfall-tests";
pub(crate) const BENCH: &str = "landfall-bench";
pub(crate) const KAFKA: &str = "landfall-kafka";

/// Every package there may be.
pub(crate) const MEMBERS: &[Member] = &[
    // Three of them are rustix and what is below it: the coarse clock.
    library("landfall-lifecycle", "crates/lifecycle", &[], Alone { packages_max: 18, refused: HEAVY }),
    library(
        "landfall-supervise",
        "crates/supervise",
        &["landfall-lifecycle"],
        Alone { packages_max: 19, refused: HEAVY },
    ),
    library("landfall-pool", "crates/pool", &["landfall-lifecycle"], Alone { packages_max: 19, refused: HEAVY }),
    // Before the package around it, as is the bench below. It is no member of the workspace.
    Member { name: FUZZ, dir: "crates/stub/fuzz", role: Role::Fuzz },
    // The messages bring prost, the socket tokio's driver of descriptors.
    library("landfall-stub", "crates/stub", &["landfall-lifecycle"], Alone { packages_max: 23, refused: HEAVY }),
    // Diesel is its purpose; a database comes with its feature.
    library(
        "landfall-diesel-adapter",
        "crates/diesel-adapter",
        &["landfall-lifecycle", "landfall-pool"],
        Alone {
            packages_max: 30,
            refused: &["libsqlite3-sys", "pq-sys", "serde", "tokio-postgres", "tracing-subscriber"],
        },
    ),
    Member { name: "landfall-demo", dir: "crates/demo", role: Role::Application },
    // Before the package around it: a file belongs to the first whose directory it lies in.
    Member { name: BENCH, dir: "tests/bench", role: Role::Bench },
    Member { name: KAFKA, dir: "tests/kafka", role: Role::Application },
    Member { name: TESTS, dir: "tests", role: Role::Tests },
    Member { name: CODEGEN, dir: "xtask/codegen", role: Role::Xtask },
    Member { name: XTASK, dir: "xtask", role: Role::Xtask },
];

const fn library(name: &'static str, dir: &'static str, may_use: &'static [&'static str], alone: Alone) -> Member {
    Member { name, dir, role: Role::Library { may_use, alone } }
}

/// Finds a package by name.
pub(crate) fn member(name: &str) -> Option<&'static Member> {
    MEMBERS.iter().find(|member| member.name == name)
}

impl Member {
    pub(crate) fn is_library(&self) -> bool {
        matches!(self.role, Role::Library { .. })
    }

    /// Whether an arrow from this package to another of ours is allowed.
    pub(crate) fn may_use(&self, other: &Member) -> bool {
        match (&self.role, &other.role) {
            (Role::Library { may_use, .. }, _) => may_use.contains(&other.name),
            (Role::Application | Role::Bench, other) => matches!(other, Role::Library { .. }),
            (Role::Tests, other) => matches!(other, Role::Library { .. } | Role::Application),
            (Role::Fuzz | Role::Xtask, _) => false,
        }
    }
}

/// The package in whose directory a file of the tree lies.
pub(crate) fn owner_of(path: &str) -> Option<&'static Member> {
    MEMBERS.iter().find(|member| path.strip_prefix(member.dir).is_some_and(|rest| rest.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(from: &str, to: &str) -> bool {
        member(from).expect("in the roster").may_use(member(to).expect("in the roster"))
    }

    #[test]
    fn arrows_point_down_only() {
        assert!(may("landfall-pool", "landfall-lifecycle"));
        assert!(may("landfall-diesel-adapter", "landfall-pool"));
        assert!(may("landfall-demo", "landfall-stub"));
        assert!(may("landfall-tests", "landfall-demo"));
        assert!(may(KAFKA, "landfall-supervise"));
        assert!(may(BENCH, "landfall-pool"));
        assert!(!may(BENCH, "landfall-demo") && !may(TESTS, BENCH));
        assert!(!may("landfall-lifecycle", "landfall-pool"));
        assert!(!may("landfall-supervise", "landfall-pool"));
        assert!(!may("landfall-pool", "landfall-tests"));
        assert!(!may("landfall-demo", "landfall-tests"));
        assert!(MEMBERS.iter().all(|other| !may(XTASK, other.name)));
        assert!(MEMBERS.iter().all(|other| !may(other.name, XTASK)));
    }

    #[test]
    fn files_belong_to_the_package_around_them() {
        let owner = |path| owner_of(path).map(|member| member.name);
        assert_eq!(owner("crates/pool/src/lib.rs"), Some("landfall-pool"));
        assert_eq!(owner("tests/src/bin/scenario-relay.rs"), Some(TESTS));
        assert_eq!(owner("tests/bench/src/lib.rs"), Some(BENCH));
        assert_eq!(owner("tests/kafka/src/lib.rs"), Some(KAFKA));
        assert_eq!(owner("crates/poolside/src/lib.rs"), None);
    }
}
