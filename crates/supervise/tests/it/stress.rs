//! Many children, on threads, in real time: whatever happens at once, no child has two instances, and nothing is left.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use landfall_lifecycle::{Shutdown, Terminate};
use landfall_supervise::{Backoff, ChildSpec, Exit, RestartType, Strategy, Supervisor};

use crate::harness::secs;

use crate::harness::guarded_on;

const IDS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
/// How many instances come and go in one round.
const STARTS: u32 = 400;

/// How many instances of each child live, how many ever did, and which were the second at a time: a panic of a worker
/// would not tell, because the supervisor contains it.
#[derive(Clone, Default)]
struct Register(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    living: HashMap<&'static str, u32>,
    starts: u32,
    seconds: Vec<&'static str>,
}

struct Entry(Register, &'static str);

impl Register {
    fn enter(&self, id: &'static str) -> (Entry, u32) {
        let mut lines = self.0.lock().unwrap();
        lines.starts += 1;
        let living = lines.living.entry(id).or_default();
        *living += 1;
        if *living > 1 {
            lines.seconds.push(id);
        }
        (Entry(self.clone(), id), lines.starts)
    }

    fn living(&self) -> u32 {
        self.0.lock().unwrap().living.values().sum()
    }

    fn starts(&self) -> u32 {
        self.0.lock().unwrap().starts
    }

    fn seconds(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().seconds.clone()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap().living.get_mut(self.1).unwrap() -= 1;
    }
}

/// A worker that ends, fails, panics or stays, by turns.
fn worker(register: &Register, id: &'static str) -> ChildSpec {
    let register = register.clone();
    let worker = ChildSpec::worker(id, move |cx| {
        let register = register.clone();
        async move {
            let (_entry, turn) = register.enter(id);
            cx.ready();
            for _ in 0..turn % 7 {
                tokio::task::yield_now().await;
            }
            match turn % 5 {
                0 => Exit::failed("turn"),
                1 => panic!("turn"),
                2 => Exit::Normal,
                3 => {
                    cx.tasks().spawn("below", async { tokio::task::yield_now().await }).ok();
                    Exit::Restart
                }
                _ => {
                    let stop = cx.token();
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(Duration::from_millis(1)) => {}
                    }
                    Exit::Shutdown
                }
            }
        }
    });
    let soon = Backoff::constant(Duration::from_micros(100));
    worker.signals_ready(secs(10)).restart(RestartType::Permanent.delayed(soon))
}

async fn round(strategy: Strategy) {
    let register = Register::default();
    let mut builder = Supervisor::builder("app").strategy(strategy).intensity(3, secs(1)).answers_early();
    for id in IDS {
        builder = builder.child(worker(&register, id));
    }
    let tree = builder.start().await.unwrap();
    let calls = async {
        let mut at = 0;
        while register.starts() < STARTS {
            at = (at + 3) % IDS.len();
            drop(tree.terminate_child(IDS[at]).await);
            assert!(tree.count_children().active <= IDS.len());
            drop(tree.restart_child(IDS[at]).await);
            drop(tree.delete_child(IDS[(at + 1) % IDS.len()]).await);
            drop(tree.start_child(worker(&register, IDS[(at + 1) % IDS.len()])).await);
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(secs(60), calls).await.expect("children come and go");
    let report = tree.terminate(&Shutdown::within(secs(30), secs(31))).await.unwrap();
    assert_eq!(register.living(), 0);
    assert_eq!(register.seconds(), [""; 0]);
    assert!(report.is_clean(), "{report}");
    assert!(tree.end_cause().is_some());
}

#[test]
fn no_child_has_two_instances_and_nothing_is_left() {
    guarded_on(4, async {
        for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
            round(strategy).await;
        }
    });
}

#[test]
fn a_second_instance_would_be_noticed() {
    let register = Register::default();
    let first = register.enter("a");
    drop(register.enter("b"));
    drop(register.enter("b"));
    assert_eq!(register.seconds(), [""; 0]);
    let second = register.enter("a");
    assert_eq!((register.seconds(), register.living()), (vec!["a"], 2));
    drop((first, second));
}
