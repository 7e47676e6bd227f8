// SPDX-License-Identifier: GPL-2.0-only

use kalloc::{
    accounting::stats::Failures,
    mm::vmap::ReadOnly,
    page::{
        Split,
        StructPage, //
    },
    slab::Options,
    sys::{
        context,
        gfp::Nonblocking,
        percpu::PerCpu, //
    }, //
    Array,
    CompoundPages,
    ExactPages,
    Gfp,
    KVBox,
    KVmalloc,
    KmemCache,
    Mapping,
    Order,
    PageArray,
    PageCount,
    Pages,
    Tag,
    VBox,
    Vmalloc,
};
use kernel::{
    impl_has_hr_timer,
    new_spinlock,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        ArcBorrow,
        Completion,
        SpinLock, //
    },
    time::{
        delay::fsleep,
        hrtimer::{
            HrTimer,
            HrTimerCallback,
            HrTimerCallbackContext,
            HrTimerPointer,
            HrTimerRestart,
            RelativeMode,
            RelativeSoftMode, //
        },
        Delta,
        Monotonic, //
    }, //
};

/// A type above kmalloc's size limit.
type Huge = [u8; kalloc::alloc::kmalloc::MAX_SIZE + 1];

kalloc::sites! {
    pub(crate) Blocks: vmalloc([u8]), "kunit_context_block";
    pub(crate) Either: kvmalloc([u8]), "kunit_context_kv";
    pub(crate) Arrays: pages, "kunit_context_array";
    pub(crate) Words: cache(u64), "kunit_context_word";
}

type Buffer = Array<u8, Vmalloc<Blocks>>;

/// Owners whose memory cannot be freed in atomic context.
struct Owners {
    _large: Buffer,
    _least: Buffer,
    _huge: KVBox<Huge, Either>,
    _mapped: PageArray<Arrays>,
    _read_only: PageArray<Arrays>,
    _many: PageArray<Arrays>,
    _few: PageArray<Arrays>,
    _exact: ExactPages<Arrays>,
    _split: Split<StructPage, Arrays>,
}

impl Owners {
    fn new() -> Result<Self> {
        let mut mapped = PageArray::zeroed(3, GFP_KERNEL)?;
        core::mem::forget(Mapping::new(&mut mapped)?);
        let mut read_only = PageArray::zeroed(2, GFP_KERNEL)?;
        core::mem::forget(Mapping::<_, ReadOnly>::read_only(&mut read_only)?);
        Ok(Owners {
            _large: Buffer::zeroed(5 * PAGE_SIZE + 1, GFP_KERNEL)?,
            // One byte still takes a page, which has room for a list entry.
            _least: Buffer::zeroed(1, GFP_KERNEL)?,
            _huge: KVBox::<Huge, Either>::zeroed(GFP_KERNEL)?,
            _mapped: mapped,
            _read_only: read_only,
            _many: PageArray::zeroed(600, GFP_KERNEL)?,
            _few: PageArray::zeroed(4, GFP_KERNEL)?,
            _exact: ExactPages::zeroed(PageCount::of::<17>(), GFP_KERNEL)?,
            _split: Pages::zeroed(Order::of::<5>(), GFP_KERNEL)?.split_pages(),
        })
    }
}

/// Returns whether calls that sleep fail in atomic context.
fn sleeping_calls_fail() -> bool {
    context::known_atomic()
        && !context::known_sleepable()
        && VBox::<u64, Blocks>::new(1, GFP_KERNEL).is_err()
        && PageArray::<Arrays>::zeroed(1, GFP_KERNEL).is_err()
        // kmalloc would not sleep, but the fallback to vmalloc would.
        && Array::<u8, KVmalloc<Either>>::zeroed(PAGE_SIZE + 1, GFP_KERNEL).is_err()
        && KmemCache::<Words>::new(Options::new()).err() == Some(EAGAIN)
        && Gfp::KERNEL.checked_for_context() == Err(EAGAIN)
        && Gfp::ATOMIC.checked_for_context().is_ok() == context::can_allocate()
}

/// Returns whether calls that do not sleep succeed: the page allocator and kmalloc.
fn other_calls_work() -> bool {
    let flags = Nonblocking::ATOMIC.zeroed();
    Pages::<Arrays>::zeroed(Order::ZERO, flags).is_ok_and(|page| page.iter().all(|&b| b == 0))
        && Array::<u8, KVmalloc<Either>>::zeroed(PAGE_SIZE, flags.into()).is_ok()
}

