//! What is found: records of each kind, their ranks, aliases, large answers, and what changes.

use hickory_proto::rr::RecordType;
use landfall_pool::dns::{Families, Transport};

use super::server::{Script, Server, address, alias, srv};
use super::{SERVICE, addresses, backend, host, next, quick, service, stays, until_set};
use crate::harness::{SECOND, on_both};

#[test]
fn every_address_of_every_target_is_a_backend_with_its_rank() {
    on_both(|| async {
        let server = Server::start().await;
        server.set([
            srv(SERVICE, 3_600, (0, 30, 5432), "one.example"),
            srv(SERVICE, 3_600, (0, 0, 5432), "two.example"),
            srv(SERVICE, 3_600, (7, 0, 5433), "ONE.example"),
            address("one.example", 3_600, "127.0.0.1"),
            address("one.example", 3_600, "127.0.0.2"),
            address("one.example", 3_600, "::1"),
            address("two.example", 3_600, "127.0.0.3"),
        ]);
        let mut resolver = service(&[&server]).build().unwrap();
        let expected = [
            backend("one.example", "127.0.0.1:5432").ranked(0, 480),
            backend("one.example", "127.0.0.1:5433").ranked(7, 1),
            backend("one.example", "127.0.0.2:5432").ranked(0, 480),
            backend("one.example", "127.0.0.2:5433").ranked(7, 1),
            backend("two.example", "127.0.0.3:5432").ranked(0, 1),
            backend("one.example", "[::1]:5432").ranked(0, 480),
            backend("one.example", "[::1]:5433").ranked(7, 1),
        ];
        let mut set = next(&mut resolver).await;
        while set.len() < expected.len() {
            set = next(&mut resolver).await;
        }
        assert_eq!(set, expected);
        let asked = ["one.example", "two.example"].map(|name| server.asked(name, RecordType::A));
        assert_eq!((server.asked(SERVICE, RecordType::SRV), asked), (1, [1, 1]));
        server.end().await;
    });
}

#[test]
fn only_the_families_that_are_wanted_are_asked_for() {
    on_both(|| async {
        let server = Server::start().await;
        server.set([address("db.example", 3_600, "127.0.0.1"), address("db.example", 3_600, "::1")]);
        for (families, expected) in [(Families::Ipv4, "127.0.0.1:5432"), (Families::Ipv6, "[::1]:5432")] {
            let mut policy = quick();
            policy.families = families;
            let mut resolver = host(&[&server]).policy(policy).build().unwrap();
            assert_eq!(addresses(&mut resolver).await, [expected]);
        }
        assert_eq!((server.asked("db.example", RecordType::A), server.asked("db.example", RecordType::AAAA)), (1, 1));
        server.end().await;
    });
}

#[test]
fn records_that_nothing_can_be_reached_by_are_left_out() {
    on_both(|| async {
        let server = Server::start().await;
        server.set([
            srv(SERVICE, 3_600, (0, 1, 0), "port.example"),
            srv(SERVICE, 3_600, (0, 1, 5432), "."),
            srv(SERVICE, 3_600, (0, 1, 5432), "good.example"),
            address("port.example", 3_600, "127.0.0.1"),
            address("good.example", 3_600, "127.0.0.2"),
            address("good.example", 3_600, "0.0.0.0"),
            address("good.example", 3_600, "224.0.0.1"),
        ]);
        let mut resolver = service(&[&server]).build().unwrap();
        assert_eq!(addresses(&mut resolver).await, ["127.0.0.2:5432"]);
        assert_eq!(server.asked("port.example", RecordType::A), 0);
        server.end().await;
    });
}

/// RFC 2782: a target that is the root says that there is no such service here.
#[test]
fn that_there_is_no_such_service_is_an_empty_set_at_first() {
    on_both(|| async {
        let server = Server::start().await;
        server.set([srv(SERVICE, 0, (0, 0, 0), ".")]);
        let mut resolver = service(&[&server]).build().unwrap();
        assert_eq!(next(&mut resolver).await, []);
        server.set([srv(SERVICE, 0, (0, 1, 5432), "one.example"), address("one.example", 0, "127.0.0.1")]);
        assert_eq!(addresses(&mut resolver).await, ["127.0.0.1:5432"]);
        server.end().await;
    });
}

#[test]
fn aliases_are_followed_within_an_answer_and_from_one_to_the_next() {
    on_both(|| async {
        let server = Server::start().await;
        server.set([
            alias("db.example", 3_600, "a.example"),
            alias("a.example", 3_600, "b.example"),
            address("b.example", 3_600, "127.0.0.1"),
        ]);
        let mut resolver = host(&[&server]).build().unwrap();
        assert_eq!(addresses(&mut resolver).await, ["127.0.0.1:5432"]);
        assert_eq!(server.asked("b.example", RecordType::A), 0);

        // One that points at itself ends somewhere, and is no address.
        server.set([alias("db.example", 0, "a.example"), alias("a.example", 0, "db.example")]);
        let mut resolver = host(&[&server]).build().unwrap();
        assert_eq!(next(&mut resolver).await, []);
        server.end().await;
    });
}

#[test]
fn an_address_that_changes_under_the_same_name_is_followed() {
    on_both(|| async {
        let server = Server::start().await;
        server.set([srv(SERVICE, 3_600, (0, 1, 5432), "one.example"), address("one.example", 0, "127.0.0.1")]);
        let mut resolver = service(&[&server]).build().unwrap();
        assert_eq!(addresses(&mut resolver).await, ["127.0.0.1:5432"]);
        server.set([srv(SERVICE, 3_600, (0, 1, 5432), "one.example"), address("one.example", 0, "127.0.0.2")]);
        // What has gone goes once all that was asked has been answered.
        until_set(&mut resolver, &["127.0.0.2:5432"]).await;
        assert_eq!(server.asked(SERVICE, RecordType::SRV), 1, "it holds for an hour");
        server.end().await;
    });
}

