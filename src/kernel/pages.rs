//! The buffers of networks, which lie in large pages where they are large.

use crate::machine::pages;

/// Makes a buffer at least so long; what is new holds zeros.
pub fn grow(buffer: &mut Vec<f32>, len: usize) {
    if buffer.len() < len {
        pages::reserve(buffer, len - buffer.len());
        buffer.resize(len, 0.0);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_keeps_its_beginning_and_goes_on_with_zeros() {
        let many = 2 * pages::LARGE;
        let mut buffer = vec![1.0, 2.0];
        grow(&mut buffer, many);
        assert_eq!(buffer.len(), many);
        assert_eq!(buffer[..3], [1.0, 2.0, 0.0]);
        assert!(buffer[2..].iter().all(|number| *number == 0.0));
        let before = buffer.as_ptr();
        grow(&mut buffer, 5);
        assert_eq!((buffer.len(), buffer.as_ptr()), (many, before));
        fit(&mut buffer, 2);
        assert_eq!(buffer, [1.0, 2.0]);
        assert_eq!(zeros(3), [0.0; 3]);
    }
}
