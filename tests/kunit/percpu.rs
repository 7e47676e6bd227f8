// SPDX-License-Identifier: GPL-2.0-only

use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// The number of drops of [`Counted`] values.
static DROPPED: Atomic<u64> = Atomic::new(0);

/// The number of a CPU.
struct Counted(u32);

impl Drop for Counted {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Relaxed);
    }
}

#[kunit_tests(kalloc_percpu)]
mod tests {
    use super::*;
    use kalloc::{
        mm::page_info::preemptible,
        sys::percpu::{
            Counter,
            PerCpu, //
        }, //
        Gfp,
    };
    use kernel::{
        cpu::{
            nr_cpu_ids,
            CpuId, //
        },
        new_spinlock,
        sync::SpinLock, //
    };

    #[test]
    fn percpu_new_one_value_per_cpu() -> Result {
        let values = PerCpu::new(GFP_KERNEL, |cpu| Atomic::new(u64::from(cpu.as_u32())))?;
        assert!(values.iter().count() as u32 == nr_cpu_ids());
        for (at, (cpu, value)) in values.iter().enumerate() {
            assert!(cpu.as_u32() == at as u32 && value.load(Relaxed) == at as u64);
        }
        for _ in 0..100 {
            let (stays, cpu, value) = values.this(|value| {
                let value = value.fetch_add(1000, Relaxed);
                (!preemptible(), CpuId::current(), value)
            });
            assert!(stays && value % 1000 == u64::from(cpu.as_u32()));
        }
        assert!(preemptible());
        let sum: u64 = values
            .iter()
            .map(|(_, value)| value.load(Relaxed) / 1000)
            .sum();
        assert!(sum == 100);
        Ok(())
    }

    #[test]
    fn percpu_drop_each_value() -> Result {
        let before = DROPPED.load(Relaxed);
        let values = PerCpu::new(GFP_KERNEL, |cpu| Counted(cpu.as_u32()))?;
        assert!(values.iter().all(|(cpu, value)| value.0 == cpu.as_u32()));
        assert!(DROPPED.load(Relaxed) == before);
        drop(values);
        assert!(DROPPED.load(Relaxed) == before + u64::from(nr_cpu_ids()));
        Ok(())
    }

    #[test]
    fn percpu_zeroed_align() -> Result {
        /// A value of the largest possible size.
        #[repr(align(64))]
        #[derive(Zeroable)]
        struct Large([u64; 4096]);

        let values = PerCpu::<Large>::zeroed(GFP_KERNEL)?;
        for (_, value) in values.iter() {
            assert!(core::ptr::from_ref(value).addr() % 64 == 0);
            assert!(value.0.iter().all(|&word| word == 0));
        }
        Ok(())
    }

    #[test]
    fn counter_sum() -> Result {
        let counter = Counter::new(GFP_KERNEL)?;
        assert!(counter.sum() == 0);
        for n in 0..100 {
            counter.inc();
            counter.add(n);
        }
        assert!(counter.sum() == 100 + 4950);
        let other = Counter::new(GFP_KERNEL)?;
        other.add(u64::MAX);
        assert!(other.sum() == u64::MAX && counter.sum() == 5050);
        Ok(())
    }

    #[test]
    fn counter_new_under_spinlock() -> Result {
        pin_init::stack_pin_init!(let lock = new_spinlock!(()));
        let guard = lock.lock();
        assert!(Counter::new(GFP_KERNEL).is_err());
        let counter = Counter::new(Gfp::NOWAIT)?;
        counter.inc();
        assert!(counter.sum() == 1);
        drop(counter);
        drop(guard);
        Ok(())
    }

    #[test]
    fn percpu_pin_init_large_value() -> Result {
        /// A value of the largest possible size: twice the size of a kernel stack.
        type Large = [Atomic<u64>; 4096];

        let values = PerCpu::<Large>::pin_init(GFP_KERNEL, |cpu| {
            let first = u64::from(cpu.as_u32()) << 32;
            pin_init::init_array_from_fn(move |at| Atomic::new(first + at as u64))
        })?;
        assert!(values.iter().count() as u32 == nr_cpu_ids());
        for (cpu, value) in values.iter() {
            let first = u64::from(cpu.as_u32()) << 32;
            for (at, word) in value.iter().enumerate() {
                assert!(word.load(Relaxed) == first + at as u64);
            }
        }
        Ok(())
    }

    #[test]
    fn percpu_pin_init_spinlock() -> Result {
        /// A value that must stay at its address.
        #[pin_data]
        struct Queue {
            #[pin]
            items: SpinLock<[u64; 512]>,
        }

        let queues = PerCpu::pin_init(GFP_KERNEL, |cpu| {
            pin_init!(Queue {
                items <- new_spinlock!([u64::from(cpu.as_u32()); 512]),
            })
        })?;
        queues.this(|queue| queue.items.lock()[511] += 1);
        let mut sum = 0;
        for (_, queue) in queues.iter() {
            let items = queue.items.lock();
            assert!(items[0] == items[510]);
            sum += items[511] - items[0];
        }
        assert!(sum == 1);
        Ok(())
    }

    #[test]
    fn percpu_pin_init_error_drops() -> Result {
        /// A counted value that is initialized in place.
        #[pin_data]
        struct Held {
            counted: Counted,
        }

        let before = DROPPED.load(Relaxed);
        let last = nr_cpu_ids() - 1;
        let failed = PerCpu::<Held>::pin_init(GFP_KERNEL, |cpu| {
            try_pin_init!(Held {
                counted: match cpu.as_u32() {
                    cpu if cpu == last => return Err(EIO),
                    cpu => Counted(cpu),
                },
            }? Error)
        });
        assert!(failed.err() == Some(EIO));
        assert!(DROPPED.load(Relaxed) == before + u64::from(last));
        Ok(())
    }
}
