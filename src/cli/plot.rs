//! A curve over a logarithmic axis as SVG: what the learning-rate range test found.

use std::fmt::Write;

/// A curve to draw.
pub struct Plot<'a> {
    /// What stands above the axes.
    pub title: &'a str,
    /// What the axis to the right shows; its values are above 0.
    pub across: &'a str,
    /// What the axis upward shows.
    pub upward: &'a str,
    /// Lines with their name, color and width; the first is drawn first.
    pub lines: Vec<Line<'a>>,
    /// Values above this do not stretch the axis upward; they are drawn at the border.
    pub ceiling: f64,
    /// Places of the axis to the right that are marked, with what stands beside the mark.
    pub marks: Vec<(f64, String)>,
}

/// A line of a plot.
pub struct Line<'a> {
    /// What the legend calls it.
    pub name: &'a str,
    /// Its color, as CSS writes it.
    pub color: &'a str,
    /// Its width in pixels.
    pub width: f64,
    /// Its points in order.
    pub points: Vec<(f64, f64)>,
    /// Whether the axis upward is made to hold it; what else is higher or lower is drawn at the border.
    pub sets_range: bool,
}

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 780.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 420.0;

impl Plot<'_> {
    /// Returns the drawing as an SVG document, readable by itself on a white ground.
    pub fn svg(&self) -> String {
        let mut svg = String::new();
        let _ = writeln!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
             height=\"{HEIGHT}\" font-family=\"sans-serif\" font-size=\"13\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
             <text x=\"{LEFT}\" y=\"28\" font-size=\"16\">{}</text>",
            escape(self.title)
        );
        let across = Across::of(self.lines.iter().flat_map(|line| line.points.iter().map(|point| point.0)));
        let ranging = self.lines.iter().filter(|line| line.sets_range);
        let upward = Upward::of(ranging.flat_map(|line| line.points.iter().map(|point| point.1.min(self.ceiling))));
        across.draw(&mut svg);
        upward.draw(&mut svg);
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {TOP} V{BOTTOM} H{RIGHT}\" fill=\"none\" stroke=\"black\"/>\n\
             <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n\
             <text transform=\"translate(20 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            (LEFT + RIGHT) / 2.0,
            BOTTOM + 44.0,
            escape(self.across),
            (TOP + BOTTOM) / 2.0,
            escape(self.upward)
        );
        for line in &self.lines {
            let points: Vec<String> = line
                .points
                .iter()
                .map(|(x, y)| format!("{:.1},{:.1}", across.place(*x), upward.place(*y).clamp(TOP, BOTTOM)))
                .collect();
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"/>",
                points.join(" "),
                line.color,
                line.width
            );
        }
        self.draw_marks(&mut svg, &across);
        for (number, line) in self.lines.iter().enumerate() {
            let y = TOP + 8.0 + 18.0 * number as f64;
            let _ = writeln!(
                svg,
                "<path d=\"M{} {y} h24\" stroke=\"{}\" stroke-width=\"{}\"/><text x=\"{}\" y=\"{}\">{}</text>",
                LEFT + 12.0,
                line.color,
                line.width,
                LEFT + 42.0,
                y + 4.0,
                escape(line.name)
            );
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// Draws the marks, their texts one below the other on the side where there is room.
    fn draw_marks(&self, svg: &mut String, across: &Across) {
        for (number, (value, text)) in self.marks.iter().enumerate() {
            let x = across.place(*value);
            let (anchor, shift) = if x > (LEFT + RIGHT) / 2.0 { ("end", -6.0) } else { ("start", 6.0) };
            let _ = writeln!(
                svg,
                "<path d=\"M{x:.1} {TOP} V{BOTTOM}\" stroke=\"#c0392b\" stroke-dasharray=\"5 4\"/>\
                 <text x=\"{:.1}\" y=\"{}\" text-anchor=\"{anchor}\" fill=\"#c0392b\" stroke=\"white\" \
                 stroke-width=\"3\" paint-order=\"stroke\">{}</text>",
                x + shift,
                TOP + 60.0 + 20.0 * number as f64,
                escape(text)
            );
        }
    }
}

/// The axis to the right: whole decades.
struct Across {
    first: i32,
    last: i32,
}

