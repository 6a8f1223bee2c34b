//! The chart: what was open on each day, by age, and how many notices went out.

use std::path::Path;

use chrono::NaiveDate;
use entity::money::Money;
use plotters::prelude::*;

use super::Failure;
use super::report::{Point, Summary};

/// From what is not due yet to what is late for longest.
const COLOURS: [RGBColor; 5] = [
    RGBColor(189, 215, 231),
    RGBColor(255, 224, 163),
    RGBColor(253, 190, 110),
    RGBColor(240, 130, 80),
    RGBColor(190, 50, 40),
];
const NAMES: [&str; 5] =
    ["not due yet", "1 to 30 days", "31 to 60 days", "61 to 90 days", "more than 90 days"];
const NOTICES: RGBColor = RGBColor(40, 60, 90);

/// Draws it.
pub fn draw(path: &Path, summary: &Summary) -> Result<(), Failure> {
    let (Some(first), Some(last)) = (summary.points.first(), summary.points.last()) else {
        return Ok(());
    };
    let whole = |minor: i64| match summary.currency {
        Some(currency) => {
            f64::try_from(Money::new(minor, currency).to_decimal()).unwrap_or_default()
        }
        None => 0.0,
    };
    let most = summary.points.iter().map(|point| point.buckets.iter().sum()).max().unwrap_or(1);
    let busiest = summary.points.iter().map(|point| point.sent).max().unwrap_or(1).max(1);
    let root = SVGBackend::new(path, (1_200, 620)).into_drawing_area();
    root.fill(&WHITE)?;
    let (above, below) = root.split_vertically(430);
    let currency = summary.currency.map(|currency| currency.to_string()).unwrap_or_default();
    let mut open = ChartBuilder::on(&above)
        .caption("Open receivables by age", ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(28)
        .y_label_area_size(80)
        .build_cartesian_2d(first.day..last.day, 0.0..whole(most) * 1.25)?;
    open.configure_mesh()
        .x_labels(12)
        .x_label_formatter(&|day: &NaiveDate| day.format("%Y-%m").to_string())
        .y_desc(currency)
        .y_label_formatter(&|amount| format!("{amount:.0}"))
        .light_line_style(WHITE)
        .draw()?;
    for (index, (colour, name)) in COLOURS.iter().zip(NAMES).enumerate().rev() {
        let up_to = |point: &Point| point.buckets.iter().take(index + 1).sum();
        let line = summary.points.iter().map(|point| (point.day, whole(up_to(point))));
        open.draw_series(AreaSeries::new(line, 0.0, colour.filled()))?
            .label(name)
            .legend(|(x, y)| Rectangle::new([(x, y - 5), (x + 14, y + 5)], colour.filled()));
    }
    open.configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.2))
        .draw()?;
    let most = u32::try_from(busiest).unwrap_or(u32::MAX);
    let mut sent = ChartBuilder::on(&below)
        .caption("Notices sent a day", ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(28)
        .y_label_area_size(80)
        .build_cartesian_2d(first.day..last.day, 0..most + 1)?;
    sent.configure_mesh()
        .x_labels(12)
        .x_label_formatter(&|day: &NaiveDate| day.format("%Y-%m").to_string())
        .y_labels(4)
        .light_line_style(WHITE)
        .draw()?;
    let bars = summary.points.iter().filter(|point| point.sent > 0).map(|point| {
        let height = u32::try_from(point.sent).unwrap_or(u32::MAX);
        PathElement::new([(point.day, 0), (point.day, height)], NOTICES.stroke_width(1))
    });
    sent.draw_series(bars)?;
    root.present()?;
    Ok(())
}
