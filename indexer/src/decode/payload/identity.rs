//! Payloads about identities and who follows whom: `identity.*`, `social.*`.

use schema::event::{
    Change, Checks, Event, Followed, IdentityRegistered, IdentityUpdated, KeyRotated, Proof, Role, StatsVisibility,
    Unfollowed, WalletLinked, WalletUnlinked,
};

use super::{Fields, Said, WORD_MAX, hash_text, identity_subject, key_text};
use crate::decode::json::{self, Object};
use crate::decode::{Misfit, limits};
use crate::verify;

/// Characters of a display name.
const DISPLAY_NAME_MAX: usize = 64;
/// Characters of a biography.
const BIO_MAX: usize = 280;
/// Characters of a link's type.
const LINK_TYPE_MAX: usize = 32;

pub(super) fn register(fields: &Fields<'_>) -> Result<Said, Misfit> {
    let visibility = fields.payload.optional_text("stats_visibility")?;
    let body = IdentityRegistered {
        avatar_hash: fields
            .payload
            .optional_text("avatar_hash")?
            .map(|text| hash_text("avatar_hash", text))
            .transpose()?,
        bio: fields.optional_text("bio", BIO_MAX)?,
        display_name: fields.optional_text("display_name", DISPLAY_NAME_MAX)?,
        identity_id: fields.identity("identity_id")?,
        key: fields.key()?,
        sender: fields.sender(),
        stats_visibility: visibility.map_or(Ok(StatsVisibility::Private), |text| stats_visibility(&text))?,
    };
    let subjects = vec![identity_subject(Role::Identity, &body.identity_id), fields.sender_subject(Role::Account)?];
    Ok(Said::plain(Event::IdentityRegistered(body), subjects))
}

pub(super) fn update(fields: &Fields<'_>) -> Result<Said, Misfit> {
    let body = IdentityUpdated {
        avatar_hash: change(fields, "avatar_hash", |text| hash_text("avatar_hash", text))?,
        bio: change(fields, "bio", |text| limits::chars("bio", text, BIO_MAX))?,
        display_name: change(fields, "display_name", |text| limits::chars("display_name", text, DISPLAY_NAME_MAX))?,
        identity_id: fields.identity("identity_id")?,
        sender: fields.sender(),
        stats_visibility: change(fields, "stats_visibility", |text| stats_visibility(&text))?,
    };
    let subjects = vec![identity_subject(Role::Identity, &body.identity_id), fields.sender_subject(Role::Account)?];
    Ok(Said::plain(Event::IdentityUpdated(body), subjects))
}

fn change<T>(
    fields: &Fields<'_>,
    name: &str,
    read: impl FnOnce(String) -> Result<T, Misfit>,
) -> Result<Change<T>, Misfit> {
    match fields.payload.raw(name)? {
        None => Ok(Change::Keep),
        Some(raw) if json::is_null(raw) => Ok(Change::Clear),
        Some(raw) => read(json::text(name, raw)?).map(Change::Set),
    }
}

fn stats_visibility(text: &str) -> Result<StatsVisibility, Misfit> {
    [StatsVisibility::Public, StatsVisibility::FriendsOnly, StatsVisibility::Private]
        .into_iter()
        .find(|visibility| visibility.name() == text)
        .ok_or_else(|| Misfit::new("`stats_visibility` is none of public, friends_only and private"))
}

pub(super) fn rotate_key(fields: &Fields<'_>) -> Result<Said, Misfit> {
    let key = fields.key()?;
    let raw = fields.payload.need("proof")?;
    // The proof is by the new key, so a bare signature says all there is to say.
    let proof = if raw.get().starts_with('"') {
        let signature = key_text("proof", json::text("proof", raw)?)?;
        Proof { alg: key.alg.clone(), public_key: key.public_key.clone(), signature }
    } else {
        proof(fields)?
    };
    let mut body = KeyRotated {
        checks: Checks::new(),
        identity_id: fields.identity("identity_id")?,
        key,
        proof,
        sender: fields.sender(),
    };
    let check = verify::chert::key_rotation(fields.carrier.rules.chain_id.as_deref(), &body);
    body.checks.insert("proof".to_owned(), check);
    let subjects = vec![identity_subject(Role::Identity, &body.identity_id)];
    let checks = body.checks.clone();
    Ok(Said::checked(Event::KeyRotated(body), subjects, &checks))
}

pub(super) fn link_wallet(fields: &Fields<'_>) -> Result<Said, Misfit> {
    let mut body = WalletLinked {
        checks: Checks::new(),
        identity_id: fields.identity("identity_id")?,
        link_type: fields.name("link_type", LINK_TYPE_MAX)?,
        proof: proof(fields)?,
        sender: fields.sender(),
        wallet_address: fields.address("wallet_address")?,
    };
    let check = verify::chert::wallet_link(fields.carrier.rules.chain_id.as_deref(), &body);
    body.checks.insert("proof".to_owned(), check);
    let subjects =
        vec![identity_subject(Role::Identity, &body.identity_id), fields.subject(Role::Wallet, &body.wallet_address)?];
    let checks = body.checks.clone();
    Ok(Said::checked(Event::WalletLinked(body), subjects, &checks))
}

fn proof(fields: &Fields<'_>) -> Result<Proof, Misfit> {
    let proof = Object::parse(fields.payload.need("proof")?.get()).map_err(|misfit| misfit.within("`proof`"))?;
    Ok(Proof {
        alg: limits::line("alg", proof.text("alg")?, WORD_MAX)?,
        public_key: key_text("public_key", proof.text("public_key")?)?,
        signature: key_text("signature", proof.text("signature")?)?,
    })
}

pub(super) fn unlink_wallet(fields: &Fields<'_>) -> Result<Said, Misfit> {
    let body = WalletUnlinked {
        identity_id: fields.identity("identity_id")?,
        sender: fields.sender(),
        wallet_address: fields.address("wallet_address")?,
    };
    let subjects =
        vec![identity_subject(Role::Identity, &body.identity_id), fields.subject(Role::Wallet, &body.wallet_address)?];
    Ok(Said::plain(Event::WalletUnlinked(body), subjects))
}

pub(super) fn follow(fields: &Fields<'_>) -> Result<Said, Misfit> {
    let (follower, following) = (fields.identity("follower")?, fields.identity("following")?);
    if follower.get() == following.get() {
        return Err(Misfit::new("nobody follows themselves"));
    }
    let subjects = vec![identity_subject(Role::Follower, &follower), identity_subject(Role::Following, &following)];
    Ok(Said::plain(Event::Followed(Followed { follower, following, sender: fields.sender() }), subjects))
}

pub(super) fn unfollow(fields: &Fields<'_>) -> Result<Said, Misfit> {
    let (follower, following) = (fields.identity("follower")?, fields.identity("following")?);
    if follower.get() == following.get() {
        return Err(Misfit::new("nobody follows themselves"));
    }
    let subjects = vec![identity_subject(Role::Follower, &follower), identity_subject(Role::Following, &following)];
    Ok(Said::plain(Event::Unfollowed(Unfollowed { follower, following, sender: fields.sender() }), subjects))
}
