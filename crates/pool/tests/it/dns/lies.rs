//! Servers that answer something else than was asked, or too late, or nonsense.

use hickory_proto::rr::RecordType;

use super::server::{LIE, Script, Server, address, srv};
use super::{SERVICE, addresses, host, impatient, next, service, stays};
use crate::harness::on_both;

/// A server that lies is as good as one that is silent: the next one is asked.
#[track_caller]
fn check(script: Script) {
    on_both(|| async move {
        let (liar, honest) = (Server::start().await, Server::start().await);
        liar.script(script);
        liar.set([address("db.example", 0, &LIE.to_string())]);
        honest.set([address("db.example", 0, "127.0.0.1")]);
        let mut policy = impatient();
        // The honest one may be slow on a busy machine; the set is found all the same.
        policy.rounds = 10;
        let mut resolver = host(&[&liar, &honest]).policy(policy).build().unwrap();
        assert_eq!(addresses(&mut resolver).await, ["127.0.0.1:5432"], "{script:?}");
        assert!(liar.asked("db.example", RecordType::A) > 0);
        stays(&mut resolver, honest.asked_again("db.example", RecordType::A, 3)).await;
        liar.end().await;
        honest.end().await;
    });
}

#[test]
fn another_id_is_no_answer() {
    check(Script::WrongId);
}

#[test]
fn an_answer_to_another_question_is_none() {
    check(Script::WrongQuestion);
}

#[test]
fn bytes_that_are_no_message_are_no_answer() {
    check(Script::Garbage);
}

#[test]
fn an_answer_that_comes_too_late_is_none() {
    check(Script::Late);
}

#[test]
fn records_of_other_names_are_passed_over() {
    on_both(|| async {
        let server = Server::start().await;
        server.script(Script::ForOthers);
        server.set([address("db.example", 3_600, "127.0.0.1")]);
        let mut resolver = host(&[&server]).build().unwrap();
        assert_eq!(addresses(&mut resolver).await, ["127.0.0.1:5432"]);
        // With nothing else in it such an answer is an empty one.
        server.set([srv("db.example", 0, (0, 1, 1), "x.example")]);
        let mut resolver = host(&[&server]).build().unwrap();
        assert_eq!(next(&mut resolver).await, []);
        server.end().await;
    });
}

#[test]
fn a_server_without_edns_is_asked_without() {
    on_both(|| async {
        let server = Server::start().await;
        server.script(Script::NoEdns);
        server.set([srv(SERVICE, 3_600, (0, 1, 5432), "one.example"), address("one.example", 3_600, "127.0.0.1")]);
        let mut resolver = service(&[&server]).build().unwrap();
        assert_eq!(addresses(&mut resolver).await, ["127.0.0.1:5432"]);
        assert_eq!(server.asked(SERVICE, RecordType::SRV), 2);
        server.end().await;
    });
}
