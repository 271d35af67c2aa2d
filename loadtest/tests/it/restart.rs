//! A chain in a file continues where it stood, however it was left.

use std::path::Path;

use loadtest::network::{Chain, NetworkConfig, NetworkError};

use crate::support::{blocks, small};

fn open(path: &Path) -> Chain {
    Chain::open(small(), path).expect("a chain file")
}

fn bytes(chain: &Chain) -> Vec<String> {
    blocks(chain).iter().map(|block| block.json().to_owned()).collect()
}

/// The same steps without any restart or file.
fn undisturbed() -> Chain {
    let mut chain = Chain::new(small()).expect("a valid configuration");
    for _ in 0..20 {
        chain.advance().expect("a step");
    }
    chain.fork(8).expect("a switch");
    for _ in 0..20 {
        chain.advance().expect("a step");
    }
    chain
}

#[test]
fn restarts_continue_the_same_chain() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chain");
    for save in [true, false] {
        let mut chain = open(&path);
        for _ in 0..20 {
            chain.advance().expect("a step");
        }
        if save {
            chain.save().expect("a file");
        }
        drop(chain);
        let mut chain = open(&path);
        chain.fork(8).expect("a switch");
        drop(chain);
        for _ in 0..20 {
            // A new process for every step.
            open(&path).advance().expect("a step");
        }
        let (chain, straight) = (open(&path), undisturbed());
        assert_eq!(chain.head(), straight.head());
        assert_eq!(bytes(&chain), bytes(&straight));
        assert_eq!(chain.ledger(), straight.ledger());
        assert_eq!(chain.tally(), straight.tally());
        std::fs::remove_file(&path).expect("the file");
    }
}

#[test]
fn a_torn_tail_costs_at_most_the_step_that_was_being_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chain");
    let mut chain = open(&path);
    let mut sizes = vec![];
    for _ in 0..8 {
        chain.advance().expect("a step");
        sizes.push((std::fs::metadata(&path).expect("the file").len(), chain.head()));
    }
    drop(chain);
    for pair in sizes.windows(2).rev() {
        let ((_, before), (end, after)) = (&pair[0], &pair[1]);
        let file = std::fs::OpenOptions::new().write(true).open(&path).expect("the file");
        file.set_len(end - 1).expect("a shorter file");
        let mut chain = open(&path);
        assert_eq!(chain.head(), *before);
        chain.advance().expect("a step");
        assert_eq!(chain.head(), *after);
        drop(chain);
        file.set_len(pair[0].0).expect("back to the step before");
    }
}

#[test]
fn another_configuration_or_another_file_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chain");
    drop(open(&path));
    let other = NetworkConfig { seed: 5, ..small() };
    assert!(matches!(Chain::open(other, &path), Err(NetworkError::ConfigDiffers { .. })));
    assert_eq!(Chain::stored_config(&path).expect("a file"), Some(small()));
    std::fs::write(&path, "something else entirely").expect("a file");
    assert!(matches!(Chain::open(small(), &path), Err(NetworkError::Damaged { .. })));
}
