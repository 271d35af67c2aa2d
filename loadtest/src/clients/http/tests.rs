use tokio::net::TcpListener;

use super::*;

/// Answers each request on one connection with the next of these texts, then closes; a `|` cuts a text into writes.
async fn answering(answers: &'static [&'static str]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        stream.set_nodelay(true).expect("a socket");
        for answer in answers {
            let mut request = BytesMut::new();
            while !request.ends_with(b"\r\n\r\n") {
                assert_ne!(stream.read_buf(&mut request).await.expect("a request"), 0);
            }
            for part in answer.split('|') {
                stream.write_all(part.as_bytes()).await.expect("a reader");
                tokio::task::yield_now().await;
            }
        }
    });
    address
}

async fn ask(connection: &mut Connection) -> Result<(Answer, String), HttpError> {
    let mut whole = Whole::default();
    let answer = connection.ask(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", Some(&mut whole)).await?;
    Ok((answer, String::from_utf8(whole.body).expect("text")))
}

#[tokio::test]
async fn one_connection_carries_answers_of_every_framing() {
    const ANSWERS: &[&str] = &[
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 20|0 OK\r\ncontent-len|gth: 3\r\n\r|\na|b|c",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4|;x=1\r|\nwiki\r\n|7\r\npe|dia\r\n\r\n\
         0\r\nTrailer: t\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\ncontent-length: 70\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 503\r\nconnection: close\r\n\r\nuntil |the end",
    ];
    let mut connection = Connection::open(answering(ANSWERS).await).await.expect("a server");
    let expected = [(200, "hello"), (200, "abc"), (200, "wikipedia\r\n"), (304, ""), (404, ""), (503, "until the end")];
    for ((status, body), sent) in expected.into_iter().zip(ANSWERS) {
        let (answer, text) = ask(&mut connection).await.expect(sent);
        assert_eq!((answer.status, text.as_str()), (status, body), "{sent}");
        assert_eq!(answer.wire_bytes, sent.replace('|', "").len(), "{sent}");
        assert_eq!(answer.reusable, status != 503, "{sent}");
    }
}

#[tokio::test]
async fn what_is_not_an_answer_is_an_error() {
    for (answers, is_closed) in [
        (&["SSH-2.0-x\r\n\r\n"][..], false),
        (&["HTTP/2 200\r\n\r\n"][..], false),
        (&["HTTP/1.1 abc\r\n\r\n"][..], false),
        (&["HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"][..], false),
        (&["HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"][..], false),
        (&["HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n"][..], false),
        (&["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"][..], false),
        (&["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nwiki\r\n0\r\n\r\n"][..], false),
        (&["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort"][..], true),
        (&["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nwi"][..], true),
        (&["HTTP/1.1 200 OK\r\n"][..], true),
    ] {
        let mut connection = Connection::open(answering(answers).await).await.expect("a server");
        let error = ask(&mut connection).await.expect_err(answers[0]);
        assert_eq!(matches!(error, HttpError::Closed), is_closed, "{answers:?}: {error}");
        assert_eq!(matches!(error, HttpError::Malformed(_)), !is_closed, "{answers:?}: {error}");
    }
}

#[tokio::test]
async fn bytes_behind_an_answer_make_the_connection_useless() {
    let address = answering(&["HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na surplus"]).await;
    let mut connection = Connection::open(address).await.expect("a server");
    let (answer, text) = ask(&mut connection).await.expect("an answer");
    assert_eq!((text.as_str(), answer.reusable), ("a", false));
}
