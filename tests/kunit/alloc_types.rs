// SPDX-License-Identifier: GPL-2.0-only

//! Strings, flexible arrays, vectors that shrink, and memory on a node.

use crate::{
    Change,
    Dropped, //
};
use core::cell::Cell;
use kalloc::{
    alloc::{
        boxed::BoxExt,
        vec::VecExt, //
    },
    kasprintf,
    kvec,
    CString,
    Flex,
    KBox,
    KVBox,
    KVVec,
    KVec,
    VVec, //
};
use kernel::{
    alloc::{
        AllocError,
        NumaNode, //
    },
    fmt::{
        self,
        Display, //
    },
    new_mutex,
    page::PAGE_SIZE,
    prelude::*,
    sync::Mutex, //
};

kalloc::sites! {
    pub(crate) Names: kmalloc([u8]), "kunit_types_name";
    pub(crate) Lists: kmalloc([u64]), "kunit_types_list";
    pub(crate) Either: kvmalloc([u64]), "kunit_types_either";
    pub(crate) Mapped: vmalloc([u64]), "kunit_types_mapped";
    pub(crate) Word: kmalloc(u64), "kunit_types_word";
}

/// A value whose text is longer each time that it is formatted.
struct Growing(Cell<usize>);

impl Display for Growing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.set(self.0.get() + 1);
        (0..self.0.get()).try_for_each(|_| f.write_str("x"))
    }
}

/// A value whose text fails.
struct Failing;

impl Display for Failing {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Err(fmt::Error)
    }
}

#[kunit_tests(kalloc_alloc_types)]
mod tests {
    use super::*;

    #[test]
    fn cstring_from_fmt_has_exact_size() -> Result {
        let change = Change::of::<Names>();
        let name = CString::<Names>::try_from_fmt(fmt!("{}-{:03}", "port", 7))?;
        assert_eq!(name.to_bytes_with_nul(), b"port-007\0");
        assert_eq!((change.live().0, change.live().1), (1, 9));
        let copy: CString<Names> = CString::try_from(&*name)?;
        let text: CString<Names> = kasprintf!(GFP_ATOMIC, "{copy}{:?}", 1)?;
        assert_eq!(text.to_bytes(), b"port-0071");
        let empty = CString::<Names>::try_from_fmt(fmt!(""))?;
        assert_eq!((&*empty, change.live().0), (c"", 4));
        drop((name, copy, text, empty));
        assert_eq!(change.live(), (0, 0, 0));
        Ok(())
    }

    #[test]
    fn cstring_from_fmt_with_nul_fails() -> Result {
        let change = Change::of::<Names>();
        for text in ["\0", "a\0b", "ab\0"] {
            assert_eq!(
                CString::<Names>::try_from_fmt(fmt!("{text}")).err(),
                Some(EINVAL)
            );
            let bytes = CString::<Names>::from_bytes(text.as_bytes(), GFP_KERNEL);
            assert_eq!(bytes.err(), Some(EINVAL));
        }
        assert_eq!(change.live(), (0, 0, 0));
        Ok(())
    }

    #[test]
    fn cstring_from_fmt_value_fails() -> Result {
        let change = Change::of::<Names>();
        let growing = Growing(Cell::new(0));
        let grown = CString::<Names>::try_from_fmt(fmt!("{growing}"));
        assert_eq!((grown.err(), growing.0.get()), (Some(EINVAL), 2));
        // Nothing is allocated for a text without a length.
        let events = change.events();
        assert_eq!(
            CString::<Names>::try_from_fmt(fmt!("{}", Failing)).err(),
            Some(EINVAL)
        );
        assert_eq!((change.events(), change.live()), (events, (0, 0, 0)));
        Ok(())
    }

    #[test]
    fn flex_zeroed_counts_header_and_tail() -> Result {
        let change = Change::of::<Lists>();
        let mut flex: KBox<Flex<u8, u32>, Lists> = Flex::zeroed(7, 5, GFP_KERNEL)?;
        assert_eq!((flex.header, &flex.tail), (7, &[0; 5][..]));
        // The tail starts at a multiple of its alignment.
        assert_eq!((change.live().0, change.live().1), (1, 24));
        flex.tail[4] = 1;
        assert_eq!(flex.tail.iter().sum::<u32>(), 1);
        drop(flex);
        let empty: KBox<Flex<u64, u32>, Lists> = Flex::zeroed(7, 0, GFP_KERNEL)?;
        assert_eq!((empty.tail.len(), change.live().1), (0, 8));
        drop(empty);
        // The alignment of the header pads the block.
        let padded: KBox<Flex<u64, u8>, Lists> = Flex::new(7, 3, |_| 1, GFP_KERNEL)?;
        assert_eq!((padded.tail.len(), change.live().1), (3, 16));
        drop(padded);
        assert_eq!(change.live(), (0, 0, 0));
        Ok(())
    }

    #[test]
    fn flex_size_overflows_fails() -> Result {
        let change = Change::of::<Lists>();
        let dropped = Cell::new(0);
        for len in [
            usize::MAX,
            usize::MAX / 8,
            isize::MAX as usize / 8,
            isize::MAX as usize / 8 - 1,
        ] {
            let flex = Flex::<_, u64>::zeroed(Dropped(&dropped), len, GFP_KERNEL | __GFP_NOWARN);
            let flex: Result<KBox<_, Lists>, AllocError> = flex;
            assert!(flex.is_err());
        }
        // No header is lost.
        assert_eq!((dropped.get(), change.live()), (4, (0, 0, 0)));
        Ok(())
    }

