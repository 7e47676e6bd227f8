// SPDX-License-Identifier: GPL-2.0-only

//! A driver whose memory is owned by types of a patched kernel crate, which take an allocator of
//! kalloc. It keeps some of the blocks until it is unloaded.

#![forbid(unsafe_code)]

use kalloc::{
    sys::workqueue::{
        Workers,
        Workqueue, //
    },
    KBox,
    KVVec,
    KVec,
    Kmalloc,
    VBox,
    VVec, //
};
use kernel::{
    alloc::allocator::VmallocPageIter,
    impl_has_hr_timer,
    impl_has_work,
    list::{
        impl_list_arc_safe,
        impl_list_item,
        List,
        ListArc,
        ListLinks, //
    },
    page::{
        AsPageIter,
        PAGE_SIZE, //
    },
    prelude::*,
    rbtree::{
        Entry,
        RBTree,
        RBTreeNode,
        RBTreeNodeReservation, //
    },
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        ArcBorrow,
        UniqueArc, //
    },
    time::{
        delay::fsleep,
        hrtimer::{
            HrTimer,
            HrTimerCallback,
            HrTimerCallbackContext,
            HrTimerPointer,
            HrTimerRestart,
            RelativeMode, //
        },
        Delta,
        Monotonic, //
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
    name: "patched_owners",
    authors: ["The kalloc authors"],
    description: "Counted memory in types of a patched kernel crate, for the tests of kalloc",
    license: "GPL",
}

kalloc::sites! {
    Shared: kmalloc([u8]), "patched_shared";
    Nodes: kmalloc([u8]), "patched_node";
    Jobs: kmalloc(Job), "patched_job";
    Items: kmalloc([u8]), "patched_item";
    Timers: kmalloc([u8]), "patched_timer";
    Elements: kmalloc([u8]), "patched_element";
    Queues: kmalloc([u64]), "patched_queue";
    Procs: kvmalloc([u64]), "patched_proc";
    Firmware: vmalloc([u8]), "patched_firmware";
}

/// A shared value, which is called through a pointer to a trait object.
trait Service {
    fn number(self: ArcBorrow<'_, Self, Kmalloc<Shared>>) -> u64;
}

impl Service for u64 {
    fn number(self: ArcBorrow<'_, Self, Kmalloc<Shared>>) -> u64 {
        *self
    }
}

type Services = Arc<dyn Service + Send + Sync, Kmalloc<Shared>>;

/// A work item in a box.
#[pin_data]
struct Job {
    #[pin]
    work: Work<Self>,
}

impl_has_work! {
    impl HasWork<Self> for Job { self.work }
}

impl WorkItem for Job {
    type Pointer = Pin<KBox<Self, Jobs>>;

    fn run(_this: Self::Pointer) {
        pr_info!("the box runs\n");
    }
}

/// A work item that is shared.
#[pin_data]
struct Item {
    #[pin]
    work: Work<Self>,
}

impl_has_work! {
    impl HasWork<Self> for Item { self.work }
}

impl WorkItem for Item {
    type Pointer = Arc<Self, Kmalloc<Items>>;

    fn run(_this: Self::Pointer) {
        pr_info!("the shared item runs\n");
    }
}

/// A timer that is shared.
#[pin_data]
struct Timed {
    #[pin]
    timer: HrTimer<Self>,
    fired: Atomic<u32>,
}

impl_has_hr_timer! {
    impl HasHrTimer<Self> for Timed {
        mode: RelativeMode<Monotonic>, field: self.timer
    }
}

impl HrTimerCallback for Timed {
    type Pointer<'a> = Arc<Self, Kmalloc<Timers>>;

