//! Work follows its wallet to whoever it belongs to, and sums that do not come out stop the view.

use schema::event::Position;

use super::{assert_rebuilt_alike, boinc, lines, oracle, scores_by_height, script, sums, told, work};
use crate::histories::cast::{self, Proved};
use crate::support::{World, assert_same, connect, texts};

#[tokio::test(flavor = "multi_thread")]
async fn work_follows_its_wallet_and_visibility_decides_who_is_ranked() {
    let (alice, bob) = (0, 1);
    let blocks = [
        vec![oracle(), cast::register("alice", alice, "private"), cast::register("bob", bob, "public")],
        vec![boinc("a", 0, "1"), boinc("b", 1, "2"), work("c", 1, "compute")],
        // By the word of the source, so that a proof can move it.
        vec![cast::link("alice", alice, 0, Proved::Unverifiably), cast::link("alice", alice, 1, Proved::Well)],
        vec![cast::link("bob", bob, 0, Proved::Well), boinc("d", 0, "4")],
        vec![cast::update("alice", alice, "public"), cast::unlink("alice", alice, 1)],
        vec![cast::update("bob", bob, "friends_only"), boinc("e", 0, "8"), boinc("f", 1, "16")],
    ];
    let told_so = script(&blocks);
    let mut world = told(&told_so).await;
    assert_eq!(scores_by_height(&world, alice).await, ["0", "0", "0", "3", "2", "0", "0"]);
    assert_eq!(scores_by_height(&world, bob).await, ["0", "0", "0", "0", "5", "5", "13"]);
    assert_eq!(sums(&world, alice).await, ["t all 0 0 0 0 0 0", "t boinc 0 0 0 0 0 0", "t compute 0 0 0 0 0 0"]);
    assert_eq!(sums(&world, bob).await, ["f all 3 0 3 3 3 3", "f boinc 3 0 13 13 13 13"]);
    assert_rebuilt_alike(&mut world, "moved wallets").await;
    for height in 1..6 {
        let instead = format!("{}': {}", height + 1, boinc("z", 1, "32"));
        let mut forked = told(&format!("{told_so} | ~{height} | {instead}")).await;
        let mut straight = told(&format!("{} | {instead}", script(&blocks[..height]))).await;
        assert_same(&forked.rows().await, &straight.rows().await, &format!("back to {height}"));
        assert_rebuilt_alike(&mut forked, &format!("back to {height}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_that_do_not_come_out_set_the_view_aside() {
    let blocks = [
        vec![oracle(), cast::register("bob", 1, "public"), cast::link("bob", 1, 0, Proved::Well)],
        vec![boinc("a", 0, "1")],
        vec!["@3600".to_owned(), boinc("b", 0, "2")],
    ];
    let mut world = World::new().await;
    let source = world.add("chain", &script(&blocks)).await;
    source.play_to(3);
    world.follow("chain").await;
    let good = world.project().await;
    texts(&mut connect(&world.database).await, "update work_hours set score = score + 1 returning hour::text").await;
    source.play_all();
    world.follow("chain").await;
    let mut set_aside = Vec::new();
    loop {
        let progress = world.projector.step().await.expect("goes on without the view");
        if progress.events == 0 && progress.set_aside.is_empty() {
            break;
        }
        set_aside.extend(progress.set_aside);
    }
    let views: Vec<&str> = set_aside.iter().map(|broken| broken.view).collect();
    assert_eq!(views, ["work"], "{set_aside:?}");
    assert!(set_aside[0].why.contains("is not the sum of what its wallets have"), "{set_aside:?}");
    assert!(world.projector.position() > good && good > Position::START);
    let aside = "select view from view_state where state = 'set_aside' order by 1";
    assert_eq!(lines(&world, aside).await, ["performance", "work"]);
}
