// SPDX-License-Identifier: GPL-2.0-only
//! A third-party module: it uses the kernel crate, but neither kalloc nor its build file.

use kernel::{
    prelude::*,
    sync::{
        new_mutex,
        Arc,
        Mutex, //
    }, //
};

module! {
    type: Foreign,
    name: "third_party",
    authors: ["Somebody else"],
    description: "Sums the numbers of a list",
    license: "GPL",
    params: {
        count: u32 {
            default: 10,
            description: "Length of the list",
        },
    },
}

struct Foreign {
    numbers: Arc<Mutex<KVec<u64>>>,
}

impl kernel::Module for Foreign {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let numbers = Arc::pin_init(new_mutex!(KVec::new()), GFP_KERNEL)?;
        let count = u64::from(module_parameters::count.value());
        for number in 1..=count {
            numbers.lock().push(number, GFP_KERNEL)?;
        }
        let sum: u64 = numbers.lock().iter().sum();
        pr_info!("{count} numbers, sum {sum}\n");
        Ok(Foreign { numbers })
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        pr_info!("{} numbers go\n", self.numbers.lock().len());
    }
}
