// SPDX-License-Identifier: GPL-2.0-only

//! `/dev/kalloc_map`: memory of each allocator family, for user space to map and read.
//!
//! Opening the device allocates a block of each family, filled with words that depend on their
//! offset. Reading the file lists the blocks and their page frames. `mmap()` at a block's offset
//! maps the block read-only:
//!
//! ```text
//! # exec 3<>/dev/kalloc_map
//! # cat <&3
//! # family        offset  bytes            first page      pfn
//! kmalloc              0   8192 6b6d616c00000000    0   0x11e2
//! kmalloc              0   8192 6b6d616c00000000    1   0x11e3
//! cache          0x10000   8192 6361636800000000    0   0x11e8
//! …
//! ```
//!
//! The word at each offset of a block is the sum of its first word and the offset. Writing `renew`
//! replaces all blocks with new ones, whose words differ. Mappings of the old blocks stay unchanged
//! until they are unmapped. All blocks together take about four MiB at most; then `renew` fails
//! with `ENOSPC`.
//!
//! Only root can open the device, since page frame numbers are confidential. It has one user at a
//! time.

use kalloc::{
    mm::{
        mmap::{
            self,
            Mappable,
            PageBytes,
            Prepared, //
        },
        page_info, //
    },
    slab::{
        ArcObject,
        Options, //
    }, //
    Array,
    FreePages,
    Kmalloc,
    KmemCache,
    Order,
    Pages,
    Tag,
    Vmalloc,
};
use kernel::{
    fs::{
        File,
        Kiocb, //
    },
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    miscdevice::{
        MiscDevice,
        MiscDeviceOptions,
        MiscDeviceRegistration, //
    },
    mm::virt::VmaNew,
    new_mutex,
    page::PAGE_SIZE,
    prelude::*,
    str::CString,
    sync::{
        Arc,
        Mutex, //
    },
    transmute::AsBytes, //
};

mod read;

module! {
    type: MapModule,
    name: "kalloc_map",
    authors: ["The kalloc authors"],
    description: "Maps memory of the kernel's allocators into user space",
    license: "GPL",
}

/// The pages of the blocks from slabs. Larger blocks come from the page allocator.
const SLAB_PAGES: usize = 2;
/// The pages of the other blocks.
const PAGES: usize = 4;
/// The pages of the vmalloc block. The number is not a power of two, so that the block needs
/// several blocks of pages.
const VMALLOC_PAGES: usize = 13;
/// The maximum bytes of all blocks, including those that were replaced but are still mapped.
const LIVE_BYTES: u64 = 4 << 20;
/// The distance in pages between two blocks in the file.
const SPAN: usize = 16;

kalloc::sites! {
    /// The block from kmalloc.
    Kmallocs: kmalloc([u8]), "map_kmalloc";
    /// The object of a slab cache.
    Objects: cache([PageBytes; SLAB_PAGES]), "map_cache";
    /// The block of pages by `struct page`.
    PageBlocks: pages, "map_pages";
    /// The block of pages by address.
    FreeBlocks: pages, "map_fpages";
    /// The block from vmalloc.
    Vmallocs: vmalloc([u8]), "map_vmalloc";
}

/// The module with its device.
#[pin_data]
struct MapModule {
    #[pin]
    _device: MiscDeviceRegistration<Map>,
}

impl kernel::InPlaceModule for MapModule {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            kalloc::register(module, SITES)?;
            Ok(try_pin_init!(Self {
                _device <- MiscDeviceRegistration::register(MiscDeviceOptions {
                    name: c"kalloc_map",
                }),
            }? Error))
        })
    }
}

/// One block of each family.
struct Blocks {
    /// The number of times that the blocks were renewed.
    age: u64,
    kmalloc: Arc<Array<u8, Kmalloc<Kmallocs>>>,
    cache: Arc<ArcObject<Objects>>,
    pages: Arc<Pages<PageBlocks>>,
    free_pages: Arc<FreePages<FreeBlocks>>,
    vmalloc: Arc<Array<u8, Vmalloc<Vmallocs>>>,
}

