use super::*;

#[test]
fn one_aitbc_account_has_one_key() {
    let canonical = |text| AddressRule::Aitbc.canonical(text).expect("well-formed").as_str().to_owned();
    let expected = "0xea0a973af4ebee8528af4792590752bca91d9d81";
    assert_eq!(canonical("0xEA0a973AF4EBee8528AF4792590752BcA91d9d81"), expected);
    assert_eq!(canonical("ait1ea0a973af4ebee8528af4792590752bca91d9d81"), expected);
    assert_eq!(canonical("aitbc1ea0a973af4ebee8528af4792590752bca91d9d81"), expected);
    assert_eq!(canonical("genesis"), "genesis");
    assert!(AddressRule::Exact.canonical("0xAB").expect("kept") != AddressRule::Exact.canonical("0xab").expect("kept"));
    assert!(AddressRule::Exact.canonical("a\u{0}b").is_err());
}

#[test]
fn transaction_ids_are_found_under_every_spelling() {
    let id = |text: &str| text.parse::<TxId>().expect("well-formed").as_str().to_owned();
    let uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    assert_eq!(id(uuid), uuid);
    assert_eq!(id("0x67E5504410b1426f9247bb680e5fe0c8"), uuid);
    assert_eq!(id(&format!("0x{}", "AB".repeat(32))), "ab".repeat(32));
}

#[test]
fn numbers_outside_their_range_are_refused() {
    assert!("18446744073709551615".parse::<Amount>().is_ok());
    for bad in ["18446744073709551616", "-1", "1.0", "1e3", "NaN", "", " 1"] {
        assert!(bad.parse::<Amount>().is_err(), "{bad}");
    }
    assert_eq!("12.5".parse::<Decimal>().expect("decimal").nanos(), 12_500_000_000);
    for bad in ["NaN", "1.", ".5", "1e9", "-1", "1234567890123456789", "1.0000000001"] {
        assert!(bad.parse::<Decimal>().is_err(), "{bad}");
    }
}

#[test]
fn times_are_read_in_every_form_the_sources_use() {
    let time = |text: &str| text.parse::<Time>().expect("time").exact().to_rfc3339();
    assert_eq!(time("2026-01-18T21:02:05.408028988Z"), "2026-01-18T21:02:05.408028988+00:00");
    assert_eq!(time("2026-11-20T04:56:21"), "2026-11-20T04:56:21+00:00");
    assert_eq!(time("1768770125"), "2026-01-18T21:02:05+00:00");
    assert!("yesterday".parse::<Time>().is_err());
    assert!("99999-01-01T00:00:00Z".parse::<Time>().is_err());
}

#[test]
fn a_leap_second_is_what_the_database_gives_back() {
    for text in [
        "2016-12-31T23:59:60Z",
        "2016-12-31T23:59:60.999999999Z",
        "2016-12-31T23:59:60.5",
        "2026-01-18T21:02:60.0000009Z",
        "2026-01-18T21:02:60+05:30",
        "2026-01-18T21:02:05.408028988Z",
        "1970-01-01T00:00:00.0000001Z",
    ] {
        let time: Time = text.parse().expect("time");
        let stored = time.micros().timestamp_micros();
        let read = chrono::DateTime::from_timestamp_micros(stored).expect("in range");
        assert_eq!(time.micros(), read, "{text}");
        assert_eq!(time.micros().to_rfc3339(), read.to_rfc3339(), "{text}");
        assert!(time.micros() <= time.exact() && !time.exact().to_rfc3339().contains(":60"), "{text}");
    }
    let micros = |text: &str| text.parse::<Time>().expect("time").micros().to_rfc3339();
    assert_eq!(micros("2016-12-31T23:59:60Z"), "2017-01-01T00:00:00+00:00");
    assert_eq!(micros("2016-12-31T23:59:60.999999999Z"), "2017-01-01T00:00:00.999999+00:00");
    let beyond = chrono::DateTime::from_timestamp(1_483_228_799, 1_500_000_000).expect("a leap second");
    assert_eq!(Time::from(beyond).micros().to_rfc3339(), "2017-01-01T00:00:00.500+00:00");
    // The order of times is that of what is stored.
    let time = |text: &str| text.parse::<Time>().expect("time");
    assert!(time("2016-12-31T23:59:60.5Z") > time("2017-01-01T00:00:00Z"));
    assert!("9999-12-31T23:59:60Z".parse::<Time>().is_err());
}
