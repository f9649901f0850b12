//! How a leak test finds its process, and what becomes of one that does not get to its end.

use std::process::Command;
use std::time::Duration;

use landfall_lifecycle::leak_check::{LeakTest, LeakTestFailure, leak_test};

#[test]
fn a_body_that_panics_fails_the_test_with_what_it_printed() {
    let failure = LeakTest::new().try_run(|_| async {
        println!("printed before");
        panic!("on purpose");
    });
    let Err(LeakTestFailure::Panicked { message, output }) = failure else { panic!("{failure:?}") };
    assert_eq!(message, "on purpose");
    // What the harness says before stands on the same line, and is not what the test printed.
    assert_eq!(output.as_str().lines().next(), Some("printed before"), "{output}");
}

#[test]
fn a_body_that_exits_fails_the_test() {
    let failure = LeakTest::new().try_run(|_| async { std::process::exit(3) });
    let Err(LeakTestFailure::Died { status, .. }) = failure else { panic!("{failure:?}") };
    assert_eq!(status.code(), Some(3));
}

/// A test of its own: in the process of a second call the first one passes, and what it has to fail with is missed.
#[test]
fn a_body_that_exits_with_success_fails_the_test_too() {
    let failure = LeakTest::new().try_run(|_| async { std::process::exit(0) }).unwrap_err();
    assert!(matches!(&failure, LeakTestFailure::Died { status, .. } if status.success()), "{failure:?}");
    assert!(!failure.to_string().contains("what the test printed"), "it printed nothing: {failure}");
}

#[test]
fn a_body_without_an_end_is_killed_at_its_limit() {
    let test = LeakTest::new().limit(Duration::from_millis(300));
    let failure = test.try_run(|_| async {
        println!("{}", std::process::id());
        std::future::pending().await
    });
    let Err(LeakTestFailure::TimedOut { limit, output }) = failure else { panic!("{failure:?}") };
    assert_eq!(limit, Duration::from_millis(300));
    let id = output.as_str().lines().find_map(|line| line.parse::<u32>().ok());
    // On a busy machine it may not have got to say it.
    if let Some(id) = id {
        assert!(!std::path::Path::new(&format!("/proc/{id}")).exists(), "it lives on");
    }
}

#[test]
fn a_test_that_cannot_be_found_says_what_to_do() {
    let failure = LeakTest::new().named("nobody::is_called_that").try_run(|_| async {}).unwrap_err();
    assert!(matches!(failure, LeakTestFailure::NotFound { .. }), "{failure:?}");
    let text = failure.to_string();
    assert!(text.contains("\"nobody::is_called_that\"") && text.contains("LeakTest::named"), "{text}");
}

#[test]
fn a_thread_of_another_name_is_gone_around() {
    let run = || leak_test(|_| async {});
    #[expect(clippy::disallowed_methods, reason = "joined here")]
    let thread = std::thread::Builder::new().name("elsewhere".to_owned()).spawn(run).unwrap();
    thread.join().unwrap();
}

#[tokio::test]
async fn inside_of_a_runtime_it_is_refused() {
    let failure = LeakTest::new().try_run(|_| async {});
    assert!(matches!(failure, Err(LeakTestFailure::InRuntime)), "{failure:?}");
}

#[test]
fn absurd_options_are_cut_or_told() {
    let longest = Duration::MAX;
    LeakTest::new().settle(longest).limit(longest).grace(longest, longest).run(|_| async {});
    let failure = LeakTest::new().workers(usize::MAX).try_run(|_| async {});
    let Err(LeakTestFailure::SetUp { message }) = failure else { panic!("{failure:?}") };
    assert!(message.contains("its runtime cannot be built"), "{message}");
}

/// One test at a time runs on the main thread, which is called `main`.
#[test]
fn one_test_at_a_time_is_found_too() {
    for (name, passed) in [("quiet::an_empty_test", true), ("faults::the_test_fails_with_the_table", true)] {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let done = command.args([name, "--exact", "--test-threads=1"]).output().unwrap();
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        assert_eq!(done.status.success(), passed, "{text}");
        assert!(text.contains("1 passed"), "{text}");
    }
}

/// Each call has a process of its own, in which those before it are passed over and count as passed.
#[test]
fn a_test_may_have_several() {
    leak_test(|_| async {});
    let second = LeakTest::new().try_run(|_| async { panic!("second") });
    let third = LeakTest::new().try_run(|_| async { panic!("third") });
    for (failure, expected) in [(second, "second"), (third, "third")] {
        assert!(
            matches!(&failure, Err(LeakTestFailure::Panicked { message, .. }) if message == expected),
            "{failure:?}"
        );
    }
}
