//! Several name servers: who is asked when one fails, when they do not agree, and those that are discovered.

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Record, RecordType};

use super::server::{Script, Server, address, srv};
use super::{SERVICE, addresses, host, impatient, next, quick, service, stays, until_set};
use crate::harness::on_both;

const SERVERS: &str = "_dns._udp.example";

#[test]
fn the_next_one_is_asked_where_one_fails_and_is_asked_first_from_then_on() {
    on_both(|| async {
        let (fails, works) = (Server::start().await, Server::start().await);
        fails.script(Script::Code(ResponseCode::ServFail));
        works.set([address("db.example", 0, "127.0.0.1")]);
        let mut resolver = host(&[&fails, &works]).build().unwrap();
        assert_eq!(addresses(&mut resolver).await, ["127.0.0.1:5432"]);
        works.asked_again("db.example", RecordType::A, 0).await;
        let before = fails.asked_in_all();
        stays(&mut resolver, works.asked_again("db.example", RecordType::A, 10)).await;
        // Both of the questions may have been under way when the first of them failed.
        assert!(fails.asked_in_all() <= before + 1, "{} times more", fails.asked_in_all() - before);
        fails.end().await;
        works.end().await;
    });
}

#[test]
fn one_that_is_not_there_costs_nothing_but_the_others_answer() {
    on_both(|| async {
        let works = Server::start().await;
        works.set([address("db.example", 3_600, "127.0.0.1")]);
        let gone = Server::start().await;
        gone.end().await;
        let mut policy = quick();
        // Refused at once by the kernel: nothing is waited for.
        policy.server_timeout = std::time::Duration::from_secs(3_600);
        policy.lookup_timeout = policy.server_timeout;
        let mut resolver = host(&[&gone, &works]).policy(policy).build().unwrap();
        assert_eq!(addresses(&mut resolver).await, ["127.0.0.1:5432"]);
        works.end().await;
    });
}

#[test]
fn that_a_name_does_not_exist_is_believed_if_no_other_knows_better() {
    on_both(|| async {
        let (unaware, aware) = (Server::start().await, Server::start().await);
        aware.set([srv(SERVICE, 3_600, (0, 1, 5432), "one.example"), address("one.example", 3_600, "127.0.0.1")]);
        let mut resolver = service(&[&unaware, &aware]).build().unwrap();
        assert_eq!(addresses(&mut resolver).await, ["127.0.0.1:5432"]);
        assert_eq!(unaware.asked(SERVICE, RecordType::SRV), 1);

        // Of two that do not, one is silent: the answer of the other is all there is.
        let mut policy = impatient();
        policy.rounds = 10;
        aware.script(Script::Never);
        let mut resolver = service(&[&aware, &unaware]).policy(policy).build().unwrap();
        assert_eq!(next(&mut resolver).await, []);
        unaware.end().await;
        aware.end().await;
    });
}

/// Of the servers' own records, and of what they serve.
fn records(servers: &[&Server], host: &str) -> Vec<Record> {
    let listed = servers.iter().map(|server| srv(SERVERS, 0, (0, 1, server.address.port()), "ns.example"));
    let ns = address("ns.example", 0, "127.0.0.1");
    listed.chain([ns, srv(SERVICE, 0, (0, 1, 5432), "one.example"), address("one.example", 0, host)]).collect()
}

#[test]
fn servers_are_discovered_and_no_longer_asked_once_they_are_gone() {
    on_both(|| async {
        let (given, first, second) = (Server::start().await, Server::start().await, Server::start().await);
        for server in [&given, &first, &second] {
            server.set(records(&[&first], "127.0.0.1"));
        }
        let mut resolver = service(&[&given]).discover_servers(SERVERS).build().unwrap();
        assert_eq!(addresses(&mut resolver).await, ["127.0.0.1:5432"]);
        stays(&mut resolver, first.asked_again(SERVICE, RecordType::SRV, 3)).await;
        for server in [&given, &first, &second] {
            server.set(records(&[&second], "127.0.0.1"));
        }
        stays(&mut resolver, second.asked_again(SERVICE, RecordType::SRV, 3)).await;
        // Questions that were under way have been answered by now.
        let before = first.asked_in_all();
        stays(&mut resolver, second.asked_again(SERVICE, RecordType::SRV, 10)).await;
        assert_eq!(first.asked_in_all(), before, "it is no longer listed");

        // Those that were discovered go away: the given one finds what there is.
        second.script(Script::Code(ResponseCode::ServFail));
        given.set(records(&[], "127.0.0.2"));
        until_set(&mut resolver, &["127.0.0.2:5432"]).await;
        for server in [given, first, second] {
            server.end().await;
        }
    });
}
