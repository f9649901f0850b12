//! Where a service stops for an observer who counts what it holds, if one asks for that.

#[cfg(feature = "leak-check")]
pub(super) use self::armed::Hold;
#[cfg(not(feature = "leak-check"))]
pub(super) use self::never::Hold;

#[cfg(feature = "leak-check")]
mod armed {
    //! The hold points of a service, as `leak_check` describes them.

    use std::thread;
    use std::time::{Duration, Instant};

    use tokio::runtime::{Builder, Handle};

    use crate::leak_check::{Footprint, Foreigners, HoldPoint, Stage, Standing};
    use crate::report::Report;
    use crate::service::side::say;
    use crate::service::wind_down::Parts;
    use crate::sync::Arc;

    /// How long tasks of others get to leave the runtime before those left are shown.
    const SETTLE_MAX: Duration = Duration::from_secs(2);

    /// The hold points of a service; none unless they are wanted and somebody listens.
    #[derive(Clone, Default)]
    pub(in crate::service) struct Hold(Option<Armed>);

    #[derive(Clone)]
    struct Armed {
        point: Arc<HoldPoint>,
        foreigners: Foreigners,
        threads_before: Option<Vec<u32>>,
        /// How many tasks the runtime had before anything of the user's started.
        unknown_before: usize,
    }

    impl Hold {
        /// To be called before the runtime is built. Installs hooks in a build that has them.
        pub(in crate::service) fn new(is_wanted: bool, builder: &mut Builder) -> Self {
            // The environment is looked at only if it is called for.
            let Some(point) = is_wanted.then(HoldPoint::from_env).flatten() else { return Self::default() };
            let threads = |footprint: Footprint| footprint.threads().iter().map(|thread| thread.id).collect();
            Self(Some(Armed {
                point: Arc::new(point),
                foreigners: Foreigners::of(builder),
                threads_before: Footprint::of_self().map(threads).ok(),
                unknown_before: 0,
            }))
        }

        pub(in crate::service) fn is_wanted(&self) -> bool {
            self.0.is_some()
        }

        /// The runtime is up.
        pub(in crate::service) fn began(&mut self, runtime: &Handle) {
            let Some(armed) = &mut self.0 else { return };
            let standing = armed.standing(Standing::of(runtime));
            armed.unknown_before = unknown(&standing);
            armed.hold(Stage::Began, &standing, || ());
        }

        /// The report is made, and the runtime still lives.
        pub(in crate::service) fn ended(&self, parts: &Parts, report: &Report) {
            let Some(armed) = &self.0 else { return };
            let until = Instant::now() + SETTLE_MAX;
            let mut pause = Duration::from_millis(1);
            let mut standing = loop {
                // A fresh report each time: a straggler may leave while others are waited for.
                let standing = Standing::of(&parts.runtime).with_report(parts.report());
                if unknown(&standing) <= armed.unknown_before || Instant::now() >= until {
                    break armed.standing(standing);
                }
                thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(50));
            };
            standing.report = Some(report.clone());
            armed.hold(Stage::Ended, &standing, || ());
        }

        /// The runtime has gone, and nothing is left to do but to exit.
        pub(in crate::service) fn over(&self, meanwhile: impl FnMut()) {
            let Some(armed) = &self.0 else { return };
            let standing = Standing { threads_before: armed.threads_before.clone(), ..Standing::default() };
            armed.hold(Stage::Over, &standing, meanwhile);
        }
    }

    /// How many of the runtime's tasks are not known to be ours.
    fn unknown(standing: &Standing) -> usize {
        standing.alive.unwrap_or_default().saturating_sub(standing.registered)
    }

    impl Armed {
        fn standing(&self, standing: Standing) -> Standing {
            let standing = standing.with_foreign(&self.foreigners);
            Standing { threads_before: self.threads_before.clone(), ..standing }
        }

        fn hold(&self, stage: Stage, standing: &Standing, meanwhile: impl FnMut()) {
            if let Err(error) = self.point.hold_while(stage, standing, meanwhile) {
                let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
                say(format!("{error}{source}"));
            }
        }
    }
}

#[cfg(not(feature = "leak-check"))]
mod never {
    //! Without the feature `leak-check` a service is never held.

    use tokio::runtime::{Builder, Handle};

    use crate::report::Report;
    use crate::service::wind_down::Parts;

    #[derive(Clone)]
    pub(in crate::service) struct Hold;

    impl Hold {
        pub(in crate::service) fn new(_: bool, _: &mut Builder) -> Self {
            Self
        }

        pub(in crate::service) fn is_wanted(&self) -> bool {
            false
        }

        pub(in crate::service) fn began(&mut self, _: &Handle) {}

        pub(in crate::service) fn ended(&self, _: &Parts, _: &Report) {}

        pub(in crate::service) fn over(&self, _: impl FnMut()) {}
    }
}