impl Blocks {
    /// The families, in the order of the file.
    const NAMES: [&'static str; 5] = ["kmalloc", "cache", "pages", "free_pages", "vmalloc"];

    /// Allocates and fills all blocks.
    ///
    /// # Errors
    ///
    /// - [`ENOSPC`] if too many replaced blocks are still mapped.
    /// - [`ENOMEM`] if there is not enough memory.
    fn new(cache: &Arc<KmemCache<Objects>>, age: u64) -> Result<Self> {
        let sites = [
            Kmallocs::site(),
            Objects::site(),
            PageBlocks::site(),
            FreeBlocks::site(),
            Vmallocs::site(),
        ];
        // No other task allocates at the same time: the device has one user, which holds its lock.
        if sites
            .iter()
            .map(|site| site.totals().live_bytes)
            .sum::<u64>()
            >= LIVE_BYTES
        {
            return Err(ENOSPC);
        }
        let mut kmalloc = Array::zeroed(SLAB_PAGES * PAGE_SIZE, GFP_KERNEL)?;
        let mut object = cache
            .reserve_arc(GFP_KERNEL)?
            .init(pin_init::init_zeroed())?;
        let mut pages = Pages::zeroed(Order::for_bytes(PAGES * PAGE_SIZE)?, GFP_KERNEL)?;
        let mut free_pages = FreePages::zeroed(pages.order(), GFP_KERNEL)?;
        let mut vmalloc = Array::zeroed(VMALLOC_PAGES * PAGE_SIZE, GFP_KERNEL)?;
        let blocks: [&mut [u8]; 5] = [
            &mut kmalloc,
            object.as_bytes_mut(),
            &mut pages,
            &mut free_pages,
            &mut vmalloc,
        ];
        for (index, bytes) in blocks.into_iter().enumerate() {
            for (word, at) in bytes.chunks_exact_mut(8).zip((0..).step_by(8)) {
                word.copy_from_slice(&(first_word(index, age) + at).to_ne_bytes());
            }
        }
        Ok(Blocks {
            age,
            kmalloc: Arc::new(kmalloc, GFP_KERNEL)?,
            cache: Arc::new(object, GFP_KERNEL)?,
            pages: Arc::new(pages, GFP_KERNEL)?,
            free_pages: Arc::new(free_pages, GFP_KERNEL)?,
            vmalloc: Arc::new(vmalloc, GFP_KERNEL)?,
        })
    }

    /// Returns all blocks, in the order of the file.
    fn all(&self) -> [&dyn Mappable; 5] {
        [
            &*self.kmalloc,
            &*self.cache,
            &*self.pages,
            &*self.free_pages,
            &*self.vmalloc,
        ]
    }

    /// Prepares a mapping of the block at the offset of the area.
    fn map<'a>(&self, vma: &'a VmaNew) -> Result<Prepared<'a>> {
        let at = mmap::first_page(vma);
        let first = at % SPAN;
        match at / SPAN {
            0 => mmap::map(&self.kmalloc, first, vma),
            1 => mmap::map(&self.cache, first, vma),
            2 => mmap::map(&self.pages, first, vma),
            3 => mmap::map(&self.free_pages, first, vma),
            4 => mmap::map(&self.vmalloc, first, vma),
            _ => Err(ENXIO),
        }
    }
}

/// Returns the first word of a block: the name of its family, and its age.
fn first_word(index: usize, age: u64) -> u64 {
    let name = Blocks::NAMES
        .get(index)
        .map_or(&[][..], |name| name.as_bytes());
    let name = name
        .iter()
        .take(4)
        .fold(0, |word, &letter| word << 8 | u64::from(letter));
    name << 32 | (age & 0xfff) << 20
}

/// The text of the device: the blocks, and whether it includes their page frame numbers.
struct Listing<'a>(&'a Blocks, bool);

impl kernel::fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut kernel::fmt::Formatter<'_>) -> kernel::fmt::Result {
        f.write_str("# family        offset  bytes            first page      pfn\n")?;
        let Listing(blocks, shows_frames) = *self;
        for (index, (name, block)) in Blocks::NAMES.iter().zip(blocks.all()).enumerate() {
            let pages = block.pages().unwrap_or(0);
            for (page, pfn) in (0..pages).filter_map(|page| Some((page, block.pfn(page)?))) {
                // Like in `/proc/PID/pagemap`, a hidden number is shown as 0.
                let pfn = if shows_frames { pfn } else { 0 };
                writeln!(
                    f,
                    "{name:<12} {:>#9x} {:>6} {:016x} {page:>4} {pfn:>#8x}",
                    index * SPAN * PAGE_SIZE,
                    pages * PAGE_SIZE,
                    first_word(index, blocks.age),
                )?;
            }
        }
        Ok(())
    }
}

/// An open file.
#[pin_data]
struct Map {
    #[pin]
    blocks: Mutex<Blocks>,
    cache: Arc<KmemCache<Objects>>,
    /// A flag: the process that opened the file may read page frame numbers.
    shows_frames: bool,
}

#[vtable]
impl MiscDevice for Map {
    type Ptr = Pin<KBox<Self>>;

    fn open(file: &File, _device: &MiscDeviceRegistration<Self>) -> Result<Pin<KBox<Self>>> {
        // The site has one cache at a time.
        let cache =
            KmemCache::new(Options::new()).map_err(|e| if e == EEXIST { EBUSY } else { e })?;
        let cache = Arc::new(cache, GFP_KERNEL)?;
        let blocks = Blocks::new(&cache, 0)?;
        KBox::try_pin_init(
            try_pin_init!(Map {
                blocks <- new_mutex!(blocks),
                cache,
                shows_frames: page_info::shows_frames(file),
            }),
            GFP_KERNEL,
        )
    }

    fn mmap(map: Pin<&Self>, _file: &File, vma: &VmaNew) -> Result {
        map.blocks.lock().map(vma)?.finish()
    }

    fn read_iter(mut kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterDest<'_>) -> Result<usize> {
        let map = kiocb.file();
        let blocks = map.blocks.lock();
        let text = CString::try_from_fmt(fmt!("{}", Listing(&blocks, map.shows_frames)))?;
        drop(blocks);
        read::read(kiocb.ki_pos_mut(), iov, text.to_bytes())
    }

    /// Accepts only `renew`. The new blocks are read from the beginning.
    fn write_iter(mut kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterSource<'_>) -> Result<usize> {
        let mut line = [0; 8];
        let length = iov.copy_from_iter(&mut line);
        if !iov.is_empty() && length < line.len() {
            return Err(EFAULT);
        }
        if !iov.is_empty() || !matches!(line.get(..length), Some(b"renew" | b"renew\n")) {
            return Err(EINVAL);
        }
        let map = kiocb.file();
        let mut blocks = map.blocks.lock();
        *blocks = Blocks::new(&map.cache, blocks.age + 1)?;
        drop(blocks);
        *kiocb.ki_pos_mut() = 0;
        Ok(length)
    }
}
