//! `docs/log-format.md` as a stranger reads it: canonical bytes, digests and the running hash, computed here a second
//! time from the document alone, and compared with its vectors and with what the log itself would store.
//!
//! The first half must not use anything of `schema`: it is the other implementation.

use schema::canonical;
use schema::chain::{BlockHash, Height};
use schema::event::{Covered, Event, Kind, Position, SourceId, Verdict};
use serde_json::Value;
use sha2::{Digest, Sha256};

const VECTORS: &str = include_str!("../../../docs/log-format-vectors.json");
const DOCUMENT: &str = include_str!("../../../docs/log-format.md");

/// The columns in the order in which a digest covers them.
const COVERED: [&str; 11] = [
    "position",
    "source_id",
    "height",
    "block_hash",
    "tx_id",
    "tx_index",
    "event_index",
    "kind",
    "body",
    "verdict",
    "occurred_at",
];

/// An event as `/v1/events` spells it, and what the document says about it.
struct Vector {
    name: String,
    event: Value,
    body: Vec<u8>,
    preimage: Vec<u8>,
    digest: Vec<u8>,
}

/// A unit and what the document says about it.
struct UnitVector {
    first_position: u64,
    end_position: u64,
    previous_chain_hash: Vec<u8>,
    preimage: Vec<u8>,
    chain_hash: Vec<u8>,
}

fn vectors() -> (Vec<Vector>, Vec<UnitVector>) {
    let all: Value = serde_json::from_str(VECTORS).expect("the vectors are JSON");
    let list = |name: &str| all[name].as_array().expect("a list of vectors").clone();
    let events = list("events").into_iter().map(|vector| Vector {
        name: text(&vector, "name").to_owned(),
        event: vector["event"].clone(),
        body: bytes(&vector, "body_hex"),
        preimage: bytes(&vector, "preimage_hex"),
        digest: bytes(&vector, "digest"),
    });
    let units = list("units").into_iter().map(|vector| UnitVector {
        first_position: vector["first_position"].as_u64().expect("a position"),
        end_position: vector["end_position"].as_u64().expect("a position"),
        previous_chain_hash: bytes(&vector, "previous_chain_hash"),
        preimage: bytes(&vector, "preimage_hex"),
        chain_hash: bytes(&vector, "chain_hash"),
    });
    (events.collect(), units.collect())
}

fn text<'a>(of: &'a Value, member: &str) -> &'a str {
    of[member].as_str().unwrap_or_else(|| panic!("{member} is a string in {of}"))
}

fn bytes(of: &Value, member: &str) -> Vec<u8> {
    hex::decode(text(of, member)).expect("hex")
}

// The other implementation.

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) => panic!("a body holds the number {number}"),
        Value::String(string) => write_quoted(string, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                write_canonical(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut names: Vec<Vec<u16>> = members.keys().map(|name| name.encode_utf16().collect()).collect();
            names.sort_unstable();
            out.push('{');
            for (index, name) in names.iter().enumerate() {
                let name = String::from_utf16(name).expect("it was a string before");
                out.push_str(if index == 0 { "" } else { "," });
                write_quoted(&name, out);
                out.push(':');
                write_canonical(&members[&name], out);
            }
            out.push('}');
        }
    }
}

fn write_quoted(string: &str, out: &mut String) {
    out.push('"');
    for character in string.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{9}' => out.push_str("\\t"),
            '\u{a}' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\u{d}' => out.push_str("\\r"),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            plain => out.push(plain),
        }
    }
    out.push('"');
}

fn canonical_bytes(value: &Value) -> Vec<u8> {
    let mut out = String::new();
    write_canonical(value, &mut out);
    out.into_bytes()
}

/// What SHA-256 is taken of: the leaf prefix, then each column with its length before it.
fn leaf_preimage(event: &Value) -> Vec<u8> {
    let mut out = vec![0];
    for column in COVERED {
        let field = match (column, &event[column]) {
            ("body", body) => Some(canonical_bytes(body)),
            (_, Value::Null) => None,
            (_, Value::String(string)) => Some(string.clone().into_bytes()),
            (_, Value::Number(number)) => Some(number.to_string().into_bytes()),
            (_, other) => panic!("{column} is {other}"),
        };
        match field {
            None => out.extend([0xff; 4]),
            Some(field) => {
                let length = u32::try_from(field.len()).expect("a vector is small");
                out.extend(length.to_be_bytes());
                out.extend(field);
            }
        }
    }
    out
}

#[test]
fn a_stranger_recomputes_every_digest() {
    let (events, _) = vectors();
    for vector in &events {
        assert_eq!(canonical_bytes(&vector.event["body"]), vector.body, "{}: body", vector.name);
        let preimage = leaf_preimage(&vector.event);
        assert_eq!(hex::encode(&preimage), hex::encode(&vector.preimage), "{}: preimage", vector.name);
        assert_eq!(Sha256::digest(&preimage).to_vec(), vector.digest, "{}: digest", vector.name);
    }
}

