//! No answer, an empty one, or a bad one: the last set stays, and the next good answer is taken.

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use landfall_pool::Resolver;

use super::server::{Script, Server, address, srv};
use super::{SERVICE, addresses, impatient, next, quick, service, stays, until_set};
use crate::harness::on_both;

fn good(host: &str) -> [hickory_proto::rr::Record; 2] {
    [srv(SERVICE, 0, (0, 1, 5432), "one.example"), address("one.example", 0, host)]
}

/// The times to live of 0 are over many times while the server answers like this.
#[track_caller]
fn check(trouble: impl Fn(&Server)) {
    on_both(|| async {
        let server = Server::start().await;
        server.set(good("127.0.0.1"));
        // In trouble it may be waited for; otherwise it has the time that it needs.
        let mut policy = impatient();
        policy.rounds = 3;
        let mut resolver = service(&[&server]).policy(policy).build().unwrap();
        assert_eq!(addresses(&mut resolver).await, ["127.0.0.1:5432"]);
        trouble(&server);
        stays(&mut resolver, server.asked_again(SERVICE, RecordType::SRV, 5)).await;
        server.script(Script::Truly);
        server.set(good("127.0.0.2"));
        until_set(&mut resolver, &["127.0.0.2:5432"]).await;
        server.end().await;
    });
}

#[test]
fn an_outage_longer_than_the_time_to_live_costs_nothing() {
    check(|server| server.script(Script::Never));
}

#[test]
fn server_failures_cost_nothing() {
    check(|server| server.script(Script::Code(ResponseCode::ServFail)));
}

#[test]
fn refusals_cost_nothing() {
    check(|server| server.script(Script::Code(ResponseCode::Refused)));
}

#[test]
fn that_the_name_does_not_exist_costs_nothing() {
    check(|server| server.script(Script::Code(ResponseCode::NXDomain)));
}

#[test]
fn an_empty_answer_costs_nothing() {
    check(|server| server.set([address(SERVICE, 0, "127.0.0.9")]));
}

#[test]
fn a_service_whose_targets_have_no_addresses_costs_nothing() {
    check(|server| server.set([srv(SERVICE, 0, (0, 1, 5432), "two.example")]));
}

/// qorb: the set became empty at once.
#[test]
fn while_addresses_fail_the_last_ones_stay_and_other_targets_are_followed() {
    on_both(|| async {
        let server = Server::start().await;
        server.set(good("127.0.0.1"));
        let mut resolver = service(&[&server]).build().unwrap();
        assert_eq!(addresses(&mut resolver).await, ["127.0.0.1:5432"]);
        for kind in [RecordType::A, RecordType::AAAA] {
            server.script_for("one.example", kind, Script::Code(ResponseCode::ServFail));
        }
        server.set(good("127.0.0.3"));
        stays(&mut resolver, server.asked_again("one.example", RecordType::A, 5)).await;
        let two = [srv(SERVICE, 0, (0, 1, 5432), "two.example"), address("two.example", 0, "127.0.0.2")];
        server.set(good("127.0.0.3").into_iter().chain(two));
        assert_eq!(addresses(&mut resolver).await, ["127.0.0.1:5432", "127.0.0.2:5432"]);
        server.end().await;
    });
}

#[test]
fn at_first_nothing_is_said_while_nobody_answers_and_an_empty_set_if_there_is_nothing() {
    on_both(|| async {
        let server = Server::start().await;
        server.script(Script::Code(ResponseCode::ServFail));
        let mut resolver = service(&[&server]).build().unwrap();
        stays(&mut resolver, server.asked_again(SERVICE, RecordType::SRV, 5)).await;
        // Services are found, and then nobody knows where they are.
        server.set(good("127.0.0.1"));
        server.script_for(SERVICE, RecordType::SRV, Script::Truly);
        stays(&mut resolver, server.asked_again("one.example", RecordType::A, 5)).await;
        server.script(Script::Truly);
        server.script_for("one.example", RecordType::A, Script::Code(ResponseCode::NXDomain));
        assert_eq!(next(&mut resolver).await, []);
        server.script_for("one.example", RecordType::A, Script::Truly);
        assert_eq!(addresses(&mut resolver).await, ["127.0.0.1:5432"]);
        server.end().await;
    });
}

/// What one target waits for does not hold up the others.
#[test]
fn a_target_that_nobody_answers_for_delays_no_other_and_removes_nothing_early() {
    on_both(|| async {
        let server = Server::start().await;
        server.set(good("127.0.0.1"));
        let mut policy = quick();
        policy.server_timeout = std::time::Duration::from_secs(3_600);
        policy.lookup_timeout = policy.server_timeout;
        let mut resolver = service(&[&server]).policy(policy).build().unwrap();
        assert_eq!(addresses(&mut resolver).await, ["127.0.0.1:5432"]);
        for kind in [RecordType::A, RecordType::AAAA] {
            server.script_for("mute.example", kind, Script::Never);
        }
        server.set([
            srv(SERVICE, 0, (0, 1, 5432), "mute.example"),
            srv(SERVICE, 0, (0, 1, 5432), "two.example"),
            address("two.example", 0, "127.0.0.2"),
        ]);
        // The first one is no longer a target, and stays until all of the new ones have been answered.
        assert_eq!(addresses(&mut resolver).await, ["127.0.0.1:5432", "127.0.0.2:5432"]);
        stays(&mut resolver, server.asked_again("two.example", RecordType::A, 5)).await;
        server.end().await;
    });
}

/// A future that is dropped at any poll loses nothing of what the resolver has under way.
#[test]
fn next_can_be_dropped_at_every_poll() {
    on_both(|| async {
        let server = Server::start().await;
        let set_up = async || {
            server.set(good("127.0.0.1"));
            service(&[&server]).build().unwrap()
        };
        landfall_lifecycle::testing::cancel_at_every_poll_on(
            set_up,
            async |resolver: &mut landfall_pool::dns::DnsResolver| resolver.next().await.unwrap(),
        )
        .spurious()
        // With two workers the answers may be there before the second look within a poll.
        .ready_at_once()
        .check(async |mut resolver, _| {
            server.set(good("127.0.0.2"));
            until_set(&mut resolver, &["127.0.0.2:5432"]).await;
        })
        .await;
        server.end().await;
    });
}
