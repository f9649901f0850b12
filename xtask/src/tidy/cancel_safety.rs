//! Every public async function, and every one that gives a future, has a `# Cancel safety` section in its docs.

use super::finding::Finding;
use super::futures::of_products;
use super::signatures::doc_lines;
use super::tree::Tree;

const HEADING: &str = "# Cancel safety";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, future) in of_products(tree, &mut findings) {
        if !doc_lines(&future.attributes).iter().any(|line| line == HEADING) {
            let message = format!("`{}` gives a future or a stream, and its docs have no `{HEADING}`", future.name);
            findings.push(Finding::at(path, future.line, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::assert_found;
    use super::*;

    const PATH: &str = "crates/pool/src/pool.rs";

    fn found(text: &str) -> Vec<Finding> {
        check(&Tree::planted(&[(PATH, text)]))
    }

    #[test]
    fn a_public_async_function_without_the_heading_is_found() {
        let faults = [
            "pub async fn claim() {}",
            "impl Pool { pub async fn claim(&self) {} }",
            "impl Pool { pub fn claim(&self) -> impl Future<Output = ()> + Send { async {} } }",
            "pub fn claim() -> BoxFuture<'static, ()> { x }",
            "pub fn claim() -> Pin<Box<dyn Future<Output = ()> + Send>> { x }",
            "pub trait Pool { fn claim(&self) -> BoxFuture<'_, ()>; }",
            "pub trait Pool { async fn claim(&self); }",
            "mod inner { pub async fn claim() {} }",
            "/// Claims.\n/// About # Cancel safety.\npub async fn claim() {}",
        ];
        for fault in faults {
            let findings = found(fault);
            let line = fault.lines().count();
            assert_found(&findings, &format!("{PATH}:{line}"), "`claim`");
        }
    }

    #[test]
    fn what_has_the_heading_or_needs_none_passes() {
        let sound = [
            "/// Claims.\n///\n/// # Cancel safety\n///\n/// Cancel safe.\npub async fn claim() {}",
            "async fn claim() {}",
            "pub(crate) async fn claim() {}",
            "pub fn spawn<F: Future>(work: F) -> Task<F::Output> { x }",
            "impl Terminate for Pool { async fn terminate(&self) {} }",
            "trait Private { async fn claim(&self); }",
            "#[cfg(test)] mod tests { pub async fn claim() {} }",
        ];
        for text in sound {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn source_that_does_not_parse_is_found() {
        assert_found(&found("pub async fn"), &format!("{PATH}:1"), "does not parse");
    }
}
