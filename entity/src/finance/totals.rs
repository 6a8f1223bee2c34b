//! What an invoice's lines add up to. Rounded once per document, half-even, at the minor unit.

use super::FinanceError;

/// The most that a document may come to, in minor units: far above any real one, far below overflow.
const MOST: i128 = 1_000_000_000_000_000;

/// A line as it counts: thousandths of a unit, minor units of price, hundredths of a percent of tax.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Quantity in thousandths.
    pub quantity_milli: i64,
    /// Price of one, in minor units; negative for a discount.
    pub unit_price: i64,
    /// Tax rate in hundredths of a percent.
    pub tax_rate_bp: i32,
}

/// Net and tax of all `lines` together, in minor units.
///
/// # Errors
/// `NotPositive` or `TotalTooLarge`.
pub fn of(lines: impl IntoIterator<Item = Line>) -> Result<(i64, i64), FinanceError> {
    let (mut net, mut tax) = (0_i128, 0_i128);
    for line in lines {
        let exact = i128::from(line.quantity_milli) * i128::from(line.unit_price);
        net = net.saturating_add(exact);
        tax = tax.saturating_add(exact.saturating_mul(i128::from(line.tax_rate_bp)));
    }
    let (net, tax) = (divide(net, 1_000), divide(tax, 10_000_000));
    if net + tax <= 0 {
        return Err(FinanceError::NotPositive);
    }
    let fits = |part: i128| {
        if part.abs() <= MOST { i64::try_from(part).ok() } else { None }
    };
    fits(net).zip(fits(tax)).ok_or(FinanceError::TotalTooLarge)
}

/// The share `part / whole` of `amount`, half-even.
pub fn share(amount: i64, part: i64, whole: i64) -> i64 {
    let exact = i128::from(amount) * i128::from(part);
    i64::try_from(divide(exact, i128::from(whole))).unwrap_or(amount)
}

/// `dividend / divisor`, rounded half to even; `divisor` is positive.
pub(super) fn divide(dividend: i128, divisor: i128) -> i128 {
    let (quotient, remainder) = (dividend.div_euclid(divisor), dividend.rem_euclid(divisor));
    match (remainder * 2).cmp(&divisor) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + quotient.rem_euclid(2),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(quantity_milli: i64, unit_price: i64, tax_rate_bp: i32) -> Line {
        Line { quantity_milli, unit_price, tax_rate_bp }
    }

    #[test]
    fn a_document_is_rounded_once_and_half_to_even() {
        assert_eq!(of([line(1_000, 1_000_000, 1_000)]), Ok((1_000_000, 100_000)));
        // Three lines of a third of a cent are one cent, not three times nothing.
        assert_eq!(of([line(333, 1, 0), line(333, 1, 0), line(334, 1, 0)]), Ok((1, 0)));
        assert_eq!(of([line(2_500, 1, 0)]), Ok((2, 0)));
        assert_eq!(of([line(3_500, 1, 0)]), Ok((4, 0)));
        assert_eq!(
            of([line(1_000, 1_000, 0), line(1_000, -1_000, 0)]),
            Err(FinanceError::NotPositive)
        );
        assert_eq!(of([line(i64::MAX, i64::MAX, 0)]), Err(FinanceError::TotalTooLarge));
    }

    proptest! {
        #[test]
        fn a_rounded_amount_is_never_half_a_unit_off(dividend in -1_000_000_000_i128..1_000_000_000, divisor in 1_i128..100_000) {
            let rounded = divide(dividend, divisor);
            prop_assert!((rounded * divisor - dividend).abs() * 2 <= divisor);
        }

        #[test]
        fn a_share_of_the_whole_is_the_part(part in 1_i64..1_000_000, whole in 1_i64..1_000_000) {
            prop_assert_eq!(share(whole, part, whole), part);
        }
    }
}