impl Across {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let (least, most) = bounds(values.filter(|value| *value > 0.0)).unwrap_or((1.0, 10.0));
        // A rate of 1e-7 is not the bit less than that which its logarithm makes of it.
        let (first, last) = ((least.log10() + 1e-9).floor() as i32, (most.log10() - 1e-9).ceil() as i32);
        Across { first, last: last.max(first + 1) }
    }

    fn place(&self, value: f64) -> f64 {
        let share = (value.max(f64::MIN_POSITIVE).log10() - f64::from(self.first)) / f64::from(self.last - self.first);
        LEFT + share.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    fn draw(&self, svg: &mut String) {
        for decade in self.first..=self.last {
            let x = self.place(10f64.powi(decade));
            let _ = writeln!(
                svg,
                "<path d=\"M{x:.1} {TOP} V{}\" stroke=\"#dddddd\"/>\
                 <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">1e{decade}</text>",
                BOTTOM + 6.0,
                BOTTOM + 22.0
            );
            // The steps between decades, as on logarithmic paper.
            let between = (2..10).filter(|_| decade < self.last).map(|part| f64::from(part) * 10f64.powi(decade));
            let ticks: Vec<String> = between.map(|value| format!("M{:.1} {BOTTOM} v4", self.place(value))).collect();
            if !ticks.is_empty() {
                let _ = writeln!(svg, "<path d=\"{}\" stroke=\"black\" stroke-width=\"0.6\"/>", ticks.join(" "));
            }
        }
    }
}

/// The axis upward: linear, in steps of 1, 2 or 5 times a power of ten.
struct Upward {
    first: f64,
    last: f64,
    step: f64,
}

impl Upward {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let (least, most) = bounds(values).unwrap_or((0.0, 1.0));
        let range = if most > least { most - least } else { least.abs().max(1.0) };
        let rough = range / 5.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = power * [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= rough).unwrap_or(10.0);
        let first = (least / step).floor() * step;
        let last = ((most / step).ceil() * step).max(first + step);
        Upward { first, last, step }
    }

    fn place(&self, value: f64) -> f64 {
        BOTTOM - (value - self.first) / (self.last - self.first) * (BOTTOM - TOP)
    }

    fn draw(&self, svg: &mut String) {
        let decimals = (-self.step.log10().floor()).clamp(0.0, 12.0) as usize;
        for tick in 0..=((self.last - self.first) / self.step).round() as i64 {
            let value = self.first + tick as f64 * self.step;
            let y = self.place(value);
            let _ = writeln!(
                svg,
                "<path d=\"M{} {y:.1} H{RIGHT}\" stroke=\"#dddddd\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value:.decimals$}</text>",
                LEFT - 6.0,
                LEFT - 10.0,
                y + 4.0
            );
        }
    }
}

fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let finite = values.filter(|value| value.is_finite());
    finite.map(|value| (value, value)).reduce(|(least, most), (value, _)| (least.min(value), most.max(value)))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_ticks_that_hold_the_values() {
        let across = Across::of([1e-7, 3e-3, 10.0].into_iter());
        assert_eq!((across.first, across.last), (-7, 1));
        assert_eq!((across.place(1e-7), across.place(10.0), across.place(1e-3)), (LEFT, RIGHT, LEFT + 350.0));
        for (values, first, last, step) in [
            (vec![0.13, 1.1], 0.0, 1.2, 0.2),
            (vec![-1.0, 2.5], -1.0, 3.0, 1.0),
            (vec![0.7], 0.6, 0.8, 0.2),
            (vec![1200.0, 90.0], 0.0, 1500.0, 500.0),
            (vec![], 0.0, 1.0, 0.2),
        ] {
            let axis = Upward::of(values.iter().copied());
            let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
            assert!(near(axis.step, step) && near(axis.first, first) && near(axis.last, last), "{values:?}");
        }
    }

    #[test]
    fn whatever_is_drawn_is_well_formed_and_inside() {
        let line =
            |points: Vec<(f64, f64)>| Line { name: "a < b", color: "black", width: 1.0, points, sets_range: true };
        for points in
            [vec![], vec![(1.0, 1.0)], vec![(1e-7, f64::NAN), (1.0, f64::INFINITY), (2.0, 1e300), (3.0, -1e300)]]
        {
            let plot = Plot {
                title: "&",
                across: "x",
                upward: "y",
                ceiling: 1e200,
                lines: vec![line(points)],
                marks: vec![(5.0, "here".into())],
            };
            let svg = plot.svg();
            assert!(svg.contains("a &lt; b") && svg.contains("&amp;") && svg.ends_with("</svg>\n"));
            assert!(!svg.contains("inf"), "{svg}");
        }
    }
}
