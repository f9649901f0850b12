//! The runtimes on which it is measured.

use tokio::runtime::{Builder, Runtime};

/// One thread, or two that steal from each other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flavour {
    CurrentThread,
    TwoWorkers,
}

impl Flavour {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CurrentThread => "current_thread",
            Self::TwoWorkers => "two workers",
        }
    }

    pub(crate) fn build(self) -> Runtime {
        self.builder().build().expect("the machine has threads for a runtime")
    }

    /// One with timers: pools keep time.
    pub(crate) fn build_with_time(self) -> Runtime {
        self.builder().enable_time().build().expect("the machine has threads for a runtime")
    }

    fn builder(self) -> Builder {
        match self {
            Self::CurrentThread => Builder::new_current_thread(),
            Self::TwoWorkers => {
                let mut builder = Builder::new_multi_thread();
                builder.worker_threads(2);
                builder
            }
        }
    }
}
