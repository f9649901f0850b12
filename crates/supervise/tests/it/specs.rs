//! Bad input: one error a field, before anything is started.

use std::time::Duration;

use landfall_lifecycle::TaskSet;
use landfall_supervise::{
    AutoShutdown, Backoff, ChildSpec, RestartType, ShutdownPolicy, SpecError, StartError, Strategy, Supervisor,
    SupervisorBuilder, Template,
};

use crate::harness::secs;

fn worker(id: &'static str) -> ChildSpec {
    ChildSpec::worker(id, |_cx| async {})
}

#[track_caller]
fn check(builder: SupervisorBuilder, expected: &str) {
    let error = builder.check().unwrap_err();
    assert!(format!("{error:?}").starts_with(expected), "{error:?}");
    let start = futures_util::future::FutureExt::now_or_never(builder.start()).unwrap();
    assert!(matches!(start, Err(StartError::Spec { source, .. }) if source == error));
}

fn builder() -> SupervisorBuilder {
    Supervisor::builder("app")
}

#[test]
fn settings_that_cannot_be_are_refused() {
    check(Supervisor::builder(""), "EmptyName");
    check(Supervisor::dynamic(""), "EmptyName");
    check(builder().intensity(1, Duration::ZERO), "OutOfBounds { field: \"period\"");
    check(builder().intensity(1, Duration::MAX), "OutOfBounds { field: \"period\"");
    check(builder().strategy(Strategy::SimpleOneForOne), "TemplateMissing");
    check(builder().child(worker("a")).child(worker("a")), "DuplicateId");
    check(builder().child(worker("")), "EmptyId");
    check(builder().children_max(1).child(worker("a")).child(worker("b")), "ChildrenMax");
    let template = || Template::worker("t", |_cx, ()| async {});
    let auto = builder().auto_shutdown(AutoShutdown::AnySignificant).template(template());
    check(auto.into(), "AutoShutdownWithTemplate");
    check(builder().child(worker("a")).template(template()).into(), "ChildrenBesideTemplate");
    for strategy in [Strategy::OneForOne, Strategy::Dynamic] {
        let other = SupervisorBuilder::from(builder().template(template())).strategy(strategy);
        check(other, "StrategyOfTemplate");
    }
    check(Supervisor::dynamic("jobs").child(worker("a")), "ChildrenOfDynamic");
    check(Supervisor::dynamic("jobs").auto_shutdown(AutoShutdown::AllSignificant), "AutoShutdownOfDynamic");
    assert!(builder().intensity(0, secs(1)).check().is_ok());
}

/// OTP: child_specs_map.
#[test]
fn specs_that_cannot_be_are_refused() {
    let any = || builder().auto_shutdown(AutoShutdown::AnySignificant);
    check(builder().child(worker("a").significant().restart(RestartType::Transient)), "SignificantWithoutAutoShutdown");
    check(any().child(worker("a").significant()), "SignificantRestart");
    check(any().child(worker("a").significant().restart(RestartType::Intrinsic)), "SignificantRestart");
    let delayed = |kind: RestartType, backoff| worker("a").restart(kind.delayed(backoff));
    check(builder().child(delayed(RestartType::Temporary, Backoff::default())), "TemporaryDelayed");
    let backoff = Backoff::exponential(secs(2), secs(1));
    check(builder().child(delayed(RestartType::Permanent, backoff)), "OutOfBounds { field: \"backoff.first\"");
    check(builder().child(worker("a").shutdown(Duration::MAX)), "OutOfBounds { field: \"shutdown\"");
    check(builder().child(worker("a").start_limit(Duration::ZERO)), "OutOfBounds { field: \"start_limit\"");
    check(builder().child(worker("a").signals_ready(Duration::MAX)), "OutOfBounds { field: \"start_limit\"");
    let instance = ChildSpec::instance("a", TaskSet::new("a")).restart(RestartType::Transient);
    check(builder().child(instance), "InstanceNotTemporary");
}

/// OTP: check_childspecs.
#[test]
fn specs_are_checked_alone_too() {
    let significant = || worker("a").significant().restart(RestartType::Transient);
    assert_eq!(Supervisor::check_specs(&[significant()], None), Ok(()));
    assert_eq!(Supervisor::check_specs(&[significant()], Some(AutoShutdown::AllSignificant)), Ok(()));
    let never = Supervisor::check_specs(&[significant()], Some(AutoShutdown::Never));
    assert_eq!(never, Err(SpecError::SignificantWithoutAutoShutdown { id: "a".into() }));
    let twice = Supervisor::check_specs(&[worker("a"), worker("a")], None);
    assert_eq!(twice, Err(SpecError::DuplicateId { id: "a".into() }));
    let defaults = worker("a");
    assert_eq!(defaults.info().shutdown, landfall_supervise::ShutdownPolicy::Timeout(secs(5)));
    assert_eq!(defaults.info().restart.kind, RestartType::Permanent);
}

/// OTP: child_specs, child_specs_map.
#[test]
fn every_other_combination_is_accepted() {
    use RestartType::{Intrinsic, Permanent, Temporary, Transient};
    let shutdowns = [ShutdownPolicy::BrutalKill, ShutdownPolicy::Timeout(secs(1)), ShutdownPolicy::Infinity];
    let autos = [AutoShutdown::Never, AutoShutdown::AnySignificant, AutoShutdown::AllSignificant];
    for restart in [Permanent, Transient, Temporary, Intrinsic] {
        for shutdown in shutdowns {
            for significant in [false, true] {
                for auto in autos {
                    let plain = || worker("a").restart(restart).shutdown(shutdown);
                    let spec = if significant { plain().significant() } else { plain() };
                    let may_be = matches!(restart, Transient | Temporary) && auto != AutoShutdown::Never;
                    let result = builder().auto_shutdown(auto).child(spec).check();
                    assert_eq!(result.is_ok(), !significant || may_be, "{restart} {shutdown} {significant} {auto:?}");
                }
            }
        }
    }
}