#[test]
fn a_stranger_recomputes_the_running_hash() {
    let (events, units) = vectors();
    let mut running = vec![0; 32];
    let mut rest = events.as_slice();
    for unit in &units {
        assert_eq!(running, unit.previous_chain_hash);
        let size = usize::try_from(unit.end_position + 1 - unit.first_position).expect("a vector is small");
        let (of_unit, others) = rest.split_at(size);
        let mut preimage = running.clone();
        for (index, vector) in of_unit.iter().enumerate() {
            let index = u64::try_from(index).expect("a vector is small");
            assert_eq!(vector.event["position"].as_u64(), Some(unit.first_position + index), "{}", vector.name);
            assert_eq!(vector.event["event_index"].as_u64(), Some(index), "{}", vector.name);
            preimage.extend(&vector.digest);
        }
        assert_eq!(preimage, unit.preimage);
        running = Sha256::digest(&preimage).to_vec();
        assert_eq!(running, unit.chain_hash, "unit that ends at position {}", unit.end_position);
        rest = others;
    }
    assert!(rest.is_empty(), "every event is in a unit");
    assert!(units.len() >= 3);
}

// What the log itself does with the same events.

#[test]
fn the_log_stores_the_same_bytes_and_digests() {
    let (events, units) = vectors();
    let mut digests = Vec::new();
    for vector in &events {
        let event = &vector.event;
        let name = &vector.name;
        let kind = Kind::from_name(text(event, "kind")).expect("a kind of the list");
        let parsed = Event::parse(kind, &vector.body).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(parsed.body().expect("canonical"), vector.body, "{name}: body");
        let digest = covered(event, kind, &vector.body).digest();
        assert_eq!(hex::encode(digest), hex::encode(&vector.digest), "{name}: digest");
        digests.push(digest);
    }
    let mut running: canonical::Hash = [0; 32];
    let mut rest = digests.as_slice();
    for unit in &units {
        let size = usize::try_from(unit.end_position + 1 - unit.first_position).expect("a vector is small");
        let (of_unit, others) = rest.split_at(size);
        running = canonical::chain_hash(&running, of_unit);
        assert_eq!(running.to_vec(), unit.chain_hash);
        rest = others;
    }
}

/// The covered columns. The few texts are leaked: vectors live as long as the test.
fn covered<'a>(event: &'a Value, kind: Kind, body: &'a [u8]) -> Covered<'a> {
    let small = |member: &str| event[member].as_u64().map(|number| u32::try_from(number).expect("an index"));
    let hash = event["block_hash"].as_str().map(|hash| hash.parse::<BlockHash>().expect("a hash"));
    let verdicts = [Verdict::Verified, Verdict::Unverifiable, Verdict::Refuted];
    let verdict = event["verdict"].as_str();
    Covered {
        position: Position(event["position"].as_i64().expect("a position")),
        source_id: SourceId(small("source_id").and_then(|number| i32::try_from(number).ok()).expect("a number")),
        height: event["height"].as_u64().map(|height| Height::try_from(height).expect("a height")),
        block_hash: hash.map(|hash| &*Box::leak(Box::new(hash))),
        tx_id: event["tx_id"].as_str(),
        tx_index: small("tx_index"),
        event_index: small("event_index").expect("an index"),
        kind,
        body,
        verdict: verdict.map(|name| verdicts.into_iter().find(|verdict| verdict.name() == name).expect("a verdict")),
        occurred_at: text(event, "occurred_at").parse().expect("a time"),
    }
}

#[test]
fn the_vectors_cover_what_is_easily_got_wrong() {
    let (events, _) = vectors();
    let full = |event: &Value| COVERED.iter().all(|column| !event[*column].is_null());
    assert!(events.iter().any(|vector| full(&vector.event)), "an event with every column");
    assert!(events.iter().any(|vector| !full(&vector.event)), "an event with absent columns");
    let bodies: Vec<_> = events.iter().map(|vector| String::from_utf8_lossy(&vector.body)).collect();
    for awkward in ["\\u0000", "\\b", "\\\\", "\u{7f}", "\u{2028}", "\u{202e}", "\u{1f600}"] {
        assert!(bodies.iter().any(|body| body.contains(awkward)), "{} is in a body", awkward.escape_unicode());
    }
}

#[test]
fn the_document_holds_the_vectors() {
    let (events, units) = vectors();
    let joined: String = DOCUMENT.split_whitespace().collect();
    for vector in &events {
        for (what, bytes) in [("body", &vector.body), ("preimage", &vector.preimage), ("digest", &vector.digest)] {
            assert!(joined.contains(&hex::encode(bytes)), "docs/log-format.md lacks the {what} of: {}", vector.name);
        }
    }
    for unit in &units {
        let hash = hex::encode(&unit.chain_hash);
        assert!(joined.contains(&hash), "docs/log-format.md lacks the chain_hash at {}", unit.end_position);
    }
}