    #[test]
    fn flex_drop_drops_each_part_once() -> Result {
        let change = Change::of::<Either>();
        let dropped = Cell::new(0);
        let part = |_| Dropped(&dropped);
        let flex: KVBox<Flex<_, _>, Either> = Flex::new(part(0), 3, part, GFP_KERNEL)?;
        assert_eq!((dropped.get(), change.live().0), (0, 1));
        drop(flex);
        assert_eq!((dropped.get(), change.live()), (4, (0, 0, 0)));
        Ok(())
    }

    #[test]
    fn flex_init_fails_drops_earlier_parts() -> Result {
        let change = Change::of::<Lists>();
        let dropped = Cell::new(0);
        let part = |index| {
            if index == 2 {
                Err(EBADF)
            } else {
                Ok(Dropped(&dropped))
            }
        };
        let flex: Result<Pin<KBox<Flex<Dropped<'_>, Dropped<'_>>, Lists>>> =
            Flex::try_pin_init(Dropped(&dropped), 5, part, GFP_KERNEL);
        assert_eq!(flex.err(), Some(EBADF));
        assert_eq!((dropped.get(), change.events()), (3, (1, 1, 0)));
        let locks: Pin<KBox<Flex<(), Mutex<u64>>, Lists>> =
            Flex::try_pin_init((), 4, |index| new_mutex!(index as u64), GFP_KERNEL)?;
        assert_eq!(locks.tail.iter().map(|lock| *lock.lock()).sum::<u64>(), 6);
        drop(locks);
        assert_eq!(change.live(), (0, 0, 0));
        Ok(())
    }

    #[test]
    fn vec_shrink_to_gives_memory_back() -> Result {
        let change = Change::of::<Either>();
        let mut vec = KVVec::<u64, Either>::with_capacity(1 << 17, GFP_KERNEL)?;
        for number in 0..3 {
            vec.push(number, GFP_KERNEL)?;
        }
        let before = change.live().1;
        vec.shrink_to(100, GFP_KERNEL)?;
        assert_eq!(
            (before, vec.capacity(), change.live().1),
            (8 << 17, 100, 800)
        );
        // The length is the limit, and a larger capacity changes nothing.
        let events = change.events();
        vec.shrink_to(200, GFP_KERNEL)?;
        assert_eq!(change.events(), events);
        vec.shrink_to(0, GFP_KERNEL)?;
        assert_eq!((vec.capacity(), &vec[..]), (3, &[0, 1, 2][..]));
        vec.clear();
        vec.shrink_to(0, GFP_KERNEL)?;
        assert_eq!((vec.capacity(), change.live()), (0, (0, 0, 0)));
        vec.push(7, GFP_KERNEL)?;
        drop(vec);

        let change = Change::of::<Mapped>();
        let mut vec = VVec::<u64, Mapped>::with_capacity(4 * PAGE_SIZE, GFP_KERNEL)?;
        vec.push(7, GFP_KERNEL)?;
        vec.shrink_to(2, GFP_KERNEL)?;
        assert_eq!((vec[0], change.live()), (7, (1, 16, PAGE_SIZE as u64 - 16)));
        drop(vec);

        let change = Change::of::<Lists>();
        let mut vec = KVec::<u64, Lists>::with_capacity(1000, GFP_KERNEL)?;
        vec.shrink_to(8, GFP_KERNEL)?;
        assert_eq!(change.live(), (1, 64, 0));
        // An empty vector has no memory, and elements without bytes never have.
        KVec::<u64, Lists>::new().shrink_to(0, GFP_KERNEL)?;
        KVec::<(), Lists>::new().shrink_to(0, GFP_KERNEL)?;
        drop(vec);
        assert_eq!(change.live(), (0, 0, 0));
        Ok(())
    }

    #[test]
    fn kvec_macro_counts_elements() -> Result {
        let change = Change::of::<Lists>();
        let list: KVec<i32, Lists> = kvec![1, 2, 3]?;
        let filled: KVec<u64, Lists> = kvec![7; 4]?;
        let empty: KVec<u64, Lists> = kvec![];
        assert_eq!((&list[..], &filled[..]), (&[1, 2, 3][..], &[7; 4][..]));
        assert_eq!((empty.capacity(), change.live()), (0, (2, 44, 4)));
        drop((list, filled));
        assert_eq!(change.live(), (0, 0, 0));
        Ok(())
    }

    #[test]
    fn new_on_node_is_on_node() -> Result {
        let change = Change::of::<Word>();
        let node = NumaNode::new(0)?;
        let word = KBox::<u64, Word>::new_on(7, GFP_KERNEL, node)?;
        assert_eq!((*word, change.events()), (7, (1, 0, 0)));
        drop(word);
        assert_eq!(change.live(), (0, 0, 0));
        // A node that does not exist is an error, if the kernel knows its number at all.
        if let Ok(none) = NumaNode::new(1) {
            assert!(KBox::<u64, Word>::new_on(7, GFP_KERNEL, none).is_err());
            assert!(KVec::<u64, Lists>::with_capacity_on(7, GFP_KERNEL, none).is_err());
            drop(KBox::<(), Word>::new_on((), GFP_KERNEL, none)?);
        }

        let change = Change::of::<Lists>();
        let mut list = KVec::<u64, Lists>::with_capacity_on(8, GFP_KERNEL, node)?;
        assert_eq!((list.capacity(), change.live()), (8, (1, 64, 0)));
        list.push(7, GFP_KERNEL)?;
        list.reserve(100, GFP_KERNEL)?;
        assert_eq!(list[0], 7);
        drop(list);
        assert_eq!(change.live(), (0, 0, 0));
        Ok(())
    }
}
