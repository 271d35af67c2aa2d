use schema::event::{Kind, Verdict};

use super::*;

fn kinds(block: &BlockUnit) -> Vec<Kind> {
    block.unit.entries.iter().map(|entry| entry.event.kind()).collect()
}

fn script(text: &str) -> Script {
    Script::parse(text).expect("a script")
}

#[test]
fn a_script_becomes_a_verified_chain() {
    let script = script("0: allocate alice 64 | 1: mint bob 2, alice -> bob 4 fee 1 | 2: | ~1 | 2: burn alice 8");
    assert_eq!(script.steps().len(), 5);
    let chain = script.standing();
    assert_eq!(chain.len(), 3);
    assert_eq!(kinds(&chain[0]), [Kind::BlockApplied, Kind::TransactionApplied, Kind::Allocated]);
    assert_eq!(
        kinds(&chain[1]),
        [Kind::BlockApplied, Kind::TransactionApplied, Kind::Minted, Kind::TransactionApplied]
    );
    for block in &chain {
        assert_eq!(block.unit.entries[0].verdict, Some(Verdict::Verified));
        assert!(block.unit.entries.iter().all(|entry| entry.event.kind() != Kind::Unrecognized), "{block:?}");
    }
    let Event::TransactionApplied(tx) = &chain[2].unit.entries[1].event else { panic!("another event") };
    assert_eq!((tx.recipient.as_deref(), tx.amount.text()), (Some("furnace"), "8"));
    assert_eq!(chain[2].unit.occurred_at - chain[0].unit.occurred_at, chrono::TimeDelta::seconds(20));
}

#[test]
fn a_branch_is_its_content() {
    let there_and_back = script("1: a -> b 1 | 2: a -> b 2 | ~1 | 2: a -> b 4 | ~1 | 2: a -> b 2 | 3: a -> b 2");
    let straight = script("1: a -> b 1 | 2: a -> b 2 | 3: a -> b 2");
    assert_eq!(there_and_back.standing(), straight.standing());
    let primed = script("1: a -> b 1 | 2': a -> b 2 | 3: a -> b 2").standing();
    assert_ne!(primed[2].hash, straight.standing()[2].hash);
    let id = |block: &BlockUnit| block.unit.entries[1].tx.clone();
    assert_eq!(id(&primed[2]), id(&straight.standing()[2]));
    assert_ne!(id(&primed[3]), id(&primed[2]));
}

#[test]
fn any_payload_can_be_said() {
    let ids = ["aa".repeat(32), "bb".repeat(32)];
    let text = format!(
        r#"1: alice !social.follow {{"follower":"{0}","following":"{1}"}} fee 2, bob !{{"v":1,"kind":"x|,y"}}"#,
        ids[0], ids[1]
    );
    let chain = script(&text).standing();
    assert_eq!(
        kinds(&chain[1]),
        [Kind::BlockApplied, Kind::TransactionApplied, Kind::Followed, Kind::TransactionApplied, Kind::Unrecognized]
    );
}

#[test]
fn a_shift_moves_a_block_and_those_on_top_of_it() {
    let script = script("1: | 2: @3600, a -> b 1, @60 | 3: | ~1 | 2: @-5 | 3: ");
    let seconds = |chain: &[BlockUnit]| -> Vec<i64> {
        let genesis = chain[0].unit.occurred_at;
        chain.iter().map(|block| (block.unit.occurred_at - genesis).num_seconds()).collect()
    };
    assert_eq!(seconds(&script.chain_after(4)), [0, 10, 3680, 3690]);
    assert_eq!(kinds(&script.chain_after(3)[2]), [Kind::BlockApplied, Kind::TransactionApplied]);
    assert_eq!(seconds(&script.standing()), [0, 10, 15, 25]);
}

#[test]
fn what_is_no_script_is_refused() {
    for text in [
        "1",
        "x:",
        "2: a -> b 1",
        "1: | 1:",
        "1: | ~5",
        "1: allocate a 5",
        "1: a b c",
        "1: a -> b x",
        "1: a -> b 1 tip 2",
        "1: a !5",
        "1: @soon",
        "1: @9223372036854775807",
    ] {
        assert!(Script::parse(text).is_err(), "{text}");
    }
}

#[tokio::test]
async fn a_source_plays_steps_and_lies_when_told() {
    let source = ScriptedSource::new(script("1: a -> b 1 | 2: | ~1 | 2':"));
    let height = |height: u64| Height::try_from(height).expect("a height");
    let tip = |source: ScriptedSource| async move { source.tip().await.map(|tip| tip.height) };
    assert_eq!(tip(source.clone()).await, Ok(height(0)));
    source.play_to(3);
    let before = source.hash_at(height(2)).await.expect("asked");
    source.play_all();
    assert_ne!(source.hash_at(height(2)).await.expect("asked"), before);
    source.tell(Lie::Transient);
    source.tell(Lie::LowerHead(1));
    source.tell(Lie::WrongParent);
    assert!(matches!(tip(source.clone()).await, Err(SourceError::Transient(_))));
    assert_eq!(tip(source.clone()).await, Ok(height(1)));
    assert_eq!(tip(source.clone()).await, Ok(height(2)));
    let wrong = source.blocks(height(1)..=height(2)).await.expect("asked");
    let right = source.blocks(height(1)..=height(2)).await.expect("asked");
    assert_ne!(wrong[0].parent_hash, right[0].parent_hash);
    assert_eq!(wrong[1], right[1]);
}
