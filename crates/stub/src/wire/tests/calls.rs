//! Calls and answers between two sound ends.

use landfall_lifecycle::testing::cancel_at_every_poll_on;
use tokio::io::AsyncReadExt;

use super::super::calls::CallError;
use super::super::loss::Loss;
use super::*;

#[tokio::test(start_paused = true)]
async fn both_ends_call_each_other_at_once() {
    let (plugin, runtime) = End::pair(&LIMITS);
    let method = method("echo");
    for bytes in [0, 1, 4_000, 4_096, 70_000, 4_000_000] {
        let argument = raw(&vec![b'x'; bytes]);
        let (one, other) =
            tokio::join!(plugin.wire.call(&method, &argument, LIMIT), runtime.wire.call(&method, &argument, LIMIT),);
        assert_eq!(one.expect("answered"), argument.encode_to_vec());
        assert_eq!(other.expect("answered"), argument.encode_to_vec());
    }
    plugin.end().await;
    runtime.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_error_comes_back_as_its_code_and_text() {
    let (plugin, runtime) = End::pair(&LIMITS);
    let error = async |name| match plugin.wire.call(&method(name), &raw(b""), LIMIT).await {
        Err(CallError::Answered(status)) => (status.code, status.message),
        other => panic!("{other:?}"),
    };
    assert_eq!(error("nothing").await, (Code::UNIMPLEMENTED, "no such method".to_owned()));
    let (code, text) = error("panic").await;
    assert_eq!(code, Code::INTERNAL);
    assert!(text.contains("as planned"), "{text}");
    let (code, text) = error("long").await;
    assert_eq!(code, Code::RESOURCE_EXHAUSTED);
    assert!(text.contains("4194304 are allowed"), "{text}");
    plugin.end().await;
    runtime.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_too_long_is_refused_before_it_is_sent() {
    let (plugin, runtime) = End::pair(&LIMITS);
    let argument = raw(&vec![0; frame::BODY_BYTES_MAX]);
    match plugin.wire.call(&method("echo"), &argument, LIMIT).await {
        Err(CallError::TooLong { bytes, bytes_max }) => assert!(bytes > bytes_max && bytes_max == 4_194_304),
        other => panic!("{other:?}"),
    }
    // The connection is as good as before.
    assert_eq!(plugin.wire.call(&method("metadata"), &raw(b""), LIMIT).await.expect("answered"), "none");
    plugin.end().await;
    runtime.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_at_its_deadline_and_the_peer_was_told_of_it() {
    let (plugin, mut peer) = End::facing_peer(&LIMITS);
    let limit = Duration::from_secs(3);
    let began = tokio::time::Instant::now();
    let error = plugin.wire.call(&method("silence"), &raw(b""), limit).await.expect_err("nobody answers");
    assert_eq!(error, CallError::TimedOut { after: limit });
    assert_eq!(began.elapsed(), limit);
    let (connection, head, body) = next_message(&mut peer).await;
    let body = RequestBody::decode(&body[..]).expect("a request");
    assert_eq!((connection, head.stream, body.timeout()), (2, 1, Some(limit)));
    plugin.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_past_its_deadline_is_told_and_its_answer_is_dropped() {
    let (plugin, mut peer) = End::facing_peer(&LIMITS);
    send(&mut peer, &framed(Channel::Plugin, Kind::Request, 1, &request("wait", 2_000_000_000))).await;
    // It ends when it is told; what comes next is the answer to the second request.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(ask(&mut peer, 3, "metadata").await.expect("answered"), "none");
    plugin.wire.running().none().await;
    plugin.end().await;
}

#[tokio::test(start_paused = true)]
async fn handlers_see_the_metadata_of_their_request() {
    let (plugin, mut peer) = End::facing_peer(&LIMITS);
    let mut body = RequestBody::decode(&request("metadata", 0)[..]).expect("a request");
    body.metadata.push(super::super::envelope::KeyValue { key: "traceparent".into(), value: "00-1-2-01".into() });
    send(&mut peer, &framed(Channel::Plugin, Kind::Request, 1, &body.encode_to_vec())).await;
    assert_eq!(next_answer(&mut peer).await, (1, Ok(Bytes::from("00-1-2-01"))));
    plugin.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_loss_ends_the_calls_under_way_and_those_to_come() {
    let (plugin, peer) = End::facing_peer(&LIMITS);
    let method = method("silence");
    let argument = raw(b"");
    let mut call = Box::pin(plugin.wire.call(&method, &argument, LIMIT));
    assert!(futures_util::poll!(call.as_mut()).is_pending());
    drop(peer);
    assert_eq!(call.await, Err(CallError::Lost(Loss::Closed)));
    assert_eq!(plugin.wire.lost().await, Loss::Closed);
    assert_eq!(plugin.wire.call(&method, &argument, LIMIT).await, Err(CallError::Lost(Loss::Closed)));
    plugin.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_closed_wire_writes_what_is_queued_and_then_ends() {
    let (plugin, mut peer) = End::facing_peer(&LIMITS);
    let (method, argument) = (method("goodbye"), raw(b""));
    let mut call = Box::pin(plugin.wire.call(&method, &argument, LIMIT));
    assert!(futures_util::poll!(call.as_mut()).is_pending());
    plugin.wire.close();
    assert_eq!(next_message(&mut peer).await.1.stream, 1);
    assert_eq!(peer.read(&mut [0]).await.expect("an end"), 0);
    assert_eq!(call.await, Err(CallError::Closing));
    assert_eq!(plugin.wire.call(&method, &argument, LIMIT).await, Err(CallError::Closing));
    plugin.end().await;
}

/// Wherever a caller leaves, its request goes out whole or not at all, and the next call is answered.
#[tokio::test]
async fn a_call_can_be_dropped_at_every_poll() {
    let long = raw(&vec![b'x'; 100_000]);
    cancel_at_every_poll_on(
        async || End::pair(&LIMITS),
        async |(plugin, _): &mut (End, End)| plugin.wire.call(&method("echo"), &long, LIMIT).await,
    )
    .check(async |(plugin, runtime), _| {
        let answer = plugin.wire.call(&method("echo"), &raw(b"next"), LIMIT).await;
        assert_eq!(answer.expect("answered"), raw(b"next").encode_to_vec());
        assert_eq!(plugin.wire.pending_calls(), 0);
        plugin.end().await;
        runtime.end().await;
    })
    .await;
}
