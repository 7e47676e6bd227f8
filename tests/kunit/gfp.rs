// SPDX-License-Identifier: GPL-2.0-only

use kernel::prelude::*;

#[kunit_tests(kalloc_gfp)]
mod tests {
    use super::*;
    use kalloc::{
        Gfp,
        Order,
        PageCount, //
    };
    use kernel::{
        alloc::flags::__GFP_HIGHMEM,
        page::PAGE_SIZE, //
    };

    #[test]
    fn gfp_from_flags() {
        assert!(Gfp::from(GFP_KERNEL) == Gfp::KERNEL);
        assert!(Gfp::from(GFP_ATOMIC) == Gfp::ATOMIC);
        assert!(Gfp::from(GFP_NOWAIT) == Gfp::NOWAIT);
        assert!(Gfp::from(GFP_KERNEL_ACCOUNT) == Gfp::KERNEL_ACCOUNT);
        assert!(Gfp::from(__GFP_ZERO) == Gfp::ZERO);
        assert!(Gfp::from(__GFP_NOWARN) == Gfp::NOWARN);
    }

    #[test]
    fn gfp_from_combined_flags() {
        assert!(Gfp::from(GFP_KERNEL | __GFP_ZERO) == Gfp::KERNEL | Gfp::ZERO);
        assert!(Gfp::from(GFP_ATOMIC | __GFP_NOWARN) == Gfp::ATOMIC | Gfp::NOWARN);
        assert!(GFP_KERNEL | Gfp::NORETRY == Gfp::KERNEL | Gfp::NORETRY);
        let account = Gfp::from(GFP_KERNEL_ACCOUNT & !GFP_KERNEL);
        assert!(account == Gfp::ACCOUNT);
        let all = GFP_KERNEL_ACCOUNT | GFP_ATOMIC | __GFP_ZERO | __GFP_HIGHMEM | __GFP_NOWARN;
        for part in [Gfp::KERNEL_ACCOUNT, Gfp::ATOMIC, Gfp::ZERO, Gfp::NOWARN] {
            assert!(Gfp::from(all).contains(part));
        }
    }

    #[test]
    fn gfp_may_sleep() {
        assert!(Gfp::KERNEL.may_sleep() && Gfp::NOIO.may_sleep() && Gfp::NOFS.may_sleep());
        assert!(!Gfp::ATOMIC.may_sleep() && !Gfp::NOWAIT.may_sleep());
    }

    #[test]
    fn order_new_too_large() {
        assert!(Order::new(Order::MAX.get()) == Ok(Order::MAX));
        assert!(Order::new(Order::MAX.get() + 1) == Err(EINVAL));
        assert!(Order::of::<3>().pages() == 8);
    }

    #[test]
    fn page_count_out_of_range() {
        assert!(PageCount::new(0) == Err(EINVAL));
        assert!(PageCount::new(PageCount::MAX.get()) == Ok(PageCount::MAX));
        assert!(PageCount::new(PageCount::MAX.get() + 1) == Err(EINVAL));
        assert!(PageCount::of::<3>().bytes() == 3 * PAGE_SIZE);
        assert!(PageCount::for_bytes(0) == Err(EINVAL));
        assert!(PageCount::for_bytes(1) == PageCount::new(1));
        assert!(PageCount::for_bytes(2 * PAGE_SIZE + 1) == PageCount::new(3));
        assert!(PageCount::for_bytes(PageCount::MAX.bytes() + 1) == Err(EINVAL));
        assert!(PageCount::for_bytes(usize::MAX) == Err(EINVAL));
    }

    #[test]
    fn order_for_bytes() {
        assert!(Order::for_bytes(0) == Ok(Order::ZERO));
        assert!(Order::for_bytes(1) == Ok(Order::ZERO));
        assert!(Order::for_bytes(PAGE_SIZE) == Ok(Order::ZERO));
        assert!(Order::for_bytes(PAGE_SIZE + 1) == Order::new(1));
        assert!(Order::for_bytes(3 * PAGE_SIZE) == Order::new(2));
        assert!(Order::for_bytes(Order::MAX.bytes()) == Ok(Order::MAX));
        assert!(Order::for_bytes(Order::MAX.bytes() + 1) == Err(EINVAL));
        assert!(Order::for_bytes(usize::MAX) == Err(EINVAL));
    }
}
