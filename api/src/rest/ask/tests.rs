//! Bad and good query strings, one by one.

use proptest::prelude::*;

use super::*;

const KNOWN: &[&str] = &[
    "chain",
    "at_height",
    "at_position",
    "min_height",
    "min_position",
    "limit",
    "cursor",
    "offset",
    "count",
    "explain",
    "kind",
];

fn parse(query: &[(&str, &str)], headers: &HeaderMap) -> Result<Ask, Problem> {
    let known: Vec<String> = KNOWN.iter().map(|name| (*name).to_owned()).collect();
    let pairs = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Ask::parse("/v1/events", pairs, &known, headers)
}

fn refused(name: &str, value: &str) -> Problem {
    parse(&[(name, value)], &HeaderMap::new()).expect_err(&format!("{name}={value}"))
}

#[test]
fn every_bad_value_is_refused_by_name() {
    let bad = [
        ("limit", "0"),
        ("limit", "101"),
        ("limit", "1000"),
        ("limit", "ten"),
        ("limit", ""),
        ("limit", "+5"),
        ("limit", "5.0"),
        ("at_height", "-1"),
        ("at_height", "9223372036854775808"),
        ("at_position", "1e3"),
        ("min_height", "٣"),
        ("min_position", "0x10"),
        ("offset", "10001"),
        ("count", "maybe"),
        ("explain", "yes"),
        ("cursor", "not a cursor"),
        ("cursor", "e30"),
        ("kind", "a\0b"),
    ];
    for (name, value) in bad {
        let problem = refused(name, value);
        assert_eq!(problem.parameter(), Some(name), "{name}={value}");
        assert_eq!(problem.kind(), ProblemKind::BadParameter);
    }
    assert_eq!(refused("kind", &"x".repeat(MAX_TEXT_BYTES + 1)).parameter(), Some("kind"));
}

#[test]
fn an_unknown_parameter_is_refused_with_the_nearest_known_one() {
    let problem = refused("hieght", "5");
    assert_eq!(problem.kind(), ProblemKind::UnknownParameter);
    assert_eq!(problem.parameter(), Some("hieght"));
    let problem = refused("limt", "5");
    assert_eq!(problem, Problem::unknown("limt", Some("limit")));
    assert!(parse(&[("_", "17"), ("utm_source", "mail")], &HeaderMap::new()).is_ok());
}

#[test]
fn who_prefers_leniency_is_told_what_was_ignored() {
    let mut headers = HeaderMap::new();
    headers.insert("prefer", HeaderValue::from_static("respond-async, Handling=Lenient"));
    let ask = parse(&[("color", "red"), ("limit", "7")], &headers).expect("lenient");
    assert_eq!((ask.ignored, ask.limit), (vec!["color".to_owned()], 7));
    assert!(parse(&[("limit", "x")], &headers).is_err(), "a bad value is never ignored");
}

#[test]
fn a_parameter_cannot_be_given_twice_nor_two_times_be_asked_about() {
    let twice = parse(&[("kind", "a"), ("kind", "b")], &HeaderMap::new()).expect_err("twice");
    assert_eq!(twice.parameter(), Some("kind"));
    let both = parse(&[("at_height", "1"), ("at_position", "1")], &HeaderMap::new()).expect_err("both");
    assert_eq!(both.parameter(), Some("at_position"));
}

#[test]
fn a_cursor_belongs_to_its_question_whatever_the_page_size() {
    let first = parse(&[("kind", "a"), ("limit", "5")], &HeaderMap::new()).expect("first page");
    let cursor = Cursor { position: 9, chain_hash: [1; 8], key: "7".to_owned(), question: first.question }.encode();
    let next = parse(&[("kind", "a"), ("limit", "9"), ("cursor", &cursor)], &HeaderMap::new()).expect("next page");
    assert_eq!(next.after_as::<i64>().expect("a number"), Some(7));
    let foreign = parse(&[("kind", "b"), ("cursor", &cursor)], &HeaderMap::new()).expect_err("foreign");
    assert_eq!(foreign.parameter(), Some("cursor"));
}

proptest! {
    #[test]
    fn no_query_string_makes_the_parser_panic(name in "[a-z_]{0,12}", value: String, index in 0..KNOWN.len()) {
        let _ = parse(&[(&name, &value)], &HeaderMap::new());
        let _ = parse(&[(KNOWN[index], &value)], &HeaderMap::new());
    }
}

#[test]
fn a_query_string_is_decoded_as_forms_are() {
    let read = |query: &str| pairs(query).unwrap_or_else(|problem| panic!("{query}: {problem:?}"));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        read("a=1&b=x+y%2b%2B&&c&d==&_=%FF&utm_x=%FF"),
        [pair("a", "1"), pair("b", "x y++"), pair("c", ""), pair("d", "=")]
    );
    assert_eq!(read("%6bind=%&k=%4&l=%zz%41"), [pair("kind", "%"), pair("k", "%4"), pair("l", "%zzA")]);
    assert_eq!(pairs("kind=a%FFb").expect_err("not UTF-8").parameter(), Some("kind"));
    assert_eq!(pairs("%FF=a").expect_err("not UTF-8").kind(), ProblemKind::BadRequest);
}
