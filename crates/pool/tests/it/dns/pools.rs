//! A pool whose backends come from DNS: what it does with what changes, and its end in the midst of everything.

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Record, RecordType};
use landfall_lifecycle::Terminate;
use landfall_pool::dns::DnsResolver;
use landfall_pool::{ClaimError, Pool, WaitedFor};

use super::server::{Script, Server, address, srv};
use super::{SERVICE, host, quick, service};
use crate::fake::{Fake, Net};
use crate::harness::{MS, SECOND, assert_clean, end, long, on_both, plain, until};

/// The n-th backend of the fakes, as a target of its own.
fn target(number: u16) -> [Record; 2] {
    let of = format!("t{number}.example");
    [srv(SERVICE, 0, (0, 1, 10_000 + number), &of), address(&of, 0, "127.0.0.1")]
}

fn pool(net: &Net, resolver: DnsResolver) -> Pool<Fake> {
    let mut policy = plain(4);
    policy.claim_timeout = 60 * SECOND;
    Pool::builder("pool").resolver(resolver).connector(net.connector()).policy(policy).build().unwrap()
}

#[test]
fn what_is_no_longer_found_is_drained_and_not_cut() {
    on_both(|| async {
        let (server, net) = (Server::start().await, Net::default());
        server.set(target(1));
        let pool = pool(&net, service(&[&server]).build().unwrap());
        let (held, idle) = (pool.claim().await.unwrap(), pool.claim().await.unwrap());
        drop(idle);
        server.set(target(2));
        until(|| net.alive_at(1) == 1).await;
        let other = pool.claim().await.unwrap();
        assert_eq!((held.backend().name.as_ref(), other.backend().name.as_ref()), ("t1.example", "t2.example"));
        drop((held, other));
        until(|| net.alive_at(1) == 0).await;
        assert_eq!(net.alive_at(2), 1);
        end(&pool, &net).await;
        server.end().await;
    });
}

#[test]
fn claims_get_through_an_outage_longer_than_the_time_to_live() {
    on_both(|| async {
        let (server, net) = (Server::start().await, Net::default());
        server.set(target(1));
        let pool = pool(&net, service(&[&server]).build().unwrap());
        drop(pool.claim().await.unwrap());
        server.script(Script::Code(ResponseCode::ServFail));
        let outage = server.asked_again(SERVICE, RecordType::SRV, 10);
        tokio::pin!(outage);
        loop {
            tokio::select! {
                () = &mut outage => break,
                () = tokio::task::yield_now() => pool.claim().await.unwrap().discard(),
            }
        }
        drop(pool.claim().await.unwrap());
        end(&pool, &net).await;
        server.end().await;
    });
}

/// Each claim gets one or the other; however often the set flips, what is kept is what the last one has.
#[test]
fn a_set_that_flips_all_the_time_costs_no_claim() {
    on_both(|| async {
        let (server, net) = (Server::start().await, Net::default());
        server.set(target(1));
        let pool = pool(&net, service(&[&server]).build().unwrap());
        for flip in 0..30 {
            let number = 1 + flip % 2;
            server.set(target(number));
            loop {
                let handle = pool.claim().await.unwrap();
                if handle.backend().address.port() == 10_000 + number {
                    break;
                }
                drop(handle);
                // A claim that finds a connection idle never waits.
                tokio::task::yield_now().await;
            }
        }
        until(|| pool.stats().backends.len() == 1 && net.alive_at(1) == 0).await;
        assert!(net.alive_max() <= 4);
        end(&pool, &net).await;
        server.end().await;
    });
}

#[test]
fn claims_fail_at_once_where_there_is_no_such_service() {
    on_both(|| async {
        let (server, net) = (Server::start().await, Net::default());
        let pool = pool(&net, service(&[&server]).build().unwrap());
        let error = pool.claim().await.unwrap_err();
        assert!(matches!(error, ClaimError::NoBackends { .. }), "{error}");
        end(&pool, &net).await;
        server.end().await;
    });
}

/// It is no error of the configuration: they may come back.
#[test]
fn while_no_name_server_can_be_reached_claims_say_what_they_wait_for() {
    on_both(|| async {
        let (server, net) = (Server::start().await, Net::default());
        server.end().await;
        let pool = pool(&net, service(&[&server]).build().unwrap());
        let error = pool.claim_within(MS).await.unwrap_err();
        assert!(matches!(error, ClaimError::TimedOut { waited_for: WaitedFor::Resolver, .. }), "{error:?}");
        end(&pool, &net).await;
    });
}

/// In the midst of whatever a server may do, over UDP and TCP, an end waits for nothing.
#[test]
fn an_end_waits_for_no_answer() {
    let code = |code| Script::Code(code);
    let scripts = [
        Script::Truly,
        code(ResponseCode::NXDomain),
        code(ResponseCode::ServFail),
        Script::Never,
        Script::Truncates,
        Script::WrongId,
        Script::WrongQuestion,
        Script::ForOthers,
        Script::Garbage,
        Script::NoEdns,
        Script::Late,
    ];
    for script in scripts {
        on_both(|| async move {
            let (server, net) = (Server::start().await, Net::default());
            server.script(script);
            server.set(target(1).into_iter().chain(target(2)).chain([address("db.example", 0, "127.0.0.1")]));
            let mut policy = quick();
            (policy.server_timeout, policy.lookup_timeout) = (3_600 * SECOND, 3_600 * SECOND);
            let of_service = service(&[&server]).discover_servers("_dns._udp.example").policy(policy.clone());
            let of_host = host(&[&server]).policy(policy);
            for builder in [of_service, of_host] {
                let before = server.asked_in_all();
                let pool = pool(&net, builder.build().unwrap());
                server.until(|| server.asked_in_all() > before).await;
                // Grace is an hour: it is not what ends this.
                assert_clean(&pool.terminate(&long()).await.unwrap());
                assert_eq!(net.alive(), 0);
            }
            server.end().await;
        });
    }
}
