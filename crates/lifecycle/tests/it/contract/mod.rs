//! The contract of `Terminate`: what this crate exports keeps it, and each fault is found by its own rule. It waits for
//! real deadlines, as every check of the contract does; what is asserted is P2's bound.

mod faults;
mod naive;

use landfall_lifecycle::testing::{Contract, ContractReport, Rule, Verdict};
use landfall_lifecycle::{Level, Stack, TaskSet, Terminate};

use crate::harness::{Watchdog, multi_thread, on_both};

/// All rules are kept, but for those named.
#[track_caller]
fn check_kept(report: &ContractReport, not_applicable: &[Rule]) {
    report.assert_kept();
    for rule in &report.rules {
        let expected = !not_applicable.contains(&rule.rule);
        assert_eq!(rule.verdict == Verdict::Kept, expected, "{}\n{report}", rule.rule);
    }
}

#[test]
fn a_task_set_keeps_it() {
    on_both(|| async {
        let contract = Contract::of(|| TaskSet::new("set")).work(|tasks, work| drop(tasks.spawn("deaf", work)));
        check_kept(&contract.without_runtime().check().await, &[]);
    });
}

/// On one flavour: a straggler costs nearly a second in each of the trials.
#[test]
fn a_task_set_with_work_on_a_thread_keeps_it() {
    let _watched = Watchdog::new();
    multi_thread().block_on(async {
        let contract = Contract::of(|| TaskSet::new("set"))
            .work(|tasks, work| drop(tasks.spawn_thread("deaf", move |_| work.block())))
            .without_runtime();
        check_kept(&contract.check().await, &[]);
    });
}

#[test]
fn a_set_with_a_child_keeps_it() {
    on_both(|| async {
        let make = || {
            let parent = TaskSet::new("parent");
            Family { child: parent.child("child").unwrap(), parent }
        };
        let contract = Contract::of(make).work(|family, work| drop(family.child.spawn("deaf", work)));
        check_kept(&contract.without_runtime().check().await, &[]);
    });
}

/// A type of a user's, as the documentation of `Terminate` has it.
struct Family {
    parent: TaskSet,
    child: TaskSet,
}

naive::forward!(Family, parent);

#[test]
fn a_boxed_stack_keeps_it() {
    on_both(|| async {
        let make = || {
            let (stack, tasks) = (Stack::new("stack"), TaskSet::new("tasks"));
            stack.push(TaskSet::new("below")).unwrap();
            stack.push_level(Level::of(tasks.clone()).and(TaskSet::new("beside"))).unwrap();
            Stacked { stack: Box::new(stack.clone()), handle: stack, tasks }
        };
        // Its components take work until their turn comes; what the stack itself takes is components.
        let contract = Contract::of(make)
            .work(|stacked, work| drop(stacked.tasks.spawn("deaf", work)))
            .refuses(|stacked| stacked.handle.push(TaskSet::new("late")).is_err());
        check_kept(&contract.without_runtime().check().await, &[]);
    });
}

struct Stacked {
    stack: Box<dyn Terminate>,
    handle: Stack,
    tasks: TaskSet,
}

naive::forward!(Stacked, stack);

#[test]
fn what_is_not_told_is_not_applicable() {
    on_both(|| async {
        let report = Contract::of(|| TaskSet::new("set")).check().await;
        let needs_work = [
            Rule::OnTime,
            Rule::Truthful,
            Rule::DropLosesNothing,
            Rule::Tightens,
            Rule::NeverLoosens,
            Rule::RefusesLateWork,
            Rule::SelfJoin,
            Rule::WithoutRuntime,
        ];
        check_kept(&report, &needs_work);
        assert_eq!((&*report.owner, report.place.file), ("set", file!()));
    });
}

#[cfg(feature = "serving")]
#[test]
fn a_server_keeps_it() {
    use std::io::Write;
    use std::net::TcpStream;

    on_both(|| async {
        let mut clients = Vec::new();
        let contract = Contract::of(server::start).work(move |server, work| {
            server.slot.lock().unwrap().get_or_insert(work);
            if let Ok(mut client) = TcpStream::connect(server.http.local_addr()) {
                // A server that has gone resets it.
                drop(client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"));
                clients.push(client);
            }
        });
        check_kept(&contract.check().await, &[Rule::WithoutRuntime]);
    });
}

#[cfg(feature = "serving")]
mod server {
    //! A server whose requests run the work.

    use std::convert::Infallible;
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Poll};

    use futures_util::future::BoxFuture;
    use http_body_util::Empty;
    use hyper::body::{Bytes, Incoming};
    use hyper::{Request, Response};
    use landfall_lifecycle::serving::{ServeOptions, Server};
    use landfall_lifecycle::testing::Work;

    pub(super) struct Served {
        pub(super) http: Server,
        pub(super) slot: Slot,
    }

    type Slot = Arc<Mutex<Option<Work>>>;

    super::naive::forward!(Served, http);

    #[derive(Clone)]
    struct Works(Slot);

    impl tower_service::Service<Request<Incoming>> for Works {
        type Response = Response<Empty<Bytes>>;
        type Error = Infallible;
        type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<Incoming>) -> Self::Future {
            let work = self.0.lock().unwrap().take();
            Box::pin(async move {
                if let Some(work) = work {
                    work.await;
                }
                Ok(Response::new(Empty::new()))
            })
        }
    }

    pub(super) fn start() -> Served {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let slot = Slot::default();
        let http = Server::start("http", listener, Works(Arc::clone(&slot)), ServeOptions::default()).unwrap();
        Served { http, slot }
    }
}
