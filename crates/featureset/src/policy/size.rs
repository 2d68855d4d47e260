//! Sizes in bytes, as people write and read them.

/// A size as people write it: bytes, or `MB`, `kB` (powers of ten) with up to three decimals.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = match text.trim().split_once(|c: char| c.is_whitespace()) {
        Some((number, unit)) => (number, unit.trim()),
        None => text.trim().split_at(text.trim().find(|c: char| c.is_alphabetic())?),
    };
    let unit: u64 = match unit {
        "B" => 1,
        "kB" => 1_000,
        "MB" => 1_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 3 || number.ends_with('.') {
        return None;
    }
    let thousandths = format!("{fraction:0<3}").parse::<u64>().ok()?;
    let total = whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(thousandths)?.checked_mul(unit)?;
    (total % 1000 == 0).then_some(total / 1000)
}

/// A size as people read it: megabytes of a million bytes with two decimals, kilobytes below one of them.
#[must_use]
pub fn format_size(bytes: u64) -> String {
    if bytes >= 1_000_000 {
        let hundredths = bytes.saturating_add(5_000) / 10_000;
        format!("{}.{:02} MB", hundredths / 100, hundredths % 100)
    } else if bytes >= 1_000 {
        format!("{} kB", (bytes + 500) / 1_000)
    } else {
        format!("{bytes} B")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_powers_of_ten() {
        assert_eq!(parse_size("3.8 MB"), Some(3_800_000));
        assert_eq!(parse_size("264kB"), Some(264_000));
        assert_eq!(parse_size("12 B"), Some(12));
        for text in
            ["3.8", "3.8 MiB", "-1 MB", ". MB", "3. MB", "MB", "", "1.2345 MB", "1.5 B", "99999999999999999999 MB"]
        {
            assert_eq!(parse_size(text), None, "{text}");
        }
        assert_eq!(format_size(3_748_272), "3.75 MB");
        assert_eq!(format_size(99_308), "99 kB");
        assert_eq!(format_size(999), "999 B");
        assert_eq!(format_size(u64::MAX), "18446744073709.55 MB");
    }

    proptest! {
        #[test]
        fn no_text_makes_a_size_panic(text in ".{0,24}") {
            let _ = parse_size(&text);
        }
    }
}
