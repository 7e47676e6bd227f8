// SPDX-License-Identifier: GPL-2.0-only

//! A timer whose interrupt allocates and frees.

use kernel::{
    impl_has_hr_timer,
    prelude::*,
    sync::{
        atomic::{
            ordering,
            Atomic, //
        },
        Arc,
        ArcBorrow, //
    },
    time::{
        hrtimer::{
            ArcHrTimerHandle,
            HrTimer,
            HrTimerCallback,
            HrTimerCallbackContext,
            HrTimerPointer,
            HrTimerRestart, //
        },
        Delta,
        Monotonic, //
    }, //
};

kalloc::sites! {
    Ticks: kmalloc([u64; 2]), "stress_tick";
}

/// A hard interrupt. On kernels with lockdep's rules of `PREEMPT_RT`, a hard interrupt must not
/// take a spinlock, as an allocator does; there the timer uses a soft interrupt.
#[cfg(not(CONFIG_PROVE_RAW_LOCK_NESTING))]
type Mode = kernel::time::hrtimer::RelativeHardMode<Monotonic>;
#[cfg(CONFIG_PROVE_RAW_LOCK_NESTING)]
type Mode = kernel::time::hrtimer::RelativeSoftMode<Monotonic>;

/// The microseconds between two interrupts.
const PERIOD: i64 = 500;

/// The timer. Wraps an [`HrTimer`] (`struct hrtimer`).
#[pin_data]
pub(crate) struct Tick {
    #[pin]
    timer: HrTimer<Self>,
    allocs: Atomic<i64>,
    failures: Atomic<i64>,
}

impl HrTimerCallback for Tick {
    type Pointer<'a> = Arc<Self>;

    fn run(
        this: ArcBorrow<'_, Self>,
        mut context: HrTimerCallbackContext<'_, Self>,
    ) -> HrTimerRestart {
        match kalloc::KBox::<[u64; 2], Ticks>::new([1; 2], GFP_ATOMIC | __GFP_NOWARN) {
            Ok(_) => this.allocs.add(1, ordering::Relaxed),
            Err(_) => this.failures.add(1, ordering::Relaxed),
        }
        context.forward_now(Delta::from_micros(PERIOD));
        HrTimerRestart::Restart
    }
}

impl_has_hr_timer! {
    impl HasHrTimer<Self> for Tick {
        mode: Mode, field: self.timer
    }
}

/// A running timer.
pub(crate) struct Running {
    tick: Arc<Tick>,
    handle: ArcHrTimerHandle<Tick>,
}

/// Starts a timer.
pub(crate) fn start() -> Result<Running> {
    let tick = Arc::pin_init(
        pin_init!(Tick {
            timer <- HrTimer::new(),
            allocs: Atomic::new(0),
            failures: Atomic::new(0),
        }),
        GFP_KERNEL,
    )?;
    let handle = tick.clone().start(Delta::from_micros(PERIOD));
    Ok(Running { tick, handle })
}

impl Running {
    /// Stops the timer. Returns the numbers of its allocations and failures.
    pub(crate) fn stop(self) -> [i64; 2] {
        drop(self.handle);
        [&self.tick.allocs, &self.tick.failures].map(|n| n.load(ordering::Relaxed))
    }
}

/// Returns the number of counters of the site that differ from the timer's.
pub(crate) fn differences([allocs, failures]: [i64; 2]) -> u32 {
    use kalloc::Tag;

    let totals = Ticks::site().totals();
    let counted = [totals.allocs, totals.frees, totals.failures.total()];
    if counted.map(|n| n as i64) == [allocs, allocs, failures] {
        return 0;
    }
    pr_err!("the interrupt's numbers are {counted:?}, not {allocs} and {failures}\n");
    1
}
