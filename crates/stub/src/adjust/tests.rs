//! Adjustments: what is set twice, what replaces, what is refused.

use super::*;
use crate::messages::{IoPrioClass, LinuxDevice};
use crate::resources::Resources;

fn message(adjustment: Adjustment) -> ContainerAdjustment {
    adjustment.into_message().expect("nothing is wrong with it")
}

#[track_caller]
fn refused(adjustment: Adjustment, says: &str) {
    let fault = adjustment.into_message().expect_err("must be refused").to_string();
    assert!(fault.contains(says), "`{fault}` does not say `{says}`");
}

#[test]
fn what_is_set_twice_counts_as_set_last_and_has_one_owner() {
    let mount = |source| Mount::bind(source, "/a");
    let device = |major| LinuxDevice::new("/dev/a", "c", major, 2);
    let adjust = |last: bool| {
        let value = if last { "2" } else { "1" };
        let adjustment = Adjustment::new().annotation("a", value).env("a", value).args([value]);
        let adjustment = adjustment.mount(mount(if last { "/2" } else { "/1" })).device(device(last.into()));
        let resources = Resources::new().hugepage_limit("2MB", 1).hugepage_limit("2MB", last.into());
        adjustment.rlimit("RLIMIT_CORE", 2, last.into()).cdi_device("a/b=c").resources(resources).sysctl("a", value)
    };
    let twice = adjust(false);
    let once = message(adjust(true));
    let mut joined = twice.annotation("a", "2").env("a", "2").args(["2"]).mount(mount("/2")).device(device(1));
    joined = joined.rlimit("RLIMIT_CORE", 2, 1).cdi_device("a/b=c").sysctl("a", "2");
    joined = joined.resources(Resources::new().hugepage_limit("2MB", 1));
    assert_eq!(message(joined), once);
    assert_eq!(once.env.len() + once.mounts.len() + once.rlimits.len() + once.cdi_devices.len(), 4);
}

#[test]
fn removing_and_setting_replaces_in_either_order() {
    let one = message(Adjustment::new().remove_env("A").env("A", "1").remove_annotation("k").annotation("k", "v"));
    assert_eq!(one.env.iter().map(|env| env.key.as_str()).collect::<Vec<_>>(), ["-A", "A"]);
    assert_eq!(one.annotations.keys().collect::<Vec<_>>(), ["-k", "k"]);
    let other = message(Adjustment::new().env("A", "1").remove_env("A"));
    assert_eq!(other.env.iter().map(|env| env.key.as_str()).collect::<Vec<_>>(), ["A", "-A"]);
}

#[test]
fn a_namespace_is_set_or_removed_never_both() {
    let kinds = |adjustment| {
        let namespaces = message(adjustment).linux.expect("there are some").namespaces;
        namespaces.into_iter().map(|namespace| namespace.r#type).collect::<Vec<_>>()
    };
    let adjustment = Adjustment::new().namespace("ipc", None).namespace("network", Some("/run/a"));
    assert_eq!(kinds(adjustment.clone().remove_namespace("network")), ["ipc", "-network"]);
    assert_eq!(kinds(adjustment.remove_namespace("ipc").namespace("ipc", None)), ["network", "ipc"]);
}

#[test]
fn hooks_add_up() {
    let hooks = |path: &str| Hooks { poststop: vec![Hook::new(path)], ..Hooks::default() };
    let both = message(Adjustment::new().hooks(hooks("/a")).hooks(hooks("/b"))).hooks.expect("there are some");
    assert_eq!(both.poststop, [Hook::new("/a"), Hook::new("/b")]);
}

#[test]
fn a_key_that_would_be_read_as_a_removal_is_refused() {
    refused(Adjustment::new().env("-PATH", "1"), "the name of a variable is `-PATH`, which a runtime reads as the rem");
    refused(Adjustment::new().annotation("-a", "1"), "removal of `a`");
    refused(Adjustment::new().mount(Mount::bind("/a", "-/a")), "removal of `/a`");
    refused(Adjustment::new().remove_sysctl("-a"), "removal of `a`");
    refused(Adjustment::new().net_device("-eth0", "eth0"), "removal of `eth0`");
    refused(Adjustment::new().namespace("-ipc", None), "removal of `ipc`");
    refused(Adjustment::new().remove_device("-/dev/a"), "removal of `/dev/a`");
}

#[test]
fn what_is_malformed_is_refused_with_what_it_must_be() {
    refused(Adjustment::new().env("A=B", "1"), "`A=B`, and must be without `=`");
    refused(Adjustment::new().env("", "1"), "the name of a variable is empty");
    refused(Adjustment::new().mount(Mount::bind("/a", "a")), "`a`, and must be an absolute path");
    refused(Adjustment::new().device(LinuxDevice::new("/dev/a", "x", 1, 2)), "one of c, b, p and u");
    refused(Adjustment::new().rlimit("NOFILE", 1, 1), "`RLIMIT_NOFILE`");
    refused(Adjustment::new().rlimit("RLIMIT_NOFILE", 1, 2), "the soft limit is `2`, and must be at most the hard");
    refused(Adjustment::new().cdi_device("gpu0"), "`vendor/class=name`");
    refused(Adjustment::new().cdi_device("vendor/=name"), "`vendor/class=name`");
    refused(Adjustment::new().oom_score_adj(1001), "is 1001, and must be from -1000 to 1000");
    refused(Adjustment::new().io_priority(IoPrioClass::IoprioClassBe, 8), "from 0 to 7");
    refused(Adjustment::new().cgroups_path(""), "the path of the control group is empty");
    refused(Adjustment::new().args(Vec::<String>::new()), "the program of the command line is empty");
    refused(Adjustment::new().resources(Resources::new().cpuset_cpus("")), "the set of processors is empty");
    refused(
        Adjustment::new().hooks(Hooks { prestart: vec![Hook::new("sh")], ..Hooks::default() }),
        "program of a hook",
    );
}

#[test]
fn the_first_fault_is_told() {
    refused(Adjustment::new().env("", "1").oom_score_adj(5000), "variable is empty");
}

#[test]
fn a_reply_has_no_adjustment_where_nothing_is_adjusted_and_never_updates_its_own_container() {
    assert_eq!(Adjustment::new().into_reply("a"), Ok(CreateContainerResponse::default()));
    let update = Update::new("b", Resources::new().cpu_shares(2));
    let reply = Adjustment::new().update(update.clone()).into_reply("a").expect("nothing is wrong with it");
    assert_eq!((reply.adjust, reply.update.len()), (None, 1));
    let fault = Adjustment::new().update(update).into_reply("b");
    assert_eq!(fault, Err(WishError::UpdatedWhileCreated { container: "b".to_owned() }));
}
