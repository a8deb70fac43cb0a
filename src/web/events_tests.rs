use super::*;

/// A response that was begun, and its producer's end.
fn opened(streams: &Streams) -> (HttpResponse, Sender, CancellationToken) {
    let closing = CancellationToken::new();
    let slot = streams.slot().expect("there is room");
    let (response, sender) = slot.open(EVENT_STREAM, closing.clone());
    (response, sender, closing)
}

#[test]
fn an_event_is_one_line_of_json_with_its_number() {
    let event = append(ElementId::Activity, "<li>a\nb</li>", Some(7));
    assert_eq!(event, "id: 7\nevent: append\ndata: {\"id\":\"activity\",\"html\":\"<li>a\\nb</li>\"}\n\n".as_bytes());
    assert_eq!(end(), "event: end\ndata: {}\n\n".as_bytes());
}

#[tokio::test]
async fn the_number_of_streams_is_limited_until_their_connections_end() {
    let streams = Streams::new();
    let mut open: Vec<_> = (0..MAX_STREAMS).map(|_| opened(&streams)).collect();
    assert!(streams.slot().is_none());
    let (response, sender, _) = open.pop().expect("there are some");
    drop(sender);
    assert!(streams.slot().is_none(), "the connection still has the stream");
    drop(response);
    assert!(streams.slot().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_disconnected_after_a_few_events() {
    let streams = Streams::new();
    let (_response, sender, closing) = opened(&streams);
    for _ in 0..QUEUE_LENGTH {
        assert_eq!(sender.send(heartbeat()).await, Ok(()));
    }
    assert!(!closing.is_cancelled());
    assert_eq!(sender.send(heartbeat()).await, Err(Gone));
    assert!(closing.is_cancelled());
}

#[tokio::test]
async fn a_producer_ends_with_its_client_and_with_the_server() {
    let streams = Streams::new();
    let (response, sender, _) = opened(&streams);
    drop(response);
    sender.gone().await;
    assert_eq!(sender.send(heartbeat()).await, Err(Gone));

    let (_response, sender, closing) = opened(&streams);
    streams.stop();
    sender.gone().await;
    assert_eq!(sender.send(heartbeat()).await, Err(Gone));
    assert!(!closing.is_cancelled(), "what was sent before arrives");
}
