//! What is said in the name of an oracle that is not its own.

use super::{ORACLE_HOURS, ORACLE_TYPES, assert_rebuilt_alike, boinc, lines, oracle, piece, script, told};
use crate::histories::cast::{self, Piece};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_in_the_name_of_an_oracle_is_told_by_type_and_hour_but_measures_nothing() {
    let said = |piece: Piece, verdict| Piece { latency_s: Some(5), ..piece }.submitted("mallory", verdict);
    let of = |oracle: usize, work_type| Piece { oracle, work_type, ..piece("x", 0, "1") };
    let below = [
        vec![oracle()],
        // Nobody registered the third oracle, whoever sends; and nobody else speaks for the first.
        vec![
            said(of(2, "compute"), None),
            Piece { latency_s: Some(5), ..of(2, "boinc") }.submitted(&cast::oracle_account(2), None),
            cast::reject(&cast::oracle_account(2), "x", 0, 2),
            said(of(0, "boinc"), None),
            said(of(0, "compute"), Some(false)),
        ],
    ];
    let above = vec!["@3600".to_owned(), said(of(2, "boinc"), None), boinc("x", 0, "1"), boinc("x", 0, "1")];
    let script_below = script(&below);
    let mut world = told(&script(&[&below[..], &[above]].concat())).await;
    let types = lines(&world, ORACLE_TYPES).await;
    assert_eq!(types, ["o0 boinc 1 0 0 1", "o0 compute 0 0 1 0", "o2 boinc 0 0 0 3", "o2 compute 0 0 0 1"]);
    let hours = lines(&world, ORACLE_HOURS).await;
    assert_eq!(hours, ["o0 0 0 0 1 1", "o0 1 1 0 0 0", "o2 0 0 0 0 3", "o2 1 0 0 0 1"]);
    let measured = "select concat_ws(' ', oracle_id, unproven, repeated, latency_count, last_at is null) \
                    from oracle_activity order by 1";
    assert_eq!(lines(&world, measured).await, ["o0 1 1 0 f", "o2 4 0 0 t"]);
    assert_eq!(lines(&world, "select oracle_id from oracle_latencies").await, [""; 0]);
    assert_rebuilt_alike(&mut world, "what is said in a name").await;

    // What a fork undoes was not said.
    let undone = told(&format!("{script_below} | ~1 | 2': {}", said(of(2, "compute"), None))).await;
    assert_eq!(lines(&undone, ORACLE_TYPES).await, ["o2 compute 0 0 0 1"]);
    assert_eq!(lines(&undone, ORACLE_HOURS).await, ["o2 0 0 0 0 1"]);
}
