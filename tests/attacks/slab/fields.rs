// SPDX-License-Identifier: GPL-2.0-only

//! Fields with a false offset. The kernel kills a process that copies bytes outside a cache's
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

/// A driver's data about a user, partly secret.
pub(crate) struct Session {
    secret: [u8; 32],
    name: [u8; 32],
    /// A reference to memory outside the object.
    other: &'static [u8; 32],
}

static OTHER: [u8; 32] = [9; 32];

const NAME: Field<Session, [u8; 32]> = field!(Session, name);
const SECRET: Field<Session, [u8; 32]> = field!(Session, secret);

/// Copies a field to the first page of user space. Nothing is mapped there, so a permitted copy
/// ends with `EFAULT`.
fn copy(session: &Object<'_, Sessions>, field: Field<Session, [u8; 32]>) -> Result {
    let (_, mut to) = UserSlice::new(UserPtr::from_addr(0x1000), 4096).reader_writer();
    session.copy_to(field, &mut to)
}

/// Passes a session to `attack`. The usercopy region of its cache contains only the name.
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

/// Copies a field with the offset of another field.
pub(super) fn forged(_: &Attacker) -> Result {
    let forged = Field::new(
        offset_of!(Session, name),
        |session: &Session| &session.secret,
        |session: &mut Session| &mut session.secret,
    );
    with_session(|session| holds!(copy(session, forged) == Err(EINVAL)))
}

/// An even number if the next access returns the name, an odd one for the secret.
static MOVED: Atomic<i32> = Atomic::new(0);

/// Copies a field that changes between the check and the copy.
pub(super) fn moving(_: &Attacker) -> Result {
    fn get(session: &Session) -> &[u8; 32] {
        // Every other call returns the secret.
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

/// Copies a field that is located outside the object.
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
    // No byte of these objects may be copied.
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
