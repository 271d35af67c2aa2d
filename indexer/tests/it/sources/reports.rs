//! What nodes say of accounts, and of hashes over ranges, where they say it badly.

use super::*;

fn address(text: &str) -> schema::chain::Address {
    AddressRule::Exact.canonical(text).expect("an address")
}

#[tokio::test]
async fn one_accounts_trouble_does_not_hold_up_a_chert_source() {
    let good = node(Habits { page_max: 100, ..Habits::default() });
    let url = serve(move |request| {
        let Ok(question) = serde_json::from_str::<Value>(&request.body) else { return good(request) };
        if question["method"] != "get_balance" {
            return good(request);
        }
        let result = |balance: Value| json!({"jsonrpc": "2.0", "id": question["id"], "result": {"balance": balance}});
        let error = |code: i32| json!({"jsonrpc": "2.0", "id": question["id"], "error": {"code": code, "message": "bad address"}});
        match question["params"]["address"].as_str().expect("text") {
            "negative" => Reply::ok(result(json!(-5)).to_string()),
            "fractional" => Reply::ok(result(json!("1.5")).to_string()),
            "null" => Reply::ok(result(json!(null)).to_string()),
            "refused" => Reply::ok(error(-32_602).to_string()),
            "unknown" => Reply::ok(error(-32_000).to_string()),
            "bad request" => Reply::status(400),
            "not found" => Reply::status(404),
            "internal" => Reply::ok(error(-32_603).to_string()),
            "trouble" => Reply::status(502),
            _ => Reply::ok(result(json!("7")).to_string()),
        }
    });
    let source = ChertSource::new(&url.await, Options::default()).expect("a source");
    for name in ["negative", "fractional", "null", "refused", "unknown", "bad request", "not found"] {
        assert_eq!(source.report(&address(name)).await, Ok(None), "{name}");
    }
    for name in ["internal", "trouble"] {
        assert!(matches!(source.report(&address(name)).await, Err(SourceError::Transient(_))), "{name}");
    }
    assert!(source.report(&address("good")).await.expect("asked").is_some());
}

fn aitbc_node(tip: u64) -> impl Fn(Request) -> Reply + Send + Sync + 'static {
    let block = |height: u64| json!({"height": height, "hash": format!("0x{height:064x}"), "timestamp": "2026-11-20T04:56:21", "tx_count": 0});
    move |request| {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let number = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.parse::<u64>().ok());
        match path {
            "/openapi.json" => {
                let paths =
                    json!({"/rpc/head": {}, "/rpc/info": {}, "/rpc/blocks-range": {}, "/rpc/account/{address}": {}});
                Reply::ok(json!({"paths": paths}).to_string())
            }
            "/rpc/info" => Reply::ok("{\"chain_id\":\"ait-test\"}"),
            "/rpc/head" => Reply::ok(block(tip).to_string()),
            "/rpc/blocks-range" => {
                let (start, end) = (number("start=").expect("start"), number("end=").expect("end").min(tip));
                let blocks: Vec<_> = (start..=end).map(block).collect();
                Reply::ok(json!({"count": blocks.len(), "blocks": blocks}).to_string())
            }
            "/rpc/account/negative" => Reply::ok("{\"balance\":-5,\"nonce\":0}"),
            "/rpc/account/fractional" => Reply::ok("{\"balance\":1.5,\"nonce\":0}"),
            "/rpc/account/text" => Reply::ok("nonsense"),
            "/rpc/account/invalid" => Reply::status(400),
            "/rpc/account/unreadable" => Reply::status(422),
            "/rpc/account/trouble" => Reply::status(500),
            "/rpc/account/good" => Reply::ok("{\"balance\":7,\"nonce\":0}"),
            _ => Reply::status(404),
        }
    }
}

#[tokio::test]
async fn an_aitbc_source_answers_whole_ranges_and_no_account_holds_it_up() {
    let url = serve(aitbc_node(40)).await;
    let options = aitbc::Options { page: 10, requests_per_minute: 1000, ..aitbc::Options::default() };
    let source = AitbcSource::new(&url, options).expect("a source");
    for (from, through, expected) in [(0, 40, 41), (3, 25, 23), (7, 7, 1), (35, 90, 6), (41, 50, 0)] {
        let hashes = source.hashes(height(from)..=height(through)).await.expect("asked");
        let heights: Vec<_> = hashes.iter().map(|(height, _)| height.to_db()).collect();
        assert_eq!(hashes.len(), expected, "{from} to {through}");
        assert!(heights.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{heights:?}");
    }
    for name in ["negative", "fractional", "text", "invalid", "unreadable", "absent", ".."] {
        assert_eq!(source.report(&address(name)).await, Ok(None), "{name}");
    }
    assert!(matches!(source.report(&address("trouble")).await, Err(SourceError::Transient(_))));
    assert!(source.report(&address("good")).await.expect("asked").is_some());
}