    fn run(
        this: ArcBorrow<'_, Self, Kmalloc<Timers>>,
        _context: HrTimerCallbackContext<'_, Self>,
    ) -> HrTimerRestart {
        this.fired.store(1, Relaxed);
        HrTimerRestart::NoRestart
    }
}

/// An element of a list.
#[pin_data]
struct Element {
    number: u32,
    #[pin]
    links: ListLinks,
}

impl_list_arc_safe! {
    impl ListArcSafe<0> for Element { untracked; }
}

impl_list_item! {
    impl ListItem<0> for Element {
        using ListLinks { self.links };
    }
}

type Chain = List<Element, 0, Kmalloc<Elements>>;
type Tree<V> = RBTree<u32, V, Kmalloc<Nodes>>;

/// Uses pages of vmalloc, as `SGTable::new` does.
fn pages<P>(memory: &mut P) -> usize
where
    for<'a> P: AsPageIter<Iter<'a> = VmallocPageIter<'a>> + 'static,
{
    memory.page_iter().count()
}

/// Returns a table with one entry.
fn table<T: ForeignOwnable>(entry: T) -> Result<Pin<kernel::alloc::KBox<XArray<T>>>> {
    let table = kernel::alloc::KBox::pin_init(XArray::new(AllocKind::Alloc), GFP_KERNEL)?;
    table.lock().store(1, entry, GFP_KERNEL)?;
    Ok(table)
}

/// Allocates four shared values, and keeps two: 4 allocations, 2 frees.
fn share() -> Result<(Services, Arc<u64, Kmalloc<Shared>>)> {
    let kept: Services = Arc::<u64, Kmalloc<Shared>>::new_in(7, GFP_KERNEL)?;
    let unique = UniqueArc::<u64, Kmalloc<Shared>>::new_uninit_in(GFP_KERNEL)?;
    let second = Arc::from(unique.write(8));
    drop(UniqueArc::<_, Kmalloc<Shared>>::new_in(9u64, GFP_KERNEL)?);
    let last = Arc::<_, Kmalloc<Shared>>::new_in(10u64, GFP_KERNEL)?;
    let number = kept.as_arc_borrow().number() + second.clone().as_arc_borrow().number();
    let unique = Arc::into_unique_or_drop(last).ok_or(EBUSY)?;
    if number + *unique != 25 {
        return Err(EDOM);
    }
    Ok((kept, second))
}

/// Fills a tree: 103 allocations, 44 frees.
fn grow() -> Result<Tree<u64>> {
    let mut tree = Tree::new_in();
    for key in 0..100 {
        tree.try_create_and_insert(key, 1, GFP_KERNEL)?;
    }
    // The second value replaces the first one.
    tree.try_create_and_insert(99, 2, GFP_KERNEL)?;
    for key in 0..40 {
        tree.remove(&key).ok_or(EDOM)?;
    }
    // A node is used again.
    let node = tree.remove_node(&40).ok_or(EDOM)?;
    tree.insert(node.into_reservation().into_node(200, 3));
    let cursor = tree.cursor_lower_bound_mut(&50).ok_or(EDOM)?;
    let (_, node) = cursor.remove_current();
    if node.to_key_value() != (50, 1) {
        return Err(EDOM);
    }
    let node = RBTreeNode::<u32, u64, Kmalloc<Nodes>>::new_in(50, 4, GFP_KERNEL)?;
    let reserve = RBTreeNodeReservation::<u32, u64, Kmalloc<Nodes>>::new_in(GFP_KERNEL)?;
    tree.insert(node);
    match tree.entry(50) {
        Entry::Vacant(_) => return Err(EDOM),
        Entry::Occupied(entry) => drop(entry.remove_node()),
    }
    drop(reserve);
    if tree.iter().count() != 59 || tree.values().sum::<u64>() != 62 {
        return Err(EDOM);
    }
    Ok(tree)
}

/// Fills a list: 5 allocations, 1 free.
fn list() -> Result<Chain> {
    let mut list = Chain::new_in();
    for number in 0..5 {
        let element = pin_init!(Element { number, links <- ListLinks::new() });
        let unique = UniqueArc::<Element, Kmalloc<Elements>>::new_uninit_in(GFP_KERNEL)?;
        list.push_back(ListArc::from(unique.pin_init_with(element)?));
    }
    let first = list.pop_front().ok_or(EDOM)?.into_arc();
    let numbers = list.iter().map(|element| element.number);
    match first.number + numbers.sum::<u32>() {
        10 => Ok(list),
        _ => Err(EDOM),
    }
}

/// Runs two work items and a timer.
fn run() -> Result {
    let queue = Workqueue::new(c"patched_owners", Workers::Unbound)?;
    let job = pin_init!(Job { work <- new_work!("job") });
    queue.enqueue(KBox::<Job, Jobs>::pin_init(job, GFP_KERNEL)?);
    let item = pin_init!(Item { work <- new_work!("item") });
    let unique = UniqueArc::<Item, Kmalloc<Items>>::new_uninit_in(GFP_KERNEL)?;
    let item: Arc<Item, Kmalloc<Items>> = unique.pin_init_with(item)?.into();
    queue.enqueue(item).map_err(|_| EBUSY)?;
    // The drop waits for both.
    drop(queue);

    let timed = pin_init!(Timed { timer <- HrTimer::new(), fired: Atomic::new(0) });
    let unique = UniqueArc::<Timed, Kmalloc<Timers>>::new_uninit_in(GFP_KERNEL)?;
    let timed: Arc<Timed, Kmalloc<Timers>> = unique.pin_init_with(timed)?.into();
    let handle = timed.clone().start(Delta::from_micros(200));
    for _ in 0..1000 {
        if timed.fired.load(Relaxed) == 1 {
            break;
        }
        fsleep(Delta::from_millis(1));
    }
    drop(handle);
    match timed.fired.load(Relaxed) {
        1 => Ok(()),
        _ => Err(ETIMEDOUT),
    }
}

struct Owners {
    _service: Services,
    _table: Pin<kernel::alloc::KBox<XArray<Arc<u64, Kmalloc<Shared>>>>>,
    _tree: Tree<u64>,
    _list: Chain,
    _queue: KVec<u64, Queues>,
    _procs: KVVec<u64, Procs>,
    _firmware: VVec<u8, Firmware>,
}

impl kernel::Module for Owners {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let (service, second) = share()?;
        run()?;
        let mut queue = KVec::with_capacity(1 << 10, GFP_KERNEL)?;
        queue.push(1, GFP_KERNEL)?;
        queue.shrink_to(2, GFP_KERNEL)?;
        let mut procs = KVVec::with_capacity(1 << 20, GFP_KERNEL)?;
        procs.push(1, GFP_KERNEL)?;
        procs.shrink_to(2, GFP_KERNEL)?;
        let mut firmware = VVec::with_capacity(4 * PAGE_SIZE, GFP_KERNEL)?;
        let whole = pages(&mut firmware);
        firmware.shrink_to(PAGE_SIZE, GFP_KERNEL)?;
        let mut image = VBox::<[u8; 3 * PAGE_SIZE], Firmware>::zeroed(GFP_KERNEL)?;
        pr_info!(
            "pages {whole}, {}, {}\n",
            pages(&mut firmware),
            pages(&mut image)
        );
        Ok(Owners {
            _service: service,
            _table: table(second)?,
            _tree: grow()?,
            _list: list()?,
            _queue: queue,
            _procs: procs,
            _firmware: firmware,
        })
    }
}
