//! Drawing as SVG: bars over a scale. Sizes are in the units of the drawing, which the page scales to its width.

use svg::node::Text;
use svg::node::element::Element;

/// How wide every drawing is.
pub(super) const WIDTH: f64 = 720.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 12.0;
const HEIGHT: f64 = 150.0;

/// One bar: what stands one upon the other in it, from below.
pub(super) struct Bar {
    /// What stands below it, where there is room.
    pub label: String,
    /// What is said of it.
    pub title: String,
    /// The amounts, each with its class in the style sheet.
    pub parts: Vec<(&'static str, f64)>,
}

/// A drawing with a name and a description for who does not see it.
pub(super) fn drawing(height: f64, title: &str, about: &str) -> Element {
    let mut svg = with("svg", &[("viewBox", format!("0 0 {WIDTH} {height}")), ("role", "img".to_owned())]);
    svg.get_attributes_mut().insert("aria-label".to_owned(), format!("{title}. {about}").into());
    add(&mut svg, words("title", title));
    add(&mut svg, words("desc", about));
    svg
}

/// Bars side by side over one scale; `unit` says an amount.
pub(super) fn bars(title: &str, about: &str, bars: &[Bar], steps: fn(f64) -> f64, unit: fn(f64) -> String) -> Element {
    let mut svg = drawing(TOP + HEIGHT + 24.0, title, about);
    let most = bars.iter().map(|bar| bar.parts.iter().map(|(_, amount)| amount).sum()).fold(0.0, f64::max);
    let step = steps(most);
    let top = (most / step).ceil().max(1.0) * step;
    let y = |amount: f64| TOP + HEIGHT * (1.0 - amount / top);
    let mut mark = 0.0;
    while mark <= top {
        add(&mut svg, line(LEFT, y(mark), WIDTH, y(mark), if mark > 0.0 { "grid" } else { "axis" }));
        add(&mut svg, text(LEFT - 6.0, y(mark) + 4.0, "end", &unit(mark)));
        mark += step;
    }
    let slot = (WIDTH - LEFT) / bars.len().max(1) as f64;
    let width = (slot * 0.72).clamp(1.0, 36.0);
    let every = (44.0 / slot).ceil().max(1.0) as usize;
    for (number, bar) in bars.iter().enumerate() {
        let middle = LEFT + slot * (number as f64 + 0.5);
        let mut group = with("g", &[]);
        add(&mut group, words("title", &bar.title));
        let mut below = 0.0;
        for (class, amount) in &bar.parts {
            let (from, to) = (y(below), y(below + amount));
            add(&mut group, rect(middle - width / 2.0, to, width, from - to, class));
            below += amount;
        }
        add(&mut svg, group);
        if number.is_multiple_of(every) {
            add(&mut svg, text(middle, TOP + HEIGHT + 16.0, "middle", &bar.label));
        }
    }
    svg
}

/// A round step of which about four fit below `most`: 1, 2 or 5 times a power of ten.
pub(super) fn decimal(most: f64) -> f64 {
    let rough = (most / 4.0).max(f64::MIN_POSITIVE);
    let power = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0].iter().map(|factor| factor * power).find(|step| *step >= rough).unwrap_or(10.0 * power)
}

/// The same for bytes: a round number of KiB, MiB, …; never less than a byte.
pub(super) fn binary(most: f64) -> f64 {
    let mut unit = 1.0;
    while most >= unit * 1024.0 {
        unit *= 1024.0;
    }
    (decimal(most / unit) * unit).max(1.0)
}

/// An element with attributes.
pub(super) fn with(name: &str, attributes: &[(&str, String)]) -> Element {
    let mut element = Element::new(name);
    for (name, value) in attributes {
        element.get_attributes_mut().insert((*name).to_owned(), value.as_str().into());
    }
    element
}

/// Puts `child` behind what is in `parent`.
pub(super) fn add(parent: &mut Element, child: Element) {
    parent.get_children_mut().push(Box::new(child));
}

/// An element that holds words.
pub(super) fn words(name: &str, content: &str) -> Element {
    let mut element = Element::new(name);
    element.get_children_mut().push(Box::new(Text::new(content)));
    element
}

/// Words in the drawing, at the point they are anchored at.
pub(super) fn text(x: f64, y: f64, anchor: &str, content: &str) -> Element {
    let mut element = words("text", content);
    for (name, value) in [("x", place(x)), ("y", place(y)), ("text-anchor", anchor.to_owned())] {
        element.get_attributes_mut().insert(name.to_owned(), value.into());
    }
    element
}

/// A rectangle of a class of the style sheet.
pub(super) fn rect(x: f64, y: f64, width: f64, height: f64, class: &str) -> Element {
    let size = [("x", place(x)), ("y", place(y)), ("width", place(width)), ("height", place(height))];
    let mut element = with("rect", &size);
    element.get_attributes_mut().insert("class".to_owned(), class.into());
    element
}

fn line(x1: f64, y1: f64, x2: f64, y2: f64, class: &str) -> Element {
    let ends = [("x1", place(x1)), ("y1", place(y1)), ("x2", place(x2)), ("y2", place(y2))];
    let mut element = with("line", &ends);
    element.get_attributes_mut().insert("class".to_owned(), class.into());
    element
}

/// A tenth of a unit is finer than anybody sees.
pub(super) fn place(at: f64) -> String {
    format!("{}", (at * 10.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_few() {
        for (most, step) in [(0.9, 0.5), (1.0, 0.5), (3.0, 1.0), (17.0, 5.0), (4000.0, 1000.0)] {
            assert_eq!(decimal(most), step, "{most}");
        }
        let mib = 1024.0 * 1024.0;
        for (most, step) in [(0.0, 1.0), (3.0, 1.0), (4096.0, 1024.0), (17.0 * mib, 5.0 * mib)] {
            assert_eq!(binary(most), step, "{most}");
        }
    }

    #[test]
    fn what_a_name_holds_is_text_wherever_it_stands() {
        let bar = Bar { label: "<script>".into(), title: "</title><script>\"'&".into(), parts: vec![("fetched", 1.0)] };
        let svg = bars("<script>", "\"><script>", &[bar], decimal, |amount| amount.to_string()).to_string();
        assert!(!svg.contains("<script") && svg.contains("&lt;script&gt;"), "{svg}");
    }
}
