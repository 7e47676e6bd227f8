// SPDX-License-Identifier: GPL-2.0-only

//! A driver that owns memory in every way that drivers do: shared, in tables of C, in reserve, in
//! strings, and in work items. It has no `unsafe` code.
//!
//! The module's `init` fills each owner, and its exit drops them. A work item is still running then.

#![forbid(unsafe_code)]

use kalloc::{
    alloc::vmalloc::VmallocPages,
    kvec,
    prelude::*,
    slab::{
        ArcBatch,
        ArcObject,
        Construct,
        Constructed,
        ConstructedCache,
        RcuCache,
        RcuRef,
        Reset,
        TypesafeByRcu, //
    },
    sys::workqueue::{
        Workers,
        Workqueue, //
    },
    Arc,
    ArcInner,
    CString,
    Flex, //
};
use kernel::{
    impl_has_work,
    new_mutex,
    new_spinlock,
    page::{
        AsPageIter,
        PAGE_SIZE, //
    },
    sync::{
        self,
        atomic::Atomic,
        Mutex,
        SpinLock, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    types::ForeignOwnable,
    workqueue::{
        new_work,
        Work,
        WorkItem, //
    },
    xarray::{
        AllocKind,
        XArray, //
    }, //
};

module! {
    type: Owners,
    name: "kalloc_owners",
    authors: ["The kalloc authors"],
    description: "Owns memory in every way that drivers do, for the tests of kalloc",
    license: "GPL",
}

struct Session {
    id: u64,
}

struct Inode(u64);

impl Construct for Inode {
    fn construct() -> impl PinInit<Self> {
        Inode(0)
    }
}

impl Reset for Inode {
    fn reset(mut self: Pin<&mut Self>) {
        self.0 = 0;
    }
}

/// A work item with memory of its own.
#[pin_data]
struct Job {
    memory: KVec<u8, Doomed>,
    #[pin]
    work: Work<Self>,
}

impl_has_work! {
    impl HasWork<Self> for Job { self.work }
}

impl WorkItem for Job {
    type Pointer = Arc<Self, Jobs>;

    fn run(this: Arc<Self, Jobs>) {
        pr_info!("the item runs\n");
        fsleep(Delta::from_millis(1000));
        pr_info!("the item frees {} bytes\n", this.memory.len());
    }
}

/// A service that drivers call through a pointer.
trait Service: Send + Sync {
    fn number(self: Arc<Self, Services>) -> u64;
}

impl Service for Session {
    fn number(self: Arc<Self, Services>) -> u64 {
        self.id
    }
}

kalloc::sites! {
    Shared: kmalloc(Mutex<[u64; 100]>), "owners_shared";
    Services: kmalloc(ArcInner<Session>), "owners_service";
    Sessions: cache(Session), "owners_session";
    Nodes: cache([u64; 8]), "owners_node";
    Inodes: cache(Inode), "owners_inode";
    Conns: cache(TypesafeByRcu<Atomic<u64>, u64>), "owners_conn";
    Rings: pages, "owners_ring";
    Firmware: vmalloc([u8]), "owners_firmware";
    Names: kmalloc([u8]), "owners_name";
    Lists: kmalloc([i32]), "owners_list";
    Procs: kvmalloc([u64]), "owners_proc";
    Messages: kmalloc([u8]), "owners_message";
    Jobs: kmalloc(ArcInner<Job>), "owners_job";
    Doomed: kmalloc([u8]), "owners_doomed";
}

type Table<T> = Pin<KernelBox<XArray<T>>>;
type KernelBox<T> = kernel::alloc::KBox<T>;

/// The owners. The workqueue is dropped first.
struct Owners {
    _queue: Workqueue,
    _shared: Arc<Mutex<[u64; 100]>, Shared>,
    _service: Arc<dyn Service, Services>,
    _sessions: Table<ArcObject<Sessions>>,
    _inodes: Table<Constructed<Inodes>>,
    _conns: Table<RcuRef<Conns>>,
    _rings: Table<Pages<Rings>>,
    _page: kalloc::page::KernelPage<Rings>,
    _reserve: Pin<KernelBox<SpinLock<ArcBatch<Nodes, 16>>>>,
    _tree: KernelVec<ArcObject<Nodes>>,
    _firmware: VmallocPages<u8, Firmware>,
    _name: CString<Names>,
    _list: KVec<i32, Lists>,
    _procs: KVVec<u64, Procs>,
    _message: KBox<Flex<u64, u8>, Messages>,
}

type KernelVec<T> = kernel::alloc::KVec<T>;

/// Returns a table with one entry.
fn table<T: ForeignOwnable>(entry: T) -> Result<Table<T>> {
    let table = KernelBox::pin_init(XArray::new(AllocKind::Alloc), GFP_KERNEL)?;
    table.lock().store(1, entry, GFP_KERNEL)?;
    Ok(table)
}

/// Queues a slow item.
fn queue() -> Result<Workqueue> {
    let queue = Workqueue::new(c"kalloc_owners", Workers::Unbound)?;
    let mut memory = KVec::new();
    memory.extend_from_slice(&[1; 1000], GFP_KERNEL)?;
    let job = Arc::<Job, Jobs>::pin_init(
        pin_init!(Job { memory, work <- new_work!("kalloc_owners") }),
        GFP_KERNEL,
    )?;
    queue.enqueue(job).map_err(|_| EBUSY)?;
    Ok(queue)
}

impl kernel::Module for Owners {
    fn init(module: &'static ThisModule) -> Result<Self> {
        register(module, SITES)?;
        let sessions = sync::Arc::new(KmemCache::<Sessions>::new(Options::new())?, GFP_KERNEL)?;
        let nodes = sync::Arc::new(KmemCache::<Nodes>::new(Options::new())?, GFP_KERNEL)?;
        let inodes = ConstructedCache::<Inodes>::new(Options::new())?;
        let conns = RcuCache::<Conns>::new(Options::new())?;

        let service: Arc<dyn Service, Services> =
            Arc::<_, Services>::new(Session { id: 7 }, GFP_KERNEL)?;
        let mut batch = nodes.batch_arc();
        batch.fill(GFP_KERNEL)?;
        let reserve = KernelBox::pin_init(new_spinlock!(batch), GFP_KERNEL)?;
        let slot = reserve.lock().pop().ok_or(ENOMEM)?;
        let mut tree = KernelVec::with_capacity(1, GFP_KERNEL)?;
        tree.push(slot.write([1; 8]), GFP_KERNEL)?;
        let mut firmware = Array::<u8, Vmalloc<Firmware>>::zeroed(4 * PAGE_SIZE, GFP_KERNEL)?
            .into_pages()
            .map_err(|_| EINVAL)?;
        let mut procs = KVVec::with_capacity(1 << 17, GFP_KERNEL)?;
        procs.push(1, GFP_KERNEL)?;
        procs.shrink_to(2, GFP_KERNEL)?;
        pr_info!(
            "service {}, firmware of {} pages, {} procs\n",
            service.clone().number(),
            firmware.page_iter().count(),
            procs.capacity()
        );
        let session = sessions.reserve_arc(GFP_KERNEL)?.write(Session { id: 1 });
        Ok(Owners {
            _shared: Arc::pin_init(new_mutex!([0; 100]), GFP_KERNEL)?,
            _service: service,
            _sessions: table(session)?,
            _inodes: table(inodes.alloc(GFP_KERNEL)?)?,
            _conns: table(conns.reserve(GFP_KERNEL)?.write(1))?,
            _rings: table(Pages::zeroed(Order::of::<2>(), GFP_KERNEL)?)?,
            _page: Pages::zeroed(Order::ZERO, GFP_KERNEL)?
                .into_page()
                .map_err(|_| EINVAL)?,
            _reserve: reserve,
            _tree: tree,
            _firmware: firmware,
            _name: CString::try_from_fmt(fmt!("port-{}", 7))?,
            _list: kvec![1, 2, 3]?,
            _procs: procs,
            _message: Flex::zeroed(7, 9, GFP_KERNEL)?,
            _queue: queue()?,
        })
    }
}