/// Returns whether vmalloc memory can be allocated, resized and freed without sleeping.
fn vmalloc_works() -> Result<bool> {
    let flags: kernel::alloc::Flags = Nonblocking::NOWAIT.into();
    let mut buffer = Buffer::zeroed(PAGE_SIZE + 1, flags)?;
    buffer.fill(5);
    buffer.resize(4 * PAGE_SIZE, flags)?;
    let grown = buffer[..PAGE_SIZE + 1].iter().all(|&byte| byte == 5)
        && buffer[PAGE_SIZE + 1..].iter().all(|&byte| byte == 0);
    let refused = buffer.resize(PAGE_SIZE, GFP_KERNEL).is_err() && buffer.len() == 4 * PAGE_SIZE;
    buffer.resize(3, flags)?;
    let shrunk = buffer[..] == [5; 3];
    let value = VBox::<u64, Blocks>::new(7, GFP_ATOMIC)?;
    Ok(grown && refused && shrunk && *value == 7)
}

/// Returns whether all calls behave as required in a timer's interrupt.
fn right_in_interrupts() -> bool {
    sleeping_calls_fail()
        && other_calls_work()
        // In an interrupt, vmalloc fails even with flags that do not sleep.
        && VBox::<u64, Blocks>::new(1, GFP_ATOMIC).is_err()
        && Array::<u8, KVmalloc<Either>>::zeroed(2 * PAGE_SIZE, GFP_ATOMIC).is_err()
}

macro_rules! timer {
    ($name:ident, $mode:ident) => {
        /// A timer that drops owners and checks the calls in its interrupt. Wraps an [`HrTimer`]
        /// (`struct hrtimer`).
        #[pin_data]
        struct $name {
            #[pin]
            timer: HrTimer<Self>,
            #[pin]
            done: Completion,
            // Only the interrupt locks it.
            #[pin]
            owners: SpinLock<Option<Owners>>,
            right: Atomic<i32>,
        }

        impl_has_hr_timer! {
            impl HasHrTimer<Self> for $name {
                mode: $mode<Monotonic>, field: self.timer
            }
        }

        impl HrTimerCallback for $name {
            type Pointer<'a> = Arc<Self>;

            fn run(this: ArcBorrow<'_, Self>, _: HrTimerCallbackContext<'_, Self>) -> HrTimerRestart {
                let mut owners = this.owners.lock();
                *owners = None;
                this.right.store(i32::from(right_in_interrupts()), Relaxed);
                drop(owners);
                this.done.complete_all();
                HrTimerRestart::NoRestart
            }
        }

        impl $name {
            /// Returns whether all calls behaved as required in the interrupt.
            fn fire() -> Result<bool> {
                let owners = Some(Owners::new()?);
                let this = Arc::pin_init(
                    pin_init!(Self {
                        timer <- HrTimer::new(),
                        done <- Completion::new(),
                        owners <- new_spinlock!(owners),
                        right: Atomic::new(0),
                    }),
                    GFP_KERNEL,
                )?;
                let handle = this.clone().start(Delta::from_micros(100));
                this.done.wait_for_completion();
                drop(handle);
                Ok(this.right.load(Relaxed) == 1)
            }
        }
    };
}

timer!(InHardInterrupt, RelativeMode);
timer!(InSoftInterrupt, RelativeSoftMode);

#[kunit_tests(kalloc_context)]
mod tests {
    use super::*;
    use crate::Change;
    #[cfg(not(LINUX_7_2))]
    use kernel::interrupt::local_interrupt_disable;
    use kernel::sync::rcu;

    #[cfg(LINUX_7_2)]
    struct NotDisabled;

    /// Stands for the guard of disabled interrupts, which Linux 7.2 does not have in Rust. The
    /// cases that need it are skipped.
    #[cfg(LINUX_7_2)]
    fn local_interrupt_disable() -> NotDisabled {
        NotDisabled
    }

    fn interrupts_can_be_disabled() {
        if cfg!(LINUX_7_2) {
            crate::case::skip!(c"Linux 7.2 has no Rust function to disable interrupts");
        }
    }

