//! What the allocator is told: to take as much memory as is used, and not more with every epoch.

/// Has freed memory returned to the system at once, and memory mapped in small pages.
///
/// Without the first, what an epoch frees and takes again adds up, to a tenth of the memory of a run that loads pictures.
/// Without the second, mimalloc asks for pages of 2 MB wherever the system lets it, and each that is used in part is taken as a
/// whole, by and by: a quarter of that run's memory. The buffers of networks ask for large pages themselves
/// (`kernel::buffer`). With another allocator, and on other systems than Linux, it does less or nothing.
pub fn keep_small() {
    /// `mi_option_purge_delay` of `mimalloc.h`, in milliseconds; 10 by default.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    // SAFETY: sets a number that the allocator reads when it frees; any thread may at any time.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 1) };
    small_pages();
}

/// Takes back mimalloc's wish for large pages in its first arena, of 1 GiB. (Its own option for that takes them from the
/// whole process.)
#[cfg(target_os = "linux")]
fn small_pages() {
    let probe = Box::new(0u8);
    let place = std::ptr::from_ref(&*probe) as usize;
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mut ranges = maps.lines().filter_map(|line| {
        let (start, rest) = line.split_once('-')?;
        let (end, _) = rest.split_once(' ')?;
        Some((usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
    });
    if let Some((start, end)) = ranges.find(|(start, end)| (*start..*end).contains(&place)) {
        // SAFETY: a mapping of this process, whole; the advice changes how it is mapped from now on, not what is in it.
        unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_NOHUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn small_pages() {}
