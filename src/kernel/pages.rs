//! Large buffers in large pages: a network goes over tens of megabytes in each step, and looks up fewer pages that way.
//!
//! The rest of the program keeps to small ones (`cli::memory`), which take no more memory than is used.

/// Buffers below this many bytes stay as they are.
const LARGE: usize = 128 << 10;

/// The bytes of a large page.
#[cfg(target_os = "linux")]
const PAGE: usize = 2 << 20;

/// Makes a buffer at least so long; what is new holds zeros. Large ones ask for large pages.
pub fn grow(buffer: &mut Vec<f32>, len: usize) {
    if buffer.len() >= len {
        return;
    }
    if buffer.capacity() < len {
        buffer.reserve_exact(len - buffer.len());
        ask(buffer);
    }
    buffer.resize(len, 0.0);
}

/// Makes a buffer exactly so long; what is new holds zeros.
pub fn fit(buffer: &mut Vec<f32>, len: usize) {
    buffer.truncate(len);
    grow(buffer, len);
}

/// Returns a buffer of zeros.
pub fn zeros(len: usize) -> Vec<f32> {
    let mut buffer = Vec::new();
    grow(&mut buffer, len);
    buffer
}

/// Asks for large pages where a buffer lies, before it is written to; a system that has none does nothing. Buffers of a
/// network lie side by side, so those that share a page all gain.
#[cfg(target_os = "linux")]
fn ask(buffer: &mut Vec<f32>) {
    let room = buffer.spare_capacity_mut();
    let (start, len) = (room.as_mut_ptr() as usize, size_of_val(room));
    if len >= LARGE {
        let (first, end) = (start / PAGE * PAGE, (start + len).next_multiple_of(PAGE));
        // SAFETY: the advice changes how memory is mapped from now on, never what is in it, whosever it is; where nothing is
        // mapped it is refused.
        unsafe { libc::madvise(first as *mut libc::c_void, end - first, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn ask(_: &mut Vec<f32>) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_keeps_its_beginning_and_goes_on_with_zeros() {
        let mut buffer = vec![1.0, 2.0];
        grow(&mut buffer, LARGE);
        assert_eq!(buffer.len(), LARGE);
        assert_eq!(buffer[..3], [1.0, 2.0, 0.0]);
        assert!(buffer[2..].iter().all(|number| *number == 0.0));
        let before = buffer.as_ptr();
        grow(&mut buffer, 5);
        assert_eq!((buffer.len(), buffer.as_ptr()), (LARGE, before));
        fit(&mut buffer, 2);
        assert_eq!(buffer, [1.0, 2.0]);
        assert_eq!(zeros(3), [0.0; 3]);
    }
}
