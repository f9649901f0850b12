//! Start, stop, wait, run, and start again.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use landfall_lifecycle::{Clock, Shutdown, TaskSet, Terminate};
use landfall_stub::testing::{ConfigureWhen, Registration, Script, TestRuntime};
use landfall_stub::{Adjustment, CloseCause, Connection, Loss, Phase, RunError, StartError, Stub};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio_util::sync::CancellationToken;

use crate::harness::{Ends, clock, container, end, plugin, pod, soon};

fn causes(ends: &Ends) -> Vec<(u64, CloseCause)> {
    ends.take().into_iter().map(|closed| (closed.generation, closed.cause)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_plugin_registers_serves_and_stops() {
    let runtime = TestRuntime::new();
    let ends = Ends::default();
    let stub = ends.noted_by(plugin(&runtime)).build().expect("sound");
    assert_eq!(stub.phase(), Phase::Idle);
    let started = soon("start", stub.start()).await.expect("started");
    assert_eq!((started.generation, started.runtime.name.as_str()), (1, "test"));
    assert_eq!(stub.phase(), Phase::Serving);
    let plugin = soon("registration", runtime.next_plugin()).await.expect("a plugin");
    assert_eq!(
        (plugin.name(), plugin.index(), plugin.events().to_string().as_str()),
        ("logger", "10", "CreateContainer")
    );
    let answer = soon("create", plugin.create_container(pod("p"), container("c"))).await.expect("answered");
    assert_eq!(answer.adjust.expect("an adjustment").env[0].value, "1");
    let report = soon("stop", stub.stop()).await.expect("not its own task");
    assert!(report.is_clean(), "{report}");
    assert_eq!(stub.phase(), Phase::Idle);
    assert_eq!(soon("end", plugin.gone()).await, Loss::Closed);
    assert_eq!(soon("wait", stub.wait()).await.expect("it ended").cause, CloseCause::Stopped);
    tokio::task::yield_now().await;
    assert_eq!(causes(&ends), [(1, CloseCause::Stopped)]);
    end(stub, runtime).await;
}

/// Configured before its registration is answered, or after: both are sound.
#[tokio::test(start_paused = true)]
async fn it_is_configured_before_or_after_the_answer() {
    for configure in [ConfigureWhen::BeforeAnswer, ConfigureWhen::AfterAnswer] {
        let runtime = TestRuntime::new();
        let mut script = Script::default();
        script.configure = configure;
        runtime.expect(script);
        let stub = plugin(&runtime).build().expect("sound");
        soon("start", stub.start()).await.expect("started");
        soon("registration", runtime.next_plugin()).await.expect("a plugin");
        end(stub, runtime).await;
    }
}

#[tokio::test(start_paused = true)]
async fn it_starts_again_after_every_sort_of_end() {
    let runtime = TestRuntime::new();
    let ends = Ends::default();
    let stub = ends.noted_by(plugin(&runtime)).build().expect("sound");
    for generation in [1, 3, 5] {
        // Refused.
        let mut script = Script::default();
        script.registration = Registration::Refuse("not you".to_owned());
        runtime.expect(script);
        match soon("start", stub.start()).await {
            Err(StartError::Refused { message, .. }) => assert_eq!(message, "not you (unknown)"),
            other => panic!("{other:?}"),
        }
        assert_eq!(stub.phase(), Phase::Idle);
        // Served and stopped.
        assert_eq!(soon("start", stub.start()).await.expect("started").generation, generation + 1);
        soon("registration", runtime.next_plugin()).await.expect("a plugin");
        assert!(soon("stop", stub.stop()).await.expect("not its own task").is_clean());
    }
    tokio::task::yield_now().await;
    let told = causes(&ends);
    assert_eq!(told.len(), 6);
    assert!(matches!(&told[0], (1, CloseCause::Refused(why)) if why.contains("not you")), "{told:?}");
    assert_eq!(told[5], (6, CloseCause::Stopped));
    end(stub, runtime).await;
}

/// Defect 1 of the Go stub: it waits for its configuration for ever.
#[tokio::test(start_paused = true)]
async fn a_start_that_is_never_configured_fails_in_time() {
    let runtime = TestRuntime::new();
    let stub = plugin(&runtime).build().expect("sound");
    let mut script = Script::default();
    script.configure = ConfigureWhen::Never;
    runtime.expect(script);
    let error = soon("start", stub.start()).await.expect_err("never configured");
    assert!(matches!(error, StartError::NotConfigured { after } if after == Duration::from_secs(10)), "{error}");
    let mut script = Script::default();
    script.registration = Registration::Ignore;
    runtime.expect(script);
    let error = soon("start", stub.start()).await.expect_err("never answered");
    assert!(matches!(error, StartError::NotRegistered { after } if after == Duration::from_secs(5)), "{error}");
    soon("start", stub.start()).await.expect("started");
    end(stub, runtime).await;
}

#[tokio::test(start_paused = true)]
async fn a_second_start_is_refused_and_one_while_it_ends_waits() {
    let runtime = TestRuntime::new();
    let stub = plugin(&runtime).build().expect("sound");
    soon("start", stub.start()).await.expect("started");
    let error = soon("start", stub.start()).await.expect_err("started twice");
    assert!(matches!(error, StartError::AlreadyStarted { generation: 1 }), "{error}");
    let (stopped, started) = soon("both", async { tokio::join!(stub.stop(), stub.start()) }).await;
    assert!(stopped.expect("not its own task").is_clean());
    assert_eq!(started.expect("started").generation, 2);
    end(stub, runtime).await;
}

/// Whoever hears of the failure may start again at once: what the failed start had begun has ended by then.
#[tokio::test(start_paused = true)]
async fn a_failed_start_leaves_nothing() {
    let runtime = TestRuntime::new();
    let mut script = Script::default();
    script.request_timeout = Duration::from_secs(60);
    runtime.expect(script);
    let left = Arc::new(AtomicBool::new(true));
    let clears = Arc::clone(&left);
    let stub = plugin(&runtime).on_configure(move |cx, configuration| {
        let clears = Arc::clone(&clears);
        async move {
            cx.token().cancelled().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            clears.store(false, Ordering::Relaxed);
            Ok(configuration.events)
        }
    });
    let stub = stub.build().expect("sound");
    let error = soon("start", stub.start()).await.expect_err("it takes too long");
    assert!(matches!(error, StartError::NotConfigured { .. }), "{error}");
    assert_eq!((left.load(Ordering::Relaxed), stub.phase()), (false, Phase::Idle));
    end(stub, runtime).await;
}

/// It does not go on until its own timeout.
#[tokio::test(start_paused = true)]
async fn a_dropped_start_ends_its_generation_at_once() {
    let runtime = TestRuntime::new();
    let mut script = Script::default();
    script.registration = Registration::Ignore;
    runtime.expect(script);
    let ends = Ends::default();
    let stub = ends.noted_by(plugin(&runtime)).build().expect("sound");
    let second = Duration::from_secs(1);
    assert!(tokio::time::timeout(second, stub.start()).await.is_err());
    let dropped = tokio::time::Instant::now();
    soon("wait", stub.wait()).await;
    assert!(dropped.elapsed() < second, "{:?}", dropped.elapsed());
    tokio::task::yield_now().await;
    assert_eq!(causes(&ends), [(1, CloseCause::Stopped)]);
    end(stub, runtime).await;
}

/// Wherever a start is dropped, its generation ends, and the next start is as good as a first one.
#[tokio::test]
async fn a_start_can_be_dropped_at_every_poll() {
    use landfall_lifecycle::testing::cancel_at_every_poll_on;
    cancel_at_every_poll_on(
        async || {
            let runtime = TestRuntime::new();
            (plugin(&runtime).build().expect("sound"), runtime)
        },
        async |(stub, _): &mut (Stub, TestRuntime)| stub.start().await.map(|_| ()),
    )
    .check(async |(stub, runtime), cut| {
        if cut.completed {
            assert_eq!(stub.phase(), Phase::Serving);
        } else {
            soon("the end of what was dropped", stub.wait()).await;
            soon("start", stub.start()).await.expect("started");
        }
        end(stub, runtime).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_start_from_on_close_gets_a_new_generation() {
    let runtime = TestRuntime::new();
    let restarts = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&restarts);
    let stub = plugin(&runtime).on_close(move |stub, closed| {
        let noted = Arc::clone(&noted);
        async move {
            if let CloseCause::Lost(_) = closed.cause {
                let started = stub.start().await.expect("started");
                noted.lock().expect("no panic").push((closed.generation, started.generation));
            }
        }
    });
    let stub = stub.build().expect("sound");
    soon("start", stub.start()).await.expect("started");
    for _ in 0..3 {
        let plugin = soon("registration", runtime.next_plugin()).await.expect("a plugin");
        plugin.close();
        assert_eq!(soon("end", plugin.gone()).await, Loss::Closed);
    }
    soon("registration", runtime.next_plugin()).await.expect("a plugin");
    assert_eq!(*restarts.lock().expect("no panic"), [(1, 2), (2, 3), (3, 4)]);
    // Its own stop starts nothing.
    assert!(soon("stop", stub.stop()).await.expect("not its own task").is_clean());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((stub.phase(), runtime.connections()), (Phase::Idle, 4));
    end(stub, runtime).await;
}

#[tokio::test(start_paused = true)]
async fn run_tells_a_loss_from_a_stop() {
    let runtime = TestRuntime::new();
    let stub = plugin(&runtime).build().expect("sound");
    let token = CancellationToken::new();
    let (result, ()) = soon("run", async {
        tokio::join!(stub.run(&token), async { runtime.next_plugin().await.expect("a plugin").close() })
    })
    .await;
    assert!(matches!(result, Err(RunError::Lost(Loss::Closed))), "{result:?}");
    let (result, ()) = soon("run", async {
        tokio::join!(stub.run(&token), async {
            runtime.next_plugin().await.expect("a plugin");
            token.cancel();
        })
    })
    .await;
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(stub.phase(), Phase::Idle);
    let token = CancellationToken::new();
    let (result, _) = soon("run", async {
        tokio::join!(stub.run(&token), async {
            runtime.next_plugin().await.expect("a plugin");
            stub.stop().await
        })
    })
    .await;
    assert!(result.is_ok(), "{result:?}");
    end(stub, runtime).await;
}

#[tokio::test(start_paused = true)]
async fn run_with_a_token_that_is_cancelled_already_stops_nobody() {
    let runtime = TestRuntime::new();
    let stub = plugin(&runtime).build().expect("sound");
    let token = CancellationToken::new();
    token.cancel();
    assert!(soon("run", stub.run(&token)).await.is_ok());
    assert_eq!((stub.phase(), runtime.connections()), (Phase::Idle, 0));
    soon("start", stub.start()).await.expect("started");
    assert!(soon("run", stub.run(&token)).await.is_ok());
    assert_eq!(stub.phase(), Phase::Serving, "another has started it");
    end(stub, runtime).await;
}

/// A socket that says whether it is open.
struct Counted {
    io: DuplexStream,
    _open: Arc<()>,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Two registrations of one plugin break containers: the second connection is opened once the first is closed.
#[tokio::test(start_paused = true)]
async fn the_old_socket_is_closed_before_a_new_one_is_opened() {
    let (open, dials) = (Arc::new(()), Arc::new(Mutex::new(Vec::new())));
    let (at_dial, noted) = (Arc::downgrade(&open), Arc::clone(&dials));
    let stub = Stub::builder("logger", 10)
        .on_create_container(async |_, _, _| Ok(Adjustment::new()))
        .clock(clock())
        .dialer(move || {
            let (ours, theirs) = duplex(1 << 10);
            let open = at_dial.upgrade().expect("the test has it");
            noted.lock().expect("no panic").push((Arc::strong_count(&open) - 2, theirs));
            async { Ok(Connection::new(Counted { io: ours, _open: open })) }
        })
        .build()
        .expect("sound");
    for _ in 0..10 {
        let (started, stopped) = soon("both", async { tokio::join!(stub.start(), stub.stop()) }).await;
        assert!(matches!(started, Err(StartError::Stopped)), "{started:?}");
        assert!(stopped.expect("not its own task").is_clean());
        let timed_out = soon("start", stub.start()).await.expect_err("nobody answers");
        assert!(matches!(timed_out, StartError::NotRegistered { .. }), "{timed_out}");
    }
    let open_before: Vec<_> = dials.lock().expect("no panic").iter().map(|(open, _)| *open).collect();
    assert!(open_before.len() >= 10 && open_before.iter().all(|open| *open == 0), "{open_before:?}");
}

/// It was started, and whoever asked for it has gone without hearing of that: nobody would stop it.
#[tokio::test(start_paused = true)]
async fn a_start_that_is_dropped_with_its_answer_unread_stops_the_generation() {
    let runtime = TestRuntime::new();
    let ends = Ends::default();
    let stub = ends.noted_by(plugin(&runtime)).build().expect("sound");
    let mut start = Box::pin(stub.start());
    assert!(futures_util::poll!(start.as_mut()).is_pending());
    while stub.phase() != Phase::Serving {
        tokio::task::yield_now().await;
    }
    tokio::task::yield_now().await;
    drop(start);
    assert_eq!(soon("wait", stub.wait()).await.expect("it ended").cause, CloseCause::Stopped);
    assert!(soon("start", stub.start()).await.is_ok());
    end(stub, runtime).await;
}

/// However many callers start it at once: each of the two workers has one, and lets it go with the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn generations_are_numbered_without_gaps() {
    let runtime = TestRuntime::new();
    let stub = plugin(&runtime).clock(Clock::system()).build().expect("sound");
    let (callers, together) = (TaskSet::new("callers"), Arc::new(Barrier::new(2)));
    for generation in 1..=200 {
        let starts = [(); 2].map(|()| {
            let (stub, together) = (stub.clone(), Arc::clone(&together));
            let start = async move {
                together.wait();
                stub.start().await
            };
            callers.spawn_with_handle("start", start).expect("open")
        });
        let mut started = Vec::new();
        for start in starts {
            started.extend(start.await.expect("no panic").map(|started| started.generation).ok());
        }
        assert_eq!(started, [generation]);
        assert_eq!(stub.stop().await.expect("not its own task").stragglers().count(), 0);
    }
    let how = Shutdown::within(Duration::from_secs(50), Duration::from_secs(51));
    assert!(stub.terminate(&how).await.expect("not its own task").is_clean());
    assert!(callers.terminate(&how).await.expect("not its own task").is_clean());
}

/// Many callers at once: one generation at a time, and in the end nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_starts_and_stops_leaves_nothing() {
    let runtime = TestRuntime::new();
    let stub = plugin(&runtime).clock(Clock::system()).build().expect("sound");
    let callers = TaskSet::new("callers");
    for caller in 0..8 {
        let stub = stub.clone();
        let storm = async move {
            for round in 0..50 {
                if (caller + round) % 2 == 0 {
                    match stub.start().await {
                        Ok(_) | Err(StartError::AlreadyStarted { .. } | StartError::Stopped) => {}
                        Err(error) => panic!("{error}"),
                    }
                } else {
                    let report = stub.stop().await.expect("not its own task");
                    assert_eq!(report.stragglers().count(), 0, "{report}");
                }
            }
        };
        callers.spawn("caller", storm).expect("open");
    }
    let how = Shutdown::within(Duration::from_secs(50), Duration::from_secs(51));
    let report = callers.terminate(&how).await.expect("not its own task");
    assert!(report.is_clean(), "{report}");
    let report = stub.stop().await.expect("not its own task");
    assert_eq!((report.stragglers().count(), stub.phase()), (0, Phase::Idle));
    assert!(stub.start().await.is_ok());
    assert!(stub.terminate(&how).await.expect("not its own task").is_clean());
    assert!(matches!(stub.start().await, Err(StartError::Terminating)));
}
