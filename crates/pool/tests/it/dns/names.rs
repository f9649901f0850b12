//! What can be asked for, and what is refused when a resolver is built; names that are looked for in several places.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use landfall_pool::Resolver;
use landfall_pool::dns::{DnsBuilder, DnsPolicy, DnsResolver, Hosts, ResolvConf};

use super::server::{Script, Server, address, srv};
use super::{addresses, backend, quick, stays, with};
use crate::harness::on_both;

#[track_caller]
fn refused(builder: DnsBuilder, message: &str) {
    assert_eq!(builder.build().unwrap_err().to_string(), message);
}

#[test]
fn what_cannot_be_asked_for_is_refused_by_name() {
    let server: SocketAddr = "127.0.0.1:53".parse().unwrap();
    let service = |name: &str| DnsResolver::service(name).servers([server]);
    refused(service(""), "service \"\" cannot be looked up: it is empty");
    refused(
        DnsResolver::host("10.0.0.1", 5432).servers([server]),
        "host \"10.0.0.1\" cannot be looked up: an address is no name: use a FixedResolver",
    );
    refused(
        DnsResolver::host("db.example", 0).servers([server]),
        "host \"db.example\" has port 0, at which nothing can be reached",
    );
    refused(
        service("_pg._tcp.example").discover_servers("two words"),
        "servers \"two words\" cannot be looked up: it has a space or a control character in it",
    );
    refused(
        DnsResolver::service("_pg._tcp.example"),
        "there is no name server to ask for \"_pg._tcp.example\": give the builder one",
    );
    for bad in ["127.0.0.1:0", "0.0.0.0:53", "224.0.0.251:5353"] {
        let error = service("_pg._tcp.example").servers([bad.parse().unwrap()]).build().unwrap_err();
        assert!(error.to_string().starts_with(&format!("name server {bad} cannot be asked")), "{error}");
    }
    refused(
        DnsResolver::service("a.example").servers((1..=65).map(|port| SocketAddr::from(([127, 0, 0, 1], port)))),
        "65 name servers were given; at most 64 may be",
    );
    let mut policy = DnsPolicy::default();
    policy.ttl_max = Duration::ZERO;
    refused(service("a.example").policy(policy), "policy field ttl_max is 0ns; allowed: 1s to 86400s");
    let mut policy = DnsPolicy::default();
    policy.bytes_max = 7;
    refused(service("a.example").policy(policy), "policy field bytes_max is 7; allowed: 65536 to 1073741824");
}

#[test]
fn a_plain_name_is_looked_for_in_the_search_list() {
    on_both(|| async {
        let server = Server::start().await;
        server.set([
            srv("_pg._tcp.db.two.example", 3_600, (0, 1, 5432), "host.example"),
            address("host.example", 3_600, "127.0.0.1"),
        ]);
        let mut conf = ResolvConf::parse("search one.example two.example\noptions ndots:5\n");
        conf.servers = vec![server.address];
        let mut resolver =
            DnsResolver::service("_pg._tcp.db").resolv_conf(conf.clone()).policy(quick()).build().unwrap();
        assert_eq!(addresses(&mut resolver).await, ["127.0.0.1:5432"]);
        assert_eq!(server.asked("_pg._tcp.db.one.example", RecordType::SRV), 1);
        assert_eq!(server.asked("host.example.one.example", RecordType::A), 0, "targets are whole names");

        let mut resolver = DnsResolver::service("_pg._tcp.db.").resolv_conf(conf).policy(quick()).build().unwrap();
        assert_eq!(resolver.next().await, Some(vec![]), "a dot at its end makes it whole");
        server.end().await;
    });
}

/// It may be another service that is found there.
#[test]
fn where_nobody_answers_the_next_name_of_the_list_is_not_tried() {
    on_both(|| async {
        let server = Server::start().await;
        server.set([address("db.two.example", 3_600, "127.0.0.1"), address("db.one.example", 3_600, "127.0.0.2")]);
        for kind in [RecordType::A, RecordType::AAAA] {
            server.script_for("db.one.example", kind, Script::Code(ResponseCode::ServFail));
        }
        let mut conf = ResolvConf::parse("search one.example two.example\n");
        conf.servers = vec![server.address];
        let mut resolver = DnsResolver::host("db", 1).resolv_conf(conf).policy(quick()).build().unwrap();
        stays(&mut resolver, server.asked_again("db.one.example", RecordType::A, 5)).await;
        assert_eq!(server.asked("db.two.example", RecordType::A), 0);
        for kind in [RecordType::A, RecordType::AAAA] {
            server.script_for("db.one.example", kind, Script::Truly);
        }
        assert_eq!(addresses(&mut resolver).await, ["127.0.0.2:1"]);
        server.end().await;
    });
}

#[test]
fn a_host_in_the_list_of_hosts_is_not_asked_for() {
    on_both(|| async {
        let server = Server::start().await;
        let hosts = Hosts::parse("127.0.0.7 db\n::7 DB\n");
        let builder = with(DnsResolver::host("Db.", 5432), &[&server]).hosts(hosts.clone());
        let mut resolver = builder.build().unwrap();
        let expected = [backend("db", "127.0.0.7:5432"), backend("db", "[::7]:5432")];
        assert_eq!(resolver.next().await, Some(expected.to_vec()));
        assert_eq!((resolver.next().await, server.asked_in_all()), (None, 0));

        server.set([address("other", 3_600, "127.0.0.8")]);
        let mut resolver = with(DnsResolver::host("other", 5432), &[&server]).hosts(hosts).build().unwrap();
        assert_eq!(addresses(&mut resolver).await, ["127.0.0.8:5432"]);
        server.end().await;
    });
}

#[test]
fn files_that_are_not_there_are_errors() {
    assert!(ResolvConf::read("/nowhere/resolv.conf").is_err());
    assert!(Hosts::read("/nowhere/hosts").is_err());
}
