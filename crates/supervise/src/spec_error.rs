//! What can be wrong with a spec or with the settings of a supervisor.

use std::time::Duration;

use crate::child_id::ChildId;
use crate::policy::{AutoShutdown, RestartType, ShutdownPolicy, SpecInfo, Strategy};

/// The longest start limit, stop limit and period that may be asked for: 365 days.
const LIMIT_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A field of a child spec, or of a supervisor's settings, that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// The name of the supervisor is empty.
    #[error("the name of the supervisor is empty")]
    EmptyName,
    /// An id is empty.
    #[error("a child has an empty id")]
    EmptyId,
    /// Two children have one id.
    #[error("two children have the id {id}, and ids must differ")]
    DuplicateId {
        /// The id.
        id: ChildId,
    },
    /// A significant child that is permanent or intrinsic: its end by itself never stands.
    #[error("{id} is significant and {restart}: only transient and temporary children may be significant")]
    SignificantRestart {
        /// The child.
        id: ChildId,
        /// Its restart type.
        restart: RestartType,
    },
    /// A significant child of a supervisor that does not look for it.
    #[error("{id} is significant, and auto_shutdown is never")]
    SignificantWithoutAutoShutdown {
        /// The child.
        id: ChildId,
    },
    /// A template with an auto-shutdown.
    #[error("auto_shutdown must be never with a template")]
    AutoShutdownWithTemplate,
    /// A dynamic supervisor with an auto-shutdown.
    #[error("auto_shutdown must be never with the strategy dynamic")]
    AutoShutdownOfDynamic,
    /// A temporary child with a delay: it is never restarted.
    #[error("{id} is temporary and delayed: a temporary child is never restarted")]
    TemporaryDelayed {
        /// The child.
        id: ChildId,
    },
    /// A child given as an instance or as a task can be started once only, so it must be temporary.
    #[error("{id} can be started once only, and is {restart}: an instance or a task can only be temporary")]
    InstanceNotTemporary {
        /// The child.
        id: ChildId,
        /// Its restart type.
        restart: RestartType,
    },
    /// The strategy is simple-one-for-one, and there is no template.
    #[error("the strategy simple-one-for-one needs a template")]
    TemplateMissing,
    /// There is a template, and the strategy is another.
    #[error("the strategy is {strategy}: a supervisor with a template is simple-one-for-one")]
    StrategyOfTemplate {
        /// The strategy.
        strategy: Strategy,
    },
    /// There are static children beside a template.
    #[error("a supervisor with a template has no other children")]
    ChildrenBesideTemplate,
    /// A dynamic supervisor with static children.
    #[error("a dynamic supervisor starts with no children: they come by start_child")]
    ChildrenOfDynamic,
    /// There are more static children than `children_max`.
    #[error("there are {count} children, and children_max is {children_max}")]
    ChildrenMax {
        /// How many there are.
        count: usize,
        /// The bound.
        children_max: usize,
    },
    /// A number or a time is out of its bounds.
    #[error("{field} of {of} is {value}: allowed is {allowed}")]
    OutOfBounds {
        /// The field.
        field: &'static str,
        /// The child, or the supervisor.
        of: String,
        /// What was given.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
}

impl SpecError {
    /// Looks for a fault of one spec below a supervisor with that auto-shutdown; with none only what never can be is.
    pub(crate) fn of_spec(spec: &SpecInfo, auto_shutdown: Option<AutoShutdown>) -> Result<(), Self> {
        let id = || spec.id.clone();
        if spec.id.as_str().is_empty() {
            return Err(Self::EmptyId);
        }
        if spec.significant {
            if matches!(spec.restart.kind, RestartType::Permanent | RestartType::Intrinsic) {
                return Err(Self::SignificantRestart { id: id(), restart: spec.restart.kind });
            }
            if auto_shutdown == Some(AutoShutdown::Never) {
                return Err(Self::SignificantWithoutAutoShutdown { id: id() });
            }
        }
        if let Some(backoff) = spec.restart.backoff {
            if spec.restart.kind == RestartType::Temporary {
                return Err(Self::TemporaryDelayed { id: id() });
            }
            if let Some((field, value, allowed)) = backoff.fault() {
                return Err(Self::OutOfBounds { field, of: spec.id.to_string(), value, allowed });
            }
        }
        if let ShutdownPolicy::Timeout(limit) = spec.shutdown {
            Self::of_limit("shutdown", spec.id.as_str(), limit)?;
        }
        match spec.start_limit {
            Some(limit) if limit.is_zero() => Err(Self::OutOfBounds {
                field: "start_limit",
                of: spec.id.to_string(),
                value: "0".to_owned(),
                allowed: "more than 0",
            }),
            Some(limit) => Self::of_limit("start_limit", spec.id.as_str(), limit),
            None => Ok(()),
        }
    }

    /// A time that is to be added to an instant.
    pub(crate) fn of_limit(field: &'static str, of: &str, limit: Duration) -> Result<(), Self> {
        if limit > LIMIT_MAX {
            let value = format!("{limit:?}");
            return Err(Self::OutOfBounds { field, of: of.to_owned(), value, allowed: "at most 365 days" });
        }
        Ok(())
    }
}
