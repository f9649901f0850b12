//! What the test is called that calls.

use std::thread;

/// The names that it may have, the best first.
///
/// The harness runs a test on a thread of that name, but on the main thread when it runs one at a time. A closure's
/// type is named after the function that it was written in: then that is the test, unless it was written elsewhere.
pub(super) fn guesses<F>() -> Vec<String> {
    let thread = thread::current();
    let of_thread = thread.name().filter(|name| *name != "main").map(str::to_owned);
    let mut names: Vec<String> = of_thread.into_iter().collect();
    if let Some(name) = of_type(std::any::type_name::<F>())
        && !names.contains(&name)
    {
        names.push(name);
    }
    names
}

/// `program::path::test::{{closure}}`: what the harness lists has no program's name.
fn of_type(text: &str) -> Option<String> {
    let (_, path) = text.split_once("::")?;
    let path = path.split("::{{closure}}").next()?;
    (!path.is_empty()).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_of<F>(_: &F) -> Vec<String> {
        guesses::<F>()
    }

    #[test]
    fn a_test_is_found_by_its_thread_and_by_its_closure() {
        let expected = "leak_check::leak_test::name::tests::a_test_is_found_by_its_thread_and_by_its_closure";
        assert_eq!(names_of(&|| ()), [expected]);
        #[expect(clippy::disallowed_methods, reason = "joined here")]
        let elsewhere = thread::Builder::new().name("elsewhere".to_owned()).spawn(|| names_of(&|| ())).unwrap();
        assert_eq!(elsewhere.join().unwrap(), ["elsewhere", expected]);
    }

    #[test]
    fn a_type_that_names_no_test_gives_none() {
        assert_eq!(of_type("fn()"), None);
        assert_eq!(of_type("it::a::b::{{closure}}::{{closure}}").as_deref(), Some("a::b"));
    }
}
