//! Names as users write them, and the names that are asked for because of them.

use std::net::IpAddr;
use std::sync::Arc;

use hickory_proto::rr::Name;

use super::builder::DnsBuildError;
use super::resolv_conf::ResolvConf;

/// Reads a name.
pub(super) fn parse(part: &'static str, text: &str) -> Result<Name, DnsBuildError> {
    let bad = |why: &str| DnsBuildError::Name { part, name: text.to_owned(), why: why.to_owned() };
    if text.parse::<IpAddr>().is_ok() {
        return Err(bad("an address is no name: use a FixedResolver"));
    }
    let is_printable = text.chars().all(|letter| !letter.is_whitespace() && !letter.is_control());
    if !is_printable {
        return Err(bad("it has a space or a control character in it"));
    }
    let name = if text.is_ascii() { Name::from_ascii(text) } else { Name::from_str_relaxed(text) };
    let name = name.map_err(|error| bad(&error.to_string()))?.to_lowercase();
    if name.is_root() || name.num_labels() == 0 {
        return Err(bad("it is empty"));
    }
    Ok(name)
}

/// The names to be asked for, in order, each of them absolute.
///
/// resolv.conf(5): a name with a dot at its end is asked for as it is. With a search list one with fewer dots than
/// `ndots` is looked for in its domains first, any other as it is first.
pub(super) fn candidates(name: Name, conf: Option<&ResolvConf>) -> Arc<[Name]> {
    let mut absolute = name.clone();
    absolute.set_fqdn(true);
    let Some(conf) = conf.filter(|_| !name.is_fqdn()) else { return Arc::from([absolute]) };
    // A domain that makes it too long is passed over.
    let domains = conf.search.iter().filter_map(|domain| Name::from_ascii(domain).ok());
    let found = domains.filter_map(|domain| name.clone().append_domain(&domain).ok());
    let mut names: Vec<Name> = found.map(|name| name.to_lowercase()).collect();
    let dots = usize::from(name.num_labels()) - 1;
    let at = if dots >= conf.ndots.into() { 0 } else { names.len() };
    names.insert(at, absolute);
    names.into()
}

/// A name as it is shown: without the dot at its end.
pub(super) fn shown(name: &Name) -> String {
    let mut text = name.to_ascii();
    if text.ends_with('.') {
        text.pop();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, why: &str) {
        let error = parse("host", text).expect_err(text).to_string();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn names_that_do_not_parse_are_refused() {
        refused("", "empty");
        refused(".", "empty");
        refused("a..b", "cannot be looked up");
        refused("127.0.0.1", "FixedResolver");
        refused("::1", "FixedResolver");
        refused("two words", "space");
        refused("line\n", "space");
        refused(&"a".repeat(64), "63");
        refused(&"abcdefgh.".repeat(32), "255");
        for good in ["_pg._tcp.db.example.com", "localhost", "xn--mnchen-3ya.de", "münchen.de", "a-b.c_d.e."] {
            assert!(parse("host", good).is_ok(), "{good}");
        }
    }

    #[track_caller]
    fn check(name: &str, ndots: u8, expected: &[&str]) {
        let mut conf = ResolvConf::default();
        (conf.search, conf.ndots) = (vec!["ns.cluster.local".into(), "cluster.local".into()], ndots);
        let found = candidates(parse("host", name).unwrap(), Some(&conf));
        assert_eq!(found.iter().map(Name::to_ascii).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn plain_names_are_looked_for_in_the_search_list() {
        check("db", 1, &["db.ns.cluster.local.", "db.cluster.local.", "db."]);
        check("db.other", 1, &["db.other.", "db.other.ns.cluster.local.", "db.other.cluster.local."]);
        check("db.other", 5, &["db.other.ns.cluster.local.", "db.other.cluster.local.", "db.other."]);
        check("db.", 5, &["db."]);
        let alone = candidates(parse("host", "db").unwrap(), None);
        assert_eq!(alone[..], [Name::from_ascii("db.").unwrap()]);
    }
}
