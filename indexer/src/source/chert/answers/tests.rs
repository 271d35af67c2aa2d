use super::*;

fn raw(text: &str) -> &RawValue {
    serde_json::from_str(text).expect("JSON")
}

fn height(height: u64) -> Height {
    Height::try_from(height).expect("a height")
}

#[test]
fn the_newest_height_is_read_in_every_form() {
    for text in
        ["{\"block_number\":255}", "{\"block_number\":\"255\"}", "{\"block_number\":\"0xff\"}", "255", "\"0xFF\""]
    {
        assert_eq!(newest_height(raw(text)), Ok(height(255)), "{text}");
    }
    for text in ["{}", "null", "-1", "1.5", "\"0x\"", "\"0xffffffffffffffff\"", "[]"] {
        assert!(newest_height(raw(text)).is_err(), "{text}");
    }
}

#[test]
fn one_block_is_read_in_every_form() {
    let block = r#"{"block_hash":"aa"}"#;
    for text in [block.to_owned(), format!("{{\"block\":{block}}}"), format!("{{\"blocks\":[{block}]}}")] {
        assert_eq!(one_block(raw(&text)), Ok(Some(block)), "{text}");
    }
    for text in ["null", "{}", "{\"block\":null}", "{\"blocks\":[]}"] {
        assert_eq!(one_block(raw(text)), Ok(None), "{text}");
    }
    assert!(one_block(raw(&format!("{{\"blocks\":[{block},{block}]}}"))).is_err());
}

#[test]
fn health_is_read_as_far_as_it_goes() {
    let health = health(
        r#"{"chain_id":13371,"hash_rule":"chert-synthetic-1","consensus_status":{"current_height":5,"finalized_commit_index":"x"}}"#,
    );
    let health = health.expect("short words").expect("an object");
    assert_eq!(health.chain_id.as_deref(), Some("13371"));
    assert_eq!(health.hash_rule.as_deref(), Some("chert-synthetic-1"));
    assert_eq!((health.current_height, health.finalized_commit_index), (Some(height(5)), None));
    assert_eq!(super::health("<html>"), Ok(None));
    assert_eq!(super::health("{\"chain_id\":[]}"), Ok(Some(Health::default())));
    for long in ["x".repeat(129), "a\\u0000".to_owned()] {
        assert!(super::health(&format!("{{\"chain_id\":\"{long}\"}}")).is_err(), "{long}");
    }
}

#[test]
fn a_range_fills_from_the_top_and_holes_are_errors() {
    let mut windows = Windows::new(height(3)..=height(9));
    assert_eq!(windows.missing(), Some((height(9), 7)));
    for at in [9, 8, 5, 20, 1] {
        windows.add(height(at), at);
    }
    assert_eq!(windows.missing(), Some((height(7), 2)));
    assert!(windows.give_up(height(7)).is_err());
    for at in [7, 6, 4, 3] {
        windows.add(height(at), at);
    }
    assert_eq!(windows.missing(), None);
    assert_eq!(windows.into_values(), [3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn a_range_above_the_tip_ends_at_the_tip() {
    let mut windows = Windows::new(height(0)..=height(9));
    windows.add(height(5), ());
    assert_eq!(windows.give_up(height(9)), Ok(()));
    assert_eq!(windows.missing(), Some((height(4), 5)));
    let mut nothing: Windows<()> = Windows::new(height(5)..=height(9));
    assert!(nothing.is_untouched());
    nothing.end_at(height(7));
    assert_eq!(nothing.missing(), Some((height(7), 3)));
    assert_eq!(nothing.give_up(height(7)), Ok(()));
    assert_eq!(nothing.missing(), None);
    let mut above: Windows<()> = Windows::new(height(5)..=height(9));
    above.end_at(height(4));
    assert_eq!(above.missing(), None);
}
