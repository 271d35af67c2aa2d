//! A small chain on which everything happens once that this system knows: what the story, the examples in the API's
//! description, and the tests of privacy are told about.
//!
//! Heights and what they hold:
//!
//! | height | what happens |
//! |---|---|
//! | 0 | money for everybody |
//! | 1 | the oracle registers |
//! | 2 | ada (public), ben (friends only), cleo (private) and dora (public, and idle) register |
//! | 3 | each links a wallet; ben also claims ada's |
//! | 4 | stakes and a delegation from ben to ada; dora gives what she does not have |
//! | 5 | follows |
//! | 6 | work: by all three, one signed by the oracle, one with a broken signature, one rejected |
//! | 7 | ada proposes |
//! | 8 | voting opens |
//! | 9 | ada votes for, ben against and then abstains, cleo claims too much |
//! | 10 | voting has ended |
//! | 11 | the chain finalizes it |
//! | 12 | more work, and another proposal that is open at the end |

use serde_json::{Value, json};

use crate::node::{Node, Person, Work, origin};

/// Time of block 0: 2026-03-01T00:00:00Z.
pub const BEGIN: i64 = 1_772_323_200;
/// Id of the oracle.
pub const ORACLE: &str = "basalt";
/// Height of the newest block.
pub const HEIGHT: u64 = 12;

/// Everybody who lives there.
pub struct Village {
    /// Shows her statistics to everybody.
    pub ada: Person,
    /// Shows his to friends.
    pub ben: Person,
    /// Shows hers to nobody.
    pub cleo: Person,
    /// Does nothing that counts.
    pub dora: Person,
    /// Where ada, ben and cleo mine.
    pub rigs: [Person; 3],
    /// The oracle's account.
    pub oracle: Person,
    /// The node.
    pub node: Node,
}

impl Village {
    /// The village before its first block.
    pub async fn found() -> Self {
        Self {
            ada: Person::named("ada"),
            ben: Person::named("ben"),
            cleo: Person::named("cleo"),
            dora: Person::named("dora"),
            rigs: ["ada's rig", "ben's rig", "cleo's rig"].map(Person::named),
            oracle: Person::named("oracle"),
            node: Node::start().await,
        }
    }

    /// The village after everything has happened.
    pub async fn settled() -> Self {
        let village = Self::found().await;
        for height in 0..=HEIGHT {
            village.live(height);
        }
        village
    }

    /// Time of the block at a height: an hour each.
    pub fn time(height: u64) -> i64 {
        BEGIN + 3_600 * i64::try_from(height).expect("a height")
    }

    /// Mines the block at a height.
    pub fn live(&self, height: u64) {
        let mined = self.node.mine(Self::time(height), self.happens(height));
        assert_eq!(mined, height, "the village lives one block after the other");
    }

    fn happens(&self, height: u64) -> Vec<Value> {
        let Self { ada, ben, cleo, dora, rigs, oracle, .. } = self;
        match height {
            0 => [ada, ben, cleo, oracle].iter().map(|person| allocate(person, 1_000)).collect(),
            1 => vec![origin(
                "oracle.register",
                json!({
                    "oracle_id": ORACLE, "address": oracle.address, "name": "Basalt Verifier",
                    "key": {"alg": "ed25519", "public_key": oracle.public_key}
                }),
            )],
            2 => vec![
                ada.register("Ada Quartz", "public"),
                ben.register("Ben Flint", "friends_only"),
                cleo.register("Cléo Marl", "private"),
                dora.register("Dora 100%", "public"),
                ben.register("Ben again", "public"),
            ],
            3 => vec![
                ada.link(&rigs[0], "mining"),
                ada.link(ada, "main"),
                ben.link(&rigs[1], "mining"),
                ben.link(ben, "main"),
                cleo.link(&rigs[2], "mining"),
                cleo.link(cleo, "main"),
                ben.link(&rigs[0], "mining"),
            ],
            4 => vec![ada.stake(300), ben.stake(200), cleo.stake(50), ben.delegate(ada, 120), dora.delegate(ben, 70)],
            5 => vec![
                ben.follow(ada),
                cleo.follow(ada),
                ada.follow(ben),
                ada.follow(cleo),
                ada.unfollow(cleo),
                cleo.unfollow(ben),
            ],
            6 => self.first_work(),
            7 => vec![ada.act("governance.propose", proposal(1, ada, "Raise the block size", 8, 9, 100))],
            8 => vec![ada.stake(100)],
            9 => vec![
                ada.vote(1, "for", 420),
                ben.vote(1, "against", 80),
                ben.vote(1, "abstain", 80),
                cleo.vote(1, "against", 5_000),
                cleo.vote(99, "for", 1),
            ],
            10 => vec![ada.vote(1, "against", 420), ada.pay(ben, 5)],
            11 => vec![origin("governance.finalize", json!({"proposal_id": 1, "outcome": "passed", "votes_for": 421}))],
            _ => self.last_work(),
        }
    }

    fn first_work(&self) -> Vec<Value> {
        let Self { oracle, rigs: [ada, ben, cleo], .. } = self;
        let at = Self::time(6) - 60;
        let work = |id, miner, work_type, credit| Work { id, miner, work_type, credit, validated_at: at };
        vec![
            oracle.accept(ORACLE, &work("wu-ada-1", ada, "boinc", "12.5")),
            oracle.accept(ORACLE, &work("wu-ada-2", ada, "nuw_dag", "")),
            ada.hand_in(oracle, ORACLE, &work("wu-ada-3", ada, "boinc", "0.000000001"), true),
            ada.hand_in(oracle, ORACLE, &work("wu-ada-4", ada, "boinc", "99999"), false),
            oracle.accept(ORACLE, &work("wu-ben-1", ben, "boinc", "7171.25")),
            oracle.accept(ORACLE, &work("wu-cleo-1", cleo, "boinc", "8383.75")),
            oracle.accept(ORACLE, &work("wu-cleo-2", cleo, "bandwidth", "919191")),
            oracle.reject(ORACLE, &work("wu-ada-2", ada, "nuw_dag", ""), "result mismatch"),
            oracle.accept(ORACLE, &work("wu-ada-1", ada, "boinc", "12.5")),
            oracle.accept("unheard-of", &work("wu-ada-5", ada, "compute", "")),
        ]
    }

    fn last_work(&self) -> Vec<Value> {
        let Self { ada, oracle, rigs: [rig, ..], .. } = self;
        let at = Self::time(12) - 60;
        let work = |id, work_type| Work { id, miner: rig, work_type, credit: "", validated_at: at };
        vec![
            oracle.accept(ORACLE, &work("wu-ada-6", "nuw_zkproof")),
            oracle.accept(ORACLE, &work("wu-ada-7", "compute")),
            ada.act("governance.propose", proposal(2, ada, "Name the well", 12, 48, 1)),
            origin(
                "oracle.slash",
                json!({"oracle_id": ORACLE, "amount": 9, "reason": "signed two results for one task"}),
            ),
        ]
    }
}

fn allocate(person: &Person, amount: u64) -> Value {
    origin("genesis.allocate", json!({"address": person.address, "amount": amount}))
}

fn proposal(id: u64, by: &Person, title: &str, from: u64, to: u64, quorum: u64) -> Value {
    json!({
        "proposal_id": id, "proposer": by.id, "proposal_type": "text", "title": title, "description": "Because it is time.",
        "voting_starts_at": Village::time(from), "voting_ends_at": Village::time(to), "quorum": quorum
    })
}