    /// Runs `f` and returns whether it succeeded, allocated at `S` and left nothing live there.
    fn leaves_nothing<S: kalloc::Tag>(f: impl FnOnce() -> Result<bool>) -> Result<bool> {
        let change = Change::of::<S>();
        Ok(f()? && change.live() == (0, 0, 0) && change.events().0 != 0)
    }

    #[test]
    fn known_sleepable_in_thread() {
        assert!(context::known_sleepable() && !context::known_atomic());
        assert!(Gfp::KERNEL.checked_for_context() == Ok(Gfp::KERNEL));
    }

    #[test]
    fn drop_under_spinlock() -> Result {
        let held = KBox::pin_init(new_spinlock!(None), GFP_KERNEL)?;
        assert!(leaves_nothing::<Blocks>(|| {
            *held.lock() = Some(Owners::new()?);
            *held.lock() = None;
            Ok(true)
        })?);
        *held.lock() = Some(Owners::new()?);
        let change = Change::of::<Arrays>();
        let either = Change::of::<Either>();
        *held.lock() = None;
        // The frees are counted before the lock is released.
        assert!(change.live() == (0, 0, 0) && change.events() == (0, 642, 0));
        assert!(either.events() == (0, 1, 0));
        Ok(())
    }

    /// `vfree()` may sleep; the kernel warns if it is called in atomic context.
    #[test]
    fn vfree_from_atomic_context() -> Result {
        let held = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
        let before = crate::observe::has_warned();
        let buffer = Buffer::zeroed(PAGE_SIZE, GFP_KERNEL)?;
        let guard = held.lock();
        drop(buffer);
        drop(guard);
        let huge = KVBox::<Huge, Either>::zeroed(GFP_KERNEL)?;
        let guard = rcu::read_lock();
        drop(huge);
        drop(guard);
        assert!(crate::observe::has_warned() == before);
        Ok(())
    }

    #[test]
    fn alloc_sleeping_under_spinlock() -> Result {
        let held = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
        let change = Change::of::<Blocks>();
        let guard = held.lock();
        let right = sleeping_calls_fail() && other_calls_work();
        drop(guard);
        assert!(right && change.events() == (0, 0, 1));
        Ok(())
    }

    #[test]
    fn kmem_cache_shrink_under_spinlock() -> Result {
        let cache = KmemCache::<Words>::new(Options::new())?;
        let held = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
        let guard = held.lock();
        let refused = cache.shrink();
        drop(guard);
        assert!(refused == Err(EAGAIN) && cache.shrink() == Ok(()));
        Ok(())
    }

    #[test]
    fn failures_invalid_in_atomic_context() -> Result {
        let held = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
        let mut mapped = Buffer::zeroed(1, GFP_KERNEL)?;
        let mut either = Array::<u8, KVmalloc<Either>>::zeroed(size_of::<Huge>(), GFP_KERNEL)?;
        let failures =
            || [Blocks::site(), Either::site(), Arrays::site()].map(|s| s.totals().failures);
        let before = failures();
        let guard = held.lock();
        let refused = VBox::<u64, Blocks>::new(1, GFP_KERNEL).is_err()
            && mapped.resize(2 * PAGE_SIZE, GFP_KERNEL).is_err()
            && either.resize(1, GFP_KERNEL).is_err()
            && Array::<u8, KVmalloc<Either>>::zeroed(PAGE_SIZE + 1, GFP_KERNEL).is_err()
            && PageArray::<Arrays>::zeroed(1, GFP_KERNEL).is_err();
        drop(guard);
        assert!(refused);
        for ((before, after), calls) in before.iter().zip(failures()).zip([2, 2, 1]) {
            let invalid = before.invalid + calls;
            assert!(after == Failures { invalid, ..*before });
        }
        Ok(())
    }

    #[test]
    fn register_under_spinlock() -> Result {
        let module = *crate::site::MODULE.as_ref().ok_or(ENODEV)?;
        let held = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
        let guard = held.lock();
        // The error must not be the one for sites that are registered already.
        let registered = kalloc::register(module, super::SITES);
        drop(guard);
        assert!(registered == Err(EAGAIN));
        Ok(())
    }

    #[test]
    fn vmalloc_nowait_under_spinlock() -> Result {
        let held = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
        assert!(leaves_nothing::<Blocks>(|| {
            let _guard = held.lock();
            vmalloc_works()
        })?);
        Ok(())
    }