#[test]
fn a_family_that_has_gone_is_believed_while_the_other_is_there() {
    on_both(|| async {
        let server = Server::start().await;
        server.set([address("db.example", 0, "127.0.0.1"), address("db.example", 0, "::1")]);
        let mut resolver = host(&[&server]).build().unwrap();
        until_set(&mut resolver, &["127.0.0.1:5432", "[::1]:5432"]).await;
        server.set([address("db.example", 0, "::1")]);
        until_set(&mut resolver, &["[::1]:5432"]).await;
        server.end().await;
    });
}

/// Asked again at its pace, not in a loop.
#[test]
fn a_time_to_live_of_zero_is_held_to_the_least() {
    on_both(|| async {
        let server = Server::start().await;
        let other = [srv(SERVICE, 0, (0, 1, 1), "one.example"), address("one.example", 0, "127.0.0.2")];
        server.set(other.into_iter().chain([address("db.example", 0, "127.0.0.1")]));
        let mut policy = quick();
        policy.ttl_min = std::time::Duration::from_secs(3_600);
        let mut patient = host(&[&server]).policy(policy).build().unwrap();
        assert_eq!(addresses(&mut patient).await, ["127.0.0.1:5432"]);
        let mut other = service(&[&server]).build().unwrap();
        assert_eq!(addresses(&mut other).await, ["127.0.0.2:1"]);
        // In the time in which another one asks twenty times.
        stays(&mut patient, stays(&mut other, server.asked_again(SERVICE, RecordType::SRV, 20))).await;
        assert_eq!(server.asked("db.example", RecordType::A), 1);
        server.end().await;
    });
}

#[test]
fn what_does_not_fit_is_asked_for_over_tcp() {
    on_both(|| async {
        let server = Server::start().await;
        server.script(Script::Truncates);
        server.set((1..=50).map(|number| address("db.example", 3_600, &format!("127.0.1.{number}"))));
        let mut resolver = host(&[&server]).build().unwrap();
        let found = addresses(&mut resolver).await;
        assert_eq!((found.len(), server.asked_over_tcp() > 0), (50, true));

        server.end().await;

        let server = Server::start().await;
        server.set([address("db.example", 3_600, "127.0.0.1")]);
        let mut policy = quick();
        policy.transport = Transport::Tcp;
        let mut resolver = host(&[&server]).policy(policy).build().unwrap();
        assert_eq!(addresses(&mut resolver).await, ["127.0.0.1:5432"]);
        assert_eq!((server.asked_over_tcp() > 0, server.asked_over_udp()), (true, 0));
        server.end().await;
    });
}

#[test]
fn a_thousand_records_are_found_and_more_than_may_be_are_not() {
    on_both(|| async {
        let server = Server::start().await;
        let of = |number: u16| format!("t{number}.example");
        let services = (0..1_000).map(|number| srv(SERVICE, 3_600, (number, 1, 5432), &of(number)));
        let hosts = (0..1_000_u16).map(|number| {
            let [high, low] = number.to_be_bytes();
            address(&of(number), 3_600, &format!("127.1.{high}.{low}"))
        });
        server.set(services.chain(hosts));
        let mut policy = quick();
        policy.families = Families::Ipv4;
        let mut resolver = service(&[&server]).policy(policy.clone()).build().unwrap();
        while next(&mut resolver).await.len() < 1_000 {}
        assert!(server.asked_over_tcp() > 0);

        policy.backends_max = 10;
        let mut resolver = service(&[&server]).policy(policy).build().unwrap();
        let mut set = next(&mut resolver).await;
        while set.len() < 10 {
            set = next(&mut resolver).await;
        }
        assert!(set.iter().all(|backend| backend.priority < 10), "those of the lowest numbers: {set:?}");
        server.end().await;
    });
}

/// Targets come and go all the time, and of each new set one is never answered for: what has gone stays until all have
/// been, but no more of it than there is room for.
#[test]
fn what_may_have_gone_takes_no_more_room_than_there_is() {
    on_both(|| async {
        let server = Server::start().await;
        let mut policy = quick();
        (policy.families, policy.backends_max) = (Families::Ipv4, 10);
        (policy.server_timeout, policy.lookup_timeout) = (SECOND * 3_600, SECOND * 3_600);
        let mut resolver = service(&[&server]).policy(policy).build().unwrap();
        for round in 0..5 {
            let (of, mute) = (|number: u16| format!("t{number}.r{round}.example"), format!("mute.r{round}.example"));
            server.script_for(&mute, RecordType::A, Script::Never);
            let hosts = (0..9).map(|number| address(&of(number), 3_600, &format!("127.0.{round}.{}", number + 1)));
            let services = (0..9).map(|number| srv(SERVICE, 0, (number, 1, 5432), &of(number)));
            server.set(services.chain([srv(SERVICE, 0, (99, 1, 5432), &mute)]).chain(hosts));
            let is_new = |set: &[landfall_pool::Backend]| {
                let beginning = format!("127.0.{round}.");
                set.iter().filter(|it| it.address.to_string().starts_with(&beginning)).count() == 9
            };
            let mut set = next(&mut resolver).await;
            while !is_new(&set) {
                assert!(set.len() <= 10, "{} backends", set.len());
                set = next(&mut resolver).await;
            }
            assert_eq!(set.len(), if round == 0 { 9 } else { 10 });
        }
        server.end().await;
    });
}
