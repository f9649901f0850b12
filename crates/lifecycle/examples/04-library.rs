//! A library's type that owns background work, is `Terminate` itself, and needs no runtime to end.

use std::borrow::Cow;
use std::time::Duration;

use futures_util::future::BoxFuture;
use landfall_lifecycle::{Report, SelfJoin, Shutdown, SpawnError, TaskSet, Terminate};

struct Poller {
    tasks: TaskSet,
}

impl Poller {
    fn start() -> Result<Self, SpawnError> {
        let tasks = TaskSet::new("poller");
        tasks.spawn_thread("poll", |stop| {
            let mut polls = 0_u32;
            while !stop.is_cancelled() {
                polls += 1;
                std::thread::park_timeout(Duration::from_millis(10));
            }
            println!("polled {polls} times");
        })?;
        Ok(Self { tasks })
    }
}

impl Terminate for Poller {
    fn name(&self) -> Cow<'_, str> {
        self.tasks.name().into()
    }
    fn begin_terminate(&self, how: &Shutdown) {
        self.tasks.begin_terminate(how);
    }
    fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        self.tasks.terminate(how)
    }
    fn ended(&self) -> BoxFuture<'_, ()> {
        self.tasks.ended()
    }
    fn calling_task(&self) -> Option<String> {
        self.tasks.calling_task()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let poller = Poller::start()?;
    std::thread::park_timeout(Duration::from_millis(50));
    let report = poller.tasks.terminate_blocking(&Shutdown::within(Duration::from_secs(1), Duration::from_secs(2)))?;
    println!("{report}");
    assert!(report.is_clean());
    Ok(())
}