    #[test]
    fn mapping_drop_under_spinlock() -> Result {
        let held = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
        let mut pages = PageArray::<Arrays>::zeroed(2, GFP_KERNEL)?;
        let mut mapping = Mapping::new(&mut pages)?;
        mapping[PAGE_SIZE] = 3;
        let guard = held.lock();
        drop(mapping);
        // The mapping was kept, so it is found; a mapping with the other protection fails.
        let found = Mapping::new(&mut pages).is_ok_and(|mapping| mapping[PAGE_SIZE] == 3);
        let other = Mapping::read_only(&mut pages).is_err();
        drop(guard);
        assert!(found && other);
        let mapping = Mapping::read_only(&mut pages)?;
        assert!(mapping[PAGE_SIZE] == 3);
        Ok(())
    }

    #[test]
    fn drop_under_rcu_read_lock() -> Result {
        let owners = Owners::new()?;
        let guard = rcu::read_lock();
        drop(owners);
        let right = sleeping_calls_fail() && vmalloc_works() == Ok(true);
        drop(guard);
        assert!(right);
        Ok(())
    }

    #[test]
    fn alloc_with_irqs_disabled() -> Result {
        interrupts_can_be_disabled();
        let guard = local_interrupt_disable();
        // vmalloc always fails: its locks do not disable interrupts, and an interrupt handler may
        // hold them.
        let right = context::can_allocate() != cfg!(CONFIG_PREEMPT_RT)
            && Gfp::ATOMIC.checked_for_context().is_ok() == context::can_allocate()
            && PerCpu::<u64>::zeroed(GFP_ATOMIC).is_ok() == context::can_allocate()
            && vmalloc_works().is_err()
            && Array::<u8, KVmalloc<Either>>::zeroed(2 * PAGE_SIZE, GFP_ATOMIC).is_err();
        drop(guard);
        assert!(right && context::can_allocate());
        Ok(())
    }

    #[test]
    fn drop_with_irqs_disabled() -> Result {
        interrupts_can_be_disabled();
        let owners = Owners::new()?;
        let guard = local_interrupt_disable();
        // On PREEMPT_RT, where spinlocks sleep, the worker frees all of it.
        drop(owners);
        let right = sleeping_calls_fail() && (cfg!(CONFIG_PREEMPT_RT) || other_calls_work());
        drop(guard);
        assert!(right);
        Ok(())
    }

    #[test]
    fn drop_in_interrupt() -> Result {
        assert!(leaves_nothing::<Arrays>(InHardInterrupt::fire)?);
        assert!(leaves_nothing::<Arrays>(InSoftInterrupt::fire)?);
        Ok(())
    }

    /// Drops an owner of `pages` pages under a spinlock. Returns whether all of them are free soon
    /// after.
    fn goes_soon<T>(owner: T, pages: usize) -> Result<bool> {
        let held = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
        let before = crate::block::pages_freed();
        let guard = held.lock();
        drop(owner);
        drop(guard);
        Ok((0..200).any(|_| {
            fsleep(Delta::from_millis(10));
            crate::block::pages_freed() - before >= pages
        }))
    }

    #[test]
    fn deferred_free_large_blocks() -> Result {
        if crate::block::pages_freed() == 0 {
            crate::case::skip!(c"the kernel does not count freed pages");
        }
        let array = PageArray::<Arrays>::zeroed(300, GFP_KERNEL)?;
        assert!(goes_soon(array, 300)?);
        let exact = ExactPages::<Arrays>::zeroed(PageCount::of::<513>(), GFP_KERNEL)?;
        assert!(goes_soon(exact, 513)?);
        let split = Pages::<Arrays>::zeroed(Order::of::<9>(), GFP_KERNEL)?.split_pages();
        assert!(goes_soon(split, 512)?);
        let compound = CompoundPages::<Arrays>::zeroed(Order::MAX, GFP_KERNEL)?;
        assert!(goes_soon(compound, 1024)?);
        let shared = CompoundPages::<Arrays>::zeroed(Order::MAX, GFP_KERNEL)?.share();
        let reference = shared.reference()?;
        drop(shared);
        assert!(goes_soon(reference, 1024)?);
        Ok(())
    }
}
