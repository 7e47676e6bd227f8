// SPDX-License-Identifier: GPL-2.0

//! Fields that are not where they claim to be. The kernel ends whoever copies what is not in a cache's
//! usercopy region.

use super::{
    Sessions,
    Triples, //
};
use crate::attack::Attacker;
use core::mem::offset_of;
use kalloc::{
    field,
    slab::{
        Field,
        Object,
        Options, //
    }, //
    KmemCache,
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

/// What a driver knows of a user: not all of it is for user space.
pub(crate) struct Session {
    secret: [u8; 32],
    name: [u8; 32],
    /// What is somewhere else.
    other: &'static [u8; 32],
}

static OTHER: [u8; 32] = [9; 32];

const NAME: Field<Session, [u8; 32]> = field!(Session, name);
const SECRET: Field<Session, [u8; 32]> = field!(Session, secret);

/// Copies a field to the first page of user space, where nothing is, so that a copy that is made ends with
/// `EFAULT`.
fn copy(session: &Object<'_, Sessions>, field: Field<Session, [u8; 32]>) -> Result {
    let (_, mut to) = UserSlice::new(UserPtr::from_addr(0x1000), 4096).reader_writer();
    session.copy_to(field, &mut to)
}

/// Gives `attack` a session of a cache from which only the name may be copied.
fn with_session(attack: impl FnOnce(&Object<'_, Sessions>)) -> Result {
    let cache = KmemCache::<Sessions>::with_usercopy(Options::new(), NAME)?;
    let session = Session {
        secret: [7; 32],
        name: [0; 32],
        other: &OTHER,
    };
    let session = cache.alloc(session, GFP_KERNEL)?;
    holds!(copy(&session, NAME) == Err(EFAULT));
    holds!(copy(&session, SECRET) == Err(EINVAL));
    attack(&session);
    Ok(())
}

/// A field with the offset of another.
pub(super) fn forged(_: &Attacker) -> Result {
    let forged = Field::new(
        offset_of!(Session, name),
        |session: &Session| &session.secret,
        |session: &mut Session| &mut session.secret,
    );
    with_session(|session| holds!(copy(session, forged) == Err(EINVAL)))
}

/// Whether the field is the secret now.
static MOVED: Atomic<i32> = Atomic::new(0);

/// A field that is one when it is looked at, and another one when it is copied.
pub(super) fn moving(_: &Attacker) -> Result {
    fn get(session: &Session) -> &[u8; 32] {
        // Every other time.
        match MOVED.fetch_add(1, Relaxed) % 2 {
            0 => &session.name,
            _ => &session.secret,
        }
    }
    let moving = Field::new(offset_of!(Session, name), get, |session: &mut Session| {
        &mut session.name
    });
    with_session(|session| {
        for _ in 0..4 {
            let copied = copy(session, moving);
            holds!(copied == Err(EFAULT) || copied == Err(EINVAL));
        }
    })
}

/// A field that is in no object.
pub(super) fn elsewhere(_: &Attacker) -> Result {
    let elsewhere = Field::new(
        offset_of!(Session, name),
        |session: &Session| session.other,
        |session: &mut Session| &mut session.name,
    );
    with_session(|session| {
        let copied = copy(session, elsewhere);
        holds!(copied == Err(EFAULT) || copied == Err(EINVAL));
    })?;
    // Nothing of these may be copied.
    let cache = KmemCache::<Triples>::new(Options::new().no_usercopy())?;
    let triple = cache.alloc([0; 3], GFP_KERNEL)?;
    let (_, mut to) = UserSlice::new(UserPtr::from_addr(0x1000), 4096).reader_writer();
    let whole = Field::new(
        0,
        |triple: &[u64; 3]| triple,
        |triple: &mut [u64; 3]| triple,
    );
    holds!(triple.copy_to(whole, &mut to) == Err(EINVAL));
    Ok(())
}
