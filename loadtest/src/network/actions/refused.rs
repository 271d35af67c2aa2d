//! Payloads that nobody can recognise, and the choice among all deliberate mistakes.

use super::super::draft::{Draft, From, Order, To};
use super::super::tally::{Defect, Kind};
use super::{Action, claims, decisions, delegation, governance, identity, money, social, somebody, work};

/// All sorts of mistakes but signatures, equally likely; one that is not possible now becomes a transfer.
const MISTAKES: &[Action] = &[
    identity::register_again,
    identity::link_by_other_key,
    identity::link_by_stranger,
    identity::link_twice,
    identity::unlink_unlinked,
    claims::hoard,
    social::follow_self,
    social::follow_unknown,
    social::follow_badly_signed,
    social::unfollow_unfollowed,
    social::stake_of_another,
    social::unstake_too_much,
    delegation::delegate_to_self,
    delegation::delegate_too_much,
    delegation::undelegate_too_much,
    governance::vote_outside,
    governance::vote_overclaimed,
    governance::vote_unknown,
    governance::propose_again,
    governance::finalize_by_stranger,
    decisions::vote_after_close,
    decisions::vote_without_power,
    decisions::finalize_again,
    decisions::cancel_decided,
    decisions::execute_unpassed,
    governance::title_too_long,
    work::submit_unsigned,
    work::submit_again,
    work::submit_before_it_was_handed_in,
    work::reject_by_another,
    work::reject_twice,
    work::register_again,
    work::slash_unknown,
    money::mint_by_stranger,
    unknown_kind,
    future_version,
    missing_field,
    wrong_type,
    out_of_range,
    not_a_number,
    late_allocation,
    not_a_payload,
];

/// One deliberate mistake.
pub fn or_contradicted(draft: &mut Draft<'_>) {
    let mistake = *draft.dice.pick(MISTAKES);
    mistake(draft);
}

fn unrecognized(draft: &mut Draft<'_>, defect: Defect, data: &str) {
    let sender = money::rich(draft);
    draft.defect(defect);
    draft.act(Kind::Unrecognized, From::Account(sender), data);
}

fn unknown_kind(draft: &mut Draft<'_>) {
    unrecognized(draft, Defect::UnknownKind, r#"{"v":1,"kind":"identity.teleport","to":"the moon"}"#);
}

fn future_version(draft: &mut Draft<'_>) {
    let Some(follower) = somebody(draft) else { return money::transfer(draft) };
    let ids = &draft.cast.identity_ids;
    let data = format!(
        r#"{{"v":2,"kind":"social.follow","follower":"{}","following":"{}"}}"#,
        ids[follower],
        ids[(follower + 1) % ids.len()]
    );
    unrecognized(draft, Defect::FutureVersion, &data);
}

fn missing_field(draft: &mut Draft<'_>) {
    let follower = &draft.cast.identity_ids[0];
    let data = format!(r#"{{"v":1,"kind":"social.follow","follower":"{follower}"}}"#);
    unrecognized(draft, Defect::MissingField, &data);
}

fn wrong_type(draft: &mut Draft<'_>) {
    let data = if draft.dice.one_in(2) {
        r#"{"v":1,"kind":"governance.vote","proposal_id":true,"voter":"x","choice":"for","power":1}"#
    } else {
        r#"{"v":1,"kind":"social.follow","follower":["a"],"following":{"b":null}}"#
    };
    unrecognized(draft, Defect::WrongType, data);
}

fn out_of_range(draft: &mut Draft<'_>) {
    let cast = draft.cast;
    let (account, validator) = (&cast.accounts[0].address, &cast.validators[0]);
    let amount = *draft.dice.pick(&["18446744073709551616", "\"18446744073709551616\"", "-1", "\"-5\"", "1e30"]);
    let data = format!(
        r#"{{"v":1,"kind":"staking.stake","account":"{account}","validator":"{validator}","amount":{amount}}}"#
    );
    unrecognized(draft, Defect::OutOfRange, &data);
}

fn not_a_number(draft: &mut Draft<'_>) {
    let cast = draft.cast;
    let data = format!(
        r#"{{"v":1,"kind":"pouw.submit","submission_id":"{}","miner_address":"{}","oracle_id":"{}","work_type":"boinc","difficulty":"NaN","credit":"NaN","reward":1,"validated_at":{}}}"#,
        draft.unique("nan"),
        cast.accounts[0].address,
        cast.oracles[0].id,
        draft.time_s()
    );
    unrecognized(draft, Defect::NotANumber, &data);
}

/// An allocation outside block 0, by the account that may allocate there.
pub fn late_allocation(draft: &mut Draft<'_>) {
    if money::is_too_early_to_make_any(draft) {
        return money::transfer(draft);
    }
    let address = &draft.cast.accounts[0].address;
    let data = format!(r#"{{"v":1,"kind":"genesis.allocate","address":"{address}","amount":1000000}}"#);
    draft.defect(Defect::LateAllocation);
    draft.act(Kind::Unrecognized, From::Origin, &data);
}

fn not_a_payload(draft: &mut Draft<'_>) {
    let data = *draft.dice.pick(&[r#""just a note""#, "[1,2,3]", "42", r#""7b22""#, "{}"]);
    let sender = From::Account(money::rich(draft));
    draft.defect(Defect::NotAPayload);
    // Not through the wrapping of payloads: this text is what it is.
    let order =
        Order { kind: Kind::Unrecognized, from: sender, to: To::Registry, amount: 7, data: Some(data), genuine: true };
    draft.send(order);
}
