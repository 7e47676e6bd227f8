// SPDX-License-Identifier: GPL-2.0-only

//! kalloc_watch: the allocations of any module by call site, on an unmodified kernel.
//!
//! ```text
//! # modprobe kalloc_watch modules=xfs,zram
//! # cat /proc/kallocwatch
//! # echo add nf_tables > /sys/kernel/debug/kalloc/watch
//! # cat /sys/kernel/debug/kalloc/watch.json
//! ```
//!
//! | module | contents |
//! |---|---|
//! | `probes` | where the kernel allocates and frees |
//! | `counting` | the state of the probes, which needs no lock |
//! | `blocks`, `sites`, `view` | the table of live blocks, the counters, the watched code |
//! | `list`, `modules` | the watch list, the changes of modules |
//! | `names`, `rows` | the names of the sites, and the rows that sites share |
//! | `files` | the files |

use crate::{
    counting::Counting,
    list::{
        ModuleListener,
        WatchList, //
    }, //
};
use kalloc::{
    fs::{
        debugfs::DebugfsFile,
        procfs::{
            Mode,
            ProcFile, //
        }, //
    },
    prelude::*,
    trace::module::Notifier, //
};
use kernel::{
    ffi::c_char,
    sync::Arc, //
};

#[path = "kalloc_watch/blocks.rs"]
mod blocks;
#[path = "kalloc_watch/counting.rs"]
mod counting;
#[path = "kalloc_watch/files.rs"]
mod files;
#[path = "kalloc_watch/list.rs"]
mod list;
#[path = "kalloc_watch/modules.rs"]
mod modules;
#[path = "kalloc_watch/names.rs"]
mod names;
#[path = "kalloc_watch/probes.rs"]
mod probes;
#[path = "kalloc_watch/rows.rs"]
mod rows;
#[path = "kalloc_watch/sites.rs"]
mod sites;
#[path = "kalloc_watch/view.rs"]
mod view;

module! {
    type: KallocWatch,
    name: "kalloc_watch",
    authors: ["The kalloc authors"],
    description: "The allocations of any module by call site",
    license: "GPL",
    params: {
        order: u32 {
            default: 16,
            description: "Binary logarithm of the size of the table of live blocks, from 10 to 24: 7 * 2^order blocks, 272 * 2^order bytes",
        },
        sites: u32 {
            default: 2048,
            description: "Number of call sites, from 128 to 65535",
        },
    },
}

extern "C" {
    /// Returns the parameter `modules`.
    fn kalloc_watch_modules() -> *const c_char;
}

/// The module. Its fields are dropped in this order.
#[pin_data]
struct KallocWatch {
    /// `/proc/kallocwatch`.
    #[pin]
    _table: ProcFile<files::Table>,
    /// `/sys/kernel/debug/kalloc/watch.json`.
    #[pin]
    _json: DebugfsFile<files::Json>,
    /// `/sys/kernel/debug/kalloc/watch`.
    #[pin]
    _watch: DebugfsFile<files::Watch>,
    #[pin]
    _notifier: Notifier<ModuleListener>,
    _running: Running,
}

/// The registered probes, which end with this value.
struct Running(Arc<WatchList>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl kernel::InPlaceModule for KallocWatch {
    #[expect(clippy::clone_on_copy)] // Linux 7.2 has a reference to the parameter.
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            for sites in [
                blocks::SITES,
                sites::SITES,
                view::SITES,
                probes::SITES,
                names::SITES,
                rows::SITES,
                modules::SITES,
                list::SITES,
            ] {
                kalloc::register(module, sites)?;
            }
            let (order, sites) = (
                module_parameters::order.value().clone(),
                module_parameters::sites.value().clone(),
            );
            // CAST: `usize` has 64 bits.
            let counting = Counting::new(order, sites as usize)?;
            // GFP: The module's initialization sleeps.
            let list = Arc::pin_init(WatchList::new(counting), GFP_KERNEL)?;
            let (table, json, watch) = (list.clone(), list.clone(), list.clone());
            let (listener, first) = (list.clone(), list.clone());
            Ok(try_pin_init!(Self {
                _running: Running(list),
                // SAFETY: The module drops the notifier when it is unloaded.
                _notifier <- unsafe { Notifier::new(ModuleListener(listener)) },
                _: { watch_first(&first)? },
                _watch <- DebugfsFile::with_write(module, c"watch", files::Watch(watch)),
                _json <- DebugfsFile::new(module, c"watch.json", files::Json(json)),
                _table <- ProcFile::new(module, c"kallocwatch", Mode::OwnerRead, files::Table(table)),
            }? Error))
        })
    }
}

/// Adds the modules of the parameter to the watch list.
fn watch_first(list: &WatchList) -> Result {
    // SAFETY: The function returns a static text, which does not change after the module's
    // parameters are parsed.
    let text = unsafe { CStr::from_char_ptr(kalloc_watch_modules()) };
    let text = text.to_str().map_err(|_| EINVAL)?.trim();
    for name in text.split(',').filter(|name| !name.is_empty()) {
        list.add(name)
            .inspect_err(|error| pr_err!("modules: {name} cannot be watched ({error:?})\n"))?;
    }
    Ok(())
}
