//! Owners that pass their calls on, and one that does one of them wrong.

use std::borrow::Cow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use landfall_lifecycle::{Reason, Report, SelfJoin, Shutdown, TaskSet, Terminate};

/// Implements `Terminate` by a field, as a user's types do.
macro_rules! forward {
    ($owner:ty, $field:ident) => {
        impl landfall_lifecycle::Terminate for $owner {
            fn name(&self) -> std::borrow::Cow<'_, str> {
                landfall_lifecycle::Terminate::name(&self.$field)
            }
            fn begin_terminate(&self, how: &landfall_lifecycle::Shutdown) {
                self.$field.begin_terminate(how);
            }
            fn terminate<'a>(
                &'a self,
                how: &'a landfall_lifecycle::Shutdown,
            ) -> futures_util::future::BoxFuture<'a, Result<landfall_lifecycle::Report, landfall_lifecycle::SelfJoin>>
            {
                self.$field.terminate(how)
            }
            fn ended(&self) -> futures_util::future::BoxFuture<'_, ()> {
                self.$field.ended()
            }
            fn calling_task(&self) -> Option<String> {
                self.$field.calling_task()
            }
        }
    };
}

pub(super) use forward;

/// What a naive owner gets wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Waits for the end where it should only begin.
    BeginBlocks,
    /// Renames itself once it ends.
    NameChanges,
    /// Takes the second begin for a mistake.
    BeginTwicePanics,
    /// Is told of its end only by `terminate`.
    EndNeedsTerminate,
    /// Wakes one waiter, once.
    EndedOnce,
    /// Waits for its tasks with a time limit of its own.
    NoDeadline,
    /// Says that all is well, without a look.
    Lies,
    /// Gives the result to the first who asks.
    ResultIsTaken,
    /// Holds what it needs in the future of `terminate`.
    LostWithItsFuture,
    /// Goes by the first caller's instants.
    FirstCallerWins,
    /// Goes by the last caller's instants.
    LastCallerWins,
    /// Puts late work elsewhere.
    AcceptsLate,
    /// Waits for the task that waits for it.
    DeadlocksWithItself,
    /// Asks for the current runtime.
    NeedsRuntime,
}

pub(super) struct Naive {
    pub(super) fault: Fault,
    pub(super) tasks: TaskSet,
    /// Where late work goes, and what drives the end.
    pub(super) others: TaskSet,
    begins: AtomicUsize,
    is_taken: AtomicBool,
    has_terminated: tokio::sync::Semaphore,
    how: Mutex<Option<Shutdown>>,
}

impl Naive {
    pub(super) fn new(fault: Fault) -> Self {
        Self {
            fault,
            tasks: TaskSet::new("naive"),
            others: TaskSet::new("others"),
            begins: AtomicUsize::new(0),
            is_taken: AtomicBool::new(false),
            has_terminated: tokio::sync::Semaphore::new(0),
            how: Mutex::new(None),
        }
    }

    /// The instants that it goes by.
    fn effective(&self, how: &Shutdown) -> Shutdown {
        match self.fault {
            Fault::NoDeadline => hours(),
            Fault::FirstCallerWins => self.how.lock().unwrap().get_or_insert_with(|| how.clone()).clone(),
            _ => how.clone(),
        }
    }

    /// The last caller's instants, kept by a task that anybody may redirect.
    fn follow(&self, how: &Shutdown) {
        let is_first = self.how.lock().unwrap().replace(how.clone()).is_none();
        self.tasks.begin_terminate(&hours());
        if !is_first {
            // Forget the driver of the earlier caller.
            for driver in self.others.live() {
                self.others.abort(driver.id);
            }
        }
        let (tasks, how) = (self.tasks.clone(), how.clone());
        let drive = async move {
            how.grace_over().await;
            tasks.begin_terminate(&Shutdown::now());
        };
        drop(self.others.spawn("driver", drive));
    }
}

fn hours() -> Shutdown {
    Shutdown::within(std::time::Duration::from_secs(3_600), std::time::Duration::from_secs(7_200))
}

/// Says that the future of `terminate` was dropped on its way.
struct Lost<'a>(Option<&'a AtomicBool>);

impl Drop for Lost<'_> {
    fn drop(&mut self) {
        if let Some(is_lost) = self.0 {
            is_lost.store(true, Ordering::SeqCst);
        }
    }
}

impl Terminate for Naive {
    fn name(&self) -> Cow<'_, str> {
        if self.fault == Fault::NameChanges && self.tasks.token().is_cancelled() {
            return "naive (terminated)".into();
        }
        self.tasks.name().into()
    }

    fn begin_terminate(&self, how: &Shutdown) {
        match self.fault {
            Fault::BeginBlocks => drop(self.tasks.terminate_blocking(how)),
            Fault::BeginTwicePanics if self.begins.fetch_add(1, Ordering::SeqCst) > 0 => panic!("planned: begun twice"),
            Fault::LastCallerWins => self.follow(how),
            _ => self.tasks.begin_terminate(&self.effective(how)),
        }
    }

    fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        Box::pin(async move {
            let is_late = self.is_taken.load(Ordering::SeqCst);
            match self.fault {
                Fault::NeedsRuntime => drop(tokio::runtime::Handle::current()),
                Fault::Lies if self.calling_task().is_none() => {
                    self.tasks.begin_terminate(how);
                    return Ok(Report::new("naive", Reason::Requested));
                }
                Fault::LostWithItsFuture if is_late => std::future::pending().await,
                Fault::LastCallerWins => {
                    if self.calling_task().is_none() {
                        self.follow(how);
                    }
                    return self.tasks.terminate(&hours()).await;
                }
                _ => {}
            }
            let mut lost = Lost((self.fault == Fault::LostWithItsFuture).then_some(&self.is_taken));
            let result = self.tasks.terminate(&self.effective(how)).await;
            lost.0 = None;
            self.has_terminated.add_permits(1_000);
            match self.fault {
                Fault::DeadlocksWithItself if result.is_err() => std::future::pending().await,
                _ if result.is_err() => result,
                Fault::ResultIsTaken if self.is_taken.swap(true, Ordering::SeqCst) => {
                    Ok(Report::new("naive", how.reason().clone()))
                }
                _ => result,
            }
        })
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            match self.fault {
                Fault::EndNeedsTerminate => self.has_terminated.acquire().await.unwrap().forget(),
                Fault::EndedOnce if self.is_taken.swap(true, Ordering::SeqCst) => std::future::pending().await,
                _ => {}
            }
            self.tasks.ended().await;
        })
    }

    fn calling_task(&self) -> Option<String> {
        self.tasks.calling_task()
    }
}
