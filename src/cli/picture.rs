//! Numbers as pictures in a terminal: curves, and images in half blocks (two pixels a character).

use std::fmt::Write;

use crate::tensor::{Array, Dtype};
use crate::{Error, Result};

/// The widest picture, in characters.
const WIDTH: usize = 72;
/// The height of a curve, in characters; a character has two points.
const HEIGHT: usize = 12;
/// From dark to light, for pictures without color.
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

/// Draws `[n]` as a curve, `[height, width]` and `[height, width, 1 or 3]` as an image.
///
/// # Errors
/// Another shape, and no numbers at all.
pub fn draw(array: &Array, colored: bool) -> Result<String> {
    let values = array.to_f64_vec();
    match *array.shape() {
        _ if values.is_empty() => Err(Error::script("there is nothing to draw: the tensor is empty")),
        [_] => Ok(curve(&values)),
        [height, width] => Ok(Image::new(&values, array.dtype(), [height, width, 1]).text(colored)),
        [height, width, channels @ (1 | 3)] => {
            Ok(Image::new(&values, array.dtype(), [height, width, channels]).text(colored))
        }
        _ => Err(Error::script(format!("cannot draw shape {:?}", array.shape()))
            .hint("a curve is `[n]`, an image `[height, width]` or `[height, width, channels]`")),
    }
}

fn curve(values: &[f64]) -> String {
    let width = values.len().min(WIDTH);
    // The mean of what falls into one column; NaN leaves a gap.
    let column = |at: usize| {
        let part = &values[at * values.len() / width..(at + 1) * values.len() / width];
        part.iter().sum::<f64>() / part.len() as f64
    };
    let columns: Vec<f64> = (0..width).map(column).collect();
    let (low, high) = range(&columns);
    let points = 2 * HEIGHT - 1;
    let level = |value: f64| ((value - low) / (high - low).max(f64::MIN_POSITIVE) * points as f64).round() as usize;
    let levels: Vec<Option<usize>> = columns.iter().map(|value| value.is_finite().then(|| level(*value))).collect();
    let (top, bottom) = (number(high), number(low));
    let margin = top.chars().count().max(bottom.chars().count());
    let mut text = String::new();
    for row in (0..HEIGHT).rev() {
        let label = if row == HEIGHT - 1 {
            &*top
        } else if row == 0 {
            &*bottom
        } else {
            ""
        };
        let symbol = |level: &Option<usize>| match level {
            Some(level) if *level == 2 * row + 1 => '▀',
            Some(level) if *level == 2 * row => '▄',
            _ => ' ',
        };
        let line: String = levels.iter().map(symbol).collect();
        let _ = writeln!(text, "{label:>margin$} │{}", line.trim_end());
    }
    let _ = writeln!(text, "{:margin$} └{}", "", "─".repeat(width));
    let last = (values.len() - 1).to_string();
    let _ = writeln!(text, "{:margin$}  0{last:>rest$}", "", rest = width.max(last.len() + 2) - 1);
    text
}

/// An image with values from 0 to 1.
struct Image {
    height: usize,
    width: usize,
    pixels: Vec<[f64; 3]>,
}

