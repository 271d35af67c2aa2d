//! Boards as of a position are the same whether daily boards were kept, and however far these reach.

use serde_json::Value;

use crate::network::Network;
use crate::pouw::{FAY, FIVE, GUS, hide_dan, id, start};

/// Every question whose answer may be made from a board that was kept, with what of the answer to compare.
fn questions() -> Vec<(String, &'static str)> {
    let mut questions = Vec::new();
    for position in [31, 40, 49, 50, 51, 59, 60, 69, 70] {
        for board in ["", "&by=address", "&timeframe=week", "&timeframe=day&by=address", "&type=boinc"] {
            let board = format!("/v1/pouw/leaderboard?at_position={position}{board}");
            questions.push((board.clone(), ""));
            for (offset, limit) in [(0, 1), (0, 2), (1, 2), (3, 2), (4, 1), (5, 3), (7, 1)] {
                questions.push((format!("{board}&offset={offset}&limit={limit}"), ""));
            }
        }
        for mark in FIVE.iter().chain([&GUS, &FAY]) {
            let id = id(mark);
            for limit in [1, 3] {
                let around = format!("around={id}&limit={limit}");
                questions.push((format!("/v1/pouw/leaderboard?at_position={position}&{around}"), ""));
            }
            questions.push((format!("/v1/pouw/rank/{id}?at_position={position}"), "/current"));
            questions.push((format!("/v1/pouw/rank/{id}?at_position={position}&timeframe=week"), "/current"));
            questions.push((format!("/v1/pouw/stats/{id}?at_position={position}"), ""));
        }
        for address in ["wa", "wb", "wf", "Lone"] {
            let around = format!("by=address&around={address}&limit=3");
            questions.push((format!("/v1/pouw/leaderboard?at_position={position}&{around}"), ""));
        }
    }
    questions
}

async fn answers(network: &Network) -> Vec<(String, u16, Value)> {
    let mut answers = Vec::new();
    for (question, part) in questions() {
        let answer = network.ask(&question).await;
        let body = answer.body.pointer(part).cloned().unwrap_or_default();
        answers.push((question, answer.status.as_u16(), body));
    }
    answers
}

#[tokio::test]
async fn what_was_kept_decides_only_how_long_an_answer_takes() {
    let with_none = start().await;
    with_none.run("delete from views.identity_boards; delete from views.address_boards").await;
    hide_dan(&with_none).await;
    let expected = answers(&with_none).await;
    let answered = expected.iter().filter(|(_, status, _)| *status == 200).count();
    assert!(answered > 400, "only {answered} questions were answered");

    for places in [0, 1, 2, 3, 4, 2_000] {
        let network = start().await;
        for (table, members) in [("identity_boards", "identities"), ("address_boards", "addresses")] {
            let cut = |column: &str| format!("{column} = {column}[1:{places}]");
            let columns = [members, "scores", "last_ats"].map(cut).join(", ");
            network.run(&format!("update views.{table} set {columns}")).await;
        }
        hide_dan(&network).await;
        for (expected, answer) in expected.iter().zip(answers(&network).await) {
            assert_eq!(*expected, answer, "{places} places kept");
        }
    }
}
