//! One of several equal parts of a list of jobs, written as `2/4`.

use std::str::FromStr;

/// One of several equal parts of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Its number, from 1.
    number: usize,
    count: usize,
}

impl Shard {
    /// Returns the items of this part: every `count`th one.
    pub fn select<T>(self, items: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
        items.into_iter().skip(self.number - 1).step_by(self.count)
    }
}

impl FromStr for Shard {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text
            .split_once('/')
            .and_then(|(number, count)| Some(Self { number: number.parse().ok()?, count: count.parse().ok()? }));
        let valid = parsed.filter(|shard| (1..=shard.count).contains(&shard.number));
        valid.ok_or("write it as 1/4: the first of four")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_disjoint_and_complete() {
        let select = |text: &str| text.parse::<Shard>().unwrap().select(0..7).collect::<Vec<_>>();
        assert_eq!(select("1/1"), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!([select("1/3"), select("2/3"), select("3/3")], [vec![0, 3, 6], vec![1, 4], vec![2, 5]]);
    }

    #[test]
    fn invalid_shards_are_refused() {
        for text in ["", "1", "0/4", "5/4", "1/0", "a/b", "1/4/2"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