impl Image {
    /// Bytes are from 0 to 255; floats between 0 and 1 stay, others are stretched over their range.
    fn new(values: &[f64], dtype: Dtype, [height, width, channels]: [usize; 3]) -> Self {
        let (low, high) = match (dtype, range(values)) {
            (Dtype::U8, _) => (0.0, 255.0),
            (_, (low, high)) if low >= 0.0 && high <= 1.0 => (0.0, 1.0),
            (_, range) => range,
        };
        let scale = |value: f64| ((value - low) / (high - low).max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
        let pixel = |pixel: &[f64]| match pixel {
            [red, green, blue] => [scale(*red), scale(*green), scale(*blue)],
            _ => [scale(pixel[0]); 3],
        };
        Image { height, width, pixels: values.chunks_exact(channels).map(pixel).collect() }.shrunk()
    }

    /// The mean of the pixels that fall into one, where the image is wider than the terminal.
    fn shrunk(self) -> Self {
        if self.width <= WIDTH {
            return self;
        }
        let (width, height) = (WIDTH, (self.height * WIDTH / self.width).max(1));
        let mean = |row: usize, column: usize| {
            let rows =
                row * self.height / height..((row + 1) * self.height / height).max(row * self.height / height + 1);
            let columns = column * self.width / width..(column + 1) * self.width / width;
            let count = (rows.len() * columns.len()) as f64;
            let mut sum = [0.0; 3];
            for at in rows.flat_map(|row| columns.clone().map(move |column| row * self.width + column)) {
                sum.iter_mut().zip(self.pixels[at]).for_each(|(sum, own)| *sum += own / count);
            }
            sum
        };
        let pixels = (0..height).flat_map(|row| (0..width).map(move |column| (row, column)));
        Image { height, width, pixels: pixels.map(|(row, column)| mean(row, column)).collect() }
    }

    fn text(&self, colored: bool) -> String {
        let mut text = String::new();
        for row in (0..self.height).step_by(2) {
            for column in 0..self.width {
                let upper = self.pixels[row * self.width + column];
                let lower = self.pixels.get((row + 1) * self.width + column).copied();
                if colored {
                    let [red, green, blue] = upper.map(byte);
                    let _ = write!(text, "\x1b[38;2;{red};{green};{blue}m");
                    if let Some([red, green, blue]) = lower.map(|lower| lower.map(byte)) {
                        let _ = write!(text, "\x1b[48;2;{red};{green};{blue}m");
                    }
                    text.push('▀');
                } else {
                    let both = upper.iter().chain(&lower.unwrap_or(upper)).sum::<f64>() / 6.0;
                    text.push(SHADES[(both * 4.0).round() as usize]);
                }
            }
            text.push_str(if colored { "\x1b[0m\n" } else { "\n" });
        }
        text
    }
}

fn range(values: &[f64]) -> (f64, f64) {
    let finite = values.iter().copied().filter(|value| value.is_finite());
    finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

fn byte(value: f64) -> u8 {
    (value * 255.0).round() as u8
}

fn number(value: f64) -> String {
    if value.is_finite() {
        format!("{value:.4}").trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(values: &[f32], shape: &[usize]) -> Array {
        Array::from_f32(values.to_vec(), shape).unwrap()
    }

    #[test]
    fn a_rising_line_is_drawn() {
        let text = draw(&array(&[0.0, 1.0, 2.0, 3.0], &[4]), false).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines[0], lines[11]), ("3 │   ▀", "0 │▄"));
        assert_eq!((lines[12], lines.len()), ("  └────", 14));
    }

    #[test]
    fn images_have_two_pixels_a_character() {
        let image = array(&[0.0, 1.0, 0.0, 1.0, 1.0, 0.5], &[3, 2]);
        assert_eq!(draw(&image, false).unwrap(), " █\n█▒\n");
        let colored = draw(&image, true).unwrap();
        assert!(colored.starts_with("\x1b[38;2;0;0;0m\x1b[48;2;0;0;0m▀\x1b[38;2;255;255;255m"), "{colored:?}");
        assert_eq!(draw(&array(&[0.5; 300], &[1, 100, 3]), false).unwrap().chars().count(), 73);
    }

    #[test]
    fn odd_numbers_are_survived() {
        for values in [vec![f32::NAN], vec![f32::NAN, 1.0, f32::INFINITY], vec![5.0; 3], vec![f32::MAX, f32::MIN]] {
            for shape in [vec![values.len()], vec![1, values.len()]] {
                assert!(draw(&array(&values, &shape), false).is_ok(), "{values:?}");
            }
        }
        assert!(draw(&array(&[], &[0]), false).is_err());
        assert_eq!(draw(&array(&[0.0; 4], &[1, 2, 2]), false).unwrap_err().message(), "cannot draw shape [1, 2, 2]");
    }
}
