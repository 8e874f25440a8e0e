//! Pages of memory: large buffers in large ones. What goes over tens of megabytes in each step looks up fewer pages that way,
//! and so does what takes its rows at random from a column of a million.
//!
//! The rest of the program keeps to small ones (`cli::memory`), which take no more memory than is used.

/// Buffers below this many bytes stay as they are.
pub const LARGE: usize = 128 << 10;

/// The bytes of a large page.
#[cfg(target_os = "linux")]
const PAGE: usize = 2 << 20;

/// Makes room for exactly so many further elements; large buffers ask for large pages.
pub fn reserve<T>(buffer: &mut Vec<T>, additional: usize) {
    if buffer.capacity() - buffer.len() < additional {
        buffer.reserve_exact(additional);
        ask(buffer.spare_capacity_mut());
    }
}

/// Asks for large pages where a buffer lies, for what was not written to yet; a system that has none does nothing. Large
/// buffers lie side by side, so those that share a page all gain.
#[cfg(target_os = "linux")]
pub fn ask<T>(buffer: &mut [T]) {
    let (start, len) = (buffer.as_mut_ptr() as usize, size_of_val(buffer));
    if len >= LARGE {
        let (first, end) = (start / PAGE * PAGE, (start + len).next_multiple_of(PAGE));
        // SAFETY: the advice changes how memory is mapped from now on, never what is in it, whosever it is; where nothing is
        // mapped it is refused.
        unsafe { libc::madvise(first as *mut libc::c_void, end - first, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
pub fn ask<T>(_: &mut [T]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gets_room_keeps_its_elements() {
        let mut buffer = vec![1u8, 2];
        reserve(&mut buffer, 3 * LARGE);
        assert_eq!((buffer.as_slice(), buffer.capacity()), ([1, 2].as_slice(), 3 * LARGE + 2));
        let before = buffer.as_ptr();
        buffer.resize(3 * LARGE, 7);
        reserve(&mut buffer, 1);
        assert_eq!((buffer.as_ptr(), buffer.last()), (before, Some(&7)));
    }
}
