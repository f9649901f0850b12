//! A peer that breaks the rules: memory stays bounded, and what cannot be borne ends the connection by name.

use super::super::calls::CallError;
use super::super::loss::Loss;
use super::super::outbox::REFUSALS_MAX;
use super::*;

/// Sends bytes and tells what the connection was lost of.
async fn lost_of(bytes: &[u8]) -> Loss {
    let (plugin, mut peer) = End::facing_peer(&LIMITS);
    send(&mut peer, bytes).await;
    let loss = plugin.wire.lost().await;
    plugin.end().await;
    loss
}

#[tokio::test(start_paused = true)]
async fn a_length_of_four_gibibytes_ends_the_connection() {
    let frame = [0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(lost_of(&frame).await, Loss::FrameTooLong { bytes: u32::MAX, bytes_max: 4_194_314 });
    let message = [0, 0, 0, 1, 0, 0, 0, 10, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 1, 0];
    assert_eq!(lost_of(&message).await, Loss::MessageTooLong { bytes: u32::MAX, bytes_max: 4_194_304 });
}

#[tokio::test(start_paused = true)]
async fn frames_of_65536_connections_are_dropped() {
    let (plugin, mut peer) = End::facing_peer(&LIMITS);
    for connection in (0..=u32::from(u16::MAX)).filter(|id| !matches!(id, 1 | 2)) {
        send(&mut peer, &FrameHead { connection, bytes: 3 }.encode()).await;
        send(&mut peer, b"???").await;
    }
    assert_eq!(ask(&mut peer, 1, "metadata").await.expect("answered"), "none");
    plugin.end().await;
}

#[tokio::test(start_paused = true)]
async fn even_and_reused_ids_are_refused_and_others_go_on() {
    let (plugin, mut peer) = End::facing_peer(&LIMITS);
    assert_eq!(code_of(ask(&mut peer, 0, "echo").await), Code::INVALID_ARGUMENT);
    assert_eq!(code_of(ask(&mut peer, 2, "echo").await), Code::INVALID_ARGUMENT);
    assert!(ask(&mut peer, 7, "echo").await.is_ok());
    for reused in [1, 5, 7] {
        assert_eq!(code_of(ask(&mut peer, reused, "echo").await), Code::INVALID_ARGUMENT);
    }
    assert!(ask(&mut peer, u32::MAX, "echo").await.is_ok());
    assert_eq!(code_of(ask(&mut peer, u32::MAX, "echo").await), Code::INVALID_ARGUMENT);
    plugin.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_request_is_refused_or_ignored() {
    let (plugin, mut peer) = End::facing_peer(&LIMITS);
    for kind in [Kind::Response, Kind::Unknown(0), Kind::Unknown(77)] {
        send(&mut peer, &framed(Channel::Plugin, kind, 1, b"ignored")).await;
    }
    // Nor do requests reach a plugin on the connection on which it is the caller.
    send(&mut peer, &framed(Channel::Runtime, Kind::Request, 1, &request("echo", 0))).await;
    send(&mut peer, &framed(Channel::Plugin, Kind::Data, 1, b"no stream")).await;
    let (stream, answer) = next_answer(&mut peer).await;
    assert_eq!((stream, code_of(answer)), (1, Code::INVALID_ARGUMENT));
    send(&mut peer, &framed(Channel::Plugin, Kind::Request, 3, b"\xff\xff\xff no protobuf")).await;
    let (stream, answer) = next_answer(&mut peer).await;
    assert_eq!((stream, code_of(answer)), (3, Code::INVALID_ARGUMENT));
    assert!(ask(&mut peer, 5, "echo").await.is_ok());
    plugin.end().await;
}

#[tokio::test(start_paused = true)]
async fn answers_to_nobody_and_second_answers_change_nothing() {
    let (plugin, mut peer) = End::facing_peer(&LIMITS);
    let answer = |stream, text: &'static str| {
        let body = ResponseBody::of(Ok(text.into())).encode_to_vec();
        framed(Channel::Runtime, Kind::Response, stream, &body)
    };
    for stream in [0, 1, 2, u32::MAX] {
        send(&mut peer, &answer(stream, "nobody asked")).await;
    }
    // It has read them once it answers.
    assert!(ask(&mut peer, 1, "echo").await.is_ok());
    let (method, argument) = (method("any"), raw(b""));
    for (stream, other) in [(1, 3), (3, 5)] {
        let mut call = Box::pin(plugin.wire.call(&method, &argument, LIMIT));
        assert!(futures_util::poll!(call.as_mut()).is_pending());
        assert_eq!(next_message(&mut peer).await.1.stream, stream);
        // The first answer counts; neither the second nor one to a call yet to come does.
        for (stream, text) in [(other, "too early"), (stream, "first"), (stream, "second")] {
            send(&mut peer, &answer(stream, text)).await;
        }
        assert_eq!(call.await.expect("answered"), "first");
    }
    plugin.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_read_fails_its_call_alone() {
    let (plugin, mut peer) = End::facing_peer(&LIMITS);
    let (method, argument) = (method("any"), raw(b""));
    let mut call = Box::pin(plugin.wire.call(&method, &argument, LIMIT));
    assert!(futures_util::poll!(call.as_mut()).is_pending());
    assert_eq!(next_message(&mut peer).await.1.stream, 1);
    send(&mut peer, &framed(Channel::Runtime, Kind::Response, 1, b"\xff\xff")).await;
    assert!(matches!(call.await, Err(CallError::Unreadable { .. })));
    assert!(ask(&mut peer, 1, "echo").await.is_ok());
    plugin.end().await;
}

/// An error repeats the name, and 64 answers of 4 MiB each would wait for a peer that does not read.
#[tokio::test(start_paused = true)]
async fn a_name_of_two_mebibytes_is_not_repeated() {
    let (plugin, mut peer) = End::facing_peer(&LIMITS);
    let refused = ask(&mut peer, 1, &"x".repeat(2 << 20)).await.expect_err("refused");
    assert_eq!((refused.code, refused.message.len()), (Code::UNIMPLEMENTED, 49));
    assert_eq!(ask(&mut peer, 3, &"x".repeat(1024)).await.expect_err("unknown").message, "no such method");
    assert!(ask(&mut peer, 5, "echo").await.is_ok());
    plugin.end().await;
}

#[tokio::test(start_paused = true)]
async fn at_most_64_handlers_run_and_the_next_request_is_refused() {
    let (plugin, mut peer) = End::facing_peer(&LIMITS);
    for nth in 0..64 {
        send(&mut peer, &framed(Channel::Plugin, Kind::Request, 2 * nth + 1, &request("wait", 0))).await;
    }
    assert_eq!(code_of(ask(&mut peer, 129, "echo").await), Code::RESOURCE_EXHAUSTED);
    assert_eq!(plugin.handlers.len(), 64);
    plugin.end().await;
}

/// Whoever has read an answer may send the next request at once. Its slot is free by then, though the writer is not done.
#[tokio::test(start_paused = true)]
async fn a_slot_is_free_when_its_answer_can_be_read() {
    let limits = Limits { handlers_max: 1, ..LIMITS };
    let (ours, mut peer) = duplex(64 << 10);
    let flush = Arc::new(Semaphore::new(0));
    let plugin = End::open(Connection::new(SlowToFlush::new(ours, &flush)), Role::Plugin, &limits);
    for nth in 0..5 {
        let stream = 2 * nth + 1;
        send(&mut peer, &framed(Channel::Plugin, Kind::Request, stream, &request("echo", 0))).await;
        // Until the request has been taken, or refused; the answer before it is in the midst of being flushed.
        tokio::time::sleep(Duration::from_millis(1)).await;
        flush.add_permits(usize::from(nth > 0));
        assert_eq!(next_answer(&mut peer).await, (stream, Ok(Bytes::new())));
    }
    flush.add_permits(1);
    plugin.end().await;
}

#[tokio::test(start_paused = true)]
async fn at_most_64_calls_wait_for_their_answers() {
    let (plugin, _peer) = End::facing_peer(&LIMITS);
    let (method, argument) = (method("silence"), raw(b""));
    let mut calls: Vec<_> = (0..64).map(|_| Box::pin(plugin.wire.call(&method, &argument, LIMIT))).collect();
    for call in &mut calls {
        assert!(futures_util::poll!(call.as_mut()).is_pending());
    }
    let refused = plugin.wire.call(&method, &argument, LIMIT).await;
    assert_eq!(refused, Err(CallError::TooMany { calls_max: 64 }));
    drop(calls);
    plugin.end().await;
}

/// A slot is taken until its request is written, however soon its caller leaves: else a peer that reads nothing could be
/// sent requests without bound.
#[tokio::test(start_paused = true)]
async fn abandoned_calls_to_a_peer_that_reads_nothing_stay_bounded() {
    let (plugin, _peer) = End::facing_peer(&LIMITS);
    let (method, argument) = (method("silence"), raw(&[0; 60_000]));
    let mut refused = 0;
    for _ in 0..200 {
        let mut call = Box::pin(plugin.wire.call(&method, &argument, LIMIT));
        match futures_util::poll!(call.as_mut()) {
            std::task::Poll::Ready(Err(CallError::TooMany { calls_max: 64 })) => refused += 1,
            std::task::Poll::Ready(other) => panic!("{other:?}"),
            std::task::Poll::Pending => tokio::task::yield_now().await,
        }
    }
    assert!((200 - 66..=200 - 64).contains(&refused), "{refused} of 200 were refused");
    assert_eq!(plugin.wire.lost().await, Loss::Stalled { after: LIMITS.write_timeout });
    plugin.end().await;
}

/// A peer that reads nothing for the timeout is given up; one that reads slowly is not, however long a message takes it.
#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_slowly_gets_all_of_a_long_answer() {
    let (plugin, mut peer) = End::facing_peer(&LIMITS);
    let mut long = RequestBody::decode(&request("echo", 0)[..]).expect("a request");
    long.payload = vec![7; 1 << 20].into();
    send(&mut peer, &framed(Channel::Plugin, Kind::Request, 1, &long.encode_to_vec())).await;
    let (mut sevens, mut part) = (0, [0; 32 << 10]);
    while sevens < 1 << 20 {
        tokio::time::sleep(LIMITS.write_timeout / 2).await;
        let bytes = peer.read(&mut part).await.expect("it is open");
        assert!(bytes > 0, "it was given up after {sevens} bytes");
        sevens += part[..bytes].iter().filter(|byte| **byte == 7).count();
    }
    plugin.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_that_reads_nothing_ends_the_connection() {
    let (plugin, mut peer) = End::facing_peer(&LIMITS);
    let mut sent = 0u32;
    loop {
        let bytes = framed(Channel::Plugin, Kind::Request, 2 * sent + 1, &request("wait", 0));
        let lost = tokio::select! {
            biased;
            loss = plugin.wire.lost() => Some(loss),
            result = peer.write_all(&bytes) => result.err().map(|_| Loss::Closed),
        };
        if lost.is_some() {
            break;
        }
        sent += 1;
        assert!(plugin.handlers.len() <= 64);
    }
    assert_eq!(plugin.wire.lost().await, Loss::Flooded { refusals_max: REFUSALS_MAX });
    plugin.end().await;
}

#[tokio::test(start_paused = true)]
async fn bytes_of_requests_under_way_share_one_cap() {
    let limits = Limits { received_bytes_max: 10_000, ..LIMITS };
    let (plugin, mut peer) = End::facing_peer(&limits);
    let mut held = RequestBody::decode(&request("wait", 0)[..]).expect("a request");
    held.payload = vec![0; 8_000].into();
    send(&mut peer, &framed(Channel::Plugin, Kind::Request, 1, &held.encode_to_vec())).await;
    held.method = "echo".to_owned();
    send(&mut peer, &framed(Channel::Plugin, Kind::Request, 3, &held.encode_to_vec())).await;
    let (stream, answer) = next_answer(&mut peer).await;
    assert_eq!((stream, code_of(answer)), (3, Code::RESOURCE_EXHAUSTED));
    assert!(ask(&mut peer, 5, "echo").await.is_ok());
    plugin.end().await;
}

#[tokio::test(start_paused = true)]
async fn silence_in_the_middle_of_a_message_holds_no_more_than_has_come() {
    let (plugin, mut peer) = End::facing_peer(&LIMITS);
    let long = framed(Channel::Plugin, Kind::Request, 1, &vec![0; frame::BODY_BYTES_MAX]);
    send(&mut peer, &long[..5_000]).await;
    tokio::time::sleep(LIMIT).await;
    drop(peer);
    assert_eq!(plugin.wire.lost().await, Loss::CutShort);
    plugin.end().await;
}

#[tokio::test(start_paused = true)]
async fn ids_that_are_used_up_end_the_connection() {
    let (plugin, mut peer) = End::facing_peer(&LIMITS);
    plugin.wire.calls_begin_at(u32::MAX);
    let (method, argument) = (method("last"), raw(b""));
    let mut call = Box::pin(plugin.wire.call(&method, &argument, LIMIT));
    assert!(futures_util::poll!(call.as_mut()).is_pending());
    assert_eq!(next_message(&mut peer).await.1.stream, u32::MAX);
    let error = plugin.wire.call(&method, &argument, LIMIT).await.expect_err("no id is left");
    assert_eq!(error, CallError::Lost(Loss::IdsUsedUp));
    assert_eq!(call.await, Err(CallError::Lost(Loss::IdsUsedUp)));
    plugin.end().await;
}
